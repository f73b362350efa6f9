"""Dino: log-in by the domain, roster, subscription, chat both ways, offline, presence, resumption."""

from __future__ import annotations

from clients.dino import Dino
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
    """Logs in by the domain, has the roster, sees presence and is seen, chats both ways, and ends."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start()
    await dino.logged_in(bob)
    names = await dino.found("SELECT name FROM roster WHERE jid = ?", bob.boundjid.bare)
    equal(names, ["Bob Builder"], "name in Dino's roster")
    # All that came from him until now is presence.
    await dino.program.logs(f":from='{bob.boundjid.full}'")

    send_asking(bob, alice.jid, "hello", "Hello from the other side")
    await report(bob, "received", "hello", dino.jid)
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "hello", dino.jid)
    await dino.desktop.type("Hello from Dino, & goodbye <soon>")
    answer = await bob.message("Hello from Dino, & goodbye <soon>")
    equal(answer["from"].full, dino.jid, "sender")
    await dino.desktop.picture("dino.png")
    # It does not wait until what it has written last is out: on a busy machine nobody hears that it leaves.
    await dino.act("quit", "[]")
    equal(await dino.program.ended(), 0, "exit code")


@SUITE.case()
async def subscription(x: Stage) -> None:
    """Is asked by a stranger, allows it as its notification would, and asks back."""
    await _relay(x)
    alice, bob = x.account(), await x.online(x.account(), resource="desk")
    stranger = bob.boundjid.bare
    dino = Dino(x, alice)
    dino.start()
    await dino.program.logs("{jabber:client}:presence")
    bob.send_presence(pto=alice.jid, ptype="subscribe")
    send_asking(bob, alice.jid, "ask", "It is me, Bob")
    await dino.open(stranger)
    # It shows the one request that it got twice.
    await dino.desktop.picture("dino-request.png")
    query = "SELECT c.id FROM conversation c JOIN jid j ON j.id = c.jid_id WHERE j.bare_jid = ?"
    (conversation,) = await dino.found(query, stranger)
    await dino.act("accept-subscription", f"[<{conversation}>]")
    await bob.presence(alice.jid, "subscribed")
    await bob.presence(alice.jid, "subscribe")
    bob.send_presence(pto=alice.jid, ptype="subscribed")
    await bob.push(alice.jid, "both")
    await dino.logged_in(bob)


@SUITE.case()
async def offline(x: Stage) -> None:
    """Messages that were sent while it was away are there when it comes, once."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    send_asking(bob, alice.jid, "first", "Sent while nobody was there")
    send_asking(bob, alice.jid, "second", "And this too")
    await bob.barrier()
    dino = Dino(x, alice)
    dino.start()
    # What comes while its window has the keys is displayed, and it says no more.
    for name in ("first", "second"):
        await report(bob, "received or displayed", name, dino.jid)
    send_asking(bob, alice.jid, "marker", "Welcome back")
    await report(bob, "received", "marker", dino.jid)
    await dino.messages("Sent while nobody was there", "And this too", "Welcome back")
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "marker", dino.jid)
    await dino.desktop.picture("dino-offline.png")


@SUITE.case()
async def resumption(x: Stage) -> None:
    """Its connection is cut: it comes back to the same session, nothing is lost, and nobody saw it leave."""
    relay = await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start()
    await dino.logged_in(bob)
    bodies = await cut_under_way(bob, alice, dino.jid, relay)
    await dino.program.logs("{urn:xmpp:sm:3}:resumed")
    await dino.messages(*bodies)
    await dino.open(bob.boundjid.bare)
    await report(bob, "displayed", "meanwhile", dino.jid)
    await dino.desktop.type("Back again")
    await bob.message("Back again")
    await dino.desktop.picture("dino-resumed.png")


@SUITE.case()
async def direct_tls(x: Stage) -> None:
    """Finds a port with TLS from the first byte by the domain's records; nothing listens where it would look without."""
    await chat_by_records(x, Dino)


@SUITE.case()
async def unknown_authority(x: Stage) -> None:
    """Without the authority it does not log in: the other cases were trusted for a reason."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice)
    dino.start(trusting=False)
    await dino.program.logs("Tls Certificate Errors")
    await dino.desktop.picture("dino-authority.png")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in without trust")


@SUITE.case()
async def wrong_password(x: Stage) -> None:
    """It is refused, and nobody sees it."""
    await _relay(x)
    alice, bob = await account_with_contact(x)
    dino = Dino(x, alice, password="wrong")
    dino.start()
    await dino.program.logs("{urn:ietf:params:xml:ns:xmpp-sasl}:not-authorized")
    await bob.barrier()
    check(not saw_presence(bob, alice), "logged in with a wrong password")
    await dino.desktop.picture("dino-password.png")
