#!/usr/bin/env python3
# needs-apt: python3 python3-venv
# needs-pip: slixmpp==1.17.0
# needs-accounts: 4
# needs-options: bytestreams_host="proxy" bytestreams_address="127.0.0.1"
"""slixmpp sends bytes between two clients by the server's relay (XEP-0065)."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import bytestreams

    sys.exit(partner.run(HERE, [bytestreams.SUITE]))
