#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon ends under a mirror that is written to, and starts again: killed or told so, with and without a service
# manager that keeps the connector's socket (tests/uml/fdstore.c). Every case tells the longest write; no write may fail.
# time-limit: 400
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

# shellcheck disable=SC2016 # for the shell on the node
STORE='$B/uml/fdstore /run/notify'
MS='${EPOCHREALTIME/./} / 1000'

# One write after the other, until /run/stop is there: "COUNT LONGEST" in /run/writer.
writer_begin() {
	node_run 1 "rm -f /run/stop /run/writer /run/write-failed
		head -c 4096 /dev/urandom >/run/block
		setsid bash -c 'longest=0
			for ((n = 1; ; n++)); do
				begin=\$(($MS))
				dd if=/run/block of=/dev/mapper/m bs=4k count=1 seek=\$((RANDOM % 4096)) oflag=direct conv=notrunc status=none ||
					{ touch /run/write-failed; exit; }
				took=\$(($MS - begin))
				[ \$took -le \$longest ] || longest=\$took
				echo \$n \$longest >/run/writer.new
				mv /run/writer.new /run/writer
				[ ! -e /run/stop ] || exit
			done' >/dev/null 2>&1 </dev/null &"
	writer_goes_on
}

writer_goes_on() {
	node_run -t 30 1 'before=$(cut -d" " -f1 /run/writer 2>/dev/null || echo 0)
		until read -r n _ </run/writer && [ "$n" -gt $((before + 5)) ]; do
			[ ! -e /run/write-failed ] || exit 1
			sleep 0.02 # wait-ok: between two looks; node_run has the limit
		done 2>/dev/null' || fail "the writer does not get on"
}

# Prints the longest write, in ms.
writer_end() {
	node_run 1 'touch /run/stop'
	node_wait 1 30 '! pgrep -f /run/writer >/dev/null' || fail "the writer does not end"
	node_run 1 '[ ! -e /run/write-failed ]' || fail "a write failed"
	node_run 1 'cut -d" " -f2 /run/writer'
}

# The daemon gets SIGNAL while a write waits or is under way; prints how long it takes until the next one serves, in ms.
# Without a store it is started here, as by hand.
ends_and_starts() { # SIGNAL
	local start=''
	[ -n "${UNDER-}" ] || start="setsid \$B/dmclogd --cluster=none >>/mnt/job/d.log 2>&1 </dev/null &"
	node_run -t 30 1 "served=\$(grep -c ' serves' /mnt/job/d.log); begin=\$(($MS)); pid=\$(cat /run/dmclogd/lock)
		kill -$1 \$pid
		while kill -0 \$pid 2>/dev/null; do :; done
		$start
		until [ \$(grep -c ' serves' /mnt/job/d.log) -gt \$served ]; do
			sleep 0.01 # wait-ok: between two looks; node_run has the limit
		done
		echo \$(($MS - begin))" || fail "dmclogd does not start again"
}

# Of several ends; the longest write is not longer than the longest start and LIMIT.
expect_stall() { # SIGNAL TIMES LIMIT-MS
	local restart longest=0 stall
	for ((i = 0; i < $2; i++)); do
		restart=$(ends_and_starts "$1")
		[ "$restart" -le "$longest" ] || longest=$restart
		writer_goes_on
	done
	stall=$(writer_end)
	echo "$2 times $1: longest start $longest ms, longest write $stall ms"
	[ "$stall" -lt $((longest + $3)) ] || fail "a write took $stall ms, the longest start $longest ms"
}

made() {
	legs_noise
	log_zero
	daemon_start 1
	mirror_create 1 m "4 dead clustered-disk 98:0 1024"
	mirror_wait 1 m
}

under_ends() {
	node_run 1 'pkill -TERM -x fdstore'
	node_wait 1 10 '[ -s /run/d.status ]' || fail "dmclogd does not end"
	expect_eq "$(node_run 1 'cat /run/d.status')" 0 "exit status of dmclogd"
}

# What was known goes on, and gets in sync; what was not is known again with a new table: what counted as held is copied.
ended() { # [reload]
	[ -z "${1-}" ] || node_run -t 10 1 "dmsetup reload m --table '$(mirror_table "4 dead clustered-disk 98:0 1024")' &&
		dmsetup suspend m && dmsetup resume m" || fail "the reload does not end"
	mirror_wait 1 m
	mirror_remove 1 m
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	if [ -n "${UNDER-}" ]; then
		under_ends
	else
		# shellcheck disable=SC2016 # for the shell on the node
		node_run 1 'kill -TERM $(cat /run/dmclogd/lock)'
		node_wait 1 10 '! pgrep -x dmclogd' || fail "dmclogd does not end"
	fi
}

case_killed_store() {
	local UNDER=$STORE
	made
	daemon_expect 1 'fdstore: keeps the socket'
	writer_begin
	expect_stall KILL 5 1000
	ended
}

# Without it the kernel finds nobody, and asks all over again two seconds later.
case_killed_alone() {
	made
	writer_begin
	expect_stall KILL 2 3000
	ended
}

case_told_store() {
	local UNDER=$STORE
	made
	writer_begin
	expect_stall TERM 3 1000
	daemon_expect 1 'told to end by signal 15: 1 tables wait for the next dmclogd, their requests are kept'
	ended
}

# What is in the file is not believed blindly: the kernel tells again.
case_spoiled_file() {
	local UNDER=$STORE
	made
	writer_begin
	node_run 1 "printf 9 | dd of=/run/dmclogd/tables bs=1 seek=7 conv=notrunc status=none"
	expect_stall KILL 1 3500
	daemon_expect 1 '/tables is of another version or boot'
	daemon_expect 1 'all regions count as held'
	ended reload
}

# Two tables of one uuid during a reload, the daemon killed between them.
case_killed_in_reload() {
	local UNDER=$STORE
	made
	writer_begin
	node_run -t 10 1 "dmsetup reload m --table '$(mirror_table "4 dead clustered-disk 98:0 1024")'" || fail "the reload does not end"
	ends_and_starts KILL >/dev/null
	writer_goes_on
	node_run -t 20 1 'dmsetup suspend m && dmsetup resume m' || fail "the new table does not go live"
	writer_goes_on
	writer_end >/dev/null
	ended
}

# A number of the log's status.
member() { # NAME
	node_run 1 "\$B/dmclog status dead --json | sed -n 's/^ *\"$1\": \([0-9]*\),*$/\1/p' | head -n 1"
}

# Writes and verifies in the first 4 MiB, pass after pass, until /run/stop.
fio_begin() {
	node_run 1 "rm -f /run/stop /run/fio.*; echo 0 >/run/fio.passes
		setsid bash -c 'while [ ! -e /run/stop ]; do
			fio --name=v --filename=/dev/mapper/m --size=4M --io_size=256k --rw=randwrite --bs=4k --direct=1 \
				--ioengine=libaio --iodepth=4 --verify=crc32c --do_verify=1 --verify_fatal=1 --randrepeat=0 \
				>/run/fio.out 2>&1 || break
			echo \$((\$(</run/fio.passes) + 1)) >/run/fio.new; mv /run/fio.new /run/fio.passes
		done; [ -e /run/stop ]; echo \$? >/run/fio.status' >/dev/null 2>&1 </dev/null &"
	fio_goes_on
}

# Two more passes have ended well: one of them began after this did.
fio_goes_on() {
	local passes
	passes=$(node_run 1 'cat /run/fio.passes')
	node_wait 1 60 "[ -e /run/fio.status ] || [ \$(</run/fio.passes) -ge $((passes + 2)) ]" &&
		node_run 1 '[ ! -e /run/fio.status ]' ||
		fail "I/O does not go on: $(node_run 1 'grep -m1 -iE "verify|error|err=" /run/fio.out')"
}

# A resync is under way that lasts 48 s by arithmetic (12 MiB that nobody touches, 256 KiB/s): killed again and again it ends without a new
# table, and never is more held than the writers have touched.
case_resync_goes_on() {
	local UNDER=$STORE i before touched=8
	legs_noise
	log_zero
	daemon_start 1 --resync-rate=256K
	mirror_create 1 m "4 dead clustered-disk 98:0 1024"
	fio_begin
	for i in 1 2 3 4; do
		before=$(member in_sync)
		[ "$before" -lt 32 ] || fail "the resync was over before kill $i: nothing has been shown"
		ends_and_starts KILL >/dev/null
		daemon_expect 1 'goes on where an earlier dmclogd ended'
		fio_goes_on
		[ "$(member held)" -le $touched ] || fail "after kill $i $(member held) regions are held, $touched were touched"
		node_wait 1 30 "[ \$(\$B/dmclog status dead --json | sed -n 's/^ *\"in_sync\": \([0-9]*\),*$/\1/p' | head -n 1) -gt $before ]" ||
			fail "after kill $i the resync stands still: $(mirror_status 1 m)"
	done
	echo "killed $i times during a resync: in sync before the last one $before of 32, held $(member held)"
	daemon_said 1 'all regions count as held' && fail "the daemon did not find what was left"
	node_run 1 "\$B/dmclog resync dead rate=0"
	node_run 1 'touch /run/stop'
	node_wait 1 60 '[ -s /run/fio.status ]' || fail "fio does not end"
	expect_eq "$(node_run 1 'cat /run/fio.status')" 0 "the end of fio"
	mirror_wait 1 m
	mirror_remove 1 m
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	node_run 1 '! ls /run/dmclogd/marks-* 2>/dev/null' || fail "what was kept of the log is there still"
	under_ends
}

uml_start restart
mirror_case killed-with-store case_killed_store
mirror_case killed-without-store case_killed_alone
mirror_case told-to-end case_told_store
mirror_case file-of-another-version case_spoiled_file
mirror_case killed-in-a-reload case_killed_in_reload
mirror_case killed-in-a-resync case_resync_goes_on
