"""A screen that nobody sees: an X server in memory, and pictures of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from .cases import Mismatch

START_SECS_MAX = 60
SIZE = "1100x760x24"
#: How often a picture is taken until it no longer changes.
LOOK_SECS = 0.3


class Display:
    """One Xvfb. Programs that get `environment` draw on it."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SIZE, "-nolisten", "tcp"]
        self._server = subprocess.Popen(
            command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writing)
        # It takes a free number and writes it when it is ready; nothing if it ends before.
        with os.fdopen(reading) as number:
            self.name = ":" + number.readline().strip()
        if self.name == ":":
            raise Mismatch(f"Xvfb ended with code {self._server.wait(START_SECS_MAX)}")

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to draw here, and not on the screen of whoever runs this."""
        kept = {k: v for k, v in os.environ.items() if k not in {"WAYLAND_DISPLAY", "XAUTHORITY"}}
        return kept | {"DISPLAY": self.name}

    def picture(self, file: Path) -> bytes:
        """Take a picture (PNG)."""
        subprocess.run(["scrot", "--overwrite", file], env=self.environment, check=True, timeout=20)
        return file.read_bytes()

    async def settled_picture(self, file: Path, blank: bytes) -> None:
        """Take pictures until one is not `blank` and shows the same as the one before."""
        before = blank
        while (now := self.picture(file)) == blank or now != before:
            before = now
            await asyncio.sleep(LOOK_SECS)

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(START_SECS_MAX)
