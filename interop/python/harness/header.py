"""The header of a partner file says what it needs: lines of the form `# needs-WHAT: words`.

`needs-apt`       Debian packages (checked and installed by `cargo xtask test`)
`needs-pip`       packages from PyPI; the partner installs them itself, pinned in requirements.txt
`needs-server`    registration modes of the servers to start: `closed` (default), `open`, or both
`needs-accounts`  how many accounts the first server has (default 3)
`needs-components` external components that the first server lets in: `plain` is granted nothing, `privileged` much
`needs-options`   options of the first server, each `NAME=VALUE` as its configuration has it
`needs-services` STUN and TURN that the first server tells clients of: `relay` is all there is
`needs-clock`     `set`: the server's clock can be set by harness.clock
`needs-ports`     `default` asks for 5222 and 5223, which with-server provides in a network of its own;
                  `own` asks for such a network too, and leaves these ports to the partner
"""

from __future__ import annotations

from pathlib import Path


def needs(partner: Path, what: str) -> list[str]:
    """The words after `# needs-WHAT:` in the leading comment block."""
    words: list[str] = []
    for line in partner.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if line.startswith(f"# needs-{what}:"):
            words += line.partition(":")[2].split()
    return words
