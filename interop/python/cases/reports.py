"""Reports of abuse that come with a block (XEP-0377, XEP-0191)."""

from __future__ import annotations

from slixmpp.stanza import Iq

from harness.cases import Suite, check, equal
from harness.stage import Stage

SUITE = Suite("reports")
PLUGINS = ("xep_0030", "xep_0191", "xep_0377")
BLOCK = "{urn:xmpp:blocking}block"
REPORT = "{urn:xmpp:reporting:1}report"


@SUITE.case()
async def block_and_report(x: Stage) -> None:
    """The library reports somebody: they are blocked, and another session hears of the block alone."""
    account = x.account()
    alice = await x.online(account, plugins=PLUGINS)
    desk = await x.online(account, plugins=PLUGINS)
    bob = await x.online(x.account())
    found = await alice["xep_0030"].get_info(jid=alice.boundjid.domain, timeout=None)
    check("urn:xmpp:reporting:1" in found["disco_info"]["features"], "the domain takes no reports")
    await desk["xep_0191"].get_blocked(timeout=None)
    await alice["xep_0377"].report(bob.boundjid.bare, "abuse", timeout=None)
    equal(await alice["xep_0191"].get_blocked_jids(timeout=None), {bob.boundjid.bare}, "who is blocked")
    told = await desk.expect("to hear of the block", lambda s: isinstance(s, Iq) and s.xml.find(BLOCK) is not None)
    check(next(told.xml.iter(REPORT), None) is None, "the other session hears of the report")
    bob.send_message(mto=alice.boundjid.bare, mbody="once more", mtype="chat")
    refused = await bob.expect("to be refused", lambda s: s.name == "message" and s["type"] == "error")
    equal(refused["error"]["condition"], "service-unavailable", "what who was reported gets")
