#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each option that dmclogd --help and dmclog --help print, and each command of dmclog,
# stands in the man page and in the completions (bash, zsh), and they know no other; the defaults agree;
# the protocol's page has every command, error, reason and member; the man pages are sound.
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

# --- dmclog -------------------------------------------------------------------
tool=${BUILD:-build}/dmclog
tool_page=man/dmclog.8
tool_help=$("$tool" --help) || { echo "not ok tool-help - $tool --help fails"; exit 1; }
section() { sed -n "/^\.Sh $2\$/,/^\.Sh /p" "$1"; } # PAGE NAME

# What dmclog's completion offers behind these words.
tool_offers() {
	# shellcheck source=tools/dmclog.bash-completion
	. ./tools/dmclog.bash-completion
	_dmclog_logs() { printf '%s\n' LOG-A LOG-B; }
	_dmclog_entries() { printf '%s\n' POOL POND; }
	COMP_WORDS=(dmclog "$@") COMP_CWORD=$#
	_dmclog
	printf '%s\n' "${COMPREPLY[@]}"
}
same tool-options "$(grep -o '^ *--[a-z-]*' <<<"$tool_help" | tr -d ' ')" \
	"$(sed -n 's/^\.It Fl Fl \([a-z-]*\).*/--\1/p' $tool_page)"
same tool-options-completion "$(grep -o '^ *--[a-z-]*=\?' <<<"$tool_help" | tr -d ' ')" "$(tool_offers --)"
# "  name ARGUMENTS" between "Commands:" and the next line that does not begin with a blank.
commands=$(awk '/^Commands:/ {on = 1; next} on && /^[^ ]/ {exit} on && /^  [a-z]/ {print $1}' <<<"$tool_help")
same commands "$commands" \
	"$(section $tool_page COMMANDS | sed -n 's/^\.It Cm \([a-z-]*\).*/\1/p' | sort -u)"
same commands-completion "$commands" "$(tool_offers '')"
words=$(grep -o '^  resync NAME .*' <<<"$tool_help" | sed 's/.* //; s/BYTES//' | tr '|' '\n')
same resync "$words" "$(section $tool_page COMMANDS | sed -n 's/^\.It Cm resync Ar name Cm \([a-z]*\)\( Ns = .*\)\?$/\1 \2/p' |
	sed 's/ Ns = .*/=/; s/ //g')"
same resync-completion "$words" "$(tool_offers resync LOG-A '')"
# The members of examine's JSON, and of each option to which commands it belongs.
same examine-members "$(grep -oE '(add_(number|flag|text|id)|json_add)\([a-z]+, "[a-z_]+"' tools/examine_json.c | sed 's/.*"\(.*\)"/\1/')" \
	"$(section $tool_page EXAMINE | sed -n 's/^\.It Li \(.*\)/\1/p' | tr -d ' ' | tr ',' '\n')"
for command in status fail resync; do
	same "$command-completion" $'LOG-A\nLOG-B' "$(tool_offers --control-socket = /x "$command" L)"
done
for command in activate deactivate verify detach attach; do
	same "$command-completion" $'POOL\nPOND' "$(tool_offers "$command" P)"
done
# The options of a mirror: --help, dmclogtab(5), completion, and the parser.
words=$(tr '\n' ' ' <<<"$tool_help" | sed 's/.*OPTION is one of \([^:]*\):.*/\1/' | tr -d ' ' | tr ',' '\n')
same mirror-options "$words" "$(section man/dmclogtab.5 OPTIONS | sed -n 's/^\.It Cm \([a-z-]*\)\( Ns = .*\)\?$/\1 \2/p' |
	sed 's/ Ns = .*/=/; s/ //g' | grep -v defaults)"
same mirror-options-completion "$words" "$(tool_offers create NAME LOG LEGS '')"
same mirror-options-parser "$(tr -d '=' <<<"$words")" "$(grep -o 'strcmp(option, "[a-z-]*")' tools/tab.c |
	sed 's/.*"\(.*\)".*/\1/' | grep -vx -e defaults -e '')"
same exit-status "$(grep -o '[0-9] [a-z]' <(sed -n '/^Exit status/,$p' <<<"$tool_help") | cut -c1)" \
	"$(section $tool_page 'EXIT STATUS' | sed -n 's/^\.It \([0-9]\)$/\1/p')"
defaults=$(sed -n 's/.*(default \(.*\))/\1/p' <<<"$tool_help")
same tool-default "$defaults" "$(tr '\n' ' ' <$tool_page | grep -o 'the default is \.Pa [^ ]* ' | sed 's/.*Pa //; s/ //')"

# --- zsh ----------------------------------------------------------------------
# What the completion of zsh offers behind these words, as zsh calls it, with stubs for what only its line editor has.
zsh_offers() { # COMMAND WORD...
	zsh -f -c '
		compset() { true }
		_files() { print -l FILES }
		compadd() {
			while [[ $1 != -- ]]; do shift; done
			shift
			print -rl -- "$@"
		}
		dmclog() { "$tool" "$@" }
		dmclogd() { "$daemon" "$@" }
		tool=$1 daemon=$2 words=("${@[3,-1]}") CURRENT=$(($# - 2))
		source <(sed "s/^_dmclogd\\? \"\$@\"$//" tools/_$3)
		_dmclog_logs() { print -l LOG-A LOG-B }
		_dmclog_entries() { print -l POOL POND }
		_$3
	' - "$tool" "$daemon" "$@" 2>&1
}
if command -v zsh >/dev/null; then
	same zsh-daemon "$arguments" "$(zsh_offers dmclogd --)"
	same zsh-daemon-value $'none\ncorosync' "$(zsh_offers dmclogd --cluster=)"
	same zsh-daemon-values "FILES FILES " "$(zsh_offers dmclogd --state-directory= | tr '\n' ' '; zsh_offers dmclogd --control-socket= | tr '\n' ' ')"
	same zsh-options "$(grep -o '^ *--[a-z-]*=\?' <<<"$tool_help" | tr -d ' ')" "$(zsh_offers dmclog --)"
	same zsh-commands "$commands" "$(zsh_offers dmclog '')"
	same zsh-resync-words "$(grep -o '^  resync NAME .*' <<<"$tool_help" | sed 's/.* //; s/BYTES//' | tr '|' '\n')" \
		"$(zsh_offers dmclog resync LOG-A '')"
	same zsh-mirror-options "$words" "$(zsh_offers dmclog create NAME LOG LEGS '')"
	for command in status fail resync; do
		same zsh-$command $'LOG-A\nLOG-B' "$(zsh_offers dmclog --control-socket=/x $command L)"
	done
	for command in activate deactivate verify detach attach; do
		same zsh-$command $'POOL\nPOND' "$(zsh_offers dmclog $command P)"
	done
	same zsh-files "FILES FILES FILES " "$({ zsh_offers dmclog examine ''; zsh_offers dmclog create NAME ''; zsh_offers dmclog --svg=; } | tr '\n' ' ')"
	# In a zsh with a terminal, found by its own means: Tab makes a word whole that only the help has.
	same zsh-terminal found "$(timeout -k 5 60 zsh -f -c '
		zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell "PS1=; path=(${1:A:h} \$path); fpath=(\$PWD/tools \$fpath); autoload -Uz compinit; compinit -D -u"
		zpty -w -n shell $'"'dmclog verif\\t'"'
		zpty -r shell seen "*dmclog verify*" && print found
		zpty -d shell
	' - "$tool" 2>/dev/null)"
else
	echo "skip zsh - not here"
fi

# --- the protocol -------------------------------------------------------------
protocol=man/dmclog-protocol.7
listed() { section $protocol "$1" | sed -n 's/^\.It Li \(.*\)/\1/p' | tr -d ' ' | tr ',' '\n'; }
same protocol-commands "$(sed -n '/^} commands\[\] = {/,/^};/p' daemon/command.c | grep -o '{ "[a-z]*"' | tr -dc 'a-z\n')" "$(listed COMMANDS)"
same protocol-errors "$(cat daemon/*.c | tr -s '\n\t' ' ' | grep -oE '(refuse\( ?command,|command_refusal\() ?"[a-z-]+"' | sed 's/.*"\(.*\)"/\1/')" \
	"$(listed ERRORS)"
same protocol-event-members "$(sed -n '/^static bool add_event/,/^}/p' daemon/command.c | grep -o 'event, "[a-z_]*"' | sed 's/.*"\(.*\)"/\1/')" "$(listed EVENTS)"
same protocol-event-words "$(grep -oE '= \{ "[a-z-]+", LOG_' daemon/report.c | sed 's/.*"\(.*\)".*/\1/')" \
	"$(section $protocol EVENTS | sed -n '/^\.It Li event$/,/^\.It/p' | grep '^\.Li' | sed 's/^\.Li//; s/[.,]//g' | tr -s ' ' '\n' | grep .)"
# All words that the page gives as such.
words=$(grep -E '^\.(Li|Pq Li|It Li) ' $protocol | tr -c 'a-z_\n-' ' ' | tr ' ' '\n')
missing=$(comm -13 <(sort -u <<<"$words") <({
	grep -hoE 'add_(number|flag|text|id|null)\([a-z]+, "[a-z_]+"' daemon/status_json.c | sed 's/.*"\(.*\)"/\1/'
	sed -n '/reason_word/,/^}/p' daemon/wait_words.c | grep -o '"[a-z-]*"' | tr -d '"'
} | sort -u))
if [ -z "$missing" ]; then
	echo "ok protocol-members"
else
	echo "not ok protocol-members - not in $protocol: ${missing//$'\n'/ }"
fi

if command -v mandoc >/dev/null; then
	faults=$(mandoc -T lint -W warning man/*.[1-9])
elif command -v groff >/dev/null; then
	faults=$(for p in man/*.[1-9]; do groff -mdoc -Tutf8 -ww -z "$p" 2>&1 | sed "s|^|$p: |"; done)
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
