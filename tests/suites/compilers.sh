#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything builds without a warning under gcc and clang, and the unit tests and a
# piece of the simulator pass under ASan and UBSan.
# time-limit: 900
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
BUILD=${BUILD:-build}
unset MAKEFLAGS MFLAGS
for compiler in gcc clang; do
	if ! command -v "$compiler" >/dev/null; then
		echo "skip warnings-$compiler - not installed"
	elif make -s -j2 BUILD="$BUILD/with-$compiler" CC="$compiler" WERROR=1 all sim-build \
		"$BUILD/with-$compiler/.checks"; then
		echo "ok warnings-$compiler"
	else
		echo "not ok warnings-$compiler - a warning or an error"
	fi
done
if make -s -j2 SUITES= BUILD="$BUILD/sanitized" SAN=address,undefined all sim-build unit; then
	echo "ok sanitized-units"
else
	echo "not ok sanitized-units - see above"
fi
if [ ! -x "$BUILD/sanitized/dmclog-sim" ]; then
	echo "not ok sanitized-simulator - it was not built"
elif "$BUILD/sanitized/dmclog-sim" --seed 1 --seeds 20 --events 20000; then
	echo "ok sanitized-simulator"
else
	echo "not ok sanitized-simulator - see above"
fi
