# Sourced by the partners that are JavaScript, which have set `partner` and `here`: the packages, pinned by hash in
# package-lock.json, in the user's cache; $program is a folder with this one's programs and the packages beside them.
# Without a server in the environment the partner begins again by with-server.
for tool in node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "skip $partner/all: there is no $tool"
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
        echo "skip $partner/all: the npm packages cannot be installed"
        exit 0
    fi
    touch "$folder/complete"
fi

if [ -z "${XMPP_DOMAIN:-}" ]; then
    exec "$here/with-server" "$here/$partner.sh" "$@"
fi

# Node looks for packages beside the program.
program=$(mktemp -d)
trap 'rm -rf "$program"' EXIT
cp "$here"/web/*.mjs "$here"/web/*.html "$program"
ln -s "$folder/node_modules" "$program/node_modules"
export NODE_EXTRA_CA_CERTS="$XMPP_CA_FILE"
export ARTIFACTS="${ARTIFACTS:-${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/artifacts}"
