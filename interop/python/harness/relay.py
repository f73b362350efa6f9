"""A bad network: a TCP relay that loses what passes through it and breaks connections."""

from __future__ import annotations

import asyncio
import socket
import struct


class Relay:
    """Passes on one connection at a time until told otherwise. It sees only bytes, under TLS."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._current: _Link | None = None
        self.host, self.port = host, 0

    @classmethod
    async def start(cls, host: str, port: int, at: int = 0) -> Relay:
        """Listen on port `at` (0: a free one) and pass on to `host` and `port`."""
        relay = cls(host, port)
        relay._server = await asyncio.start_server(relay._accept, host, at)
        relay.port = relay._server.sockets[0].getsockname()[1]
        return relay

    def lose_up(self) -> None:
        """From now on nothing that the client sends arrives, and nobody notices."""
        self._link.lose_up = True

    def lose_down(self) -> None:
        """From now on nothing that the server sends arrives, and nobody notices."""
        self._link.lose_down = True

    def cut(self) -> None:
        """Both sides see their connection reset."""
        _reset(self._link.client)
        _reset(self._link.server)

    def vanish(self) -> asyncio.Event:
        """The client sees a reset; the server still sees a connection, on which nothing moves.

        The event is set when the server has closed its side.
        """
        link = self._link
        link.lose_up = link.lose_down = True
        link.keep_server = True
        _reset(link.client)
        return link.server_closed

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            _reset(writer)

    @property
    def _link(self) -> _Link:
        if self._current is None:
            raise RuntimeError("nothing is connected through the relay")
        return self._current

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        from_server, server = await asyncio.open_connection(*self._to)
        link = self._current = _Link(client, server)
        self._writers |= {client, server}
        for pump in (link.pump_up(reader), link.pump_down(from_server)):
            task = asyncio.get_running_loop().create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class _Link:
    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.lose_up = self.lose_down = self.keep_server = False
        self.server_closed = asyncio.Event()

    async def pump_up(self, reader: asyncio.StreamReader) -> None:
        while piece := await _read(reader):
            if not self.lose_up:
                self.server.write(piece)
        if not self.keep_server:
            self.server.close()

    async def pump_down(self, reader: asyncio.StreamReader) -> None:
        while piece := await _read(reader):
            if not self.lose_down:
                self.client.write(piece)
        self.server_closed.set()
        self.client.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except OSError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():
        return
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
