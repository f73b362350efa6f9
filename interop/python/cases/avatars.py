"""Pictures of people, between clients that know only one of the ways to show them: XEP-0084, XEP-0153, XEP-0398."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from slixmpp.stanza import Presence

from clients.dino import Dino
from clients.gajim import Gajim
from clients.profanity import Profanity
from harness.cases import Suite, equal
from harness.contacts import friends
from harness.images import flag
from harness.program import LOOK_SECS
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("avatars")
DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"
NODE_CONFIG = "http://jabber.org/protocol/pubsub#node_config"
PHOTO = "{vcard-temp:x:update}x/{vcard-temp:x:update}photo"


@SUITE.case()
async def of_vcards_and_of_nodes(x: Stage) -> None:
    """A client that knows only vCards and one that knows only nodes see each other's picture; two more see both."""
    old_account, new_account, looker = await friends(x, 3)
    old = await x.online(old_account, plugins=("xep_0054",))
    new = Profanity(x, new_account)
    await new.online()
    dino, gajim = Dino(x, looker, talks_to=(old_account.jid, new_account.jid)), Gajim(x, looker)
    for client in (dino, gajim):
        client.start()
        await client.logged_in(old)

    red = flag((200, 30, 30), (250, 210, 40))
    await _set_vcard(old, red)
    equal(await new.avatar_of(old_account.jid), red, "what Profanity has of a vCard")
    await _seen(dino.avatars, red)
    await _seen(gajim.avatars, red)

    await _open_nodes(x, new_account)
    await new.show(flag((20, 120, 60), (90, 200, 250)))
    name = await _hash(old, new_account.jid)
    green = await _photo(old, new_account.jid)
    equal(hashlib.sha1(green).hexdigest(), name, "what presence says of the vCard")
    await _seen(dino.avatars, green)
    await _seen(gajim.avatars, green)
    await dino.picture("avatars-dino.png")
    for account in (old_account, new_account):
        await gajim.show_chat(account.jid)
    await gajim.picture("avatars-gajim.png")


@SUITE.case()
async def for_contacts_alone(x: Stage) -> None:
    """A picture that is published for contacts all three see; strangers do not, nor is it in the vCard."""
    painter, looker = await friends(x, 2)
    session = await x.online(painter, plugins=("xep_0084",))
    friend, stranger = await x.online(looker), await x.online(x.account(), plugins=("xep_0054", "xep_0060"))
    dino, gajim = Dino(x, looker, talks_to=(painter.jid,)), Gajim(x, looker)
    profanity = Profanity(x, looker)
    for client in (dino, gajim):
        client.start()
        await client.logged_in(friend)
    await profanity.online()

    image = flag((110, 30, 140), (240, 240, 240))
    about = {"id": hashlib.sha1(image).hexdigest(), "type": "image/png", "bytes": str(len(image))}
    await session["xep_0084"].publish_avatar(image, timeout=None)
    await session["xep_0084"].publish_avatar_metadata([about], timeout=None)
    for client in (dino, gajim):
        await _seen(client.avatars, image)
    equal(await profanity.avatar_of(painter.jid), image, "what Profanity has")
    card = stranger.make_iq_get(ito=painter.jid)
    card.enable("vcard_temp")
    equal(await x.refusal(card), "service-unavailable", "answer to who asks for the vCard")
    for node in (DATA, METADATA):
        items = stranger.make_iq_get(ito=painter.jid)
        items["pubsub"]["items"]["node"] = node
        equal(await x.refusal(items), "not-authorized", f"answer to a stranger who asks for {node}")
    await dino.picture("avatars-dino-contact.png")


async def _set_vcard(session: Session, image: bytes) -> None:
    card = session["xep_0054"].make_vcard()
    card["PHOTO"]["TYPE"], card["PHOTO"]["BINVAL"] = "image/png", image
    await session["xep_0054"].publish_vcard(card, timeout=None)


async def _open_nodes(x: Stage, account: Any) -> None:
    """Has the account's pictures be open to everybody: only those are to be seen in its vCard (XEP-0398, section 7)."""
    session = await x.session(account, plugins=("xep_0060", "xep_0004"))
    for node in (DATA, METADATA):
        form = session["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden", value=NODE_CONFIG)
        form.add_field(var="pubsub#access_model", value="open")
        await session["xep_0060"].create_node(None, node, config=form, timeout=None)
    await session.leave()


async def _hash(session: Session, jid: str) -> str:
    """What the next presence of an account that says anything of a picture says: the picture's SHA-1."""
    found = await session.expect(
        f"presence of {jid} with a picture's hash",
        lambda s: isinstance(s, Presence) and s["from"].bare == jid and s.xml.findtext(PHOTO),
    )
    return found.xml.findtext(PHOTO)


async def _photo(session: Session, jid: str) -> bytes:
    card = await session["xep_0054"].get_vcard(jid, timeout=None)
    return card["vcard_temp"]["PHOTO"]["BINVAL"]


async def _seen(folder: Path, image: bytes) -> None:
    """Wait until a client has stored the image, under its hash."""
    file = folder / hashlib.sha1(image).hexdigest()
    while not (file.exists() and file.read_bytes() == image):
        await asyncio.sleep(LOOK_SECS)
