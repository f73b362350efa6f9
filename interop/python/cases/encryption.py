"""Messages that the server carries and cannot read: XEP-0384."""

from __future__ import annotations

import logging
from typing import Any

from omemo.storage import Just, Maybe, Nothing, Storage
from slixmpp import JID
from slixmpp.plugins import register_plugin
from slixmpp.stanza import Message
from slixmpp.xmlstream import tostring
from slixmpp_omemo import XEP_0384

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("encryption")

#: That a device which has just been made is not known yet is no news.
logging.getLogger("omemo").setLevel(logging.CRITICAL)


class Keys(Storage):
    """What the library keeps, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[str, Any] = {}

    async def _load(self, key: str) -> Maybe[Any]:
        return Just(self._values[key]) if key in self._values else Nothing()

    async def _store(self, key: str, value: Any) -> None:
        self._values[key] = value

    async def _delete(self, key: str) -> None:
        self._values.pop(key, None)


class Omemo(XEP_0384):
    """Whatever key somebody has is taken for theirs."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._keys = Keys()

    @property
    def storage(self) -> Storage:
        return self._keys

    @property
    def _btbv_enabled(self) -> bool:
        return True

    async def _prompt_manual_trust(self, manually_trusted: Any, identifier: str | None) -> None:
        raise AssertionError(f"nobody is there to look at the keys of {manually_trusted}")


register_plugin(Omemo)


@SUITE.case()
async def omemo(x: Stage) -> None:
    """Two who know nothing of each other find each other's keys, and each reads what the other has written."""
    alice, bob = [await x.online(x.account(), plugins=("xep_0384",)) for _ in range(2)]
    for one in (alice, bob):
        # It has published its keys then, in the present and in the older form.
        await one["xep_0384"].get_session_manager()
    for one, other in ((alice, bob), (bob, alice), (alice, bob)):
        body = f"Only for {other.boundjid}"
        await _tell(one, other.boundjid, body)
        # What has no payload says that a key has been used.
        message = await other.expect(
            "an encrypted message",
            lambda s: isinstance(s, Message) and s.xml.find("{*}encrypted/{*}payload") is not None,
        )
        check(body not in tostring(message.xml), f"the server was shown {body!r}")
        read, device = await other["xep_0384"].decrypt_message(message)
        equal((read["body"], device.bare_jid), (body, one.boundjid.bare), "what was read, and whose device has sent it")


async def _tell(session: Session, to: JID, body: str) -> None:
    message = session.make_message(mto=to, mbody=body, mtype="chat")
    encrypted, errors = await session["xep_0384"].encrypt_message(message, to)
    check(not errors, f"cannot encrypt: {errors}")
    encrypted.send()
