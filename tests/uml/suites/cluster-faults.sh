#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Faults of a cluster of three nodes: power cuts of one node and of all, a split
# network, a corosync that dies, nodes that come and go. The host compares the legs:
# a region that differs is never clean by the log, and in the end none differs.
# time-limit: 900
set -u
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

# Written and copied while the cut came: no clean region differs, now.
expect_log_true() {
	"$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img" \
		>"$UML_RUN/check" || fail "$(head -n 1 "$UML_RUN/check")"
	tail -n 1 "$UML_RUN/check"
}

copied() { daemon_count "$1" U copied; }

has_copied() { [ "$(copied "$1")" -gt "$2" ]; }

WRITES="awk '{n += \$5} END {print n}' /sys/block/dm-*/stat" # ended, of the mirror of a node

progress() { # K: the writer on node K gets on
	node_run -t 60 "$1" "before=\$($WRITES) end=\$((SECONDS + 50))
		until [ \$($WRITES) -gt \$((before + 20)) ]; do
			[ \$SECONDS -lt \$end ] || exit 1
			sleep 0.05 # wait-ok: between two looks, with a limit
		done" || fail "the writer on node $1 does not get on: $(node_run "$1" 'dmsetup status m; tail -n 2 /run/fio.out')"
}

stalls() { # K: no write of node K ends for two seconds
	node_run "$1" "before=\$($WRITES)
		sleep 2 # wait-ok: so long nothing must happen
		[ \$($WRITES) = \$before ]"
}

# Milliseconds from the report that node 2 is off until node 1 has copied a region.
copying_goes_on() {
	node_run -t 30 1 "copied() { \$B/dmclog status U --json | sed -n 's/.*\"regions_copied\": *\([0-9]*\).*/\1/p'; }
		before=\$(copied) start=\${EPOCHREALTIME/./}
		\$B/dmclog fenced 2 >/dev/null || exit 1
		end=\$((SECONDS + 20))
		until [ \$(copied) -gt \$before ]; do
			[ \$SECONDS -lt \$end ] || exit 1
		done
		echo \$(((\${EPOCHREALTIME/./} - start) / 1000))"
}

# The copying node is cut: others write on, also to what is out of sync. With the proof that it is off they go on
# copying, within a second (and here with what this machine adds), and finish.
case_cut_copier() {
	local before took
	made --resync-rate=1M
	wait_for 20 has_copied 2 5 || fail "node 2 copies nothing"
	node_cut 2
	expect_log_true
	write_begin 1 $FOR_LONG
	write_begin 3 $FOR_LONG
	group_wait "1 3" 1 3
	before=$(($(copied 1) + $(copied 3)))
	progress 1
	progress 3
	write_stop 1
	write_stop 3
	expect_eq $(($(copied 1) + $(copied 3))) "$before" "regions copied without a proof"
	took=$(copying_goes_on) || fail "nothing is copied after the proof"
	echo "copying goes on $took ms after the proof"
	[ "$took" -le $((1000 * UML_PATIENCE)) ] || fail "copying goes on $took ms after the proof only"
	node_run 1 '$B/dmclog resync U rate=0' || fail "the rate cannot be changed"
	on_nodes "1 3" in_sync || fail "the survivors do not finish the resync"
	remove_all 1 3
}

# A writer is cut: what it held is copied by the others, and no more; it comes back.
case_cut_writer() {
	local before now LEG_MS=20
	made --takeover-delay=2
	on_nodes "$ALL_NODES" in_sync
	write_begin 3 --size=8m $FOR_LONG # in 64 regions
	progress 3
	before=$(($(copied 1) + $(copied 2)))
	legs_part 3
	node_cut 3
	expect_log_true
	group_wait "1 2" 1 2
	write_begin 1 --io_size=1m
	wait_for 20 log_held_is 3 0 || fail "the slot of node 3 is not taken over: $(log_dirty)"
	write_end 1
	on_nodes "1 2" in_sync
	now=$(($(copied 1) + $(copied 2)))
	[ "$now" -gt "$before" ] && [ "$now" -le $((before + 64)) ] ||
		fail "$((now - before)) regions were copied for node 3, which held 1 to 64"
	cluster_node 3 --takeover-delay=2
	group_wait "1 2 3" 1 2 3
	create 3
	write_begin 3 --io_size=1m
	write_end 3
	remove_all 1 3 2
}

# Of the writer that was stopped, in ms.
longest_write() { # K
	node_run "$1" 'sed -n "s/^ *clat (\([num]\)sec): min=[^,]*, max= *\([0-9.]*\)\(k\{0,1\}\),.*/\1 \2 \3/p" /run/fio.out |
		awk "{ ms = \$2 * (\$3 == \"k\" ? 1000 : 1); print int(\$1 == \"m\" ? ms : \$1 == \"u\" ? ms / 1000 : ms / 1000000) }"'
}

# Without the delay nothing of a gone node's mirror is copied, until it has booted anew and joined.
case_cut_no_proof() {
	local before took
	made
	on_nodes "$ALL_NODES" in_sync
	write_begin 1 $FOR_LONG
	write_begin 3 $FOR_LONG
	progress 1
	progress 3
	before=$(($(copied 1) + $(copied 2)))
	node_cut 3
	group_wait "1 2" 1 2
	progress 1
	write_stop 1
	took=$(longest_write 1)
	echo "the longest write on a survivor took $took ms"
	# The token's second and one more, and what this machine adds.
	[ "$took" -le $((2000 * UML_PATIENCE)) ] || fail "a write on a survivor took $took ms"
	expect_eq "$(($(copied 1) + $(copied 2)))" "$before" "regions copied without a proof"
	expect_log_true
	cluster_node 3
	group_wait "1 2 3" 1 2 3
	wait_for 20 log_held_is 3 0 || fail "node 3 has booted anew and its slot is still in use"
	on_nodes "1 2" in_sync
	remove_all 2 1
}

# All lose power under writes; whoever comes first copies what was held.
case_cut_all() {
	local k dirty LEG_MS=20
	made
	on_nodes "$ALL_NODES" in_sync
	for k in $ALL_NODES; do
		write_begin "$k" $FOR_LONG
	done
	for k in $ALL_NODES; do
		progress "$k"
	done
	legs_part "$ALL_NODES"
	on_nodes "$ALL_NODES" node_cut
	! legs_equal || fail "the cut has left equal legs"
	expect_log_true
	dirty=$(log_dirty | wc -w)
	[ "$dirty" -gt 0 ] || fail "nothing was held"
	cluster_start
	create 2
	mirror_wait 2 m 30
	expect_eq "$(copied 2)" "$dirty" "regions copied after the cut"
	expect_equal_legs
	on_nodes "1 3" create
	remove_all 1 2 3
}

# The minority stops and loses nothing; the majority goes on; healed, all go on. Without any majority all stop.
case_partition() {
	local k
	made
	on_nodes "$ALL_NODES" in_sync
	for k in $ALL_NODES; do
		write_begin "$k" $FOR_LONG
	done
	for k in $ALL_NODES; do
		progress "$k"
	done
	net_cut 3 1 3 2
	group_wait "1 2" 1 2
	group_wait 3 3
	progress 1
	progress 2
	wait_for 10 stalls 3 || fail "node 3 writes on without quorum"
	progress 1
	net_heal
	group_wait "$ALL_NODES" 1 2 3
	progress 3
	net_cut 1 2 1 3 2 3
	for k in $ALL_NODES; do
		group_wait "$k" "$k"
		wait_for 10 stalls "$k" || fail "node $k writes on without quorum"
	done
	net_heal
	group_wait "$ALL_NODES" 1 2 3
	for k in $ALL_NODES; do
		progress "$k"
		write_stop "$k"
	done
	on_nodes "$ALL_NODES" in_sync
	expect_same_status
	remove_all 3 2 1
}

# Corosync dies on one node, then on all: mirrors wait and go on.
case_corosync_dies() {
	local k
	made
	on_nodes "$ALL_NODES" in_sync
	for k in $ALL_NODES; do
		write_begin "$k" $FOR_LONG
	done
	corosync_kill 2
	group_wait "1 3" 1 3
	progress 1
	wait_for 10 stalls 2 || fail "node 2 writes on without corosync"
	corosync_start 2
	group_wait "$ALL_NODES" 1 2 3
	progress 2
	on_nodes "$ALL_NODES" corosync_kill
	wait_for 10 stalls 1 || fail "node 1 writes on without corosync"
	on_nodes "$ALL_NODES" corosync_start
	group_wait "$ALL_NODES" 1 2 3
	for k in $ALL_NODES; do
		progress "$k"
	done
	for k in $ALL_NODES; do
		write_stop "$k"
	done
	on_nodes "$ALL_NODES" in_sync
	remove_all 1 2 3
}

# A node stands still for longer than the others wait for it, and writes on: no time is proof here.
case_paused() {
	made
	on_nodes "$ALL_NODES" in_sync
	write_begin 1 $FOR_LONG
	write_begin 3 $FOR_LONG
	progress 3
	node_pause 3
	group_wait 1 1 2
	progress 1
	node_continue 3
	group_wait "$ALL_NODES" 1 2 3
	progress 3
	write_stop 1
	write_stop 3
	on_nodes "$ALL_NODES" in_sync
	remove_all 1 3 2
}

# The daemon alone dies, under writes: they wait, and its successor goes on.
case_daemon_dies() {
	made --takeover-delay=1
	on_nodes "$ALL_NODES" in_sync
	write_begin 1 $FOR_LONG
	write_begin 2 $FOR_LONG
	progress 2
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 2 'kill -KILL $(pidof dmclogd)'
	group_wait "1 3" 1 3
	progress 1
	daemon_start 2 --cluster=corosync --takeover-delay=1
	group_wait "$ALL_NODES" 1 2 3
	progress 2
	write_stop 1
	write_stop 2
	on_nodes "$ALL_NODES" in_sync
	remove_all 1 2 3
}

# A corosync that is told to end is asked not to while a mirror is in use.
case_shutdown_vetoed() {
	cluster_start
	create 2
	node_run 2 'corosync-cfgtool -H' # says that it could not, and ends with 0
	daemon_expect 2 "corosync was told to end and must not"
	node_run 2 'pidof corosync' || fail "corosync ends under a mirror in use"
	remove 2
	node_run 2 'corosync-cfgtool -H'
	node_wait 2 10 '! pidof corosync' || fail "corosync does not end though nothing needs it"
	daemon_expect 2 "the connection to corosync is given up"
}

# Daemons and mirrors come and go in quick succession.
case_come_and_go() {
	local i k
	made
	write_begin 1 $FOR_LONG
	for i in 1 2 3; do
		for k in 2 3; do
			mirror_remove "$k" m
			daemon_stop "$k"
		done
		on_nodes "2 3" cluster_node
		on_nodes "3 2" create || fail "round $i: the mirror cannot be created"
	done
	progress 1
	write_stop 1
	on_nodes "$ALL_NODES" in_sync
	expect_same_status
	remove_all 3 1 2
}

uml_start cluster-faults
node_cut 1
cases="cut-copier cut-writer cut-no-proof cut-all partition paused daemon-dies corosync-dies
	shutdown-vetoed come-and-go"
for name in ${CASES:-$cases}; do
	cluster_case "$name" "case_${name//-/_}"
done
