#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The journal's catalogue explains each MESSAGE_ID that dmclogd sends, under the word of its event, and no other; each
# entry is whole, and the commands that it names are there; journalctl takes the file.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}/catalog
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
catalog=systemd/dmclogd.catalog
tool=${BUILD:-build}/dmclog

verdict() { # NAME FINDINGS
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		echo "not ok $1 - $(tr -s '\t\n' ' ' <<<"$2" | cut -c1-200)"
	fi
}

# "word id", of the code and of the catalogue, where the word is the comment above the id.
tr -s '\n\t ' ' ' <daemon/report.c | grep -oE '\{ "[a-z-]+", LOG_[A-Z]+, "[^"]*"' |
	sed -E 's/\{ "(.*)", LOG_[A-Z]+, "(.*)"/\1 \2/' | sort >"$work/code"
awk '/^# [a-z-]+$/ {word = $2; next} /^-- / {print word, $2} {word = "?"}' $catalog | sort >"$work/catalog"
verdict some "$([ "$(grep -c . "$work/code")" -ge 20 ] || echo "only $(wc -l <"$work/code") kinds found in daemon/report.c")"
verdict same "$(comm -3 "$work/code" "$work/catalog")"
verdict unique "$(cut -d' ' -f2 "$work/code" | sort | uniq -d)"
# None without an id, but the one for debugging.
verdict all-have-ids "$(tr -s '\n\t ' ' ' <daemon/report.c | grep -oE '\[(EVENT|NEWS)_[A-Z_]+\] = \{ [^}]*NULL \}' | grep -v LOG_DEBUG)"

# What happened, what it means and what to do are paragraphs; an error names a command, each page is one of ours or known.
verdict whole "$(awk -v RS='\n-- ' 'NR > 1 {
	id = substr($0, 1, 32)
	sub(/\n# [a-z-]+$/, "")
	if ($0 !~ /\nSubject: [^\n]+\nDefined-By: dmclogd\nDocumentation: man:[^\n]+\n\n[A-Z]/) print id ": header"
	if (gsub(/\n\n/, "&") < 2) print id ": less than two paragraphs"
	if ($0 !~ /"(dmclog|dmclogd|systemctl|journalctl|corosync-quorumtool|dmsetup) ?[^"]*"/) print id ": no command"
}' $catalog)"
verdict subjects "$(grep '^Subject: ' $catalog | sort | uniq -d)"
verdict width "$(awk '/^#/ {next} length > 81 {print FILENAME ":" FNR ": " length " columns"}' $catalog)"
# Commands may be broken over two lines.
help=$("$tool" --help) || echo "not ok help - $tool --help fails"
commands=$(awk '/^Commands:/ {on = 1; next} on && /^[^ ]/ {exit} on && /^  [a-z]/ {print $1}' <<<"$help" | sort -u)
named=$(tr '\n' ' ' <$catalog | grep -oE '"dmclog +[a-z-]+' | sed 's/.* //' | sort -u)
verdict commands "$([ -n "$named" ] || echo "none is named"; comm -13 <(echo "$commands") <(echo "$named"))"
# A field that no entry has would be shown as it stands here.
verdict fields "$(grep -oE '@[A-Z_]+@' $catalog | sort -u | tr -d '@' | while read -r field; do
	grep -q "\"$field\"" daemon/report.c || echo "$field"
done)"
# News is about the node: its entries have no uuid.
verdict uuid-of-the-node "$(for id in $(tr -s '\n\t ' ' ' <daemon/report.c | grep -oE '\[NEWS_[A-Z_]+\] = \{ [^}]*\}' |
	grep -oE '[0-9a-f]{32}'); do
	awk -v id="$id" '/^-- / {on = $2 == id} on && /@DMCLOGD_[A-Z]*@/ {print id ": " $0}' $catalog
done)"

if ! command -v journalctl >/dev/null; then
	echo "skip journalctl - not here"
	exit 0
fi
mkdir -p "$work/root/usr/lib/systemd/catalog" "$work/root/var/lib/systemd/catalog"
cp $catalog "$work/root/usr/lib/systemd/catalog"
said=$(SYSTEMD_LOG_LEVEL=warning journalctl --root="$work/root" --update-catalog 2>&1) || said="exit status $? $said"
verdict journalctl-takes "$said"
verdict journalctl-lists "$(comm -3 <(cut -d' ' -f2 "$work/code" | sort) \
	<(journalctl --root="$work/root" --list-catalog 2>&1 | sed -n 's/^\([0-9a-f]*\) dmclogd: ..*/\1/p' | sort))"
