#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmclogd serves a real kernel: every form of the table, a file system, verified
# I/O during and after a resync, signals, and one daemon a node.
# time-limit: 150
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

DISK="0 $SECTORS mirror 2 98:16 98:32 32/32 1 AA 3 clustered-disk 98:0 A"
CORE="0 $SECTORS mirror 2 98:16 98:32 32/32 1 AA 1 clustered-core"

# A resync from whatever the log says: all of it is copied, and the legs are equal.
form_resyncs() { # UUID LOG STATUS
	legs_noise
	! legs_equal || fail "the legs are equal before the resync"
	mirror_create 1 m "$2"
	mirror_wait 1 m
	expect_eq "$(mirror_status 1 m)" "$3" "status of '$2'"
	daemon_expect 1 "$1: in sync: all 32 regions"
	expect_eq "$(daemon_count 1 "$1" copied)" 32 "regions copied for '$2'"
	mirror_remove 1 m
	expect_equal_legs
}

# No resync: in sync at once, and nothing is copied.
form_trusts() { # UUID LOG STATUS
	legs_noise
	node_run 1 "dmsetup create m --table '$(mirror_table "$2")' && dmsetup status m >/run/status"
	expect_eq "$(node_run 1 'cat /run/status')" "$3" "first status of '$2'"
	expect_eq "$(daemon_count 1 "$1" copied)" 0 "regions copied for '$2'"
	mirror_remove 1 m
	! legs_equal || fail "something was copied for '$2'"
}

case_disk_forms() {
	daemon_start 1
	log_zero
	form_resyncs plain "4 plain clustered-disk 98:0 1024" "$DISK"
	daemon_expect 1 "plain: open, from a device without a log: 32 regions out of sync"
	form_trusts again "4 again clustered-disk 98:0 1024" "$DISK"
	daemon_expect 1 "again: open, from a closed log: 0 regions out of sync"
	form_resyncs sync "5 sync clustered-disk 98:0 1024 sync" "$DISK"
	log_zero
	form_trusts nosync "5 nosync clustered-disk 98:0 1024 nosync" "$DISK"
	log_zero
	form_resyncs flush "5 flush integrated_flush clustered-disk 98:0 1024" "$DISK"
	log_zero
	form_resyncs old "4 old clustered_disk 98:0 1024" "$DISK"
	daemon_stop 1
}

case_core_forms() {
	daemon_start 1
	form_resyncs plain "3 plain clustered-core 1024" "$CORE"
	form_resyncs sync "4 sync clustered-core 1024 sync" "$CORE"
	form_trusts nosync "4 nosync clustered-core 1024 nosync" "$CORE"
	form_resyncs flush "4 flush integrated_flush clustered-core 1024" "$CORE"
	form_resyncs old "3 old clustered_core 1024" "$CORE"
	daemon_stop 1
}

fio_verify() { # FILE SIZE, more options: writes and reads back
	echo "fio --name=v --filename=$1 --size=$2 --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
		--iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 --randrepeat=0 ${*:3} \
		>/run/fio.out 2>&1 || { grep -m1 -iE 'verify|error|err=' /run/fio.out; exit 1; }"
}

case_file_system() {
	legs_noise
	log_zero
	daemon_start 1
	mirror_create 1 m "4 fs clustered-disk 98:0 1024"
	mirror_wait 1 m
	node_run 1 "set -e; mkdir -p /mnt/fs; mkfs.ext4 -qF /dev/mapper/m; mount /dev/mapper/m /mnt/fs
		$(fio_verify /mnt/fs/file 4M)
		umount /mnt/fs
		e2fsck -fn /dev/mapper/m >/dev/null" || fail "a file system on the mirror"
	mirror_remove 1 m
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	daemon_stop 1
}

case_verify_during_resync() {
	legs_noise
	log_zero
	daemon_start 1 --resync-rate=512K # 32 s
	mirror_create 1 m "5 early integrated_flush clustered-disk 98:0 1024"
	node_run 1 "$(fio_verify /dev/mapper/m 2M --offset=8M)" || fail "verify while resyncing"
	node_run 1 "dmsetup status m | grep -qE ' ([0-9]+)/\\1 '" &&
		fail "the resync was over before fio was: nothing has been shown"
	node_run 1 '$B/dmclog resync m rate=0' || fail "the rate cannot be changed"
	mirror_wait 1 m
	node_run 1 "$(fio_verify /dev/mapper/m 8M)" || fail "verify after the resync"
	mirror_remove 1 m
	expect_equal_legs
	daemon_stop 1
}

case_signals() {
	daemon_start 1
	mirror_create 1 m "3 sig clustered-core 1024"
	mirror_wait 1 m
	[ "$(daemon_count 1 sig requests)" -gt 3 ] || fail "USR1 counts no requests"
	daemon_expect 1 "sig: core 0:0 open, 32/32 in sync (0 lost), region 1024 sectors"
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill -USR2 $(cat /run/dmclogd/lock)'
	node_wait 1 5 'grep -q "dmclogd: the last [0-9]* events" /mnt/job/d.log' || fail "USR2 says nothing"
	# TERM with a mirror in use is refused.
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill -TERM $(cat /run/dmclogd/lock)'
	node_wait 1 5 'grep -q "told to end by signal 15, but 1 tables use this daemon" /mnt/job/d.log' ||
		fail "TERM is not refused while a mirror is in use"
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none'
	mirror_remove 1 m
	daemon_stop 1
}

case_second_daemon() {
	local rc=0
	daemon_start 1
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 '$B/dmclogd --cluster=none >/run/second 2>&1' || rc=$?
	expect_eq $rc 1 "exit status of a second daemon"
	node_run 1 "grep -qx \"dmclogd: dmclogd runs already on this node (process \$(cat /run/dmclogd/lock))\" \
		/run/second" || fail "the second daemon says: $(node_run 1 'cat /run/second')"
	rc=0
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 '$B/dmclogd --cluster=none --state-directory=/run/other >/run/second 2>&1' || rc=$?
	expect_eq $rc 1 "exit status of a daemon beside another with another directory"
	node_run 1 'grep -q "answers dm-log-userspace requests already" /run/second' ||
		fail "the other daemon says: $(node_run 1 'cat /run/second')"
	daemon_stop 1
	daemon_start 1
	daemon_stop 1
}

uml_start serve
mirror_case disk-forms case_disk_forms
mirror_case core-forms case_core_forms
mirror_case file-system case_file_system
mirror_case verify-during-resync case_verify_during_resync
mirror_case signals case_signals
mirror_case one-daemon-a-node case_second_daemon
