"""Two sessions that see each other's presence."""

from __future__ import annotations

from .session import Session


async def make_contacts(one: Session, other: Session) -> None:
    """Subscribe each to the other; what came meanwhile is left in the inboxes."""
    for asker, asked in ((one, other), (other, one)):
        asker.send_presence(pto=asked.boundjid.bare, ptype="subscribe")
        await asked.presence(asker.boundjid.bare, "subscribe")
        asked.send_presence(pto=asker.boundjid.bare, ptype="subscribed")
        await asker.presence(asked.boundjid.full)
