#!/bin/sh
# needs-apt: chromium
# needs-accounts: 36
#
# @xmpp/client and strophe.js, in Node and in Chromium: WebSocket and BOSH as pages use them.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
partner=web
. "$here/web/packages.sh"
node "$program/run.mjs" "$@"
