"""Dino, a graphical client: its database, its keyboard, its actions on the message bus."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from harness.cases import equal
from harness.coordinates import Account
from harness.desktop import Desktop
from harness.program import LOOK_SECS, Program
from harness.session import Session
from harness.stage import Stage

RESOURCE = "dino"
#: Its word for a message that is encrypted by OMEMO.
OMEMO = 2
#: As Dino makes them; it adds the other tables when it finds only these.
TABLES = """CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, bare_jid TEXT NOT NULL UNIQUE,
        resourcepart TEXT, password TEXT, alias TEXT, enabled INTEGER, roster_version TEXT,
        mam_earliest_synced INTEGER);
    CREATE TABLE jid (id INTEGER PRIMARY KEY AUTOINCREMENT, bare_jid TEXT NOT NULL UNIQUE);
    CREATE TABLE conversation (id INTEGER PRIMARY KEY AUTOINCREMENT, account_id INTEGER NOT NULL,
        jid_id INTEGER NOT NULL, resource TEXT, active INTEGER, active_last_changed INTEGER NOT NULL DEFAULT 0,
        last_active INTEGER, type INTEGER, encryption INTEGER, read_up_to INTEGER,
        read_up_to_item INTEGER NOT NULL DEFAULT -1, notification INTEGER, send_typing INTEGER, send_marker INTEGER,
        pinned INTEGER DEFAULT 0);"""


class Dino:
    """One desktop with Dino and an account in its database."""

    def __init__(
        self,
        x: Stage,
        account: Account,
        password: str | None = None,
        *,
        talks_to: tuple[str, ...] = (),
        omemo: bool = False,
    ) -> None:
        """Contacts that it talks to have a conversation from the start, encrypted if so said."""
        self.jid = f"{account.jid}/{RESOURCE}"
        self.desktop = Desktop(x, "dino")
        self._folder = self.desktop.data / "dino"
        self._folder.mkdir()
        with closing(sqlite3.connect(self._folder / "dino.db")) as database, database:
            database.executescript(TABLES)
            database.execute(
                "INSERT INTO account (bare_jid, resourcepart, password, alias, enabled, roster_version)"
                " VALUES (?, ?, ?, '', 1, '')",
                (account.jid, RESOURCE, account.password if password is None else password),
            )
            for number, contact in enumerate(talks_to, start=1):
                database.execute("INSERT INTO jid (id, bare_jid) VALUES (?, ?)", (number, contact))
                database.execute(
                    "INSERT INTO conversation (account_id, jid_id, active, last_active, type, encryption, notification,"
                    " send_typing, send_marker) VALUES (1, ?, 1, 0, 0, ?, 0, 0, 0)",
                    (number, OMEMO if omemo else 0),
                )
        self.program: Program

    def start(self, *, trusting: bool = True) -> None:
        """Start it; it logs in by itself."""
        self.program = self.desktop.start("dino-im", "--print-xmpp=all", trusting=trusting)

    async def logged_in(self, bob: Session) -> None:
        """Wait until a contact sees it."""
        await bob.presence(self.jid)

    async def open(self, jid: str) -> None:
        """Open the conversation with somebody, as a click on an address elsewhere does, and give it the keyboard."""
        # It says that a message was displayed when the conversation is open in a window that has the keyboard.
        await self.desktop.focus("--class", "dino", size=("1000", "700"))
        await self.desktop.run("dino-im", f"xmpp:{jid}?message")

    async def act(self, action: str, parameters: str) -> None:
        """What a button of a notification, or a menu's entry, does."""
        where = ["--dest", "im.dino.Dino", "--object-path", "/im/dino/Dino"]
        method = ["--method", "org.gtk.Actions.Activate", action, parameters, "{}"]
        await self.desktop.run("gdbus", "call", "--session", *where, *method)

    async def found(self, query: str, *values: str | int, database: str = "dino.db") -> list[Any]:
        """Wait until one of its databases has such rows; the first column of all."""
        file = self._folder / database
        while True:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                if rows := connection.execute(query, values).fetchall():
                    return [row[0] for row in rows]
            await asyncio.sleep(LOOK_SECS)

    async def messages(self, *wanted: str) -> None:
        """Wait until its database has the last of these messages; it must have each of them once, and no other."""
        await self.found("SELECT id FROM message WHERE body = ?", wanted[-1])
        # In no order of their own: Dino works on several that come together at the same time.
        equal(sorted(await self.found("SELECT body FROM message")), sorted(wanted), "messages")

    # Files

    @property
    def files(self) -> Path:
        """Where it stores what it fetches."""
        return self._folder / "files"

    async def send_file(self, file: Path) -> None:
        """Send a file to the contact whose conversation is open, and has the keyboard."""
        await self.desktop.key("ctrl+u")
        await self.desktop.focus("--name", "^Select file$")
        await self.desktop.type(str(file))
        # Its button, once that is shown; afterwards the key is for a message in which there is nothing.
        while f"filename='{file.name}'" not in self.program.text():
            await self.desktop.focus("--class", "dino")
            await self.desktop.key("Return")
            await asyncio.sleep(LOOK_SECS)

    # Pictures

    @property
    def avatars(self) -> Path:
        """Where it stores what it is shown, each under its SHA-1."""
        return self._folder / "avatars"

    async def picture(self, name: str) -> None:
        """Leave a picture of its window."""
        await self.desktop.picture(name)

    # Bookmarks

    async def joins(self, occupant: str) -> None:
        """Wait until it has asked to be let into a room."""
        await self.program.logs(f":to='{occupant}'")

    async def picture_of_rooms(self, name: str) -> None:
        """Leave a picture of the rooms that it could join."""
        await self.act("add_conference", "[]")
        await self.desktop.picture(name)

    # Encryption: whatever key somebody has is taken for theirs

    async def ready(self) -> None:
        """Wait until it is online; it has given its keys to the server or does so now."""
        await self.program.logs("{jabber:client}:presence")

    async def has_keys_of(self, contact: str) -> None:
        """Open the conversation with a contact, and wait until it can be encrypted."""
        await self.open(contact)
        query = "SELECT 1 FROM identity_meta WHERE address_name = ? AND identity_key_public_base64 IS NOT NULL"
        await self.found(query, contact, database="omemo.db")

    async def tell(self, contact: str, body: str) -> None:
        """Write to the contact whose conversation is open and has the keyboard."""
        await self.desktop.type(body)

    async def reads(self, contact: str, body: str) -> None:
        """Wait until it shows the message, which came encrypted, and has noted that it was seen."""
        query = """SELECT 1 FROM message m JOIN content_item i ON i.content_type = 1 AND i.foreign_id = m.id
            JOIN conversation c ON c.id = i.conversation_id AND c.read_up_to_item >= i.id
            WHERE m.body = ? AND m.encryption = ?"""
        await self.found(query, body, OMEMO)
