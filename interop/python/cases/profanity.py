"""Profanity: log-in, refusals, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

import asyncio
import re

from slixmpp.stanza import Presence

from clients.profanity import LOGGED_IN, Profanity
from harness.cases import Suite, check, equal
from harness.contacts import account_with_contact, saw_presence
from harness.coordinates import Account
from harness.files import ask, upload
from harness.images import flag
from harness.program import LOOK_SECS
from harness.relay import Relay
from harness.stage import Stage

SUITE = Suite("")


@SUITE.case()
async def chat(x: Stage) -> None:
    """Logs in, sees a contact come online, is written to, answers."""
    alice, bob = await account_with_contact(x)
    terminal = Profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    # The panel of contacts has him under the heading of who is online.
    await terminal.shows(r"Online \(\d+\)[^\n]*\n[^\n]*Bob Builder")
    seen = await bob.presence(f"{alice.jid}/profanity")
    check(seen["type"] == "available", f"presence {seen}")

    bob.send_message(mto=alice.jid, mbody="Hello from the other side", mtype="chat")
    await terminal.shows(r"<< chat message: Bob Builder.*\(win 2\)")
    terminal.enter("/win 2")
    await terminal.shows(r"Hello from the other side")
    terminal.enter("Ahoi, «übers» Wasser & <zurück>")
    await bob.message("Ahoi, «übers» Wasser & <zurück>")
    await terminal.shows(r"me: Ahoi, «übers» Wasser & <zurück>")
    await terminal.picture("profanity.png")
    terminal.enter("/quit")
    await bob.presence(f"{alice.jid}/profanity", "unavailable")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    terminal = Profanity(x, x.account(), direct_tls=True)
    await terminal.shows(LOGGED_IN)
    check("[TLS]" in terminal.text(), "the title bar does not say TLS")


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it asks and does not log in: the other cases were trusted for a reason."""
    terminal = Profanity(x, x.account(), trusting=False)
    screen = await terminal.shows(r"(?i)certificate")
    check(not re.search(LOGGED_IN, screen), "logged in without trust")
    terminal.enter("/tls deny")
    await terminal.shows(r"(?i)failed|denied|aborted")


@SUITE.case()
async def presence(x: Stage) -> None:
    """Its own is seen, and it sees a contact's change and end."""
    alice, bob = await account_with_contact(x)
    terminal = Profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    await bob.presence(f"{alice.jid}/profanity")
    terminal.enter('/status set away "Out for tea"')
    # It has sent presence several times by then.
    away = await bob.expect("presence away", lambda s: isinstance(s, Presence) and s["show"] == "away")
    equal((away["from"].full, away["status"]), (f"{alice.jid}/profanity", "Out for tea"), "presence")
    bob.send_presence(pshow="dnd", pstatus="Building")
    await terminal.shows(r"Do not disturb \(\d+\)[^\n]*\n[^\n]*Bob Builder")
    await bob.leave()
    await terminal.shows(r"Offline \(\d+\)[^\n]*\n[^\n]*Bob Builder")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it, and asks back."""
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    terminal = Profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    bob.send_presence(pto=alice.jid, ptype="subscribe")
    await terminal.shows("(?i)subscription request|authorization request")
    terminal.enter(f"/sub allow {bob.boundjid.bare}")
    await bob.presence(alice.jid, "subscribed")
    await bob.presence(f"{alice.jid}/profanity")
    terminal.enter(f"/sub request {bob.boundjid.bare}")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await terminal.shows(rf"Online \(\d+\)[^\n]*\n[^\n]*{re.escape(bob.boundjid.bare)}")


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, in their order, once."""
    alice, bob = await account_with_contact(x)
    for body in ("Sent while nobody was there", "And this too"):
        bob.send_message(mto=alice.jid, mbody=body, mtype="chat")
    await bob.barrier()
    terminal = Profanity(x, alice)
    # By his name or by his address: it may not know the roster yet.
    await terminal.shows(r"<< chat message: .*\(win 2\)")
    bob.send_message(mto=f"{alice.jid}/profanity", mbody="Welcome back", mtype="chat")
    terminal.enter("/win 2")
    screen = await terminal.shows("Welcome back")
    found = re.findall("Sent while nobody was there|And this too|Welcome back", screen)
    equal(found, ["Sent while nobody was there", "And this too", "Welcome back"], "messages on the screen")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = x.close_later(await Relay.start(x.server.host, x.server.port))
    alice, bob = await account_with_contact(x)
    terminal = Profanity(x, alice, port=relay.port)
    await terminal.shows(LOGGED_IN)
    await bob.presence(f"{alice.jid}/profanity")
    bob.send_message(mto=alice.jid, mbody="Before the cut", mtype="chat")
    await terminal.shows(r"<< chat message: Bob Builder.*\(win 2\)")
    terminal.enter("/win 2")
    await terminal.shows("Before the cut")
    relay.lose_down()
    bob.send_message(mto=alice.jid, mbody="Lost on the way", mtype="chat")
    await bob.barrier()
    relay.cut()
    bob.send_message(mto=alice.jid, mbody="Sent meanwhile", mtype="chat")
    screen = await terminal.shows("Sent meanwhile")
    found = re.findall("Before the cut|Lost on the way|Sent meanwhile", screen)
    equal(found, ["Before the cut", "Lost on the way", "Sent meanwhile"], "messages on the screen")
    check(not saw_presence(bob, alice, "unavailable"), "bob saw her leave")
    terminal.enter("Back again")
    await bob.message("Back again")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    account = x.account()
    terminal = Profanity(x, Account(account.jid, "wrong"))
    screen = await terminal.shows(r"(?i)login failed|authentication failed")
    check(not re.search(LOGGED_IN, screen), "logged in with a wrong password")


@SUITE.case()
async def files(x: Stage) -> None:
    """It uploads a file and sends its address; and saves one that somebody else has uploaded."""
    alice, bob = await account_with_contact(x)
    terminal = Profanity(x, alice)
    await terminal.shows(LOGGED_IN)
    own, other = flag((255, 0, 0), (0, 0, 255)), flag((0, 128, 0), (255, 255, 0))
    file = terminal.data / "a picture.png"
    file.write_bytes(own)
    terminal.enter(f"/msg {bob.boundjid.bare} look")
    await bob.message("look")
    terminal.enter(f'/sendfile "{file}"')
    message = await bob.message()
    answer = await ask(bob, "GET", message["body"])
    equal((answer.status, answer.content), (200, own), f"what bob finds at {message['body']}")
    equal(answer.headers["content-type"], "image/png", "its type")
    url = await upload(bob, "other.png", other, "image/png")
    bob.send_message(mto=f"{alice.jid}/profanity", mbody=url, mtype="chat")
    await terminal.shows("other.png")
    saved = terminal.data / "saved.png"
    terminal.enter(f"/url save {url} {saved}")
    # What was typed is shown as well, so the screen does not say when it is there.
    while not saved.exists() or saved.stat().st_size < len(other):
        await asyncio.sleep(LOOK_SECS)
    equal(saved.read_bytes(), other, "what it has saved")
