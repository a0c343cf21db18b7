#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What make bench makes of its numbers: medians, ratios, marks, JSON, values that
# are invalid, and fio's terse lines. No kernel is started.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH-}" ] || trap 'rm -rf "$work"' EXIT

check() { # NAME WANT GOT: GOT contains WANT
	if [[ $3 == *"$2"* ]]; then
		echo "ok $1"
	else
		echo "not ok $1 - no '$2' in '$(tr '\n' '|' <<<"$3" | cut -c1-300)'"
	fi
}

cat >"$work/raw" <<END
1 responder hot1 1000
2 responder hot1 3000
3 responder hot1 2000
1 dmclogd hot1 1700
2 dmclogd hot1 9.5
3 dmclogd hot1 1900
1 core resync 0.2
1 dmclogd resync 0.18
1 core touch 100
1 dmclogd touch invalid the resync ended before the measurement
END
out=$(tests/bench/report -v json="$work/json" "$work/raw")
rc=$?
tidy=$(tr -s ' ' <<<"$out")
check median "dmclogd / responder 0.85 >= 0.90 short" "$tidy"
check lower-is-better "dmclogd / core 0.90 <= 0.90 pass" "$tidy"
check invalid-told "invalid: repetition 1, touch of dmclogd: the resync ended" "$tidy"
check invalid-counts "dmclogd / core - >= 0.40 no value" "$tidy"
check totals "1 of 2 targets met" "$tidy"
check status-invalid 1 "$rc"
check json-ratio '"ratio":0.8500' "$(<"$work/json")"
check json-values '"values":[1700,9.5,1900]' "$(<"$work/json")"
grep -v invalid "$work/raw" >"$work/good"
check status-valid 0 "$(tests/bench/report "$work/good" >/dev/null; echo $?)"
check not-understood "not understood: 1 core hot1" "$(echo "1 core hot1" | tests/bench/report)"

# The first 50 fields of a terse line, and enough others.
line="3;fio-3.33;hot1;0;0;0;0;7;0"
for ((i = 10; i <= 130; i++)); do line+=";$([ $i = 49 ] && echo 1379 || echo 0)"; done
check terse "hot1 1386" "$(tests/bench/terse <<<"$line")"
check terse-error "hot1 invalid fio error 5" "$(sed 's/hot1;0;0/hot1;0;5/' <<<"$line" | tests/bench/terse)"
check terse-nothing 1 "$(tests/bench/terse </dev/null; echo $?)"

# make bench-cluster: pair by pair, so that a slow repetition weighs no more than a fast one.
cat >"$work/raw-cluster" <<END
1 one hot1 1000
1 three hot1 900
2 one hot1 100
2 three hot1 99
3 three hot1 300
3 one hot1 300
1 three cold1 500
1 one cold1 invalid all regions were written before the time was over
1 three touch 9
1 three copy 2
1 three hotmsg 0
1 three join 1.00
1 three joinsync 0.02
END
out=$(tests/bench/report-cluster "$work/raw-cluster")
rc=$?
tidy=$(tr -s ' ' <<<"$out")
check cluster-pairs "depth 1, three nodes / one 0.99 >= 0.95 pass" "$tidy"
check cluster-invalid "cold random write, depth 1, three nodes / one no value" "$tidy"
check cluster-invalid-told "invalid: 1 one cold1 invalid all regions" "$tidy"
check cluster-copies "on three 4.50" "$tidy"
check cluster-limit "at random, seconds 1.00 < 1.00 short" "$tidy"
check cluster-totals "3 of 4 targets met" "$tidy"
check cluster-status-invalid 1 "$rc"
grep -v cold1 "$work/raw-cluster" >"$work/good-cluster"
check cluster-status-valid 0 "$(tests/bench/report-cluster "$work/good-cluster" >/dev/null; echo $?)"
check cluster-not-understood "not understood: 1 one hot1" "$(echo "1 one hot1" | tests/bench/report-cluster)"
