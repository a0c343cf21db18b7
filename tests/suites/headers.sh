#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each header compiles alone, under both compilers, without a warning.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
flags="-std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes"
flags+=" -Werror -fsyntax-only -Iinclude -I. $(pkg-config --cflags libnl-3.0 json-c)"
for compiler in gcc clang; do
	if ! command -v "$compiler" >/dev/null; then
		echo "skip $compiler - not installed"
		continue
	fi
	bad=
	count=0
	for h in include/*.h daemon/*.h daemon/core/*.h kernel-interface/*.h cluster/*.h \
		tools/*.h tests/*.h tests/sim/*.h; do
		[ -e "$h" ] || continue
		count=$((count + 1))
		# shellcheck disable=SC2086 # a list of words
		echo "#include \"$h\"" | "$compiler" $flags -x c - || bad+=" $h"
	done
	if [ "$count" = 0 ]; then
		echo "skip $compiler - no header yet"
	elif [ -z "$bad" ]; then
		echo "ok $compiler"
	else
		echo "not ok $compiler -$bad"
	fi
done
