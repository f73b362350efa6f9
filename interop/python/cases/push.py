"""Push notifications (XEP-0357): to Web Push (RFC 8030, 8291, 8292), and to an app server that is a component."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement

from clients.component import Component
from harness.cases import Mismatch, Suite, check, equal
from harness.push import Browser, PushService
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("push")
NS = "urn:xmpp:push:0"
OURS = "urn:waxwing:push:0"
DATA = "jabber:x:data"
OPTIONS = "http://jabber.org/protocol/pubsub#publish-options"


async def _enable(session: Session, app_server: str, node: str, fields: dict[str, str]) -> None:
    iq = session.make_iq_set()
    enable = Element(f"{{{NS}}}enable", {"jid": app_server, "node": node})
    form = SubElement(enable, f"{{{DATA}}}x", {"type": "submit"})
    for name, value in {"FORM_TYPE": OPTIONS, **fields}.items():
        field = SubElement(form, f"{{{DATA}}}field", {"var": name})
        SubElement(field, f"{{{DATA}}}value").text = value
    iq.xml.append(enable)
    await iq.send(timeout=None)


async def _server_key(session: Session) -> str:
    iq = session.make_iq_get(ito=session.coordinates.domain)
    iq.xml.append(Element(f"{{{OURS}}}key"))
    answer: Any = await iq.send(timeout=None)
    key = answer.xml.find(f"{{{OURS}}}key")
    if key is None or not key.text:
        raise Mismatch(f"no key: {answer}")
    return key.text


async def _states(session: Session) -> list[dict[str, str]]:
    """What the user sees of their devices (XEP-0050)."""
    iq = session.make_iq_set()
    iq.xml.append(Element("{http://jabber.org/protocol/commands}command", {"node": f"{OURS}#services"}))
    answer: Any = await iq.send(timeout=None)
    rows = answer.xml.iter(f"{{{DATA}}}item")
    return [
        {field.get("var", ""): field.findtext(f"{{{DATA}}}value") or "" for field in row.iter(f"{{{DATA}}}field")}
        for row in rows
    ]


@SUITE.case()
async def web_push(x: Stage) -> None:
    """A browser is told, can read it, knows who signed it; when the service says that it is gone, that is the end."""
    service = PushService(x.server)
    x.close_later(service)
    origin = await service.start()
    account = x.account()
    alice, bob = await x.online(account), await x.online(x.account())
    key, browser = await _server_key(alice), Browser()
    keys = {"endpoint": f"{origin}/abc?d", "p256dh": browser.p256dh, "auth": browser.auth}
    await _enable(alice, x.server.domain, "browser", keys)
    await alice.leave()
    bob.send_message(mto=account.jid, mbody="hello \N{SNOWMAN}", mtype="chat")
    post = await service.post()
    equal((post.path, post.headers["content-encoding"]), ("/abc?d", "aes128gcm"), "what is posted")
    check(int(post.headers["ttl"]) > 0, "it has no time to live")
    said = browser.read(post, origin, key)
    equal((said["account"], said["body"], said["messages"]), (account.jid, "hello \N{SNOWMAN}", 1), "what it says")
    check(said["from"].startswith(bob.boundjid.bare), f"from {said['from']}")
    service.status = 410
    bob.send_message(mto=account.jid, mbody="once more", mtype="chat")
    equal(browser.read(await service.post(), origin, key)["body"], "once more", "the second one")
    alice = await x.online(account)
    states = await _states(alice)
    equal([(one["state"], one["reason"]) for one in states], [("dead", "gone")], "what alice sees")
    check(states[0]["worked"] and states[0]["failed"], f"it says not when: {states}")


@SUITE.case()
async def component(x: Stage) -> None:
    """An app server that is a component gets the notification, with what the client wants it to know."""
    app_server = x.close_later(Component(x.server, "plain"))
    equal(await app_server.join(), "joined", "how the component comes in")
    account = x.account()
    alice, bob = await x.online(account), await x.online(x.account())
    await _enable(alice, app_server.host, "node", {"secret": "abc"})
    await alice.leave()
    bob.send_message(mto=account.jid, mbody="hello", mtype="chat")

    def is_notification(stanza: Any) -> bool:
        return stanza.xml.find(f".//{{{NS}}}notification") is not None

    told = await app_server.expect("the notification", is_notification)
    publish = told.xml.find(".//{http://jabber.org/protocol/pubsub}publish")
    equal((publish.get("node"), told["from"].full), ("node", x.server.domain), "what is published, and by whom")
    values = [value.text for value in told.xml.iter(f"{{{DATA}}}value")]
    check("hello" in values and "abc" in values, f"what it says: {values}")
    told.reply().send()
    await bob.barrier()
