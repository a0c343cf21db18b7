#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Mirrors by dmclog and /etc/dmclogtab on a real kernel: created, written, taken away, brought up again with
# nothing to copy, and after a power cut with what was held; verified in use; what cannot be is refused, and changes nothing.
# time-limit: 240
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

dmclog() {
	rc=0
	said=$(node_run -t 30 1 "\$B/dmclog $* 2>&1") || rc=$?
}
expect_dmclog() { # STATUS TEXT ARGUMENT...
	local status=$1 text=$2
	shift 2
	dmclog "$@"
	expect_eq "$rc" "$status" "exit status of dmclog $* (${said//$'\n'/ / })"
	[[ $said == *"$text"* ]] || fail "dmclog $* says '${said//$'\n'/ / }', not '$text'"
}
tables() { node_run 1 'dmsetup table | grep -v "^No devices"' || :; }
tab_is() { expect_eq "$(node_run 1 "cat $TAB 2>/dev/null" | tr '\n' ';')" "$1" "the table file"; }
write_random() {
	node_run 1 "dd if=/dev/urandom of=/dev/mapper/$1 bs=64k count=${2:-40} oflag=direct status=none"
}

# /etc is the host's, and read-only.
TAB=/run/dmclogtab
WITH_TAB="--tab=$TAB"
ENTRY="pool /dev/ubda /dev/ubdb,/dev/ubdc region-size=1024s,size=131072s;"
SECTORS=131072

case_life() {
	legs_noise
	log_zero
	expect_dmclog 3 "dmclogd is not running" create pool /dev/ubda /dev/ubdb,/dev/ubdc "$WITH_TAB"
	tab_is ""
	daemon_start 1
	expect_dmclog 0 "" create pool /dev/ubda /dev/ubdb,/dev/ubdc "$WITH_TAB"
	tab_is "$ENTRY"
	# As a human would write it, but for the numbers.
	expect_eq "$(tables)" "pool: 0 131072 mirror userspace 5 pool integrated_flush clustered-disk 98:0 1024 2 98:16 0 98:32 0 1 handle_errors" \
		"the table"
	mirror_wait 1 pool 30
	write_random pool
	# Again, and it is there already.
	expect_dmclog 0 "" create pool /dev/ubda /dev/ubdb,/dev/ubdc "$WITH_TAB"
	expect_dmclog 0 "" activate pool "$WITH_TAB"
	tab_is "$ENTRY"
	dmclog list "$WITH_TAB"
	[[ $said =~ pool\ +yes\ +64M\ +512K\ /dev/ubda\ /dev/ubdb,/dev/ubdc ]] || fail "list says ${said//$'\n'/ / }"
	node_run 1 'exec 9</dev/mapper/pool; ! $B/dmclog deactivate pool 2>/run/said && grep -q "is in use: umount it first" /run/said' ||
		fail "an open mirror: $(node_run 1 'cat /run/said')"
	expect_dmclog 0 "" deactivate pool
	expect_eq "$(tables)" "" "tables"
	expect_dmclog 0 "" deactivate pool
	expect_eq "$("$UML_BUILD/dmclog" examine "$UML_RUN/log.img" --cluster=none --json |
		sed -n 's/^ *"to_copy": \([0-9]*\),$/\1/p')" 0 "regions to copy"
	expect_equal_legs
	dmclog list "$WITH_TAB" --json
	[[ $said == *'"active": "no"'* ]] || [[ $said == *'"active":"no"'* ]] || fail "list --json says ${said//$'\n'/ / }"
	expect_dmclog 0 "" activate "$WITH_TAB"
	expect_eq "$(daemon_count 1 pool copied)" 0 "regions copied"
	expect_dmclog 0 "" deactivate pool
	daemon_stop 1
	expect_equal_legs
}

# The power goes under writes; the entry brings it back, and what was held is copied.
case_after_a_cut() {
	legs_noise
	log_zero
	daemon_start 1
	expect_dmclog 0 "" create pool /dev/ubda /dev/ubdb,/dev/ubdc nosync "$WITH_TAB"
	tab_is "$ENTRY"
	mirror_status 1 pool | grep -qF " 128/128 " || fail "nosync: $(mirror_status 1 pool)"
	write_random pool 8
	leg_poke b.img 0 # as a write that did not reach it
	node_cut 1
	node_boot 1
	daemon_start 1
	node_run 1 "echo '${ENTRY%;}' >$TAB"
	expect_dmclog 0 "" activate pool "$WITH_TAB"
	mirror_wait 1 pool 30
	expect_eq "$(daemon_count 1 pool copied)" 1 "regions copied: those that were held"
	region_equal 0 || fail "what was held has not been copied"
	expect_dmclog 0 "" deactivate pool
	daemon_stop 1
}

# A mirror in use is verified: nothing differs under a writer; what the host makes different is named, and written anew is equal.
case_verify() {
	legs_noise
	log_zero
	node_run 1 "rm -f $TAB"
	daemon_start 1 --hot-regions=8 --idle-release=1
	expect_dmclog 1 "pool is not active" verify pool
	expect_dmclog 0 "" create pool /dev/ubda /dev/ubdb,/dev/ubdc size=16M "$WITH_TAB"
	node_run 1 "setsid fio --name=w --filename=/dev/mapper/pool --size=16m --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
		--iodepth=8 --randrepeat=0 --norandommap --time_based --runtime=200 >/run/fio.out 2>&1 </dev/null &"
	for _ in 1 2 3; do
		expect_dmclog 0 "pool: 32 regions: 0 differ" verify pool
	done
	node_run 1 'pkill -INT -x fio'
	mirror_wait 1 pool
	node_wait 1 20 "\$B/dmclog status pool --json | grep -q '\"held\": 0,'" || fail "regions are held for ever"
	expect_dmclog 0 "pool: 32 regions: 0 differ, 0 were" verify pool
	leg_poke b.img 17 # at sector 3 of it
	leg_poke b.img 31
	expect_dmclog 9 "region 17: leg 2 (ubdc) is not as leg 1, first at byte $(((17 * 1024 + 3) * 512))" verify pool
	[[ $said == *"region 31: leg 2"*"32 regions: 2 differ"* ]] || fail "verify says ${said//$'\n'/ / }"
	dmclog verify pool --json
	expect_eq "$(grep -c '"region":' <<<"$said")" 2 "differing regions as JSON"
	for r in 17 31; do
		node_run 1 "dd if=/dev/mapper/pool of=/dev/mapper/pool bs=512K skip=$r seek=$r count=1 iflag=direct oflag=direct status=none"
	done
	node_wait 1 20 "\$B/dmclog status pool --json | grep -q '\"held\": 0,'" || fail "regions are held for ever"
	expect_dmclog 0 "32 regions: 0 differ, 0 were" verify pool
	# A resync that has not come far: what is out of sync is not judged.
	expect_dmclog 0 "" deactivate pool
	legs_noise
	log_zero
	expect_dmclog 0 "" activate pool "$WITH_TAB"
	node_run 1 '$B/dmclog resync pool pause'
	dmclog verify pool
	expect_eq "$rc" 0 "exit status of verify (${said//$'\n'/ / })"
	[[ $said =~ "32 regions: 0 differ, "[0-9]+" were" ]] || fail "verify says ${said//$'\n'/ / }"
	node_run 1 '$B/dmclog resync pool resume'
	expect_dmclog 0 "" deactivate pool
	daemon_stop 1
}

case_in_memory() {
	legs_noise
	daemon_start 1
	node_run 1 "printf 'a - /dev/ubdb,/dev/ubdc size=8M\nb /dev/ubda /dev/ubdb,/dev/ubdc noauto\n' >$TAB"
	expect_dmclog 0 "" activate "$WITH_TAB"
	expect_eq "$(tables)" "a: 0 16384 mirror userspace 4 a integrated_flush clustered-core 1024 2 98:16 0 98:32 0 1 handle_errors" "tables"
	mirror_wait 1 a
	expect_dmclog 1 "is in use, mounted or below another device: lsblk /dev/ubdb" activate b "$WITH_TAB"
	expect_dmclog 0 "" deactivate a
	daemon_stop 1
}

case_refusals() {
	log_zero
	node_run 1 "rm -f $TAB"
	daemon_start 1
	expect_dmclog 2 "a mirror needs two legs" create p /dev/ubda /dev/ubdb "$WITH_TAB"
	expect_dmclog 2 "region-size=3K: a power of two" create p /dev/ubda /dev/ubdb,/dev/ubdc region-size=3K "$WITH_TAB"
	expect_dmclog 1 "/dev/nix is not there" create p /dev/ubda /dev/ubdb,/dev/nix "$WITH_TAB"
	expect_dmclog 1 "/dev/null is not a block device" create p /dev/ubda /dev/ubdb,/dev/null "$WITH_TAB"
	expect_dmclog 1 "leg /dev/ubdb has 131072 sectors, the mirror 262144" create p /dev/ubda /dev/ubdb,/dev/ubdc size=128M "$WITH_TAB"
	node_run 1 "dmsetup create small --table '0 16 linear /dev/ubda 0'
		ln -s /dev/ubdb /run/twin"
	expect_dmclog 1 "has 8192 bytes, this mirror needs 266240" create p /dev/mapper/small /dev/ubdb,/dev/ubdc "$WITH_TAB"
	expect_dmclog 1 "/run/twin is the same device as another leg" create p - /dev/ubdb,/run/twin "$WITH_TAB"
	expect_dmclog 1 "/dev/ubda is in use" create p /dev/ubda /dev/ubdb,/dev/ubdc "$WITH_TAB"
	expect_dmclog 1 "small is another device than this entry says" create small - /dev/ubdb,/dev/ubdc "$WITH_TAB"
	expect_dmclog 1 "small is no mirror with a clustered log" deactivate small
	node_run 1 'dmsetup remove small; mkfs.ext4 -q -F /dev/ubda'
	expect_dmclog 1 "log device /dev/ubda holds something that is not a log" create p /dev/ubda /dev/ubdb,/dev/ubdc "$WITH_TAB"
	node_run 1 'blkid -p /dev/ubda >/dev/null || dd if=/dev/ubda bs=1k skip=1 count=1 status=none | od -An -tx1 -j56 -N2 | grep -q "53 ef"' ||
		fail "a refused log device was written to"
	expect_dmclog 1 "has no entry p" activate p "$WITH_TAB"
	expect_eq "$(tables)" "" "tables after refusals"
	tab_is ""
	expect_dmclog 0 "" create p /dev/ubda /dev/ubdb,/dev/ubdc size=8M --force "$WITH_TAB"
	expect_dmclog 1 "has another entry p" create p /dev/ubda /dev/ubdb,/dev/ubdc size=9M "$WITH_TAB"
	expect_dmclog 1 "has another entry p" create q /dev/ubda /dev/ubdb,/dev/ubdc uuid=p "$WITH_TAB"
	node_run 1 "printf 'p nonsense\n' >>$TAB"
	expect_dmclog 1 "line 2: NAME LOG LEG,LEG" list "$WITH_TAB"
	[[ $said == *"p "*yes* ]] || fail "a wrong line hides the others: $said"
	expect_dmclog 1 "FAIL  mirrors: $TAB has wrong lines" config-check "$WITH_TAB"
	expect_dmclog 0 "" activate p "$WITH_TAB"
	expect_dmclog 0 "" deactivate p
	daemon_stop 1
}

uml_start tab
mirror_case life case_life
mirror_case after-a-cut case_after_a_cut
mirror_case verify case_verify
mirror_case in-memory case_in_memory
mirror_case refusals case_refusals
