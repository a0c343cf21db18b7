# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The mirror m (uuid U) of the suites of a cluster, on all nodes; on top of cluster.sh.
# $SECTORS and $REGION are the suite's.
#
# made [DAEMON-OPTION...]        log and legs new, the mirror created on all nodes
# write_begin K FIO-OPTION...    write_end K [SECONDS]: it ends by itself  write_stop K: one with $FOR_LONG is ended
# legs_part "K..."               from here on their writes reach leg 1 alone, and one has
# create K, remove K, status K, in_sync K: for on_nodes, too
# remove_all K...                in this order; then the log must be closed and true

# shellcheck source=tests/uml/cluster.sh
. "${BASH_SOURCE[0]%/*}/cluster.sh"

LOG="5 U integrated_flush clustered-disk 98:0 $REGION"

log_number() { # OFFSET BYTES: little-endian, of the log image
	od -An -tu"$2" -j"$1" -N"$2" "$UML_RUN/log.img" | tr -d ' '
}

# With LEG_MS leg 2 is written so much later than leg 1: a power cut finds them different.
create() {
	[ -z "${LEG_MS-}" ] || node_run "$1" "modprobe -d /run/mod dm-delay && dmsetup create slow --table \
		'0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 $LEG_MS'" || return 1
	LEGS="/dev/ubdb 0 $([ -n "${LEG_MS-}" ] && echo /dev/mapper/slow || echo /dev/ubdc) 0" mirror_create "$1" m "$LOG"
}
remove() { mirror_remove "$1" m; }
status() { mirror_status "$1" m | cut -d " " -f 1-12; }
in_sync() { mirror_wait "$1" m 60; }

# Random 4 KiB writes all over the mirror, as long as the options say: node K
# writes every fourth block only (of more than four nodes: every eighth). Goes on in the background until write_end.
write_begin() { # K FIO-OPTION...
	local k=$1
	shift
	node_run "$k" "rm -f /run/fio.status
		setsid bash -c 'fio --name=w --filename=/dev/mapper/m --size=$((SECTORS * 512)) --rw=randwrite --bs=4k \
		--blockalign=$((NODES > 4 ? 32 : 16))k --offset=$(((k - 1) * 4))k --direct=1 --ioengine=libaio --iodepth=4 --randrepeat=0 \
		--norandommap $* >/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
}

write_end() { # K [SECONDS]
	node_wait "$1" "${2:-30}" '[ -s /run/fio.status ]' || fail "the writer on node $1 does not end"
	expect_eq "$(node_run "$1" 'cat /run/fio.status')" 0 "writer on node $1 ($(node_run "$1" 'tail -n 3 /run/fio.out'))"
}

# shellcheck disable=SC2034 # for suites
FOR_LONG="--time_based --runtime=900" # longer than any case lasts

# Leg 2 of these nodes (with LEG_MS) takes no more from here on, and what they write is soon on leg 1 alone.
legs_part() { # "K..."
	on_nodes "$1" slow_suspend || fail "leg 2 does not stand still"
	wait_for 10 legs_differ || fail "no write reaches leg 1 alone"
}
slow_suspend() { node_run "$1" 'dmsetup suspend --nolockfs slow'; }
legs_differ() { ! legs_equal; }

# fio may miss a signal; writes that hang miss them all.
write_stop() { # K
	local i
	node_run "$1" '[ ! -e /run/fio.status ]' ||
		fail "the writer on node $1 has ended before: $(node_run "$1" 'tail -n 3 /run/fio.out')"
	for i in 1 2 3; do
		node_run "$1" 'pkill -INT -x fio'
		node_wait "$1" 10 '[ -s /run/fio.status ]' && break
	done
	# shellcheck disable=SC2016 # for the shell on the node
	node_run "$1" '[ -s /run/fio.status ]' ||
		fail "the writer on node $1 does not end: $(node_run -t 10 "$1" 'tail -n 3 /run/fio.out; $B/dmclog status; pgrep -a fio')"
	node_run "$1" 'grep -q "err= 0" /run/fio.out' ||
		fail "the writer on node $1 met an error: $(node_run "$1" 'tail -n 3 /run/fio.out')"
}

# A new mirror on all nodes, with disks that differ everywhere.
made() { # DAEMON-OPTION...
	legs_noise
	log_zero log.img
	cluster_start "$@"
	on_nodes "$ALL_NODES" create || fail "the mirror cannot be created"
}

# The log is the kernel's own, all is in sync, and it is the truth.
expect_closed() {
	expect_eq "$(log_number 0 4)" $((0x4D695272)) "magic MiRr"
	expect_eq "$(log_number 8 8)" "$(regions)" nr_regions
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	expect_equal_legs
}

expect_same_status() {
	local k first
	first=$(status 1)
	for k in $ALL_NODES; do
		expect_eq "$(status "$k")" "$first" "status on node $k"
	done
}

remove_all() { # K...
	local k
	for k; do
		remove "$k"
	done
	expect_closed
}

# Bits set in the slot of node K, while that is in use.
log_held() {
	"$UML_BUILD/uml/logdump" --regions "$(regions)" "$UML_RUN/log.img" |
		awk -v node="$(node_ids "$1")," '/^slot .* in-use: / && $5 == node {n += $(NF - 2)} END {print n + 0}'
}
log_held_is() { [ "$(log_held "$1")" = "$2" ]; }
