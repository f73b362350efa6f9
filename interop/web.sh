#!/bin/sh
# needs-apt: chromium
# needs-accounts: 36
#
# @xmpp/client and strophe.js, in Node and in Chromium: WebSocket and BOSH as pages use them.
# Packages are pinned by hash in web/package-lock.json and installed in the user's cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for tool in node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "skip web/all: there is no $tool"
        exit 0
    fi
done

key=$(cat "$here/web/package-lock.json" | sha256sum | cut -c1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/npm-$key
if [ ! -e "$folder/complete" ]; then
    mkdir -p "$folder"
    cp "$here/web/package.json" "$here/web/package-lock.json" "$folder"
    # Nothing of these packages is run while they are installed.
    if ! (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts >&2); then
        echo "skip web/all: the npm packages cannot be installed"
        exit 0
    fi
    touch "$folder/complete"
fi

if [ -z "${XMPP_DOMAIN:-}" ]; then
    exec "$here/with-server" "$here/web.sh" "$@"
fi

# Node looks for packages beside the program.
program=$(mktemp -d)
trap 'rm -rf "$program"' EXIT
cp "$here"/web/*.mjs "$here"/web/*.html "$program"
ln -s "$folder/node_modules" "$program/node_modules"
export NODE_EXTRA_CA_CERTS="$XMPP_CA_FILE"
export ARTIFACTS="${ARTIFACTS:-${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/artifacts}"
node "$program/run.mjs" "$@"
