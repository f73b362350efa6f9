#!/bin/sh
# needs-apt: chromium
# needs-accounts: 16
#
# Converse.js, a client that is a page, in Chromium, by its own buttons and fields; and an invitation's page in the same
# browser. Whom it talks to is another Converse.js, or @xmpp/client. Leaves pictures and what each page sent and got.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
partner=converse
. "$here/web/packages.sh"
node "$program/converse.mjs" "$@"
