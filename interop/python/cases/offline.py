"""Messages for somebody who is away: XEP-0160, stamped by XEP-0203."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("offline")
DELAY = "{urn:xmpp:delay}delay"


async def _leave_messages(sender: Session, to: str, bodies: list[str], kind: str = "chat") -> None:
    for body in bodies:
        sender.send_message(mto=to, mbody=body, mtype=kind)
    await sender.barrier()


async def _bodies_at_log_in(x: Stage, account: Any, sender: Session) -> list[str]:
    """All that a new session is given by the time a message sent after its log-in arrives."""
    session = await x.online(account)
    sender.send_message(mto=session.boundjid.full, mbody="marker")
    await session.message("marker")
    bodies = session.bodies()
    await session.leave()
    return bodies


@SUITE.case()
async def in_order_and_once(x: Stage) -> None:
    alice, bob = await x.online(x.account()), x.account()
    bodies = [f"message {n}" for n in range(50)]
    await _leave_messages(alice, bob.jid, bodies)
    equal(await _bodies_at_log_in(x, bob, alice), bodies, "messages at the first log-in")
    equal(await _bodies_at_log_in(x, bob, alice), [], "messages at the second log-in")


@SUITE.case()
async def stamped(x: Stage) -> None:
    """The stamp is when the server got it, in UTC; the sender's address is there; a live one has no stamp."""
    alice, bob = await x.online(x.account()), x.account()
    # Stamps may be in whole seconds.
    before = datetime.now(UTC) - timedelta(seconds=1)
    await _leave_messages(alice, bob.jid, ["kept"])
    after = datetime.now(UTC)
    session = await x.online(bob)
    message = await session.message("kept")
    equal(message["from"].full, alice.boundjid.full, "sender")
    delays = message.xml.findall(DELAY)
    equal(len(delays), 1, "number of stamps")
    check(delays[0].get("stamp", "").endswith("Z"), f"not UTC: {delays[0].get('stamp')}")
    stamp = datetime.fromisoformat(delays[0].get("stamp"))
    check(before <= stamp <= after, f"stamped {stamp}, sent between {before} and {after}")
    equal(delays[0].get("from"), x.server.domain, "who stamped it")
    alice.send_message(mto=bob.jid, mbody="live")
    check((await session.message("live")).xml.find(DELAY) is None, "a live message is stamped")


@SUITE.case()
async def types(x: Stage) -> None:
    """Chat and normal are kept, a headline is not: XEP-0160, section 3."""
    alice, bob = await x.online(x.account()), x.account()
    for kind in ("chat", "headline", "normal"):
        await _leave_messages(alice, bob.jid, [f"a {kind} message"], kind)
    equal(await _bodies_at_log_in(x, bob, alice), ["a chat message", "a normal message"], "messages at log-in")


@SUITE.case()
async def from_several_to_a_full_address(x: Stage) -> None:
    """A message to a session that has left is kept too, in order with those to the bare address."""
    alice, carol, account = await x.online(x.account()), await x.online(x.account()), x.account()
    bob = await x.online(account, resource="phone")
    gone = bob.boundjid.full
    await bob.leave()
    await _leave_messages(alice, gone, ["one"])
    await _leave_messages(carol, account.jid, ["two"])
    await _leave_messages(alice, account.jid, ["three"])
    equal(await _bodies_at_log_in(x, account, alice), ["one", "two", "three"], "messages at log-in")


@SUITE.case()
async def waits_for_a_willing_session(x: Stage) -> None:
    """Neither binding nor a negative priority fetches them."""
    alice, bob = await x.online(x.account()), x.account()
    await _leave_messages(alice, bob.jid, ["kept"])
    silent = await x.session(bob, resource="silent")
    await silent.barrier()
    negative = await x.online(bob, resource="negative", priority=-1)
    for session in (silent, negative):
        alice.send_message(mto=session.boundjid.full, mbody="marker")
        await session.message("marker")
        equal(session.bodies(), [], f"messages of the {session.boundjid.resource} session")
        await session.leave()
    equal(await _bodies_at_log_in(x, bob, alice), ["kept"], "messages of the willing session")


@SUITE.case()
async def payload_kept(x: Stage) -> None:
    """Not only the text is kept."""
    alice, bob = await x.online(x.account()), x.account()
    alice.send_raw(
        f"<message to='{bob.jid}' type='chat' id='kept'><body>&lt;kept&gt; 👩🏽‍🚀</body>"
        "<thing xmlns='urn:example:unknown' a='1'><inner/></thing></message>"
    )
    await alice.barrier()
    message = await (await x.online(bob)).message("<kept> 👩🏽‍🚀")
    equal((message["id"], message["type"]), ("kept", "chat"), "id and type")
    thing = message.xml.find("{urn:example:unknown}thing")
    check(thing is not None and thing.get("a") == "1" and len(thing) == 1, "the unknown child is not as it was")
