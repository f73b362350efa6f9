"""How a partner starts: with a server, in the environment, and then its cases."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from . import cases, environment, header
from .coordinates import Coordinates


def enter(partner: Path) -> None:
    """Go on with a server to talk to, and with the packages that the header names."""
    if Coordinates.from_environment() is None:
        launcher = partner.parent / "with-server"
        os.execv(launcher, [str(launcher), str(partner), *sys.argv[1:]])
    if header.needs(partner, "pip"):
        environment.enter()


def run(partner: Path, suites: list[cases.Suite]) -> int:
    """Run the cases that the command line names (all, if it names none); the exit code."""
    from .stage import Accounts, Stage  # what needs slixmpp comes after enter()

    server = Coordinates.from_environment()
    if server is None:
        raise RuntimeError("enter() comes first")
    accounts = Accounts(server.accounts)
    open_server = Coordinates.from_environment("XMPP_OPEN")

    def stage() -> Stage:
        return Stage(server, accounts, open_server)

    async def run_cases() -> int:
        task = asyncio.current_task()
        assert task is not None
        # Being told to stop ends the case that runs, and with it every program that it started.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await cases.run(partner.stem, suites, stage, server.lacks, sys.argv[1:])

    try:
        return asyncio.run(run_cases())
    except asyncio.CancelledError:
        return 1
