"""A network of one's own: only a loopback interface, so every port is free and nothing can leave it."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct

MARK = "WAXWING_INTEROP_NETNS"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def enter(command: list[str]) -> None:
    """Go on in a network of one's own: replaces this process by `command` unless it is there already.

    Mounts are private too, so that a partner may put a file over another for its own eyes. Without
    root this takes user namespaces, which some systems forbid; unshare then says so.
    """
    if os.environ.get(MARK) == str(os.stat("/proc/self/ns/net").st_ino):
        return
    if MARK in os.environ:
        _loopback_up()
        os.environ[MARK] = str(os.stat("/proc/self/ns/net").st_ino)
        return
    unshare = shutil.which("unshare")
    if unshare is None:
        raise SystemExit("unshare (package util-linux) is needed for ports 5222 and 5223")
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    os.environ[MARK] = "entering"
    os.execv(unshare, [unshare, *user, "--net", "--mount", "--", *command])


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
