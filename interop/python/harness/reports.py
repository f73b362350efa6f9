"""Messages whose receiver says what became of them: XEP-0184 and XEP-0333."""

from __future__ import annotations

from slixmpp.stanza import Message

from .session import Session

RECEIPTS, MARKERS = "urn:xmpp:receipts", "urn:xmpp:chat-markers:0"
TAGS = {"received": f"{{{RECEIPTS}}}received", "displayed": f"{{{MARKERS}}}displayed"}


def send_asking(session: Session, to: str, name: str, body: str) -> None:
    """Send a message with the id `name` that asks for both reports."""
    session.send_raw(
        f"<message to='{to}' type='chat' id='{name}'><body>{body}</body>"
        f"<request xmlns='{RECEIPTS}'/><markable xmlns='{MARKERS}'/></message>"
    )


async def report(session: Session, kinds: str, name: str, sender: str) -> None:
    """Wait for a report about the message with the id `name`: `received`, `displayed`, or one of both with `or` between."""

    def match(stanza: object) -> bool:
        if not isinstance(stanza, Message) or stanza["from"].full != sender:
            return False
        children = [stanza.xml.find(TAGS[kind]) for kind in kinds.split(" or ")]
        return any(child is not None and child.get("id") == name for child in children)

    await session.expect(f"{kinds} for {name} from {sender}", match)
