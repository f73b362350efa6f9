"""Somebody at nbxmpp: what they do, and what they have got."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from gi.repository import GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType, Mode
from nbxmpp.protocol import JID, Message
from nbxmpp.task import Task

#: A case that is not through by then has failed: a bound on hanging, not an expectation.
CASE_SECS_MAX = 120
LOOK_MS = 50


NS = "{jabber:client}"


class Mismatch(Exception):
    """The server did something else than it should."""


class Patience:
    """How long a case may take; one for all of its people."""

    def __init__(self) -> None:
        self._end = time.monotonic() + CASE_SECS_MAX

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        """Let the library work until this is so; what the condition says then."""
        context = GLib.MainContext.default()
        while (found := condition()) in (None, [], set(), False):
            if time.monotonic() > self._end:
                raise Mismatch(f"not within {CASE_SECS_MAX} s: {what}")
            wake = GLib.timeout_add(LOOK_MS, lambda: True)
            context.iteration(True)
            GLib.source_remove(wake)
        return found


def of(stanza: Element, name: str, kind: str | None) -> bool:
    """Whether it is one of these, of this type."""
    return stanza.tag == NS + name and stanza.get("type") == kind


class Person:
    """One connection after the other, of one account."""

    def __init__(self, patience: Patience, jid: str, password: str) -> None:
        self._patience, self._password = patience, password
        self.jid = JID.from_string(jid)
        self._signals: list[str] = []
        self.got: list[Element] = []
        self._client: Client

    def connect(self, *, to_register: bool = False) -> None:
        """Log in, or only come as far as somebody who has no account yet."""
        self._signals.clear()
        self._client = client = Client()
        client.set_domain(self.jid.domain)
        client.set_username(self.jid.localpart)
        client.set_password(self._password)
        client.set_resource("nbxmpp")
        client.set_mode(Mode.REGISTER if to_register else Mode.CLIENT)
        host = f"{os.environ['XMPP_HOST']}:{os.environ['XMPP_PORT']}"
        client.set_custom_host(host, ConnectionProtocol.TCP, ConnectionType.START_TLS)
        for name in ("connected", "disconnected", "connection-failed"):
            client.subscribe(name, lambda _client, name, *_: self._signals.append(name))
        # A copy: the library uses the same node again.
        client.subscribe("stanza-received", lambda _client, _name, stanza: self.got.append(fromstring(str(stanza))))
        client.connect()
        self._patience.until(f"{self.jid} is connected", lambda: self._signals)
        if self._signals[0] != "connected":
            raise Mismatch(f"{self.jid} is not connected: {client.get_error()}")

    def disconnect(self) -> None:
        """End the connection, whatever its state."""
        self._client.disconnect()
        ends = {"disconnected", "connection-failed"}
        self._patience.until(f"{self.jid} is disconnected", lambda: ends & set(self._signals))

    def ask(self, module: str, request: str, *words: Any) -> Any:
        """A request of one of the library's modules; its answer, or its error."""
        answers: list[Any] = []

        # The library keeps no reference to it, nor to the answer when it has returned.
        def answered(task: Task) -> None:
            try:
                answers.append(task.finish())
            except Exception as error:
                answers.append(error)

        getattr(self._client.get_module(module), request)(*words, callback=answered)
        (answer,) = self._patience.until(f"the answer to {request}", lambda: answers)
        if isinstance(answer, Exception):
            raise Mismatch(f"{request}: {answer}")
        return answer

    def online(self) -> None:
        """Log in, read the roster, and say that one is there."""
        self.connect()
        self.contacts()
        self._client.get_module("BasePresence").send()
        self.sees(self.jid.bare)

    def contacts(self) -> dict[str, str]:
        """The addresses in the roster, and whose presence is seen."""
        return {str(item.jid): item.subscription for item in self.ask("Roster", "request_roster").items}

    def subscribe(self, jid: str, token: str) -> None:
        """Ask for somebody's presence, with the token of an invitation."""
        self._client.get_module("BasePresence").subscribe(JID.from_string(jid), preauth=token)

    def allow(self, jid: str) -> None:
        """Wait until somebody asks to see this one's presence, and let them."""
        self.gets(f"a request of {jid}", lambda s: of(s, "presence", "subscribe") and s.get("from") == jid)
        self._client.get_module("BasePresence").subscribed(JID.from_string(jid))

    def say(self, jid: str, body: str) -> None:
        """Send a message."""
        self._client.send_stanza(Message(to=jid, body=body, typ="chat"))

    def hears(self, body: str) -> str:
        """Wait for a message; who has sent it."""
        return self.gets(f"the message {body!r}", lambda s: s.findtext(f"{NS}body") == body).get("from", "")

    def sees(self, jid: str) -> None:
        """Wait until somebody is there."""
        self.gets(f"presence of {jid}", lambda s: of(s, "presence", None) and s.get("from", "").startswith(f"{jid}/"))

    def asked(self) -> list[str]:
        """Who has asked to see this one's presence."""
        return [s.get("from", "") for s in self.got if of(s, "presence", "subscribe")]

    def gets(self, what: str, matches: Callable[[Element], bool]) -> Element:
        """Wait for a stanza, which may be there already."""
        return self._patience.until(f"{self.jid} gets {what}", lambda: next((s for s in self.got if matches(s)), None))
