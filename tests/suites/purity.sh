#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The core is pure: it links against memory and string functions only, and has
# no variables, so that all its state is what the caller gives it.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
lib=${BUILD:-build}/libdmclogcore.a
if [ -z "$(ar t "$lib" 2>/dev/null)" ]; then
	echo "skip purity - the core is empty"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ld -r --whole-archive "$lib" -o "$work/core.o" || { echo "not ok link - ld -r failed"; exit 1; }

allowed='^(mem[a-z]+|str[a-z]+|snprintf|__assert_fail|__(mem|str)[a-z]+_chk|__snprintf_chk'
allowed+='|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'
allocating='^(strn?dup|strerror|mem(align|fd_create))$'
wanted=$(nm -u "$work/core.o" | awk '{print $2}')
bad=$(grep -Ev "$allowed" <<<"$wanted"; grep -E "$allocating" <<<"$wanted")
if [ -z "$bad" ]; then
	echo "ok functions"
else
	echo "not ok functions - the core calls ${bad//$'\n'/ }"
fi

variables=$(nm "$work/core.o" | awk '$2 ~ /^[bBdDcC]$/ {print $3}')
# Constant tables of pointers are relocated data, not variables: section .data.rel.ro.
constant=$(objdump -t "$work/core.o" | awk '/\.data\.rel\.ro/ {print $NF}')
bad=$(grep -Fvx "${constant:-none}" <<<"$variables" | grep -v '^$')
if [ -z "$bad" ]; then
	echo "ok variables"
else
	echo "not ok variables - the core has ${bad//$'\n'/ }"
fi
