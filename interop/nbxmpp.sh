#!/bin/sh
# needs-apt: python3 python3-venv python3-gi gir1.2-soup-3.0 python3-precis-i18n python3-idna python3-packaging
# needs-apt: glib-networking
# needs-accounts: 6
#
# nbxmpp, the library of Gajim, as its present version has it: it follows the links of invitations, which Debian's Gajim and
# Dino do not know. It is pinned by hash in nbxmpp/requirements.txt and installed in the user's cache; what it needs is
# Debian's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
key=$(sha256sum "$here/nbxmpp/requirements.txt" | cut -c1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/nbxmpp-$key
if [ ! -e "$folder/complete" ]; then
    # Debian's Python, which has the bindings of GLib.
    /usr/bin/python3 -m venv --clear --system-site-packages "$folder"
    if ! "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r "$here/nbxmpp/requirements.txt" >&2; then
        echo "skip nbxmpp/all: the package cannot be installed"
        exit 0
    fi
    touch "$folder/complete"
fi

if [ -z "${XMPP_DOMAIN:-}" ]; then
    exec "$here/with-server" "$here/nbxmpp.sh" "$@"
fi
exec "$folder/bin/python" "$here/nbxmpp/main.py" "$@"
