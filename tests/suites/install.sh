#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make install puts each file at its place, keeps a configuration that is there,
# and make uninstall leaves nothing but that; systemd takes the unit.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}/install
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
build=${BUILD:-build}
unset MAKEFLAGS MFLAGS MAKELEVEL

check() { # NAME REASON COMMAND...
	local name=$1 reason=$2
	shift 2
	if "$@"; then
		echo "ok $name"
	else
		echo "not ok $name - $reason"
	fi
}

# The prefix is that of configure; a second one by hand, as a packager gives it.
prefix=$(sed -n 's/^prefix = //p' config.mk)
make_it() { make --no-print-directory BUILD="$build" DESTDIR="$work/root" "$@" >>"$work/log" 2>&1; }
installed() { (cd "$work/root" 2>/dev/null && find . ! -type d | sed 's/^\.//' | sort); }
modes() { (cd "$work/root" && find . -type f -printf '%m %P\n' | sort); }

check install "$(make_it install || tail -n 3 "$work/log" | tr '\n' ' ')" make_it install
want="$(sort <<END
/etc/default/dmclogd
$prefix/lib/systemd/system/dmclog-mirror@.service
$prefix/lib/systemd/system/dmclogd.service
$prefix/lib/systemd/system-generators/dmclog-generator
$prefix/lib/systemd/catalog/dmclogd.catalog
$prefix/sbin/dmclogd
$prefix/sbin/dmclog
$prefix/share/bash-completion/completions/dmclog
$prefix/share/bash-completion/completions/dmclogd
$prefix/share/dmclogd/dmclog-fence-alert
$prefix/share/zsh/site-functions/_dmclog
$prefix/share/zsh/site-functions/_dmclogd
$prefix/share/man/man5/dmclogtab.5
$prefix/share/man/man7/dmclog-protocol.7
$prefix/share/man/man8/dmclog.8
$prefix/share/man/man8/dmclogd.8
END
)"
got=$(installed)
check places "$(comm -3 <(echo "$want") <(echo "$got") | tr -s '\t\n' ' ')" [ "$want" = "$got" ]
bad=$(modes | grep -vE '^(644 |755 .*/sbin/|755 .*-(alert|generator)$)')
check modes "$bad" [ -z "$bad" ]
unit=$work/root$prefix/lib/systemd/system/dmclogd.service
check paths "of the unit: $(grep -n '@' "$unit" | tr '\n' ' ')" \
	grep -qxF "ExecStart=$prefix/sbin/dmclogd \$DMCLOGD_OPTIONS" "$unit"
check no-placeholder "a @name@ is left in the unit" bash -c '! grep -q "@[a-z]*dir@" "$1"' - "$unit"
check runs "the installed daemon does not print its version" \
	grep -q "^dmclogd [0-9]" <("$work/root$prefix/sbin/dmclogd" --version)
check tool-runs "the installed tool does not print its version" \
	grep -q "^dmclog [0-9]" <("$work/root$prefix/sbin/dmclog" --version)

# The command must exist for systemd, so a copy names the one in the scratch directory.
if command -v systemd-analyze >/dev/null; then
	mkdir -p "$work/unit"
	sed "s|^ExecStart=|&$work/root|" "$unit" >"$work/unit/dmclogd.service"
	sed "s|^ExecSt[a-z]*=|&$work/root|" "${unit%/*}/dmclog-mirror@.service" >"$work/unit/dmclog-mirror@.service"
	faults=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze --man=no verify "$work/unit/dmclogd.service" \
		"$work/unit/dmclog-mirror@.service" 2>&1 | grep dmclog)
	check unit "$(head -n 1 <<<"$faults")" [ -z "$faults" ]
else
	echo "skip unit - no systemd-analyze"
fi

make_it uninstall
left=$(installed)
check uninstall "left: ${left//$'\n'/ }" [ -z "$left" ]

make_it install
echo "DMCLOGD_OPTIONS=mine" >"$work/root/etc/default/dmclogd"
make_it install
check configuration-kept "it was written over" grep -qx "DMCLOGD_OPTIONS=mine" "$work/root/etc/default/dmclogd"
make_it uninstall
left=$(installed)
check uninstall-changed "left: ${left//$'\n'/ }" [ "$left" = /etc/default/dmclogd ]
