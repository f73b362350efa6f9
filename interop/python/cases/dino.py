"""Dino: logs in, sees a contact, is written to, shows it, answers."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from slixmpp.stanza import Message

from harness.cases import Suite, check, equal
from harness.contacts import make_contacts
from harness.coordinates import Account, artifacts
from harness.display import Display
from harness.program import Program
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
RECEIPTS, MARKERS = "urn:xmpp:receipts", "urn:xmpp:chat-markers:0"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
#: As Dino makes it; it adds the other tables when it finds only this one.
ACCOUNT_TABLE = """CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, bare_jid TEXT NOT NULL UNIQUE,
    resourcepart TEXT, password TEXT, alias TEXT, enabled INTEGER, roster_version TEXT,
    mam_earliest_synced INTEGER)"""


class Home:
    """A home folder with an account in Dino's database, and a message bus of its own."""

    def __init__(self, x: Stage, account: Account) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="waxwing-dino-"))
        self._ca_file = x.server.ca_file
        self._display: Display = x.close_later(Display())
        folders = {name: self.path / name.lower() for name in ("DATA", "CONFIG", "CACHE", "RUNTIME")}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        bus = f"unix:path={folders['RUNTIME'] / 'bus'}"
        self.environment = self._display.environment | {
            "HOME": str(self.path),
            "XDG_DATA_HOME": str(folders["DATA"]),
            "XDG_CONFIG_HOME": str(folders["CONFIG"]),
            "XDG_CACHE_HOME": str(folders["CACHE"]),
            "XDG_RUNTIME_DIR": str(folders["RUNTIME"]),
            "DBUS_SESSION_BUS_ADDRESS": bus,
            "GDK_BACKEND": "x11",
            "GSK_RENDERER": "cairo",
            "GSETTINGS_BACKEND": "memory",
            "GTK_A11Y": "none",
            # There is only a loopback interface, which other monitors call being offline.
            "GIO_USE_NETWORK_MONITOR": "base",
            "LC_ALL": "C.UTF-8",
        }
        (folders["DATA"] / "dino").mkdir()
        with sqlite3.connect(folders["DATA"] / "dino" / "dino.db") as database:
            database.execute(ACCOUNT_TABLE)
            database.execute(
                "INSERT INTO account (bare_jid, resourcepart, password, alias, enabled, roster_version)"
                " VALUES (?, 'dino', ?, '', 1, '')",
                (account.jid, account.password),
            )
        database.close()
        command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}"]
        x.close_later(self)
        x.close_later(Program(command, self.environment, self.path / "bus.log"))

    def start(self, x: Stage) -> Program:
        """Dino, with the local authority in place of those of the system."""
        cover = 'mount --bind "$0" "$1" && shift && exec "$@"'
        private = ["unshare", "--mount", "sh", "-c", cover, str(self._ca_file), AUTHORITIES]
        command = [*private, "dino-im", "--print-xmpp=all"]
        return x.close_later(Program(command, self.environment, self.path / "dino.log"))

    def open(self, jid: str) -> None:
        """Open the conversation with somebody, as a click on an address elsewhere does."""
        self._run("dino-im", f"xmpp:{jid}?message")

    def focus(self) -> None:
        """Give the window the keyboard; there is no window manager that would."""
        window = self._run("xdotool", "search", "--sync", "--onlyvisible", "--class", "dino").split()[-1]
        self._run("xdotool", "windowsize", window, "1000", "700")
        self._run("xdotool", "windowfocus", "--sync", window)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._run("xdotool", "type", line)
        self._run("xdotool", "key", "Return")

    async def picture(self, file: Path) -> None:
        """Take a picture of the screen when it has come to rest."""
        await self._display.settled_picture(file, b"")

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout


@SUITE.case(secs_max=90)
async def chat(x: Stage) -> None:
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    before = await x.online(alice)
    await make_contacts(before, bob)
    before.client_roster.update(bob.boundjid.bare, name="Bob Builder", groups=[])
    await before.barrier()
    await before.leave()
    await bob.presence(before.boundjid.full, "unavailable")

    home = Home(x, alice)
    home.start(x)
    dino = f"{alice.jid}/dino"
    await bob.presence(dino)

    bob.send_raw(
        f"<message to='{alice.jid}' type='chat' id='hello'><body>Hello from the other side</body>"
        f"<request xmlns='{RECEIPTS}'/><markable xmlns='{MARKERS}'/></message>"
    )
    await _report(bob, f"{{{RECEIPTS}}}received", dino)
    # It says that a message was displayed when the conversation is open in a window that has the keyboard.
    home.focus()
    home.open(bob.boundjid.bare)
    await _report(bob, f"{{{MARKERS}}}displayed", dino)

    home.type("Hello from Dino, & goodbye <soon>")
    answer = await bob.message("Hello from Dino, & goodbye <soon>")
    equal(answer["from"].full, dino, "sender")
    await home.picture(artifacts() / "dino.png")
    check((artifacts() / "dino.png").stat().st_size > 0, "no picture")


async def _report(session: Session, tag: str, sender: str) -> None:
    """Wait for Dino's word about the message with the id `hello`."""

    def match(stanza: object) -> bool:
        if not isinstance(stanza, Message) or stanza["from"].full != sender:
            return False
        child = stanza.xml.find(tag)
        return child is not None and child.get("id") == "hello"

    await session.expect(f"{tag} from {sender}", match)
