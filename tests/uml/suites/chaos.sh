#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Random faults of a cluster of real kernels, under writers that verify: power cuts of
# nodes and of all, killed daemons and corosyncs, split networks, paused nodes,
# suspends, reloads, mirrors that come and go; see ../chaos.sh for what must hold.
# Rounds begin until $TIME seconds have passed; $SEED decides what happens in them.
# What a failed round left is kept in $KEEP. By hand: make chaos SEED=1 TIME=600.
# time-limit: 420
set -u
SECTORS=32768 REGION=128 # 256 regions of 64 KiB
# shellcheck source=tests/uml/chaos.sh
. "${BASH_SOURCE[0]%/*}/../chaos.sh"

SEED=${SEED:-1}
TIME=${TIME:-75}
KEEP=${KEEP:-$UML_BUILD/chaos}

# Images as they were found, what each node said, and the steps.
keep() {
	local k
	rm -rf "$KEEP/seed-$SEED"
	mkdir -p "$KEEP/seed-$SEED"
	cp --sparse=always "$UML_RUN"/*.img "$KEEP/seed-$SEED"
	for k in $ALL_NODES; do
		! node_alive "$k" || node_continue "$k"
		node_report "$k"
	done
	all_down
	cp -r "$UML_RUN"/logs "$KEEP/seed-$SEED"
	echo "seed $SEED: images and logs are in $KEEP/seed-$SEED"
}

uml_start chaos
node_cut 1
rm -f "$UML_RUN"/*.img
echo "SEED=$SEED TIME=$TIME NODES=$NODES commit $(git -C "$UML_TREE" rev-parse --short HEAD 2>/dev/null)"
run_case begin chaos_begin || exit 1
end=$((SECONDS + TIME)) round=0
while round=$((round + 1)); do
	last=
	[ $SECONDS -lt $((end - 25)) ] || last=last_
	run_case "seed-$SEED-${last:-}round-$round" "chaos_${last}round" "$SEED" $round || { keep; exit 1; }
	[ -z "$last" ] || break
done
awk '{n++; if ($7 > 0) differing++} END {print n " looks at the images, at " differing + 0 " of them legs differed"}' "$UML_RUN/logs/checks"
