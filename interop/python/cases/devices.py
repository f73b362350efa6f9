"""Devices: XEP-0388, XEP-0386 and XEP-0484 by another hand than the server's own client, and XEP-0494."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import ssl
from uuid import uuid4

from harness.cases import Suite, check, equal
from harness.coordinates import Account
from harness.raw import RawStream
from harness.stage import Stage

SUITE = Suite("devices")
SASL2 = "urn:xmpp:sasl:2"
FAST = "urn:xmpp:fast:0"


async def _stream(x: Stage) -> RawStream:
    """A stream inside TLS, with its features read."""
    trust = ssl.create_default_context(cafile=str(x.server.ca_file))
    stream = x.close_later(await RawStream.connect(x.server.host, x.server.tls_port, trust, x.server.domain))
    features = await stream.open(x.server.domain)
    check(SASL2 in features, f"no SASL2: {features}")
    return stream


async def _authenticate(stream: RawStream, mechanism: str, initial: bytes, inside: str) -> str:
    await stream.send(
        f"<authenticate xmlns='{SASL2}' mechanism='{mechanism}'>"
        f"<initial-response>{base64.b64encode(initial).decode()}</initial-response>{inside}"
        "<bind xmlns='urn:xmpp:bind:0'><tag>python</tag></bind></authenticate>"
    )
    return await stream.read_until_closed_or("</success>", "</failure>")


def _between(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    check(found, f"no {pattern} in {text}")
    return found.group(1)


def _proof(account: Account, token: str, binding: bytes) -> bytes:
    return account.node.encode() + b"\0" + hmac.digest(token.encode(), b"Initiator" + binding, "sha256")


async def _with_token(x: Stage, mechanism: str, end_point: bool) -> None:
    account = x.account()
    agent = f"<user-agent id='{uuid4()}'><software>interop</software></user-agent>"
    plain = f"\0{account.node}\0{account.password}".encode()
    wish = f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"
    answer = await _authenticate(await _stream(x), "PLAIN", plain, agent + wish)
    token = _between(answer, r"<token [^>]*token=['\"]([^'\"]+)")
    address = _between(answer, r"<authorization-identifier>([^<]+)")
    check(address.startswith(f"{account.jid}/python/"), f"bound as {address}")
    stream = await _stream(x)
    binding = hashlib.sha256(stream.certificate()).digest() if end_point else b""
    fast = f"<fast xmlns='{FAST}' count='1'/>"
    answer = await _authenticate(stream, mechanism, _proof(account, token, binding), agent + fast)
    said = base64.b64decode(_between(answer, r"<additional-data>([^<]+)"))
    equal(said, hmac.digest(token.encode(), b"Responder" + binding, "sha256"), "the server's proof")
    equal(_between(answer, r"<authorization-identifier>([^<]+)"), address, "the address")
    # The same once more is refused, and so is what is bound to something else.
    answer = await _authenticate(await _stream(x), mechanism, _proof(account, token, binding), agent + fast)
    check("<not-authorized" in answer, f"played again: {answer}")
    other = f"<fast xmlns='{FAST}' count='2'/>"
    answer = await _authenticate(await _stream(x), mechanism, _proof(account, token, b"x"), agent + other)
    check("<not-authorized" in answer, f"bound to something else: {answer}")


@SUITE.case()
async def a_token_bound_to_nothing(x: Stage) -> None:
    """As browsers have to do it: draft-schmaus-kitten-sasl-ht, worked out here."""
    await _with_token(x, "HT-SHA-256-NONE", end_point=False)


@SUITE.case()
async def a_token_bound_to_the_certificate(x: Stage) -> None:
    """RFC 5929 §4: its hash."""
    await _with_token(x, "HT-SHA-256-ENDP", end_point=True)


@SUITE.case()
async def clients_are_listed(x: Stage) -> None:
    session = await x.online(x.account(), resource="desk", plugins=("xep_0494",))
    [client] = await session["xep_0494"].get_clients()
    equal((client["id"], client["connected"]), ("session/desk", True), "the client that asks")
