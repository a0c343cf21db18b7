#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mirror on three nodes whose tables are suspended and reloaded on all of them, while all write: in the
# middle of a resync, to another length, another leg, another log device. No write fails and what was written
# is read back; every suspend and every resume ends; the right regions are copied, once; the legs are equal.
# time-limit: 600
set -u
SECTORS=65536 REGION=256 # 256 regions of 128 KiB
# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/../mirror_of_all.sh"

PASS_MIB=1     # what one pass of a writer goes over
WRITTEN_MIB=14 # what all passes go over: no table of this suite is shorter
SUSPEND_SECONDS=12 # what the kernel has to ask for again takes 15 s

# One pass after the other until /run/stop: 4 KiB of each 16 KiB written and verified, the same regions as
# other nodes write, and blocks that are node K's alone.
io_begin() { # K
	node_run "$1" "rm -f /run/stop /run/fio.*; echo 0 >/run/fio.passes
		setsid bash -c 'while [ ! -e /run/stop ]; do
			fio --name=v --filename=/dev/mapper/m --offset=\$((RANDOM % $WRITTEN_MIB * 1024 + ($1 - 1) * 4))k \
				--size=$((PASS_MIB * 1024 - 16))k --rw=write:12k --bs=4k --direct=1 --ioengine=libaio --iodepth=16 \
				--verify=crc32c --do_verify=1 --verify_fatal=1 >/run/fio.out 2>&1 || break
			echo \$((\$(</run/fio.passes) + 1)) >/run/fio.new; mv /run/fio.new /run/fio.passes
		done; [ -e /run/stop ]; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
}

# Two more passes have ended well: one of them began after this did.
io_goes_on() { # K
	local passes
	passes=$(node_run "$1" 'cat /run/fio.passes')
	node_wait "$1" 40 "[ -e /run/fio.status ] || [ \$(</run/fio.passes) -ge $((passes + 2)) ]" &&
		node_run "$1" '[ ! -e /run/fio.status ]' ||
		fail "I/O does not go on, on node $1: $(node_run "$1" 'grep -m1 -iE "verify|error|err=" /run/fio.out')"
}

io_end() { # K
	node_run "$1" 'touch /run/stop'
	node_wait "$1" 40 '[ -s /run/fio.status ]' || fail "fio does not end on node $1"
	expect_eq "$(node_run "$1" 'cat /run/fio.status')" 0 "the end of fio on node $1"
}

# The limit is the node's: what waits in the kernel for good is told, and the case fails.
suspend() { node_run -t $SUSPEND_SECONDS "$1" 'dmsetup suspend m' || fail "the suspend does not end on node $1"; }
resume() { node_run -t 40 "$1" 'dmsetup resume m' || fail "the resume does not end on node $1"; }
suspend_and_resume() { suspend "$1" && resume "$1"; }
load() { # TABLE K
	node_run "$2" "dmsetup reload m --table '$1'" || fail "the table is refused on node $2"
}

# For all at the same time; the reason of a failure is the first one's.
all_do() {
	on_nodes "$ALL_NODES" "$@" || fail "$(cat "$UML_RUN/reason" 2>/dev/null || echo "$* fails")"
}

copied_by_all() {
	local k sum=0
	for k in $ALL_NODES; do
		sum=$((sum + $(daemon_count "$k" U copied)))
	done
	echo $sum
}

# What the daemon that opened the log last found, of all openings since LINES lines of each log.
log_lines() { node_run "$1" 'wc -l </mnt/job/d.log'; }
opened_since() { # LINES of node 1, of node 2, ...
	local k
	for k in $ALL_NODES; do
		node_run "$k" "tail -n +$((${!k} + 1)) /mnt/job/d.log | sed -n 's/^dmclogd: U: open, from //p'"
	done
}

# All nodes load a table of SECTORS, LOG and legs, HOW is what they do at once then; what must have come of it.
step() { # WHAT SECTORS OPENED COPIED STATUS-WORDS HOW...
	local what=$1 opened=$3 copied=$4 words=$5 k lines=()
	SECTORS=$2
	for k in $ALL_NODES; do
		lines+=("$(log_lines "$k")")
	done
	all_do load "$(mirror_table "$LOG")"
	"${@:6}"
	expect_eq "$(opened_since "${lines[@]}")" "$opened regions out of sync" "what was found for: $what"
	all_do in_sync
	all_do io_goes_on
	for k in $ALL_NODES; do
		expect_eq "$(mirror_status "$k" m)" "0 $SECTORS mirror 2 $words" "status on node $k for: $what"
	done
	expect_eq "$(copied_by_all)" "$copied" "regions copied by all nodes for: $what"
}

at_once() { all_do suspend_and_resume; }
together() { all_do suspend && all_do resume; }

# The first to come waits for the last: a resume of another length needs that the old table is gone everywhere.
one_by_one() {
	local pids=() k
	for k in 2 3 1; do
		suspend_and_resume "$k" &
		pids+=($!)
		[ "$k" = 1 ] || node_wait "$k" 10 'dmsetup info m | grep -q "State: *SUSPENDED"' ||
			fail "node $k is not suspended"
	done
	for k in "${pids[@]}"; do
		wait "$k" || fail "$(cat "$UML_RUN/reason")"
	done
}

case_tables() {
	local disk=$LOG
	SECTORS=49152 made
	SECTORS=49152
	all_do in_sync
	all_do io_begin
	all_do io_goes_on
	leg_poke b.img 200
	step "grow" 65536 "a closed log: 64" 64 "98:16 98:32 256/256 1 AA 3 clustered-disk 98:0 A" at_once
	step "shrink" 32768 "a closed log: 0" 0 "98:16 98:32 128/128 1 AA 3 clustered-disk 98:0 A" at_once
	leg_poke b.img 150
	step "grow one by one" 49152 "a closed log: 64" 64 "98:16 98:32 192/192 1 AA 3 clustered-disk 98:0 A" one_by_one
	log_zero log2.img
	LOG=${disk/98:0/98:48}
	step "another log device" 49152 "a device without a log: 192" 192 \
		"98:16 98:32 192/192 1 AA 3 clustered-disk 98:48 A" at_once
	LOG=$disk
	step "the first log device" 49152 "a closed log: 0" 0 "98:16 98:32 192/192 1 AA 3 clustered-disk 98:0 A" at_once
	all_do io_end
	SECTORS=49152 remove_all 2 3 1
}

# A leg is replaced: all are suspended before one resumes, as LVM does it, for until then both legs are written.
case_leg() {
	local disk=$LOG legs=$LEGS
	leg_noise c.img
	made
	all_do in_sync
	all_do io_begin
	all_do io_goes_on
	LOG="${LOG/#5/6} sync" LEGS="/dev/ubdb 0 /dev/ubde 0"
	step "another leg" 65536 "a closed log: 256" 512 "98:16 98:64 256/256 1 AA 3 clustered-disk 98:0 A" together
	all_do suspend_and_resume
	LOG=$disk
	all_do io_end
	remove 1
	remove 2
	remove 3
	cmp -s -n $((SECTORS * 512)) "$UML_RUN/a.img" "$UML_RUN/c.img" || fail "the new leg differs"
	! legs_equal || fail "the old leg was written to, too"
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	LEGS=$legs
}

# Each in turn, while the others write on and hold the log open.
case_in_turn() {
	local k
	made
	all_do in_sync
	all_do io_begin
	for k in 2 1 3 2 1 3; do
		suspend_and_resume "$k"
		io_goes_on "$k"
	done
	for k in 1 2 3 4 5; do
		all_do suspend_and_resume
	done
	all_do io_goes_on
	all_do io_end
	all_do in_sync
	expect_same_status
	remove_all 3 2 1
}

# A block of node K's own in each region, then all are read back.
each_region_written() { # K
	node_run "$1" "rm -f /run/fio.status
		setsid bash -c 'fio --name=w --filename=/dev/mapper/m --offset=$((($1 - 1) * 4))k --size=$((SECTORS / 2 - 16))k \
		--io_size=$((SECTORS / REGION * 4))k --rw=write:$((REGION / 2 - 4))k --bs=4k --direct=1 --ioengine=libaio --iodepth=32 --verify=crc32c --do_verify=1 \
		--verify_fatal=1 >/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
}

writes_wait() { # K: a copy takes long, and these writes wait for one each
	node_wait "$1" 20 'read -r _ writes </sys/block/dm-$(dmsetup info -c --noheadings -o minor m)/inflight
		[ "$writes" -ge 16 ]' || fail "no writes wait on node $1"
}

# In the middle of a resync, with writes that wait for regions out of sync: all are suspended at once. A copy takes
# 0.4 s, and each node makes one at a time: 34 s, as long as leg 2 is slow.
case_in_resync() {
	local k LEG_MS=400
	made --copies=1
	for k in $ALL_NODES; do
		each_region_written "$k"
	done
	all_do writes_wait
	all_do suspend
	for k in $ALL_NODES; do
		[[ $(status "$k") != *" 256/256 "* ]] || fail "the resync was over: nothing has been shown"
	done
	all_do resume
	all_do slow_quicken
	for k in $ALL_NODES; do
		write_end "$k" 60
	done
	all_do in_sync
	remove_all 1 3 2
	on_nodes "$ALL_NODES" slow_remove
}
slow_quicken() {
	node_run "$1" "dmsetup reload slow --table '0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 0'
		dmsetup suspend slow; dmsetup resume slow"
}
slow_remove() { node_run "$1" 'dmsetup remove slow'; }

uml_start cluster-reload
node_cut 1
cases="tables leg in-turn in-resync"
for name in ${CASES:-$cases}; do
	cluster_case "$name" "case_${name//-/_}"
done
