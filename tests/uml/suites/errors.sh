#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong: tables that no log can be built from, log devices and legs that
# fail and recover, a log device that hangs, a daemon that is killed. Every error is
# told clearly, hurts nobody else, and nothing leaks.
# time-limit: 240
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

# A table that must fail at once, for the reason TEXT that the daemon gives.
REFUSALS=0
refused() { # LOG TEXT; its uuid is called BAD
	local rc=0 uuid=bad$((REFUSALS += 1))
	node_run -t 12 1 "! dmsetup create b --table '$(mirror_table "${1/BAD/$uuid}")' 2>/run/bad" || rc=$?
	[ $rc != 124 ] || fail "'$1' is neither accepted nor refused"
	[ $rc = 0 ] || fail "'$1' is accepted"
	daemon_expect 1 "^dmclogd: $uuid: table refused: $2"
}

no_tables() {
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'grep -c "^dmclogd: state: " /mnt/job/d.log >/run/states; kill -USR1 $(cat /run/dmclogd/lock)'
	node_wait 1 5 '[ "$(grep -c "^dmclogd: state: " /mnt/job/d.log)" -gt $(</run/states) ]' ||
		fail "no answer to USR1"
	expect_eq "$(node_run 1 'grep "^dmclogd: state: " /mnt/job/d.log | tail -n 1 | cut -d, -f1')" \
		"dmclogd: state: 0 tables" "what is left"
}

device_number() { node_run 1 "dmsetup info -c --noheadings -o major,minor --separator : $1"; }

# A device-mapper device of SECTORS over the start of DEVICE; what it is made of can be changed.
device_create() { node_run 1 "dmsetup create $1 ${4-} --table '0 $3 linear $2 0'"; }
device_turn() { # NAME TABLE
	node_run 1 "dmsetup suspend --noflush $1 && dmsetup reload $1 --table '$2' && dmsetup resume $1"
}

case_refusals() {
	daemon_start 1
	refused "4 BAD clustered-disk 98:0 1000" 'region size "1000": must be a power of two'
	refused "4 BAD clustered-disk 98:0 4" 'region size "4": must be a power of two of sectors, from 8'
	refused "4 BAD clustered-disk 98:0 big" 'region size "big": '
	refused "3 BAD clustered-disk 98:0" 'region size missing: '
	refused "4 BAD clustered-disk /dev/ubda 1024" 'log device "/dev/ubda": must be MAJOR:MINOR'
	refused "4 BAD clustered-tape 98:0 1024" 'log type "clustered-tape": must be clustered-disk or clustered-core'
	refused "5 BAD clustered-disk 98:0 1024 maybe" 'option "maybe": must be sync, nosync, or left out'
	refused "6 BAD clustered-disk 98:0 1024 sync twice" 'extra word "twice": nothing may follow'
	refused "4 BAD clustered-core 1024 98:0" 'option "98:0": '
	refused "4 BAD clustered-disk 98:240 1024" 'log device 98:240 cannot be opened (No such device)'
	refused "4 BAD clustered-disk 250:0 1024" 'log device 250:0 cannot be opened (No such device)'
	device_create small /dev/ubda 8
	refused "4 BAD clustered-disk $(device_number small) 1024" \
		"log device $(device_number small) has 4096 bytes, this mirror needs [0-9]* (No space"
	device_create closed /dev/ubda 16384 --readonly
	refused "4 BAD clustered-disk $(device_number closed) 1024" \
		"log device $(device_number closed) cannot be opened (\(Read-only\|Permission\)"
	node_run 1 'dmsetup remove small; dmsetup remove closed'
	no_tables
	daemon_stop 1
}

case_no_nodes() {
	legs_noise
	log_zero
	daemon_start 1
	LEGS="98:16 0 98:32 0"
	node_run 1 'mkdir /run/nodes; mv /dev/ubda /dev/ubdb /dev/ubdc /run/nodes'
	mirror_create 1 m "4 nodes clustered-disk 98:0 1024"
	mirror_wait 1 m
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none'
	mirror_remove 1 m
	node_run 1 'mv /run/nodes/* /dev'
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	daemon_stop 1
}

write_begin() { # MIRROR REGION: /run/dd.status when it has ended
	node_run 1 "rm -f /run/dd.status
		setsid bash -c 'dd if=/dev/urandom of=/dev/mapper/$1 bs=4096 count=1 seek=$(($2 * REGION / 8)) \
			oflag=direct status=none; echo \$? >/run/dd.status' >/run/dd.out 2>&1 </dev/null &"
}
write_waits() { node_run 1 '[ ! -e /run/dd.status ]' || fail "the write does not wait $1"; }
write_ends() {
	node_wait 1 10 '[ -s /run/dd.status ]' || fail "the write does not end $1"
	expect_eq "$(node_run 1 'cat /run/dd.status')" 0 "status of the write $1"
}

# What the kernel holds back it lets go at the resume of a new table.
reload_held() { # LOG
	node_run -t 15 1 "dmsetup reload m --table '$(mirror_table "$1")'
		dmsetup suspend --noflush m && dmsetup resume m" || fail "a new table does not end it"
}

case_log_device() {
	local log
	legs_noise
	log_zero
	daemon_start 1
	device_create log /dev/ubda 16384
	log="4 sick clustered-disk $(device_number log) 1024"
	mirror_create 1 m "$log"
	mirror_wait 1 m
	device_turn log "0 16384 error"
	write_begin m 9
	node_wait 1 10 'grep -q "sick: log device cannot be written (Input/output error): writes to the mirror fail" \
		/mnt/job/d.log' || fail "nobody hears that the log device fails"
	node_wait 1 5 "dmsetup status m --noflush | grep -q ' 3 clustered-disk $(device_number log) D$'" ||
		fail "status with a failed log device: $(mirror_status 1 'm --noflush')"
	write_waits "for a log device that has failed"
	node_run -t 12 1 'dd if=/dev/mapper/m of=/dev/null bs=4096 count=1 iflag=direct status=none' ||
		fail "no reading while the log device has failed"
	device_turn log "0 16384 linear /dev/ubda 0"
	node_wait 1 10 'grep -q "sick: log device can be written again" /mnt/job/d.log' ||
		fail "nobody hears that the log device is well again"
	reload_held "$log"
	write_ends "after the log device is well again"
	mirror_wait 1 m
	expect_eq "$(mirror_status 1 m)" \
		"0 $SECTORS mirror 2 98:16 98:32 32/32 1 AA 3 clustered-disk $(device_number log) A" status
	mirror_remove 1 m
	node_run 1 'dmsetup remove log'
	expect_equal_legs
	daemon_stop 1
}

base_shows_all() { [ -z "$(log_dirty)" ]; }

case_leg() {
	local log="4 lame clustered-disk 98:0 1024"
	legs_noise
	log_zero
	daemon_start 1
	device_create leg /dev/ubdc "$SECTORS"
	LEGS="/dev/ubdb 0 /dev/mapper/leg 0"
	mirror_create 1 m "$log"
	mirror_wait 1 m
	# What was copied and is not yet on the base would be lost with the leg, too.
	wait_for 10 base_shows_all || fail "the base does not show what was copied"
	device_turn leg "0 $SECTORS error"
	write_begin m 9
	node_wait 1 10 'grep -q "lame: region 9 went out of sync: a leg failed a write" /mnt/job/d.log &&
		grep -q "lame: a leg has failed, health letters AD: nothing is copied" /mnt/job/d.log' ||
		fail "nobody hears that a leg has failed"
	# The leg is well again, but what it lost meanwhile nobody knows.
	device_turn leg "0 $SECTORS linear /dev/ubdc 0"
	node_run -t 10 1 'for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/mapper/m of=/dev/null bs=4096 count=1 skip=1152 iflag=direct status=none
		dmsetup status m --noflush; done >/run/looks; [ -z "$(grep -v " 31/32 1 AD " /run/looks)" ]' ||
		fail "status with a failed leg: $(node_run 1 'cat /run/looks')"
	expect_eq "$(daemon_count 1 lame copied)" 32 "regions copied before there is a new table"
	! region_equal 9 || fail "region 9 is equal on both legs: nothing has been shown"
	reload_held "$log"
	write_ends "after there is a new table"
	mirror_wait 1 m
	daemon_expect 1 "lame: open, from .*: [1-9][0-9]* regions out of sync"
	expect_eq "$(mirror_status 1 m)" \
		"0 $SECTORS mirror 2 98:16 254:0 32/32 1 AA 3 clustered-disk 98:0 A" status
	mirror_remove 1 m
	node_run 1 'dmsetup remove leg'
	expect_equal_legs
	daemon_stop 1
}

# The log device of one mirror hangs: the other ones do not notice.
case_other_mirror() {
	log_zero
	log_zero log2.img
	daemon_start 1
	device_create log /dev/ubda 16384
	mirror_create 1 hangs "5 hangs clustered-disk $(device_number log) 1024 nosync"
	LEGS="/dev/ubdb 65536 /dev/ubdc 65536"
	mirror_create 1 goes "5 goes clustered-disk 98:48 1024 nosync"
	node_run 1 'dmsetup suspend log'
	write_begin hangs 9
	node_run -t 20 1 "fio --name=v --filename=/dev/mapper/goes --size=8M --io_size=1M --rw=randwrite --bs=4k \
		--direct=1 --ioengine=libaio --iodepth=4 --verify=crc32c --verify_fatal=1 >/run/fio.out 2>&1" ||
		fail "another mirror waits, too"
	write_waits "for a log device that hangs"
	mirror_remove 1 goes
	mirror_create 1 goes "4 goes clustered-disk 98:48 1024"
	mirror_remove 1 goes
	write_waits "for a log device that still hangs"
	node_run 1 'dmsetup resume log'
	write_ends "after its log device goes on"
	mirror_remove 1 hangs
	node_run 1 'dmsetup remove log'
	daemon_stop 1
}

# Files, threads and locked memory of the daemon.
USAGE='p=$(cat /run/dmclogd/lock); echo $(ls /proc/$p/fd | wc -l) $(ls /proc/$p/task | wc -l) \
	$(grep VmLck /proc/$p/status)'

# 20 mirrors that fail, 20 that do not.
leaks_cycle() { # TABLE
	node_run -t 60 1 "set -e
		for i in 1 2 3 4 5; do
			while read -r table; do
				if dmsetup create b --table \"\$table\"; then exit 1; fi
			done </mnt/job/bad
		done 2>/dev/null
		for ((i = 0; i < 20; i++)); do
			dmsetup create m --table '$1'
			dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none
			dmsetup remove m
		done" || fail "failing and good mirrors by turns"
}

case_leaks() {
	local before good bad
	log_zero
	daemon_start 1
	device_create small /dev/ubda 8
	good=$(mirror_table "5 leak clustered-disk 98:0 1024 nosync")
	for bad in "98:0 1000" "98:240 1024" "$(device_number small) 1024" "250:0 1024"; do
		mirror_table "4 bad clustered-disk $bad" >>"$UML_RUN/n1/bad"
	done
	leaks_cycle "$good" # until the heap is as large as it gets
	before=$(node_run 1 "$USAGE")
	leaks_cycle "$good"
	node_wait 1 5 "[ \"\$($USAGE)\" = '$before' ]" ||
		fail "files, threads and locked memory were '$before', are '$(node_run 1 "$USAGE")'"
	no_tables
	node_run 1 'dmsetup remove small'
	daemon_stop 1
}

# Killed under a live mirror, and what it left is gone: what its kernel has marked nobody knows any more.
case_killed() {
	local log="4 dead clustered-disk 98:0 1024" i
	legs_noise
	log_zero
	daemon_start 1
	mirror_create 1 m "$log"
	mirror_wait 1 m
	for i in 1 2; do
		node_run 1 "rm -f /run/fio.status; setsid bash -c 'fio --name=v --filename=/dev/mapper/m --size=12M \
			--io_size=2M --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c \
			--verify_fatal=1 >/run/fio.out 2>&1; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
		# shellcheck disable=SC2016 # for the shell on the node
		node_run -t 10 1 'until read -r _ writes </sys/block/dm-0/inflight && [ $writes -ge 4 ]; do :; done
			kill -KILL $(cat /run/dmclogd/lock)'
		node_wait 1 5 '[ -s /run/d.status ]' || fail "the daemon does not die"
		node_run 1 'rm /run/dmclogd/marks-*' || fail "it left nothing"
		daemon_start 1
		write_begin m 28
		write_ends "after the daemon was killed and started again"
		node_wait 1 20 '[ -s /run/fio.status ]' || fail "I/O does not go on after the daemon was killed"
		expect_eq "$(node_run 1 'cat /run/fio.status')" 0 "the end of fio"
		daemon_expect 1 'dead: was served by an earlier dmclogd: all regions count as held, and nothing is copied'
		expect_eq "$(daemon_count 1 dead copied)" 0 "regions copied by the new daemon"
		node_run 1 "grep -q 'dead: requests .*, everything held$' /mnt/job/d.log" || fail "not everything is held"
		node_run 1 "dmsetup status m | grep -q ' 1 AA 3 clustered-disk 98:0 A'" || fail "$(mirror_status 1 m)"
	done
	leg_poke b.img 30
	node_run -t 10 1 "dmsetup reload m --table '$(mirror_table "$log")' && dmsetup suspend m && dmsetup resume m" ||
		fail "the reload does not end"
	mirror_wait 1 m
	expect_eq "$(daemon_count 1 dead copied)" 32 "regions copied after the reload"
	mirror_remove 1 m
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	daemon_stop 1
}

# Killed while the kernel waits for its answer to who reads the health of a mirror, which is the process beside it: that
# wait ends with the next daemon's answer only, and must not keep the dead one's lock and sockets until then.
case_killed_asked() {
	local log="4 asked clustered-disk 98:0 1024"
	legs_noise
	log_zero
	daemon_start 1
	# Its first question waits in its socket; then the daemon stands still, and it asks the kernel.
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'd=$(cat /run/dmclogd/lock) && b=$(pgrep -P $d) && kill -STOP $b && echo $d $b >/run/pids' ||
		fail "there is no process beside the daemon"
	mirror_create 1 m "$log"
	node_wait 1 10 'ss -xanp | awk "\$2 == \"ESTAB\" && /dmclog-aside/ && \$3 > 0 {n++} END {exit !n}"' ||
		fail "the daemon does not want to know the health"
	# shellcheck disable=SC2016
	node_run 1 'read -r d b </run/pids; kill -STOP $d'
	node_wait 1 5 'read -r d b </run/pids; ! grep -L "^State:[[:space:]]T" /proc/$d/task/*/status | grep .' ||
		fail "the daemon does not stand still"
	node_run 1 'read -r d b </run/pids; kill -CONT $b'
	node_wait 1 5 'read -r d b </run/pids; grep -q dm_consult_userspace /proc/$b/task/*/stack' ||
		fail "the kernel is not asked"
	node_run 1 'read -r d b </run/pids; kill -KILL $d'
	node_wait 1 5 '[ -s /run/d.status ]' || fail "the daemon does not die"
	daemon_start 1
	write_begin m 28
	write_ends "after the daemon was killed and started again"
	node_wait 1 10 'read -r d b </run/pids; [ ! -e /proc/$b ]' || fail "the process beside the dead daemon stays"
	reload_held "$log"
	mirror_wait 1 m
	mirror_remove 1 m
	expect_equal_legs
	daemon_stop 1
}

# An answer that the kernel has to ask for again would take 15 s.
case_remove() {
	local took
	legs_noise
	log_zero
	daemon_start 1
	mirror_create 1 m "4 quiet clustered-disk 98:0 1024"
	mirror_wait 1 m
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none'
	node_run -t 60 1 "for i in 1 2 3 4 5; do
			start=\$(date +%s%3N); dmsetup remove m; echo \$((\$(date +%s%3N) - start))
			dmsetup create m --table '$(mirror_table "4 quiet clustered-disk 98:0 1024")'
		done >/run/took"
	for took in $(node_run 1 'cat /run/took'); do
		[ "$took" -lt 2000 ] || fail "the removal of a quiet mirror takes $took ms"
	done
	mirror_remove 1 m
	daemon_stop 1
}

uml_start errors
mirror_case refusals case_refusals
mirror_case no-device-nodes case_no_nodes
mirror_case log-device-fails-and-recovers case_log_device
mirror_case leg-fails-and-recovers case_leg
mirror_case hung-log-device-of-another case_other_mirror
mirror_case nothing-leaks case_leaks
mirror_case killed-and-restarted case_killed
mirror_case killed-while-asked case_killed_asked
mirror_case quick-removal case_remove
