# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How the demonstrations tell what they do: numbered steps, what was seen, a bar that grows.
# The script that includes this has logs_keep, which copies the logs to $keep.
#
# step TEXT, say TEXT, seen TEXT    bar DONE TOTAL WHAT, bar_end    wrong TEXT: ends the script

step_count=0
keep=${keep-}

# --- what people see --------------------------------------------------------
bold='' plain='' red='' green=''
[ -t 1 ] && { bold=$'\e[1m' plain=$'\e[0m' red=$'\e[31m' green=$'\e[32m'; }

step() {
	step_count=$((step_count + 1))
	printf '\n%s%d. %s%s\n' "$bold" "$step_count" "$*" "$plain"
}
say() { printf '   %s\n' "$*"; }
seen() { printf '   %sok%s %s\n' "$green" "$plain" "$*"; }

# A bar that is redrawn on a terminal; elsewhere a line at each quarter.
bar_last=-1
bar() { # DONE TOTAL WHAT
	local percent=$(($1 * 100 / $2)) filled
	if [ -t 1 ]; then
		printf -v filled '%*s' $((percent / 4)) ''
		printf '\r   [%-25s] %3d %%  %s ' "${filled// /#}" "$percent" "$3"
	elif [ $((percent / 25)) != "$bar_last" ]; then
		printf '   %3d %%  %s\n' "$percent" "$3"
		bar_last=$((percent / 25))
	fi
}
bar_end() {
	[ ! -t 1 ] || echo
	bar_last=-1
}

wrong() {
	[ ! -t 1 ] || echo
	printf '   %sNOT AS TOLD:%s %s\n' "$red" "$plain" "$*"
	logs_keep
	tail -n 20 "$keep"/dmclogd-*.log 2>/dev/null | sed 's/^/   | /'
	echo "The logs are in $keep"
	exit 1
}
