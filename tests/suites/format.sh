#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All C code is as clang-format leaves it (.clang-format, version 14).
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
if ! clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
	echo "skip format - no clang-format 14"
	exit 0
fi
bad=$(find include kernel-interface cluster daemon tools tests -name '*.[ch]' 2>/dev/null | sort |
	while read -r f; do
		clang-format --dry-run -Werror "$f" >&2 || echo "$f"
	done)
if [ -z "$bad" ]; then
	echo "ok format"
else
	echo "not ok format - make format: ${bad//$'\n'/ }"
fi
