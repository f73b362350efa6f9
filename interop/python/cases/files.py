"""Files by HTTP (XEP-0363): one client brings them, another fetches them."""

from __future__ import annotations

from harness.cases import Suite, check, equal
from harness.files import ask, slot, upload
from harness.images import flag
from harness.stage import Stage

SUITE = Suite("files")


@SUITE.case()
async def up_and_down(x: Stage) -> None:
    """A picture is brought by one person and fetched by another, by its address alone; a part of it too."""
    alice, bob = await x.online(x.account()), await x.online(x.account())
    picture = flag((255, 0, 0), (0, 0, 255))
    url = await upload(alice, "très cool.png", picture, "image/png")
    alice.send_message(mto=bob.boundjid.bare, mbody=url, mtype="chat")
    answer = await ask(bob, "GET", (await bob.message(url))["body"])
    equal((answer.status, answer.content), (200, picture), "what bob fetches")
    equal(answer.headers["content-type"], "image/png", "its type")
    part = await ask(bob, "GET", url, {"Range": "bytes=1-3"})
    equal((part.status, part.content), (206, picture[1:4]), "a part of it")


@SUITE.case()
async def lies(x: Stage) -> None:
    """Another size, another type, another's token, the same slot twice: refused, and nothing is there."""
    alice = await x.online(x.account())
    url, headers, where = await slot(alice, "a.png", 5, "image/png")
    other, other_headers, _ = await slot(alice, "b.png", 5, "image/png")
    for content, more, status in (
        (b"longer", {"Content-Type": "image/png"}, 413),
        (b"less", {"Content-Type": "image/png"}, 400),
        (b"right", {"Content-Type": "text/html"}, 415),
        (b"right", {"Content-Type": "image/png", **other_headers}, 403),
    ):
        answer = await ask(alice, "PUT", url, {**headers, **more}, content)
        equal(answer.status, status, f"what {content!r} as {more} gets: {answer.content!r}")
    equal((await ask(alice, "GET", where)).status, 404, "the file that is not there")
    for status in (201, 409):
        answer = await ask(alice, "PUT", url, {**headers, "Content-Type": "image/png"}, b"right")
        equal(answer.status, status, f"in the end: {answer.content!r}")
    check(other != url, "two slots have one address")
