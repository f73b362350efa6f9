#!/bin/sh
# needs-apt: nginx libnginx-mod-stream python3
# needs-accounts: 56
#
# nginx in front of the server: HTTP with X-Forwarded-For, and a stream with the PROXY protocol, which ends in the
# server's own TLS. Both carry the cases of web.sh that need no browser.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${XMPP_DOMAIN:-}" ]; then
    exec "$here/with-server" "$here/nginx.sh" "$@"
fi
if ! command -v node >/dev/null; then
    echo "skip nginx/all: there is no node"
    exit 0
fi

folder=$(mktemp -d)
nginx=
stop() {
    [ -z "$nginx" ] || kill "$nginx"
    wait
    rm -rf "$folder"
}
trap stop EXIT

ports=$(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held))')
http=${ports% *}
stream=${ports#* }
tls=$(dirname "$XMPP_CA_FILE")
cat >"$folder/nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid $folder/pid;
error_log $folder/error.log;
events {}
http {
    access_log off;
    # Its workers, being another user, cannot write here: nothing of what passes is to be put into files.
    client_body_buffer_size 512k;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:$http ssl;
        ssl_certificate $tls/cert.pem;
        ssl_certificate_key $tls/key.pem;
        location / {
            proxy_bind 127.0.0.9;
            proxy_pass http://127.0.0.1:$XMPP_HTTP_PORT;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$http_connection;
            proxy_set_header Host \$host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_buffering off;
        }
    }
}
stream {
    server {
        listen 127.0.0.1:$stream;
        proxy_bind 127.0.0.9;
        proxy_pass 127.0.0.1:$XMPP_HTTPS_PORT;
        proxy_protocol on;
    }
}
CONF
# It listens when this has ended well; the one that stays begins with the same configuration.
nginx -t -q -c "$folder/nginx.conf" -e "$folder/error.log"
nginx -c "$folder/nginx.conf" -e "$folder/error.log" &
nginx=$!
export NODE_EXTRA_CA_CERTS="$XMPP_CA_FILE"
node --input-type=module -e '
const get = async (path) => (await fetch(`https://localhost:${process.argv[1]}${path}`)).status;
for (let look = 0; ; look += 1) {
    try {
        await get("/healthz");
        break;
    } catch (error) {
        if (look === 600) throw error;
        await new Promise((done) => setTimeout(done, 100));
    }
}
const found = [await get("/healthz"), await get("/metrics")].join(" ");
console.log(found === "200 404" ? "ok nginx/metrics_stay_inside" : `not ok nginx/metrics_stay_inside: ${found}`);
process.exit(found === "200 404" ? 0 : 1);
' "$http" && failed=0 || failed=1

PARTNER=nginx/http XMPP_HTTPS_PORT=$http "$here/web.sh" xmpp_client strophe || failed=1
PARTNER=nginx/stream XMPP_HTTPS_PORT=$stream ACCOUNTS_FROM=28 "$here/web.sh" xmpp_client strophe || failed=1
exit "$failed"
