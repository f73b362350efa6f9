"""Messages that only the two clients can read: XEP-0384, in the form that all of them speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from slixmpp.exceptions import IqError
from slixmpp.stanza import Message
from slixmpp.xmlstream import tostring

from clients.dino import Dino
from clients.gajim import Gajim
from clients.profanity import Profanity
from harness.cases import Suite, check
from harness.contacts import friends
from harness.coordinates import Account
from harness.program import LOOK_SECS
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("omemo")
NS = "eu.siacs.conversations.axolotl"
DEVICES, BUNDLES = f"{NS}.devicelist", f"{NS}.bundles"
OPEN = "Everybody may read this"


class Client(Protocol):
    """A client that encrypts what it tells one contact."""

    async def ready(self) -> None:
        """Wait until it is online, and have it give its keys to the server."""

    async def has_keys_of(self, contact: str) -> None:
        """Wait until it could tell this contact something."""

    async def tell(self, contact: str, body: str) -> None:
        """Write to the contact."""

    async def reads(self, contact: str, body: str) -> None:
        """Wait until it shows this message of the contact."""

    async def picture(self, name: str) -> None:
        """Leave a picture of what it shows."""


@SUITE.case()
async def profanity_and_dino(x: Stage) -> None:
    await _exchange(x, "profanity", _profanity, "dino", _dino)


@SUITE.case()
async def profanity_and_gajim(x: Stage) -> None:
    await _exchange(x, "profanity", _profanity, "gajim", _gajim)


@SUITE.case()
async def gajim_and_dino(x: Stage) -> None:
    await _exchange(x, "gajim", _gajim, "dino", _dino)


#: Starts a client with an account, for a chat with this contact.
Start = Callable[[Stage, Account, str], Client]


def _profanity(x: Stage, account: Account, contact: str) -> Client:
    return Profanity(x, account)


def _dino(x: Stage, account: Account, contact: str) -> Client:
    dino = Dino(x, account, talks_to=(contact,), omemo=True)
    dino.start()
    return dino


def _gajim(x: Stage, account: Account, contact: str) -> Client:
    gajim = Gajim(x, account, encrypts_to=contact)
    gajim.start()
    return gajim


async def _exchange(x: Stage, one_name: str, start_one: Start, other_name: str, start_other: Start) -> None:
    """Each tells the other something, which the other shows, and the server neither carries nor keeps in the clear."""
    alice, bob = await friends(x, 2)
    stranger = await x.online(x.account(), plugins=("xep_0060",))
    # It has never said that it is there: only copies of what is carried come to it.
    watcher = await x.session(alice, plugins=("xep_0280",))
    await watcher["xep_0280"].enable(timeout=None)
    one, other = start_one(x, alice, bob.jid), start_other(x, bob, alice.jid)
    for client, account in ((one, alice), (other, bob)):
        await client.ready()
        await _published(stranger, account.jid)
    await one.has_keys_of(bob.jid)
    await other.has_keys_of(alice.jid)

    there, back = f"From {one_name}: the tide turns at noon", f"From {other_name}: the boat lies behind the mill"
    await one.tell(bob.jid, there)
    await other.reads(alice.jid, there)
    await _carried(watcher, "sent", there)
    await other.tell(alice.jid, back)
    await one.reads(bob.jid, back)
    await _carried(watcher, "received", back)
    await one.picture(f"omemo-{one_name}-with-{other_name}.png")
    await other.picture(f"omemo-{other_name}-with-{one_name}.png")
    await _not_kept(x, stranger, there, back)


async def _published(stranger: Session, jid: str) -> None:
    """Wait until somebody whom nobody knows can read the devices of an account and the keys of each."""
    while True:
        try:
            devices = (await _items(stranger, jid, DEVICES)).iter(f"{{{NS}}}device")
            bundles = [await _items(stranger, jid, f"{BUNDLES}:{device.get('id')}") for device in devices]
        except IqError as error:
            # Nothing has been published yet, and a stranger does not learn that of a node that need not be open.
            check(error.condition in {"item-not-found", "not-authorized"}, f"keys of {jid}: {error.condition}")
        else:
            if bundles and all(bundle.find(f".//{{{NS}}}preKeyPublic") is not None for bundle in bundles):
                return
        await asyncio.sleep(LOOK_SECS)


async def _items(session: Session, jid: str, node: str) -> Any:
    return (await session["xep_0060"].get_items(jid, node, timeout=None)).xml


async def _carried(watcher: Session, direction: str, body: str) -> None:
    """The next copy of something encrypted: its payload is not the body, nor is anything else of it."""
    payload = f".//{{urn:xmpp:carbons:2}}{direction}//{{{NS}}}encrypted/{{{NS}}}payload"
    copy = await watcher.expect(
        f"an encrypted message that was {direction}",
        lambda s: isinstance(s, Message) and s.xml.find(payload) is not None,
    )
    check(body not in tostring(copy.xml), f"the server was shown {body!r}")


async def _not_kept(x: Stage, stranger: Session, *bodies: str) -> None:
    """None of this is in any of the server's files, in which an open message is to be found."""
    stranger.send_message(mto=x.account().jid, mbody=OPEN, mtype="chat")
    await stranger.barrier()
    files = [file.read_bytes() for file in x.server.data_dir.rglob("*") if file.is_file()]
    check(any(OPEN.encode() in file for file in files), "an open message is not in the server's files")
    for body in bodies:
        check(not any(body.encode() in file for file in files), f"the server's files have {body!r}")
