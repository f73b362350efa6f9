"""Connecting, TLS, SASL and binding: RFC 6120 sections 5 to 7, XEP-0368 for direct TLS."""

from __future__ import annotations

import asyncio
import base64
import ssl

from harness.cases import Suite, check, equal
from harness.raw import RawStream
from harness.session import DIRECT_TLS, PLAIN, STARTTLS, LoginFailed, Session, offered_mechanisms
from harness.stage import Stage

SUITE = Suite("login")
TLS_NS = "{urn:ietf:params:xml:ns:xmpp-tls}"


async def _refused(session: Session) -> str:
    try:
        await session.log_in()
    except LoginFailed as refusal:
        return refusal.reason
    return "logged in"


@SUITE.case()
async def starttls(x: Stage) -> None:
    session = await x.session(x.account(), via=STARTTLS)
    check(session.offered[0].xml.find(f"{TLS_NS}starttls/{TLS_NS}required") is not None, "STARTTLS is not required")
    equal(offered_mechanisms(session.offered[0]), set(), "mechanisms offered before TLS")
    equal(session.socket.version(), "TLSv1.3", "TLS version")
    await session.barrier()


@SUITE.case()
async def tls_1_2(x: Stage) -> None:
    """Without tls-exporter, which TLS 1.2 lacks; slixmpp offers tls-unique and has to fall back."""
    session = await x.session(x.account(), tls_max=ssl.TLSVersion.TLSv1_2)
    equal(session.socket.version(), "TLSv1.2", "TLS version")
    await session.barrier()


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    session = await x.session(x.account(), via=DIRECT_TLS)
    check(session.offered[0].xml.find(f"{TLS_NS}starttls") is None, "STARTTLS offered inside TLS")
    await session.barrier()


@SUITE.case("alpn")
async def direct_tls_alpn(x: Stage) -> None:
    session = await x.session(x.account(), via=DIRECT_TLS, alpn=["xmpp-client"])
    equal(session.socket.selected_alpn_protocol(), "xmpp-client", "ALPN")
    await session.barrier()


@SUITE.case("alpn")
async def direct_tls_wrong_alpn(x: Stage) -> None:
    """RFC 7301, section 3.2: no protocol in common ends the handshake."""
    reason = await _refused(x.client(x.account(), via=DIRECT_TLS, alpn=["h2"]))
    check("no connection" in reason, f"a client that speaks only h2: {reason}")


@SUITE.case()
async def plain_loopback(x: Stage) -> None:
    session = await x.session(x.account(), via=PLAIN)
    check(isinstance(session.mechanisms[0], str) and session.mechanisms[0].startswith("SCRAM-"), "not SCRAM")
    await session.barrier()


async def _mechanism(x: Stage, name: str) -> None:
    session = await x.session(x.account(), mechanism=name)
    equal(session.mechanisms, [name], "mechanisms used")
    await session.barrier()


@SUITE.case("scram-sha-1")
async def scram_sha_1(x: Stage) -> None:
    await _mechanism(x, "SCRAM-SHA-1")


@SUITE.case()
async def scram_sha_256(x: Stage) -> None:
    await _mechanism(x, "SCRAM-SHA-256")


@SUITE.case("scram-sha-512")
async def scram_sha_512(x: Stage) -> None:
    await _mechanism(x, "SCRAM-SHA-512")


@SUITE.case()
async def plain_under_tls(x: Stage) -> None:
    await _mechanism(x, "PLAIN")


@SUITE.case()
async def strongest_by_default(x: Stage) -> None:
    """Left to itself, slixmpp takes SCRAM, and the last mechanism that it tries is let in."""
    session = await x.session(x.account())
    check(session.mechanisms[-1].startswith("SCRAM-"), f"logged in by {session.mechanisms}")


async def _wrong_password(x: Stage, mechanism: str) -> None:
    account = x.account()
    equal(
        await _refused(x.client(account, mechanism=mechanism, password="not it")),
        "not-authorized",
        "log-in with a wrong password",
    )
    await x.session(account, mechanism=mechanism)


@SUITE.case("scram-sha-1")
async def wrong_password_scram_sha_1(x: Stage) -> None:
    await _wrong_password(x, "SCRAM-SHA-1")


@SUITE.case()
async def wrong_password_scram_sha_256(x: Stage) -> None:
    await _wrong_password(x, "SCRAM-SHA-256")


@SUITE.case("scram-sha-512")
async def wrong_password_scram_sha_512(x: Stage) -> None:
    await _wrong_password(x, "SCRAM-SHA-512")


@SUITE.case()
async def wrong_password_plain(x: Stage) -> None:
    await _wrong_password(x, "PLAIN")


@SUITE.case()
async def missing_account(x: Stage) -> None:
    """Refused in the same words as a wrong password, so that nobody learns who has an account."""
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        client = x.client(x.missing_account(), mechanism=mechanism)
        equal(await _refused(client), "not-authorized", f"log-in of nobody by {mechanism}")


@SUITE.case()
async def plain_not_offered_without_tls(x: Stage) -> None:
    """On 5222 before TLS: not offered, and refused when it is tried all the same."""
    account = x.account()
    stream = x.close_later(await RawStream.connect(x.server.host, x.server.port))
    features = await stream.open(x.server.domain)
    check("PLAIN" not in features, f"PLAIN is offered without TLS: {features}")
    secret = base64.b64encode(f"\0{account.node}\0{account.password}".encode()).decode()
    await stream.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
    answer = await stream.read_until_closed_or("</failure>", "<success")
    check("<success" not in answer, f"PLAIN without TLS succeeded: {answer}")


@SUITE.case("plain-refused-on-loopback")
async def plain_not_offered_on_loopback(x: Stage) -> None:
    """Nor on the listener without TLS: SCRAM is there, PLAIN is not."""
    session = await x.session(x.account(), via=PLAIN)
    offered = offered_mechanisms(session.offered[0])
    check("PLAIN" not in offered, f"offered without TLS: {offered}")
    check(not any(name.endswith("-PLUS") for name in offered), f"channel binding without TLS: {offered}")
    client = x.client(x.account(), via=PLAIN, mechanism="PLAIN")
    client["feature_mechanisms"].unencrypted_plain = True
    check(await _refused(client) != "logged in", "PLAIN without TLS was let in")


@SUITE.case()
async def bind_resource(x: Stage) -> None:
    account = x.account()
    session = await x.session(account, resource="Bibliothèque & Café")
    equal(session.boundjid.full, f"{account.jid}/Bibliothèque & Café", "bound address")


@SUITE.case()
async def bind_without_resource(x: Stage) -> None:
    account = x.account()
    one, two = await x.session(account), await x.session(account)
    check(one.boundjid.resource and two.boundjid.resource, "no resource was made up")
    check(one.boundjid.full != two.boundjid.full, f"both were given {one.boundjid}")
    equal(one.boundjid.bare, account.jid, "bound address")


@SUITE.case()
async def bind_same_resource(x: Stage) -> None:
    """RFC 6120, section 7.7.2.2: the first is ended with conflict, or the second gets another name."""
    account = x.account()
    first = await x.session(account, resource="phone")
    second = x.client(account, resource="phone")
    try:
        await second.log_in()
    except LoginFailed as refusal:
        equal(refusal.reason, "conflict", "refusal of the second")
        return
    if second.boundjid.full == first.boundjid.full:
        equal(await first.ended(), "conflict", "end of the first")
    await second.barrier()


@SUITE.case()
async def many_at_once(x: Stage) -> None:
    """Twelve handshakes and log-ins side by side."""
    account = x.account()
    sessions = [x.client(account, resource=f"r{n}", via=(STARTTLS, DIRECT_TLS)[n % 2]) for n in range(12)]
    await asyncio.gather(*(session.log_in() for session in sessions))
    equal({s.boundjid.resource for s in sessions}, {f"r{n}" for n in range(12)}, "bound resources")
