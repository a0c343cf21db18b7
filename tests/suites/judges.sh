#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who judges the chaos test, on images made by hand: history and compare say nothing of what is right and find
# what is wrong: a completed write that is lost, a read that goes back in time, a clean region that differs.
# The writers run here, on files. No kernel is started.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH-}" ] || trap 'rm -rf "$work"' EXIT
bin=$(realpath "${BUILD:-build}/uml")
for tool in history compare; do
	[ -x "$bin/$tool" ] || { echo "not ok $tool - not built: make harness"; exit 1; }
done
cd "$work" || exit 1

BLOCKS=64 # of 4096 bytes

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1 - $2"; }

expect() { # NAME STATUS TEXT COMMAND...: it ends with STATUS and says TEXT, an extended regular expression
	local name=$1 status=$2 text=$3 rc=0 said
	said=$("${@:4}" 2>&1) || rc=$?
	if [ "$rc" != "$status" ]; then
		not_ok "$name" "status $rc, not $status: $(head -n 1 <<<"$said")"
	elif ! grep -qE "$text" <<<"$said"; then
		not_ok "$name" "no '$text' in '$(head -n 1 <<<"$said")'"
	else
		ok "$name"
	fi
}

block_from() { # IMAGE OTHER BLOCK [AS-BLOCK]: what OTHER has there
	dd if="$2" of="$1" bs=4096 skip="$3" seek="${4:-$3}" count=1 conv=notrunc status=none
}
note_from() { # IMAGE BLOCK SECTOR OTHER-SECTOR: of the history
	dd if="$1" of="$1" bs=512 skip=$(($2 * 8 + $4)) seek=$(($2 * 8 + $3)) count=1 conv=notrunc status=none
}
note_none() { dd if=/dev/zero of="$1" bs=512 seek=$(($2 * 8 + $3)) count=1 conv=notrunc status=none; }
byte_change() { # IMAGE OFFSET: another one than it was
	printf '%b' "\\x$(printf %02x $((0x$(od -An -tx1 -j"$2" -N1 "$1" | tr -d ' ') ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Two nodes write to and read from a file, until each block is newer than in BEFORE.
all_completed() { "$bin/history" check history $BLOCKS a "$1" | grep -q " findings $BLOCKS\$"; }
session() { # NUMBER BEFORE
	local k pid pids=() rc=0 i
	for k in 1 2; do
		timeout 60 "$bin/history" write a history $BLOCKS $k 2 "$1" 7 >"writer-$k" 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < 2000; i++)); do
		! all_completed "$2" || break
		read -rt 0.02 -u "$idle" _ || : # between two looks
	done
	kill "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	cat writer-1 writer-2
	return $rc
}

# A writer on what is wrong must find it by itself; node 2 does not write blocks 8 to 11.
reader() { # MIRROR HISTORY
	cp "$1" mirror
	cp "$2" seen
	timeout 60 "$bin/history" write mirror seen $BLOCKS 2 2 9 7
}
check() { "$bin/history" check "$1" $BLOCKS "${@:2}"; }

exec {idle}<> <(:)
truncate -s $(((BLOCKS + 8) * 4096)) history
truncate -s $((BLOCKS * 4096)) a b
"$bin/history" make a $BLOCKS
"$bin/history" make b $BLOCKS
cp a old
expect never-written 0 " completed 0 findings 0" check history a b
if ! timeout 5 dd if=a of=/dev/null iflag=direct bs=4096 count=1 status=none; then
	echo "skip writers - no direct I/O to files here"
	exit 0
fi
expect writers-content 0 "" session 1 old
cp a first
expect writers-again 0 "" session 2 first
cp a b
expect nothing-wrong 0 " completed $BLOCKS findings 0" check history a b
expect counted 0 "^node 2 writes [1-9][0-9]* reads [1-9]" "$bin/history" count history $BLOCKS

# What the legs have after a cut.
for leg in a b; do
	cp b wrong
	block_from wrong old 5
	expect "lost-on-$leg" 1 "block 5: sound, sequence 0, completed was 2" \
		check history "${leg/b/a}" wrong "${leg/a/b}"
done
cp b wrong
block_from wrong first 6
expect older-session 1 "block 6: sound, sequence 1.*, completed was 2" check history a wrong
cp b wrong
byte_change wrong $((7 * 4096 + 2000))
expect not-sound 1 "block 7: not sound" check history a wrong
cp b wrong
block_from wrong b 3 4
expect misplaced 1 "block 4: sound" check history a wrong
cp history only-seen
note_from only-seen 5 2 0
note_none only-seen 5 0
cp a wrong
block_from wrong old 5
expect seen-on-first 1 "block 5: sound, sequence 0, completed was 0, seen 2" check only-seen wrong b
expect seen-need-not-be-on-second 0 " findings 0" check only-seen a wrong

# What readers see.
cp a wrong
block_from wrong old 9
expect read-completed 1 "block 9: sequence 0 is read, and 2.* was completed before" reader wrong history
expect read-told 1 "node 2 found: block 9: sequence 0 is read" "$bin/history" count seen $BLOCKS
cp history only-seen
note_from only-seen 9 1 0
note_none only-seen 9 0
expect read-seen 1 "block 9: sequence 0 is read, and 2.* was seen before" reader wrong only-seen
cp a wrong
byte_change wrong $((10 * 4096 + 100))
expect read-not-sound 1 "block 10: no sound block is read" reader wrong history
cp a wrong
block_from wrong a 12 11
expect read-misplaced 1 "block 11: is block 12 of node" reader wrong history
cp a wrong
truncate -s $((20 * 4096)) wrong
expect read-error 1 "block [0-9]*: (read: short|no sound block is read)" reader wrong history

# Legs against the log: 8 regions of 64 sectors.
compare() { "$bin/compare" check log $((BLOCKS * 8)) 64 "$@"; }
truncate -s 1M log
"$bin/compare" make log $((BLOCKS * 8)) 64
expect legs-equal 0 "unclean 0 differing 0 wrong 0" compare a b
cp b wrong
byte_change wrong $((3 * 32768 + 5000))
expect clean-and-differs 1 "^region 3 differs and is clean" compare a wrong
"$bin/compare" make log $((BLOCKS * 8)) 64 3 1 1
expect unclean-and-differs 0 "unclean 1 differing 1 wrong 0" compare a wrong
"$bin/compare" make log $((BLOCKS * 8)) 64 2 1 1
expect another-is-unclean 1 "^region 3 differs and is clean" compare a wrong
