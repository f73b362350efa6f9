"""Where the server under test listens and who may log in, as handed over in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """One account of the server under test."""

    jid: str
    password: str

    @property
    def node(self) -> str:
        return self.jid.partition("@")[0]


@dataclass
class Coordinates:
    """One server. Ports are 0 where it has no such listener."""

    domain: str
    host: str
    port: int
    tls_port: int
    plain_port: int
    ca_file: Path
    accounts: list[Account]
    #: What this server is known not to have; only ever said of a stand-in, never of Waxwing.
    lacks: frozenset[str] = field(default_factory=frozenset)
    #: HTTP over TLS: WebSocket and BOSH.
    https_port: int = 0
    #: HTTP without TLS, for a reverse proxy on this machine.
    http_port: int = 0
    #: Where it stores what it keeps.
    data_dir: Path = Path()
    #: Where external components connect, and what all of them know.
    component_port: int = 0
    component_secret: str = ""
    #: Where a STUN and TURN server is to listen that the server tells clients of, and what both know.
    service_port: int = 0
    service_secret: str = ""

    def environment(self, prefix: str = "XMPP") -> dict[str, str]:
        """The variables that :meth:`from_environment` reads."""
        # For those that would rather not read JSON: the first three, by number.
        numbered: dict[str, str] = {}
        for number, account in enumerate(self.accounts[:3], start=1):
            numbered[f"{prefix}_JID_{number}"] = account.jid
            numbered[f"{prefix}_PASSWORD_{number}"] = account.password
        return numbered | {
            f"{prefix}_DOMAIN": self.domain,
            f"{prefix}_HOST": self.host,
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_TLS_PORT": str(self.tls_port),
            f"{prefix}_PLAIN_PORT": str(self.plain_port),
            f"{prefix}_HTTPS_PORT": str(self.https_port),
            f"{prefix}_HTTP_PORT": str(self.http_port),
            f"{prefix}_CA_FILE": str(self.ca_file),
            f"{prefix}_DATA_DIR": str(self.data_dir),
            f"{prefix}_COMPONENT_PORT": str(self.component_port),
            f"{prefix}_COMPONENT_SECRET": self.component_secret,
            f"{prefix}_SERVICE_PORT": str(self.service_port),
            f"{prefix}_SERVICE_SECRET": self.service_secret,
            f"{prefix}_ACCOUNTS": json.dumps({a.jid: a.password for a in self.accounts}),
            f"{prefix}_LACKS": " ".join(sorted(self.lacks)),
        }

    @classmethod
    def from_environment(cls, prefix: str = "XMPP") -> Coordinates | None:
        """The server that the launcher announced under this prefix, if it did."""
        if f"{prefix}_DOMAIN" not in os.environ:
            return None
        get = os.environ.__getitem__
        return cls(
            domain=get(f"{prefix}_DOMAIN"),
            host=get(f"{prefix}_HOST"),
            port=int(get(f"{prefix}_PORT")),
            tls_port=int(get(f"{prefix}_TLS_PORT")),
            plain_port=int(get(f"{prefix}_PLAIN_PORT")),
            ca_file=Path(get(f"{prefix}_CA_FILE")),
            data_dir=Path(os.environ.get(f"{prefix}_DATA_DIR", "")),
            component_port=int(os.environ.get(f"{prefix}_COMPONENT_PORT", "0")),
            component_secret=os.environ.get(f"{prefix}_COMPONENT_SECRET", ""),
            service_port=int(os.environ.get(f"{prefix}_SERVICE_PORT", "0")),
            service_secret=os.environ.get(f"{prefix}_SERVICE_SECRET", ""),
            accounts=[Account(j, p) for j, p in json.loads(get(f"{prefix}_ACCOUNTS")).items()],
            lacks=frozenset(os.environ.get(f"{prefix}_LACKS", "").split()),
            https_port=int(os.environ.get(f"{prefix}_HTTPS_PORT", "0")),
            http_port=int(os.environ.get(f"{prefix}_HTTP_PORT", "0")),
        )


def artifacts() -> Path:
    """Where screenshots and logs are left for a person to look at."""
    folder = Path(os.environ.get("ARTIFACTS") or cache() / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache() -> Path:
    """The user's cache folder for these tests; nothing is ever written into the checkout."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "waxwing" / "interop"
