#!/usr/bin/env python3
# needs-apt: python3 python3-venv go-sendxmpp
# needs-pip: slixmpp==1.17.0
# needs-ports: default
# needs-accounts: 25
"""go-sendxmpp, which sends the messages of scripts, and prints those that it is sent.

It trusts what the system trusts; Go's TLS takes another list of authorities from its environment.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import go_sendxmpp

    sys.exit(partner.run(HERE, [go_sendxmpp.SUITE]))
