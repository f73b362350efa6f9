"""Dino: log-in by the domain, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

from harness.cases import Suite, check, equal
from harness.contacts import account_with_contact, chat_by_records, cut_under_way, saw_presence
from harness.coordinates import Account
from harness.desktop import Desktop
from harness.program import LOOK_SECS, Program
from harness.relay import Relay
from harness.reports import report, send_asking
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
RESOURCE = "dino"
#: As Dino makes it; it adds the other tables when it finds only this one.
ACCOUNT_TABLE = """CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, bare_jid TEXT NOT NULL UNIQUE,
    resourcepart TEXT, password TEXT, alias TEXT, enabled INTEGER, roster_version TEXT,
    mam_earliest_synced INTEGER)"""


class Dino:
    """One desktop with Dino and an account in its database."""

    def __init__(self, x: Stage, account: Account, password: str | None = None) -> None:
        self.jid = f"{account.jid}/{RESOURCE}"
        self.desktop = Desktop(x, "dino")
        self._database = self.desktop.data / "dino" / "dino.db"
        self._database.parent.mkdir()
        with closing(sqlite3.connect(self._database)) as database, database:
            database.execute(ACCOUNT_TABLE)
            database.execute(
                "INSERT INTO account (bare_jid, resourcepart, password, alias, enabled, roster_version)"
                " VALUES (?, ?, ?, '', 1, '')",
                (account.jid, RESOURCE, account.password if password is None else password),
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

    async def found(self, query: str, *values: str) -> list[Any]:
        """Wait until its database has such rows; the first column of all."""
        while True:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
                if rows := database.execute(query, values).fetchall():
                    return [row[0] for row in rows]
            await asyncio.sleep(LOOK_SECS)

    async def messages(self, *wanted: str) -> None:
        """Wait until its database has the last of these messages; it must have each of them once, and no other."""
        await self.found("SELECT id FROM message WHERE body = ?", wanted[-1])
        # In no order of their own: Dino works on several that come together at the same time.
        equal(sorted(await self.found("SELECT body FROM message")), sorted(wanted), "messages")


async def _relay(x: Stage) -> Relay:
    """A relay on the port where clients look for the domain's server."""
    return x.close_later(await Relay.start(x.server.host, x.server.port, at=5222))


@SUITE.case()
async def chat(x: Stage) -> None:
    """Logs in by the domain, has the roster, sees presence and is seen, chats both ways, and ends."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start()
    await dino.logged_in(bob)
    names = await dino.found("SELECT name FROM roster WHERE jid = ?", bob.boundjid.bare)
    equal(names, ["Bob Builder"], "name in Dino's roster")
    # All that came from him until now is presence.
    await dino.program.logs(f":from='{bob.boundjid.full}'")

    send_asking(bob, alice.jid, "hello", "Hello from the other side")
    await report(bob, "received", "hello", dino.jid)
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "hello", dino.jid)
    await dino.desktop.type("Hello from Dino, & goodbye <soon>")
    answer = await bob.message("Hello from Dino, & goodbye <soon>")
    equal(answer["from"].full, dino.jid, "sender")
    await dino.desktop.picture("dino.png")
    # It does not wait until what it has written last is out: on a busy machine nobody hears that it leaves.
    await dino.act("quit", "[]")
    equal(await dino.program.ended(), 0, "exit code")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it as its notification would, and asks back."""
    await _relay(x)
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    stranger = bob.boundjid.bare
    dino = Dino(x, alice)
    dino.start()
    await dino.program.logs("{jabber:client}:presence")
    bob.send_presence(pto=alice.jid, ptype="subscribe")
    send_asking(bob, alice.jid, "ask", "It is me, Bob")
    await dino.open(stranger)
    # It shows the one request that it got twice.
    await dino.desktop.picture("dino-request.png")
    query = "SELECT c.id FROM conversation c JOIN jid j ON j.id = c.jid_id WHERE j.bare_jid = ?"
    (conversation,) = await dino.found(query, stranger)
    await dino.act("accept-subscription", f"[<{conversation}>]")
    await bob.presence(alice.jid, "subscribed")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await dino.logged_in(bob)


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, once."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    send_asking(bob, alice.jid, "first", "Sent while nobody was there")
    send_asking(bob, alice.jid, "second", "And this too")
    await bob.barrier()
    dino = Dino(x, alice)
    dino.start()
    for name in ("first", "second"):
        await report(bob, "received", name, dino.jid)
    send_asking(bob, alice.jid, "marker", "Welcome back")
    await report(bob, "received", "marker", dino.jid)
    await dino.messages("Sent while nobody was there", "And this too", "Welcome back")
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "marker", dino.jid)
    await dino.desktop.picture("dino-offline.png")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start()
    await dino.logged_in(bob)
    bodies = await cut_under_way(bob, alice, dino.jid, relay)
    await dino.program.logs("{urn:xmpp:sm:3}:resumed")
    await dino.messages(*bodies)
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "meanwhile", dino.jid)
    await dino.desktop.type("Back again")
    await bob.message("Back again")
    await dino.desktop.picture("dino-resumed.png")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    """Finds a port with TLS from the first byte by the domain's records; nothing listens where it would look without."""
    await chat_by_records(x, Dino)


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it does not log in: the other cases were trusted for a reason."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start(trusting=False)
    await dino.program.logs("Tls Certificate Errors")
    await dino.desktop.picture("dino-authority.png")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in without trust")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    """It is refused, and nobody sees it."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice, password="wrong")
    dino.start()
    await dino.program.logs("{urn:ietf:params:xml:ns:xmpp-sasl}:not-authorized")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in with a wrong password")
    await dino.desktop.picture("dino-password.png")
