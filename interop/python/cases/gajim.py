"""Gajim: log-in by the domain, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

from harness.cases import Mismatch, Suite, check, equal
from harness.contacts import account_with_contact, chat_by_records, cut_under_way, saw_presence
from harness.coordinates import Account
from harness.desktop import Desktop
from harness.program import LOOK_SECS, Program
from harness.relay import Relay
from harness.reports import report, send_asking
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
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
    # Debian recommends it with Gajim; it must not matter whether it is there.
    "plugins": {"omemo": {"active": False}},
}
REMOTE, REMOTE_PATH = "org.gajim.dbus.RemoteInterface", "/org/gajim/dbus/RemoteObject"


class Gajim:
    """One desktop with Gajim and an account in its settings."""

    def __init__(self, x: Stage, account: Account, password: str | None = None) -> None:
        self.jid = f"{account.jid}/{RESOURCE}"
        self.desktop = Desktop(x, "gajim", refuses_root=True)
        settings = {
            "name": account.node,
            "hostname": x.server.domain,
            "password": account.password if password is None else password,
            "active": True,
            "resource": RESOURCE,
        }
        folder = self.desktop.config / "gajim"
        folder.mkdir(mode=0o700)
        with closing(sqlite3.connect(folder / "settings.sqlite")) as database, database:
            database.executescript(SETTINGS_TABLES)
            rows = [(name, json.dumps(value)) for name, value in SETTINGS.items()]
            database.executemany("INSERT INTO settings VALUES (?, ?)", rows)
            row = (ACCOUNT, json.dumps({"account": settings, "contact": {}, "group_chat": {}}))
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
        chat = f"'account': <'{ACCOUNT}'>, 'jid': <'{bob.boundjid.bare}'>, 'type': <'contact'>, 'select': <true>"
        await self.act("/org/gajim/Gajim/window/1", "add-chat", f"[<{{{chat}}}>]")
        await self.desktop.focus("--name", "^Gajim|- Gajim$")
        send_asking(bob, self.jid, "opened", body)
        await report(bob, "received", "opened", self.jid)

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


async def _relay(x: Stage) -> Relay:
    """A relay on the port where clients look for the domain's server."""
    return x.close_later(await Relay.start(x.server.host, x.server.port, at=5222))


@SUITE.case()
async def chat(x: Stage) -> None:
    """Logs in by the domain, has the roster, sees presence and is seen, chats both ways, and leaves."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.logged_in(bob)

    send_asking(bob, alice.jid, "hello", "Hello from the other side")
    await report(bob, "received", "hello", gajim.jid)
    await gajim.open(bob, "Are you there?")
    await report(bob, "displayed", "hello", gajim.jid)
    await gajim.desktop.type("Hello from Gajim, & goodbye <soon>")
    answer = await bob.message("Hello from Gajim, & goodbye <soon>")
    equal(answer["from"].full, gajim.jid, "sender")
    await gajim.picture("gajim.png")

    contacts = await gajim.remote("list_contacts", ACCOUNT)
    for word in ("Bob Builder", bob.boundjid.bare, "'show': <'online'>", "desk"):
        check(word in contacts, f"no {word} in Gajim's contacts: {contacts}")
    await gajim.remote("change_status", "away", "Out for tea", ACCOUNT)
    away = await bob.presence(gajim.jid)
    equal((away.xml.findtext("{*}show"), away["status"]), ("away", "Out for tea"), "presence")
    await gajim.quit()
    await bob.presence(gajim.jid, "unavailable")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it, and asks back by its window."""
    await _relay(x)
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    stranger = bob.boundjid.bare
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.program.logs("Raise event: signed-in")
    bob.send_presence(pto=alice.jid, ptype="subscribe", pstatus="It is me, Bob")
    await gajim.program.logs("Raise event: subscribe-presence-received")
    event = f"{{'type': <'subscription-request'>, 'sub_type': <''>, 'account': <'{ACCOUNT}'>, 'jid': <'{stranger}'>}}"
    await gajim.act("/org/gajim/Gajim", f"{ACCOUNT}-open-event", f"[<{event}>]")
    await gajim.picture("gajim-request.png")

    await gajim.act("/org/gajim/Gajim/window/1", f"subscription-accept-{ACCOUNT}", f"[<['{stranger}', 'Bob']>]")
    await bob.presence(alice.jid, "subscribed")
    await gajim.logged_in(bob)
    # Now it proposes to ask back: the address, then whatever the server says of that, then what to ask for.
    await gajim.desktop.focus("--name", "^Add Contact$")
    await gajim.desktop.key("Return")
    await gajim.program.logs("Disco Info received: ", "Error received: ")
    await gajim.picture("gajim-add.png")
    await gajim.desktop.key("Return")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await gajim.program.logs("Raise event: subscribed-presence-received")
    contacts = await gajim.remote("list_contacts", ACCOUNT)
    check(stranger in contacts, f"no {stranger} in Gajim's contacts: {contacts}")


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, in their order, once."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    send_asking(bob, alice.jid, "first", "Sent while nobody was there")
    send_asking(bob, alice.jid, "second", "And this too")
    await bob.barrier()
    gajim = Gajim(x, alice)
    gajim.start()
    for name in ("first", "second"):
        await report(bob, "received", name, gajim.jid)
    await gajim.open(bob, "Welcome back")
    await report(bob, "displayed", "second", gajim.jid)
    wanted = ["Sent while nobody was there", "And this too", "Welcome back"]
    equal(await gajim.messages("Welcome back"), wanted, "messages")
    await gajim.picture("gajim-offline.png")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.logged_in(bob)
    bodies = await cut_under_way(bob, alice, gajim.jid, relay)
    await gajim.program.logs("Session resumption succeeded")
    equal(await gajim.messages(bodies[-1]), bodies, "messages")
    await gajim.open(bob, "Are you there?")
    await report(bob, "displayed", "meanwhile", gajim.jid)
    await gajim.desktop.type("Back again")
    await bob.message("Back again")
    await gajim.picture("gajim-resumed.png")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    """Finds a port with TLS from the first byte by the domain's records; nothing listens where it would look without."""
    await chat_by_records(x, Gajim)


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it asks and does not log in: the other cases were trusted for a reason."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start(trusting=False)
    await gajim.desktop.focus("--name", "^SSL Certificate Verification Error$")
    await gajim.picture("gajim-authority.png")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in without trust")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    """It is refused, asks for another, and logs in with the right one."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice, password="wrong")
    gajim.start()
    await gajim.desktop.focus("--name", "^Password Required$")
    check(not saw_presence(bob, alice), "logged in with a wrong password")
    await gajim.picture("gajim-password.png")
    await gajim.desktop.type(alice.password)
    await gajim.logged_in(bob)
