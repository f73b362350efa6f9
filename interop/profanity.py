#!/usr/bin/env python3
# needs-apt: python3 python3-venv profanity tmux openssl xvfb xterm scrot fonts-dejavu-core
# needs-pip: slixmpp==1.17.0
# needs-accounts: 22
"""Profanity, a client for terminals, driven by its keys and judged by its screen.

Leaves the screen as text and as a picture in the artifacts folder.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import profanity

    sys.exit(partner.run(HERE, [profanity.SUITE]))
