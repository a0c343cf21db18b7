#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The smallest and large mirrors: one region, one region that is not full, and 16 Mi
# regions of 4 KiB on sparse legs of 64 GiB. Written, cut, opened again: only what was
# held is copied. Says how much memory the daemon takes and how long RESUME lasts.
# time-limit: 240
set -u
# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/../dmclogd.sh"

MANY=$((16 << 20))
# 24 bits a region: bitmaps of kinds and holds, and the log's images as they are and as they
# should be; and some megabytes whatever the mirror is.
MEMORY_KIB_MAX=$((MANY * 26 / 8 / 1024 + 16384))
RESUME_MS_MAX=5000

legs_empty() {
	truncate -s 0 "$UML_RUN/a.img" "$UML_RUN/b.img"
	truncate -s 64G "$UML_RUN/a.img" "$UML_RUN/b.img"
}

# "regions N unclean N differing N wrong N"
check() { "$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img"; }

checked() { # NAME: that number
	check | tr '\n' ' ' | sed -n "s/.*$1 \([0-9]*\).*/\1/p"
}

log_clean() { [ -z "$(log_dirty)" ]; }

region_undo() { # REGION: leg 2 gets what leg 1 has
	dd if="$UML_RUN/a.img" of="$UML_RUN/b.img" bs=$((REGION * 512)) skip="$1" seek="$1" count=1 \
		conv=notrunc status=none
}

expect_regions_in_sync() {
	mirror_status 1 m | grep -qF " $(regions)/$(regions) " || fail "not in sync: $(mirror_status 1 m)"
}

differ_all() { # REGION...
	local r
	for r; do
		! region_equal "$r" || return 1
	done
}

# A table whose second leg can be made to stand still.
create_stalling() { # LOG
	node_run 1 "dmsetup create leg --table '0 $SECTORS linear /dev/ubdc 0'"
	LEGS="/dev/ubdb 0 /dev/mapper/leg 0" mirror_create 1 m "$1"
	mirror_wait 1 m
}

# Power goes while writes to these regions are on leg 1 and not on leg 2.
cut_while_writing() { # REGION...
	local r
	node_run 1 "dmsetup suspend leg
		for r in $*; do
			setsid dd if=/dev/urandom of=/dev/mapper/m bs=4096 seek=\$((r * $REGION / 8)) count=1 \
				oflag=direct >/dev/null 2>&1 </dev/null &
		done"
	wait_for 20 differ_all "$@" || fail "the writes do not reach leg 1"
	node_cut 1
	expect_eq "$(checked wrong)" 0 "regions that differ and are clean"
	for r; do
		[[ " $(log_dirty)" == *" $r "* ]] || fail "region $r is clean on disk, with a write in flight"
	done
}

one_region() { # SECTORS
	local SECTORS=$1 REGION=1024 beyond=$((2 * 512))
	legs_empty
	log_zero
	legs_noise
	# Bytes of leg 2 behind the mirror are not ours.
	printf beyond | dd of="$UML_RUN/b.img" bs=512 seek="$SECTORS" conv=notrunc status=none
	daemon_start 1
	create_stalling "4 one clustered-disk 98:0 $REGION"
	daemon_expect 1 "one: open, from a device without a log: 1 regions out of sync"
	expect_eq "$(daemon_count 1 one copied)" 1 "regions copied"
	expect_equal_legs
	# From here on only a hold can say that the region is not clean.
	wait_for 10 log_clean || fail "the region that was copied does not become clean on disk"
	cut_while_writing 0
	node_boot 1
	daemon_start 1
	mirror_create 1 m "4 one clustered-disk 98:0 $REGION"
	mirror_wait 1 m
	daemon_expect 1 "one: open, from a log that was left in use: 1 regions out of sync"
	expect_eq "$(daemon_count 1 one copied)" 1 "regions copied after the cut"
	expect_equal_legs
	mirror_remove 1 m
	leg_poke b.img 0
	mirror_create 1 m "4 one clustered-disk 98:0 $REGION"
	expect_regions_in_sync
	expect_eq "$(daemon_count 1 one copied)" 0 "regions copied after a clean close"
	! legs_equal || fail "a clean region was copied"
	mirror_remove 1 m
	daemon_stop 1
	expect_eq "$(log_dirty)" "" "regions that are not clean after the close"
	expect_eq "$(dd if="$UML_RUN/b.img" bs=512 skip="$SECTORS" count=1 status=none | head -c 6)" beyond \
		"bytes behind the mirror"
	! cmp -s -i $((SECTORS * 512)) -n $beyond "$UML_RUN/a.img" "$UML_RUN/b.img" ||
		fail "something behind the mirror was copied"
}

case_one_region() { one_region 1024; }
case_one_short_region() { one_region 1000; }

# The table goes live at RESUME: how long that takes, in ms.
create_timed() { # LOG
	node_run 1 "dmsetup create m --notable && dmsetup load m --table '$(mirror_table "$1")' &&
		begin=\${EPOCHREALTIME/./} && dmsetup resume m &&
		echo \$(((\${EPOCHREALTIME/./} - begin) / 1000))"
}

expect_resume_time() { # WHAT MS
	echo "RESUME of $(regions) regions, $1: $2 ms"
	[ "$2" -le $RESUME_MS_MAX ] || fail "RESUME, $1, takes $2 ms"
}

expect_memory() { # KIB WHAT
	local most now locked
	# shellcheck disable=SC2016 # for the shell on the node
	read -r most now locked <<<"$(node_run 1 'awk "/^VmHWM/ { h = \$2 } /^VmRSS/ { r = \$2 }
		/^VmLck/ { l = \$2 } END { print h, r, l }" /proc/$(cat /run/dmclogd/lock)/status')"
	echo "memory of dmclogd, $2: $now KiB, $locked of them locked; it was $most KiB at most"
	[ "$now" -le "$1" ] || fail "dmclogd takes $now KiB, $2"
}

scattered_writes() { # COUNT
	node_run 1 "fio --name=w --filename=/dev/mapper/m --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
		--iodepth=8 --size=$((SECTORS * 512)) --norandommap --random_generator=tausworthe64 \
		--randrepeat=0 --number_ios=$1 >/run/fio.out 2>&1 || { tail -n 3 /run/fio.out; exit 1; }" ||
		fail "writes to $1 regions"
}

case_many_regions() {
	local SECTORS=$((MANY * 8)) REGION=8 last=$((MANY - 1)) dirty ms
	legs_empty
	"$COMPARE" make "$UML_RUN/log.img" "$SECTORS" "$REGION" 1000 3 5000000
	expect_eq "$(log_dirty)" "1000 5001000 10001000 " "regions that are not clean"
	for r in 999 1000 1001 5001000 10001000 $last; do
		leg_poke b.img "$r"
	done
	daemon_start 1
	expect_memory 16384 "without a mirror"
	ms=$(create_timed "4 many clustered-disk 98:0 $REGION")
	expect_resume_time "a log of the kernel" "$ms"
	mirror_wait 1 m 30
	expect_regions_in_sync
	daemon_expect 1 "many: open, from a log of the kernel: 3 regions out of sync"
	expect_eq "$(daemon_count 1 many copied)" 3 "regions copied"
	expect_eq "$(checked differing)" 3 "regions that the host made different, and that were clean"
	region_undo 999
	region_undo 1001
	region_undo $last
	scattered_writes 300
	node_run 1 'dmsetup remove m'
	expect_eq "$(checked unclean)" 0 "regions that are not clean after the close"
	expect_eq "$(checked differing)" 0 "regions that differ"

	create_stalling "4 many clustered-disk 98:0 $REGION"
	scattered_writes 300
	cut_while_writing 0 8388607 $last
	dirty=$(checked unclean)
	echo "303 writes, $dirty regions are not clean"
	# A slot bit covers 16 of them on this log device.
	[ "$dirty" -ge 303 ] && [ "$dirty" -le $((303 * 16)) ] || fail "$dirty regions are not clean"
	leg_poke b.img $((MANY / 2 + 100))
	[[ " $(log_dirty)" != *" $((MANY / 2 + 100)) "* ]] || fail "the region to poke is not clean"

	node_boot 1
	daemon_start 1
	ms=$(create_timed "4 many clustered-disk 98:0 $REGION")
	expect_resume_time "after a power cut" "$ms"
	mirror_wait 1 m 60
	daemon_expect 1 "many: open, from a log that was left in use: $dirty regions out of sync"
	expect_eq "$(daemon_count 1 many copied)" "$dirty" "regions copied"
	differ_all $((MANY / 2 + 100)) || fail "a clean region was copied"
	expect_eq "$(checked differing)" 1 "regions that differ"
	expect_memory $MEMORY_KIB_MAX "one mirror of $MANY regions"
	mirror_remove 1 m
	expect_memory 16384 "when that mirror is gone"
	daemon_stop 1
	# It is a log of the kernel, of that size too.
	node_run 1 "dmsetup create m --table '0 $SECTORS mirror disk 2 /dev/ubda $REGION 2 $LEGS'"
	expect_regions_in_sync
	node_run 1 'dmsetup remove m'
	expect_eq "$(checked differing)" 1 "regions that differ in the end"
}

UML_RUN=${UML_RUN:-$UML_TMP/dmclogd-uml.$$}
images_create 65536
uml_start size
mirror_case one-region case_one_region
mirror_case one-region-not-full case_one_short_region
mirror_case sixteen-mi-regions case_many_regions
