"""An IRC server by Debian's ngircd, a client of it in a few lines, and biboumi, the component between it and the server."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from harness.cases import Mismatch
from harness.program import Program
from harness.stage import Stage

HOST, PORT = "127.0.0.1", 6667
#: It answers to no name: whoever runs this may have no name server.
NGIRCD = """[Global]
Name = irc.localhost
Info = for tests
Listen = {host}
Ports = {port}
[Options]
DNS = no
Ident = no
PAM = no
"""
BIBOUMI = """hostname={name}
password={secret}
xmpp_server_ip={host}
port={port}
db_name={folder}/biboumi.sqlite
log_level=0
identd_port=0
outgoing_bind={host}
"""


class Irc:
    """Both programs, in a folder of their own."""

    def __init__(self, x: Stage) -> None:
        self._x = x
        self.folder = Path(tempfile.mkdtemp(prefix="waxwing-irc-"))
        self.name = f"biboumi.{x.server.domain}"
        self._started = 0

    async def start(self) -> None:
        """Starts the IRC server and the component, and waits until that was let in."""
        config = self.folder / "ngircd.conf"
        config.write_text(NGIRCD.format(host=HOST, port=PORT), encoding="utf-8")
        server = self._run(["ngircd", "--config", str(config), "--nodaemon"])
        await server.logs(f"Now listening on [{HOST}]:{PORT}")
        await self.join()

    async def join(self) -> None:
        """Starts the component alone."""
        server = self._x.server
        config = self.folder / "biboumi.cfg"
        values = {"name": self.name, "secret": server.component_secret, "host": server.host}
        text = BIBOUMI.format(port=server.component_port, folder=self.folder, **values)
        config.write_text(text, encoding="utf-8")
        self._biboumi = self._run(["biboumi", str(config)])
        await self._biboumi.logs("Authenticated with the XMPP server")

    def leaves(self) -> None:
        """Ends the component."""
        self._biboumi.close()

    def channel(self, name: str) -> str:
        """The address of a channel."""
        return f"#{name}%{HOST}@{self.name}"

    def person(self, nick: str) -> str:
        """The address of somebody on IRC."""
        return f"{nick}%{HOST}@{self.name}"

    def _run(self, command: list[str]) -> Program:
        self._started += 1
        log = self.folder / f"{self._started}.log"
        return self._x.close_later(Program(command, dict(os.environ), log))

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class IrcClient:
    """Somebody on IRC, who is not a person of the server."""

    def __init__(self, nick: str) -> None:
        self.nick = nick
        self.lines: list[str] = []
        self._waiting_for = ""

    async def join(self, channel: str) -> None:
        """Logs in and enters a channel."""
        self._reader, self._writer = await asyncio.open_connection(HOST, PORT)
        self.say(f"NICK {self.nick}", f"USER {self.nick} 0 * :{self.nick}", f"JOIN #{channel}")
        await self.hears(f" 366 {self.nick} #{channel} ")

    def say(self, *lines: str) -> None:
        """Sends lines of the protocol."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def hears(self, part: str) -> str:
        """The next line with this in it."""
        self._waiting_for = part
        while True:
            line = (await self._reader.readline()).decode().rstrip("\r\n")
            if not line:
                raise Mismatch(f"IRC ended instead of {part!r}")
            self.lines.append(line)
            if line.startswith("PING "):
                self.say(line.replace("PING", "PONG", 1))
            if part in line:
                return line

    def describe(self) -> str:
        """For a case that ran out of time."""
        return f"{self.nick} on IRC waits for {self._waiting_for!r}, heard last {self.lines[-3:]}"

    def close(self) -> None:
        self._writer.close()
