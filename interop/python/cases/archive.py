"""The archive: XEP-0313, its preferences: XEP-0441."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from slixmpp.exceptions import IqError

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("archive")
PLUGINS = ("xep_0059", "xep_0313", "xep_0441")
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


async def _three(x: Stage) -> tuple[Session, Session, Session]:
    """alice, and bob's phone and desk."""
    account = x.account()
    phone, desk = [await x.online(account, resource=r, plugins=PLUGINS) for r in ("phone", "desk")]
    return await x.online(x.account(), plugins=PLUGINS), phone, desk


async def _talk(alice: Session, phone: Session, messages: int) -> list[str]:
    bodies = [f"message {n}" for n in range(messages)]
    for n, body in enumerate(bodies):
        sender, receiver = (alice, phone) if n % 2 else (phone, alice)
        sender.send_message(mto=receiver.boundjid.full, mbody=body, mtype="chat")
        await receiver.message(body)
    return bodies


async def _read(session: Session, **query: Any) -> list[tuple[str, str]]:
    """Ids and bodies, page by page."""
    found = []
    async for result in session["xep_0313"].iterate(**query):
        found.append((result["mam_result"]["id"], result["mam_result"]["forwarded"]["stanza"]["body"]))
    return found


@SUITE.case()
async def everything_in_order(x: Stage) -> None:
    """A second device reads, in pages of seven, what the first one has sent and received; backwards it is the same."""
    alice, phone, desk = await _three(x)
    bodies = await _talk(alice, phone, 40)
    found = await _read(desk, rsm={"max": 7})
    equal([body for _, body in found], bodies, "the archive")
    equal(len({i for i, _ in found}), len(bodies), "different ids")
    backwards = await _read(desk, reverse=True, rsm={"max": 7})
    equal(sorted(backwards), sorted(found), "the archive backwards")
    equal([body for _, body in await _read(alice)], bodies, "the archive of the other side")


@SUITE.case()
async def with_one_and_within_a_time(x: Stage) -> None:
    alice, phone, desk = await _three(x)
    carol = await x.online(x.account())
    bodies = await _talk(alice, phone, 4)
    between = datetime.now(UTC)
    carol.send_message(mto=phone.boundjid.full, mbody="by carol", mtype="chat")
    await phone.message("by carol")
    found = await _read(desk, with_jid=alice.boundjid.bare)
    equal([body for _, body in found], bodies, "with alice")
    equal([body for _, body in await _read(desk, with_jid=carol.boundjid.bare)], ["by carol"], "with carol")
    found = await _read(desk, start=between)
    equal([body for _, body in found], ["by carol"], "since then")
    found = await _read(desk, end=between - timedelta(hours=1))
    equal(found, [], "an hour ago")


@SUITE.case()
async def ids_are_those_of_the_archive(x: Stage) -> None:
    alice, phone, desk = await _three(x)
    alice.send_message(mto=phone.boundjid.full, mbody="hello", mtype="chat")
    live = (await phone.message("hello")).xml.find(STANZA_ID)
    check(live is not None, "a message has no id")
    equal(live.get("by"), phone.boundjid.bare, "who gave the id")
    [(found, _)] = await _read(desk)
    equal(found, live.get("id"), "the id in the archive")
    metadata = await desk["xep_0313"].get_archive_metadata()
    equal(metadata["mam_metadata"]["start"]["id"], found, "the oldest")
    equal(metadata["mam_metadata"]["end"]["id"], found, "the newest")


@SUITE.case()
async def an_unknown_place(x: Stage) -> None:
    _, _, desk = await _three(x)
    try:
        await desk["xep_0313"].retrieve(rsm={"after": "somewhere"})
    except IqError as error:
        equal(error.condition, "item-not-found", "the error")
    else:
        check(False, "an unknown id is a place in the archive")


@SUITE.case()
async def preferences(x: Stage) -> None:
    alice, phone, desk = await _three(x)
    default, _, _ = await desk["xep_0441"].get_preferences()
    equal(default, "always", "the default")
    after = await desk["xep_0441"].set_preferences(default="always", never=[alice.boundjid.bare])
    equal({jid.full for jid in after["mam_prefs"]["never"]}, {alice.boundjid.bare}, "never")
    await _talk(alice, phone, 2)
    equal(await _read(desk), [], "the archive")
    equal(len(await _read(alice)), 2, "messages in the archive of the other side")
