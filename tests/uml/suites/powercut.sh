#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts at random moments under random writes. At each cut the host compares
# the legs: a region that differs is never clean by the log image. The next boot
# resyncs the regions that are not clean, no other one, and the legs are equal.
# Rounds differ in what the cut may hit: see round(). $ROUNDS and $SEED may be set;
# a seed gives the same rounds, the moments are as exact as the machine.
# time-limit: 420
set -u
SECTORS=32768 REGION=64 # 512 regions of 32 KiB
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

ROUNDS=${ROUNDS:-20}
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
KINDS=(plain slow-leg slow-log resync reopen)

# Writes that are in flight at a cut have reached leg 1 and not leg 2, if that is
# slow; with a slow log they must not have reached a leg before the log.
slow_devices() { # LEG_MS LOG_MS
	LEGS="/dev/ubdb 0 /dev/mapper/slow 0"
	node_run 1 "dmsetup create log --table '0 16384 delay /dev/ubda 0 0 /dev/ubda 0 $2' &&
		dmsetup create slow --table '0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 $1'"
	LOG=$(node_run 1 'dmsetup info -c --noheadings -o major,minor log')
}

a_clean_region() { # of the log image; none if there is none
	log_dirty | tr ' ' '\n' | awk -v n="$(regions)" -v start=$((RANDOM % $(regions))) '
		NF { dirty[$1] = 1 }
		END { for (i = 0; i < n; i++) { r = (start + i) % n; if (!(r in dirty)) { print r; exit } } }'
}

# Just what is not clean in the image is copied: not, too, a clean region in which the
# host has made the legs differ.
recover() { # DAEMON-OPTION...
	local clean dirty
	dirty=$(log_dirty | wc -w)
	clean=$(a_clean_region)
	[ -z "$clean" ] || leg_poke b.img "$clean"
	daemon_start 1 "$@"
	mirror_create 1 m "4 cut clustered-disk $LOG $REGION"
	mirror_wait 1 m 60
	expect_eq "$(daemon_count 1 cut copied)" "$dirty" "regions copied"
	if [ -n "$clean" ]; then
		! region_equal "$clean" || fail "region $clean was clean and has been copied"
		dd if="$UML_RUN/a.img" of="$UML_RUN/b.img" bs=$((REGION * 512)) skip="$clean" seek="$clean" \
			count=1 conv=notrunc status=none
	fi
	expect_equal_legs
}

leg_changed() { [ "$(stat -c %y "$UML_RUN/a.img")" != "$1" ]; }

# Returns when the first write has reached leg 1.
writes_begin() {
	local before
	before=$(stat -c %y "$UML_RUN/a.img")
	node_run 1 "setsid fio --name=w --filename=/dev/mapper/m --size=$((SECTORS * 512)) --rw=randwrite \
		--bs=4k --direct=1 --ioengine=libaio --iodepth=8 --random_distribution=zipf:1.1 --randrepeat=0 \
		--norandommap --time_based --runtime=120 >/run/fio.out 2>&1 </dev/null &"
	wait_for 30 leg_changed "$before" || fail "no write gets through: $(node_run 1 'cat /run/fio.out')"
}

# What dmclog says that the next opening will copy, against our own reading.
expect_examined() {
	expect_eq "$("$UML_BUILD/dmclog" examine "$UML_RUN/log.img" --cluster=none --json |
		sed -n 's/^ *"to_copy": \([0-9]*\),$/\1/p')" "$(log_dirty | wc -w)" "regions to copy, by dmclog examine"
}

# The cut, and what it left on the images.
cut() {
	read -rt "$(printf '0.%03d' $((RANDOM % 1000)))" -u "$uml_idle" _ || : # the moment is the random thing
	node_cut 1
	"$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img" \
		>"$UML_RUN/check" || fail "$(head -n 1 "$UML_RUN/check")"
	tee -a "$UML_RUN/checks" <"$UML_RUN/check"
	expect_examined
}

round() { # NUMBER KIND
	local hot="--hot-regions=16 --idle-release=1"
	RANDOM=$((SEED + $1))
	LEGS="/dev/ubdb 0 /dev/ubdc 0" LOG=98:0
	# shellcheck disable=SC2086 # two words
	case $2 in
	plain) # the devices as they are
		recover $hot
		writes_begin
		;;
	slow-leg)
		slow_devices 50 0
		recover $hot
		writes_begin
		;;
	slow-log)
		slow_devices 50 10
		recover $hot
		writes_begin
		;;
	resync) # what the last cut left has not been copied when the writes begin
		slow_devices 50 0
		daemon_start 1 --resync-rate=64K
		mirror_create 1 m "4 cut clustered-disk $LOG $REGION"
		writes_begin
		;;
	reopen) # the log is closed and opened again, over and over
		slow_devices 20 1
		recover $hot
		writes_begin
		node_run 1 'setsid bash -c "while dmsetup suspend m && dmsetup resume m &&
			dd if=/dev/urandom of=/dev/mapper/m bs=4k count=1 oflag=direct; do :; done" \
			>/dev/null 2>&1 </dev/null &'
		;;
	esac
	cut
}

case_last_recovery() {
	LOG=98:0
	recover
	mirror_remove 1 m
	daemon_stop 1
	expect_equal_legs
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
}

# Cuts at which nothing was in flight, or nothing was clean, show nothing.
case_meaningful() {
	awk '{ n++; differing += $6; if ($6 > 0) d++; if ($2 - $4 >= $2 / 4) clean++ }
		END {
			printf "%d cuts, %d regions differed, in %d rounds\n", n, differing, d
			exit n != '"$ROUNDS"' || d * 4 < n || clean * 2 < n
		}' "$UML_RUN/checks" || fail "legs too rarely differ, or regions are too rarely clean"
}

uml_start powercut
echo "SEED=$SEED"
legs_noise
for ((i = 1; i <= ROUNDS; i++)); do
	kind=${KINDS[(i - 1) % ${#KINDS[@]}]}
	mirror_case "cut-$i-$kind" round $i "$kind"
done
mirror_case last-recovery case_last_recovery
run_case the-cuts-hit-something case_meaningful
