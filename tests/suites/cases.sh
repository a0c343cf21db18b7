#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every case of tests/sim/cases.tsv is covered by something that is there: a plant of
# the simulator, a unit test, a case on real kernels, a suite, or it says why not.
# Invariant: F1-F39, G1-G26, H1-H12, C1-C18 and A1-A29 stand there once each.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
list=tests/sim/cases.tsv
rc=0

bad() { # NAME TEXT
	echo "not ok $1 - $2"
	rc=1
}

wanted() {
	local group
	for group in F39 G26 H12 C18 A29; do
		seq -f "${group:0:1}%g" "${group:1}"
	done
}

# Does what the case points to exist?
exists() { # KIND REST
	local file name=${2#*:}
	case $1 in
	plant)
		name=${2//-/_}
		grep -q "X(${name^^})" daemon/core/plant.h
		;;
	check)
		file=tests/${2%%:*}.c
		grep -q "START_TEST($name)" "$file" &&
			grep -Eq "tcase_add(_loop)?_test\([^,]*, $name\b" "$file"
		;;
	uml) grep -Eq "^(mirror_case|run_case) $name( |\$)" "tests/uml/suites/${2%%:*}.sh" ;;
	suite) [ -x "tests/suites/$2.sh" ] ;;
	gone: | later:) [ -n "$2" ] ;;
	*) false ;;
	esac
} 2>/dev/null

lines=$(grep -v '^#' $list)
differ=$(diff <(wanted) <(cut -f1 <<<"$lines") | grep '^[<>]' | tr '\n' ' ')
if [ -z "$differ" ]; then
	echo "ok cases-all: $(wc -l <<<"$lines") cases"
else
	bad cases-all "missing (<) or too many (>), or out of order: $differ"
fi

declare -A count=()
while IFS=$'\t' read -r id situation covers rest; do
	wrong=
	[ -n "$situation" ] && [ -n "$covers" ] && [ -z "$rest" ] || wrong="not three columns"
	while IFS= read -r cover; do
		kind=${cover%% *}
		exists "$kind" "${cover#* }" || wrong+=" \"$cover\""
		count[${kind%:}]=$((${count[${kind%:}]:-0} + 1))
	done <<<"${covers//; /$'\n'}"
	[ -z "$wrong" ] || bad "cases-$id" "there is no $wrong"
done <<<"$lines"
[ $rc = 0 ] && echo "ok cases-covered: ${count[plant]} by plants, ${count[check]} by unit tests," \
	"${count[uml]} on real kernels, ${count[suite]} by suites, ${count[gone]} gone, ${count[later]} later"
exit $rc
