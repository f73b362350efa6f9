"""Gajim, a graphical client: its settings, its keyboard, its actions and its remote control on the message bus."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from harness.cases import Mismatch, check
from harness.coordinates import Account
from harness.desktop import Desktop
from harness.program import LOOK_SECS, Program
from harness.reports import report, send_asking
from harness.session import Session
from harness.stage import Stage

RESOURCE = "gajim"
#: The account's name in Gajim's settings.
ACCOUNT = "interop"
#: As Gajim makes it in its version 0; it adds the rest as it does for everybody who comes from there.
SETTINGS_TABLES = """CREATE TABLE settings (name TEXT UNIQUE, settings TEXT);
    CREATE TABLE account_settings (account TEXT UNIQUE, settings TEXT);"""
SETTINGS = {
    "app": {
        "use_keyring": False,
        "remote_control": True,
        "check_for_update": False,
        "autoaway": False,
        "autoxa": False,
        "sounds_on": False,
        "show_notifications": False,
        "show_help_start_chat": False,
        "save_main_window_position": False,
        "mainwin_width": 1080,
        "mainwin_height": 740,
    },
    "soundevents": {},
    "status_presets": {},
    "proxies": {},
}
REMOTE, REMOTE_PATH = "org.gajim.dbus.RemoteInterface", "/org/gajim/dbus/RemoteObject"


class Gajim:
    """One desktop with Gajim and an account in its settings."""

    def __init__(
        self, x: Stage, account: Account, password: str | None = None, *, encrypts_to: str | None = None
    ) -> None:
        self.jid = f"{account.jid}/{RESOURCE}"
        self._account = account
        self.desktop = Desktop(x, "gajim", refuses_root=True)
        settings = {
            "name": account.node,
            "hostname": x.server.domain,
            "password": account.password if password is None else password,
            "active": True,
            "resource": RESOURCE,
        }
        contacts = {encrypts_to: {"encryption": "OMEMO"}} if encrypts_to else {}
        # Debian recommends it with Gajim; it must not matter whether it is there.
        plugins = {"omemo": {"active": bool(encrypts_to)}}
        folder = self.desktop.config / "gajim"
        folder.mkdir(mode=0o700)
        with closing(sqlite3.connect(folder / "settings.sqlite")) as database, database:
            database.executescript(SETTINGS_TABLES)
            rows = [(name, json.dumps(value)) for name, value in (SETTINGS | {"plugins": plugins}).items()]
            database.executemany("INSERT INTO settings VALUES (?, ?)", rows)
            row = (ACCOUNT, json.dumps({"account": settings, "contact": contacts, "group_chat": {}}))
            database.execute("INSERT INTO account_settings VALUES (?, ?)", row)
        self.program: Program

    def start(self, *, trusting: bool = True) -> None:
        """Start it; it logs in by itself."""
        self.program = self.desktop.start("gajim", "--verbose", trusting=trusting)

    async def logged_in(self, bob: Session) -> None:
        """Wait until a contact sees it."""
        await bob.presence(self.jid)

    async def open(self, bob: Session, body: str) -> None:
        """Open the chat with a contact, who then writes this, and wait until it was received.

        After that the chat has the keyboard: Gajim gives it when nothing else is to be done, but reads what the server
        sends only later than that.
        """
        await self.show_chat(bob.boundjid.bare)
        send_asking(bob, self.jid, "opened", body)
        await report(bob, "received", "opened", self.jid)

    async def show_chat(self, contact: str) -> None:
        """Open the chat with a contact, and give its window the keyboard."""
        chat = f"'account': <'{ACCOUNT}'>, 'jid': <'{contact}'>, 'type': <'contact'>, 'select': <true>"
        await self.act("/org/gajim/Gajim/window/1", "add-chat", f"[<{{{chat}}}>]")
        await self.desktop.focus("--name", "^Gajim|- Gajim$")

    async def act(self, path: str, action: str, parameters: str) -> None:
        """What a button or a menu's entry does."""
        method = ["--object-path", path, "--method", "org.gtk.Actions.Activate"]
        await self.desktop.run("gdbus", "call", "--session", "--dest", "org.gajim.Gajim", *method,
                               action, parameters, "{}")  # fmt: skip

    async def remote(self, method: str, *words: str) -> str:
        """Call Gajim's remote control, which Gajim opens some seconds after its start."""
        call = ["gdbus", "call", "--session", "--dest", "org.gajim.Gajim", "--object-path", REMOTE_PATH]
        while True:
            try:
                return await self.desktop.run(*call, "--method", f"{REMOTE}.{method}", *words)
            except Mismatch as mismatch:
                if "UnknownMethod" not in str(mismatch):
                    raise
                await asyncio.sleep(LOOK_SECS)

    async def messages(self, last: str) -> list[str]:
        """The bodies of all messages in its history, in its order, once the last is this one."""
        file = self.desktop.data / "gajim" / "logs.db"
        query = "SELECT message FROM logs WHERE message IS NOT NULL ORDER BY log_line_id"
        while True:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                bodies = [body for (body,) in database.execute(query)]
            if bodies and bodies[-1] == last:
                return bodies
            await asyncio.sleep(LOOK_SECS)

    async def picture(self, name: str) -> None:
        """Leave a picture of the screen; there must be no window in which Gajim confesses a mistake of its own."""
        await self.desktop.picture(name)
        windows = await self.desktop.windows()
        check("Gajim - Error" not in windows, f"Gajim shows an error, see {name}")

    async def quit(self) -> None:
        """End it as its menu does."""
        await self.act("/org/gajim/Gajim", "quit", "[]")

    # Files

    @property
    def files(self) -> Path:
        """Where it stores what it fetches."""
        return self.desktop.data / "gajim" / "downloads"

    async def send_file(self, file: Path) -> None:
        """Send a file to the contact whose chat is open, and has the keyboard, as one that is dropped there."""
        await self.act("/org/gajim/Gajim/window/1", "send-file-httpupload", f"[<['{file.as_uri()}']>]")
        # Its button, once that is shown; afterwards the key is for a message in which there is nothing.
        while "Sending request for slot" not in self.program.text():
            await self.desktop.key("Return")
            await asyncio.sleep(LOOK_SECS)

    # Pictures

    @property
    def avatars(self) -> Path:
        """Where it stores what it is shown, each under its SHA-1."""
        return self.desktop.path / "cache" / "gajim" / "avatars"

    # Bookmarks

    async def joins(self, occupant: str) -> None:
        """Wait until it means to be let into a room."""
        await self.program.logs(f"Autojoin Bookmark: {occupant.partition('/')[0]}")

    async def picture_of_rooms(self, name: str) -> None:
        """Leave a picture of its list of bookmarks."""
        await self.act("/org/gajim/Gajim", f"{ACCOUNT}-bookmarks", f"[<'{ACCOUNT}'>]")
        await self.desktop.focus("--name", "^Bookmarks for")
        await self.picture(name)

    async def forget(self, room: str) -> None:
        """Remove a room from the list of what it could talk to, as that list's menu does."""
        await self.act("/org/gajim/Gajim", "start-chat", "[<['', '']>]")
        await self.desktop.focus("--name", "^Start / Join Chat")
        await self.act("/org/gajim/Gajim", "forget-groupchat", f"[<{{'account': <'{ACCOUNT}'>, 'jid': <'{room}'>}}>]")

    # Encryption, by its plug-in: whatever key somebody has is taken for theirs

    async def ready(self) -> None:
        """Wait until it is online; it has given its keys to the server or does so now."""
        await self.program.logs("Raise event: signed-in")

    async def has_keys_of(self, contact: str) -> None:
        """Open the chat with a contact, and wait until it can be encrypted."""
        await self.show_chat(contact)
        file = self.desktop.data / "gajim" / f"omemo_{self._account.jid}.db"
        query = "SELECT 1 FROM sessions WHERE recipient_id = ? AND active"
        while True:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                if database.execute(query, (contact,)).fetchall():
                    return
            await asyncio.sleep(LOOK_SECS)

    async def tell(self, contact: str, body: str) -> None:
        """Write to a contact, encrypted if the chat with them is."""
        await self.remote("send_chat_message", contact, body, ACCOUNT)

    async def reads(self, contact: str, body: str) -> None:
        """Wait until it is the last message in its history."""
        await self.messages(body)
