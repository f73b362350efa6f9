"""Files by HTTP (XEP-0363), with Python's own HTTP."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from .cases import Mismatch
from .session import Session

NS = "urn:xmpp:http:upload:0"
SECS_MAX = 20


@dataclass
class Answer:
    """What a web server said; names of headers in small letters."""

    status: int
    headers: dict[str, str]
    content: bytes


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def slot(session: Session, name: str, size: int, kind: str) -> tuple[str, dict[str, str], str]:
    """Ask the domain for a slot: where to bring the file, with which headers, and where it will be."""
    iq = session.make_iq_get(ito=session.coordinates.domain)
    request = iq.xml.makeelement(f"{{{NS}}}request", {"filename": name, "size": str(size), "content-type": kind})
    iq.xml.append(request)
    answer: Any = await iq.send(timeout=None)
    put, get = (answer.xml.find(f"{{{NS}}}slot/{{{NS}}}{name}") for name in ("put", "get"))
    if put is None or get is None:
        raise Mismatch(f"no slot: {answer}")
    headers = {header.get("name"): header.text for header in put.findall(f"{{{NS}}}header")}
    return put.get("url"), headers, get.get("url")


async def ask(
    session: Session, method: str, url: str, headers: dict[str, str] | None = None, content: bytes | None = None
) -> Answer:
    """One request, trusting the authority of the server alone."""
    request = urllib.request.Request(url, data=content, headers=headers or {}, method=method)
    context = ssl.create_default_context(cafile=str(session.coordinates.ca_file))
    handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)

    def go() -> Answer:
        try:
            with opener.open(request, timeout=SECS_MAX) as response:
                return Answer(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    return await asyncio.to_thread(go)


async def upload(session: Session, name: str, content: bytes, kind: str) -> str:
    """Bring a file; its address."""
    url, headers, where = await slot(session, name, len(content), kind)
    answer = await ask(session, "PUT", url, {**headers, "Content-Type": kind}, content)
    if answer.status != 201:
        raise Mismatch(f"the file was not taken: {answer.status} {answer.content!r}")
    return where
