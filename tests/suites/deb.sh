#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make deb builds a package from what git knows; it holds all that make install does, starts nothing by itself, is not
# removed from under mirrors in use, and lintian has nothing against it.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}/deb
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin"
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD DEB_BUILD_OPTIONS

verdict() { # NAME FINDINGS
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		echo "not ok $1 - $(tr -s '\t\n' ' ' <<<"$2" | cut -c1-250)"
	fi
}

# Build-Depends against what the build installs; gcc and the like are there wherever packages are built.
listed=$(sed -n '/^build="/,/"$/p' tests/install-deps | tr -d '"' | sed 's/^build=//' | tr ' ' '\n')
wanted=$(sed -n '/^Build-Depends:/,/^[A-Z].*:/p' debian/control | sed -n 's/^ \([a-z0-9-]*\).*/\1/p')
verdict build-depends "$(comm -3 <(grep -vxE 'gcc|libc6-dev|binutils|make' <<<"$listed" | sort) \
	<(grep -vxE 'debhelper-compat|check' <<<"$wanted" | sort))"
version=$(sed -n 's/^AC_INIT(\[dmclogd\], \[\(.*\)\])/\1/p' configure.ac)
verdict version "$(head -n 1 debian/changelog | grep -qF "dmclogd ($version) " || echo "$version of configure.ac is not that of debian/changelog")"

if ! command -v dh >/dev/null || ! command -v dpkg-buildpackage >/dev/null; then
	echo "skip build - no debhelper"
	exit 0
fi
if ! make --no-print-directory deb >"$work/log" 2>&1; then
	cat "$work/log"
	verdict build "$(tail -n 2 "$work/log")"
	exit 1
fi
verdict build ""
package=build/deb/dmclogd_${version}_$(dpkg --print-architecture).deb
tree=build/deb/dmclogd-$version

# What make install puts there with the same configuration; zsh looks elsewhere for the files of packages.
make -C "$tree" --no-print-directory DEPS=no DESTDIR="$work/root" install >"$work/log" 2>&1 || cat "$work/log"
(cd "$work/root" && find . ! -type d | sed 's/^\.//; s|/zsh/site-functions/|/zsh/vendor-completions/|' | sort) >"$work/want"
dpkg-deb --fsys-tarfile "$package" | tar -tf - >"$work/list" || echo "not ok contents - $package cannot be read"
grep -v "/$" "$work/list" | sed "s/^\.//" | sed '/\/share\/man\//s/\.gz$//' | grep -v '^/usr/share/doc/' | sort >"$work/got"
verdict some "$([ "$(grep -c . "$work/want")" -ge 15 ] || echo "make install has only $(wc -l <"$work/want") files")"
verdict contents "$(comm -3 "$work/want" "$work/got")"
dpkg-deb -x "$package" "$work/files" && dpkg-deb -e "$package" "$work/control"
verdict runs "$(for f in dmclogd dmclog; do
	"$work/files/usr/sbin/$f" --version | grep -qxF "$f $version" || echo "$f --version: $("$work/files/usr/sbin/$f" --version 2>&1)"
done)"
verdict unit-paths "$(grep -hE '^Exec' "$work"/files/lib/systemd/system/*.service | grep -vE '^Exec[A-Za-z]*=/usr/sbin/dmclogd? ')"
verdict configuration-kept "$(grep -qx /etc/default/dmclogd "$work/control/conffiles" || echo "/etc/default/dmclogd is no conffile")"

# What the package's scripts do where systemd runs, with stand-ins for all that they call: the calls, one a line.
stand_in() { # NAME BODY
	printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n%s\n' "$1" "$work" "$2" >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}
stand_in deb-systemd-invoke ""
stand_in systemctl ""
run_script() { # SCRIPT ARGUMENT...
	: >"$work/calls"
	sed 's|/run/systemd/system|/|' "$work/control/$1" >"$work/script"
	PATH=$work/bin:$PATH sh "$work/script" "${@:2}" 2>"$work/said"
}
called() { grep -E '^(deb-systemd-(invoke|helper) (start|restart|try-restart|stop|enable)|dmsetup) ?' "$work/calls"; }
expect() { # NAME CALLS
	verdict "$1" "$(comm -3 <(sort <<<"$2" | grep .) <(called | sort); cat "$work/said")"
}

# Installed for the first time nothing is started or enabled; an upgrade restarts a daemon that runs, and only such a one.
stand_in deb-systemd-helper 'case $1 in debian-installed) exit 1 ;; esac'
run_script postinst configure ""
expect installed ""
stand_in deb-systemd-helper ""
run_script postinst configure 0.0.9
expect upgraded "deb-systemd-helper enable dmclogd.service
deb-systemd-invoke try-restart dmclogd.service"
run_script prerm upgrade 0.2.0
expect before-upgrade ""

# Removed it is stopped, but not from under mirrors in use.
stand_in dmsetup 'echo "pool: 0 131072 mirror userspace 5 pool integrated_flush clustered-disk 8:48 1024 2 8:16 0 8:32 0"'
verdict in-use "$(! run_script prerm remove || echo "removed from under a mirror in use")"
verdict in-use-said "$(grep -q 'dmclog deactivate' "$work/said" || cat "$work/said")"
: >"$work/said"
expect in-use-goes-on "dmsetup table --target mirror"
stand_in dmsetup 'echo "lv: 0 131072 mirror disk 2 8:48 1024 2 8:16 0 8:32 0 1 handle_errors"'
verdict removable "$(run_script prerm remove || echo "exit status $?")"
expect removed "deb-systemd-invoke stop dmclogd.service
dmsetup table --target mirror"

if command -v lintian >/dev/null; then
	verdict lintian "$(lintian --allow-root --fail-on error,warning build/deb/*.changes 2>&1 || echo "exit status $?")"
else
	echo "skip lintian - not here"
fi
