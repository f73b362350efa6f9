"""Profanity: log-in by both kinds of TLS, a contact, a message each way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.cases import Suite, check
from harness.contacts import make_contacts
from harness.coordinates import Account, artifacts
from harness.display import Display
from harness.program import Program
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


def _profanity(x: Stage, account: Account, *, direct_tls: bool = False, trusting: bool = True) -> Terminal:
    """Start it with an account that logs in by itself."""
    folder = x.close_later(Folder())
    if trusting:
        folder.trust(x.server.ca_file)
    config, data = folder.path / "config" / "profanity", folder.path / "data" / "profanity"
    config.mkdir(parents=True)
    data.mkdir(parents=True)
    (config / "profrc").write_text(
        f"[connection]\ntls.certpath={folder.certificates}\n[ui]\nsplash=false\n[logging]\nchlog=false\n",
        encoding="utf-8",
    )
    port, policy = (x.server.tls_port, "legacy") if direct_tls else (x.server.port, "force")
    (data / "accounts").write_text(
        f"[interop]\nenabled=true\njid={account.jid}\npassword={account.password}\nresource=profanity\n"
        f"server={x.server.host}\nport={port}\ntls.policy={policy}\n",
        encoding="utf-8",
    )
    environment = dict(os.environ)
    environment |= {"XDG_CONFIG_HOME": str(config.parent), "XDG_DATA_HOME": str(data.parent)}
    return x.close_later(Terminal(folder.path, ["profanity", "-a", "interop"], environment))


@SUITE.case(secs_max=60)
async def chat(x: Stage) -> None:
    """Logs in, sees a contact come online, is written to, answers."""
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    before = await x.online(alice)
    await make_contacts(before, bob)
    before.client_roster.update(bob.boundjid.bare, name="Bob Builder", groups=[])
    await before.barrier()
    await before.leave()

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


@SUITE.case(secs_max=60)
async def direct_tls(x: Stage) -> None:
    terminal = _profanity(x, x.account(), direct_tls=True)
    await terminal.shows(LOGGED_IN)
    check("[TLS]" in terminal.text(), "the title bar does not say TLS")


@SUITE.case(secs_max=60)
async def unknown_authority(x: Stage) -> None:
    """Without the authority it asks and does not log in: the other cases were trusted for a reason."""
    terminal = _profanity(x, x.account(), trusting=False)
    screen = await terminal.shows(r"(?i)certificate")
    check(not re.search(LOGGED_IN, screen), "logged in without trust")
    terminal.enter("/tls deny")
    await terminal.shows(r"(?i)failed|denied|aborted")
