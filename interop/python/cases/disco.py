"""What the server says about itself: XEP-0030, XEP-0092; and that it is alive: XEP-0199."""

from __future__ import annotations

from typing import Any

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("disco")
PLUGINS = ("xep_0030", "xep_0092")
INFO = "{http://jabber.org/protocol/disco#info}"


async def _info(session: Session, to: str | None) -> tuple[set[tuple[str, str]], set[str]]:
    """Identities (category, type) and features."""
    answer = (await session["xep_0030"].get_info(jid=to, local=False, timeout=None)).xml.find(f"{INFO}query")
    identities = {(i.get("category"), i.get("type")) for i in answer.findall(f"{INFO}identity")}
    features = [f.get("var") for f in answer.findall(f"{INFO}feature")]
    equal(len(features), len(set(features)), "features, each once")
    return identities, set(features)


def _query(session: Session, to: str, what: str, node: str | None = None) -> Any:
    iq = session.make_iq_get(ito=to, queryxmlns=f"http://jabber.org/protocol/{what}")
    if node is not None:
        iq.xml[0].set("node", node)
    return iq


@SUITE.case()
async def info_of_the_domain(x: Stage) -> None:
    alice = await x.session(x.account(), plugins=PLUGINS)
    identities, features = await _info(alice, x.server.domain)
    check(("server", "im") in identities, f"identities {identities}")
    promised = {
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "jabber:iq:version",
        "urn:xmpp:ping",
        "urn:xmpp:carbons:2",
        "msgoffline",
    }
    equal(promised - features, set(), "features that are missing")


@SUITE.case()
async def items_of_the_domain(x: Stage) -> None:
    alice = await x.session(x.account(), plugins=PLUGINS)
    answer = await alice["xep_0030"].get_items(jid=x.server.domain, local=False, timeout=None)
    for item in answer["disco_items"]["items"]:
        check(str(item[0]).endswith(x.server.domain), f"an item that is not of this domain: {item}")


@SUITE.case()
async def info_of_the_own_account(x: Stage) -> None:
    alice = await x.session(x.account(), plugins=PLUGINS)
    identities, _ = await _info(alice, alice.boundjid.bare)
    check(("account", "registered") in identities, f"identities {identities}")


@SUITE.case("features-of-accounts")
async def features_of_the_own_account(x: Stage) -> None:
    """XEP-0030, section 3.1: whoever answers disco#info lists at least that."""
    alice = await x.session(x.account(), plugins=PLUGINS)
    _, features = await _info(alice, alice.boundjid.bare)
    check("http://jabber.org/protocol/disco#info" in features, f"features {features}")


@SUITE.case()
async def items_of_the_own_account(x: Stage) -> None:
    alice = await x.session(x.account(), plugins=PLUGINS)
    equal(await x.refusal(_query(alice, alice.boundjid.bare, "disco#items")), "result", "items of the own account")


@SUITE.case()
async def strangers_learn_nothing(x: Stage) -> None:
    """XEP-0030, section 8: an account without subscription and one that is missing look the same."""
    alice, stranger = await x.session(x.account()), x.account()
    for address in (stranger.jid, x.missing_account().jid):
        iq = _query(alice, address, "disco#info")
        equal(await x.refusal(iq), "service-unavailable", f"info of {address}")


@SUITE.case("unknown-node")
async def unknown_node(x: Stage) -> None:
    alice = await x.session(x.account())
    iq = _query(alice, x.server.domain, "disco#info", "urn:example:no-such-node")
    equal(await x.refusal(iq), "item-not-found", "info of an unknown node")


@SUITE.case()
async def unknown_request(x: Stage) -> None:
    """RFC 6120, section 8.4: a request that nobody understands is answered all the same."""
    alice = await x.session(x.account())
    for to in (x.server.domain, alice.boundjid.bare):
        iq = alice.make_iq_get(ito=to, queryxmlns="urn:example:unknown")
        check(await x.refusal(iq) in {"service-unavailable", "feature-not-implemented"}, f"to {to}")


@SUITE.case()
async def version(x: Stage) -> None:
    alice = await x.session(x.account(), plugins=PLUGINS)
    answer = await alice["xep_0092"].get_version(x.server.domain, timeout=None)
    software = answer["software_version"]
    check(software["name"] and software["version"], f"name {software['name']!r}, version {software['version']!r}")


@SUITE.case()
async def ping_the_server(x: Stage) -> None:
    """By its domain, by the own account, and without an address."""
    alice = await x.session(x.account())
    for to in (x.server.domain, alice.boundjid.bare, None):
        iq = alice.make_iq_get(ito=to)
        iq.enable("ping")
        equal(await x.refusal(iq), "result", f"ping of {to}")


@SUITE.case()
async def ping_each_other(x: Stage) -> None:
    """Requests and their answers pass through the server, both ways."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    for one, other in ((alice, bob), (bob, alice)):
        answer = await one["xep_0199"].send_ping(other.boundjid, timeout=None)
        equal(answer["from"].full, other.boundjid.full, "who answered")
