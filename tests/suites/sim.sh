#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The simulator: seeds in which no oracle may find anything, a power cut at every
# step of short scenarios, equal traces of equal seeds, and every planted bug found.
# Invariant: a plant that is not found, or not listed, is a failure of the suite.
# Limits: SIM_SEEDS seeds (400); a night's run is build/dmclog-sim --seeds 1000000.
# time-limit: 600
set -u
sim=${BUILD:-build}/dmclog-sim
seeds=${SIM_SEEDS:-400}
rc=0

# Prints ok or not ok; the first line with a seed is the reason.
judge() { # NAME COMMAND...
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name: $(grep -o '^[0-9]* seeds.*' <<<"$out")"
	else
		grep '^seed' <<<"$out" | head -20
		echo "not ok $name - $(grep -m1 -E '^seed|rror|fault' <<<"$out" | cut -c1-200)"
		rc=1
	fi
}

judge sim-seeds "$sim" --seeds "$seeds" --events 5000
judge sim-crash-every "$sim" --crash-every --seeds 6 --events 400
judge sim-deterministic "$sim" --twice --seeds 20 --events 3000

plants=$("$sim" --plant list)
[ -n "$plants" ] || { echo "not ok sim-plants - none listed"; rc=1; }
for plant in $plants; do
	found=$("$sim" --plant "$plant" --seeds 1000 --events 10000 2>&1 | grep -B1 '^found')
	if [ -n "$found" ]; then
		echo "ok sim-plant-$plant found by $(sed -E \
			's/^(seed [0-9]+) .*(oracle [^:]*):.*/\1 in \2/;1q' <<<"$found")"
	else
		echo "not ok sim-plant-$plant - not found by 1000 seeds"
		rc=1
	fi
done
exit $rc
