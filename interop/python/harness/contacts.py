"""People who know each other: two sessions that see each other's presence, an account with a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from slixmpp.stanza import Presence

from .cases import check
from .coordinates import Account
from .names import Names
from .relay import Relay
from .reports import report, send_asking
from .session import Session
from .stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable


async def make_contacts(one: Session, other: Session) -> None:
    """Subscribe each to the other; what came meanwhile is left in the inboxes."""
    for asker, asked in ((one, other), (other, one)):
        asker.send_presence(pto=asked.boundjid.bare, ptype="subscribe")
        await asked.presence(asker.boundjid.bare, "subscribe")
        asked.send_presence(pto=asker.boundjid.bare, ptype="subscribed")
        await asker.presence(asked.boundjid.full)


async def friends(x: Stage, count: int) -> list[Account]:
    """Accounts of people who all know each other, none of whom is there."""
    sessions = [await x.online(x.account()) for _ in range(count)]
    for number, one in enumerate(sessions):
        for other in sessions[:number]:
            await make_contacts(one, other)
    for session in sessions:
        await session.leave()
    return [session.account for session in sessions]


async def account_with_contact(x: Stage) -> tuple[Account, Session]:
    """An account that nobody is logged in to, and its contact `Bob Builder`, online, with an empty inbox."""
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    before = await x.online(alice)
    await make_contacts(before, bob)
    before.client_roster.update(bob.boundjid.bare, name="Bob Builder", groups=[])
    await before.barrier()
    await before.leave()
    await bob.presence(before.boundjid.full, "unavailable")
    await bob.barrier()
    bob.inbox.clear()
    return alice, bob


async def cut_under_way(bob: Session, alice: Account, full: str, relay: Relay) -> list[str]:
    """Cut the connection of somebody who says what it received, with one message lost on the way and one sent meanwhile.

    Returns when it has all of them, with their bodies. The session can be resumed from the moment that the message before
    the cut was answered. Nobody may have seen it leave.
    """
    send_asking(bob, alice.jid, "before", "Before the cut")
    await report(bob, "received", "before", full)
    relay.lose_down()
    send_asking(bob, alice.jid, "lost", "Lost on the way")
    await bob.barrier()
    relay.cut()
    send_asking(bob, alice.jid, "meanwhile", "Sent meanwhile")
    for name in ("lost", "meanwhile"):
        await report(bob, "received", name, full)
    check(not saw_presence(bob, alice, "unavailable"), "bob saw her leave")
    return ["Before the cut", "Lost on the way", "Sent meanwhile"]


class Client(Protocol):
    """A client with windows, as the cases of Dino and Gajim drive it."""

    jid: str

    def start(self) -> None:
        """Run it."""

    async def logged_in(self, contact: Session) -> None:
        """Wait until the contact sees it."""


async def chat_by_records(x: Stage, make: Callable[[Stage, Account], Client]) -> None:
    """Log in at the port with TLS from the first byte that the domain's records name, and get a message.

    Nothing listens where the client would look without them.
    """
    relay = x.close_later(await Relay.start(x.server.host, x.server.tls_port))
    names = await Names.start(x, xmpps_client=relay.port)
    alice, bob = await account_with_contact(x)
    client = make(x, alice)
    client.start()
    await client.logged_in(bob)
    await names.logs("_xmpps-client._tcp.")
    send_asking(bob, alice.jid, "hello", "Hello over direct TLS")
    await report(bob, "received", "hello", client.jid)


def saw_presence(session: Session, account: Account, *kinds: str) -> bool:
    """Whether presence of that account, of one of these kinds (none: any), came that no case has taken."""
    of_account = (s for s in session.inbox if isinstance(s, Presence) and s["from"].bare == account.jid)
    return any(not kinds or s.xml.get("type", "available") in kinds for s in of_account)
