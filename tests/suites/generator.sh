#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The systemd generator for /etc/dmclogtab: which entries get a unit, and which devices it waits for.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
if ! command -v systemd-escape >/dev/null; then
	echo "skip generator - no systemd-escape"
	exit 0
fi
work=${SCRATCH:-$(mktemp -d)}/generator
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

generate() { # the table on stdin; fresh units in $work/out
	rm -rf "$work/out"
	mkdir "$work/out"
	cat >"$work/tab"
	DMCLOGTAB=$work/tab sh systemd/dmclog-generator.in "$work/out" "$work/out" "$work/out"
}
expect() { # NAME GOT WANT
	if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1 - got '${2//$'\n'/ / }', not '${3//$'\n'/ / }'"; fi
}
wanted() { ls "$work/out/remote-fs.target.wants" 2>/dev/null; }

generate <<'END'
# a comment, and entries that are not for boot, or not right
pool /dev/disk/by-id/l-1 /dev/sda,/dev/s-b	region-size=1M
	later /dev/l /dev/a,/dev/b size=1G,noauto,uuid=x

../../evil /dev/l /dev/a,/dev/b
$(touch evil) - /dev/a,/dev/b
-x - /dev/a,/dev/b
short /dev/l
END
expect entries "$(wanted)" "dmclog-mirror@pool.service"
expect devices "$(grep -v '^#' "$work/out/dmclog-mirror@pool.service.d/devices.conf")" '[Unit]
Wants=dev-disk-by\x2did-l\x2d1.device dev-sda.device dev-s\x2db.device
After=dev-disk-by\x2did-l\x2d1.device dev-sda.device dev-s\x2db.device
Wants=blockdev@dev-mapper-pool.target
Before=blockdev@dev-mapper-pool.target'
expect link "$(basename "$(readlink "$work/out/remote-fs.target.wants/dmclog-mirror@pool.service")")" \
	"dmclog-mirror@.service"
expect nothing-else "$(find "$work" -type f | sed "s|$work/||" | sort)" 'out/dmclog-mirror@pool.service.d/devices.conf
tab'
printf 'one - /dev/a,/dev/b\ntwo - /dev/a,/dev/b' | generate
expect last-line "$(wanted)" "dmclog-mirror@one.service
dmclog-mirror@two.service"
expect no-log "$(grep Wants=dev "$work/out/dmclog-mirror@two.service.d/devices.conf")" "Wants=dev-a.device dev-b.device"
echo 'my-pool - /dev/a,/dev/b' | generate
expect escaped "$(grep Before "$work/out/dmclog-mirror@my-pool.service.d/devices.conf")" \
	'Before=blockdev@dev-mapper-my\x2dpool.target'
generate </dev/null
expect empty "$(find "$work/out" -mindepth 1)" ""
DMCLOGTAB=$work/nowhere sh systemd/dmclog-generator.in "$work/out" "$work/out" "$work/out"
expect no-file "$? $(find "$work/out" -mindepth 1)" "0 "

# Systemd reads what was made.
if ! command -v systemd-analyze >/dev/null; then
	echo "skip verify - no systemd-analyze"
	exit 0
fi
echo "pool /dev/l /dev/a,/dev/s-b" | generate
sed 's|@sbindir@/dmclog |/bin/true |' systemd/dmclog-mirror@.service.in >"$work/out/dmclog-mirror@.service"
cp "$work/out/dmclog-mirror@.service" "$work/out/dmclog-mirror@pool.service"
expect verify "$(SYSTEMD_LOG_LEVEL=warning systemd-analyze --man=no verify "$work/out/dmclog-mirror@pool.service" 2>&1 |
	grep dmclog-mirror | head -n 1)" ""
