"""Profanity, a client for terminals: its configuration, its commands, its screen."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.coordinates import Account, artifacts
from harness.display import Display
from harness.program import LOOK_SECS, Program
from harness.stage import Stage
from harness.terminal import Terminal

RESOURCE = "profanity"
LOGGED_IN = r"logged in successfully, online"
#: Whatever key somebody has is taken for theirs: nobody is there to compare.
SETTINGS = """[connection]
tls.certpath={certificates}
reconnect=1
sm=true
[ui]
splash=false
[logging]
chlog=false
[omemo]
trustmode=blind
"""


class Folder:
    """Profanity's own folder, in place of the home of whoever runs this."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="waxwing-profanity-"))
        self.certificates = self.path / "certificates"
        self.config, self.data = self.path / "config" / "profanity", self.path / "data" / "profanity"
        for folder in (self.certificates, self.config, self.data):
            folder.mkdir(parents=True)

    def trust(self, ca_file: Path) -> None:
        """OpenSSL looks an authority up by a file name made of its subject."""
        ask = ["openssl", "x509", "-noout", "-subject_hash", "-in", ca_file]
        name = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        shutil.copyfile(ca_file, self.certificates / f"{name}.0")

    def close(self) -> None:
        log = self.data / "logs" / "profanity.log"
        if log.exists():
            shutil.copyfile(log, artifacts() / "profanity.log")
        shutil.rmtree(self.path, ignore_errors=True)


class Profanity(Terminal):
    """A terminal with Profanity and an account, to which it logs in by itself."""

    def __init__(
        self, x: Stage, account: Account, *, direct_tls: bool = False, trusting: bool = True, port: int = 0
    ) -> None:
        """Start it, at another port than the server's if one is given."""
        self.jid = f"{account.jid}/{RESOURCE}"
        self._x = x
        self._account = account
        folder: Folder = x.close_later(Folder())
        self.data = folder.data
        if trusting:
            folder.trust(x.server.ca_file)
        (folder.config / "profrc").write_text(SETTINGS.format(certificates=folder.certificates), encoding="utf-8")
        policy = "legacy" if direct_tls else "force"
        port = port or (x.server.tls_port if direct_tls else x.server.port)
        (folder.data / "accounts").write_text(
            f"[interop]\nenabled=true\njid={account.jid}\npassword={account.password}\nresource={RESOURCE}\n"
            f"server={x.server.host}\nport={port}\ntls.policy={policy}\n",
            encoding="utf-8",
        )
        environment = dict(os.environ)
        environment |= {"XDG_CONFIG_HOME": str(folder.config.parent), "XDG_DATA_HOME": str(folder.data.parent)}
        super().__init__(folder.path, ["profanity", "-l", "DEBUG", "-a", "interop"], environment)
        x.close_later(self)

    async def picture(self, name: str) -> None:
        """Leave the screen in the artifacts folder, as a picture and as text."""
        picture = artifacts() / name
        picture.with_suffix(".txt").write_text(self.text(), encoding="utf-8")
        display = self._x.close_later(Display())
        blank = display.picture(picture)
        font = ["-fa", "DejaVu Sans Mono", "-fs", "11", "-geometry", "110x34+0+0", "-bg", "black", "-fg", "white"]
        log = picture.with_name(f"{picture.stem}-xterm.log")
        self._x.close_later(Program(["xterm", *font, "-e", *self.attach], display.environment, log))
        await display.settled_picture(picture, blank)

    async def online(self) -> None:
        """Wait until it has logged in."""
        await self.shows(LOGGED_IN)

    async def reconnect(self) -> None:
        """Have it log out and in again."""
        self.enter("/disconnect")
        await self.shows("logged out successfully")
        self.enter("/clear")
        self.enter("/connect interop")
        await self.online()

    # Pictures

    async def avatar_of(self, contact: str) -> bytes:
        """Ask for a contact's picture; what is left of it in a file."""
        self.enter(f"/avatar get {contact}")
        await self.shows("Avatar saved as")
        (file,) = (self.data / "avatars").glob(f"{contact.replace('@', '_at_')}*")
        return file.read_bytes()

    async def show(self, image: bytes) -> None:
        """Show a picture to everybody else."""
        file = self.data / "own.png"
        file.write_bytes(image)
        self.enter(f"/avatar set {file}")
        await self.shows("Avatar updated successfully")

    # Bookmarks

    async def bookmark(self, room: str, *, name: str, nick: str) -> None:
        """Keep a room, to be joined at log-in."""
        self.enter(f"/bookmark add {room} nick {nick} name {name} autojoin on")
        await self.shows("Bookmark added for")

    async def lists_bookmarks(self, *rooms: str) -> None:
        """Wait until it lists these rooms and no others."""
        before = None
        # A list is taken for whole when it has been shown twice.
        while (listed := await self._listed()) != before or listed != set(rooms):
            before = listed

    async def _listed(self) -> set[str]:
        self.enter("/clear")
        self.enter("/bookmark list")
        screen = await self.shows("Bookmarks:|no bookmarks")
        return set(re.findall(r"\S+@rooms\.[^\s/]+", screen))

    # Encryption

    async def ready(self) -> None:
        """Wait until it is online, and have it make keys and give them to the server."""
        await self.online()
        self.enter("/omemo gen")
        await self.shows("materials generated")

    async def has_keys_of(self, contact: str) -> None:
        """Open the chat with a contact, from now on encrypted, and wait until it can be."""
        self.enter(f"/omemo start {contact}")
        sessions = self.data / "omemo" / self._account.jid.replace("@", "_at_") / "sessions.txt"
        while not (sessions.exists() and f"[{contact}]" in sessions.read_text(encoding="utf-8")):
            await asyncio.sleep(LOOK_SECS)

    async def tell(self, contact: str, body: str) -> None:
        """Write to the contact whose chat is open."""
        self.enter(body)
        await self.shows(re.escape(f"me: {body}"))

    async def reads(self, contact: str, body: str) -> None:
        """Wait until the chat that is open shows it."""
        await self.shows(re.escape(body))
