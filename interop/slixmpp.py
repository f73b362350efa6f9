#!/usr/bin/env python3
# needs-apt: python3 python3-venv
# needs-pip: slixmpp==1.17.0 slixmpp-omemo==2.2.0
# needs-server: closed open
# needs-accounts: 211
"""slixmpp against every item of the server's core: log-in, roster, presence, messages, resumption.

`slixmpp.py [CASE-PREFIX…]` runs those cases only.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide the slixmpp library behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import (
        archive,
        carbons,
        commands,
        devices,
        disco,
        encryption,
        files,
        login,
        messages,
        offline,
        presence,
        pubsub,
        registration,
        reports,
        resumption,
        roster,
    )

    core = [login, roster, presence, messages, offline, resumption, disco, carbons, archive]
    suites = [*core, devices, files, pubsub, encryption, commands, registration, reports]
    sys.exit(partner.run(HERE, [module.SUITE for module in suites]))
