#!/usr/bin/env python3
# needs-apt: python3 python3-venv gajim xvfb xdotool scrot dbus-daemon libglib2.0-bin ca-certificates
# needs-apt: dnsmasq-base adwaita-icon-theme fonts-dejavu-core glib-networking
# needs-pip: slixmpp==1.17.0
# needs-ports: own
# needs-accounts: 14
"""Gajim, a graphical client, in a window that nobody sees, driven by keys and over its message bus.

It finds its server by the domain alone, through a relay that can break its connection, and trusts it only
because the system does: see `python/harness/desktop.py`. Leaves screenshots in the artifacts folder.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import gajim

    sys.exit(partner.run(HERE, [gajim.SUITE]))
