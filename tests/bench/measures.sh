# shellcheck shell=bash disable=SC2034,SC2154 # for and from who includes this
# SPDX-License-Identifier: GPL-2.0-or-later
# How the mirror m of a node is written and read for a figure: fio's jobs, and its numbers as lines "MEASURE VALUE".
# For node.sh and cluster-node.sh, which set $ms, the milliseconds of a job, and $group, for messages.

hot_mib=4 # 8 regions of 512 KiB

give_up() {
	echo "$group: $*" >&2
	exit 1
}

# One process for several jobs, one after the other: it takes half a second to start.
# Terse output, version 3: field 3 is the job, 8 reads a second, 49 writes a second.
fio_run() { # ARGUMENT...: "MEASURE VALUE" for each job
	fio --thread --filename=/dev/mapper/m --bs=4k --direct=1 --ioengine=libaio --gtod_reduce=1 \
		--minimal "$@" 2>/tmp/fio.err | "$TREE/tests/bench/terse"
	[ ! -s /tmp/fio.err ] || cat /tmp/fio.err >&2
}
# Over and over for the time given, without the beginning.
time_based=(--time_based "--runtime=${ms}ms" --ramp_time=200ms)
hot=(--rw=randwrite "--size=${hot_mib}M")

# Each write goes to a region that was not written since the mirror came up.
each_region_once() { # MEASURE DEPTH ORDER
	local from=$EPOCHREALTIME value
	value=$(fio_run --name="$1" --read_iolog="/mnt/job/region-order-$3" --iodepth="$2" \
		"--runtime=${ms}ms")
	if [ $(((${EPOCHREALTIME/[.,]/} - ${from/[.,]/}) / 1000)) -lt "$ms" ]; then
		echo "$1 invalid all regions were written before the time was over"
	else
		echo "$value"
	fi
}
