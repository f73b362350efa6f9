"""Copies for one's other sessions: XEP-0280."""

from __future__ import annotations

from typing import Any

from slixmpp.stanza import Message

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("carbons")
NS = "{urn:xmpp:carbons:2}"
FORWARDED = "{urn:xmpp:forward:0}forwarded"
BODY = "{jabber:client}body"


async def _three(x: Stage) -> tuple[Session, Session, Session]:
    """bob's phone and desk with copies switched on, and alice."""
    account = x.account()
    phone, desk = [await x.online(account, resource=r, plugins=("xep_0280",)) for r in ("phone", "desk")]
    for session in (phone, desk):
        await session["xep_0280"].enable(timeout=None)
    return phone, desk, await x.online(x.account())


def _copy(message: Any, direction: str) -> Any:
    """The message inside a copy, or None."""
    return message.xml.find(f"{NS}{direction}/{FORWARDED}/{{jabber:client}}message")


async def _expect_copy(session: Session, direction: str, body: str) -> Any:
    def match(s: Any) -> bool:
        copy = _copy(s, direction) if isinstance(s, Message) else None
        return copy is not None and copy.findtext(BODY) == body

    carbon = await session.expect(f"a {direction} copy of {body!r}", match)
    equal(carbon["from"].full, session.boundjid.bare, "sender of a copy")
    equal(carbon["to"].full, session.boundjid.full, "recipient of a copy")
    return _copy(carbon, direction)


async def _no_copies(session: Session, marker_from: Session) -> None:
    """No copy has reached the session of anything sent before."""
    marker_from.send_message(mto=session.boundjid.full, mbody="marker", mtype="headline")
    await session.message("marker")
    copies = [
        s for s in session.inbox if s.xml.find(f"{NS}sent") is not None or s.xml.find(f"{NS}received") is not None
    ]
    check(not copies, f"copies: {copies}")


@SUITE.case()
async def received(x: Stage) -> None:
    """A message to one session is copied to the other, once, and never to itself."""
    phone, desk, alice = await _three(x)
    alice.send_message(mto=phone.boundjid.full, mbody="hello", mtype="chat")
    await phone.message("hello")
    copy = await _expect_copy(desk, "received", "hello")
    equal((copy.get("from"), copy.get("to")), (alice.boundjid.full, phone.boundjid.full), "addresses in the copy")
    await _no_copies(phone, alice)
    await _no_copies(desk, alice)


@SUITE.case()
async def sent(x: Stage) -> None:
    phone, desk, alice = await _three(x)
    phone.send_message(mto=alice.boundjid.full, mbody="answer", mtype="chat")
    await alice.message("answer")
    copy = await _expect_copy(desk, "sent", "answer")
    equal((copy.get("from"), copy.get("to")), (phone.boundjid.full, alice.boundjid.full), "addresses in the copy")
    await _no_copies(phone, alice)
    await _no_copies(alice, phone)


@SUITE.case()
async def to_the_bare_address(x: Stage) -> None:
    """Every session gets it, as the message or as a copy, and none gets both."""
    phone, desk, alice = await _three(x)
    desk.send_presence(ppriority=5)
    await desk.barrier()
    alice.send_message(mto=phone.boundjid.bare, mbody="hello", mtype="chat")
    for session in (phone, desk):
        alice.send_message(mto=session.boundjid.full, mbody="marker", mtype="headline")
        await session.message("marker")
        equal(_bodies(session), ["hello"], f"messages and copies at the {session.boundjid.resource}")


def _bodies(session: Session) -> list[str | None]:
    """What the session was told, by messages and by copies of messages."""
    messages = [s for s in session.inbox if isinstance(s, Message)]
    copies = [_copy(s, "received") for s in messages]
    return [(s.xml if c is None else c).findtext(BODY) for s, c in zip(messages, copies, strict=True)]


@SUITE.case()
async def private(x: Stage) -> None:
    """Section 9: `private` is not copied in either direction."""
    phone, desk, alice = await _three(x)
    hints = "<private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>"
    alice.send_raw(f"<message to='{phone.boundjid.full}' type='chat'><body>in</body>{hints}</message>")
    await phone.message("in")
    phone.send_raw(f"<message to='{alice.boundjid.full}' type='chat'><body>out</body>{hints}</message>")
    await alice.message("out")
    await _no_copies(desk, phone)
    await _no_copies(desk, alice)


@SUITE.case()
async def not_of_headlines(x: Stage) -> None:
    """Section 6: copies are made of chat, and of normal messages with a body; not of headlines."""
    phone, desk, alice = await _three(x)
    alice.send_message(mto=phone.boundjid.full, mbody="news", mtype="headline")
    await phone.message("news")
    await _no_copies(desk, alice)
    alice.send_message(mto=phone.boundjid.full, mbody="a letter", mtype="normal")
    await _expect_copy(desk, "received", "a letter")


@SUITE.case()
async def only_when_switched_on(x: Stage) -> None:
    phone, desk, alice = await _three(x)
    await desk["xep_0280"].disable(timeout=None)
    alice.send_message(mto=phone.boundjid.full, mbody="hello", mtype="chat")
    await phone.message("hello")
    phone.send_message(mto=alice.boundjid.full, mbody="answer", mtype="chat")
    await alice.message("answer")
    await _no_copies(desk, phone)
    await _no_copies(desk, alice)
