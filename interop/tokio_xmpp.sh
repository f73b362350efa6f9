#!/bin/sh
# needs-accounts: 2
#
# tokio-xmpp, a client library in Rust: SCRAM-SHA-256-PLUS bound to the TLS session by tls-exporter.
# Built here, in the target folder that CARGO_TARGET_DIR names, or in one in the user's cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/target}
export CARGO_TARGET_DIR

if [ -z "${XMPP_DOMAIN:-}" ]; then
    # Before the server is started, which would only wait for the compiler.
    cargo build --quiet --locked --manifest-path "$here/tokio-xmpp/Cargo.toml"
    exec "$here/with-server" "$here/tokio_xmpp.sh"
fi

cargo build --quiet --locked --manifest-path "$here/tokio-xmpp/Cargo.toml"
# rustls-native-certs reads these variables: the partner trusts this authority and no other.
unset SSL_CERT_DIR
SSL_CERT_FILE=$XMPP_CA_FILE exec "$CARGO_TARGET_DIR/debug/waxwing-interop-tokio-xmpp"
