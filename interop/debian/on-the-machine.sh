#!/bin/sh
# Runs as root on a machine that systemd has booted, with two versions of the package beside this file. Prints a line for
# each thing that has to go well, and `through` at the end.
set -u

here=$(dirname "$0")
first=$(ls "$here"/*test-1_*.deb)
next=$(ls "$here"/*test-2_*.deb)
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
export SSL_CERT_FILE=/etc/waxwing/local/ca.pem SSL_CERT_DIR=/nowhere HOME=/trial

verdict() {
    name=$1
    shift
    if said=$("$@" 2>&1); then
        echo "ok debian/$name"
    else
        echo "not ok debian/$name: $(printf %s "$said" | tail -n 5 | tr '\n' ' ')"
        printf '%s\n' "$said"
        journalctl --unit=waxwing --no-pager --lines=20
    fi
}

# same FOUND WANTED
same() {
    [ "$1" = "$2" ] || { echo "'$1', not '$2'" && false; }
}

main_pid() {
    systemctl show --property=MainPID --value waxwing
}

# send FROM TO TEXT
send() {
    echo "$3" | go-sendxmpp -u "$1@localhost" --password="$1's secret" -j 127.0.0.1:5222 "$2@localhost"
}

# hears WHO TEXT: logs in, and waits until the text comes.
hears() {
    timeout 30 go-sendxmpp -u "$1@localhost" --password="$1's secret" -j 127.0.0.1:5222 --listen >"/trial/$1" 2>&1 &
    listener=$!
    for _ in $(seq 300); do
        if grep -qF "$2" "/trial/$1"; then
            kill "$listener"
            return
        fi
        sleep 0.1
    done
    cat "/trial/$1"
    return 1
}

installs() {
    dpkg --install "$first" </dev/null
}
runs() {
    same "$(systemctl is-active waxwing)" active &&
        same "$(systemctl is-enabled waxwing)" enabled &&
        same "$(ps --no-headers --format user= --pid "$(main_pid)")" waxwing &&
        same "$(systemctl show --property=NRestarts --value waxwing)" 0
}
files() {
    same "$(dpkg --verify waxwing)" "" &&
        same "$(dpkg --audit waxwing)" "" &&
        same "$(stat --format '%a %U %G' /var/lib/waxwing)" "700 waxwing waxwing" &&
        same "$(stat --format '%a %U %G' /etc/waxwing/local)" "750 root waxwing" &&
        same "$(stat --format '%a %U %G' /etc/waxwing/local/key.pem)" "640 root waxwing" &&
        same "$(stat --format '%a %U %G' /etc/waxwing/local/ca-key.pem)" "600 root root" &&
        same "$(getent passwd waxwing | cut -d: -f6,7)" /var/lib/waxwing:/usr/sbin/nologin
}
unit() {
    same "$(systemd-analyze verify waxwing.service 2>&1 | grep -F waxwing)" "" &&
        systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/waxwing.service
}
checks() {
    runuser --user waxwing -- waxwing check --offline
}
manual() {
    man waxwing | grep -q 'waxwing-account' &&
        man waxwing-account-add | grep -q 'password-stdin' &&
        man waxwing.toml | grep -q 'http_loopback'
}
completes() {
    # shellcheck disable=SC2016 # for that bash
    bash -c '. /usr/share/bash-completion/completions/waxwing &&
        COMP_WORDS=(waxwing acc) COMP_CWORD=1 && _waxwing waxwing acc waxwing && test "${COMPREPLY[*]}" = account'
}
chats() {
    for name in alice bob; do
        echo "$name's secret" | runuser --user waxwing -- waxwing account add "$name@localhost" --password-stdin || return
    done
    send alice bob "before the upgrade" && hears bob "before the upgrade"
}
reloads() {
    sed -i 's/^# uptime_shown = true/uptime_shown = false/' /etc/waxwing/waxwing.toml &&
        pid=$(main_pid) && systemctl reload waxwing && same "$(main_pid)" "$pid"
}
backs_up() {
    waxwing backup /var/backups/waxwing/trial.backup && waxwing verify /var/backups/waxwing/trial.backup
}
# It may listen below 1024 and cannot write to the configuration's folder.
ports() {
    sed -i 's/^# tls = \[\]/tls = ["127.0.0.1:443"]/' /etc/waxwing/waxwing.toml &&
        systemctl restart waxwing &&
        curl --silent --fail --cacert /etc/waxwing/local/ca.pem https://localhost/healthz
}
upgrades() {
    pid=$(main_pid)
    send alice bob "across the upgrade" &&
        dpkg --install "$next" </dev/null &&
        same "$(dpkg-query --show --showformat='${Version}' waxwing)" 1.0~test-2 &&
        runs && [ "$(main_pid)" != "$pid" ] &&
        grep -q '^uptime_shown = false' /etc/waxwing/waxwing.toml &&
        hears bob "across the upgrade"
}
# The administrator's word holds over an upgrade.
stays_disabled() {
    systemctl disable waxwing && dpkg --install "$next" </dev/null &&
        same "$(systemctl is-enabled waxwing)" disabled && systemctl enable waxwing
}
is_restarted() {
    pid=$(main_pid)
    systemctl kill --signal=KILL waxwing
    for _ in $(seq 300); do
        if [ "$(systemctl is-active waxwing)" = active ] && [ "$(main_pid)" != "$pid" ]; then
            return
        fi
        sleep 0.1
    done
    systemctl status waxwing
    return 1
}
is_removed() {
    dpkg --remove waxwing &&
        same "$(systemctl is-active waxwing)" inactive &&
        same "$(pgrep --count --exact waxwing)" 0 &&
        ls /var/lib/waxwing/waxwing.db /etc/waxwing/waxwing.toml &&
        dpkg --install "$next" </dev/null &&
        waxwing account list | grep -q alice@localhost &&
        grep -q '^uptime_shown = false' /etc/waxwing/waxwing.toml
}
is_purged() {
    touch /etc/waxwing/of-the-administrator
    dpkg --purge waxwing &&
        same "$(find /etc /usr /var /run -xdev -name '*waxwing*' -not -path '/var/backups/*' -not -path '/var/cache/*' \
            -not -path '/etc/waxwing' -not -path '/run/log/*' -not -path '/var/log/*' | sort)" "" &&
        same "$(ls /etc/waxwing)" of-the-administrator &&
        same "$(ls /var/backups/waxwing)" trial.backup
}

ip link set lo up
systemctl start systemd-journald
for each in installs runs files unit checks manual completes chats reloads backs_up ports upgrades stays_disabled \
    is_restarted is_removed is_purged; do
    verdict "$each" "$each"
done
echo through
