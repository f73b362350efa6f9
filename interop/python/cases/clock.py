"""A server whose clock is set forward and back while people talk."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

from harness.cases import Suite, check, equal
from harness.clock import Clock
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("clock")
TIME = "{urn:xmpp:time}"
HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY
#: How far off the clock is, one after the other.
JUMPS = (DAY, 0, -HOUR, YEAR, -YEAR, 10 * YEAR, -DAY, 0)
#: How far what the server says may be from what it should, for the time that the question takes.
TOLERANCE = timedelta(minutes=2)


async def _time(session: Session, domain: str) -> datetime:
    """What the server takes the time for (XEP-0202)."""
    iq = session.make_iq_get(ito=domain)
    iq.xml.append(ET.Element(f"{TIME}time"))
    answer = await iq.send(timeout=None)
    told = answer.xml.findtext(f"{TIME}time/{TIME}utc")
    check(told is not None, f"no time in {answer}")
    return datetime.fromisoformat(told)


@SUITE.case()
async def jumps_both_ways(x: Stage) -> None:
    """Whatever the clock shows, messages come in order and once, now and later, and people log in."""
    clock = Clock()
    alice, bob, away, guest = await x.online(x.account()), await x.online(x.account()), x.account(), x.account()
    sent: list[str] = []
    for number, seconds in enumerate(JUMPS):
        clock.set(seconds)
        off = await _time(alice, x.server.domain) - datetime.now(UTC) - timedelta(seconds=seconds)
        check(abs(off) < TOLERANCE, f"the clock is {off} from where it was set")
        bodies = [f"jump {number}, message {n}" for n in range(20)]
        for body in bodies:
            for to in (bob.boundjid.bare, away.jid):
                alice.send_message(mto=to, mbody=body, mtype="chat")
        await alice.barrier()
        await bob.message(bodies[-1])
        equal(bob.bodies(), bodies[:-1], "what came before the last one")
        bob.inbox.clear()
        sent += bodies
        one = await x.online(guest)
        one.send_message(mto=alice.boundjid.full, mbody=f"here at {number}")
        await alice.message(f"here at {number}")
        await one.leave()
    equal(bob.bodies(), [], "what came twice")
    back = await x.online(away)
    alice.send_message(mto=back.boundjid.full, mbody="marker")
    await back.message("marker")
    equal(back.bodies(), sent, "what waited")
