#!/usr/bin/env python3
# needs-apt: python3 python3-venv biboumi ngircd
# needs-pip: slixmpp==1.17.0
# needs-accounts: 8
# needs-components: biboumi
# needs-ports: own
"""Debian's biboumi as an external component (XEP-0114), and behind it an IRC server of Debian's.

biboumi looks for IRC at its usual ports, so that all of them have a network of their own (see with-server).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import biboumi

    sys.exit(partner.run(HERE, [biboumi.SUITE]))
