"""The contact list: RFC 6121 section 2, with versions (section 2.6) where they are offered."""

from __future__ import annotations

from typing import Any

from harness.cases import Skip, Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("roster")
QUERY = "{jabber:iq:roster}query"
ITEM = f"{QUERY}/{{jabber:iq:roster}}item"


async def _fetch(session: Session, version: str | None = None) -> Any:
    """The answer to a roster get; `version` as RFC 6121, section 2.6.2."""
    iq = session.make_iq_get()
    iq.enable("roster")
    if version is not None:
        iq["roster"].xml.set("ver", version)
    return await iq.send(timeout=None)


async def _items(session: Session) -> dict[str, Any]:
    return {item.get("jid"): item for item in (await _fetch(session)).xml.findall(ITEM)}


async def _set(session: Session, contact: str, **item: Any) -> None:
    iq = session.make_iq_set()
    iq["roster"]["items"] = {contact: {"name": "", "groups": [], **item}}
    await iq.send(timeout=None)


def _groups(item: Any) -> set[str]:
    return {group.text for group in item.findall("{jabber:iq:roster}group")}


@SUITE.case()
async def empty_at_first(x: Stage) -> None:
    session = await x.session(x.account())
    equal(await _items(session), {}, "roster of a new account")


@SUITE.case()
async def set_and_get(x: Stage) -> None:
    contact = f"contact@{x.server.domain}"
    account = x.account()
    session = await x.session(account)
    await _set(session, contact, name="Ædith & <co>", groups=["Friends", "Überall"])
    # A new session sees what the first one stored.
    item = (await _items(await x.session(account)))[contact]
    equal(item.get("name"), "Ædith & <co>", "name")
    equal(item.get("subscription"), "none", "subscription")
    equal(_groups(item), {"Friends", "Überall"}, "groups")


@SUITE.case()
async def set_replaces(x: Stage) -> None:
    contact = f"contact@{x.server.domain}"
    session = await x.session(x.account())
    await _set(session, contact, name="First", groups=["A", "B"])
    await _set(session, contact, name="Second", groups=["B"])
    items = await _items(session)
    equal(list(items), [contact], "contacts")
    equal((items[contact].get("name"), _groups(items[contact])), ("Second", {"B"}), "name and groups")


@SUITE.case()
async def subscription_is_not_the_clients(x: Stage) -> None:
    """RFC 6121, section 2.1.2.5: what a client says about `subscription` other than remove is ignored."""
    contact = f"contact@{x.server.domain}"
    session = await x.session(x.account())
    await _set(session, contact, subscription="both")
    equal((await _items(session))[contact].get("subscription"), "none", "subscription")


@SUITE.case()
async def push_to_every_interested_session(x: Stage) -> None:
    contact = f"contact@{x.server.domain}"
    account = x.account()
    one, two = await x.online(account, resource="one"), await x.online(account, resource="two")
    uninterested = await x.session(account, resource="three")
    await _set(one, contact, name="Pushed")
    for session in (one, two):
        equal((await session.push(contact)).get("name"), "Pushed", f"push to {session.boundjid.resource}")
    await uninterested.barrier()
    check(not any(s.xml.find(QUERY) is not None for s in uninterested.inbox), "push without having asked for a roster")


@SUITE.case()
async def remove(x: Stage) -> None:
    contact = f"contact@{x.server.domain}"
    account = x.account()
    one, two = await x.online(account, resource="one"), await x.online(account, resource="two")
    await _set(one, contact, name="Soon gone")
    await two.push(contact)
    await _set(one, contact, subscription="remove")
    equal((await two.push(contact)).get("subscription"), "remove", "pushed subscription")
    equal(await _items(two), {}, "roster after removal")


@SUITE.case()
async def versions(x: Stage) -> None:
    """A roster that has not changed is not sent again; one that has is, whole or in pushes."""
    account = x.account()
    session = await x.session(account)
    if "rosterver" not in session.features:
        raise Skip("roster versions are not offered")
    first = f"first@{x.server.domain}"
    await _set(session, first, name="First")
    version = (await _fetch(session, "")).xml.find(QUERY).get("ver")
    check(version, "a roster without a version")
    check((await _fetch(await x.session(account), version)).xml.find(QUERY) is None, "an unchanged roster was sent")

    second = f"second@{x.server.domain}"
    await _set(session, second, name="Second")
    later = await x.session(account)
    answer = (await _fetch(later, version)).xml.find(QUERY)
    if answer is None:
        equal((await later.push(second)).get("name"), "Second", "push of what changed")
    else:
        names = {item.get("jid") for item in answer}
        equal(names, {first, second}, "the changed roster")
        check(answer.get("ver") not in (None, version), "the version did not change")


@SUITE.case()
async def not_of_others(x: Stage) -> None:
    """Nobody reads or writes another's roster."""
    owner, stranger = x.account(), await x.session(x.account())
    for iq in (stranger.make_iq_get(ito=owner.jid), stranger.make_iq_set(ito=owner.jid)):
        iq.enable("roster")
        check(await x.refusal(iq) in {"service-unavailable", "forbidden", "not-allowed"}, "not refused")
