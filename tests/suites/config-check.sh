#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmclog config-check on trees of files that are right, and wrong in one way each: the finding, its advice and the exit status.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}/config-check
trap 'rm -rf "${work:?}"' EXIT
tool=${BUILD:-build}/dmclog
conf=etc/corosync/corosync.conf
cib=var/lib/pacemaker/cib/cib.xml

put() { # FILE TEXT
	mkdir -p "$work/$(dirname "$1")"
	printf '%s\n' "$2" >"$work/$1"
}
right() { # a tree without a fault
	rm -rf "${work:?}"
	put proc/sys/kernel/osrelease 6.1.0-test
	put lib/modules/6.1.0-test/modules.dep 'kernel/drivers/md/dm-mirror.ko.xz: kernel/drivers/md/dm-log.ko.xz
kernel/drivers/md/dm-log-userspace.ko.xz: kernel/drivers/connector/cn.ko.xz'
	put etc/machine-id 0123456789abcdef0123456789abcdef
	put etc/default/dmclogd '#DMCLOGD_OPTIONS="--cluster=none"'
	put $conf 'totem {
	version: 2
	# cluster_name: wrong
	cluster_name: storage
	interface {
		cluster_name: wrong
	}
}
quorum {
	provider: corosync_votequorum
}
nodelist {
	node {
		nodeid: 1
		ring0_addr: 192.0.2.1
	}
	node {
		ring0_addr: 192.0.2.2
		nodeid: 2
	}
}'
	put $cib '<alert id="dmclog" path="/usr/share/dmclogd/dmclog-fence-alert"/>'
	put etc/dmclogtab 'pool /dev/l /dev/a,/dev/b'
}
edit() { sed -i "$2" "$work/$1"; }
look() {
	rc=0
	said=$("$tool" config-check --root="$work" 2>&1) || rc=$?
}
# The one line that is not ok says this; the status is that.
expect() { # NAME STATUS TEXT
	local bad
	look
	bad=$(grep -E '^(warn|FAIL) ' <<<"$said" | tr -s ' ' | paste -sd '|')
	if [ "$rc" != "$2" ]; then
		echo "not ok $1 - exit status $rc, not $2: ${said//$'\n'/ / }"
	elif [[ $bad != "$3"* ]] || { [ -z "$3" ] && [ -n "$bad" ]; } || [[ $bad == *"|"* ]]; then
		echo "not ok $1 - found '$bad', not '$3'"
	elif [ -n "$bad" ] && [ "$(grep -c '^        ' <<<"$said")" != 1 ]; then
		echo "not ok $1 - no advice, or several: ${said//$'\n'/ / }"
	else
		echo "ok $1"
	fi
}

right
expect right 0 ""
right; mkdir -p "$work/sys/module/dm_mirror"; rm -r "${work:?}/lib"
put lib/modules/6.1.0-test/modules.builtin kernel/drivers/md/dm-log-userspace.ko
expect loaded-and-built-in 0 ""
right; edit lib/modules/6.1.0-test/modules.dep '/userspace/d'
expect no-module 1 "FAIL kernel 6.1.0-test: no module dm-log-userspace"
right; put etc/machine-id uninitialized
expect no-machine-id 1 "FAIL machine: /etc/machine-id has no id"
right; put run/cmirrord.pid 77
expect cmirrord 1 "FAIL machine: cmirrord runs"
right; rm "$work/$conf"
expect no-corosync 1 "FAIL corosync: no /etc/corosync/corosync.conf"
right; edit $conf '/cluster_name: storage/d'
expect no-cluster-name 1 "FAIL corosync: the cluster has no name"
right; edit $conf "s/storage/$(printf '%064d' 0)/"
expect long-cluster-name 1 "FAIL corosync: the cluster has no name, or one with more than 63"
right; edit $conf '/provider/d'
expect no-quorum 1 "FAIL corosync: no quorum"
right; edit $conf '/nodeid: 2/d'
expect no-node-id 1 "FAIL corosync: 2 nodes, 1 of them without an id"
right; edit $conf '/^nodelist/,$d'
expect no-nodes 1 "FAIL corosync: 0 nodes"
right; edit $conf 's/provider.*/&\n\ttwo_node: 1/'
expect two-node 0 "warn corosync: two_node"
right; rm "$work/$cib"
expect no-fencing 0 "warn fencing: nobody tells dmclogd"
right; rm "$work/$cib"; put etc/default/dmclogd 'DMCLOGD_OPTIONS="--takeover-delay=60"'
expect takeover-delay 0 "warn fencing: by time alone"
right; edit $cib 's|$|<nvpair id="x" name="stonith-enabled" value="false"/>|'
expect fencing-off 1 "FAIL fencing: Pacemaker's is off"
right; put etc/default/dmclogd 'DMCLOGD_OPTIONS="--cluster=none"'
expect single-in-a-cluster 0 "warn corosync: there is a /etc/corosync/corosync.conf, and --cluster=none"
right; put etc/default/dmclogd 'DMCLOGD_OPTIONS="--cluster=none"'; rm "$work/$conf" "$work/$cib"
expect single 0 ""
right; put etc/dmclogtab 'pool /dev/l /dev/a'
expect tab 1 "FAIL mirrors: /etc/dmclogtab has wrong lines"
right; rm "$work/etc/dmclogtab"
expect no-tab 0 ""
