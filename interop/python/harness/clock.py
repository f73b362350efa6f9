"""A clock that a case sets, of a server that runs under libfaketime: the time of day, not the clock that nobody sets."""

from __future__ import annotations

import os
from pathlib import Path

#: The variable that names the file.
FILE = "XMPP_CLOCK"


def environment(file: Path) -> dict[str, str]:
    """What a server is started with whose clock is as far off as `file` says."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise FileNotFoundError("libfaketime is not installed")
    Clock(file).set(0)
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


class Clock:
    def __init__(self, file: Path | None = None) -> None:
        self._file = file or Path(os.environ[FILE])

    def set(self, seconds: int) -> None:
        """Has the server's clock be so far off, from its next look on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.replace(self._file)
