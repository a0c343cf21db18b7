#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mirror moves between dmclogd and the kernel's own `disk` log on the same log
# device, both ways: closed cleanly nothing is copied, after a power cut exactly
# what the other one had dirty, and everything where the other one cannot know.
# Copied or not is proven by bytes that the host puts on leg 2 behind everyone's back.
# time-limit: 240
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

ALL="0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31"
OURS="4 U clustered-disk 98:0 1024"
IN_SYNC="0 $SECTORS mirror 2 98:16 98:32 32/32 1 AA"
STALLING="/dev/ubdb 0 /dev/mapper/leg 0"

log_number() { # OFFSET BYTES: little-endian, of the log image
	od -An -tu"$2" -j"$1" -N"$2" "$UML_RUN/log.img" | tr -d ' '
}

kernel_table() { echo "0 $SECTORS mirror disk 2 /dev/ubda $REGION 2 $LEGS 1 handle_errors"; }
ours_table() { mirror_table "$OURS"; }

# The first status after the table goes live tells whether it was in sync at once.
create() { # kernel|ours
	node_run 1 "dmsetup create m --table '$("$1_table")' && dmsetup status m >/run/status"
}

expect_at_once() { # kernel|ours LOG: no resync, and the log part of the status is LOG
	create "$1"
	expect_eq "$(node_run 1 'cat /run/status')" "$IN_SYNC $2" "first status"
}

expect_differing() { # REGION...: the legs differ in these, and in no other one
	local r found=
	for r in $ALL; do
		region_equal "$r" || found+="$r "
	done
	expect_eq "$found" "$*${*:+ }" "regions with legs that differ"
}

poke_all() { # REGION...
	local r
	for r; do
		leg_poke b.img "$r"
	done
}

write_regions() { # REGION...: one block each
	node_run 1 "for r in $*; do
		dd if=/dev/urandom of=/dev/mapper/m bs=4096 seek=\$((r * $REGION / 8 + 5)) count=1 \
			oflag=direct status=none || exit 1
	done"
}

# A mirror that was closed by dmclogd, and the legs are equal.
ours_made() {
	legs_noise
	log_zero
	daemon_start 1
	create ours
	mirror_wait 1 m
	write_regions 2 17
	mirror_remove 1 m
	daemon_stop 1
	expect_equal_legs
}

# The same, made by the kernel on a device that dmclogd has never seen.
kernel_made() {
	legs_noise
	log_zero
	create kernel
	mirror_wait 1 m
	write_regions 2 17
	node_run 1 'dmsetup remove m'
	expect_equal_legs
}

marked() { # DIRTY: so many regions, at least, are not clean on disk
	[ "$(log_dirty | wc -w)" -ge "$1" ]
}

# Power goes while writes to the regions wait for leg 2.
cut_while_writing() { # kernel|ours REGION...
	local form=$1 r
	shift
	node_run 1 "dmsetup create leg --table '0 $SECTORS linear /dev/ubdc 0'"
	LEGS=$STALLING create "$form"
	mirror_wait 1 m
	node_run 1 "dmsetup suspend leg
		for r in $*; do
			setsid dd if=/dev/urandom of=/dev/mapper/m bs=4096 seek=\$((r * $REGION / 8 + 9)) \
				count=1 oflag=direct >/dev/null 2>&1 </dev/null &
		done"
	if [ "$form" = kernel ]; then
		wait_for 10 marked $# || fail "only these get dirty under the kernel's log: $(log_dirty)"
	else
		wait_for 10 differ_all "$@" || fail "the writes do not reach leg 1"
	fi
	node_cut 1
	for r; do
		[[ " $(log_dirty)" == *" $r "* ]] || fail "region $r is clean on disk, with a write in flight"
	done
}

differ_all() {
	local r
	for r; do
		! region_equal "$r" || return 1
	done
}

# dmclogd opens the log: exactly the regions that are not clean in the image get
# copied; CLEAN ones stay as they are, though they differ.
expect_ours_resyncs() { # ORIGIN CLEAN...
	local dirty origin=$1
	shift
	dirty=$(log_dirty)
	differ_all "$@" || fail "not poked: $*"
	daemon_start 1
	create ours
	mirror_wait 1 m
	daemon_expect 1 "U: open, from $origin: $(wc -w <<<"$dirty") regions out of sync"
	expect_eq "$(daemon_count 1 U copied)" "$(wc -w <<<"$dirty")" "regions copied"
	expect_differing "$@"
	mirror_remove 1 m
	daemon_stop 1
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
}

case_closed_both_ways() {
	ours_made
	expect_eq "$(log_number 0 4)" $((0x4D695272)) "magic MiRr"
	expect_eq "$(log_number 4 4)" 2 version
	expect_eq "$(log_number 8 8)" 32 nr_regions
	expect_eq "$(log_number 1024 4)" $((0xffffffff)) "bits of 32 clean regions"
	expect_eq "$(log_number 1028 4)" 0 "bits beyond them"
	leg_poke b.img 5
	expect_at_once kernel "3 disk 98:0 A"
	write_regions 2 9 31
	node_run 1 'dmsetup remove m'
	expect_differing 5
	daemon_start 1
	expect_at_once ours "3 clustered-disk 98:0 A"
	daemon_expect 1 "U: open, from a closed log: 0 regions out of sync"
	write_regions 2 10 30
	expect_eq "$(daemon_count 1 U copied)" 0 "regions copied"
	mirror_remove 1 m
	daemon_stop 1
	expect_at_once kernel "3 disk 98:0 A"
	node_run 1 'dmsetup remove m'
	expect_differing 5
}

# The kernel writes its header with what it finds at 512..1023: our superblock stays.
case_cut_under_kernel() {
	ours_made
	cut_while_writing kernel 9 21
	leg_poke b.img 3
	leg_poke b.img 20
	[ "$(log_dirty | wc -w)" -lt 10 ] || fail "too many regions are dirty to show anything: $(log_dirty)"
	node_boot 1
	expect_ours_resyncs "a closed log" 3 20
	expect_at_once kernel "3 disk 98:0 A"
	node_run 1 'dmsetup remove m'
	expect_differing 3 20
}

# The same on a log of the kernel that dmclogd has never seen.
case_first_seen() {
	kernel_made
	leg_poke b.img 12
	expect_ours_resyncs "a log of the kernel" 12
	kernel_made
	cut_while_writing kernel 0 31
	leg_poke b.img 30
	node_boot 1
	expect_ours_resyncs "a log of the kernel" 30
}

# nr_regions as LVM writes it, 2^64-1: the bits count, those beyond the mirror do not.
case_made_by_lvm() {
	leg_noise a.img
	cp "$UML_RUN/a.img" "$UML_RUN/b.img"
	log_zero
	printf 'rRiM\2\0\0\0\377\377\377\377\377\377\377\377' |
		dd of="$UML_RUN/log.img" conv=notrunc status=none
	printf '\377\357\377\77\377\377' | # not regions 12, 30 and 31
		dd of="$UML_RUN/log.img" bs=1 seek=1024 conv=notrunc status=none
	expect_eq "$(log_dirty)" "12 30 31 " "regions that are not clean"
	poke_all 11 12 13 29 30 31
	expect_ours_resyncs "a log of the kernel" 11 13 29
	expect_eq "$(log_number 1028 4)" 0 "bits beyond the last region"
}

# Nobody but dmclogd can read its slots: its header says 0, and the kernel resyncs all.
case_cut_under_ours() {
	ours_made
	daemon_start 1
	cut_while_writing ours 9 21
	expect_eq "$(log_number 8 8)" 0 "nr_regions while dmclogd has the log"
	expect_eq "$(log_dirty)" "9 21 " "regions that are not clean"
	# shellcheck disable=SC2086 # words
	poke_all $ALL
	node_boot 1
	create kernel
	mirror_wait 1 m
	expect_equal_legs
	node_run 1 'dmsetup remove m'
	# Our slot still says that 9 and 21 are held: void, as the kernel has had the log since.
	leg_poke b.img 9
	leg_poke b.img 4
	expect_ours_resyncs "a log that was taken over" 4 9
}

# Taken over from us after a cut, and cut again: the kernel's bitmap is the truth.
case_cut_under_both() {
	ours_made
	daemon_start 1
	cut_while_writing ours 9 21
	node_boot 1
	cut_while_writing kernel 6 16
	poke_all 9 21 25
	node_boot 1
	expect_ours_resyncs "a log that was taken over" 9 21 25
}

uml_start takeover
mirror_case closed-cleanly-both-ways case_closed_both_ways
mirror_case cut-under-the-kernels-log case_cut_under_kernel
mirror_case log-first-seen case_first_seen
mirror_case log-made-by-lvm case_made_by_lvm
mirror_case cut-under-dmclogd case_cut_under_ours
mirror_case cut-under-both case_cut_under_both
