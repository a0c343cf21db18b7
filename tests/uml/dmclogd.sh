# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dmclogd and its mirrors on nodes with a real kernel, for suites; on top of lib.sh.
# A mirror is $SECTORS long in regions of $REGION sectors; its log is ubda = 98:0, its
# legs are $LEGS; the suite may set these. Fixed: the image of leg 1 is a.img, of
# leg 2 b.img, of the log log.img, all in $UML_RUN.
#
# daemon_start K [OPTION...]     until it serves; its log: /mnt/job/d.log on the node. With
#                                PLANT=flush-early the one that has this bug; with UNDER='COMMAND...'
#                                started by that
# daemon_stop K                  by TERM; fails unless it ends with 0
# daemon_said K TEXT             is TEXT in its log? A basic regular expression.
# daemon_expect K TEXT           the same, and the case fails when it is not
# daemon_count K UUID WORD       a number of its state, e.g. copied, held, requests
# mirror_table LOG               the table line, e.g. of "4 U1 clustered-disk 98:0 1024"
# mirror_create K NAME LOG       mirror_remove K NAME
# mirror_status K NAME           mirror_wait K NAME [SECONDS]   until all regions are in sync
# log_zero [IMAGE]               log_dirty: its regions that are not clean, in one line
# legs_noise, leg_noise IMAGE    other random bytes  leg_poke IMAGE REGION  other bytes in one region
# legs_equal                     region_equal REGION
# mirror_case NAME FUNCTION      run_case; node 1 is clean before it, whatever happened
# By hand, after a failure: UML_RUN=... tests/uml/node.

# shellcheck source=tests/uml/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

SECTORS=${SECTORS:-32768}
REGION=${REGION:-1024}
LEGS=${LEGS:-"/dev/ubdb 0 /dev/ubdc 0"}
COMPARE=$UML_BUILD/uml/compare

regions() { echo $(((SECTORS + REGION - 1) / REGION)); }

daemon_start() {
	local k=$1
	shift
	node_run "$k" "rm -f /run/d.status /mnt/job/d.log
		export DMCLOGD_PLANT=${PLANT-}
		setsid bash -c '${UNDER-} \$B/${PLANT:+planted/}dmclogd --cluster=none $*; echo \$? >/run/d.status' \
			>/mnt/job/d.log 2>&1 </dev/null &"
	node_wait "$k" 10 'grep -q "dmclogd: version .* serves" /mnt/job/d.log' ||
		fail "dmclogd does not start: $(daemon_log "$k" | tail -n 1)"
}

daemon_log() { node_run "$1" 'cat /mnt/job/d.log'; }

daemon_said() { node_run "$1" "grep -q -- '$2' /mnt/job/d.log"; }

daemon_expect() { daemon_said "$1" "$2" || fail "the daemon's log does not say '$2'"; }

daemon_stop() {
	# shellcheck disable=SC2016 # for the shell on the node
	node_run "$1" 'kill -TERM $(cat /run/dmclogd/lock)'
	node_wait "$1" 10 '[ -s /run/d.status ]' || fail "dmclogd does not end"
	expect_eq "$(node_run "$1" 'cat /run/d.status')" 0 "exit status of dmclogd"
}

# The state that USR1 asks for is in the log when the line about UUID's counters is.
daemon_count() {
	local state
	state=$(node_run "$1" "before=\$(grep -c ' requests lost' /mnt/job/d.log)
		kill -USR1 \$(cat /run/dmclogd/lock)
		end=\$((SECONDS + 10))
		until awk -v n=\$before '/ requests lost/ { n-- } n < 0' /mnt/job/d.log >/run/state &&
			grep -q '$2: requests .* copied' /run/state; do
			[ \$SECONDS -lt \$end ] || exit 1
		done
		grep -F '$2: ' /run/state") || fail "no answer to USR1 about $2"
	case $3 in
	requests | held | marked | copied) sed -n "s/.*[ :]$3 \([0-9][0-9]*\).*/\1/p" <<<"$state" ;;
	*) fail "no such number: $3" ;;
	esac
}

mirror_table() { echo "0 $SECTORS mirror userspace $1 2 $LEGS 1 handle_errors"; }

mirror_create() { node_run "$1" "dmsetup create $2 --table '$(mirror_table "$3")'"; }

# An answer that the kernel has to ask for again costs 15 s.
mirror_remove() { node_run -t 14 "$1" "dmsetup remove $2" || fail "removing $2 takes too long"; }

mirror_status() { node_run "$1" "dmsetup status $2"; }

mirror_wait() {
	node_wait "$1" "${3:-20}" "dmsetup status $2 | grep -qE ' ([0-9]+)/\\1 '" ||
		fail "$2 does not get in sync: $(mirror_status "$1" "$2")"
}

# --- images -----------------------------------------------------------------
log_zero() {
	local image=$UML_RUN/${1:-log.img} bytes
	bytes=$(stat -c %s "$image")
	truncate -s 0 "$image"
	truncate -s "$bytes" "$image"
}

log_dirty() { "$COMPARE" dirty "$UML_RUN/log.img" "$SECTORS" "$REGION" | tr '\n' ' '; }

leg_noise() {
	head -c $((SECTORS * 512)) /dev/urandom |
		dd of="$UML_RUN/$1" bs=1M conv=notrunc iflag=fullblock status=none
}

legs_noise() {
	leg_noise a.img
	leg_noise b.img
}

leg_poke() {
	head -c 512 /dev/urandom |
		dd of="$UML_RUN/$1" bs=512 seek=$(($2 * REGION + 3)) conv=notrunc status=none
}

legs_equal() { cmp -s -n $((SECTORS * 512)) "$UML_RUN/a.img" "$UML_RUN/b.img"; }

expect_equal_legs() { legs_equal || fail "the legs differ"; }

# The last region ends with the mirror.
region_equal() {
	local left=$((SECTORS - $1 * REGION))
	cmp -s -i $(($1 * REGION * 512)) -n $(((left < REGION ? left : REGION) * 512)) \
		"$UML_RUN/a.img" "$UML_RUN/b.img"
}

# --- cases ------------------------------------------------------------------
# Why it failed, for the log of the suite.
node_report() {
	node_alive "$1" || { echo "node $1 is down"; return 0; }
	node_run -t 5 "$1" 'echo "--- dmclogd"; tail -n 15 /mnt/job/d.log
		echo "--- dmsetup"; dmsetup status --noflush; dmesg | tail -n 5' | sed 's/^/    /'
}

# Nothing of a case is left: no mirror, no daemon. In doubt by a power cut.
node_clean() {
	node_alive 1 && node_run -t 5 1 '[ -z "$(dmsetup table 2>/dev/null | grep -v "^No devices")" ] &&
		! pgrep -x dmclogd >/dev/null' && return 0
	node_cut 1
	node_boot 1
}

mirror_case() {
	local rc=0
	run_case "$@" || rc=$?
	[ $rc = 0 ] || node_report 1
	node_clean
	return $rc
}
