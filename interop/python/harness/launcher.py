"""Starting a server for a partner: on free loopback ports, in a folder of its own, stopped by process id."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import clock, header, netns
from . import environment as environment_of_partners
from .coordinates import Account, Coordinates, artifacts

START_SECS_MAX = 60
STOP_SECS_MAX = 60
COMMAND_SECS_MAX = 60
PARTNER_SECS_MAX = 600
HOST = "127.0.0.1"
DOMAIN = "localhost"
#: The ports of a server that clients find by themselves.
DEFAULT_PORTS = (5222, 5223, 5224)


class LaunchError(Exception):
    """The server did not come up, or went down by itself; the text says what to look at."""


class Server(ABC):
    """A server's process and its folder."""

    name: str
    #: HTTP over TLS and without; 0 where there is none.
    https_port = 0
    http_port = 0

    def __init__(self, folder: Path, mode: str, ports: tuple[int, int, int]) -> None:
        self.folder, self.mode = folder, mode
        self.data_dir = folder / "data"
        self.port, self.tls_port, self.plain_port = ports
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        #: Options of ours, each as the configuration has it.
        self.options: list[str] = []
        #: External components that it lets in, where they connect, and what all of them know.
        self.components: list[str] = []
        self.component_port = 0
        self.component_secret = secrets.token_urlsafe(12)
        #: Whether it tells clients of a STUN and TURN server, where that is, and what both know.
        self.services: list[str] = []
        self.service_port = 0
        self.service_secret = secrets.token_urlsafe(12)
        #: Variables that the server has beside ours.
        self.environment: dict[str, str] = {}

    @abstractmethod
    def prepare(self) -> Path:
        """Write certificate and configuration; the authority's certificate."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs the server in the foreground."""

    @abstractmethod
    def add_account(self, account: Account) -> None:
        """Create an account in the running server."""

    def lacks(self) -> frozenset[str]:
        """What this server is known not to have."""
        return frozenset()

    def start(self, accounts: int) -> Coordinates:
        """Start, wait until every port answers, create accounts."""
        ca_file = self.prepare()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | self.environment,
            )
        for port in (self.port, self.tls_port, self.plain_port):
            self._wait_for(port)
        made = [Account(f"{name}@{DOMAIN}", secrets.token_urlsafe(12)) for name in names(accounts)]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self.add_account, made))
        return Coordinates(
            domain=DOMAIN, host=HOST, port=self.port, tls_port=self.tls_port, plain_port=self.plain_port,
            ca_file=ca_file, accounts=made, lacks=self.lacks(), https_port=self.https_port, http_port=self.http_port,
            data_dir=self.data_dir, component_port=self.component_port, component_secret=self.component_secret,
            service_port=self.service_port, service_secret=self.service_secret,
        )  # fmt: skip

    def stop(self) -> None:
        """End the process as an operator does; an error if it was gone or does not go."""
        if self.process is None:
            return
        if self.process.poll() is not None:
            raise LaunchError(f"{self.name} ended by itself with code {self.process.returncode}")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise LaunchError(f"{self.name} did not stop within {STOP_SECS_MAX} s of SIGTERM") from None
        if code != 0:
            raise LaunchError(f"{self.name} ended with code {code} after SIGTERM")

    def run(self, *command: str | Path, given: str = "") -> str:
        """Run a command-line tool of the server; its standard output."""
        done = subprocess.run(
            command, input=given, text=True, capture_output=True, timeout=COMMAND_SECS_MAX, cwd=self.folder
        )
        if done.returncode != 0:
            words = " ".join(str(word) for word in command)
            raise LaunchError(f"{words}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + START_SECS_MAX
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise LaunchError(f"{self.name} ended with code {self.process.returncode} before it listened")
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return
            time.sleep(0.02)
        raise LaunchError(f"{self.name} does not listen on port {port} after {START_SECS_MAX} s")


def names(count: int) -> Iterator[str]:
    """alice, bob, carol, then user4, user5 …"""
    yield from ("alice", "bob", "carol")[:count]
    yield from (f"user{n}" for n in range(4, count + 1))


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that were free a moment ago; all are held until the last is known, so they differ."""
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            listener = held.enter_context(socket.socket())
            listener.bind((HOST, 0))
            ports.append(listener.getsockname()[1])
        return tuple(ports)


def main(server: type[Server], launcher: Path, arguments: list[str]) -> int:
    """`with-SERVER PARTNER [ARGUMENT…]`: the partner's exit code, or 1 if the server misbehaved."""
    if not arguments:
        print(f"usage: {launcher.name} PARTNER [ARGUMENT…]", file=sys.stderr)
        return 2
    # Told to stop, it stops what it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    partner = Path(arguments[0]).resolve()
    wanted_ports = header.needs(partner, "ports")
    default_ports = "default" in wanted_ports
    if header.needs(partner, "pip"):
        # Before a network of one's own, in which there is no registry.
        environment_of_partners.prepare()
    if wanted_ports:
        netns.enter([str(launcher), *arguments])
    modes = header.needs(partner, "server") or ["closed"]
    accounts = int((header.needs(partner, "accounts") or ["3"])[0])
    folder = Path(tempfile.mkdtemp(prefix=f"waxwing-{partner.stem}-"))
    servers: list[Server] = []
    environment = dict(os.environ)
    code = 1
    try:
        for mode in modes:
            ports = DEFAULT_PORTS if default_ports and not servers else free_ports(3)
            (folder / mode).mkdir()
            one = server(folder / mode, mode, ports)
            servers.append(one)
            if len(servers) == 1:
                one.components = header.needs(partner, "components")
                one.options = header.needs(partner, "options")
                one.services = header.needs(partner, "services")
            if header.needs(partner, "clock"):
                environment[clock.FILE] = str(folder / mode / "clock")
                one.environment = clock.environment(folder / mode / "clock")
            prefix = "XMPP" if len(servers) == 1 else f"XMPP_{mode.upper()}"
            environment |= one.start(accounts if len(servers) == 1 else 0).environment(prefix)
        code = _run_partner([str(partner), *arguments[1:]], environment)
    except (LaunchError, FileNotFoundError) as error:
        code = 1
        print(f"not ok {partner.stem}/server: {error}", flush=True)
    finally:
        code = max(code, _stop(servers, partner.stem))
        if code:
            _keep_logs(servers, partner.stem)
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _run_partner(command: list[str], environment: dict[str, str]) -> int:
    # A session of its own, so that the partner's children can be told from ours by their group.
    partner = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return abs(partner.wait(PARTNER_SECS_MAX))
    except subprocess.TimeoutExpired:
        print(f"not ok {Path(command[0]).stem}/all: not through after {PARTNER_SECS_MAX} s", flush=True)
        return 1
    finally:
        if partner.poll() is None:
            _end_partner(partner)


def _end_partner(partner: subprocess.Popen[bytes]) -> None:
    partner.terminate()
    try:
        partner.wait(STOP_SECS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(partner.pid, signal.SIGKILL)
        partner.wait()


def _stop(servers: list[Server], partner: str) -> int:
    code = 0
    for server in servers:
        try:
            server.stop()
        except LaunchError as error:
            print(f"not ok {partner}/server: {error}", flush=True)
            code = 1
    return code


def _keep_logs(servers: list[Server], partner: str) -> None:
    for server in servers:
        if server.log.exists():
            kept = artifacts() / f"{partner}-{server.name}-{server.mode}.log"
            shutil.copyfile(server.log, kept)
            print(f"# the server's log: {kept}", flush=True)
