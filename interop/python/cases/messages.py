"""One-to-one messages: RFC 6121 section 5, and where the server sends them (section 8.5)."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from slixmpp.stanza import Message

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("messages")


def _send(sender: Session, to: str, body: str, kind: str | None = "chat") -> None:
    message = sender.make_message(mto=to, mbody=body, mtype=kind)
    if kind is None:
        message.xml.attrib.pop("type", None)
    message.send()


async def _got(session: Session, sender: Session, marker: str) -> list[str]:
    """All bodies that the session has got once everything that `sender` sent before has arrived."""
    _send(sender, session.boundjid.full, marker)
    await session.message(marker)
    bodies = session.bodies()
    session.inbox.clear()
    return bodies


@SUITE.case()
async def to_full_address(x: Stage) -> None:
    alice = await x.online(x.account())
    account = x.account()
    phone, desk = await x.online(account, resource="phone"), await x.online(account, resource="desk", priority=5)
    for kind in ("chat", "normal", "headline", None):
        body = f"a {kind} message"
        _send(alice, phone.boundjid.full, body, kind)
        got = await phone.message(body)
        equal(got["from"].full, alice.boundjid.full, "sender")
        equal(got["to"].full, phone.boundjid.full, "recipient")
        equal(got.xml.get("type"), kind, "type")
    equal(await _got(desk, alice, "marker"), [], "what the other session got")


@SUITE.case()
async def to_bare_address(x: Stage) -> None:
    alice, bob = await x.online(x.account()), await x.online(x.account(), resource="only")
    for kind in ("chat", "normal", "headline", None):
        body = f"a {kind} message"
        _send(alice, bob.boundjid.bare, body, kind)
        equal((await bob.message(body))["from"].full, alice.boundjid.full, "sender")


@SUITE.case()
async def between_sessions_of_one_account(x: Stage) -> None:
    account = x.account()
    one, two = await x.online(account, resource="one"), await x.online(account, resource="two")
    _send(one, two.boundjid.full, "note to self")
    equal((await two.message("note to self"))["from"].full, one.boundjid.full, "sender")


@SUITE.case()
async def highest_priority_gets_it(x: Stage) -> None:
    """Section 8.5.2.1.1: to the bare address, the session with the highest priority gets it, at least."""
    alice, account = await x.online(x.account()), x.account()
    low = await x.online(account, resource="low", priority=1)
    high = await x.online(account, resource="high", priority=10)
    _send(alice, account.jid, "first")
    await high.message("first")
    # Priorities may change.
    low.send_presence(ppriority=20)
    await low.barrier()
    low.inbox.clear()
    _send(alice, account.jid, "second")
    await low.message("second")


@SUITE.case()
async def negative_priority_gets_none(x: Stage) -> None:
    """Section 8.5.2: never by the bare address, of whatever type; by the full address, yes."""
    alice, account = await x.online(x.account()), x.account()
    willing = await x.online(account, resource="willing", priority=0)
    negative = await x.online(account, resource="negative", priority=-1)
    for kind in ("chat", "normal", "headline"):
        _send(alice, account.jid, f"bare {kind}", kind)
        await willing.message(f"bare {kind}")
    _send(alice, negative.boundjid.full, "full")
    equal(await _got(negative, alice, "marker"), ["full"], "what the negative session got")


async def _only_negative(x: Stage) -> tuple[Session, Session]:
    alice, account = await x.online(x.account()), x.account()
    negative = await x.online(account, resource="negative", priority=-5)
    _send(alice, account.jid, "kept", "chat")
    _send(alice, account.jid, "not kept", "headline")
    equal(await _got(negative, alice, "marker"), [], "what the negative session got")
    return alice, negative


@SUITE.case()
async def only_negative_means_away(x: Stage) -> None:
    """Section 8.5.2.2: then chat is kept until a willing session comes, and a headline is not."""
    alice, negative = await _only_negative(x)
    willing = await x.online(negative.account)
    await willing.message("kept")
    equal(await _got(willing, alice, "marker"), [], "what else came")
    equal(await _got(negative, alice, "marker"), [], "what the negative session got")


@SUITE.case("offline-on-priority-change")
async def priority_raised(x: Stage) -> None:
    """XEP-0160, section 2: or until the negative session becomes willing."""
    alice, negative = await _only_negative(x)
    negative.send_presence(ppriority=0)
    await negative.message("kept")
    equal(await _got(negative, alice, "marker"), [], "what else came")


@SUITE.case()
async def session_without_presence_gets_none(x: Stage) -> None:
    """A session that has not sent presence is not available: by its full address only."""
    alice, account = await x.online(x.account()), x.account()
    silent = await x.session(account, resource="silent")
    online = await x.online(account, resource="online")
    _send(alice, account.jid, "for who is there")
    await online.message("for who is there")
    equal(await _got(silent, alice, "marker"), [], "what the silent session got")


@SUITE.case()
async def headline_goes_to_all(x: Stage) -> None:
    """Section 8.5.2.1.1: to every session whose priority is not negative."""
    alice, account = await x.online(x.account()), x.account()
    sessions = [await x.online(account, resource=f"r{n}", priority=n) for n in range(3)]
    _send(alice, account.jid, "news", "headline")
    for session in sessions:
        await session.message("news")


@SUITE.case()
async def full_address_that_left(x: Stage) -> None:
    """Section 8.5.3.2.1: chat and normal go as to the bare address, a headline goes nowhere."""
    alice, account = await x.online(x.account()), x.account()
    gone = await x.online(account, resource="gone")
    left = await x.online(account, resource="left", priority=1)
    await gone.leave()
    _send(alice, gone.boundjid.full, "chat", "chat")
    await left.message("chat")
    _send(alice, gone.boundjid.full, "headline", "headline")
    equal(await _got(left, alice, "marker"), [], "what else came")


@SUITE.case()
async def missing_account(x: Stage) -> None:
    """Section 8.5.1: an error for a message or request, nothing for an error or a headline."""
    alice, nobody = await x.online(x.account()), x.missing_account().jid
    for kind in ("chat", "normal"):
        message = alice.make_message(mto=nobody, mbody="anybody?", mtype=kind)
        message["id"] = f"to-nobody-{kind}"
        message.send()
        error = await alice.expect("an error", lambda s: isinstance(s, Message) and s["type"] == "error")
        equal(error["error"]["condition"], "service-unavailable", "condition")
        equal((error["id"], error["from"].bare), (f"to-nobody-{kind}", nobody), "id and sender of the error")
    stranger = x.account().jid
    # XEP-0012, section 3, forbids a stranger to ask; who is nobody must not be told by another answer.
    for namespace, expected in (("jabber:iq:version", "service-unavailable"), ("jabber:iq:last", "forbidden")):
        for whom in (nobody, stranger):
            iq = alice.make_iq_get(ito=whom, queryxmlns=namespace)
            equal(await x.refusal(iq), expected, f"{namespace} of {whom}")
    stray = alice.make_message(mto=nobody, mtype="error")
    stray["error"]["condition"] = "gone"
    stray.send()
    await alice.barrier()
    check(not [s for s in alice.inbox if isinstance(s, Message)], "an error was answered by an error")


@SUITE.case()
async def request_to_missing_session(x: Stage) -> None:
    """Section 8.5.3.2.3."""
    alice, account = await x.online(x.account()), x.account()
    iq = alice.make_iq_get(ito=f"{account.jid}/nowhere", queryxmlns="jabber:iq:version")
    equal(await x.refusal(iq), "service-unavailable", "request to a session that is not there")


@SUITE.case()
async def sender_is_not_forged(x: Stage) -> None:
    """RFC 6120, section 8.1.2.1: another's address as sender is replaced or refused, never carried."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    alice.send_raw(
        f"<message from='{bob.boundjid.bare}' to='{bob.boundjid.full}' type='chat'><body>forged</body></message>"
    )
    _send(alice, bob.boundjid.full, "marker")
    first = await bob.expect("any message", lambda s: isinstance(s, Message)) if await _alive(alice) else None
    check(first is None or first["from"].full == alice.boundjid.full, f"the forged message was carried: {first}")


async def _alive(session: Session) -> bool:
    """Whether the stream outlived what was just sent on it."""
    pong = session.make_iq_get(ito=session.coordinates.domain)
    pong.enable("ping")
    pong.send(callback=session.inbox.append, timeout=None)
    return await session.expect_or_end(lambda s: s.xml.get("id") == pong["id"]) is not None


async def _carried(x: Stage, payload: str) -> None:
    """Send the children of a message, and find them unchanged at the other side."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    alice.send_raw(f"<message to='{bob.boundjid.full}' type='chat' id='whole'>{payload}</message>")
    got = await bob.expect("the message", lambda s: isinstance(s, Message) and s["id"] == "whole")
    wanted = ET.fromstring(f"<message xmlns='jabber:client'>{payload}</message>")
    # The server may add children of its own (a stanza-id, a delay), after those that were sent.
    for index, child in enumerate(wanted):
        equal(ET.canonicalize(ET.tostring(got.xml[index])), ET.canonicalize(ET.tostring(child)), f"child {index}")


@SUITE.case()
async def payload_is_untouched(x: Stage) -> None:
    """What the server does not know reaches the other side as it was: names, order, text, languages."""
    await _carried(
        x,
        "<body xml:lang='fr'>Un &lt;été&gt; &amp; «\u202f𝄞\u202f» 👩🏽‍🚀\n\tfin</body>"
        "<body xml:lang='de'>Ä</body>"
        "<x:thing xmlns:x='urn:example:unknown' x:b='2' a='1 &quot;quoted&apos;'>"
        "<inner xmlns='urn:example:other'> spaces <deep/> kept </inner><![CDATA[<raw>&amp;]]></x:thing>",
    )


@SUITE.case("newline-in-attribute")
async def newline_in_attribute(x: Stage) -> None:
    """XML 1.0, section 3.3.3: a newline survives in an attribute only as a character reference."""
    await _carried(x, "<body/><thing xmlns='urn:example:unknown' a='one&#10;two&#9;three&#13;'/>")


@SUITE.case()
async def order_is_kept(x: Stage) -> None:
    alice, bob = await x.online(x.account()), await x.online(x.account())
    bodies = [f"message {n}" for n in range(300)]
    for body in bodies:
        _send(alice, bob.boundjid.full, body)
    await bob.message(bodies[-1])
    equal(bob.bodies(), bodies[:-1], "messages before the last")
