# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nodes with a real kernel (user-mode Linux) for suites, and how suites report.
# No root needed. All state of a run lies in the directory $UML_RUN, so that
# several processes may talk to the same nodes and several runs never meet.
# Invariant: only processes that are noted in $UML_RUN, and whose command line
# names it, are ever ended.
#
# Nodes:   node_boot K [IMAGE...]     IMAGEs become ubda, ubdb, ...; without any: the
#                                     five of images_create
#          node_run [-t SECONDS] K SCRIPT   its output, its status; 124: too long, 125: node dead
#          node_wait K SECONDS SCRIPT       until SCRIPT is true on the node, at most SECONDS on a
#                                           machine without other work
#          node_cut K                 power cut: what reached the images stays
#          node_halt K                orderly
#          wait_for SECONDS COMMAND   until COMMAND is true here on the host
# Disks:   images_create [LEG_MIB]    ubda log 98:0, ubdb ubdc legs 98:16 98:32,
#                                     ubdd spare log 98:48, ubde spare leg 98:64
# Suites:  uml_start NAME; run_case NAME FUNCTION; fail TEXT; expect_eq GOT WANT TEXT
# In a node: DM_DISABLE_UDEV=1, $NODE, $TREE (this tree, at the host's path), $B
# (its build directory); /mnt/job is the host's $UML_RUN/nK; jobs may run at once.

UML_TREE=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
UML_BUILD=${BUILD:-build}
[[ $UML_BUILD == /* ]] || UML_BUILD=$UML_TREE/$UML_BUILD
UML_KERNEL=${UML_KERNEL:-linux.uml}
UML_MEM=${UML_MEM:-192M}
UML_BOOT_SECONDS=${UML_BOOT_SECONDS:-60}
# The limits of waits are for what never comes, and are this many times as long: how fast the machine is decides nothing.
UML_PATIENCE=${UML_PATIENCE:-3}

# Where nodes keep their memory and images: /dev/shm if it has room, else /tmp.
uml_tmp() {
	local free
	free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
	if [ "${free:-0}" -ge 2000000 ] && [ -w /dev/shm ]; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}
UML_TMP=$(uml_tmp)

# Pauses between two looks at a file without starting a process.
exec {uml_idle}<> <(:)
uml_pause() { read -rt 0.02 -u "$uml_idle" _ || :; }

node_pid() { cat "$UML_RUN/n$1/pid" 2>/dev/null; }

# Is PID a living process of this run?
uml_pid_is_ours() {
	local stat
	# Not $(<file): when the file has gone, that ends a shell with errexit (bash 5.2), also in a condition.
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[ "${stat%% *}" != Z ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null |
		grep -qF "uml_dir=$UML_RUN/uml "
}

node_alive() {
	local pid
	pid=$(node_pid "$1") && uml_pid_is_ours "$pid"
}

# shellcheck disable=SC2120 # some callers pass a size
images_create() {
	local leg_mib=${1:-64}
	mkdir -p "$UML_RUN"
	truncate -s 8M "$UML_RUN/log.img" "$UML_RUN/log2.img"
	truncate -s "${leg_mib}M" "$UML_RUN/a.img" "$UML_RUN/b.img" "$UML_RUN/c.img"
}

node_console() { cat "$UML_RUN/n$1.console"; }

node_boot() {
	local k=$1 dir=$UML_RUN/n$1 image i=0 disks=() net=() deadline
	shift
	command -v "$UML_KERNEL" >/dev/null || { echo "no $UML_KERNEL here" >&2; return 1; }
	[ -x "$UML_BUILD/uml/init" ] || { echo "no $UML_BUILD/uml/init: make harness" >&2; return 1; }
	node_alive "$k" && { echo "node $k is up already" >&2; return 1; }
	if [ $# = 0 ]; then
		[ -e "$UML_RUN/log.img" ] || images_create
		set -- "$UML_RUN"/{log,a,b,log2,c}.img
	fi
	for image; do
		disks+=("ubd${i}sc=$image")
		i=$((i + 1))
	done
	# Where a network is: see cluster.sh.
	[ ! -S "$UML_RUN/net.sock" ] || net=("vec0:transport=bess,dst=$UML_RUN/net.sock,depth=64,mac=02:00:00:00:00:0$k")
	rm -rf "$dir" "$UML_RUN/uml/n$k"
	mkdir -p "$dir" "$UML_RUN/uml"
	mkfifo "$dir/fifo"
	# Its own session, so that a power cut takes the kernel's helpers too. Pinned to
	# one core: unpinned everything takes twice as long.
	TMPDIR=$UML_TMP LD_PRELOAD=$UML_BUILD/uml/wide_xstate.so setsid taskset -c $(((k - 1) % $(nproc))) "$UML_KERNEL" mem="$UML_MEM" \
		umid="n$k" uml_dir="$UML_RUN/uml" quiet selinux=0 noreboot panic=1 \
		root=/dev/root rootfstype=hostfs rootflags=/ ro init="$UML_BUILD/uml/init" \
		node="$k" dir="$dir" tree="$UML_TREE" "${disks[@]}" "${net[@]}" \
		con=null con0=null,fd:1 ssl=null ssl0=fd:3,null \
		3<>"$dir/fifo" {uml_idle}>&- >"$UML_RUN/n$k.console" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	disown $!
	deadline=$((SECONDS + UML_BOOT_SECONDS))
	until [ -e "$dir/ready.status" ]; do
		uml_pause
		if [ $SECONDS -gt $deadline ] || ! kill -0 "$(node_pid "$k")" 2>/dev/null; then
			echo "node $k did not boot:" >&2
			tail -n 20 "$UML_RUN/n$k.console" >&2
			node_cut "$k"
			return 1
		fi
	done
}

node_run() {
	local limit=60 k script job base deadline rc=
	[ "$1" = -t ] && { limit=$2; shift 2; }
	k=$1 script=$2
	node_alive "$k" || { echo "node $k is not up" >&2; return 125; }
	job=$(mktemp -p "$UML_RUN/n$k") || return 125
	base=${job##*/}
	printf 'export B=%q\n%s\n' "$UML_BUILD" "$script" >"$job"
	echo "r $base" 1<>"$UML_RUN/n$k/fifo"
	deadline=$((SECONDS + limit + 1))
	until [ -e "$job.status" ]; do
		uml_pause
		if ! node_alive "$k"; then
			cat "$job.out" 2>/dev/null
			echo "node $k died; its console ends:" >&2
			tail -n 20 "$UML_RUN/n$k.console" >&2
			return 125
		fi
		if [ $SECONDS -ge $deadline ]; then
			[ "$rc" = 124 ] && break # killed, and still not gone: stuck in the kernel
			echo "node $k: not done after $limit s, killed" >&2
			echo "k $base" 1<>"$UML_RUN/n$k/fifo"
			rc=124 deadline=$((SECONDS + 3))
		fi
	done
	cat "$job.out" 2>/dev/null
	[ "$rc" = 124 ] || rc=$(<"$job.status")
	rm -f "$job" "$job".*
	return "$rc"
}

node_wait() {
	local k=$1 seconds=$(($2 * UML_PATIENCE)) script=$3
	node_run -t $((seconds + 2)) "$k" "
		end=\$((SECONDS + $seconds))
		until ( $script
		) >/dev/null 2>&1; do
			[ \$SECONDS -lt \$end ] || exit 1
			sleep 0.05 # wait-ok: between two looks, with a limit
		done"
}

# On the host: until COMMAND is true, with the same limit.
wait_for() {
	local end=$((SECONDS + $1 * UML_PATIENCE))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		uml_pause
	done
}

# The whole session is dead when nothing but zombies is left of it: only then is
# nobody writing to the images any more.
node_cut() {
	local pid
	pid=$(node_pid "$1") || return 0
	if ps -ww -o args= -s "$pid" | grep -qF "uml_dir=$UML_RUN/uml "; then
		kill -KILL -- "-$pid" 2>/dev/null || :
		wait_for 10 session_is_dead "$pid"
	fi
	rm -rf "$UML_RUN/n$1/pid" "$UML_RUN/uml/n$1"
}

session_is_dead() { ! ps -o stat= -s "$1" | grep -qv '^Z'; }

node_halt() {
	local deadline=$((SECONDS + 10))
	node_alive "$1" || return 0
	echo h 1<>"$UML_RUN/n$1/fifo"
	while node_alive "$1" && [ $SECONDS -lt $deadline ]; do
		uml_pause
	done
	node_cut "$1"
}

# Ends every node of this run and removes its directory.
uml_sweep() {
	local dir
	for dir in "$UML_RUN"/n*/; do
		[ -e "$dir/pid" ] || continue
		dir=${dir%/}
		node_cut "${dir##*/n}"
	done
	rm -rf "$UML_RUN"
}

# --- reporting of suites ----------------------------------------------------
ok() { echo "ok $1"; }
not_ok() { echo "not ok $1 - $2"; }
skip() { echo "skip $1 - $2"; }

fail() {
	echo "$*" >"$UML_RUN/reason"
	exit 1
}

expect_eq() { [ "$1" = "$2" ] || fail "$3: got '$1', want '$2'"; }

# FUNCTION runs in a subshell under set -e; its output goes to the log.
run_case() {
	local name=$1 rc reason
	shift
	rm -f "$UML_RUN/reason"
	(
		set -eE
		trap 'echo "line $LINENO: $BASH_COMMAND" >"$UML_RUN/reason"' ERR
		"$@"
	)
	rc=$?
	if [ "$rc" = 0 ]; then
		ok "$name"
	else
		reason=$(head -n 1 "$UML_RUN/reason" 2>/dev/null)
		not_ok "$name" "${reason:-exit status $rc}"
	fi
	return "$rc"
}

# First call of a suite: a run directory, its end, and a first node 1. Where this
# machine cannot run the kernel at all the suite is skipped; a kernel that came as
# far as our pid 1 and then failed is a failure.
uml_start() {
	local name=$1
	shift
	UML_RUN=${UML_RUN:-$UML_TMP/dmclogd-uml.$$}
	export UML_RUN
	trap uml_sweep EXIT
	trap 'exit 143' TERM INT HUP
	mkdir -p "$UML_RUN"
	node_boot 1 "$@" && return 0
	if grep -q dmclog-init: "$UML_RUN/n1.console" 2>/dev/null; then
		not_ok "$name" "the first node failed after its kernel was up"
		exit 1
	fi
	skip "$name" "user-mode Linux does not run here"
	exit 0
}
