#!/usr/bin/env python3
# needs-apt: python3 python3-venv
# needs-pip: slixmpp==1.17.0
# needs-accounts: 16
# needs-components: plain privileged
"""slixmpp as an external component (XEP-0114), with privileges (XEP-0356) and without."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import components

    sys.exit(partner.run(HERE, [components.SUITE]))
