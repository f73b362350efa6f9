"""A program in a terminal that nobody looks at: tmux on a socket of its own."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

from .cases import Mismatch

COLUMNS, LINES = 110, 34
#: How often the screen is looked at while something is expected on it.
LOOK_SECS = 0.05


class Terminal:
    """One tmux server with one window, in which one program runs."""

    def __init__(self, folder: Path, command: list[str], environment: dict[str, str]) -> None:
        self._socket = folder / "tmux.sock"
        self._waiting_for = ""
        # An empty configuration: the user's own must not change what is seen.
        start = ["-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), *command]
        self._tmux(*start, environment=environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
        self._tmux("set-option", "-g", "status", "off")
        # A program that ends leaves its last screen, so that it can be read.
        self._tmux("set-option", "-g", "remain-on-exit", "on")

    @property
    def attach(self) -> list[str]:
        """The command that shows it to a person."""
        return ["tmux", "-S", str(self._socket), "attach-session", "-r"]

    def text(self) -> str:
        """What the screen shows."""
        return self._tmux("capture-pane", "-p")

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    async def shows(self, what: str) -> str:
        """Wait until the screen matches a regular expression; the screen."""
        self._waiting_for = what
        while not re.search(what, text := self.text()):
            if self._tmux("list-panes", "-F", "#{pane_dead}").strip() == "1":
                raise Mismatch(f"the program ended before its screen showed {what!r}: {text}")
            await asyncio.sleep(LOOK_SECS)
        return text

    def describe(self) -> str:
        """One line for a failed case."""
        lines = [" ".join(line.split()) for line in self.text().splitlines() if line.strip()]
        return f"the screen, awaiting {self._waiting_for!r}, shows {' / '.join(lines)}"

    def close(self) -> None:
        """End the program and this tmux server; no other."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=10, check=False)

    def _tmux(self, *words: str, environment: dict[str, str] | None = None) -> str:
        command = ["tmux", "-S", str(self._socket), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            raise Mismatch(f"tmux {words[0]}: {done.stderr.strip()}")
        return done.stdout
