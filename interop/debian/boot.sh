#!/bin/sh
# boot.sh FOLDER: boots a machine that has this one's files, runs FOLDER/packages/on-the-machine.sh on it, and shows what
# that said. Runs in a mount namespace of its own, so that nothing is left. Exit code 77: machines cannot be booted here.
set -eu

folder=$1
mkdir "$folder/layer"
mount -t tmpfs tmpfs "$folder/layer" || exit 77
cd "$folder/layer"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root || exit 77
# Only what this test starts runs there, and a server of this package must not have been there before.
rm -rf root/etc/systemd/system/*.wants root/etc/waxwing root/var/lib/waxwing
# Containers forbid packages to start services; and without a name the machine would ask for one.
rm -f root/usr/sbin/policy-rc.d root/etc/machine-id
tr -d - </proc/sys/kernel/random/uuid >root/etc/machine-id
cp -r "$folder/packages" root/trial
cat >root/etc/systemd/system/trial.service <<'UNIT'
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=/bin/sh /trial/on-the-machine.sh
StandardOutput=file:/trial/said
StandardError=inherit
TimeoutStartSec=120
UNIT
cd /
timeout --kill-after=20 180 systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \
    --machine="waxwing-$$" --directory="$folder/layer/root" --boot systemd.unit=trial.service </dev/null || true
if [ ! -e "$folder/layer/root/trial/said" ]; then
    echo "systemd does not boot a machine here"
    exit 77
fi
cat "$folder/layer/root/trial/said"
