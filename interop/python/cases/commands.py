"""Ad-hoc commands (XEP-0050), by the one that a service of nodes has (XEP-0060, section 8.7)."""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp.exceptions import IqError
from slixmpp.stanza import Iq, Message

from harness.cases import Suite, check, equal
from harness.session import Session
from harness.stage import Stage

SUITE = Suite("commands")
PENDING = "http://jabber.org/protocol/pubsub#get-pending"
CONFIG = "http://jabber.org/protocol/pubsub#node_config"
PLUGINS = ("xep_0030", "xep_0050", "xep_0060", "xep_0004")
FORM = "{jabber:x:data}"


def _service(session: Session) -> str:
    return f"pubsub.{session.boundjid.domain}"


def _values(message: Message) -> dict[str, str]:
    """The fields of a form that a message has, by name."""
    fields = message.xml.iter(f"{FORM}field")
    return {str(field.get("var")): field.findtext(f"{FORM}value") or "" for field in fields}


def _submitted(session: Session, form_type: str, **values: str) -> Any:
    form = session["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value=form_type)
    for name, value in values.items():
        form.add_field(var=f"pubsub#{name}", value=value)
    return form


async def _waiting(alice: Session, bob: Session) -> str:
    """A node of Alice's where Bob waits."""
    there, node = _service(alice), f"closed-{alice.boundjid.user}"
    config = _submitted(alice, CONFIG, access_model="authorize")
    await alice["xep_0060"].create_node(there, node, config=config, timeout=None)
    await bob["xep_0060"].subscribe(there, node, timeout=None)
    await alice.expect("a request", lambda s: isinstance(s, Message) and s.xml.find(f"{FORM}x") is not None)
    return node


@SUITE.case()
async def told_to_who_may(x: Stage) -> None:
    """Listed for whom owns a node, and described; not for others."""
    alice, bob = [await x.online(x.account(), plugins=PLUGINS) for _ in range(2)]
    await _waiting(alice, bob)
    listed = await alice["xep_0050"].get_commands(_service(alice), timeout=None)
    equal([node for _, node, _ in listed["disco_items"]["items"]], [PENDING], "commands")
    info = await alice["xep_0030"].get_info(_service(alice), PENDING, timeout=None)
    kinds = [(category, kind) for category, kind, _, _ in info["disco_info"]["identities"]]
    equal(kinds, [("automation", "command-node")], "identity")
    listed = await bob["xep_0050"].get_commands(_service(bob), timeout=None)
    equal(list(listed["disco_items"]["items"]), [], "commands for who owns nothing")


@SUITE.case()
async def carried_out(x: Stage) -> None:
    """By the library's own workflow: the form comes, is filled in, and the requests that wait come as messages."""
    alice, bob = [await x.online(x.account(), plugins=PLUGINS) for _ in range(2)]
    node = await _waiting(alice, bob)
    done: asyncio.Future[Iq] = asyncio.get_running_loop().create_future()

    def shown(iq: Iq, session: dict[str, Any]) -> None:
        options = [value.text or "" for value in iq.xml.iter(f"{FORM}value")]
        check(node in options, f"nodes: {options}")
        session["payload"] = _submitted(alice, PENDING, node=node)
        session["next"] = completed
        alice["xep_0050"].complete_command(session)

    def completed(iq: Iq, session: dict[str, Any]) -> None:
        done.set_result(iq)

    def failed(iq: Iq, session: dict[str, Any]) -> None:
        done.set_exception(IqError(iq))

    alice["xep_0050"].start_command(_service(alice), PENDING, {"next": shown, "error": failed})
    iq = await asyncio.wait_for(done, 10)
    equal(iq["command"]["status"], "completed", "status")
    request = await alice.expect(
        "the request again", lambda s: isinstance(s, Message) and "pubsub#allow" in _values(s)
    )
    values = _values(request)
    equal(values["pubsub#subscriber_jid"], bob.boundjid.bare, "who waits")
    values["pubsub#allow"] = "true"
    answer = alice.make_message(mto=_service(alice))
    form_type = values.pop("FORM_TYPE")
    answer.append(_submitted(alice, form_type, **{k.removeprefix("pubsub#"): v for k, v in values.items()}))
    answer.send()
    await bob.expect("the approval", lambda s: isinstance(s, Message) and "subscribed" in str(s))


@SUITE.case()
async def cancelled_and_refused(x: Stage) -> None:
    """A run is ended by its requester; what is no action is an error that the library knows."""
    alice, bob = [await x.online(x.account(), plugins=PLUGINS) for _ in range(2)]
    await _waiting(alice, bob)
    begun = await alice["xep_0050"].send_command(_service(alice), PENDING, timeout=None)
    run = begun["command"]["sessionid"]
    ended = await alice["xep_0050"].send_command(
        _service(alice), PENDING, action="cancel", sessionid=run, timeout=None
    )
    equal(ended["command"]["status"], "canceled", "status")
    try:
        await alice["xep_0050"].send_command(_service(alice), PENDING, action="prev", sessionid=run, timeout=None)
    except IqError as error:
        equal(error.condition, "bad-request", "error of an action that is not offered")
    else:
        check(False, "went back from the first stage")
