#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# House rules that a script can see. The patterns are written so that they do
# not find themselves.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1

rooms=(include kernel-interface cluster daemon tools tests systemd debian .ci)
mapfile -t c_files < <(find "${rooms[@]}" -name '*.[ch]' 2>/dev/null | sort)
mapfile -t scripts < <(find "${rooms[@]}" -type f ! -name '*.[ch]' -exec \
	grep -lIE -m1 '^#!|^# shellcheck shell' {} + 2>/dev/null | sort)
all=("${c_files[@]}" "${scripts[@]}" Makefile configure.ac)

verdict() { # NAME FINDINGS
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		sed 's/^/    /' <<<"$2"
		echo "not ok $1 - $(wc -l <<<"$2") found, first: $(head -n 1 <<<"$2" | cut -c1-150)"
	fi
}

verdict spdx "$(for f in "${all[@]}"; do
	head -n 2 "$f" | grep -qF 'SPDX-License-Identifier: GPL-2.0-or-later' || echo "$f"
done)"
verdict left-half "$(grep -nE '\b(F[I]XME|T[O]DO|X[X]X)\b|^#if[ ]0' "${all[@]}" /dev/null)"
verdict file-length "$(wc -l "${all[@]}" | awk '$2 != "total" && $1 > 500')"
# A function: from a brace alone in the first column to the next one that closes it.
verdict function-length "$(awk 'FNR == 1 { start = 0 }
	/^{$/ { start = FNR }
	/^}$/ && start { if (FNR - start - 1 > 70) print FILENAME ":" start ": " FNR - start - 1 " lines"
		start = 0 }' "${c_files[@]}" /dev/null)"
verdict no-waiting "$(find tests -type f ! -name '*.md' ! -name '*.bin' -exec \
	grep -nIE '\b(u|nano)?sle[e]p[ (]' {} + | grep -v 'wait-o[k]')"
verdict foreign-paths "$(grep -rnIE '/(w[o]rk|f[a]rm)/|\.l[i]brary' "${all[@]}" README.md man systemd \
	tests 2>/dev/null)"
