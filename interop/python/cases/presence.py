"""Subscriptions and presence: RFC 6121 sections 3 and 4."""

from __future__ import annotations

from typing import Any

from slixmpp.stanza import Presence

from harness.cases import Suite, check, equal
from harness.contacts import make_contacts
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("presence")


def _ask(session: Session, contact: str, kind: str) -> None:
    session.send_presence(pto=contact, ptype=kind)


def _no_presence(session: Session, *kinds: str) -> None:
    others = [s for s in session.inbox if isinstance(s, Presence) and s["from"] != session.boundjid]
    found = [s for s in others if s.xml.get("type", "available") in kinds]
    check(not found, f"unexpected presence: {found}")


async def _contacts(x: Stage) -> tuple[Session, Session]:
    """Two sessions that see each other's presence, with empty inboxes."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    await make_contacts(alice, bob)
    for session in (alice, bob):
        await session.barrier()
        session.inbox.clear()
    return alice, bob


@SUITE.case()
async def subscribe_both_ways(x: Stage) -> None:
    """Each step with its roster push, RFC 6121 sections 3.1.2 to 3.1.6."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    a, b = alice.boundjid.bare, bob.boundjid.bare

    def state(item: Any) -> tuple[str | None, str | None]:
        return item.get("subscription"), item.get("ask")

    _ask(alice, b, "subscribe")
    equal(state(await alice.push(b)), ("none", "subscribe"), "alice's push when she has asked")
    await bob.presence(a, "subscribe")
    _ask(bob, a, "subscribed")
    equal(state(await bob.push(a)), ("from", None), "bob's push when he has agreed")
    equal(state(await alice.push(b)), ("to", None), "alice's push when he has agreed")
    await alice.presence(b, "subscribed")
    await alice.presence(bob.boundjid.full)

    _ask(bob, a, "subscribe")
    equal(state(await bob.push(a)), ("from", "subscribe"), "bob's push when he has asked")
    await alice.presence(b, "subscribe")
    _ask(alice, b, "subscribed")
    equal(state(await alice.push(b)), ("both", None), "alice's push when she has agreed")
    equal(state(await bob.push(a)), ("both", None), "bob's push when she has agreed")
    await bob.presence(alice.boundjid.full)


@SUITE.case()
async def request_waits_for_log_in(x: Stage) -> None:
    """Section 3.1.3: a request to somebody who is not there is kept, and given at every log-in until answered."""
    alice, bob = await x.online(x.account()), x.account()
    _ask(alice, bob.jid, "subscribe")
    await alice.push(bob.jid)
    for _ in range(2):
        session = await x.online(bob)
        await session.presence(alice.boundjid.bare, "subscribe")
        await session.leave()
    session = await x.online(bob)
    await session.presence(alice.boundjid.bare, "subscribe")
    _ask(session, alice.boundjid.bare, "subscribed")
    await alice.presence(session.boundjid.full)
    await session.leave()
    again = await x.online(bob)
    await again.barrier()
    _no_presence(again, "subscribe")


@SUITE.case()
async def request_refused(x: Stage) -> None:
    alice, bob = await x.online(x.account()), await x.online(x.account())
    _ask(alice, bob.boundjid.bare, "subscribe")
    await alice.push(bob.boundjid.bare)
    await bob.presence(alice.boundjid.bare, "subscribe")
    _ask(bob, alice.boundjid.bare, "unsubscribed")
    item = await alice.push(bob.boundjid.bare)
    equal((item.get("subscription"), item.get("ask")), ("none", None), "alice's push when he has refused")


@SUITE.case("unavailable-on-unsubscribe")
async def unsubscribe(x: Stage) -> None:
    """Section 3.3: she no longer wants to see him, and sees him leave."""
    alice, bob = await _contacts(x)
    a, b = alice.boundjid, bob.boundjid
    _ask(alice, b.bare, "unsubscribe")
    await alice.push(b.bare, "from")
    await bob.push(a.bare, "to")
    await alice.presence(b.full, "unavailable")
    await _not_seen(alice, bob)


@SUITE.case()
async def unsubscribed(x: Stage) -> None:
    """Section 3.2: she no longer wants to be seen by him, and he sees her leave."""
    alice, bob = await _contacts(x)
    a, b = alice.boundjid, bob.boundjid
    _ask(alice, b.bare, "unsubscribed")
    await alice.push(b.bare, "to")
    await bob.push(a.bare, "from")
    await bob.presence(a.full, "unavailable")
    await _not_seen(bob, alice)


async def _not_seen(session: Session, other: Session) -> None:
    other.send_presence(pstatus="not for you")
    other.send_message(mto=session.boundjid.full, mbody="marker")
    await session.message("marker")
    _no_presence(session, "available")


@SUITE.case()
async def roster_removal_cancels(x: Stage) -> None:
    """Section 2.5.2: removing a contact cancels both subscriptions."""
    alice, bob = await _contacts(x)
    a, b = alice.boundjid, bob.boundjid
    iq = alice.make_iq_set()
    iq["roster"]["items"] = {b.bare: {"subscription": "remove"}}
    await iq.send(timeout=None)
    await alice.push(b.bare, "remove")
    await bob.presence(a.full, "unavailable")
    await bob.push(a.bare, "none")
    await _not_seen(alice, bob)
    await _not_seen(bob, alice)


@SUITE.case()
async def updates_and_leaving(x: Stage) -> None:
    alice, bob = await _contacts(x)
    alice.send_presence(pshow="dnd", pstatus="Ça va être long…", ppriority=7)
    seen = await bob.presence(alice.boundjid.full)
    equal((seen["show"], seen["status"], seen["priority"]), ("dnd", "Ça va être long…", 7), "presence")
    alice.send_presence(ptype="unavailable", pstatus="Bye")
    equal((await bob.presence(alice.boundjid.full, "unavailable"))["status"], "Bye", "status on leaving")
    alice.send_presence()
    await bob.presence(alice.boundjid.full)
    # The answer to her return: she gets his presence again.
    await alice.presence(bob.boundjid.full)
    await alice.leave()
    await bob.presence(alice.boundjid.full, "unavailable")


@SUITE.case()
async def unavailable_on_reset(x: Stage) -> None:
    """Section 4.5.2: the server says it for a client whose connection broke (without XEP-0198)."""
    alice, bob = await _contacts(x)
    alice.reset()
    await bob.presence(alice.boundjid.full, "unavailable")


@SUITE.case()
async def probe_at_log_in(x: Stage) -> None:
    """Section 4.2.2: who logs in learns who is there, from every session of the contact."""
    alice, bob = await _contacts(x)
    bob.send_presence(pshow="away", pstatus="Lunch")
    second = await x.online(bob.account, resource="second")
    await alice.presence(second.boundjid.full)
    later = await x.online(alice.account, resource="later")
    seen = await later.presence(bob.boundjid.full)
    equal((seen["show"], seen["status"]), ("away", "Lunch"), "presence of the first session")
    await later.presence(second.boundjid.full)
    # And who is there learns of the newcomer.
    await bob.presence(later.boundjid.full)
    await second.presence(later.boundjid.full)


@SUITE.case()
async def own_sessions(x: Stage) -> None:
    """Sessions of one account see each other without a subscription."""
    account = x.account()
    one = await x.online(account, resource="one")
    two = await x.online(account, resource="two")
    await one.presence(two.boundjid.full)
    await two.presence(one.boundjid.full)
    await two.leave()
    await one.presence(two.boundjid.full, "unavailable")


@SUITE.case()
async def directed(x: Stage) -> None:
    """Section 4.6: to somebody without subscription, who also learns when the sender leaves."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    alice.send_presence(pto=bob.boundjid.full, pstatus="only for you")
    equal((await bob.presence(alice.boundjid.full))["status"], "only for you", "directed presence")
    # A broadcast is not for bob; her leaving is.
    alice.send_presence(pstatus="for my contacts")
    await alice.barrier()
    await alice.leave()
    await bob.presence(alice.boundjid.full, "unavailable")
    _no_presence(bob, "available")


@SUITE.case()
async def strangers_see_nothing(x: Stage) -> None:
    """Section 4.3.2: neither a broadcast nor a probe tells a stranger anything."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    _ask(bob, alice.boundjid.bare, "probe")
    alice.send_presence(pstatus="secret")
    await alice.barrier()
    alice.send_message(mto=bob.boundjid.full, mbody="marker")
    await bob.message("marker")
    check(not [s for s in bob.inbox if isinstance(s, Presence) and s["from"] == alice.boundjid
               and s.xml.get("type") is None], "a stranger saw presence")  # fmt: skip
