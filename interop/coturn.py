#!/usr/bin/env python3
# needs-apt: python3 python3-venv coturn faketime
# needs-pip: slixmpp==1.17.0
# needs-accounts: 8
# needs-services: relay
"""Debian's coturn: it lets in who has the credentials that the server gives (XEP-0215), and nobody else."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import coturn

    sys.exit(partner.run(HERE, [coturn.SUITE]))
