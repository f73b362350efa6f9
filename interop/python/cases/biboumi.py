"""biboumi between people of the server and IRC: channels, what is said in them and to one alone, and its own absence."""

from __future__ import annotations

from typing import Any

from slixmpp.stanza import Message, Presence

from clients.irc import Irc, IrcClient
from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("")
MUC_USER = "{http://jabber.org/protocol/muc#user}x"


async def _irc(x: Stage) -> Irc:
    irc: Irc = x.close_later(Irc(x))
    await irc.start()
    return irc


async def _enters(session: Session, room: str, nick: str) -> None:
    """Goes into a channel; done when the session is told that it is there (XEP-0045, status 110)."""
    presence = session.make_presence(pto=f"{room}/{nick}")
    presence.xml.append(session.make_presence().xml.makeelement("{http://jabber.org/protocol/muc}x", {}))
    presence.send()

    def is_own(s: Any) -> bool:
        statuses = s.xml.findall(f"{MUC_USER}/{{*}}status") if isinstance(s, Presence) else []
        return any(status.get("code") == "110" for status in statuses)

    own = await session.expect(f"to be in {room}", is_own)
    equal(own["from"].full, f"{room}/{nick}", "the address in the channel")


async def _said(session: Session, sender: str, body: str) -> None:
    """Hears this from somebody in the channel."""

    def match(s: Any) -> bool:
        return isinstance(s, Message) and s["type"] == "groupchat" and s["body"] == body

    message = await session.expect(f"{body!r} in the channel", match)
    equal(message["from"].full, sender, f"who said {body!r}")


@SUITE.case()
async def channel(x: Stage) -> None:
    """Two people and somebody on IRC in one channel: what each says, all of them hear."""
    irc = await _irc(x)
    carol: IrcClient = x.close_later(IrcClient("carol"))
    await carol.join("waxwing")
    alice, bob = await x.online(x.account()), await x.online(x.account())
    room = irc.channel("waxwing")
    await _enters(alice, room, "ally")
    await alice.presence(f"{room}/carol")
    await _enters(bob, room, "bobby")
    await alice.presence(f"{room}/bobby")
    alice.send_message(mto=room, mbody="from alice «☂»", mtype="groupchat")
    await _said(alice, f"{room}/ally", "from alice «☂»")
    await _said(bob, f"{room}/ally", "from alice «☂»")
    await carol.hears(":from alice «☂»")
    carol.say("PRIVMSG #waxwing :from carol <&>")
    await _said(alice, f"{room}/carol", "from carol <&>")
    await _said(bob, f"{room}/carol", "from carol <&>")
    bob.send_presence(pto=f"{room}/bobby", ptype="unavailable")
    await alice.presence(f"{room}/bobby", "unavailable")
    await carol.hears("PART #waxwing")


@SUITE.case()
async def one_alone(x: Stage) -> None:
    """Messages between somebody on IRC and a person, each way."""
    irc = await _irc(x)
    carol: IrcClient = x.close_later(IrcClient("carol"))
    await carol.join("waxwing")
    alice = await x.online(x.account())
    await _enters(alice, irc.channel("waxwing"), "ally")
    alice.send_message(mto=irc.person("carol"), mbody="for carol alone", mtype="chat")
    await carol.hears("PRIVMSG carol :for carol alone")
    carol.say("PRIVMSG ally :for alice alone")
    message = await alice.message("for alice alone")
    equal(message["from"].bare, irc.person("carol"), "sender")


@SUITE.case()
async def is_found(x: Stage) -> None:
    """The domain lists it, and it says what it is."""
    irc = await _irc(x)
    alice = await x.online(x.account(), plugins=("xep_0030",))
    disco = alice["xep_0030"]
    items = await disco.get_items(jid=x.server.domain, timeout=None)
    jids = {item[0] for item in items["disco_items"]["items"]}
    check(irc.name in jids, f"{irc.name} is not among {jids}")
    info = await disco.get_info(jid=irc.name, timeout=None)
    kinds = {(identity[0], identity[1]) for identity in info["disco_info"]["identities"]}
    check(("conference", "irc") in kinds, f"it says that it is {kinds}")


@SUITE.case()
async def waits_while_it_is_away(x: Stage) -> None:
    """What is said to somebody at it while it restarts reaches it, once: it knows that alice is not on IRC, and says so."""
    irc = await _irc(x)
    alice = await x.online(x.account())
    irc.leaves()
    alice.send_message(mto=irc.person("carol"), mbody="said while it was away", mtype="chat")
    await alice.barrier()
    await irc.join()

    def is_refusal(s: Any) -> bool:
        return isinstance(s, Message) and s["type"] == "error"

    refusal = await alice.expect("biboumi's refusal", is_refusal)
    equal(refusal["from"].bare, irc.person("carol"), "who refuses")
    equal(refusal["error"]["text"], "Not connected to IRC server 127.0.0.1", "why")
    # A question behind it, and its answer: a second refusal would have come before that.
    alice.send_message(mto=irc.person("dave"), mbody="marker", mtype="chat")
    marker = await alice.expect("the marker's refusal", is_refusal)
    equal(marker["from"].bare, irc.person("dave"), "who refuses next")
