"""A stream by hand, for what no client library would send."""

from __future__ import annotations

import asyncio
import ssl


class RawStream:
    """Text over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(
        cls, host: str, port: int, trust: ssl.SSLContext | None = None, domain: str | None = None
    ) -> RawStream:
        """With `trust`, by direct TLS to the server of `domain`."""
        return cls(*await asyncio.open_connection(host, port, ssl=trust, server_hostname=domain if trust else None))

    async def open(self, domain: str) -> str:
        """Send a stream header; what the server says up to the end of its features."""
        await self.send(
            f"<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' "
            "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        return await self.read_until_closed_or("</stream:features>")

    async def send(self, text: str) -> None:
        self._writer.write(text.encode())
        await self._writer.drain()

    async def read_until_closed_or(self, *ends: str) -> str:
        """All that comes up to the first of `ends`, or to the end of the stream."""
        text = ""
        while not any(end in text for end in ends):
            piece = await self._reader.read(4096)
            if not piece:
                break
            text += piece.decode()
        return text

    def certificate(self) -> bytes:
        """The server's certificate, in DER."""
        return self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    def close(self) -> None:
        self._writer.close()
