"""Debian's Prosody as a stand-in: what a partner fails against it too is the partner's fault.

Run by hand while developing (`with-prosody PARTNER`), never by `cargo xtask test`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .coordinates import Account
from .launcher import DOMAIN, HOST, LaunchError, Server

#: What Debian's version lacks and a module can add.
MODULES = {
    # Streams on the third port count as secure without TLS, as Waxwing's plain loopback listener does.
    "plain_port": """
local port = module:get_option_number("plain_port");
module:hook("stream-features", function (event)
    local session = event.origin;
    if session.type == "c2s_unauthed" and not session.secure and tonumber(session.conn:serverport()) == port then
        session.secure = true;
    end
end, 2500);
""",
    # Channel binding by tls-exporter, which Prosody itself has since 13.0. Under the name tls-unique too,
    # since this version's SCRAM offers its -PLUS form for nothing else.
    "tls_exporter": """
local users = prosody.hosts[module.host].users;
local get_sasl_handler = users.get_sasl_handler;
users.get_sasl_handler = function (session, ...)
    local handler = get_sasl_handler(session, ...);
    local socket = session.encrypted and session.conn:socket();
    if socket and handler.add_cb_handler and socket:info().protocol == "TLSv1.3" then
        local function exporter()
            return (assert(socket:exportkeyingmaterial("EXPORTER-Channel-Binding", 32, "")));
        end
        handler:add_cb_handler("tls-exporter", exporter);
        handler:add_cb_handler("tls-unique", exporter);
    end
    return handler;
end
""",
}


class Prosody(Server):
    name = "prosody"

    def prepare(self) -> Path:
        if shutil.which("prosody") is None:
            raise LaunchError("prosody is not installed")
        self.config = self.folder / "prosody.cfg.lua"
        modules = self.folder / "modules"
        modules.mkdir()
        for name, text in MODULES.items():
            (modules / f"mod_{name}.lua").write_text(text, encoding="utf-8")
        self._certificate()
        allow = "true" if self.mode == "open" else "false"
        self.config.write_text(
            f"""
run_as_root = true
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.data_dir}"
plugin_paths = {{ "{modules}" }}
certificates = "{self.folder}"
log = {{ debug = "{self.log}" }}
interfaces = {{ "{HOST}" }}
c2s_ports = {{ {self.port}, {self.plain_port} }}
c2s_direct_tls_ports = {{ {self.tls_port} }}
c2s_direct_tls_ssl = {{ certificate = "{self.folder}/localhost.crt"; key = "{self.folder}/localhost.key" }}
plain_port = {self.plain_port}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "version", "carbons", "smacks",
    "offline", "register", "admin_shell", "plain_port", "tls_exporter" }}
modules_disabled = {{ "s2s", "limits" }}
admin_socket = "{self.folder}/admin.sock"
c2s_require_encryption = true
authentication = "internal_hashed"
password_hash = "SHA-256"
allow_registration = {allow}
registration_throttle_max = 1000
smacks_max_unacked_stanzas = 5
VirtualHost "{DOMAIN}"
    ssl = {{ certificate = "{self.folder}/localhost.crt"; key = "{self.folder}/localhost.key" }}
""",
            encoding="utf-8",
        )
        return self.folder / "authority.crt"

    def command(self) -> list[str]:
        return ["prosody", "--config", str(self.config), "-F"]

    def add_account(self, account: Account) -> None:
        tool = ["prosodyctl", "--config", str(self.config)]
        self.run(*tool, "register", account.node, DOMAIN, account.password)

    def lacks(self) -> frozenset[str]:
        return frozenset({
            "scram-sha-1",  # password_hash chooses one of SHA-1 and SHA-256
            "scram-sha-512",
            "scram_sha_1_plus",
            "binding_of_another_kind",  # its module above answers to two names
            "alpn",
            "plain-refused-on-loopback",
            "unavailable-on-unsubscribe",
            "offline-on-priority-change",
            "newline-in-attribute",
            "unknown-node",
            "features-of-accounts",
        })  # fmt: skip

    def _certificate(self) -> None:
        """A local authority and a certificate signed by it, as `waxwing certificate local` makes."""
        openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        authority = ["-keyout", "authority.key", "-out", "authority.crt"]
        leaf = ["-keyout", "localhost.key", "-out", "localhost.crt"]
        common = ["-nodes", "-days", "2"]
        self.run(*openssl, *authority, *common, "-subj", "/CN=Stand-in authority")
        signed = ["-CA", "authority.crt", "-CAkey", "authority.key", "-subj", f"/CN={DOMAIN}"]
        names = ["-addext", f"subjectAltName=DNS:{DOMAIN}", "-addext", "basicConstraints=critical,CA:FALSE"]
        self.run(*openssl, *leaf, *common, *signed, *names)
