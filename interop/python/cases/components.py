"""An external component: XEP-0114, and its privileges: XEP-0356."""

from __future__ import annotations

from typing import Any

from slixmpp.exceptions import IqError
from slixmpp.stanza import Message, Presence

from clients.component import Component
from harness.cases import Suite, check, equal
from harness.stage import Stage

SUITE = Suite("")


async def _join(x: Stage, name: str, **how: Any) -> Component:
    component = x.close_later(Component(x.server, name, **how))
    equal(await component.join(), "joined", f"log-in of {name}")
    return component


async def _refused(x: Stage, name: str, **how: Any) -> str:
    component = x.close_later(Component(x.server, name, **how))
    return await component.join()


@SUITE.case()
async def talks(x: Stage) -> None:
    """A message to somebody at the component, and an answer from them."""
    component = await _join(x, "plain")
    alice = await x.online(x.account())
    alice.send_message(mto=f"nick@{component.host}/x", mbody="hello", mtype="chat")
    message = await component.message("hello")
    equal(message["from"].full, alice.boundjid.full, "sender")
    equal(message["to"].full, f"nick@{component.host}/x", "recipient")
    component.send_message(mto=message["from"], mfrom=message["to"], mbody="hi", mtype="chat")
    answer = await alice.message("hi")
    equal(answer["from"].full, f"nick@{component.host}/x", "who answers")


@SUITE.case()
async def pings(x: Stage) -> None:
    """A ping each way: slixmpp answers, and the server does."""
    component = await _join(x, "plain")
    alice = await x.online(x.account())
    await alice["xep_0199"].ping(component.host, timeout=None)
    await component["xep_0199"].ping(x.server.domain, ifrom=component.host, timeout=None)
    await component["xep_0199"].ping(alice.boundjid.full, ifrom=component.host, timeout=None)


@SUITE.case()
async def is_listed(x: Stage) -> None:
    """disco#items of the domain lists it while it is connected."""
    component = await _join(x, "plain")
    alice = await x.online(x.account(), plugins=("xep_0030",))
    items = await alice["xep_0030"].get_items(jid=x.server.domain, timeout=None)
    jids = {item[0] for item in items["disco_items"]["items"]}
    check(component.host in jids, f"{component.host} is not among {jids}")


@SUITE.case()
async def gets_what_waited(x: Stage) -> None:
    """A message that was sent while it was away comes when it connects, once."""
    alice = await x.online(x.account())
    alice.send_message(mto=f"nick@plain.{x.server.domain}", mbody="waiting", mtype="chat")
    await alice.barrier()
    component = await _join(x, "plain")
    message = await component.message("waiting")
    check(message.xml.find("{urn:xmpp:delay}delay") is not None, "no time at which it was sent")
    alice.send_message(mto=component.host, mbody="marker", mtype="chat")
    await component.message("marker")
    check(not any(isinstance(s, Message) for s in component.inbox), f"more came: {component.inbox}")


@SUITE.case()
async def wrong_secret(x: Stage) -> None:
    """Refused: XEP-0114 §3."""
    equal(await _refused(x, "plain", secret="not it"), "not-authorized", "what a wrong secret gets")


@SUITE.case()
async def unknown_host(x: Stage) -> None:
    """Refused before the handshake."""
    host = f"nobody.{x.server.domain}"
    equal(await _refused(x, "plain", host=host), "host-unknown", "what an unknown host gets")


@SUITE.case()
async def second_one(x: Stage) -> None:
    """One that comes second is refused, and the first goes on."""
    component = await _join(x, "plain")
    equal(await _refused(x, "plain"), "conflict", "what the second gets")
    alice = await x.online(x.account())
    alice.send_message(mto=component.host, mbody="still here", mtype="chat")
    await component.message("still here")


@SUITE.case()
async def uses_privileges(x: Stage) -> None:
    """What it was granted: a roster read and changed, a message and a request in the name of an account, presence."""
    component = await _join(x, "privileged")
    domain = x.server.domain
    granted = component["xep_0356"].granted_privileges
    await component.expect("what is granted", lambda s: isinstance(s, Message) and "privilege" in s)
    equal(granted[domain].roster, "both", "the grant for rosters")
    alice, bob = await x.online(x.account()), await x.online(x.account())
    shown = await component.expect(
        "alice's presence", lambda s: isinstance(s, Presence) and s["from"].full == alice.boundjid.full
    )
    equal(shown["type"], "available", "alice's presence")

    contact = f"nick@{component.host}"
    privilege = component["xep_0356"]
    await privilege.set_roster(alice.boundjid.bare, {contact: {"name": "Nick", "subscription": "none", "groups": []}})
    roster = await privilege.get_roster(alice.boundjid.bare)
    check(contact in roster["roster"]["items"], f"the roster of alice lacks {contact}")

    message = component.make_message(mto=bob.boundjid.bare, mfrom=alice.boundjid.bare, mbody="by privilege")
    message.xml.tag = "{jabber:client}message"
    for child in message.xml:
        child.tag = child.tag.replace("jabber:component:accept", "jabber:client")
    privilege.send_privileged_message(message)
    came = await bob.message("by privilege")
    equal(came["from"].full, alice.boundjid.bare, "the sender that bob sees")

    iq = component.make_iq_get(ito=bob.boundjid.full, ifrom=alice.boundjid.bare)
    iq.enable("ping")
    answer = await privilege.send_privileged_iq(iq)
    equal(answer["type"], "result", "what bob answers to alice")


async def _refusal(iq: Any) -> str:
    """The condition of the error that answers a component's request. slixmpp looks for errors of clients' namespace alone."""
    try:
        await iq.send(timeout=None)
    except IqError as error:
        conditions = error.iq.xml.findall("{*}error/{urn:ietf:params:xml:ns:xmpp-stanzas}*")
        names = [condition.tag.partition("}")[2] for condition in conditions]
        return next(name for name in names if name != "text")
    return "result"


@SUITE.case()
async def is_refused_what_it_lacks(x: Stage) -> None:
    """A component without grants, and one with others than it uses."""
    plain, privileged = await _join(x, "plain"), await _join(x, "privileged")
    alice = await x.online(x.account())
    # Without a grant it is anybody, whom the specifications of both refuse so.
    for component, namespace in ((plain, "jabber:iq:roster"), (privileged, "jabber:iq:private")):
        iq = component.make_iq_get(ito=alice.boundjid.bare, ifrom=component.host, queryxmlns=namespace)
        condition = await _refusal(iq)
        equal(condition, "forbidden", f"what {component.host} gets for {namespace}")
    wrapped = privileged.make_iq_get(ito=alice.boundjid.bare, ifrom=privileged.host)
    inner = privileged.make_iq_get(ifrom=alice.boundjid.bare, queryxmlns="jabber:iq:private")
    inner.xml.tag = "{jabber:client}iq"
    wrapped["privileged_iq"].append(inner)
    condition = await _refusal(wrapped)
    equal(condition, "forbidden", "what a request of a type that was not granted gets")
