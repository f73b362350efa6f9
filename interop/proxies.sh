#!/bin/sh
# needs-apt: nginx libnginx-mod-stream caddy haproxy go-sendxmpp curl
# needs-ports: own
# needs-accounts: 1
#
# nginx, Caddy and HAProxy, each with its configuration from docs/operate/proxy.md, before a server with the one from
# there: pages' connections on port 443, clients' on 5222. All that is changed is the domain, and where certificates are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${XMPP_DOMAIN:-}" ]; then
    exec "$here/with-server" "$here/proxies.sh" "$@"
fi
if ! command -v node >/dev/null; then
    echo "skip proxies/all: there is no node"
    exit 0
fi

folder=$(mktemp -d)
artifacts=${ARTIFACTS:-${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/artifacts}
mkdir -p "$artifacts"
proxy='' server=''
# The proxies log into the folder; what the server said of the last run is worth more than the rest.
finish() {
    for one in $proxy $server; do
        kill "$one" || true
    done
    wait || true
    cp "$folder"/*.log "$artifacts" || true
    rm -rf "$folder"
}
trap finish EXIT
partner=proxies
# shellcheck source=interop/verdict
. "$here/verdict"

# block LANGUAGE: what docs/operate/proxy.md has in it, for our domain and certificate.
block() {
    awk -v language="$1" '$0 == "```" { inside = 0 } inside { print } $0 == "```" language { inside = 1 }' \
        "$here/../docs/operate/proxy.md" >"$folder/block"
    [ -s "$folder/block" ]
    sed -e "s|/etc/letsencrypt/live/chat.example/|$folder/tls/|; s|/etc/haproxy/chat.example.pem|$folder/tls/both.pem|" \
        -e 's|chat\.example|localhost|' "$folder/block"
}

# until_well COMMAND…: tries for a minute.
until_well() {
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    return 1
}

"$WAXWING_BIN" certificate local --domain localhost --dir "$folder/tls" >/dev/null
ln -s cert.pem "$folder/tls/fullchain.pem"
ln -s key.pem "$folder/tls/privkey.pem"
cat "$folder/tls/cert.pem" "$folder/tls/key.pem" >"$folder/tls/both.pem"
{
    printf 'domains = ["localhost"]\ndata_dir = "%s"\n' "$folder/data"
    block toml
    printf 'allowed_origins = []\n[tls]\ncertificate = "%s"\nkey = "%s"\n' "$folder/tls/cert.pem" "$folder/tls/key.pem"
    printf '[options]\nlog_failed_logins = true\n'
} >"$folder/waxwing.toml"
"$WAXWING_BIN" --config "$folder/waxwing.toml" serve >"$folder/proxies-waxwing.log" 2>&1 &
server=$!
waxwing() {
    "$WAXWING_BIN" --config "$folder/waxwing.toml" "$@"
}
until_well waxwing account list

count=31
XMPP_ACCOUNTS='{'
for number in $(seq $count); do
    echo "secret-$number" | waxwing account add "user$number@localhost" --password-stdin >/dev/null &
    XMPP_ACCOUNTS="$XMPP_ACCOUNTS\"user$number@localhost\":\"secret-$number\","
    made="${made:-} $!"
done
# shellcheck disable=SC2086 # words
wait $made
export XMPP_ACCOUNTS="${XMPP_ACCOUNTS%,}}"
export XMPP_CA_FILE="$folder/tls/ca.pem" SSL_CERT_FILE="$folder/tls/ca.pem" NODE_EXTRA_CA_CERTS="$folder/tls/ca.pem"
export XMPP_HTTPS_PORT=443
page() {
    curl --silent --output /dev/null --write-out '%{http_code}' --cacert "$XMPP_CA_FILE" "https://localhost$1"
}
host_meta() {
    curl --silent --fail --cacert "$XMPP_CA_FILE" https://localhost/.well-known/host-meta |
        grep -q 'wss://localhost/xmpp-websocket'
}
metrics_stay_inside() {
    ! curl --silent --cacert "$XMPP_CA_FILE" https://localhost/metrics | grep waxwing_
}
# A stream through the proxy, and where the server thinks that it comes from: not from the proxy.
streams() {
    echo hello | go-sendxmpp -u user1@localhost --password=secret-1 -j '[::1]:5222' user2@localhost || return
    ! echo hello | go-sendxmpp -u user3@localhost --password=wrong -j '[::1]:5222' user2@localhost || return
    grep -q 'WARN.*::1' "$folder/proxies-waxwing.log" || return
    : >"$folder/proxies-waxwing.log"
}

# try NAME FROM CASES… : the proxy is started.
try() {
    name=$1
    from=$2
    shift 2
    if ! until_well page /http-bind; then
        echo "not ok proxies/$name: it does not start: $(tail -n 3 "$folder/proxies-$name.log" | tr '\n' ' ')"
        failed=1
        return
    fi
    PARTNER=proxies/$name ACCOUNTS_FROM=$from "$here/web.sh" "$@" || failed=1
    verdict "$name/host_meta" host_meta
    verdict "$name/metrics_stay_inside" metrics_stay_inside
}
stop() {
    kill "$proxy"
    wait "$proxy" || true
    proxy=
}
cases='xmpp_client/chat xmpp_client/resumption xmpp_client/upload strophe/many strophe/offline'

{
    printf 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\npid %s/pid;\nevents {}\n' "$folder"
    block nginx
} >"$folder/nginx.conf"
nginx -c "$folder/nginx.conf" -e "$folder/proxies-nginx.log" 2>>"$folder/proxies-nginx.log" &
proxy=$!
# shellcheck disable=SC2086 # words
try nginx 4 $cases
verdict nginx/streams streams
stop

block haproxy >"$folder/haproxy.cfg"
haproxy -db -f "$folder/haproxy.cfg" >"$folder/proxies-haproxy.log" 2>&1 &
proxy=$!
# shellcheck disable=SC2086 # words
try haproxy 13 $cases
verdict haproxy/streams streams
stop

# It would ask an authority for a certificate.
block caddy | sed "s|^\t@xmpp path|\ttls $folder/tls/cert.pem $folder/tls/key.pem\n&|" >"$folder/Caddyfile"
HOME=$folder XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder \
    caddy run --adapter caddyfile --config "$folder/Caddyfile" >"$folder/proxies-caddy.log" 2>&1 &
proxy=$!
# shellcheck disable=SC2086 # words
try caddy 22 $cases
stop
exit "$failed"
