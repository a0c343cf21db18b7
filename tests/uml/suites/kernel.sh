#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The harness on the kernel's own logs, without dmclogd: a node boots, mirrors
# resync, the host reads what is on the images, a power cut keeps what it must.
# time-limit: 120
set -u
# shellcheck source=tests/uml/lib.sh
. "${BASH_SOURCE[0]%/*}/../lib.sh"

SECTORS=32768 # 16 MiB, 32 regions of 1024 sectors
MIRROR="2 /dev/ubdb 0 /dev/ubdc 0"

mirror_create() { # LOG
	node_run 1 "dmsetup create m --table '0 $SECTORS mirror $1 $MIRROR'"
}

in_sync() { # the whole mirror, within 20 s
	node_wait 1 20 "dmsetup status m | grep -q ' 32/32 '" || fail "not in sync: $(node_run 1 'dmsetup status m')"
}

# Different random bytes on both legs, by the host.
legs_fill() {
	head -c 16M /dev/urandom >"$UML_RUN/noise"
	dd if="$UML_RUN/noise" of="$UML_RUN/a.img" bs=1M conv=notrunc status=none
	rev "$UML_RUN/noise" 2>/dev/null | head -c 1M >"$UML_RUN/other"
	dd if="$UML_RUN/other" of="$UML_RUN/b.img" bs=1M conv=notrunc status=none
	rm "$UML_RUN/noise" "$UML_RUN/other"
}

legs_equal() { cmp -s -n 16777216 "$UML_RUN/a.img" "$UML_RUN/b.img"; }

log_field() { # OFFSET BYTES: little-endian, of the first log image
	od -An -tu"$2" -j"$1" -N"$2" "$UML_RUN/log.img" | tr -d ' '
}

region_is() { # REGION BIT: in the bitmap of the first log image
	[ $((($(log_field 1024 4) >> $1) & 1)) = "$2" ]
}

case_core() {
	legs_fill
	! legs_equal || fail "the legs are equal before the resync"
	mirror_create "core 1 1024"
	in_sync
	node_run 1 'dmsetup remove m'
	legs_equal || fail "legs differ after the resync"
}

case_disk() {
	legs_fill
	mirror_create "disk 2 /dev/ubda 1024"
	in_sync
	node_run 1 'dmsetup remove m'
	legs_equal || fail "legs differ after the resync"
	expect_eq "$(log_field 0 4)" $((0x4D695272)) "magic MiRr"
	expect_eq "$(log_field 4 4)" 2 version
	expect_eq "$(log_field 8 8)" 32 nr_regions
	expect_eq "$(log_field 1024 4)" $((0xffffffff)) "bits of 32 clean regions"
}

case_power_cut() {
	node_run 1 "dmsetup create leg --table '0 $SECTORS linear /dev/ubdc 0'
		dmsetup create m --table \
		'0 $SECTORS mirror disk 2 /dev/ubda 1024 2 /dev/ubdb 0 /dev/mapper/leg 0'"
	in_sync
	# The power goes while a write to region 9 is in flight: its second leg stands still.
	node_run 1 'dmsetup suspend leg
		setsid dd if=/dev/zero of=/dev/mapper/m bs=4096 seek=1152 count=1 oflag=direct \
		>/run/dd.out 2>&1 &'
	wait_for 10 region_is 9 0 || fail "region 9 does not become dirty"
	node_cut 1
	! node_alive 1 || fail "node 1 lives after a power cut"
	region_is 9 0 || fail "region 9 is clean on disk, with writes in flight"
	region_is 20 1 || fail "region 20 was never written, and is not clean on disk"
	# What was dirty, and nothing else, is copied again.
	printf different | dd of="$UML_RUN/b.img" bs=512 seek=$((9 * 1024)) conv=notrunc status=none
	printf different | dd of="$UML_RUN/b.img" bs=512 seek=$((20 * 1024)) conv=notrunc status=none
	node_boot 1
	mirror_create "disk 2 /dev/ubda 1024"
	in_sync
	node_run 1 'dmsetup remove m'
	cmp -s -n 524288 -i $((9 * 524288)) "$UML_RUN/a.img" "$UML_RUN/b.img" || fail "region 9 not copied"
	! cmp -s -n 524288 -i $((20 * 524288)) "$UML_RUN/a.img" "$UML_RUN/b.img" || fail "region 20 copied"
}

case_two_nodes() {
	node_boot 2
	node_run 1 'printf from-one | dd of=/dev/ubde conv=sync bs=4096 oflag=direct status=none'
	expect_eq "$(node_run 2 'dd if=/dev/ubde bs=4096 count=1 iflag=direct status=none | head -c 8')" \
		from-one "what node 2 reads"
	node_halt 2
	! node_alive 2 || fail "node 2 lives after it was halted"
}

case_job_limits() {
	local rc=0
	node_run 1 'exit 7' || rc=$?
	expect_eq "$rc" 7 "status of a job"
	rc=0
	node_run -t 1 1 'mkfifo /run/never; cat /run/never' || rc=$?
	expect_eq "$rc" 124 "status of a job that takes too long"
	rc=0
	node_run 9 true 2>/dev/null || rc=$?
	expect_eq "$rc" 125 "status of a job on a node that is not there"
}

uml_start kernel
run_case core-log-resync case_core
run_case disk-log-on-disk case_disk
run_case disk-log-power-cut case_power_cut
run_case job-limits case_job_limits
run_case two-nodes-share-disks case_two_nodes
