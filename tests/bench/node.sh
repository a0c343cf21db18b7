#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of make bench that runs in the node: one group of measures of one
# contestant. Invariant: prints "MEASURE VALUE", or "MEASURE invalid REASON" where
# the value would mean something else than it says, and leaves no mirror and no
# daemon behind. Owned by tests/bench/run, which says what the measures mean.
#
# usage: node.sh GROUP CONTESTANT MILLISECONDS; $B is the build directory, /mnt/job
# has the iologs region-order-{cold,touch}; legs ubdb, ubdc, log device ubda 98:0.
set -u
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd # a node has no udev
group=$1 contestant=$2 ms=$3
slow=65536 small=131072 half=1048576 large=4194304 huge=8388608 # sectors: 32, 64, 512 MiB, 2, 4 GiB
legs="/dev/ubdb 0 /dev/ubdc 0"
daemon=
responder_log=/tmp/responder.log
daemon_log=/mnt/job/d.log

# shellcheck source=tests/bench/measures.sh
. "$TREE/tests/bench/measures.sh"

# "until" with a limit, without a process for each look.
exec {idle}<> <(:)
await() { # COMMAND
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -lt $end ] || give_up "waited too long for: $*"
		read -rt 0.01 -u "$idle" _ || :
	done
}

contestant_start() {
	case $contestant in
	responder*)
		"$B/bench/responder" {idle}<&- >"$responder_log" 2>&1 </dev/null &
		daemon=$!
		await grep -q ready "$responder_log"
		;;
	dmclogd*)
		rm -f "$daemon_log"
		"$B/dmclogd" --cluster=none {idle}<&- >"$daemon_log" 2>&1 </dev/null &
		daemon=$!
		await grep -q serves "$daemon_log"
		;;
	esac
}

contestant_stop() {
	[ -n "$daemon" ] || return 0
	kill "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=
}

log_words() { # sync|nosync
	case $contestant in
	core) echo "core 2 1024 $1" ;;
	disk) echo "disk 3 98:0 1024 $1" ;;
	*-if) echo "userspace 6 bench integrated_flush clustered-disk 98:0 1024 $1" ;;
	*) echo "userspace 5 bench clustered-disk 98:0 1024 $1" ;;
	esac
}

mirror_load() { # SECTORS sync|nosync: everything but the resume
	dmsetup create m --notable && dmsetup load m --table \
		"0 $1 mirror $(log_words "$2") 2 $legs 1 handle_errors" ||
		give_up "$contestant: no mirror"
}
mirror_create() { mirror_load "$@" && dmsetup resume m; }
mirror_remove() { dmsetup remove m || give_up "$contestant: the mirror stays"; }

still_resyncing() { # LINE: is what was measured worth anything?
	local in_sync total
	read -r in_sync total _ < <("$B/bench/insync" m)
	if [ "$in_sync" -lt "$total" ]; then
		echo "$1"
	else
		echo "${1%% *} invalid the resync ended before the measurement"
	fi
}

group_steady() {
	local jobs=() depth wide=
	case $contestant in disk | dmclogd*) wide=1 ;; esac
	for depth in 1 16; do
		jobs+=("--name=hot$depth" "${hot[@]}" "--iodepth=$depth" --stonewall)
		jobs+=("--name=read$depth" --rw=randread --size=64M "--iodepth=$depth" --stonewall)
		[ -z "$wide" ] ||
			jobs+=("--name=wide$depth" --rw=randwrite --size=64M "--iodepth=$depth" --stonewall)
	done
	mirror_create $small nosync
	fio_run "${time_based[@]}" "${jobs[@]}"
	mirror_remove
}

group_cold() {
	local depth
	for depth in 1 16; do
		mirror_create $huge nosync
		each_region_once cold$depth $depth cold
		mirror_remove
	done
}

resync_timed() { # MEASURE SECTORS
	local in_sync total took
	mirror_load "$2" sync
	read -r in_sync total took < <("$B/bench/insync" --resume m)
	if [ "$in_sync" = "$total" ]; then
		echo "$1 $took"
	else
		echo "$1 invalid it did not end: $in_sync/$total"
	fi
	mirror_remove
}

group_resync() {
	local leg
	resync_timed resync $half
	for leg in b c; do
		dmsetup create slow-$leg --table "0 $slow delay /dev/ubd$leg 0 1" || give_up "no delay"
	done
	legs="/dev/mapper/slow-b 0 /dev/mapper/slow-c 0"
	resync_timed slow $slow
	dmsetup remove slow-b slow-c || give_up "a leg stays"
}

group_during() {
	local depth
	mirror_create $large sync
	still_resyncing "$(each_region_once touch 1 touch)"
	mirror_remove
	mirror_create $large nosync
	fio_run "${time_based[@]}" --name=alone1 "${hot[@]}" --iodepth=1 --stonewall \
		--name=alone16 "${hot[@]}" --iodepth=16 --stonewall
	mirror_remove
	for depth in 1 16; do
		mirror_create $large sync
		still_resyncing "$(fio_run "${time_based[@]}" --name=busy$depth "${hot[@]}" --iodepth=$depth)"
		mirror_remove
	done
}

contestant_start
case $group in
steady | cold | resync | during) "group_$group" ;;
*) give_up "no such group" ;;
esac
contestant_stop
