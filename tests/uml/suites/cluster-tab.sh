#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A newcomer's mirror on three nodes, all of it by dmclog: created on all at once, written by all, a node cut and
# proven off, taken away and brought up again from the table file; in the end the legs are equal and the log is closed.
# time-limit: 240
set -u
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

dmclog_on() { # K ARGUMENT...
	local k=$1
	shift
	node_run -t 40 "$k" "\$B/dmclog $* --tab=/run/dmclogtab 2>&1"
}
create() { dmclog_on "$1" create m /dev/ubda /dev/ubdb,/dev/ubdc region-size=128K,size=32M,uuid=U; }
activate() { dmclog_on "$1" activate; }
remove() { node_run -t 14 "$1" "\$B/dmclog deactivate m 2>&1"; }
slot_nodes() { # of the image, in use
	"$UML_BUILD/dmclog" examine "$UML_RUN/log.img" --cluster=dmclogd-test --json |
		awk -F'[:,]' '/"state": "in-use"/ {on = 1} /"node"/ && on {printf "%s ", $2 + 0; on = 0}'
}
to_copy() {
	"$UML_BUILD/dmclog" examine "$UML_RUN/log.img" --cluster=dmclogd-test --json |
		sed -n 's/^ *"to_copy": \([0-9]*\),$/\1/p'
}

case_newcomer() {
	local k said
	made
	for k in $ALL_NODES; do
		write_begin "$k" --io_size=2m
	done
	for k in $ALL_NODES; do
		write_end "$k"
	done
	on_nodes "$ALL_NODES" in_sync
	expect_same_status
	for k in $ALL_NODES; do
		expect_eq "$(node_run "$k" 'cat /run/dmclogtab')" \
			"m /dev/ubda /dev/ubdb,/dev/ubdc region-size=256s,size=65536s,uuid=U" "the entry of node $k"
	done
	said=$(dmclog_on 2 config-check) || fail "config-check on node 2: ${said//$'\n'/ / }"
	[[ $said == *"ok    dmclogd: it serves, cluster dmclogd-test"* && $said == *"ok    corosync: 3 nodes"* &&
		$said == *"ok    mirrors: 1 in"* && $said == *"warn  fencing: nobody"* ]] || fail "config-check says ${said//$'\n'/ / }"
	said=$(node_run 2 "\$B/dmclog status U")
	for k in $ALL_NODES; do
		[[ $said =~ "node $k"\ +resumed ]] || fail "node $k is not in ${said//$'\n'/ / }"
	done
	expect_eq "$(slot_nodes | wc -w)" 3 "slots in use on the device ($(slot_nodes))"
	# From another cluster's view; and what a second mirror on that log device is told.
	rc=0
	"$UML_BUILD/dmclog" examine "$UML_RUN/log.img" --cluster=other >"$UML_RUN/said" || rc=$?
	expect_eq "$rc" 8 "exit status of examine for another cluster"
	grep -q 'waits for node 2 (boot [0-9a-f]*) to join' "$UML_RUN/said" || fail "examine does not name who is waited for"

	write_begin 3 $FOR_LONG
	node_wait 3 10 "\$B/dmclog status U --json | grep -q '\"held\": [1-9]'" || fail "node 3 holds nothing"
	node_cut 3
	group_wait "1 2" 1 2
	said=$(node_run 1 "\$B/dmclog status U")
	[[ $said =~ "node 3"\ +departed ]] || fail "node 3 is not departed in ${said//$'\n'/ / }"
	on_nodes "1 2" remove || fail "a mirror cannot be taken away"
	k=$(to_copy)
	[ "$k" -ge 1 ] || fail "node 3 held regions, and nothing would be copied"
	# It waits for node 3, and says so; told that it is off it goes on.
	node_run 1 "setsid bash -c '\$B/dmclog activate --tab=/run/dmclogtab >/run/activate.out 2>&1
		echo \$? >/run/activate.status' >/dev/null 2>&1 </dev/null &"
	node_wait 1 15 'grep -q "m waits: dmclog status U tells for whom" /run/activate.out' ||
		fail "activate does not say that it waits: $(node_run 1 'cat /run/activate.out')"
	node_wait 1 10 '$B/dmclog status U | grep -q "dmclog fenced 3"' || fail "status does not say for whom"
	node_run 1 '$B/dmclog fenced 3' || fail "fenced"
	node_wait 1 20 '[ -s /run/activate.status ]' || fail "activate does not end"
	expect_eq "$(node_run 1 'cat /run/activate.status')" 0 "exit status of activate"
	activate 2
	on_nodes "1 2" in_sync
	k=$((k - $(daemon_count 1 U copied) - $(daemon_count 2 U copied)))
	[ "$k" = 0 ] || fail "$k regions fewer were copied than examine told"
	cluster_start
	node_run 3 "echo 'm /dev/ubda /dev/ubdb,/dev/ubdc region-size=128K,size=32M,uuid=U' >/run/dmclogtab"
	activate 3
	write_begin 3 --io_size=1m
	write_end 3
	remove_all 3 1 2
}

# To the kernel's log, and back, only where nobody else has the mirror; then others join again.
case_detach() {
	local said
	made
	on_nodes "$ALL_NODES" in_sync
	! said=$(node_run 1 "\$B/dmclog detach m 2>&1") || fail "detached under the others"
	[[ $said == *"m is used by node "*" too"* ]] || fail "detach says $said"
	remove 2
	remove 3
	node_run 1 "\$B/dmclog detach m" || fail "it cannot be detached"
	node_run 1 'dmsetup table m | grep -q "mirror disk 2 98:0 256"' || fail "it is not detached"
	write_begin 1 --io_size=2m
	write_end 1
	dmclog_on 1 attach m || fail "attach"
	on_nodes "2 3" activate || fail "the others cannot join"
	on_nodes "$ALL_NODES" in_sync
	write_begin 2 --io_size=1m
	write_end 2
	remove_all 1 2 3
}

uml_start cluster-tab
node_cut 1
cluster_case newcomer case_newcomer
cluster_case detach case_detach
