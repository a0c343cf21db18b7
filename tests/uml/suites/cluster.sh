#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One mirror on three nodes: real kernels, real corosync, shared disks. All write
# to the same regions, each to blocks of its own. What must hold is read from the
# images on the host: the log, and the legs compared region by region.
# time-limit: 420
set -u
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
# shellcheck source=tests/uml/cluster.sh
. "${BASH_SOURCE[0]%/*}/../cluster.sh"

LOG="5 U integrated_flush clustered-disk 98:0 $REGION"

log_number() { # OFFSET BYTES: little-endian, of the log image
	od -An -tu"$2" -j"$1" -N"$2" "$UML_RUN/log.img" | tr -d ' '
}

create() { mirror_create "$1" m "$LOG"; }
remove() { mirror_remove "$1" m; }
status() { mirror_status "$1" m | cut -d " " -f 1-12; }
in_sync() { mirror_wait "$1" m 60; }

# Random 4 KiB writes all over the mirror, as long as the options say: node K
# writes every fourth block only. Goes on in the background until write_end.
write_begin() { # K FIO-OPTION...
	local k=$1
	shift
	node_run "$k" "rm -f /run/fio.status
		setsid bash -c 'fio --name=w --filename=/dev/mapper/m --size=$((SECTORS * 512)) --rw=randwrite --bs=4k \
		--blockalign=16k --offset=$(((k - 1) * 4))k --direct=1 --ioengine=libaio --iodepth=4 --randrepeat=0 \
		--norandommap $* >/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
}

write_end() { # K [SECONDS]
	node_wait "$1" "${2:-30}" '[ -s /run/fio.status ]' || fail "the writer on node $1 does not end"
	expect_eq "$(node_run "$1" 'cat /run/fio.status')" 0 "writer on node $1 ($(node_run "$1" 'tail -n 3 /run/fio.out'))"
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

case_all_write() {
	local k
	made
	for k in $ALL_NODES; do
		write_begin "$k" --io_size=4m
	done
	for k in $ALL_NODES; do
		write_end "$k"
	done
	on_nodes "$ALL_NODES" in_sync
	expect_same_status
	expect_eq "$(status 1 | cut -d " " -f 7)" 256/256 "regions in sync"
	remove_all 2 3 1
	# The kernel's log takes it as it is.
	node_run 1 "dmsetup create k --table '0 $SECTORS mirror disk 2 /dev/ubda $REGION 2 $LEGS 1 handle_errors' &&
		dmsetup status k >/run/status; dmsetup remove k"
	expect_eq "$(node_run 1 'cut -d " " -f 7 /run/status')" 256/256 "in sync for the kernel's disk log"
}

# Opened by one, joined by others, closed by whoever is last.
case_in_any_order() {
	local k
	cluster_start
	for k in 3 1 2; do
		create "$k"
		in_sync "$k"
		write_begin "$k" --io_size=1m
	done
	remove_busy() { write_end "$1"; remove "$1"; }
	remove_busy 3
	create 3
	write_begin 3 --io_size=1m
	on_nodes "1 2 3" remove_busy || fail "a node cannot remove its mirror: $(cat "$UML_RUN/reason" 2>/dev/null)"
	expect_closed
}

uml_start cluster
node_cut 1
cluster_case all-write case_all_write
cluster_case any-order case_in_any_order
