#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tables are reloaded, suspended and resumed while fio writes and verifies: another
# length, log device, kind of log, region size, leg. No I/O error, the right regions
# are copied each time, and no suspend waits for a resync.
# time-limit: 600
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

FIO_MIB=12 # what fio writes to: no table of this suite is shorter

# One pass after the other until /run/stop: writes 256 KiB somewhere and verifies it.
io_begin() {
	node_run 1 "rm -f /run/stop /run/fio.*; echo 0 >/run/fio.passes
		setsid bash -c 'while [ ! -e /run/stop ]; do
			fio --name=v --filename=/dev/mapper/m --offset=\$((RANDOM % $FIO_MIB))M --size=256k \
				--rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=4 --verify=crc32c \
				--do_verify=1 --verify_fatal=1 --randrepeat=0 >/run/fio.out 2>&1 || break
			echo \$((\$(</run/fio.passes) + 1)) >/run/fio.new; mv /run/fio.new /run/fio.passes
		done; [ -e /run/stop ]; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
	io_goes_on
}

# Two more passes have ended well: one of them began after this did.
io_goes_on() { # [WHEN]
	local passes
	passes=$(node_run 1 'cat /run/fio.passes')
	node_wait 1 30 "[ -e /run/fio.status ] || [ \$(</run/fio.passes) -ge $((passes + 2)) ]" &&
		node_run 1 '[ ! -e /run/fio.status ]' ||
		fail "I/O does not go on ${1-}: $(node_run 1 'grep -m1 -iE "verify|error|err=" /run/fio.out')"
}

io_end() {
	node_run 1 'touch /run/stop'
	node_wait 1 30 '[ -s /run/fio.status ]' || fail "fio does not end"
	expect_eq "$(node_run 1 'cat /run/fio.status')" 0 "the end of fio"
}

reload() { # LOG
	node_run 1 "dmsetup reload m --table '$(mirror_table "$1")'" || fail "the table of '$1' is refused"
	node_run -t 14 1 'dmsetup suspend m && dmsetup resume m' || fail "the reload to '$1' does not end"
}

# The last opening that the daemon told of.
opened() { node_run 1 "grep '^dmclogd: r: open, from' /mnt/job/d.log | tail -n 1 | sed 's/.*open, from //'"; }

# A reload to a table of SECTORS and REGION, and what must have come of it. COPIED is
# counted since there is a log of that kind, size and device.
step() { # SECTORS REGION LOG OPENED COPIED STATUS
	SECTORS=$1 REGION=$2
	reload "$3"
	expect_eq "$(opened)" "$4 regions out of sync" "what the daemon found for '$3' of $1 sectors"
	io_goes_on "after the reload to '$3' of $1 sectors"
	mirror_wait 1 m
	expect_eq "$(mirror_status 1 m)" "0 $1 mirror 2 $LEG_NUMBERS $(regions)/$(regions) 1 AA $6" "status"
	expect_eq "$(daemon_count 1 r copied)" "$5" "regions copied for '$3' of $1 sectors"
}

case_tables() {
	local disk="4 r clustered-disk 98:0 1024" other="4 r clustered-disk 98:48 1024"
	LEG_NUMBERS="98:16 98:32"
	SECTORS=49152 legs_noise
	log_zero
	log_zero log2.img
	daemon_start 1
	mirror_create 1 m "$disk"
	mirror_wait 1 m
	io_begin
	leg_poke b.img 40
	step 49152 1024 "$disk" "a closed log: 16" 16 "3 clustered-disk 98:0 A"
	step 24576 1024 "$disk" "a closed log: 0" 0 "3 clustered-disk 98:0 A"
	leg_poke b.img 40
	step 49152 1024 "$disk" "a closed log: 24" 24 "3 clustered-disk 98:0 A"
	step 49152 1024 "$other" "a device without a log: 48" 48 "3 clustered-disk 98:48 A"
	step 49152 1024 "3 r clustered-core 1024" "memory: 48" 48 "1 clustered-core"
	step 49152 1024 "$disk" "a closed log: 0" 0 "3 clustered-disk 98:0 A"
	step 49152 512 "4 r clustered-disk 98:0 512" "a log with another region size: 96" 96 \
		"3 clustered-disk 98:0 A"
	io_end
	mirror_remove 1 m
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	daemon_stop 1
}

# A leg is replaced: `sync` has everything copied, once, however often that table is resumed.
case_leg() {
	legs_noise
	leg_noise c.img
	log_zero
	daemon_start 1
	mirror_create 1 m "4 r clustered-disk 98:0 1024"
	mirror_wait 1 m
	io_begin
	LEGS="/dev/ubdb 0 /dev/ubde 0" LEG_NUMBERS="98:16 98:64"
	step 32768 1024 "5 r clustered-disk 98:0 1024 sync" "a closed log: 32" 64 "3 clustered-disk 98:0 A"
	node_run -t 14 1 'dmsetup suspend m && dmsetup resume m'
	expect_eq "$(opened)" "a closed log: 0 regions out of sync" "what the daemon found at another resume"
	step 32768 1024 "4 r clustered-disk 98:0 1024" "a closed log: 0" 64 "3 clustered-disk 98:0 A"
	io_end
	mirror_remove 1 m
	cmp -s -n $((SECTORS * 512)) "$UML_RUN/a.img" "$UML_RUN/c.img" || fail "the new leg differs"
	! legs_equal || fail "the old leg was written to, too"
	daemon_stop 1
}

case_suspend() { # LOG OPENED
	local i
	legs_noise
	log_zero
	daemon_start 1
	mirror_create 1 m "$1"
	mirror_wait 1 m
	io_begin
	for i in 1 2 3; do
		node_run -t 12 1 'dmsetup suspend m && dmsetup resume m' || fail "suspend $i takes too long"
		expect_eq "$(opened)" "$2: 0 regions out of sync" "what the daemon found at resume $i"
		node_run -t 12 1 'dmsetup suspend --noflush --nolockfs m && dmsetup resume m' ||
			fail "suspend $i without a flush takes too long"
		expect_eq "$(opened)" "$2: 0 regions out of sync" "what the daemon found at the other resume $i"
		io_goes_on "after resume $i"
	done
	io_end
	expect_eq "$(daemon_count 1 r copied)" 32 "regions copied"
	mirror_remove 1 m
	expect_equal_legs
	daemon_stop 1
}
case_suspend_disk() { case_suspend "4 r clustered-disk 98:0 1024" "a closed log"; }
case_suspend_flush() { case_suspend "5 r integrated_flush clustered-disk 98:0 1024" "a closed log"; }
case_suspend_core() { case_suspend "3 r clustered-core 1024" memory; }

# One copy takes 0.4 s, all of them 51 s, and many writes wait for one.
case_suspend_resync() { # LOG
	local REGION=256
	legs_noise
	log_zero
	daemon_start 1 --copies=1
	node_run 1 "dmsetup create slow --table '0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 400'"
	LEGS="/dev/ubdb 0 /dev/mapper/slow 0"
	mirror_create 1 m "$1"
	node_run 1 "rm -f /run/fio.status
		setsid bash -c 'fio --name=v --filename=/dev/mapper/m --size=16M --io_size=512k --rw=randwrite \
		--bs=4k --direct=1 --ioengine=libaio --iodepth=32 --randrepeat=0 --verify=crc32c --do_verify=1 \
		--verify_fatal=1 >/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
	node_wait 1 10 'read -r _ writes </sys/block/dm-1/inflight; [ $writes -ge 16 ]' || fail "no writes wait"
	node_run -t 12 1 'dmsetup suspend m' || fail "a suspend waits for the resync, or does not end"
	! mirror_status 1 m | grep -q ' 128/128 ' || fail "the resync was over: nothing has been shown"
	node_run -t 12 1 'dmsetup resume m' || fail "the resume does not end"
	node_run 1 "dmsetup reload slow --table '0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 0'
		dmsetup suspend slow; dmsetup resume slow"
	node_wait 1 40 '[ -s /run/fio.status ]' || fail "fio does not end"
	expect_eq "$(node_run 1 'cat /run/fio.status')" 0 "the end of fio"
	mirror_wait 1 m 40
	mirror_remove 1 m
	node_run 1 'dmsetup remove slow'
	expect_equal_legs
	daemon_stop 1
}
case_suspend_resync_disk() { case_suspend_resync "4 r clustered-disk 98:0 256"; }
case_suspend_resync_core() { case_suspend_resync "3 r clustered-core 256"; }

uml_start reload
mirror_case other-tables case_tables
mirror_case another-leg case_leg
mirror_case suspend-disk-log case_suspend_disk
mirror_case suspend-integrated-flush case_suspend_flush
mirror_case suspend-core-log case_suspend_core
mirror_case suspend-in-resync-disk-log case_suspend_resync_disk
mirror_case suspend-in-resync-core-log case_suspend_resync_core
