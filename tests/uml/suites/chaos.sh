#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Random faults of a cluster of real kernels, under writers that verify: power cuts of
# nodes and of all, killed daemons and corosyncs, split networks, paused nodes,
# suspends, reloads, mirrors that come and go; see ../chaos.sh for what must hold.
# For each seed of $CHAOS_SEEDS rounds begin until $CHAOS_TIME seconds have passed; the seed decides what happens
# in them. What a failed round left is kept in $KEEP. By hand: make chaos SEED=1 TIME=600.
# time-limit: 2700
set -u
SECTORS=32768 REGION=128 # 256 regions of 64 KiB
# shellcheck source=tests/uml/chaos.sh
. "${BASH_SOURCE[0]%/*}/../chaos.sh"

CHAOS_SEEDS=${CHAOS_SEEDS:-1}
CHAOS_TIME=${CHAOS_TIME:-75}
KEEP=${KEEP:-$UML_BUILD/chaos}

# Images as they were found, what each node said, and the steps.
keep() { # SEED
	local k
	rm -rf "$KEEP/seed-$1"
	mkdir -p "$KEEP/seed-$1"
	cp --sparse=always "$UML_RUN"/*.img "$KEEP/seed-$1"
	for k in $ALL_NODES; do
		! node_alive "$k" || node_continue "$k"
		node_report "$k"
	done
	all_down
	cp -r "$UML_RUN"/logs "$KEEP/seed-$1"
	tail -n 15 "$UML_RUN/logs/steps"
	echo "seed $1: images and logs are in $KEEP/seed-$1"
}

# --- the judges --------------------------------------------------------------------
# A daemon that forgets what a dead node held: a round made for it, in which the legs must be seen to differ. Leg 2 of
# that node stands still before the cut, so that each of its writers has a write on leg 1 alone.
step_part() { slow_suspend "$1" || fail "leg 2 of node $1 does not stand still"; }
step_taken() { wait_for 30 log_held_is "$1" 0 || fail "the slot of node $1 is not taken over"; }
planted_round() {
	local PLANT=takeover-skip k
	plan=("1000 part 3 0 -" "200 cut 3 0 down" "0 taken 3 0 -")
	for k in {1..8}; do
		plan+=("500 freeze 0 0 -")
	done
	round_seed=1 round_proof=delay round_begin=quiet round_leg_ms=20 round_end=cut
	round_options=" --takeover-delay=2 --idle-release=1 --hot-regions=16"
	round_run 1 "with a bug"
}
case_planted() {
	local rc=0
	(planted_round) || rc=$?
	all_down
	[ $rc != 0 ] || fail "the bug is not found"
	grep -qE '^log: region [0-9]+ differs and is clean$' "$UML_RUN/reason" || fail "instead: $(cat "$UML_RUN/reason")"
}

# What the rounds have left is made wrong: a completed write is lost on both legs.
case_lost_write() {
	local image=$UML_RUN/unwritten.img block leg
	truncate -s $((SECTORS * 512)) "$image"
	"$HISTORY" make "$image" "$(blocks)"
	block=$("$HISTORY" check "$UML_RUN/history.img" "$(blocks)" "$image" |
		sed -n 's/.* block \([0-9]*\): .* completed was [1-9a-f].*/\1/p;T;q')
	[ -n "$block" ] || fail "no write was completed"
	for leg in a b; do
		dd if="$image" of="$UML_RUN/$leg.img" bs=4096 skip="$block" seek="$block" count=1 conv=notrunc status=none
	done
	! (expect_images_true "made wrong") || fail "a lost write of block $block is not found"
	grep -qE "^history: leg .* block $block: " "$UML_RUN/reason" || fail "instead: $(cat "$UML_RUN/reason")"
}

images_new() {
	rm -rf "$UML_RUN"/*.img "$UML_RUN"/logs
	chaos_begin
}

rounds() { # SEED
	local end=$((SECONDS + CHAOS_TIME)) round=0 last=
	run_case "seed-$1-begin" images_new || return 1
	until [ -n "$last" ]; do
		round=$((round + 1))
		[ $SECONDS -lt $((end - 25)) ] || last=last_
		run_case "seed-$1-${last}round-$round" "chaos_${last}round" "$1" $round || { keep "$1"; return 1; }
	done
	awk '{n++; if ($7 > 0) differing++} END {print n " looks at the images, at " differing + 0 " of them legs differed"}' \
		"$UML_RUN/logs/checks"
}

uml_start chaos
node_cut 1
echo "CHAOS_SEEDS=$CHAOS_SEEDS CHAOS_TIME=$CHAOS_TIME NODES=$NODES commit $(git -C "$UML_TREE" rev-parse --short HEAD 2>/dev/null)"
images_new
[ -n "${PLANT-}" ] || run_case a-bug-is-found case_planted
for seed in $CHAOS_SEEDS; do
	rounds "$seed" || exit 1
done
run_case a-lost-write-is-found case_lost_write
