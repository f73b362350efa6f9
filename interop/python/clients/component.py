"""An external component by slixmpp, which keeps what it is sent until a case asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from slixmpp import ComponentXMPP
from slixmpp.stanza import Iq, Message, Presence

from harness.cases import Mismatch
from harness.coordinates import Coordinates


class Component(ComponentXMPP):
    """One stream of a component."""

    def __init__(self, server: Coordinates, name: str, *, secret: str | None = None, host: str | None = None) -> None:
        self.host = host or f"{name}.{server.domain}"
        super().__init__(
            self.host, server.component_secret if secret is None else secret, server.host, server.component_port
        )
        self.coordinates = server
        # What slixmpp would do by itself would answer in the case's stead.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.whitespace_keepalive = False
        self.use_aiodns = False
        for plugin in ("xep_0030", "xep_0199", "xep_0356"):
            self.register_plugin(plugin)
        self.inbox: list[Any] = []
        self.waiting_for = ""
        self._arrived = asyncio.Event()
        self._ended: str | None = None
        self._joined: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.add_filter("in", self._keep)
        self.add_event_handler("session_start", lambda _: self._settle("joined"))
        self.add_event_handler("connection_failed", lambda why: self._end(f"not connected: {why}"))
        self.add_event_handler("stream_error", lambda error: self._end(error["condition"]))
        self.add_event_handler("disconnected", lambda why: self._end(f"disconnected: {why}"))

    async def join(self) -> str:
        """Connect once: `joined`, or the condition of the error that ended the stream."""
        self.waiting_for = "the handshake"
        self.connect()
        how = await self._joined
        self.waiting_for = ""
        return how

    async def expect(self, what: str, match: Callable[[Any], bool]) -> Any:
        """Take the first stanza that matches out of the inbox, waiting for it."""
        while True:
            for index, stanza in enumerate(self.inbox):
                if match(stanza):
                    self.waiting_for = ""
                    return self.inbox.pop(index)
            if self._ended is not None:
                raise Mismatch(f"{self.host}: stream ended ({self._ended}) instead of {what}")
            self.waiting_for = what
            self._arrived.clear()
            await self._arrived.wait()

    async def message(self, body: str) -> Any:
        """The message with this body."""
        return await self.expect(f"a message {body!r}", lambda s: isinstance(s, Message) and s["body"] == body)

    def describe(self) -> str:
        """For a case that ran out of time."""
        return f"{self.host} waits for {self.waiting_for or 'nothing'}, has {len(self.inbox)} stanzas"

    def close(self) -> None:
        """End the connection now."""
        self.abort()

    def _keep(self, stanza: Any) -> Any:
        if isinstance(stanza, Message | Presence | Iq):
            self.inbox.append(stanza)
            self._arrived.set()
        return stanza

    def _settle(self, how: str) -> None:
        if not self._joined.done():
            self._joined.set_result(how)

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._settle(why)
        # slixmpp would go on trying.
        self.abort()
        self._arrived.set()
