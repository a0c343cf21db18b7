#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One mirror on three nodes: real kernels, real corosync, shared disks. All write
# to the same regions, each to blocks of its own. What must hold is read from the
# images on the host: the log, and the legs compared region by region.
# time-limit: 420
set -u
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
ID_BASE=4000000000       # a node id has 32 bits, and all of them count
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

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

# The log in memory: what a lost writer held is copied all the same, for the others know it.
case_core_log() {
	local k before LOG="4 C integrated_flush clustered-core $REGION" LEG_MS=20
	made --takeover-delay=2
	on_nodes "$ALL_NODES" in_sync
	write_begin 3 --size=8m $FOR_LONG # in 64 regions
	write_begin 1 --io_size=4m
	write_end 1
	before=$(($(daemon_count 1 C copied) + $(daemon_count 2 C copied)))
	legs_part 3
	node_cut 3
	! legs_equal || fail "the cut has left equal legs"
	group_wait "1 2" 1 2
	wait_for 30 legs_equal || fail "what node 3 held is not copied"
	on_nodes "1 2" in_sync
	k=$(($(daemon_count 1 C copied) + $(daemon_count 2 C copied) - before))
	[ "$k" -ge 1 ] && [ "$k" -le 64 ] || fail "$k regions were copied for node 3, which held 1 to 64"
	remove 1
	remove 2
	expect_equal_legs
}

uml_start cluster
node_cut 1
cluster_case all-write case_all_write
cluster_case any-order case_in_any_order
cluster_case core-log case_core_log
