#!/usr/bin/env python3
# needs-apt: ejabberd openssl prosody
"""waxwing-load against Debian's Prosody and ejabberd: all scenarios at once, by every transport.

What is counted has to be right; how fast it is does not matter here. It needs no server of ours.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DOMAIN = "localhost"
HOST = "127.0.0.1"
START_SECS_MAX = 60
RUN_SECS_MAX = 120
# Four for each scenario.
CLIENTS = 32

SCENARIOS = ["login", "idle", "chat", "flood", "presence", "reconnect", "offline", "pubsub"]

PROSODY = """
run_as_root = true
data_path = "{folder}/data"
pidfile = "{folder}/pid"
log = {{ {{ levels = {{ min = "error" }}, to = "console" }} }}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "presence"; "message"; "iq"; "c2s"; "offline"; "smacks";
    "register_ibr"; "http"; "websocket" }}
modules_disabled = {{ "s2s" }}
allow_registration = true
authentication = "internal_hashed"
password_hash = "SHA-256"
-- Streams without TLS are asked for here.
c2s_require_encryption = false
consider_websocket_secure = true
interfaces = {{ "127.0.0.1" }}
http_interfaces = {{ "127.0.0.1" }}
https_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {plain} }}
c2s_direct_tls_ports = {{ {tls} }}
http_ports = {{ {http} }}
https_ports = {{ {https} }}
https_ssl = {{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}
certificates = "{folder}"
ssl = {{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}
-- Whoever makes a node has to be an administrator.
admins = {{ {everybody} }}
VirtualHost "localhost"
Component "pubsub.localhost" "pubsub"
"""

EJABBERD = """
hosts: ["localhost"]
loglevel: error
certfiles: ["{folder}/chain.pem"]
listen:
  - {{ port: {plain}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, shaper: none }}
  - {{ port: {tls}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true, shaper: none }}
  - {{ port: {http}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{ "/ws": ejabberd_http_ws }} }}
  - {{ port: {https}, ip: "127.0.0.1", module: ejabberd_http, tls: true,
      request_handlers: {{ "/ws": ejabberd_http_ws }} }}
s2s_access: none
auth_method: mnesia
auth_password_format: scram
auth_scram_hash: sha256
registration_timeout: infinity
access_rules: {{ register: {{ allow: all }}, pubsub_createnode: {{ allow: all }} }}
api_permissions: {{}}
modules:
  mod_roster: {{}}
  mod_disco: {{}}
  mod_offline: {{}}
  mod_stream_mgmt: {{ resend_on_timeout: if_offline }}
  mod_register: {{ access: register, ip_access: all }}
  mod_pubsub: {{ access_createnode: pubsub_createnode }}
"""


def prosody(folder: Path) -> tuple[list[str], dict[str, str]]:
    return ["prosody", "-F", "--config", str(folder / "config.cfg.lua")], {}


def ejabberd(folder: Path) -> tuple[list[str], dict[str, str]]:
    # As ejabberdctl does, but for a node without a name: nobody controls it.
    script = Path("/usr/sbin/ejabberdctl").read_text(encoding="utf-8")
    libraries = re.search(r"^ERL_LIBS='(.*)'", script, re.MULTILINE)
    environment = {
        "HOME": str(folder),
        "EJABBERD_CONFIG_PATH": str(folder / "config.yml"),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "ERL_CRASH_DUMP": str(folder / "crash.dump"),
        "ERL_LIBS": libraries[1] if libraries else "",
    }
    return ["erl", "+K", "true", "-noinput", "+Bd", "-mnesia", "dir", f'"{folder}/data"', "-s", "ejabberd"], environment


#: Name, configuration, command, path of WebSockets, and scenarios that are run by themselves, and by WebSocket not at all:
#: where ejabberd 23.01 is busy, it loses one message in thousands while sessions are resumed (11 of 60 runs of all scenarios at
#: once, none of 25 without resumption, none of 25 with nothing else); by WebSocket it waits for connections that are gone.
PEERS: list[tuple[str, str, Callable[[Path], tuple[list[str], dict[str, str]]], str, list[str]]] = [
    ("prosody", PROSODY, prosody, "/xmpp-websocket", []),
    ("ejabberd", EJABBERD, ejabberd, "/ws", ["reconnect"]),
]


def free_ports(count: int) -> list[int]:
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def certificate(folder: Path) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(["openssl", *words.split(), *names], check=True, capture_output=True)
    both = [(folder / name).read_text(encoding="ascii") for name in ("cert.pem", "key.pem")]
    (folder / "chain.pem").write_text("".join(both), encoding="ascii")


def wait_until_open(server: subprocess.Popen[bytes], ports: list[int]) -> None:
    until = time.monotonic() + START_SECS_MAX
    for port in ports:
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"nothing listens at port {port}") from None
                time.sleep(0.05)


def load(words: list[str]) -> str | None:
    """Runs waxwing-load; what it says, if anything went wrong."""
    program = os.environ.get("WAXWING_LOAD_BIN", "waxwing-load")
    try:
        done = subprocess.run([program, "run", *words], capture_output=True, text=True, timeout=RUN_SECS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stdout + done.stderr


def main(chosen: list[str]) -> int:
    failed = 0
    for name, text, command, path, apart in PEERS:
        if chosen and not any(one.startswith(name) or name.startswith(one.split("/")[0]) for one in chosen):
            continue
        with tempfile.TemporaryDirectory(prefix=f"waxwing-load-{name}-") as place:
            folder = Path(place)
            (folder / "data").mkdir()
            certificate(folder)
            plain, tls, http, https = ports = free_ports(4)
            everybody = "; ".join(f'"load{number}@{DOMAIN}"' for number in range(CLIENTS))
            filled = text.format(folder=folder, plain=plain, tls=tls, http=http, https=https, everybody=everybody)
            # Each reads a file of that ending only.
            for ending in ("cfg.lua", "yml"):
                (folder / f"config.{ending}").write_text(filled, encoding="utf-8")
            line, environment = command(folder)
            with (folder / "log").open("wb") as log:
                server = subprocess.Popen(line, stdout=log, stderr=log, env={**os.environ, **environment}, cwd=folder)
            try:
                wait_until_open(server, ports)
                for transport, port in [
                    ("plain", plain),
                    ("starttls", plain),
                    ("tls", tls),
                    ("websocket", https),
                    ("websocket-plain", http),
                ]:
                    case = f"{name}/{transport}"
                    if chosen and not any(case.startswith(one) for one in chosen):
                        continue
                    mixes = [[scenario for scenario in SCENARIOS if scenario not in apart]]
                    if apart and not transport.startswith("websocket"):
                        mixes.append(apart)
                    where = ["--server", f"{HOST}:{port}", "--domain", DOMAIN, "--transport", transport, "--path", path]
                    what = ["--scenario", "mixed", "--mix", str(folder / "mix.toml"), "--register"]
                    # Three log-ins, for which there are four clients: no machine is too slow for them.
                    size = ["--clients", str(CLIENTS), "--rate", "24/s", "--duration", "1s", "--roster", "2", "--window", "5"]
                    why = None
                    for mix in mixes:
                        lines = [f"{scenario} = 1\n" for scenario in mix]
                        (folder / "mix.toml").write_text("".join(lines), encoding="utf-8")
                        why = why or load([*where, *what, *size])
                    if why is None:
                        print(f"ok load/{case}", flush=True)
                    else:
                        failed += 1
                        print(f"not ok load/{case}: {' '.join(why.split())}", flush=True)
            except (OSError, RuntimeError) as error:
                failed += 1
                said = (folder / "log").read_text(encoding="utf-8", errors="replace")[-500:]
                print(f"not ok load/{name}: {error} {' '.join(said.split())}", flush=True)
            finally:
                server.terminate()
                server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    # Being told to stop ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
