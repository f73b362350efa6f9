#!/usr/bin/env python3
# needs-apt: python3 python3-venv dino-im xvfb xdotool scrot dbus-daemon libglib2.0-bin ca-certificates
# needs-apt: dnsmasq-base adwaita-icon-theme fonts-dejavu-core glib-networking
# needs-pip: slixmpp==1.17.0
# needs-ports: own
# needs-accounts: 16
"""Dino, a graphical client, in a window that nobody sees, driven by keys.

It finds its server by the domain alone, and trusts it only because the system does: so the server has
its usual ports (in a network of its own, see with-server), and the system's list of authorities is
covered by the local authority, for Dino's eyes only. Leaves a screenshot in the artifacts folder.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import dino

    sys.exit(partner.run(HERE, [dino.SUITE]))
