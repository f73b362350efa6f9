"""A desktop that nobody sees, for one graphical client: a home folder, a message bus, a screen, a keyboard."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from .cases import Mismatch
from .coordinates import artifacts
from .display import Display
from .program import Program
from .stage import Stage

#: Where Debian's TLS libraries look for the authorities that the system trusts.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
COMMAND_SECS_MAX = 120
#: A user who is not root, to programs that refuse to run for root; to all others the same as before.
NOT_ROOT = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


class Desktop:
    """Made for a case, and gone after it."""

    def __init__(self, x: Stage, name: str, *, refuses_root: bool = False) -> None:
        self.name = name
        self.path = Path(tempfile.mkdtemp(prefix=f"waxwing-{name}-"))
        self.ca_file = x.server.ca_file
        self._x = x
        self._user = NOT_ROOT if refuses_root else []
        self._display: Display = x.close_later(Display())
        folders = {word: self.path / word for word in ("data", "config", "cache", "runtime")}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        self.data, self.config = folders["data"], folders["config"]
        bus = f"unix:path={folders['runtime'] / 'bus'}"
        self.environment = self._display.environment | {
            "HOME": str(self.path),
            "XDG_DATA_HOME": str(self.data),
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_CACHE_HOME": str(folders["cache"]),
            "XDG_RUNTIME_DIR": str(folders["runtime"]),
            "DBUS_SESSION_BUS_ADDRESS": bus,
            # No bus of the system's either: nothing there is of use to a client, or may change what it does.
            "DBUS_SYSTEM_BUS_ADDRESS": bus,
            "GDK_BACKEND": "x11",
            "GSK_RENDERER": "cairo",
            "GSETTINGS_BACKEND": "memory",
            "GTK_A11Y": "none",
            "NO_AT_BRIDGE": "1",
            # There is only a loopback interface, which other monitors call being offline.
            "GIO_USE_NETWORK_MONITOR": "base",
            "LC_ALL": "C.UTF-8",
        }
        x.close_later(self)
        command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}"]
        x.close_later(Program([*self._user, *command], self.environment, self.path / "bus.log"))

    def start(self, *command: str, trusting: bool = True) -> Program:
        """The client. Trusting: the local authority is in place of those of the system, for its eyes only."""
        private: list[str] = []
        if trusting:
            cover = 'mount --bind "$0" "$1" && shift && exec "$@"'
            private = ["unshare", "--mount", "sh", "-c", cover, str(self.ca_file), AUTHORITIES]
        log = self.path / "client.log"
        return self._x.close_later(Program([*private, *self._user, *command], self.environment, log))

    async def run(self, *command: str) -> str:
        """Run a program to its end, as the client's user; its standard output."""
        done = await asyncio.create_subprocess_exec(
            *self._user, *command, env=self.environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(COMMAND_SECS_MAX):
                output, errors = await done.communicate()
        finally:
            if done.returncode is None:
                done.kill()
                await done.wait()
        if done.returncode != 0:
            raise Mismatch(f"{' '.join(command)}: exit {done.returncode}: {errors.decode().strip()}")
        return output.decode()

    async def focus(self, *search: str, size: tuple[str, str] | None = None) -> None:
        """Give a window the keyboard, when it is there; no window manager would. `search` is xdotool's."""
        found = await self.run("xdotool", "search", "--sync", "--onlyvisible", *search)
        window = found.split()[-1]
        if size:
            await self.run("xdotool", "windowsize", window, *size)
        await self.run("xdotool", "windowfocus", "--sync", window)

    async def windows(self) -> list[str]:
        """The titles of all windows that are to be seen."""
        return (await self.run("xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@")).splitlines()

    async def type(self, line: str) -> None:
        """Type a line and press Enter."""
        await self.run("xdotool", "type", "--", line)
        await self.key("Return")

    async def key(self, name: str) -> None:
        """Press a key."""
        await self.run("xdotool", "key", name)

    async def picture(self, name: str) -> None:
        """Leave a picture of the screen in the artifacts folder when it has come to rest."""
        file = artifacts() / name
        await self._display.settled_picture(file, b"")
        if not file.stat().st_size:
            raise Mismatch(f"{file} is empty")

    def close(self) -> None:
        log = self.path / "client.log"
        if log.exists():
            shutil.copyfile(log, artifacts() / f"{self.name}.log")
        shutil.rmtree(self.path, ignore_errors=True)
