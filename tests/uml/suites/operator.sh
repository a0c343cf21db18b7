#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmclog against the real daemon and a real kernel: status tells the truth, during a resync too;
# pause, resume and rate work; fail ends what waits; examine tells what an opening will copy;
# what cannot be is refused in words.
# time-limit: 240
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

# Runs dmclog on node 1; its output in $said, its status in $rc.
dmclog() {
	rc=0
	said=$(node_run 1 "\$B/dmclog $* 2>&1") || rc=$?
}
expect_dmclog() { # STATUS TEXT ARGUMENT...
	local status=$1 text=$2
	shift 2
	dmclog "$@"
	expect_eq "$rc" "$status" "exit status of dmclog $* ($said)"
	[[ $said == *"$text"* ]] || fail "dmclog $* says '$said', not '$text'"
}

# A number or word of one log's status.
member() { # UUID NAME
	dmclog status "$1" --json
	expect_eq "$rc" 0 "exit status of dmclog status $1 ($said)"
	sed -n "s/^ *\"$2\": \"\\?\\([^\",]*\\)\"\\?,\\?$/\\1/p" <<<"$said" | head -n 1
}
# What the kernel was told last, "17/32", and dmclog at an instant between two equal readings.
same_instant() { # UUID MIRROR
	node_run 1 "
		end=\$((SECONDS + 10))
		until [ \$SECONDS -ge \$end ]; do
			a=\$(dmsetup status $2 | grep -oE '[0-9]+/[0-9]+ 1 [A-Z]+' | cut -d' ' -f1)
			s=\$(\$B/dmclog status $1 --json) || exit 1
			b=\$(dmsetup status $2 | grep -oE '[0-9]+/[0-9]+ 1 [A-Z]+' | cut -d' ' -f1)
			[ \"\$a\" = \"\$b\" ] || continue
			echo \"\$a\"
			echo \"\$s\" | awk -F'[:,]' '/\"regions\"/ {r = \$2} /\"in_sync\"/ {s = \$2}
				END {gsub(/ /, \"\", r); gsub(/ /, \"\", s); print s \"/\" r}'
			exit 0
		done
		exit 1"
}

case_truth_during_resync() {
	local pair seen=()
	legs_noise
	log_zero
	daemon_start 1 --resync-rate=256K # 64 s
	expect_dmclog 0 "no mirror uses dmclogd" status
	mirror_create 1 m "4 truth clustered-disk 98:0 1024"
	while [ ${#seen[@]} -lt 3 ]; do
		pair=$(same_instant truth m) || fail "no two equal readings"
		expect_eq "$(tail -n 1 <<<"$pair")" "$(head -n 1 <<<"$pair")" "in sync, by dmclog and by dmsetup"
		seen+=("$(head -n 1 <<<"$pair")")
		node_wait 1 10 "! dmsetup status m | grep -qF ' ${seen[-1]} '" || fail "the resync does not go on"
	done
	[ "${seen[2]}" != "${seen[0]}" ] || fail "the resync stood still: ${seen[*]}"
	[[ ${seen[2]} != 32/32 ]] || fail "the resync was over: nothing has been shown"
	expect_eq "$(member truth rate)" 262144 "the rate that the daemon was started with"
	expect_eq "$(member truth device)" 98:0 "the log device"
	expect_eq "$(member truth region_sectors)" 1024 "the size of a region"
	dmclog status
	[[ $said =~ truth\ +m\ +open\ +[0-9]+/32\ +[0-9]+%\ +512K.*copying.*clustered-disk\ 98:0 ]] || fail "status says $said"
	# The speed is that of the limit, a region of 512 KiB more or less; and what is left at that speed.
	node_wait 1 20 "s=\$(\$B/dmclog status truth --json | sed -n 's/^ *\"speed\": \([0-9]*\),\$/\1/p')
		[ \${s:-0} -gt 150000 ] && [ \$s -lt 350000 ]" || {
		dmclog status truth --json
		fail "the speed is not that of the limit: $said"
	}
	dmclog status
	[[ $said =~ copying\ [0-9.]+K/s,\ [0-9]+\ (s|min)\ left ]] && [[ $said == *" left <=256K/s"* ]] ||
		fail "status says ${said//$'\n'/ / }"
	[[ $said =~ "leg 1"\ +ubdb\ +alive.*98:16,\ copied\ from ]] || fail "no leg in ${said//$'\n'/ / }"
	[[ $said =~ log\ +ubda\ +good.*98:0 ]] || fail "no log device in ${said//$'\n'/ / }"
	dmclog status --openmetrics
	[[ $said == *'dmclogd_log_regions{log="truth"} 32'*"# EOF" ]] || fail "openmetrics says $said"
	expect_dmclog 0 "" resync m rate=0
	mirror_wait 1 m
	expect_eq "$(member m in_sync)" 32 "regions in sync at the end"
	expect_eq "$(member m regions_copied)" 32 "regions copied"
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none'
	expect_eq "$(member m held)" 1 "regions held after a write"
	mirror_remove 1 m
	expect_dmclog 0 "no mirror uses dmclogd" status
	expect_equal_legs
	daemon_stop 1
}

case_pause_and_resume() {
	local before
	legs_noise
	log_zero
	daemon_start 1 --resync-rate=256K # 64 s
	mirror_create 1 m "4 pause clustered-disk 98:0 1024"
	expect_dmclog 0 "" resync m pause
	expect_dmclog 0 "to end it: dmclog resync pause resume" status
	node_wait 1 10 "\$B/dmclog status m --json | grep -q '\"copies\": 0'" || fail "a copy never ends"
	expect_dmclog 0 "" resync m rate=0
	before=$(mirror_status 1 m)
	# What is touched is copied all the same: its region, and no other.
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 seek=4000 count=1 oflag=direct status=none'
	expect_eq "$(member m in_sync)" $(($(grep -oE '[0-9]+/32' <<<"$before" | cut -d/ -f1) + 1)) \
		"regions in sync after a touch while paused"
	expect_eq "$(member m paused)" true "paused"
	expect_dmclog 0 "" resync /dev/mapper/m resume
	mirror_wait 1 m 10
	mirror_remove 1 m
	expect_equal_legs
	daemon_stop 1
}

# The log device hangs: a write waits, status says for what, and fail ends it.
case_fail() {
	legs_noise
	log_zero
	daemon_start 1
	node_run 1 "dmsetup create slow --table '0 16384 linear /dev/ubda 0'"
	node_run 1 "d=\$(dmsetup info -c --noheadings -o major,minor --separator : slow)
		dmsetup create m --table \"0 $SECTORS mirror userspace 5 hang clustered-disk \$d 1024 nosync 2 $LEGS 1 handle_errors\""
	node_run 1 'dmsetup suspend --noflush slow
		setsid dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct >/run/dd.out 2>&1 </dev/null &'
	# shellcheck disable=SC2016 # for the shell on the node
	node_wait 1 10 '$B/dmclog status hang | grep -q "hang: flush waits"' || {
		dmclog status
		fail "no wait is told: $said"
	}
	dmclog status hang
	[[ $said == *"for the log device"*"to give up, with errors: dmclog fail hang"* ]] || fail "status says $said"
	expect_dmclog 0 "" fail m
	node_wait 1 10 '! $B/dmclog status hang | grep -q "hang: flush waits"' || fail "it waits still"
	# handle_errors: the kernel has the error and holds the write back until the mirror is suspended.
	node_run -t 20 1 'dmsetup resume slow; dmsetup suspend --nolockfs m' || fail "suspend hangs"
	node_wait 1 20 'grep -q "Input/output error" /run/dd.out' ||
		fail "the write does not fail: $(node_run 1 'cat /run/dd.out')"
	node_run 1 'dmsetup resume m'
	mirror_remove 1 m
	node_run 1 'dmsetup remove slow'
	daemon_stop 1
}

case_refusals() {
	expect_dmclog 3 "dmclogd is not running: systemctl start dmclogd" status
	daemon_start 1
	expect_dmclog 1 "node 7 is not known: this daemon serves a single node" fenced 7
	expect_dmclog 2 "'alpha' is not a node id" fenced alpha
	expect_dmclog 2 "fenced takes NODE" fenced
	expect_dmclog 2 "'reboot' is not a command" reboot
	expect_dmclog 2 "--json is not for fenced" fenced 7 --json
	expect_dmclog 1 "nix is neither the uuid of a log nor a mirror of this node" fail nix
	mirror_create 1 m "3 core clustered-core 1024"
	expect_dmclog 2 "'faster'" resync m faster
	expect_dmclog 2 "'rate=1X'" resync m rate=1X
	node_run 1 "dmsetup create other --table '0 16384 linear /dev/ubda 0'"
	expect_dmclog 1 "other is no mirror with a userspace log" fail other
	node_run 1 'dmsetup remove other; dmsetup suspend m'
	expect_dmclog 1 "nothing is copied on this node: its mirror is suspended" resync m pause
	expect_dmclog 0 "suspended" status m
	node_run 1 'dmsetup resume m'
	# A user who is not root is not let in.
	node_run 1 'mkdir -p /run/open; chmod 755 /run/open /run'
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'setpriv --reuid=65534 --regid=65534 --clear-groups $B/dmclog status >/run/nobody 2>&1
		[ $? = 3 ] && grep -q "for root only" /run/nobody' || fail "nobody: $(node_run 1 'cat /run/nobody')"
	mirror_remove 1 m
	daemon_stop 1
	[ "$(node_run 1 'echo $(ls /run/dmclogd)')" = "lock tables" ] || fail "the socket is left behind"
}

# A daemon that was killed leaves its socket; the next one takes its place. Another place is used when told so.
case_socket() {
	daemon_start 1
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill -KILL $(cat /run/dmclogd/lock)'
	node_wait 1 10 '[ -s /run/d.status ]'
	expect_dmclog 3 "dmclogd is not running" status
	daemon_start 1
	expect_dmclog 0 "no mirror uses dmclogd" status
	daemon_stop 1
	node_run 1 'mkdir -p /run/elsewhere; touch /run/elsewhere/file'
	daemon_start 1 --control-socket=/run/elsewhere/socket
	expect_dmclog 3 "nobody listens at /run/dmclogd/control" status
	expect_dmclog 0 "no mirror uses dmclogd" status --control-socket=/run/elsewhere/socket
	daemon_stop 1
	# Without a socket the mirrors are served all the same.
	daemon_start 1 --control-socket=/run/elsewhere/file
	daemon_expect 1 "control socket /run/elsewhere/file cannot be used"
	mirror_create 1 m "3 core clustered-core 1024"
	mirror_wait 1 m
	mirror_remove 1 m
	daemon_stop 1
}

# What happens is told as it happens, over a start of the daemon too.
case_events() {
	legs_noise
	log_zero
	expect_dmclog 3 "dmclogd is not running" events recent
	daemon_start 1
	expect_dmclog 2 "'always': recent, or nothing" events always
	node_run 1 'setsid $B/dmclog events >/run/events 2>/run/events.err </dev/null & echo $! >/run/events.pid'
	# It follows from when it has asked first: until then nothing may happen that it should tell.
	node_wait 1 10 "kill -USR1 \$(cat /run/dmclogd/lock); [ -s /run/events ]" ||
		fail "it tells nothing: $(node_run 1 'cat /run/events.err')"
	mirror_create 1 m "4 told clustered-disk 98:0 1024"
	mirror_wait 1 m
	node_wait 1 10 'grep -q "\"event\":\"opened\",\"log\":\"told\".*32 regions out of sync" /run/events &&
		grep -q "\"event\":\"in-sync\",\"log\":\"told\"" /run/events' || fail "it does not tell: $(node_run 1 'tail -n 3 /run/events')"
	mirror_remove 1 m
	node_wait 1 10 'grep -q "\"event\":\"closed\",\"log\":\"told\"" /run/events' || fail "the close is not told"
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill -KILL $(cat /run/dmclogd/lock)'
	node_wait 1 10 '[ -s /run/d.status ]'
	daemon_start 1
	mirror_create 1 m "3 next clustered-core 1024"
	node_wait 1 10 'grep -q "\"event\":\"opened\",\"log\":\"next\"" /run/events' || fail "the next daemon is not followed"
	node_run 1 'grep -c "serves, cluster none" /run/events >/run/count' || fail "what the next daemon said first is missing"
	expect_dmclog 0 '"log":"next"' events recent
	# Each is told once, and each line is an object.
	expect_eq "$(node_run 1 'sed "s/\"time_us.*//" /run/events | grep -c "\"number\":0,"')" 1 "events with number 0"
	expect_eq "$(node_run 1 'grep -cv "^{.*}\$" /run/events')" 0 "lines that are no object"
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill $(cat /run/events.pid)'
	mirror_remove 1 m
	daemon_stop 1
}

# What a terminal of 100 x 24 is sent, until q; the daemon is killed and started again meanwhile.
case_watch() {
	daemon_start 1
	mirror_create 1 m "3 seen clustered-core 1024"
	mirror_wait 1 m
	expect_dmclog 2 "--watch is for a terminal" status --watch
	expect_dmclog 2 "exclude each other" status --watch --json
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'mkdir -p /dev/pts; mount -t devpts devpts /dev/pts; mkfifo /run/keys
		TERM=xterm setsid bash -c "exec <>/run/keys >/dev/null 2>&1
			script -qfec \"stty rows 24 cols 100; stty -a >/run/before; $B/dmclog status --watch
				echo \\\$? >/run/watch.status; stty -a >/run/after\" /run/screen" &'
	node_wait 1 10 'grep -q "seen.*32/32" /run/screen' || fail "nothing is drawn: $(node_run 1 'cat /run/screen')"
	# shellcheck disable=SC2016 # for the shell on the node
	node_run 1 'kill -KILL $(cat /run/dmclogd/lock)'
	node_wait 1 10 '[ -s /run/d.status ]'
	node_wait 1 10 'grep -q "dmclogd is not running" /run/screen' || fail "it does not say that the daemon is gone"
	daemon_start 1
	node_run 1 'wc -c </run/screen >/run/mark'
	# shellcheck disable=SC2016 # for the shell on the node
	node_wait 1 10 'tail -c +$(cat /run/mark) /run/screen | grep -q "seen.*/32"' || fail "it does not go on"
	node_run 1 'printf q >/run/keys'
	# shellcheck disable=SC2016 # for the shell on the node
	node_wait 1 10 '[ -s /run/watch.status ]' || fail "q does not end it"
	expect_eq "$(node_run 1 'cat /run/watch.status')" 0 "exit status"
	node_wait 1 10 'cmp /run/before /run/after' || fail "the terminal is not as it was"
	node_run 1 'grep -q "$(printf "\\033\\[?1049l")" /run/screen' || fail "the other screen is left on"
	mirror_remove 1 m
	daemon_stop 1
}

# On the host, of an image that no node has: its output in $said, its status in $rc.
examined() { # IMAGE OPTION...
	local image=$UML_RUN/$1
	shift
	rc=0
	said=$("$UML_BUILD/dmclog" examine "$image" --cluster=none "$@" 2>&1) || rc=$?
}
expect_examined() { # STATUS TEXT IMAGE OPTION...
	local status=$1 text=$2
	shift 2
	examined "$@"
	expect_eq "$rc" "$status" "exit status of dmclog examine $* ($said)"
	[[ $said == *"$text"* ]] || fail "dmclog examine $* says '$said', not '$text'"
}
examined_member() { # IMAGE NAME
	examined "$1" --json
	sed -n "s/^ *\"$2\": \"\\?\([^\",]*\)\"\\?,\\?$/\\1/p" <<<"$said" | head -n 1
}

# The log device as dmclogd leaves it at a power cut, and as the kernel does: examine says what the next opening copies.
case_examine() {
	local copies
	legs_noise
	log_zero
	expect_examined 5 "none: neither a header of the kernel nor a superblock" log.img
	daemon_start 1 --resync-rate=512K
	mirror_create 1 m "4 look clustered-disk 98:0 1024"
	node_wait 1 20 "dmsetup status m | grep -qE ' ([4-9]|[1-3][0-9])/32 '" || fail "the resync does not begin"
	node_run 1 'dd if=/dev/zero of=/dev/mapper/m bs=4096 count=1 oflag=direct status=none'
	# Of a device in use, on the node; its slot is this boot's.
	dmclog examine /dev/ubda
	expect_eq "$rc" 0 "exit status ($said)"
	[[ $said == *"dmclogd: a log that was left in use"*" (here)"* ]] || fail "examine says $said"
	node_cut 1
	expect_eq "$(examined_member log.img to_copy)" "$(log_dirty | wc -w)" "regions to copy, and not clean"
	copies=$(examined_member log.img to_copy)
	[ "$copies" -gt 0 ] && [ "$copies" -lt 32 ] || fail "$copies of 32: nothing has been shown"
	expect_examined 0 "next opening   copies $copies regions" log.img
	expect_examined 8 'other-cluster: a log of cluster "none", here is "storage"' log.img --cluster=storage
	head -c 20000 "$UML_RUN/log.img" >"$UML_RUN/short.img"
	expect_examined 6 "truncated: the device ends before the last slot" short.img
	expect_eq "$(examined_member short.img to_copy)" 32 "regions to copy when slots are cut off"
	expect_examined 0 "" log.img --svg="$UML_RUN/log.svg"
	grep -q "$copies to be copied</text>" "$UML_RUN/log.svg" || fail "the SVG does not tell how many"
	expect_examined 1 "cannot be written: No such file" log.img --svg="$UML_RUN/nowhere/x.svg"
	node_boot 1
	daemon_start 1
	mirror_create 1 m "4 look clustered-disk 98:0 1024"
	mirror_wait 1 m
	expect_eq "$(daemon_count 1 look copied)" "$copies" "regions that the daemon copied"
	mirror_remove 1 m
	daemon_stop 1
	expect_eq "$(examined_member log.img to_copy)" 0 "regions to copy after the close"
	expect_examined 0 "dmclogd: a closed log" log.img
	"$COMPARE" make "$UML_RUN/log2.img" "$SECTORS" "$REGION" 3 2 5
	expect_examined 7 "kernel: a log of the kernel" log2.img
	expect_eq "$(examined_member log2.img to_copy)" 2 "regions to copy of the kernel's log"
	expect_examined 1 "is neither a block device nor a file" .
	expect_examined 1 "No such file or directory" nothing
}

uml_start operator
mirror_case status-during-a-resync case_truth_during_resync
mirror_case watch case_watch
mirror_case events case_events
mirror_case pause-and-resume case_pause_and_resume
mirror_case fail case_fail
mirror_case examine case_examine
mirror_case refusals case_refusals
mirror_case socket case_socket
