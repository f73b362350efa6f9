"""The built server: its configuration, and its command line for accounts."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .coordinates import Account
from .launcher import DOMAIN, HOST, LaunchError, Server, free_ports

#: Where reverse proxies come from; clients come from elsewhere.
PROXY = "127.0.0.9"


class Waxwing(Server):
    name = "waxwing"

    def prepare(self) -> Path:
        self.config = self.folder / "waxwing.toml"
        self.https_port, self.http_port = free_ports(2)
        tls = self.folder / "tls"
        self.run(self._binary(), "certificate", "local", "--domain", DOMAIN, "--dir", tls)
        self.config.write_text(
            f"""domains = ["{DOMAIN}"]
data_dir = "{self.data_dir}"

[listen]
c2s = ["{HOST}:{self.port}"]
c2s_tls = ["{HOST}:{self.tls_port}"]
c2s_plain_loopback = ["{HOST}:{self.plain_port}"]
https = ["{HOST}:{self.https_port}"]
http_loopback = ["{HOST}:{self.http_port}"]
trusted_proxies = ["{PROXY}"]
proxy_protocol = ["https"]

[tls]
certificate = "{tls / "cert.pem"}"
key = "{tls / "key.pem"}"

[registration]
mode = "{self.mode}"
""",
            encoding="utf-8",
        )
        return tls / "ca.pem"

    def command(self) -> list[str]:
        return [self._binary(), "--config", str(self.config), "serve"]

    def add_account(self, account: Account) -> None:
        words = ["account", "add", account.jid, "--password-stdin", "--json"]
        json.loads(self.run(self._binary(), "--config", self.config, *words, given=account.password + "\n"))

    @staticmethod
    def _binary() -> str:
        binary = os.environ.get("WAXWING_BIN", "")
        if not binary or not os.access(binary, os.X_OK):
            raise LaunchError("WAXWING_BIN does not name the built server")
        return str(Path(binary).resolve())
