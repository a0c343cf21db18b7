#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The linter shellcheck finds nothing worth a warning in any script.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
if ! command -v shellcheck >/dev/null; then
	echo "skip shellcheck - not installed"
	exit 0
fi
mapfile -t scripts < <(find .ci tests tools systemd debian -type f ! -name '*.[ch]' -exec \
	grep -lIE -m1 '^#!.*sh$|^# shellcheck shell' {} + 2>/dev/null | sort)
bad=
for s in "${scripts[@]}"; do
	shellcheck -x -S warning "$s" >&2 || bad+=" $s"
done
if [ -z "$bad" ]; then
	echo "ok shellcheck"
else
	echo "not ok shellcheck -$bad"
fi
