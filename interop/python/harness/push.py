"""A push service (RFC 8030) on this machine, and a browser's half of Web Push, by Mozilla's `http_ece` and `py_vapid`."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from dataclasses import dataclass
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from .cases import Mismatch
from .coordinates import Coordinates

SECS_MAX = 20


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class Post:
    """What was posted: path, headers with names in small letters, body."""

    path: str
    headers: dict[str, str]
    body: bytes


class PushService:
    """Answers every post with one status, and keeps them."""

    def __init__(self, server: Coordinates) -> None:
        self.status = 201
        self.posts: asyncio.Queue[Post] = asyncio.Queue()
        self._listener: asyncio.Server | None = None
        folder = server.ca_file.parent
        self._trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._trust.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._host = server.domain

    async def start(self) -> str:
        """Listen; the origin."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._trust)
        port = self._listener.sockets[0].getsockname()[1]
        return f"https://{self._host}:{port}"

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def post(self) -> Post:
        """The next one."""
        return await asyncio.wait_for(self.posts.get(), SECS_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            first, *lines = head.strip().split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            status = self.status if method == "POST" else 405
            writer.write(f"HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            await self.posts.put(Post(path, headers, body))
        finally:
            writer.close()


class Browser:
    """The keys of one subscription."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self.p256dh = encoded(self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        self.auth = encoded(self._auth)

    def read(self, post: Post, origin: str, server_key: str) -> dict[str, Any]:
        """What it says, once it is known who signed it and for whom."""
        scheme, _, parameters = post.headers["authorization"].partition(" ")
        fields = dict(part.strip().split("=", 1) for part in parameters.split(","))
        if scheme != "vapid" or fields["k"] != server_key:
            raise Mismatch(f"signed by another: {scheme} {fields.get('k')}")
        # RFC 9110 §11.4 allows blanks between parameters; the library wants none.
        if not Vapid02.verify(f"vapid t={fields['t']},k={fields['k']}"):
            raise Mismatch("the signature is wrong")
        claims = json.loads(_decoded(fields["t"].split(".")[1]))
        if claims["aud"] != origin:
            raise Mismatch(f"signed for {claims['aud']}")
        plain = http_ece.decrypt(post.body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        return json.loads(plain)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
