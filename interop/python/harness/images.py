"""Images that nobody has seen before, as PNG."""

from __future__ import annotations

import struct
import zlib

#: Width and height.
SIDE_PIXELS = 96


def flag(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> bytes:
    """A square of two colours, each red, green and blue."""
    rows = b"".join(b"\0" + bytes(upper if y < SIDE_PIXELS // 2 else lower) * SIDE_PIXELS for y in range(SIDE_PIXELS))
    header = struct.pack(">IIBBBBB", SIDE_PIXELS, SIDE_PIXELS, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
