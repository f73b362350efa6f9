"""The Python environment of the partners: made once in the user's cache folder, pinned by hash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from .coordinates import cache

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
INSTALL_SECS_MAX = 300


def enter() -> None:
    """Go on in the environment: replaces this process unless it runs there already."""
    python = prepare()
    if Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])


def prepare() -> Path:
    """The environment's interpreter. A change of pins or of Python makes another environment."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache() / f"python-{key}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Partners may start side by side; the first makes it, the others wait for the lock.
    with open(folder.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "complete"
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run(
                [python, *install, "--require-hashes", "-r", REQUIREMENTS],
                check=True,
                timeout=INSTALL_SECS_MAX,
                stdout=sys.stderr,
            )
            done.touch()
    return python
