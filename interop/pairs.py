#!/usr/bin/env python3
# needs-apt: python3 python3-venv profanity tmux openssl xterm dino-im gajim gajim-omemo
# needs-apt: xvfb xdotool scrot dbus-daemon libglib2.0-bin ca-certificates adwaita-icon-theme fonts-dejavu-core
# needs-apt: glib-networking
# needs-pip: slixmpp==1.17.0
# needs-ports: default
# needs-accounts: 24
"""Profanity, Dino and Gajim with one another: encrypted messages, pictures, bookmarks, files.

Each is driven as by its own partner; the library takes the part of whoever knows only the old, or only the new way.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import avatars, bookmarks, exchange, omemo

    sys.exit(partner.run(HERE, [module.SUITE for module in (omemo, avatars, bookmarks, exchange)]))
