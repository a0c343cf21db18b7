# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A cluster of nodes with real kernels, real corosync and shared disks, for suites;
# on top of dmclogd.sh. Node K has the address 10.77.0.K on a network that only
# the hub of the run knows, and the node id $ID_BASE + K.
#
# cluster_start [OPTION...]      boots nodes 1 to $NODES; corosync and dmclogd on each, with the
#                                options; until they are one group. What runs already stays.
# cluster_node K [OPTION...]     the same for one node
# corosync_start K               corosync_kill K
# group_is K NODE...             does K's dmclogd see this group now?
# group_wait "K..." NODE...      until the dmclogd of each K sees it
# net_cut A B [A B]...           these do not hear each other from now on; others do
# net_heal
# node_pause K, node_continue K
# on_nodes "K..." COMMAND...     COMMAND K for each, at the same time; fails if one does
# cluster_case NAME FUNCTION     run_case; after it nothing is left of its mirrors

# shellcheck source=tests/uml/dmclogd.sh
. "${BASH_SOURCE[0]%/*}/dmclogd.sh"

NODES=${NODES:-3}
ALL_NODES=$(seq -s " " "$NODES")
ID_BASE=${ID_BASE:-0}

node_ids() { # K...
	local k ids=()
	for k; do
		ids+=($((ID_BASE + k)))
	done
	echo "${ids[*]}"
}

# --- the network ------------------------------------------------------------
hub_pid() { cat "$UML_RUN/hub.pid" 2>/dev/null; }

hub_start() {
	[ ! -S "$UML_RUN/net.sock" ] || return 0
	: >"$UML_RUN/net.cuts"
	"$UML_BUILD/uml/hub" "$UML_RUN/net.sock" "$UML_RUN/net.cuts" {uml_idle}>&- \
		>"$UML_RUN/hub.log" 2>&1 </dev/null &
	echo $! >"$UML_RUN/hub.pid"
	disown $!
	wait_for 5 test -e "$UML_RUN/net.cuts.seen" || { cat "$UML_RUN/hub.log" >&2; return 1; }
}

net_set() { # lines of cuts on stdin
	cat >"$UML_RUN/net.cuts"
	rm -f "$UML_RUN/net.cuts.seen"
	kill -HUP "$(hub_pid)"
	wait_for 5 test -e "$UML_RUN/net.cuts.seen"
}
net_cut() { printf '%s %s\n' "$@" | net_set; }
net_heal() { net_set </dev/null; }

# --- nodes ------------------------------------------------------------------
on_nodes() {
	local k rc=0 pids=() pid
	for k in $1; do
		("${@:2}" "$k") &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	return $rc
}

corosync_conf() {
	local k
	echo "totem {
		version: 2
		cluster_name: dmclogd-test
		transport: udpu
		crypto_cipher: none
		crypto_hash: none
		token: ${TOKEN_MS:-1000}
		token_coefficient: 0
	}
	quorum {
		provider: corosync_votequorum
	}
	logging {
		to_syslog: no
		to_stderr: no
		to_logfile: yes
		logfile: /run/corosync.log
		timestamp: hires
	}
	nodelist {"
	for k in $ALL_NODES; do
		echo "node {
			nodeid: $(node_ids "$k")
			name: n$k
			ring0_addr: 10.77.0.$k
		}"
	done
	echo "}"
}

corosync_start() {
	node_run "$1" "ip addr show vec0 | grep -qF 10.77.0. || {
			ip addr add 10.77.0.$1/24 dev vec0 && ip link set vec0 up
		}
		cat >/etc/corosync/corosync.conf <<'END'
$(corosync_conf)
END
		setsid corosync -f >/run/corosync.out 2>&1 </dev/null &"
	# shellcheck disable=SC2016 # for the shell on the node
	node_wait "$1" 10 'corosync-cmapctl -g runtime.votequorum.this_node_id' ||
		fail "corosync does not start on node $1: $(node_run "$1" 'cat /run/corosync.*' | tail -n 2)"
}

corosync_kill() { node_run "$1" 'pkill -KILL -x corosync'; }

# It stands still, with all that it is about to write. A process that the user-mode
# kernel traces is its own to stop.
node_signal() { # SIGNAL K
	local pid
	for pid in $(ps -o pid= -s "$(node_pid "$2")"); do
		grep -qs '^TracerPid:[[:space:]]*0$' "/proc/$pid/status" && kill "-$1" "$pid"
	done
}
node_pause() { node_signal STOP "$1"; }
node_continue() { node_signal CONT "$1"; }

cluster_node() {
	local k=$1
	shift
	node_alive "$k" || node_boot "$k" || return 1
	node_run "$k" 'pidof corosync >/dev/null' || corosync_start "$k" || return 1
	node_run "$k" 'pidof dmclogd >/dev/null' || daemon_start "$k" --cluster=corosync "$@"
}

cluster_node_with() { cluster_node "${*: -1}" "${@:1:$#-1}"; } # OPTION... K

cluster_start() {
	hub_start || fail "no network"
	[ -e "$UML_RUN/log.img" ] || images_create
	on_nodes "$ALL_NODES" cluster_node_with "$@" || fail "the nodes do not start"
	# shellcheck disable=SC2086 # words
	group_wait "$ALL_NODES" $ALL_NODES
}

group_is() {
	local k=$1
	shift
	[ "$(node_run "$k" "sed -n 's/^dmclogd: group: nodes //p' /mnt/job/d.log | tail -n 1")" = "$(node_ids "$@")" ]
}

group_wait() {
	local k nodes=$1
	shift
	for k in $nodes; do
		wait_for 20 group_is "$k" "$@" || fail "node $k does not see the group $*: $(daemon_log "$k" | tail -n 1)"
	done
}

# --- cases ------------------------------------------------------------------
# No daemon is left, so that each case has its options. A node on which more is left is
# cut, and booted by the next cluster_start.
cluster_node_clean() {
	node_alive "$1" && node_run -t 10 "$1" '[ -z "$(dmsetup table 2>/dev/null | grep -v "^No devices")" ] &&
		pidof corosync >/dev/null || exit 1
		kill $(pidof dmclogd) 2>/dev/null
		for ((i = 0; i < 100; i++)); do
			pidof dmclogd >/dev/null || exit 0
			sleep 0.05 # wait-ok: between two looks, with a limit
		done
		exit 1' && return 0
	node_cut "$1"
}

cluster_case() {
	local rc=0 k
	run_case "$@" || rc=$?
	for k in $ALL_NODES; do
		[ $rc = 0 ] || node_report "$k"
		cluster_node_clean "$k"
	done
	net_heal
	return $rc
}
