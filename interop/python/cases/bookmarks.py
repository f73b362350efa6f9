"""Bookmarks of rooms, between clients that keep them in different places: XEP-0402, XEP-0049."""

from __future__ import annotations

from slixmpp.xmlstream import ET

from clients.dino import Dino
from clients.gajim import Gajim
from clients.profanity import Profanity
from harness.cases import Suite, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("bookmarks")
NS = "urn:xmpp:bookmarks:1"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
TEA, CHESS = "tea@rooms.localhost", "chess@rooms.localhost"


@SUITE.case()
async def in_both_places(x: Stage) -> None:
    """What one writes to private storage others find at the node, and it finds what they write and remove there."""
    account = x.account()
    profanity = Profanity(x, account)
    await profanity.online()
    await profanity.bookmark(TEA, name="Teatime", nick="miller")

    # Both go to where they are told to be; there is nobody yet.
    dino, gajim = Dino(x, account), Gajim(x, account)
    for client in (dino, gajim):
        client.start()
        await client.joins(f"{TEA}/miller")

    native = await x.online(account, plugins=("xep_0060", "xep_0163"))
    equal(await _bookmarks(native), [TEA], "bookmarks")
    chess = ET.Element(f"{{{NS}}}conference", {"name": "Chess club"})
    await native["xep_0060"].publish(None, NS, id=CHESS, payload=chess, timeout=None)
    for client in (dino, gajim):
        await client.program.logs("Chess club")
    await profanity.reconnect()
    await profanity.lists_bookmarks(TEA, CHESS)
    await profanity.picture("bookmarks-profanity.png")
    await dino.picture_of_rooms("bookmarks-dino.png")
    await gajim.picture_of_rooms("bookmarks-gajim.png")

    await gajim.forget(TEA)
    await dino.program.logs(f"{EVENT}:retract {EVENT}:id='{TEA}'")
    equal(await _bookmarks(native), [CHESS], "bookmarks")
    await profanity.reconnect()
    await profanity.lists_bookmarks(CHESS)


async def _bookmarks(session: Session) -> list[str]:
    found = await session["xep_0060"].get_items(None, NS, timeout=None)
    return sorted(item["id"] for item in found["pubsub"]["items"])
