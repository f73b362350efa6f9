"""Files by HTTP (XEP-0363) from one client's window to another's: brought, told of, fetched, shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clients.dino import Dino
from clients.gajim import Gajim
from harness.cases import Suite
from harness.contacts import friends
from harness.images import flag
from harness.program import LOOK_SECS
from harness.stage import Stage

SUITE = Suite("exchange")


@SUITE.case()
async def gajim_and_dino(x: Stage) -> None:
    """Each sends the other a picture, which the other fetches by itself and has with all its bytes."""
    alice, bob = await friends(x, 2)
    gajim, dino = Gajim(x, alice), Dino(x, bob, talks_to=(alice.jid,))
    gajim.start()
    dino.start()
    await gajim.ready()
    await dino.ready()
    await gajim.show_chat(bob.jid)
    await dino.open(alice.jid)

    there = _file(gajim.desktop.path, "très cool.png", flag((10, 60, 160), (250, 250, 250)))
    await gajim.send_file(there)
    await _fetched(dino.files, there.read_bytes())
    await dino.picture("files-dino.png")
    back = _file(dino.desktop.path, "a b.png", flag((160, 60, 10), (250, 220, 90)))
    await dino.send_file(back)
    await _fetched(gajim.files, back.read_bytes())
    await gajim.picture("files-gajim.png")


def _file(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


async def _fetched(folder: Path, content: bytes) -> None:
    """Wait until a client has stored a file with this content, under whatever name."""
    while not any(file.is_file() and file.read_bytes() == content for file in folder.rglob("*")):
        await asyncio.sleep(LOOK_SECS)
