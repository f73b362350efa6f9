"""Credentials for TURN: XEP-0215, with a server that others wrote at the other end of them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from clients.coturn import Coturn
from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
NS = "urn:xmpp:extdisco:2"


async def _coturn(x: Stage, **how: Any) -> Coturn:
    coturn: Coturn = x.close_later(Coturn(x))
    await coturn.start(**how)
    return coturn


async def _services(session: Session, kind: str = "") -> list[dict[str, str]]:
    """What the domain offers, each service as its attributes."""
    iq = session.make_iq_get(ito=session.boundjid.domain)
    asked = ElementTree.SubElement(iq.xml, f"{{{NS}}}services")
    if kind:
        asked.set("type", kind)
    answer = await iq.send(timeout=None)
    return [dict(service.attrib) for service in answer.xml.iterfind(f"{{{NS}}}services/{{{NS}}}service")]


async def _credentials(session: Session, transport: str = "udp") -> tuple[str, str]:
    found = [one for one in await _services(session, "turn") if one["transport"] == transport]
    equal(len(found), 1, f"services over {transport}")
    return found[0]["username"], found[0]["password"]


@SUITE.case()
async def relays(x: Stage) -> None:
    """What the server gives lets two clients talk by the relay, over each transport that is offered."""
    alice = await x.online(x.account())
    offered = await _services(alice)
    equal({one["type"] for one in offered}, {"stun", "turn"}, "what is offered")
    for one in offered:
        equal((one["host"], one["port"]), (x.server.host, str(x.server.service_port)), "where it is")
    coturn = await _coturn(x)
    for transport in ("udp", "tcp"):
        username, password = await _credentials(alice, transport)
        check(await coturn.relays(username, password, transport), f"coturn refuses {username} over {transport}")


@SUITE.case()
async def of_one_service(x: Stage) -> None:
    """Credentials that are asked for by host and type are good as well."""
    alice = await x.online(x.account())
    iq = alice.make_iq_get(ito=alice.boundjid.domain)
    asked = ElementTree.SubElement(iq.xml, f"{{{NS}}}credentials")
    ElementTree.SubElement(asked, f"{{{NS}}}service", {"host": x.server.host, "type": "turn"})
    answer = await iq.send(timeout=None)
    given = answer.xml.find(f"{{{NS}}}credentials/{{{NS}}}service")
    check(given is not None, "nothing was given")
    coturn = await _coturn(x)
    check(await coturn.relays(given.get("username"), given.get("password")), "coturn refuses them")


@SUITE.case()
async def not_when_they_are_over(x: Stage) -> None:
    """Two days later, coturn takes them no more."""
    alice = await x.online(x.account())
    username, password = await _credentials(alice)
    coturn = await _coturn(x, days_ahead=2)
    check(not await coturn.relays(username, password), f"coturn takes {username} two days later")


@SUITE.case()
async def not_with_another_secret(x: Stage) -> None:
    """Where the two secrets differ, nobody gets in."""
    alice = await x.online(x.account())
    username, password = await _credentials(alice)
    coturn = await _coturn(x, secret="another one")
    check(not await coturn.relays(username, password), f"coturn takes {username}, whose password is of another secret")


@SUITE.case()
async def not_with_another_end(x: Stage) -> None:
    """Who makes them last longer than they do is refused; so is who takes another name."""
    alice = await x.online(x.account())
    username, password = await _credentials(alice)
    until, _, name = username.partition(":")
    coturn = await _coturn(x)
    for changed in (f"{int(until) + 86_400}:{name}", f"{until}:alice"):
        check(not await coturn.relays(changed, password), f"coturn takes {changed}")
    check(await coturn.relays(username, password), "coturn refuses what is good")


@SUITE.case()
async def nobody_is_named(x: Stage) -> None:
    """What the TURN server is told says nothing of the account, and is the same everywhere, so that it can count."""
    alice, bob = x.account(), x.account()
    told = await _services(await x.online(alice), "turn")
    names = {one["username"] for one in told}
    check(re.fullmatch(r"\d+:[A-Za-z0-9_-]{16}", min(names)) is not None, f"names like {names}")
    equal(len(names), 1, f"names of one account, which are {names}")
    check(alice.node not in min(names), f"{names} name {alice.node}")
    (_, other), *_ = [one["username"].split(":") for one in await _services(await x.online(bob), "turn")]
    check(not min(names).endswith(other), f"two accounts are {other}")
