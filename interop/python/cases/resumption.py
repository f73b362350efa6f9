"""XEP-0198: counting, acknowledging, and going on after the connection broke, over a bad network."""

from __future__ import annotations

from typing import Any

from slixmpp.stanza import Presence

from harness.cases import Suite, check, equal
from harness.coordinates import Account
from harness.relay import Relay
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("resumption")
SM = "urn:xmpp:sm:3"
BODIES = [f"message {n}" for n in range(8)]


class Managed(Session):
    """A session with stream management behind a relay of its own."""

    relay: Relay
    #: The server's answer to <enable/>.
    enabled: Any


async def _managed(x: Stage, account: Account, allow_resume: bool = True) -> Managed:
    """One that is online."""
    session = x.client_of(Managed, account, resource="phone", plugins=("xep_0198",))
    session["xep_0198"].allow_resume = allow_resume
    session.relay = x.close_later(await Relay.start(x.server.host, x.server.port))
    await session.log_in(session.relay.host, session.relay.port)
    check(session.offered[-1].xml.find(f"{{{SM}}}sm") is not None, "stream management is not offered")
    session.enabled = await session.expect("<enabled/>", lambda s: s.xml.tag == f"{{{SM}}}enabled")
    await session.go_online()
    session.inbox.clear()
    return session


async def _again(session: Managed) -> str:
    await session.ended()
    return await session.log_in(session.relay.host, session.relay.port)


async def _got(session: Session, sender: Session) -> list[str]:
    """All bodies that the session was given once all that `sender` sent before has arrived; takes them."""
    sender.send_message(mto=session.boundjid.full, mbody="marker", mtype="chat")
    await session.message("marker")
    bodies = session.bodies()
    session.inbox.clear()
    return bodies


def _send_all(sender: Session, to: str) -> None:
    for body in BODIES:
        sender.send_message(mto=to, mbody=body, mtype="chat")


@SUITE.case()
async def enable(x: Stage) -> None:
    alice = await _managed(x, x.account())
    check(alice.enabled.xml.get("id"), "no id to resume by")
    check(alice.enabled.xml.get("resume") in ("true", "1"), "resumption is not granted")


@SUITE.case()
async def server_acknowledges(x: Stage) -> None:
    """An answer to <r/> counts every stanza that was sent since <enable/>, and no more."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    _send_all(alice, bob.boundjid.full)
    await alice.barrier()
    alice.inbox.clear()
    alice["xep_0198"].request_ack()
    ack = await alice.expect("<a/>", lambda s: s.xml.tag == f"{{{SM}}}a")
    equal(int(ack.xml.get("h")), alice["xep_0198"].seq, "count of handled stanzas")
    equal(len(alice["xep_0198"].unacked_queue), 0, "stanzas without acknowledgement")


@SUITE.case()
async def server_asks(x: Stage) -> None:
    """The server wants to know what arrived, and goes on when told."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    _send_all(bob, alice.boundjid.full)
    await alice.expect("<r/>", lambda s: s.xml.tag == f"{{{SM}}}r")
    equal(await _got(alice, bob), BODIES, "messages")


@SUITE.case()
async def after_reset(x: Stage) -> None:
    """What came meanwhile comes after, once; nobody was told that she had gone."""
    account, bob = x.account(), await x.online(x.account())
    alice, desk = await _managed(x, account), await x.online(account, resource="desk", priority=-1)
    desk.inbox.clear()
    address = alice.boundjid.full
    alice.relay.cut()
    await alice.ended()
    _send_all(bob, address)
    await bob.barrier()
    equal(await _again(alice), "resumed", "log-in")
    equal(alice.boundjid.full, address, "address after resumption")
    equal(await _got(alice, bob), BODIES, "messages")
    equal(await _got(bob, alice), [], "what bob got")
    equal(await _got(desk, bob), [], "what the other session got")
    await desk.barrier()
    check(not any(isinstance(s, Presence) for s in desk.inbox), "the other session saw her leave")


@SUITE.case()
async def to_the_bare_address_meanwhile(x: Stage) -> None:
    """A session that waits for its resumption is still there: nothing is lost, nothing twice."""
    account, bob = x.account(), await x.online(x.account())
    alice = await _managed(x, account)
    alice.relay.cut()
    await alice.ended()
    _send_all(bob, account.jid)
    await bob.barrier()
    equal(await _again(alice), "resumed", "log-in")
    equal(await _got(alice, bob), BODIES, "messages")


@SUITE.case()
async def lost_on_the_way_up(x: Stage) -> None:
    """Stanzas that never reached the server are sent again, in order, once."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    alice.relay.lose_up()
    _send_all(alice, bob.boundjid.full)
    await alice.waiting_queue.join()
    alice.relay.cut()
    await alice.ended()
    equal(bob.bodies(), [], "what came through the relay that loses everything")
    equal(await _again(alice), "resumed", "log-in")
    equal(await _got(bob, alice), BODIES, "what bob got")


@SUITE.case()
async def lost_acknowledgements(x: Stage) -> None:
    """Stanzas that reached the server, which alice could not know: the count in <resumed/> tells her."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    alice.relay.lose_down()
    _send_all(alice, bob.boundjid.full)
    for body in BODIES:
        await bob.message(body)
    alice.relay.cut()
    equal(await _again(alice), "resumed", "log-in")
    equal(await _got(bob, alice), [], "what bob got again")


@SUITE.case()
async def lost_on_the_way_down(x: Stage) -> None:
    """Stanzas that the server wrote to a connection that lost them."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    alice.relay.lose_down()
    _send_all(bob, alice.boundjid.full)
    await bob.barrier()
    alice.relay.cut()
    await alice.ended()
    equal(alice.bodies(), [], "what came through the relay that loses everything")
    equal(await _again(alice), "resumed", "log-in")
    equal(await _got(alice, bob), BODIES, "messages")


@SUITE.case()
async def server_has_not_noticed(x: Stage) -> None:
    """The network went away without a word: the server still sees the old connection, and closes it now."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    old_closed = alice.relay.vanish()
    await alice.ended()
    _send_all(bob, alice.boundjid.full)
    await bob.barrier()
    equal(await _again(alice), "resumed", "log-in")
    equal(await _got(alice, bob), BODIES, "messages")
    await old_closed.wait()


@SUITE.case()
async def again_and_again(x: Stage) -> None:
    """Five breaks in a row with traffic both ways."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    for _ in range(5):
        alice.relay.lose_up()
        alice.relay.lose_down()
        _send_all(alice, bob.boundjid.full)
        await alice.waiting_queue.join()
        _send_all(bob, alice.boundjid.full)
        await bob.barrier()
        alice.relay.cut()
        equal(await _again(alice), "resumed", "log-in")
        equal(await _got(bob, alice), BODIES, "what bob got")
        equal(await _got(alice, bob), BODIES, "what alice got")


def _failure(session: Session) -> Any:
    return session.expect("<failed/>", lambda s: s.xml.tag == f"{{{SM}}}failed")


@SUITE.case()
async def unknown_id(x: Stage) -> None:
    """Refused with item-not-found; the client binds on the same stream and enables anew."""
    alice = x.client(x.account(), plugins=("xep_0198",))
    alice["xep_0198"].sm_id = "never-given-out"
    equal(await alice.log_in(), "started", "log-in")
    failed = await _failure(alice)
    condition = "{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found"
    check(failed.xml.find(condition) is not None, f"not item-not-found: {failed}")
    await alice.expect("<enabled/>", lambda s: s.xml.tag == f"{{{SM}}}enabled")
    await alice.barrier()


@SUITE.case()
async def another_account(x: Stage) -> None:
    """An id is of use to its account only, and its session suffers nothing from the attempt."""
    alice, bob = await _managed(x, x.account()), await x.online(x.account())
    mallory = x.client(x.account(), plugins=("xep_0198",))
    mallory["xep_0198"].sm_id = alice["xep_0198"].sm_id
    equal(await mallory.log_in(), "started", "log-in")
    await _failure(mallory)
    _send_all(bob, alice.boundjid.full)
    equal(await _got(alice, bob), BODIES, "messages")


@SUITE.case()
async def closed_stream(x: Stage) -> None:
    """A stream that was closed is over: XEP-0198, section 5."""
    alice = await _managed(x, x.account())
    await alice.leave()
    equal(await alice.log_in(alice.relay.host, alice.relay.port), "started", "log-in")
    await _failure(alice)


@SUITE.case()
async def unacknowledged_is_kept(x: Stage) -> None:
    """Without resumption: what the client did not acknowledge is undelivered, and comes at the next log-in, once."""
    account, bob = x.account(), await x.online(x.account())
    alice = await _managed(x, account, allow_resume=False)
    alice.relay.lose_down()
    _send_all(bob, account.jid)
    await bob.barrier()
    alice.relay.cut()
    await alice.ended()
    later = await x.online(account, resource="later")
    for body in BODIES:
        await later.message(body)
    equal(await _got(later, bob), [], "what came again")
