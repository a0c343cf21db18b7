#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzzer runs on its corpus and on for a while: 60 s in CI, 5 s at a desk.
# time-limit: 900
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
BUILD=${BUILD:-build}
if ! command -v clang >/dev/null; then
	echo "skip fuzz - clang is not installed"
	exit 0
fi
seconds=${FUZZ_SECONDS:-5}
[ "${CI:-}" = true ] && seconds=${FUZZ_SECONDS:-60}
mapfile -t names < <(cd tests/fuzz && printf '%s\n' fuzz_*.c | sed 's/\.c$//')
targets=("${names[@]/#/$BUILD/fuzz/}")
make -s BUILD="$BUILD" "${targets[@]}" || { echo "not ok fuzz - fuzzers do not build"; exit 1; }

fuzz_one() { # NAME
	local seeds=tests/fuzz/corpus/${1#fuzz_} scratch=$BUILD/fuzz/$1.corpus
	mkdir -p "$scratch"
	[ -d "$seeds" ] || seeds=
	"$BUILD/fuzz/$1" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$BUILD/fuzz/$1-" "$scratch" $seeds >"$BUILD/fuzz/$1.log" 2>&1
}

judge() { # NAME RC
	local runs
	runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$BUILD/fuzz/$1.log")
	if [ "$2" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
		echo "ok $1 ($runs inputs in $seconds s)"
	else
		echo "not ok $1 - see $BUILD/fuzz/$1.log"
		tail -20 "$BUILD/fuzz/$1.log"
	fi
}

# Two at a time: the machine has two cores.
for ((i = 0; i < ${#names[@]}; i += 2)); do
	pids=()
	for n in "${names[@]:i:2}"; do
		fuzz_one "$n" &
		pids+=($!)
	done
	for j in "${!pids[@]}"; do
		wait "${pids[j]}"
		judge "${names[i + j]}" $?
	done
done
