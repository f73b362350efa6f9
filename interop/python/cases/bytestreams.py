"""Bytes from client to client by a relay: XEP-0065, as slixmpp does it."""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp.exceptions import IqError

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
PLUGINS = ("xep_0065",)
#: More than any buffer on the way holds.
CONTENT = bytes(at % 251 for at in range(4 * 1024 * 1024))


async def _session(x: Stage) -> Session:
    session = await x.online(x.account(), plugins=PLUGINS)
    session["xep_0065"].auto_accept = True
    return session


def _collected(session: Session) -> tuple[bytearray, asyncio.Event]:
    """What comes over byte streams, and whether all of it is there."""
    content, whole = bytearray(), asyncio.Event()

    def add(data: bytes) -> None:
        content.extend(data)
        if len(content) >= len(CONTENT):
            whole.set()

    session.add_event_handler("socks5_data", add)
    return content, whole


@SUITE.case()
async def both_ways(x: Stage) -> None:
    """The relay is found, two clients meet there, and what each sends reaches the other."""
    alice, bob = await _session(x), await _session(x)
    to_alice, to_bob = _collected(alice), _collected(bob)
    at_bob: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    bob.add_event_handler("socks5_stream", at_bob.set_result)
    at_alice = await alice["xep_0065"].handshake(bob.boundjid.full, timeout=None)
    check(at_alice is not None, "no stream")
    found = alice["xep_0065"]._proxies
    equal([str(jid) for jid in found], [f"proxy.{alice.boundjid.domain}"], "relays that are found")
    await at_alice.write(CONTENT)
    await (await at_bob).write(CONTENT)
    for content, whole in (to_alice, to_bob):
        await whole.wait()
        equal(bytes(content), CONTENT, "what came")


@SUITE.case()
async def not_without_connections(x: Stage) -> None:
    """An order to join what is not there is refused."""
    alice, bob = await _session(x), await _session(x)
    proxy = f"proxy.{alice.boundjid.domain}"
    try:
        await alice["xep_0065"].activate(proxy, "nothing", bob.boundjid.full, timeout=None)
    except IqError as error:
        equal(error.condition, "item-not-found", "the answer")
    else:
        check(False, "it was joined")
