"""Links of invitations, followed by nbxmpp as Gajim does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import gi

gi.require_version("Soup", "3.0")

from gi.repository import Gio  # noqa: E402
from people import Mismatch, Patience, Person  # noqa: E402

ACCOUNTS = list(json.loads(os.environ["XMPP_ACCOUNTS"]).items())


def person(patience: Patience) -> Person:
    """Somebody who has not been here before."""
    return Person(patience, *ACCOUNTS.pop(0))


def invitation(*words: str) -> tuple[str, dict[str, str]]:
    """The address that a new invitation's link is about, and what else it says."""
    config = Path(os.environ["XMPP_DATA_DIR"]).with_name("waxwing.toml")
    command = [os.environ["WAXWING_BIN"], "--config", config, "invite", "create", *words, "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    link = urlsplit(made["uri"])
    return unquote(link.path), dict(parse_qsl(link.query, separator=";", keep_blank_values=True))


def equal(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise Mismatch(f"{what}: {found!r}, not {wanted!r}")


def talk(alice: Person, bob: Person) -> None:
    """They see each other, have each other in their rosters, and whoever invited was asked nothing."""
    for one, other in ((alice, bob), (bob, alice)):
        one.sees(other.jid.bare)
    equal(bob.contacts(), {alice.jid.bare: "both"}, "who was invited has")
    equal(alice.contacts(), {bob.jid.bare: "both"}, "who has invited has")
    bob.say(alice.jid.bare, "Thank you for inviting me")
    sender = alice.hears("Thank you for inviting me")
    equal(sender.partition("/")[0], bob.jid.bare, "sender")
    alice.say(bob.jid.bare, "Welcome")
    bob.hears("Welcome")
    equal(alice.asked(), [], "what who has invited was asked")


def known_account(patience: Patience) -> None:
    """XEP-0379: who has an account follows the link, and is a contact without a question to who invited."""
    alice, bob = person(patience), person(patience)
    alice.online()
    bob.online()
    who, query = invitation("--contact", alice.jid.bare)
    equal((who, "roster" in query), (alice.jid.bare, True), "the link")
    bob.subscribe(who, query["preauth"])
    # Alice's server asks back for her. Bob's client knows why.
    bob.allow(who)
    talk(alice, bob)


def new_account(patience: Patience) -> None:
    """XEP-0445: who has none makes one by the link, and finds who invited among the contacts."""
    alice = person(patience)
    alice.online()
    who, query = invitation("--contact", alice.jid.bare)
    equal((who, query["ibr"]), (alice.jid.bare, "y"), "the link")
    bob = Person(patience, f"invited@{alice.jid.domain}", "correct horse battery")
    bob.connect(to_register=True)
    bob.ask("Register", "send_preauth", query["preauth"])
    form = bob.ask("Register", "request_register_form").form
    form["username"].value, form["password"].value = bob.jid.localpart, "correct horse battery"
    form.type_ = "submit"
    bob.ask("Register", "submit_register_form", form)
    bob.disconnect()
    bob.online()
    talk(alice, bob)


CASES: list[Callable[[Patience], None]] = [known_account, new_account]


def main(chosen: list[str]) -> int:
    """Each case whose name begins so; whether one failed."""
    # This authority and no other, for everybody here.
    authority = Gio.TlsFileDatabase.new(os.environ["XMPP_CA_FILE"])
    Gio.TlsBackend.get_default().set_default_database(authority)
    wanted = [case for case in CASES if not chosen or case.__name__.startswith(tuple(chosen))]
    if not wanted:
        print(f"not ok nbxmpp/none: no case is named {' or '.join(chosen)}")
    failed = not wanted
    for case in wanted:
        try:
            case(Patience())
            print(f"ok nbxmpp/{case.__name__}", flush=True)
        except Exception as error:
            failed = True
            print(f"not ok nbxmpp/{case.__name__}: {type(error).__name__}: {error}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
