"""A program in the background, with a log, ended by its process id."""

from __future__ import annotations

import subprocess
from pathlib import Path

STOP_SECS_MAX = 60
LOG_TAIL_LINES = 5


class Program:
    """Runs until `close`."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.log = Path(command[0]).name, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def describe(self) -> str:
        """One line for a failed case."""
        code = self.process.poll()
        state = "runs" if code is None else f"ended with code {code}"
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"{self.name} {state}, its log ends: {' / '.join(tail)}"

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
