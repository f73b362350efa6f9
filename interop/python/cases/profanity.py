"""Profanity: log-in, refusals, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from slixmpp.stanza import Presence

from harness.cases import Suite, check, equal
from harness.contacts import account_with_contact, saw_presence
from harness.coordinates import Account, artifacts
from harness.display import Display
from harness.program import Program
from harness.relay import Relay
from harness.stage import Stage
from harness.terminal import Terminal

SUITE = Suite("")
LOGGED_IN = r"logged in successfully, online"


class Folder:
    """Profanity's own folder, in place of the home of whoever runs this."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="waxwing-profanity-"))
        self.certificates = self.path / "certificates"
        self.certificates.mkdir()

    def trust(self, ca_file: Path) -> None:
        """OpenSSL looks an authority up by a file name made of its subject."""
        ask = ["openssl", "x509", "-noout", "-subject_hash", "-in", ca_file]
        name = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        shutil.copyfile(ca_file, self.certificates / f"{name}.0")

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _profanity(
    x: Stage, account: Account, *, direct_tls: bool = False, trusting: bool = True, port: int = 0
) -> Terminal:
    """Start it with an account that logs in by itself, at another port than the server's if one is given."""
    folder = x.close_later(Folder())
    if trusting:
        folder.trust(x.server.ca_file)
    config, data = folder.path / "config" / "profanity", folder.path / "data" / "profanity"
    config.mkdir(parents=True)
    data.mkdir(parents=True)
    (config / "profrc").write_text(
        f"[connection]\ntls.certpath={folder.certificates}\nreconnect=1\nsm=true\n[ui]\nsplash=false\n[logging]\nchlog=false\n",
        encoding="utf-8",
    )
    policy = "legacy" if direct_tls else "force"
    port = port or (x.server.tls_port if direct_tls else x.server.port)
    (data / "accounts").write_text(
        f"[interop]\nenabled=true\njid={account.jid}\npassword={account.password}\nresource=profanity\n"
        f"server={x.server.host}\nport={port}\ntls.policy={policy}\n",
        encoding="utf-8",
    )
    environment = dict(os.environ)
    environment |= {"XDG_CONFIG_HOME": str(config.parent), "XDG_DATA_HOME": str(data.parent)}
    return x.close_later(Terminal(folder.path, ["profanity", "-a", "interop"], environment))


@SUITE.case()
async def chat(x: Stage) -> None:
    """Logs in, sees a contact come online, is written to, answers."""
    alice, bob = await account_with_contact(x)
    terminal = _profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    # The panel of contacts has him under the heading of who is online.
    await terminal.shows(r"Online \(\d+\)[^\n]*\n[^\n]*Bob Builder")
    seen = await bob.presence(f"{alice.jid}/profanity")
    check(seen["type"] == "available", f"presence {seen}")

    bob.send_message(mto=alice.jid, mbody="Hello from the other side", mtype="chat")
    await terminal.shows(r"<< chat message: Bob Builder.*\(win 2\)")
    terminal.enter("/win 2")
    await terminal.shows(r"Hello from the other side")
    terminal.enter("Ahoi, «übers» Wasser & <zurück>")
    await bob.message("Ahoi, «übers» Wasser & <zurück>")
    screen = await terminal.shows(r"me: Ahoi, «übers» Wasser & <zurück>")
    await _leave_pictures(x, terminal, screen)
    terminal.enter("/quit")
    await bob.presence(f"{alice.jid}/profanity", "unavailable")


async def _leave_pictures(x: Stage, terminal: Terminal, screen: str) -> None:
    folder = artifacts()
    (folder / "profanity.txt").write_text(screen, encoding="utf-8")
    display = x.close_later(Display())
    picture = folder / "profanity.png"
    blank = display.picture(picture)
    font = ["-fa", "DejaVu Sans Mono", "-fs", "11", "-geometry", "110x34+0+0", "-bg", "black", "-fg", "white"]
    log = folder / "profanity-xterm.log"
    x.close_later(Program(["xterm", *font, "-e", *terminal.attach], display.environment, log))
    await display.settled_picture(picture, blank)


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    terminal = _profanity(x, x.account(), direct_tls=True)
    await terminal.shows(LOGGED_IN)
    check("[TLS]" in terminal.text(), "the title bar does not say TLS")


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it asks and does not log in: the other cases were trusted for a reason."""
    terminal = _profanity(x, x.account(), trusting=False)
    screen = await terminal.shows(r"(?i)certificate")
    check(not re.search(LOGGED_IN, screen), "logged in without trust")
    terminal.enter("/tls deny")
    await terminal.shows(r"(?i)failed|denied|aborted")


@SUITE.case()
async def presence(x: Stage) -> None:
    """Its own is seen, and it sees a contact's change and end."""
    alice, bob = await account_with_contact(x)
    terminal = _profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    await bob.presence(f"{alice.jid}/profanity")
    terminal.enter('/status set away "Out for tea"')
    # It has sent presence several times by then.
    away = await bob.expect("presence away", lambda s: isinstance(s, Presence) and s["show"] == "away")
    equal((away["from"].full, away["status"]), (f"{alice.jid}/profanity", "Out for tea"), "presence")
    bob.send_presence(pshow="dnd", pstatus="Building")
    await terminal.shows(r"Do not disturb \(\d+\)[^\n]*\n[^\n]*Bob Builder")
    await bob.leave()
    await terminal.shows(r"Offline \(\d+\)[^\n]*\n[^\n]*Bob Builder")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it, and asks back."""
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    terminal = _profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    bob.send_presence(pto=alice.jid, ptype="subscribe")
    await terminal.shows("(?i)subscription request|authorization request")
    terminal.enter(f"/sub allow {bob.boundjid.bare}")
    await bob.presence(alice.jid, "subscribed")
    await bob.presence(f"{alice.jid}/profanity")
    terminal.enter(f"/sub request {bob.boundjid.bare}")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await terminal.shows(rf"Online \(\d+\)[^\n]*\n[^\n]*{re.escape(bob.boundjid.bare)}")


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, in their order, once."""
    alice, bob = await account_with_contact(x)
    for body in ("Sent while nobody was there", "And this too"):
        bob.send_message(mto=alice.jid, mbody=body, mtype="chat")
    await bob.barrier()
    terminal = _profanity(x, alice)
    # By his name or by his address: it may not know the roster yet.
    await terminal.shows(r"<< chat message: .*\(win 2\)")
    bob.send_message(mto=f"{alice.jid}/profanity", mbody="Welcome back", mtype="chat")
    terminal.enter("/win 2")
    screen = await terminal.shows("Welcome back")
    found = re.findall("Sent while nobody was there|And this too|Welcome back", screen)
    equal(found, ["Sent while nobody was there", "And this too", "Welcome back"], "messages on the screen")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = x.close_later(await Relay.start(x.server.host, x.server.port))
    alice, bob = await account_with_contact(x)
    terminal = _profanity(x, alice, port=relay.port)
    await terminal.shows(LOGGED_IN)
    await bob.presence(f"{alice.jid}/profanity")
    bob.send_message(mto=alice.jid, mbody="Before the cut", mtype="chat")
    await terminal.shows(r"<< chat message: Bob Builder.*\(win 2\)")
    terminal.enter("/win 2")
    await terminal.shows("Before the cut")
    relay.lose_down()
    bob.send_message(mto=alice.jid, mbody="Lost on the way", mtype="chat")
    await bob.barrier()
    relay.cut()
    bob.send_message(mto=alice.jid, mbody="Sent meanwhile", mtype="chat")
    screen = await terminal.shows("Sent meanwhile")
    found = re.findall("Before the cut|Lost on the way|Sent meanwhile", screen)
    equal(found, ["Before the cut", "Lost on the way", "Sent meanwhile"], "messages on the screen")
    check(not saw_presence(bob, alice, "unavailable"), "bob saw her leave")
    terminal.enter("Back again")
    await bob.message("Back again")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    account = x.account()
    terminal = _profanity(x, Account(account.jid, "wrong"))
    screen = await terminal.shows(r"(?i)login failed|authentication failed")
    check(not re.search(LOGGED_IN, screen), "logged in with a wrong password")
