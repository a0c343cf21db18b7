#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The simulator: seeds in which no oracle may find anything, a power cut at every
# step of short scenarios, equal traces of equal seeds, seeds that failed once, and
# every planted bug found by its oracle.
# Invariant: a plant that is not found, or not in tests/sim/plants.tsv, is a failure.  One that is listed there
# as "#open" no seed has found in the simulator of today: it counts as skipped.
# Limits: SIM_SEEDS seeds (400) for one node, as many for clusters of each size; a
# night's run is build/dmclog-sim --nodes 0 --seeds 1000000.
# time-limit: 900
set -u
export sim=${BUILD:-build}/dmclog-sim
export seeds=${SIM_SEEDS:-400}
plants=tests/sim/plants.tsv
jobs=$(nproc)

# Prints ok or not ok; the first line with a seed is the reason.  A seed that is listed as "#open" under the test's
# name fails still, and counts as skipped: it did not show what it should.
judge() { # NAME OPTION...
	local name=$1 out failed open line seed
	shift
	if out=$("$sim" "$@" 2>&1); then
		echo "ok $name: $(grep -o '^[0-9]* seeds.*' <<<"$out")"
		return
	fi
	failed=$(grep '^seed' <<<"$out")
	open=$(grep "^#open	$name	" tests/sim/regressions | cut -f3)
	while IFS= read -r line; do
		seed=$(cut -d' ' -f2 <<<"$line")
		if [ -n "$seed" ] && grep -qx "$seed" <<<"$open"; then
			echo "skip $name-$seed - OPEN: ${line:0:150}"
		else
			echo "$line"
			echo "not ok $name - $(grep -m1 -E '^seed|rror|fault' <<<"${line:-$out}" | cut -c1-200)"
			return
		fi
	done <<<"$failed"
	echo "ok $name: $(grep -o '^[0-9]* seeds.*' <<<"$out"), all of them open"
}

# Seed after seed of the list: what failed once does not again.
regress() { # NODES SEED EVENTS WITHOUT
	local without=()
	[ "$4" = - ] || without=(--without "$4")
	judge "sim-regression-$1-$2" --nodes "$1" --seed "$2" --events "$3" "${without[@]}"
}

plant() { # NAME NODES ORACLE [FIRST-SEED [OPTION]]
	local found first=${4:-1}
	[ "$first" != - ] || first=1
	found=$("$sim" --plant "$1" --nodes "$2" --oracle "$3" --seed "$first" --seeds 1000 \
		--events 10000 ${5:+"$5"} 2>&1 | grep -B1 '^found')
	if [ -n "$found" ]; then
		echo "ok sim-plant-$1 found by $(sed -E \
			's/^(seed [0-9]+ nodes [0-9]+) .*(oracle [^:]*):.*/\1 in \2/;1q' <<<"$found")"
	else
		echo "not ok sim-plant-$1 - not found by oracle $3 in 1000 seeds of $2 nodes"
	fi
}
export -f judge regress plant

work() {
	echo "judge sim-seeds --nodes 1 --seeds $seeds"
	for nodes in 0 2 3 5; do
		echo "judge sim-seeds-nodes-$nodes --nodes $nodes --seeds $seeds"
	done
	echo "judge sim-seeds-nodes-32 --nodes 32 --seeds $((seeds / 100)) --events 10000"
	for nodes in 1 0 3; do
		echo "judge sim-foreign-nodes-$nodes --foreign --nodes $nodes --seeds $seeds"
	done
	for mood in "halves --nodes 2" "new-daemons --nodes 3" "rolling --nodes 3" "cut-short --nodes 3" \
		"killed --nodes 1" "late-base --nodes 3" "no-log --nodes 3" "halves-meet --nodes 2 --events 10000"; do
		echo "judge sim-mood-${mood%% *} --mood $mood --seeds $seeds"
	done
	echo "judge sim-crash-every --nodes 1 --crash-every --seeds 6 --events 400"
	echo "judge sim-crash-every-nodes-3 --nodes 3 --crash-every --seeds 3 --events 600"
	echo "judge sim-deterministic --nodes 1 --twice --seeds 20 --events 3000"
	echo "judge sim-deterministic-nodes-0 --nodes 0 --twice --seeds 40 --events 3000"
	grep -v '^#' tests/sim/regressions | cut -f1-4 | sed 's/^/regress /'
	grep -v '^#' $plants | sed 's/^/plant /'
}

open_plants=$(grep '^#open' $plants | cut -f2)
listed=$(diff <("$sim" --plant list | sort) \
	<({ grep -v '^#' $plants | cut -f1 && echo "$open_plants"; } | grep . | sort) |
	grep '^[<>]' | tr '\n' ' ')
for name in $open_plants; do
	echo "skip sim-plant-$name - OPEN: not found in the simulator of today, see tests/sim/cases.tsv for the unit test"
done
if [ -z "$listed" ]; then
	echo "ok sim-plants-listed: $(grep -vc '^#' $plants)"
else
	echo "not ok sim-plants-listed - without (<) or unknown to (>) the simulator: $listed"
fi
results=$(work | tr '\t' ' ' | xargs -P "$jobs" -I{} bash -c '{}')
echo "$results"
[ -z "$listed" ] && ! grep -q '^not ok' <<<"$results"
