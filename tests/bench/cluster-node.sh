#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part of make bench-cluster that runs in node 1: one measure of the mirror m, which is there, or of the legs
# alone. Invariant: prints "MEASURE VALUE", or "MEASURE invalid REASON". Owned by tests/bench/run-cluster, which says
# what the measures mean.
#
# usage: cluster-node.sh GROUP MILLISECONDS; $B is the build directory
set -u
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd # a node has no udev
group=$1 ms=$2
# shellcheck source=tests/bench/measures.sh
. "$TREE/tests/bench/measures.sh"

group_hot() {
	fio_run "${time_based[@]}" --name=hot1 "${hot[@]}" --iodepth=1 --stonewall \
		--name=hot16 "${hot[@]}" --iodepth=16 --stonewall
}

group_cold1() { each_region_once cold1 1 cold; }
group_cold16() { each_region_once cold16 16 cold; }

# The copying has been held back until now.
resynced() { # MEASURE
	local in_sync total took
	"$B/dmclog" resync bench rate=0 || give_up "the limit stays"
	read -r in_sync total took < <("$B/bench/insync" --resume m)
	if [ "$in_sync" = "$total" ]; then
		echo "$1 $took"
	else
		echo "$1 invalid it did not end: $in_sync/$total"
	fi
}
group_resync() { resynced resync; }
group_slow() { resynced slow; }

# Milliseconds of a write to a region that was never in sync.
group_touch() {
	each_region_once touch 1 touch | awk '$2 == "invalid" {print; next} {print $1, 1000 / $2}'
}

# Milliseconds of a copy of one region, by one process that reads and writes it: where no measure has been yet.
group_copy() {
	local count=128 from=$EPOCHREALTIME
	dd if=/dev/ubdb of=/dev/ubdc bs=512k count=$count skip=6000 seek=6000 iflag=direct oflag=direct status=none ||
		give_up "dd fails"
	awk "BEGIN {print \"copy\", (${EPOCHREALTIME/[.,]/} - ${from/[.,]/}) / 1000 / $count}"
}

# Seconds until the last resume of a table that is loaded has ended.
group_join() {
	local from=$EPOCHREALTIME
	dmsetup resume m || give_up "no mirror"
	awk "BEGIN {print \"join\", (${EPOCHREALTIME/[.,]/} - ${from/[.,]/}) / 1000000}"
}

case $group in
hot | cold1 | cold16 | resync | slow | touch | copy | join) "group_$group" ;;
*) give_up "no such group" ;;
esac
