#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each option that dmclogd --help prints stands in the man page and in the
# completion, and they know no other; the defaults agree; the man page is sound.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
daemon=${BUILD:-build}/dmclogd
page=man/dmclogd.8
completion=tools/dmclogd.bash-completion

same() { # NAME LIST LIST
	local only
	only=$(comm -3 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr -s '\t\n' ' ')
	if [ -z "$2" ]; then
		echo "not ok $1 - nothing found"
	elif [ -z "$only" ]; then
		echo "ok $1"
	else
		echo "not ok $1 - only one of both has: $only"
	fi
}

help=$("$daemon" --help) || { echo "not ok help - $daemon --help fails"; exit 1; }
options=$(grep -o '^ *--[a-z-]*' <<<"$help" | tr -d ' ')
same man-page "$options" "$(sed -n 's/^\.It Fl Fl \([a-z-]*\).*/--\1/p' $page)"

# What the completion offers, asked as a shell asks it.
offered=$(
	# shellcheck source=tools/dmclogd.bash-completion
	. ./$completion
	COMP_WORDS=(dmclogd --) COMP_CWORD=1
	_dmclogd
	printf '%s\n' "${COMPREPLY[@]}"
)
arguments=$(grep -o '^ *--[a-z-]*=\?' <<<"$help" | tr -d ' ')
same completion "$arguments" "$offered"
values=$(
	# shellcheck source=tools/dmclogd.bash-completion
	. ./$completion
	COMP_WORDS=(dmclogd --cluster "=" n) COMP_CWORD=3
	_dmclogd
	printf '%s\n' "${COMPREPLY[@]}"
)
same completion-value none "$values"

# "(default N)" of --help, against "the default is N" or "N, the default" of the page's entry.
defaults_of_help() {
	awk '/^ *--/ {name = $1; sub(/=.*/, "", name)}
		match($0, /\(default [^)]*\)/) {print name, substr($0, RSTART + 9, RLENGTH - 10)}' <<<"$help"
}
bad=$(defaults_of_help | while read -r name value; do
	awk -v name="${name#--}" '/^\.It Fl Fl / {inside = $4 == name} /^\.Sh/ {inside = 0} inside' $page |
		tr '\n' ' ' | sed -E 's/\.(Pa|Cm) //g' |
		grep -qE "default is ${value}[.; ]|(^|[^0-9])$value, the default" || echo "$name=$value"
done)
if [ -z "$(defaults_of_help)" ]; then
	echo "not ok defaults - none found in --help"
elif [ -z "$bad" ]; then
	echo "ok defaults"
else
	echo "not ok defaults - the page does not say ${bad//$'\n'/ }"
fi

if command -v mandoc >/dev/null; then
	faults=$(mandoc -T lint -W warning $page)
elif command -v groff >/dev/null; then
	faults=$(groff -mdoc -Tutf8 -ww -z $page 2>&1)
else
	echo "skip lint - neither mandoc nor groff"
	exit 0
fi
if [ -z "$faults" ]; then
	echo "ok lint"
else
	echo "$faults"
	echo "not ok lint - $(head -n 1 <<<"$faults")"
fi
