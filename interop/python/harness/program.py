"""A program in the background, with a log, ended by its process id."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import IO

from .cases import Mismatch

STOP_SECS_MAX = 60
LOG_TAIL_LINES = 5
#: How often the log is looked at while something is expected in it.
LOOK_SECS = 0.05


class Program:
    """Runs until `close`."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, given: IO[bytes] | None = None
    ) -> None:
        self.name, self.log = Path(command[0]).name, log
        self._waiting_for = ""
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=given or subprocess.DEVNULL, stdout=output, stderr=output
            )

    async def logs(self, *words: str) -> None:
        """Wait until one of these words is in its log."""
        self._waiting_for = " or ".join(words)
        while not any(word in self.text() for word in words):
            if self.process.poll() is not None and not any(word in self.text() for word in words):
                raise Mismatch(f"instead of {self._waiting_for!r}: {self.describe()}")
            await asyncio.sleep(LOOK_SECS)

    async def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        self._waiting_for = "its end"
        while (code := self.process.poll()) is None:
            await asyncio.sleep(LOOK_SECS)
        return code

    def text(self) -> str:
        """All that it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def describe(self) -> str:
        """One line for a failed case."""
        code = self.process.poll()
        state = "runs" if code is None else f"ended with code {code}"
        awaited = f", awaiting {self._waiting_for!r}" if self._waiting_for else ""
        tail = self.text().splitlines()[-LOG_TAIL_LINES:]
        return f"{self.name} {state}{awaited}, its log ends: {' / '.join(tail)}"

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
