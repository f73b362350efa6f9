#!/bin/sh
# needs-apt: dpkg-dev binutils lintian systemd systemd-container init-system-helpers man-db
# needs-apt: go-sendxmpp bash-completion iproute2 util-linux curl procps
#
# The Debian package: built twice, looked at by lintian, and installed, used, upgraded, removed and purged on a machine
# that systemd boots: this one's files under a layer of its own, with a network of its own. What is done there is in
# debian/on-the-machine.sh.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
artifacts=${ARTIFACTS:-${XDG_CACHE_HOME:-$HOME/.cache}/waxwing/interop/artifacts}
mkdir -p "$artifacts"
trap 'rm -rf "$folder"' EXIT
partner=debian
# shellcheck source=interop/verdict
. "$here/verdict"

if ! command -v dpkg-deb >/dev/null; then
    echo "skip debian/all: this is no Debian"
    exit 0
fi
# Small files are not what is tested.
export DPKG_DEB_COMPRESSOR_LEVEL=1
package() {
    cd "$here/.." && cargo xtask deb --program "$WAXWING_BIN" --out "$folder/$1" --version "$2" >/dev/null
}
package one 1.0~test-1 &
one=$!
package two 1.0~test-1
wait "$one"
package next 1.0~test-2
deb=waxwing_1.0~test-1_$(dpkg --print-architecture).deb
verdict built_twice_it_is_the_same cmp "$folder/one/$deb" "$folder/two/$deb"
verdict lintian lintian --allow-root --fail-on error,warning "$folder/one/$deb"

if [ "$(id -u)" != 0 ]; then
    echo "skip debian/machine: only root can boot one"
    exit "$failed"
fi
mkdir "$folder/packages"
mv "$folder/one/$deb" "$folder/next/"*.deb "$folder/packages"
cp "$here/debian/on-the-machine.sh" "$folder/packages"
unshare --mount "$here/debian/boot.sh" "$folder" >"$folder/machine.log" 2>&1 && code=0 || code=$?
cp "$folder/machine.log" "$artifacts/debian-machine.log"
if [ "$code" = 77 ]; then
    echo "skip debian/machine: $(tail -n 1 "$folder/machine.log")"
    exit "$failed"
fi
grep -E '^(ok|not ok) ' "$folder/machine.log" || true
if ! grep -q '^through$' "$folder/machine.log"; then
    echo "not ok debian/machine: not through, see $artifacts/debian-machine.log"
    failed=1
fi
if grep -q '^not ok ' "$folder/machine.log"; then
    failed=1
fi
exit "$failed"
