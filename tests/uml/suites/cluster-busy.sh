#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Corosync takes nothing for a while, on real nodes: the ring stands still and another program has filled the queue, so
# that dmclogd is told to try again; or one node's corosync stands still until the others go on without it. Cold
# writes wait or go on, on logs whose holds are messages too, and no request of a kernel gets an error.
# time-limit: 1200
set -u
SECTORS=131072 REGION=128 # 1024 regions of 64 KiB
export UML_MEM=512M       # corosync keeps what it could not send
TOKEN_MS=10000            # no node is taken for dead while the ring stands still for a moment
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

STALLS=5
STALL_SECONDS=7 # at most: less than the token may be away

# With --idle-release=1 nearly each of these writes is to a region that its node does not hold.
cold_begin() { # K
	write_begin "$1" $FOR_LONG --rate_iops=10
}

WRITES="awk '{n += \$5} END {print n}' /sys/block/dm-*/stat" # ended, of the mirror of a node

goes_on() { # K
	node_run -t 60 "$1" "before=\$($WRITES) end=\$((SECONDS + 50))
		until [ \$($WRITES) -gt \$((before + 20)) ]; do
			[ \$SECONDS -lt \$end ] || exit 1
			sleep 0.05 # wait-ok: between two looks, with a limit
		done" || fail "the writer on node $1 does not get on: $(node_run "$1" 'tail -n 2 /run/fio.out')"
}

# As the operator sees it, who does not wait for corosync.
COUNTER='sed -n "/\"counters\"/,/}/s/.*\"$counter\": *\([0-9][0-9]*\).*/\1/p" /run/status | head -n 1'
group_counter() { # K NAME
	node_run -t 14 "$1" "counter=$2; \$B/dmclog status --json >/run/status && $COUNTER" ||
		fail "node $1 does not tell its status"
}

corosync_signal() { node_run "$2" "pkill -$1 -x corosync"; }

# The ring stands still until node 1's dmclogd was told to try again: 1 when it was not, in the time that there is. The
# operator's command is a message; the cold writes have others, as long as regions are out of sync. All on the node,
# for the less it has to do meanwhile the sooner it is done: corosync goes first there.
stall_once() {
	local before rc=0
	before=$(group_counter 1 refused)
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'setsid $B/uml/flood 700 >/run/flood.out 2>&1 </dev/null &'
	node_wait 1 10 'grep -q joined /run/flood.out' || fail "the flood does not begin"
	corosync_signal STOP 2
	node_run -t 60 1 "counter=refused end=\$((SECONDS + $STALL_SECONDS))
		pkill -USR1 -x flood
		while [ \$SECONDS -lt \$end ]; do
			\$B/dmclog resync U rate=200K && \$B/dmclog status --json >/run/status || exit 2
			[ \$($COUNTER) -le $before ] || exit 0
		done
		exit 1" || rc=$?
	corosync_signal CONT 2
	node_wait 1 60 '! pgrep -x flood' || fail "corosync does not get on"
	return $rc
}
stall() {
	local i rc
	for i in 1 2 3 4 5; do
		rc=0
		stall_once || rc=$?
		[ $rc = 1 ] || break
		echo "in try $i corosync took all messages of node 1"
	done
	[ $rc = 0 ] || fail "node 1 was not told to try again: nothing has been shown ($rc)"
}

# No answer with an error, no group given up.
expect_no_error() {
	local k
	for k in $ALL_NODES; do
		! daemon_said "$k" "given up" || fail "node $k has given up its connection to corosync"
		[[ $(status "$k") == *" AA "* ]] || fail "node $k takes a leg for failed: $(status "$k")"
		node_run "$k" '! dmesg | grep -iE "dm-log-userspace: .*(fail|error)|(write|read) failure|I/O error"' ||
			fail "the kernel of node $k met an error"
	done
}

again() { remove "$1" && create "$1" && cold_begin "$1"; }

case_refused() { # LOG
	local i k joining='' LOG=$1
	made --idle-release=1 --resync-rate=200K
	for k in $ALL_NODES; do
		cold_begin "$k"
	done
	on_nodes "$ALL_NODES" goes_on || fail "$(cat "$UML_RUN/reason")"
	for ((i = 1; i <= STALLS; i++)); do
		# One leaves and joins meanwhile: it gets the state.
		[ $i != 3 ] || {
			write_stop 3
			again 3 &
			joining=$!
		}
		stall
		on_nodes "1 2" goes_on || fail "$(cat "$UML_RUN/reason")"
	done
	wait "$joining" || fail "node 3 cannot join: $(cat "$UML_RUN/reason" 2>/dev/null)"
	on_nodes "$ALL_NODES" goes_on || fail "$(cat "$UML_RUN/reason")"
	expect_no_error
	echo "node 1: $(group_counter 1 messages) messages, told to try again $(group_counter 1 refused) times"
	for k in $ALL_NODES; do
		write_stop "$k"
	done
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 '$B/dmclog resync U rate=0'
	on_nodes "$ALL_NODES" in_sync || fail "the resync does not end"
}

case_refused_disk() {
	case_refused "$LOG"
	expect_same_status
	remove_all 2 1 3
}

case_refused_core() {
	case_refused "4 U integrated_flush clustered-core $REGION"
	on_nodes "$ALL_NODES" remove
	expect_equal_legs
}

# The others go on without it when they have lost it; its own writers wait, and go on afterwards.
case_stands_still() {
	local k
	made --idle-release=1
	on_nodes "$ALL_NODES" in_sync
	for k in $ALL_NODES; do
		cold_begin "$k"
	done
	on_nodes "$ALL_NODES" goes_on || fail "$(cat "$UML_RUN/reason")"
	corosync_signal STOP 2
	group_wait "1 3" 1 3
	on_nodes "1 3" goes_on || fail "$(cat "$UML_RUN/reason")"
	[ -n "$(group_counter 2 messages)" ] || fail "node 2 does not tell its status while corosync stands still"
	corosync_signal CONT 2
	group_wait "$ALL_NODES" 1 2 3
	on_nodes "$ALL_NODES" goes_on || fail "$(cat "$UML_RUN/reason")"
	expect_no_error
	for k in $ALL_NODES; do
		write_stop "$k"
	done
	remove_all 3 2 1
}

uml_start cluster-busy
node_cut 1
cases="refused-disk refused-core stands-still"
for name in ${CASES:-$cases}; do
	cluster_case "$name" "case_${name//-/_}"
done
