"""go-sendxmpp: log-in by the domain and by both kinds of TLS, refusals, sending, listening, what waited."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from harness.cases import Suite, check, equal
from harness.contacts import account_with_contact, saw_presence
from harness.coordinates import Account
from harness.program import Program
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
TEXT = "Ahoi, «übers» Wasser & <zurück>"
#: A line of those that it prints when it listens: when, from whom, what.
HEARD = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (\S+): (.*)$", re.MULTILINE)


class Folder:
    """A home folder in place of that of whoever runs this."""

    def __init__(self, x: Stage) -> None:
        self._x = x
        self.path = Path(tempfile.mkdtemp(prefix="waxwing-go-sendxmpp-"))
        self._started = 0

    def start(self, *words: str, given: str = "", ca_file: Path | None = None) -> Program:
        """Start it with these words and this input; it trusts the authority of the server, or another."""
        self._started += 1
        log, text = (self.path / f"{self._started}.{ending}" for ending in ("log", "txt"))
        text.write_text(given, encoding="utf-8")
        environment = dict(os.environ)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            environment.pop(name, None)
        environment |= {"HOME": str(self.path), "SSL_CERT_DIR": str(self.path / "none")}
        environment["SSL_CERT_FILE"] = str(ca_file or self._x.server.ca_file)
        with open(text, "rb") as from_file:
            return self._x.close_later(Program(["go-sendxmpp", *words], environment, log, from_file))

    def config(self, **settings: object) -> Path:
        """Write a configuration. It would look for one in the home that the system knows, not in ours: name it."""
        file = self.path / "config"
        file.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()), encoding="utf-8")
        file.chmod(0o600)
        return file

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _folder(x: Stage) -> Folder:
    return x.close_later(Folder(x))


def _as(account: Account, password: str | None = None) -> list[str]:
    # In one word: a password may begin with a hyphen.
    return ["-u", account.jid, f"--password={account.password if password is None else password}"]


async def _sends(x: Stage, folder: Folder, sender: Account, *words: str) -> None:
    """It sends a message by these words, and ends well."""
    bob = await x.online(x.account())
    program = folder.start(*words, bob.boundjid.bare, given=TEXT)
    equal(await program.ended(), 0, f"exit code ({program.describe()})")
    message = await bob.message(TEXT)
    equal((message["from"].bare, message["type"]), (sender.jid, "chat"), "sender and type")


@SUITE.case()
async def by_domain(x: Stage) -> None:
    """Nothing but address and password."""
    alice = x.account()
    await _sends(x, _folder(x), alice, *_as(alice))


@SUITE.case()
async def starttls(x: Stage) -> None:
    alice = x.account()
    await _sends(x, _folder(x), alice, *_as(alice), "-j", f"{x.server.host}:{x.server.port}")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    alice = x.account()
    await _sends(x, _folder(x), alice, *_as(alice), "-t", "-j", f"{x.server.host}:{x.server.tls_port}")


@SUITE.case()
async def tls_1_3(x: Stage) -> None:
    alice = x.account()
    await _sends(x, _folder(x), alice, *_as(alice), "--tls-version", "13")


@SUITE.case()
async def password_in_file(x: Stage) -> None:
    """Address and password come from a file."""
    alice, folder = x.account(), _folder(x)
    file = folder.config(username=alice.jid, password=alice.password)
    await _sends(x, folder, alice, "-f", str(file))


@SUITE.case()
async def password_by_command(x: Stage) -> None:
    """A file says where the server is, and what prints the password."""
    alice, folder = x.account(), _folder(x)
    secret = folder.path / "secret"
    secret.write_text(alice.password + "\n", encoding="utf-8")
    where = {"jserver": x.server.host, "port": x.server.port}
    file = folder.config(username=alice.jid, eval_password=f"cat {secret}", **where)
    await _sends(x, folder, alice, "-f", str(file))


async def _refused(x: Stage, program: Program, account: Account, bob: Session, why: str) -> None:
    equal(await program.ended(), 1, "exit code")
    check(re.search(why, program.text()), f"not refused for {why!r}: {program.text()}")
    # Had it been sent, it would have come before this.
    alice = await x.online(account)
    alice.send_message(mto=bob.boundjid.bare, mbody="marker", mtype="chat")
    await bob.message("marker")
    equal(bob.bodies(), [], "messages")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    alice, bob = x.account(), await x.online(x.account())
    program = _folder(x).start(*_as(alice, "wrong"), bob.boundjid.bare, given=TEXT)
    await _refused(x, program, alice, bob, "not-authorized")


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it does not log in: the other cases were trusted for a reason."""
    alice, bob, folder = x.account(), await x.online(x.account()), _folder(x)
    nobody = folder.path / "nobody.pem"
    nobody.touch()
    program = folder.start(*_as(alice), bob.boundjid.bare, given=TEXT, ca_file=nobody)
    await _refused(x, program, alice, bob, "certificate signed by unknown authority")


@SUITE.case()
async def listens(x: Stage) -> None:
    """Is seen by its contact, prints what that says, in order, and is seen to leave."""
    alice, bob = await account_with_contact(x)
    program = _folder(x).start(*_as(alice), "--listen")
    seen = await bob.presence(alice.jid)
    for body in ("one", TEXT, "three"):
        bob.send_message(mto=alice.jid, mbody=body, mtype="chat")
    await program.logs("three")
    equal(HEARD.findall(program.text()), [(bob.boundjid.bare, b) for b in ("one", TEXT, "three")], "what it printed")
    program.process.send_signal(signal.SIGTERM)
    await bob.presence(seen["from"].full, "unavailable")


@SUITE.case()
async def listens_to_one(x: Stage) -> None:
    """Named somebody, it prints nobody else's messages."""
    alice, bob = await account_with_contact(x)
    carol = await x.online(x.account())
    program = _folder(x).start(*_as(alice), "--listen", bob.boundjid.bare)
    await bob.presence(alice.jid)
    carol.send_message(mto=alice.jid, mbody="from carol", mtype="chat")
    await carol.barrier()
    bob.send_message(mto=alice.jid, mbody="from bob", mtype="chat")
    await program.logs("from bob")
    equal(HEARD.findall(program.text()), [(bob.boundjid.bare, "from bob")], "what it printed")


@SUITE.case()
async def offline(x: Stage) -> None:
    """It prints what waited for it, in order; the next one that listens does not get it again."""
    alice, bob = await account_with_contact(x)
    folder, waited = _folder(x), ["one", "two", "three"]
    for body in waited:
        bob.send_message(mto=alice.jid, mbody=body, mtype="chat")
    await bob.barrier()
    for bodies in ([*waited, "marker"], ["marker"]):
        program = folder.start(*_as(alice), "--listen")
        full = (await bob.presence(alice.jid))["from"].full
        bob.send_message(mto=full, mbody="marker", mtype="chat")
        await program.logs("marker")
        equal([body for _, body in HEARD.findall(program.text())], bodies, "what it printed")
        program.process.send_signal(signal.SIGTERM)
        await bob.presence(full, "unavailable")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """It has no roster, but sends any XML: with that it asks, and from then on is told of the contact's presence."""
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    folder = _folder(x)
    ask = folder.start(*_as(alice), "--raw", given=f"<presence to='{bob.boundjid.bare}' type='subscribe'/>")
    equal(await ask.ended(), 0, f"exit code ({ask.describe()})")
    await bob.presence(alice.jid, "subscribe")
    check(not saw_presence(bob, alice), "a stranger was shown presence")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "from")
    program = folder.start(*_as(alice), "--listen", "--debug")
    await program.logs(f"from='{bob.boundjid.full}'")
