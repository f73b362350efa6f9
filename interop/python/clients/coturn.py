"""Debian's coturn, and the client that comes with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from harness.program import Program
from harness.stage import Stage

#: Peers on loopback are for tests alone; a relay that people reach must not take them.
CONFIG = """listening-ip={host}
relay-ip={host}
listening-port={port}
realm={realm}
use-auth-secret
static-auth-secret={secret}
allow-loopback-peers
no-tls
no-dtls
no-cli
simple-log
log-file=stdout
pidfile={folder}/pid
userdb={folder}/users
"""
#: What the client prints when a server refuses it.
REFUSED = "Cannot complete Allocation"


class Coturn:
    """A TURN server in a folder of its own."""

    def __init__(self, x: Stage) -> None:
        self._x = x
        self.folder = Path(tempfile.mkdtemp(prefix="waxwing-coturn-"))
        self._clients = 0

    async def start(self, secret: str | None = None, days_ahead: int = 0) -> None:
        """With the server's secret or another, and a clock that is right or so far ahead."""
        server = self._x.server
        config = self.folder / "turnserver.conf"
        values = {"host": server.host, "port": server.service_port, "realm": server.domain, "folder": self.folder}
        config.write_text(CONFIG.format(secret=secret or server.service_secret, **values), encoding="utf-8")
        config.chmod(0o600)
        environment = dict(os.environ)
        if days_ahead:
            libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
            environment |= {"LD_PRELOAD": str(libraries[0]), "FAKETIME": f"+{days_ahead}d"}
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        command = ["turnserver", "-c", str(config)]
        program = self._x.close_later(Program(command, environment, self.folder / "coturn.log"))
        await program.logs("DB connection success")

    async def relays(self, username: str, password: str, transport: str = "udp") -> bool:
        """Whether two clients with these credentials reach each other by the relay; what they send comes through whole."""
        server = self._x.server
        self._clients += 1
        # Two clients, each of which sends three messages of a hundred bytes to the other's relayed address.
        command = ["turnutils_uclient", "-y", "-c", "-m", "1", "-n", "3", "-l", "100"]
        command += ["-t"] if transport == "tcp" else []
        command += ["-u", username, "-w", password, "-p", str(server.service_port), server.host]
        log = self.folder / f"client-{self._clients}.log"
        client = self._x.close_later(Program(command, dict(os.environ), log))
        code = await client.ended()
        if code != 0 and REFUSED in client.text():
            return False
        await client.logs("tot_send_bytes ~ 600, tot_recv_bytes ~ 600")
        return True

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
