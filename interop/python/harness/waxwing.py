"""The built server: its configuration, and its command line for accounts."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .coordinates import Account
from .launcher import DOMAIN, HOST, LaunchError, Server, free_ports

#: Where reverse proxies come from; clients come from elsewhere.
PROXY = "127.0.0.9"

#: What the component of this name may do.
GRANTS = {
    "privileged": """roster = "both"
message = "outgoing"
presence = "managed_entity"
iq = ["jabber:iq:private set", "urn:xmpp:ping get"]
""",
}


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
        if self.options:
            with open(self.config, "a", encoding="utf-8") as config:
                config.write("\n[options]\n" + "\n".join(self.options) + "\n")
        if any(option.startswith("bytestreams_host=") for option in self.options):
            (relay_port,) = free_ports(1)
            self._listen(f'bytestreams = ["{HOST}:{relay_port}"]')
        if self.components:
            self._let_in_components()
        # Whatever it connects to is on this machine, and has a certificate of the same authority.
        self.environment["SSL_CERT_FILE"] = str(tls / "ca.pem")
        if self.services:
            self._tell_of_services()
        return tls / "ca.pem"

    def _listen(self, line: str) -> None:
        """One more line under [listen]."""
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text.replace("[listen]\n", f"[listen]\n{line}\n", 1), encoding="utf-8")

    def _let_in_components(self) -> None:
        (self.component_port,) = free_ports(1)
        secret = self.folder / "components.secret"
        secret.touch(mode=0o600)
        secret.write_text(self.component_secret + "\n", encoding="utf-8")
        self._listen(f'components_loopback = ["{HOST}:{self.component_port}"]')
        text = self.config.read_text(encoding="utf-8")
        for name in self.components:
            section = f'\n[component."{name}.{DOMAIN}"]\nsecret_file = "{secret}"\n'
            text += section + GRANTS.get(name, "")
        self.config.write_text(text, encoding="utf-8")

    def _tell_of_services(self) -> None:
        (self.service_port,) = free_ports(1)
        secret = self.folder / "services.secret"
        secret.touch(mode=0o600)
        secret.write_text(self.service_secret + "\n", encoding="utf-8")
        place = f'host = "{HOST}"\nport = {self.service_port}\n'
        text = self.config.read_text(encoding="utf-8")
        text += f'\n[external.stun]\ntype = "stun"\n{place}'
        for transport in ("udp", "tcp"):
            text += f'\n[external.{transport}]\ntype = "turn"\ntransport = "{transport}"\n{place}'
            text += f'secret_file = "{secret}"\n'
        self.config.write_text(text, encoding="utf-8")

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
