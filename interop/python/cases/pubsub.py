"""Publish-subscribe and personal eventing: XEP-0060, XEP-0163, XEP-0084, XEP-0153, XEP-0402, XEP-0048, XEP-0049,
XEP-0470."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from slixmpp.exceptions import IqError
from slixmpp.stanza import Message
from slixmpp.xmlstream import ET

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("pubsub")
NS = "{http://jabber.org/protocol/pubsub}"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
TUNE = "http://jabber.org/protocol/tune"
#: The smallest PNG there is: one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d4944415478da63fccfc0500f0004850180845c8c5e0000000049454e44ae426082"
)


def _payload(text: str) -> Any:
    element = ET.Element("{http://www.w3.org/2005/Atom}entry")
    ET.SubElement(element, "{http://www.w3.org/2005/Atom}title").text = text
    return element


def _service(session: Session) -> str:
    return f"pubsub.{session.boundjid.domain}"


async def _event(session: Session, what: str, path: str) -> Any:
    """The next notification that has such an element."""
    found = await session.expect(
        what, lambda s: isinstance(s, Message) and s.xml.find(f"{EVENT}event/{path}") is not None
    )
    return found.xml.find(f"{EVENT}event/{path}")


@SUITE.case()
async def a_node(x: Stage) -> None:
    """Made, subscribed to, published at, read, retracted, purged and deleted."""
    alice, bob = [await x.online(x.account(), plugins=("xep_0060",)) for _ in range(2)]
    there = _service(alice)
    node = f"news-{alice.boundjid.user}"
    await alice["xep_0060"].create_node(there, node, timeout=None)
    await bob["xep_0060"].subscribe(there, node, timeout=None)
    await alice["xep_0060"].publish(there, node, id="one", payload=_payload("One"), timeout=None)
    item = await _event(bob, "an item", f"{EVENT}items/{EVENT}item")
    equal(item.get("id"), "one", "id of the item")
    items = await bob["xep_0060"].get_items(there, node, timeout=None)
    equal([i["id"] for i in items["pubsub"]["items"]], ["one"], "items of the node")
    subscriptions = await bob["xep_0060"].get_subscriptions(there, timeout=None)
    nodes = [s["node"] for s in subscriptions["pubsub"]["subscriptions"]]
    check(node in nodes, f"subscriptions: {nodes}")
    await alice["xep_0060"].retract(there, node, "one", notify=True, timeout=None)
    await _event(bob, "a retraction", f"{EVENT}items/{EVENT}retract")
    await alice["xep_0060"].purge(there, node, timeout=None)
    await _event(bob, "a purge", f"{EVENT}purge")
    await alice["xep_0060"].delete_node(there, node, timeout=None)
    await _event(bob, "a deletion", f"{EVENT}delete")
    try:
        await bob["xep_0060"].get_items(there, node, timeout=None)
    except IqError as error:
        equal(error.condition, "item-not-found", "error of a deleted node")
    else:
        check(False, "a deleted node has items")


@SUITE.case()
async def configuration(x: Stage) -> None:
    """The form is filled in by the library, and comes back so."""
    alice = await x.online(x.account(), plugins=("xep_0060", "xep_0004"))
    there, node = _service(alice), f"configured-{alice.boundjid.user}"
    await alice["xep_0060"].create_node(there, node, timeout=None)
    form = (await alice["xep_0060"].get_node_config(there, node, timeout=None))["pubsub_owner"]["configure"]["form"]
    values = form.get_values()
    equal(values["pubsub#access_model"], "open", "access model")
    form["type"] = "submit"
    form.set_values({"FORM_TYPE": "http://jabber.org/protocol/pubsub#node_config", "pubsub#title": "A title"})
    await alice["xep_0060"].set_node_config(there, node, form, timeout=None)
    again = await alice["xep_0060"].get_node_config(there, node, timeout=None)
    values = again["pubsub_owner"]["configure"]["form"].get_values()
    equal(values["pubsub#title"], "A title", "title")


@SUITE.case()
async def interest(x: Stage) -> None:
    """A contact whose client says `+notify` is told, and gets the newest item when it comes online."""
    first, second = x.account(), x.account()
    alice, bob = [await x.online(a, plugins=("xep_0115", "xep_0163")) for a in (first, second)]
    for one, other in ((alice, bob), (bob, alice)):
        one.send_presence_subscription(pto=other.boundjid.bare, ptype="subscribed")
        await one.barrier()
    for one, other in ((alice, bob), (bob, alice)):
        one.send_presence_subscription(pto=other.boundjid.bare, ptype="subscribe")
        await one.barrier()
    bob["xep_0163"].add_interest(TUNE)
    await bob["xep_0115"].update_caps()
    await bob.barrier()
    await asyncio.sleep(0.5)
    tune = ET.Element(f"{{{TUNE}}}tune")
    ET.SubElement(tune, f"{{{TUNE}}}title").text = "Heart of the Sunrise"
    await alice["xep_0060"].publish(None, TUNE, id="current", payload=tune, timeout=None)
    item = await _event(bob, "a tune", f"{EVENT}items/{EVENT}item")
    equal(item.findtext(f"{{{TUNE}}}tune/{{{TUNE}}}title"), "Heart of the Sunrise", "the tune")


@SUITE.case()
async def avatars(x: Stage) -> None:
    """A picture that is published is in the vCard, and one of the vCard is published."""
    plugins = ("xep_0084", "xep_0054", "xep_0163", "xep_0060", "xep_0004")
    alice = await x.online(x.account(), plugins=plugins)
    name = hashlib.sha1(PNG).hexdigest()
    # Only what everybody may read is shown to everybody (XEP-0398, section 7).
    options = alice["xep_0004"].make_form(ftype="submit")
    options.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    options.add_field(var="pubsub#access_model", value="open")
    await alice["xep_0084"].publish_avatar(PNG, options=options, timeout=None)
    about = {"id": name, "type": "image/png", "bytes": str(len(PNG))}
    await alice["xep_0084"].publish_avatar_metadata([about], options=options, timeout=None)
    card = await alice["xep_0054"].get_vcard(alice.boundjid.bare, timeout=None)
    equal(card["vcard_temp"]["PHOTO"]["BINVAL"], PNG, "photo of the vCard")
    bob = await x.online(x.account(), plugins=plugins)
    card = bob["xep_0054"].make_vcard()
    card["PHOTO"]["TYPE"] = "image/png"
    card["PHOTO"]["BINVAL"] = PNG
    await bob["xep_0054"].publish_vcard(card, timeout=None)
    found = await bob["xep_0060"].get_items(None, "urn:xmpp:avatar:metadata", timeout=None)
    ids = [i.get("id") for i in found.xml.iter("{urn:xmpp:avatar:metadata}info")]
    equal(ids, [name], "published metadata")


@SUITE.case()
async def bookmarks(x: Stage) -> None:
    """What a client keeps in private storage another one finds at its node, and the other way round."""
    account = x.account()
    old = await x.online(account, resource="old", plugins=("xep_0049", "xep_0048"))
    new = await x.online(account, resource="new", plugins=("xep_0060",))
    old.send_raw(
        "<iq type='set' id='store'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>"
        "<conference jid='room@rooms.example' name='Room' autojoin='true'><nick>me</nick></conference></storage></query></iq>"
    )
    await old.barrier()
    found = await new["xep_0060"].get_items(None, "urn:xmpp:bookmarks:1", timeout=None)
    equal([i["id"] for i in found["pubsub"]["items"]], ["room@rooms.example"], "bookmarks as items")
    conference = ET.Element("{urn:xmpp:bookmarks:1}conference", {"name": "Other"})
    await new["xep_0060"].publish(
        None, "urn:xmpp:bookmarks:1", id="other@rooms.example", payload=conference, timeout=None
    )
    answer = await old["xep_0049"].retrieve("bookmarks", timeout=None)
    jids = sorted(c.get("jid") for c in answer.xml.iter("{storage:bookmarks}conference"))
    equal(jids, ["other@rooms.example", "room@rooms.example"], "bookmarks in private storage")


@SUITE.case()
async def attachments(x: Stage) -> None:
    """What two attach to an item is summed up by the service, and goes with the item."""
    plugins = ("xep_0060", "xep_0004", "xep_0030")
    alice, bob = [await x.online(x.account(), plugins=plugins) for _ in range(2)]
    there, node = _service(alice), f"feed-{alice.boundjid.user}"
    ns = "urn:xmpp:pubsub-attachments:1"
    info = await bob["xep_0030"].get_info(there, timeout=None)
    check(ns in info["disco_info"]["features"], "attachments are not announced")
    config = alice["xep_0004"].make_form(ftype="submit")
    config.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#node_config")
    config.add_field(var="pubsub#publish_model", value="open")
    await alice["xep_0060"].create_node(there, node, config=config, timeout=None)
    await alice["xep_0060"].publish(there, node, id="one", payload=_payload("One"), timeout=None)
    target = f"{ns}/xmpp:{there}?;node={node};item=one"
    for session in (alice, bob):
        payload = ET.Element(f"{{{ns}}}attachments")
        ET.SubElement(payload, f"{{{ns}}}noticed")
        reactions = ET.SubElement(payload, f"{{{ns}}}reactions")
        ET.SubElement(reactions, f"{{{ns}}}reaction").text = "\N{SPARKLES}"
        await session["xep_0060"].publish(there, target, id=session.boundjid.bare, payload=payload, timeout=None)
    summary = "urn:xmpp:pubsub-attachments:summary:1"
    found = await bob["xep_0060"].get_items(there, f"{summary}/{node}", timeout=None)
    noticed = [n.get("count") for n in found.xml.iter(f"{{{summary}}}noticed")]
    equal(noticed, ["2"], "how many have noticed it")
    reactions = [(r.text, r.get("count")) for r in found.xml.iter(f"{{{summary}}}reaction")]
    equal(reactions, [("\N{SPARKLES}", "2")], "reactions")
    await alice["xep_0060"].retract(there, node, "one", timeout=None)
    try:
        await bob["xep_0060"].get_items(there, target, timeout=None)
    except IqError as error:
        equal(error.condition, "item-not-found", "error of what is attached to nothing")
    else:
        check(False, "attachments outlive their item")
