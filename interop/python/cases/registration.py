"""Accounts made in band: XEP-0077, where the configuration says `open`; refused where it says `closed`."""

from __future__ import annotations

import ssl
from typing import Any

from slixmpp.exceptions import IqError

from harness.cases import Suite, check, equal
from harness.coordinates import Account
from harness.raw import RawStream
from harness.session import LoginFailed, Session
from harness.stage import Stage

SUITE = Suite("registration")


async def _register(x: Stage, account: Account) -> tuple[Session, str]:
    """Register while connecting, then log in on the same stream; the session, and what came of it."""
    client = x.client(account, server=x.open_server, plugins=("xep_0077",))
    outcome = "registration was not offered"

    async def register(form: Any) -> None:
        nonlocal outcome
        iq = client.make_iq_set()
        iq["register"]["username"] = account.node
        iq["register"]["password"] = account.password
        try:
            await iq.send(timeout=None)
            outcome = "result"
        except IqError as error:
            outcome = error.condition

    client.add_event_handler("register", register)
    try:
        await client.log_in()
    except LoginFailed as refusal:
        return client, f"{outcome}, {refusal.reason}"
    return client, outcome


def _new(x: Stage, name: str) -> Account:
    return Account(f"{name}@{x.open_server.domain}", f"a secret of {name}")


async def _refused(session: Session) -> str:
    try:
        await session.log_in()
    except LoginFailed as refusal:
        return refusal.reason
    return "logged in"


@SUITE.case()
async def register(x: Stage) -> None:
    """A new account is there at once, and again on a later stream."""
    account = _new(x, "newcomer")
    session, outcome = await _register(x, account)
    equal(outcome, "result", "registration")
    await session.go_online()
    equal((await x.session(account, server=x.open_server)).boundjid.bare, account.jid, "address")


@SUITE.case()
async def name_is_taken(x: Stage) -> None:
    account = _new(x, "taken")
    await _register(x, account)
    other = Account(account.jid, "another secret")
    equal((await _register(x, other))[1], "conflict, not-authorized", "registration of a name that is taken")
    await x.session(account, server=x.open_server)


@SUITE.case()
async def change_password(x: Stage) -> None:
    account = _new(x, "careful")
    session, _ = await _register(x, account)
    await session["xep_0077"].change_password("a better one", jid=x.open_server.domain, timeout=None)
    old = x.client(account, server=x.open_server)
    equal(await _refused(old), "not-authorized", "log-in with the old password")
    await x.session(Account(account.jid, "a better one"), server=x.open_server)


@SUITE.case()
async def remove(x: Stage) -> None:
    """The account is gone, and so are its sessions."""
    account = _new(x, "leaver")
    session, _ = await _register(x, account)
    other = await x.online(account, server=x.open_server, resource="other")
    iq = session.make_iq_set(ito=x.open_server.domain)
    iq["register"]["remove"] = True
    equal(await x.refusal(iq), "result", "removal")
    await session.ended()
    await other.ended()
    equal(await _refused(x.client(account, server=x.open_server)), "not-authorized", "log-in afterwards")


@SUITE.case()
async def refused_where_closed(x: Stage) -> None:
    """In the mode `closed` it is not done for who was not invited. For who was it may be offered."""
    trust = ssl.create_default_context(cafile=str(x.server.ca_file))
    stream = x.close_later(await RawStream.connect(x.server.host, x.server.tls_port, trust, x.server.domain))
    await stream.open(x.server.domain)
    await stream.send(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'>"
        "<username>intruder</username><password>a secret</password></query></iq>"
    )
    answer = await stream.read_until_closed_or("</iq>", "</stream:error>", "</stream:stream>")
    check("type='result'" not in answer and 'type="result"' not in answer, f"registration was done: {answer}")
    intruder = Account(f"intruder@{x.server.domain}", "a secret")
    equal(await _refused(x.client(intruder)), "not-authorized", "log-in of who was refused")
