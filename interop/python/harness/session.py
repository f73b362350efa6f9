"""A slixmpp client that keeps what it is sent, in order, until a case asks for it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq, Message, Presence

from .cases import Mismatch
from .coordinates import Account, Coordinates

#: Failures are reported by the cases; slixmpp's own complaints would only repeat them.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

STARTTLS, DIRECT_TLS, PLAIN = "starttls", "direct tls", "plain"
SM = "{urn:xmpp:sm:3}"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


class LoginFailed(Exception):
    """The stream ended, or log-in was refused, before a resource was bound."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Session(ClientXMPP):
    """One client stream (several, one after the other, where it resumes)."""

    def __init__(
        self,
        server: Coordinates,
        account: Account,
        *,
        resource: str = "",
        via: str = STARTTLS,
        mechanism: str | None = None,
        password: str | None = None,
        alpn: list[str] | None = None,
        tls_max: ssl.TLSVersion | None = None,
        plugins: tuple[str, ...] = (),
    ) -> None:
        jid = f"{account.jid}/{resource}" if resource else account.jid
        super().__init__(jid, account.password if password is None else password, sasl_mech=mechanism)
        self.coordinates, self.account, self.via = server, account, via
        # What slixmpp would do by itself would answer in the case's stead.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.whitespace_keepalive = False
        self.use_aiodns = False
        self.ssl_context = ssl.create_default_context(cafile=str(server.ca_file))
        if alpn:
            self.ssl_context.set_alpn_protocols(alpn)
        if tls_max:
            self.ssl_context.maximum_version = tls_max
        self.enable_starttls = via == STARTTLS
        self.enable_direct_tls = via == DIRECT_TLS
        self.enable_plaintext = via == PLAIN
        # SCRAM never shows the password, so a loopback stream without TLS may use it; PLAIN may not.
        self["feature_mechanisms"].unencrypted_scram = via == PLAIN
        for plugin in plugins:
            self.register_plugin(plugin)

        #: Messages, presence, IQ stanzas and stream management that no case has taken yet.
        self.inbox: list[Any] = []
        #: What was negotiated, as seen on the wire: the features of each stream header, and the
        #: mechanisms that were tried.
        self.offered: list[Any] = []
        self.mechanisms: list[str] = []
        self.waiting_for = ""
        self._arrived = asyncio.Event()
        self._ended: str | None = None
        self._logged_in: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._refused = ""
        self.add_filter("in", self._keep)
        self.add_filter("out_sync", self._note_mechanism)
        self.add_event_handler("session_start", lambda _: self._settle("started"))
        self.add_event_handler("session_resumed", lambda _: self._settle("resumed"))
        self.add_event_handler("failed_auth", self._note_refusal)
        self.add_event_handler("failed_all_auth", lambda _: self._end(self._refused or "no mechanism"))
        self.add_event_handler("stream_negotiated", self._check_bound)
        self.add_event_handler("connection_failed", self._connection_failed)
        self.add_event_handler("stream_error", lambda error: self._end(error["condition"]))
        self.add_event_handler("disconnected", lambda why: self._end(f"disconnected: {why}"))

    # Log-in

    async def log_in(self, host: str | None = None, port: int | None = None) -> str:
        """Connect and log in; `started` or `resumed`. Raises LoginFailed. Never tries again."""
        ports = {
            STARTTLS: self.coordinates.port,
            DIRECT_TLS: self.coordinates.tls_port,
            PLAIN: self.coordinates.plain_port,
        }
        self._ended, self._refused = None, ""
        self._logged_in = asyncio.get_running_loop().create_future()
        self.waiting_for = "log-in"
        self.connect(host or self.coordinates.host, port or ports[self.via])
        how = await self._logged_in
        self.waiting_for = ""
        return how

    async def go_online(self, priority: int = 0) -> None:
        """Fetch the roster and send initial presence, as clients do; done when the server has seen it."""
        await self.get_roster()
        self.send_presence(ppriority=priority)
        await self.barrier()

    async def barrier(self) -> None:
        """Everything that this session sent before has been handled by the server."""
        iq = self.make_iq_get(ito=self.coordinates.domain)
        iq.enable("ping")
        self.waiting_for = "a ping's answer"
        await iq.send(timeout=None)
        self.waiting_for = ""

    # What came

    async def expect(self, what: str, match: Callable[[Any], bool]) -> Any:
        """Take the first stanza that matches out of the inbox, waiting for it."""
        while True:
            for index, stanza in enumerate(self.inbox):
                if match(stanza):
                    self.waiting_for = ""
                    return self.inbox.pop(index)
            if self._ended is not None:
                raise Mismatch(f"{self.boundjid}: stream ended ({self._ended}) instead of {what}")
            self.waiting_for = what
            self._arrived.clear()
            await self._arrived.wait()

    async def expect_or_end(self, match: Callable[[Any], bool]) -> Any:
        """As `expect`; None if the stream ends first."""
        while self._ended is None:
            for index, stanza in enumerate(self.inbox):
                if match(stanza):
                    return self.inbox.pop(index)
            self.waiting_for = "an answer, or the end of the stream"
            self._arrived.clear()
            await self._arrived.wait()
        return None

    async def message(self, body: str | None = None) -> Any:
        """Take a message: the one with this body, or the next that has any."""
        return await self.expect(
            f"message {body!r}" if body is not None else "a message",
            lambda s: isinstance(s, Message) and (s["body"] == body if body is not None else bool(s["body"])),
        )

    async def presence(self, sender: str, kind: str = "available") -> Any:
        """Take presence of this kind from this address (bare: from any of its resources)."""

        def match(s: Any) -> bool:
            if not isinstance(s, Presence) or s.xml.get("type", "available") != kind:
                return False
            return s["from"].full == sender or ("/" not in sender and s["from"].bare == sender)

        return await self.expect(f"presence {kind} from {sender}", match)

    async def push(self, contact: str, subscription: str | None = None) -> Any:
        """Take the next roster push about a contact, or the next that says this; its `item` element."""
        roster = "{jabber:iq:roster}query/{jabber:iq:roster}item"

        def match(s: Any) -> bool:
            if not isinstance(s, Iq) or s["type"] != "set":
                return False
            item = s.xml.find(roster)
            if item is None or item.get("jid") != contact:
                return False
            return subscription is None or item.get("subscription") == subscription

        what = f"a roster push about {contact} {subscription or ''}"
        return (await self.expect(what, match)).xml.find(roster)

    def bodies(self) -> list[str]:
        """The bodies of all messages in the inbox, which stay there."""
        return [s["body"] for s in self.inbox if isinstance(s, Message) and s["body"]]

    async def ended(self) -> str:
        """Wait until the stream is closed; why."""
        while self._ended is None:
            self.waiting_for = "the end of the stream"
            self._arrived.clear()
            await self._arrived.wait()
        return self._ended

    # Leaving

    async def leave(self) -> None:
        """Close the stream as a client does that logs out."""
        if self.transport is not None:
            self.disconnect(wait=5.0)
            await self.ended()

    def reset(self) -> None:
        """Abort the TCP connection: no closing tag, no TLS alert, a RST."""
        if self.transport is None:
            return
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cancel_connection_attempt()
        self.transport.abort()

    async def close(self) -> None:
        """End it without a word, and slixmpp's background task with it."""
        self.reset()
        self.cancel_connection_attempt()
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()
            await asyncio.wait([self._run_out_filters])

    def describe(self) -> str:
        """One line for a failed case."""
        had = "; ".join(str(s) for s in self.inbox) or "nothing"
        state = f"ended: {self._ended}" if self._ended else f"waits for {self.waiting_for or 'nothing'}"
        return f"{self.boundjid} {state}, has {had}"

    # slixmpp's events

    def _keep(self, stanza: Any) -> Any:
        if isinstance(stanza, (Message, Presence, Iq)) or stanza.xml.tag.startswith(SM):
            self.inbox.append(stanza)
            self._arrived.set()
        elif stanza.name == "features":
            self.offered.append(stanza)
        return stanza

    def _note_mechanism(self, stanza: Any) -> Any:
        if stanza.xml.tag == f"{{{SASL}}}auth":
            self.mechanisms.append(stanza["mechanism"])
        return stanza

    def _note_refusal(self, failure: Any) -> None:
        self._refused = failure["condition"]

    def _check_bound(self, _: Any) -> None:
        # slixmpp goes through what is offered and says so; if log-in was not, it would wait forever.
        if "mechanisms" not in self.features:
            self._end("no log-in offered")

    def _connection_failed(self, error: Any) -> None:
        # slixmpp would try again in a while, and again: a case says how often something is tried.
        self.cancel_connection_attempt()
        self._end(f"no connection: {error}")

    def _settle(self, how: str) -> None:
        if not self._logged_in.done():
            self._logged_in.set_result(how)

    def _end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = reason
        if not self._logged_in.done():
            self._logged_in.set_exception(LoginFailed(self._ended))
        self._arrived.set()


def offered_mechanisms(features: Any) -> set[str]:
    """The SASL mechanisms in a features element."""
    return {m.text for m in features.xml.findall(f"{{{SASL}}}mechanisms/{{{SASL}}}mechanism")}
