#!/usr/bin/env python3
# needs-apt: python3 python3-venv libfaketime
# needs-pip: slixmpp==1.17.0
# needs-accounts: 4
# needs-clock: set
"""The server's clock is set forward and back, by libfaketime, while clients talk."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import clock

    sys.exit(partner.run(HERE, [clock.SUITE]))
