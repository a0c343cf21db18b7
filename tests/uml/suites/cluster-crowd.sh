#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One mirror on five nodes that all write to it and that come and go in quick succession: mirrors alone, mirrors
# with their daemons, all at once, and under heavy writes in the middle of a resync. What was written is
# read back, also by the next table; the log is closed by whoever is last, and is the truth.
# time-limit: 500
set -u
NODES=5
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

ROUNDS=20
ROUND_SECONDS=12 # an answer that the kernel has to ask for again costs 15 s

# What closed the log last, with regions out of sync or none: a valid log of the kernel, never cleaner than the legs.
expect_log_valid() {
	expect_eq "$(log_number 0 4)" $((0x4D695272)) "magic MiRr"
	expect_eq "$(log_number 8 8)" "$(regions)" nr_regions
	"$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img" \
		>"$UML_RUN/check" || fail "$(head -n 1 "$UML_RUN/check")"
}

# On node K, so that nothing but the node's own speed lies between a leave and the next join: ROUNDS tables, in each
# a write to a block that is K's own, read back now and under the next table.
come_and_go() { # K [DAEMON-OPTION...]: with options its daemon goes, too
	local k=$1
	shift
	node_run -t 200 "$k" "rm -f /run/wrong; longest=0
		wrong() { echo \"round \$i: \$*\" >/run/wrong; exit 1; }
		is_written() { dd if=/dev/mapper/m of=/run/read bs=4k count=1 skip=\$at iflag=direct status=none && cmp -s /run/read /run/block; }
		for ((i = 1; i <= $ROUNDS; i++)); do
			SECONDS=0
			if [ -n '$*' ]; then
				mv /mnt/job/d.log /mnt/job/d.log.before # it cannot say what its successor says
				setsid \$B/dmclogd --cluster=corosync $* >/mnt/job/d.log 2>&1 </dev/null &
				daemon=\$!
				until grep -qs ' serves' /mnt/job/d.log; do
					[ \$SECONDS -le $ROUND_SECONDS ] || wrong 'dmclogd does not start'
					sleep 0.02 # wait-ok: between two looks, with a limit
				done
			fi
			timeout $ROUND_SECONDS dmsetup create m --table '$(mirror_table "$LOG")' || wrong 'no mirror'
			[ \$i = 1 ] || is_written || wrong \"block \$at is not what was written under the table before\"
			at=\$((RANDOM % ($SECTORS / 64) * 8 + $k - 1))
			dd if=/dev/urandom of=/run/block bs=4k count=1 status=none
			dd if=/run/block of=/dev/mapper/m bs=4k seek=\$at oflag=direct conv=notrunc status=none || wrong 'a write fails'
			is_written || wrong \"block \$at is not what was written\"
			timeout $ROUND_SECONDS dmsetup remove m || wrong 'the mirror stays'
			if [ -n '$*' ]; then
				kill \$daemon
				wait \$daemon || wrong \"dmclogd ends with \$?\"
			fi
			[ \$SECONDS -le $ROUND_SECONDS ] || wrong \"it took \$SECONDS s\"
			[ \$SECONDS -le \$longest ] || longest=\$SECONDS
		done
		echo \"node $k: the longest round took \$longest s\"" || fail "node $k: $(node_run "$k" 'cat /run/wrong || cat /proc/uptime')"
}

at_once() { # "K..." [DAEMON-OPTION...]
	come_and_go_of() { come_and_go "${*: -1}" "${@:1:$#-1}"; }
	on_nodes "$1" come_and_go_of "${@:2}" || fail "$(cat "$UML_RUN/reason")"
}

# Whoever is first now copies what is still out of sync.
expect_repaired() {
	expect_log_valid
	create 2
	in_sync 2
	remove_all 2
}

# All write, in any order they leave: each order of a run is another one, and told.
case_five() {
	local k order
	made
	for k in $ALL_NODES; do
		write_begin "$k" --io_size=2m
	done
	for k in $ALL_NODES; do
		write_end "$k" 60
	done
	on_nodes "$ALL_NODES" in_sync || fail "the resync does not end"
	expect_same_status
	expect_eq "$(status 1 | cut -d " " -f 7)" 256/256 "regions in sync"
	mapfile -t order < <(shuf -e $ALL_NODES)
	echo "removed in the order ${order[*]}"
	remove_all "${order[@]}"
}

case_mirrors_at_once() {
	made
	on_nodes "$ALL_NODES" remove
	at_once "$ALL_NODES"
	expect_repaired
}

case_daemons_at_once() {
	local k
	made
	on_nodes "$ALL_NODES" remove
	for k in $ALL_NODES; do
		daemon_stop "$k"
	done
	at_once "$ALL_NODES" --resync-rate=1M
	expect_log_valid
	cluster_start
	expect_repaired
}

# One stays and writes as fast as it can, while it is copied: so slowly that it lasts however slow the machine is. The
# writer and the others touch 144 regions of 256 at most; the rest takes 287 s, the rounds no more than 240 s.
case_under_writes() {
	made --resync-rate=50K
	write_begin 1 $FOR_LONG --iodepth=16 --size=8m
	on_nodes "2 3 4 5" remove
	at_once "2 3 4 5"
	[[ $(status 1) != *" 256/256 "* ]] || fail "the resync was over: nothing has been shown"
	write_stop 1
	remove 1
	daemon_stop 2
	cluster_node 2 # without a limit
	expect_repaired
}

# Reading back is seen to find it: somebody writes over both legs all the time.
case_lost_writes_found() {
	local pid rc=0
	made
	on_nodes "$ALL_NODES" remove
	while :; do
		legs_noise
	done &
	pid=$!
	(come_and_go 2) || rc=$?
	kill $pid
	wait $pid || :
	[ $rc != 0 ] || fail "lost writes are not found"
	grep -qE "^node 2: round [0-9]+: block [0-9]+ is not what was written" "$UML_RUN/reason" ||
		fail "instead: $(cat "$UML_RUN/reason")"
}

uml_start cluster-crowd
node_cut 1
cases="five mirrors-at-once daemons-at-once under-writes lost-writes-found"
for name in ${CASES:-$cases}; do
	cluster_case "$name" "case_${name//-/_}"
done
