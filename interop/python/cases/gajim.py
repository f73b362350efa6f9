"""Gajim: log-in by the domain, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

from clients.gajim import ACCOUNT, Gajim
from harness.cases import Suite, check, equal
from harness.contacts import account_with_contact, chat_by_records, cut_under_way, saw_presence
from harness.relay import Relay
from harness.reports import report, send_asking
from harness.stage import Stage

SUITE = Suite("")


async def _relay(x: Stage) -> Relay:
    """A relay on the port where clients look for the domain's server."""
    return x.close_later(await Relay.start(x.server.host, x.server.port, at=5222))


@SUITE.case()
async def chat(x: Stage) -> None:
    """Logs in by the domain, has the roster, sees presence and is seen, chats both ways, and leaves."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.logged_in(bob)

    send_asking(bob, alice.jid, "hello", "Hello from the other side")
    await report(bob, "received", "hello", gajim.jid)
    await gajim.open(bob, "Are you there?")
    await report(bob, "displayed", "hello", gajim.jid)
    await gajim.desktop.type("Hello from Gajim, & goodbye <soon>")
    answer = await bob.message("Hello from Gajim, & goodbye <soon>")
    equal(answer["from"].full, gajim.jid, "sender")
    await gajim.picture("gajim.png")

    contacts = await gajim.remote("list_contacts", ACCOUNT)
    for word in ("Bob Builder", bob.boundjid.bare, "'show': <'online'>", "desk"):
        check(word in contacts, f"no {word} in Gajim's contacts: {contacts}")
    await gajim.remote("change_status", "away", "Out for tea", ACCOUNT)
    away = await bob.presence(gajim.jid)
    equal((away.xml.findtext("{*}show"), away["status"]), ("away", "Out for tea"), "presence")
    await gajim.quit()
    await bob.presence(gajim.jid, "unavailable")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it, and asks back by its window."""
    await _relay(x)
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    stranger = bob.boundjid.bare
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.program.logs("Raise event: signed-in")
    bob.send_presence(pto=alice.jid, ptype="subscribe", pstatus="It is me, Bob")
    await gajim.program.logs("Raise event: subscribe-presence-received")
    event = f"{{'type': <'subscription-request'>, 'sub_type': <''>, 'account': <'{ACCOUNT}'>, 'jid': <'{stranger}'>}}"
    await gajim.act("/org/gajim/Gajim", f"{ACCOUNT}-open-event", f"[<{event}>]")
    await gajim.picture("gajim-request.png")

    await gajim.act("/org/gajim/Gajim/window/1", f"subscription-accept-{ACCOUNT}", f"[<['{stranger}', 'Bob']>]")
    await bob.presence(alice.jid, "subscribed")
    await gajim.logged_in(bob)
    # Now it proposes to ask back: the address, then whatever the server says of that, then what to ask for.
    await gajim.desktop.focus("--name", "^Add Contact$")
    await gajim.desktop.key("Return")
    await gajim.program.logs("Disco Info received: ", "Error received: ")
    await gajim.picture("gajim-add.png")
    await gajim.desktop.key("Return")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await gajim.program.logs("Raise event: subscribed-presence-received")
    contacts = await gajim.remote("list_contacts", ACCOUNT)
    check(stranger in contacts, f"no {stranger} in Gajim's contacts: {contacts}")


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, in their order, once."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    send_asking(bob, alice.jid, "first", "Sent while nobody was there")
    send_asking(bob, alice.jid, "second", "And this too")
    await bob.barrier()
    gajim = Gajim(x, alice)
    gajim.start()
    for name in ("first", "second"):
        await report(bob, "received", name, gajim.jid)
    await gajim.open(bob, "Welcome back")
    await report(bob, "displayed", "second", gajim.jid)
    wanted = ["Sent while nobody was there", "And this too", "Welcome back"]
    equal(await gajim.messages("Welcome back"), wanted, "messages")
    await gajim.picture("gajim-offline.png")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start()
    await gajim.logged_in(bob)
    bodies = await cut_under_way(bob, alice, gajim.jid, relay)
    await gajim.program.logs("Session resumption succeeded")
    equal(await gajim.messages(bodies[-1]), bodies, "messages")
    await gajim.open(bob, "Are you there?")
    await report(bob, "displayed", "meanwhile", gajim.jid)
    await gajim.desktop.type("Back again")
    await bob.message("Back again")
    await gajim.picture("gajim-resumed.png")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    """Finds a port with TLS from the first byte by the domain's records; nothing listens where it would look without."""
    await chat_by_records(x, Gajim)


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it asks and does not log in: the other cases were trusted for a reason."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice)
    gajim.start(trusting=False)
    await gajim.desktop.focus("--name", "^SSL Certificate Verification Error$")
    await gajim.picture("gajim-authority.png")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in without trust")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    """It is refused, asks for another, and logs in with the right one."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    gajim = Gajim(x, alice, password="wrong")
    gajim.start()
    await gajim.desktop.focus("--name", "^Password Required$")
    check(not saw_presence(bob, alice), "logged in with a wrong password")
    await gajim.picture("gajim-password.png")
    await gajim.desktop.type(alice.password)
    await gajim.logged_in(bob)
