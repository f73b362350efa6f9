#!/usr/bin/env python3
# needs-apt: python3 python3-venv
# needs-pip: schemathesis==4.32.5 openapi-spec-validator==0.9.0
# needs-accounts: 3
# needs-options: api_requests_per_token_max=1000000
"""Schemathesis and a validator of OpenAPI: the HTTP API is what its document says, whatever is sent to it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# Not beside the others: this file's own folder would hide libraries behind it.
sys.path[0] = str(HERE.parent / "python")

from harness import partner  # noqa: E402

if __name__ == "__main__":
    partner.enter(HERE)

    from cases import openapi

    sys.exit(partner.run(HERE, [openapi.SUITE]))
