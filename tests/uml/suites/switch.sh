#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmclog detach and attach: a mirror moves between the clustered log and the kernel's, in place, again and again
# under a writer that verifies, in the middle of a resync, and with a power cut behind it; nothing that was in sync is copied.
# time-limit: 300
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

dmclog() {
	rc=0
	said=$(node_run -t 40 1 "\$B/dmclog $* 2>&1") || rc=$?
}
expect_dmclog() { # STATUS TEXT ARGUMENT...
	local status=$1 text=$2
	shift 2
	dmclog "$@"
	expect_eq "$rc" "$status" "exit status of dmclog $* (${said//$'\n'/ / })"
	[[ $said == *"$text"* ]] || fail "dmclog $* says '${said//$'\n'/ / }', not '$text'"
}
table_is() { expect_eq "$(node_run 1 'dmsetup table m')" "0 $SECTORS mirror $1 2 98:16 0 98:32 0 1 handle_errors" "the table"; }
synced() { mirror_status 1 m | grep -oE ' [0-9]+/32 ' | tr -d ' ' | cut -d/ -f1; }
CLUSTERED="userspace 5 U integrated_flush clustered-disk 98:0 1024"
KERNELS="disk 2 98:0 1024"

made() { # DAEMON-OPTION...
	legs_noise
	log_zero
	daemon_start 1 "$@"
	mirror_create 1 m "5 U integrated_flush clustered-disk 98:0 1024"
}

case_under_writes() {
	local i
	made
	mirror_wait 1 m
	node_run 1 "setsid bash -c 'fio --name=v --filename=/dev/mapper/m --size=8m --rw=randwrite --bs=4k --direct=1 \
		--ioengine=libaio --iodepth=4 --verify=crc32c --do_verify=1 --verify_backlog=64 --time_based --runtime=300 \
		>/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
	node_wait 1 20 "\$B/dmclog status U --json | grep -q '\"held\": [1-9]'" || fail "no write gets through"
	for i in 1 2 3 4 5; do
		expect_dmclog 0 "" detach m
		table_is "$KERNELS"
		node_wait 1 10 'a=$(awk "{print \$5}" /sys/block/dm-0/stat); [ "$a" != "${last-}" ] && last=$a' || fail "no writes"
		expect_dmclog 0 "" attach m U
		table_is "$CLUSTERED"
	done
	# Again is no error, and changes nothing.
	expect_dmclog 0 "" attach m
	table_is "$CLUSTERED"
	node_run 1 '[ ! -e /run/fio.status ] && pkill -INT -x fio'
	node_wait 1 20 '[ -s /run/fio.status ]' || fail "the writer does not end"
	node_run 1 'grep -q "err= 0" /run/fio.out && ! grep -qi "verify.*failed\|bad magic" /run/fio.out' ||
		fail "the writer met an error: $(node_run 1 'tail -n 3 /run/fio.out')"
	expect_dmclog 0 "" detach m
	node_run 1 'dmsetup remove m'
	daemon_stop 1
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean in the end"
}

# What is in sync is not copied again by either side: a difference that the host made in such a region stays.
case_during_a_resync() {
	local before
	made --resync-rate=512K # 32 s
	node_wait 1 20 "dmsetup status m | grep -qE ' ([5-9]|1[0-9])/32 '" || fail "the resync does not begin"
	node_run 1 '$B/dmclog resync U pause'
	node_wait 1 10 "\$B/dmclog status U --json | grep -q '\"copies\": 0'" || fail "a copy never ends"
	before=$(synced)
	leg_poke b.img 0
	expect_dmclog 0 "" detach m
	table_is "$KERNELS"
	[ "$(synced)" -ge "$before" ] || fail "$(synced) regions in sync, there were $before"
	mirror_wait 1 m 60
	! region_equal 0 || fail "a region in sync was copied by the kernel"
	expect_dmclog 0 "" attach m U
	expect_eq "$(synced)" 32 "regions in sync after the attach"
	expect_eq "$(daemon_count 1 U copied)" 0 "regions copied by dmclogd"
	! region_equal 0 || fail "a region in sync was copied by dmclogd"
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=64k count=8 oflag=direct status=none'
	mirror_remove 1 m
	daemon_stop 1
	expect_equal_legs
}

# A cut after each switch: the log of the moment is the truth.
cut_after() { # COMMAND...
	made
	mirror_wait 1 m
	[ "$1" = detach ] || expect_dmclog 0 "" detach m
	expect_dmclog 0 "" "$@"
	node_run 1 "setsid dd if=/dev/urandom of=/dev/mapper/m bs=4k count=2000 oflag=direct >/dev/null 2>&1 </dev/null &
		dd if=/dev/urandom of=/dev/mapper/m bs=4k seek=3000 count=20 oflag=direct status=none"
	node_cut 1
	"$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img" ||
		fail "after $1 a region that differs is clean"
}
case_cut_after_detach() { cut_after detach m; }
case_cut_after_attach() { cut_after attach m U; }

case_refusals() {
	made
	mirror_wait 1 m
	node_run 1 "dmsetup create other --table '0 16384 linear /dev/ubdd 0'
		dmsetup create tiny --table '0 64 linear /dev/ubdd 0'"
	expect_dmclog 1 "nix is not active" detach nix
	expect_dmclog 1 "other is no mirror" detach other
	expect_dmclog 1 "other is no mirror" attach other
	expect_dmclog 2 "attach takes NAME [UUID]" attach
	node_run 1 'dmsetup suspend m'
	expect_dmclog 1 "m is suspended" detach m
	node_run 1 'dmsetup resume m'
	mirror_remove 1 m
	# A log device without room for slots; and one whose daemon is not there.
	node_run 1 "dmsetup create m --table '0 $SECTORS mirror disk 2 /dev/mapper/tiny 1024 2 $LEGS 1 handle_errors'"
	expect_dmclog 1 "its log device has 32768 bytes, a clustered log needs 266240" attach m
	node_run 1 'dmsetup remove m; dmsetup remove tiny; dmsetup remove other'
	node_run 1 "dmsetup create m --table '0 $SECTORS mirror disk 2 /dev/ubda 1024 2 $LEGS 1 handle_errors'"
	daemon_stop 1
	expect_dmclog 3 "dmclogd is not running" attach m
	table_is "$KERNELS"
	node_run 1 'dmsetup remove m'
}

# A leg that fails: which one is behind stands nowhere but in the live table. Replaced and in sync again, it can be detached.
leg_is() { node_run 1 "dmsetup suspend --nolockfs --noflush leg; dmsetup load leg --table '0 $SECTORS $1'; dmsetup resume leg"; }
case_failed_leg() {
	local LEGS="/dev/ubdb 0 /dev/mapper/leg 0"
	legs_noise
	log_zero
	daemon_start 1
	node_run 1 "dmsetup create leg --table '0 $SECTORS linear /dev/ubdc 0'"
	mirror_create 1 m "5 U integrated_flush clustered-disk 98:0 1024"
	mirror_wait 1 m
	leg_is error
	# With handle_errors the kernel holds the write back until there is a new table.
	node_run 1 'setsid dd if=/dev/zero of=/dev/mapper/m bs=4k count=1 oflag=direct >/run/dd.out 2>&1 </dev/null &'
	node_wait 1 10 "dmsetup status m | grep -q ' AD '" || fail "the leg does not fail: $(mirror_status 1 m)"
	expect_dmclog 1 "m has a leg with errors" detach m
	node_run 1 'dmsetup table m | grep -q userspace' || fail "it was detached all the same"
	leg_is "linear /dev/ubdc 0"
	node_run 1 "dmsetup load m --table '$(mirror_table "5 U integrated_flush clustered-disk 98:0 1024")'
		dmsetup suspend --nolockfs --noflush m; dmsetup resume m"
	node_wait 1 10 'grep -q copied /run/dd.out' || fail "the write does not go on"
	mirror_wait 1 m
	expect_dmclog 0 "" detach m
	node_run 1 'dmsetup table m | grep -q "mirror disk"' || fail "it was not detached"
	node_run 1 'dmsetup remove m; dmsetup remove leg'
	daemon_stop 1
	expect_equal_legs
}

uml_start switch
mirror_case under-writes case_under_writes
mirror_case during-a-resync case_during_a_resync
mirror_case cut-after-detach case_cut_after_detach
mirror_case cut-after-attach case_cut_after_attach
mirror_case refusals case_refusals
mirror_case failed-leg case_failed_leg
