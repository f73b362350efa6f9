#!/usr/bin/env python3
# needs-apt: python3 python3-venv
# needs-pip: slixmpp==1.17.0 http-ece==1.2.1 py-vapid==1.9.6
# needs-accounts: 6
# needs-components: plain
# needs-options: web_push=true web_push_private_addresses=true push_reveals="body"
"""Push notifications (XEP-0357): Web Push read by Mozilla's libraries, and slixmpp as an app server that is a component."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import push

    sys.exit(partner.run(HERE, [push.SUITE]))
