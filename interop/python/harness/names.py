"""A name server of one's own on loopback, with the records that tell clients where a domain's server is."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .program import Program
from .stage import Stage

RESOLV_CONF = "/etc/resolv.conf"


class Names(Program):
    """dnsmasq, asked by every program of this partner: it needs a network and mounts of its own, see `netns.py`."""

    def __init__(self, log: Path, records: list[str]) -> None:
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"]
        command += ["--no-resolv", "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=//"]
        super().__init__([*command, "--log-facility=-", "--log-queries", *records], dict(os.environ), log)
        self._folder = log.parent

    @classmethod
    async def start(cls, x: Stage, **services: int) -> Names:
        """Services of the domain, such as `xmpps_client`, each with its port; there is no other record."""
        folder = Path(tempfile.mkdtemp(prefix="waxwing-names-"))
        domain = x.server.domain
        named = ((name.replace("_", "-"), port) for name, port in services.items())
        records = [f"--srv-host=_{name}._tcp.{domain},{domain},{port}" for name, port in named]
        names: Names = x.close_later(cls(folder / "dnsmasq.log", records))
        await names.logs("started, version")
        asked = folder / "resolv.conf"
        asked.write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        subprocess.run(["mount", "--bind", asked, RESOLV_CONF], check=True, timeout=20)
        return names

    def close(self) -> None:
        subprocess.run(["umount", RESOLV_CONF], timeout=20)
        super().close()
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()
