#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Pacemaker alert agent reports what was fenced for certain, under corosync's node
# id, and nothing else. dmclog, corosync-cmapctl, sudo, logger, id and
# the pause between two tries are fakes in PATH.
set -u
cd "${BASH_SOURCE[0]%/*}/../.." || exit 1
work=${SCRATCH:-$(mktemp -d)}/alert
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin"
agent=$PWD/tools/dmclog-fence-alert

fake() { # NAME: its script on stdin
	{ echo "#!/bin/sh"; cat; } >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}
# Says its words; "too early" as often as the file says.
fake dmclog <<'END'
echo "dmclog $*" >>"$WORK/called"
read -r early <"$WORK/early"
echo $((early - 1)) >"$WORK/early"
[ "$early" -gt 0 ] && { echo "too early" >&2; exit 4; }
exit "$(cat "$WORK/status")"
END
fake corosync-cmapctl <<'END'
[ "$*" = nodelist.node. ] && cat "$WORK/nodelist"
END
fake sudo <<'END'
[ "$1" = -n ] || exit 9
shift
echo sudo >>"$WORK/called"
exec "$@"
END
fake logger <<'END'
shift 3
echo "$*" >>"$WORK/log"
END
fake id <<'END'
cat "$WORK/uid"
END
# Nobody waits in a test.
fake "sl""eep" <<'END'
echo waited >>"$WORK/called"
END
cat >"$work/nodelist" <<'END'
nodelist.node.0.name (str) = alpha
nodelist.node.0.nodeid (u32) = 11
nodelist.node.0.ring0_addr (str) = 10.0.0.1
nodelist.node.1.name (str) = beta
nodelist.node.1.nodeid (u32) = 12
nodelist.node.1.ring0_addr (str) = alpha-link
nodelist.node.2.nodeid (u32) = 13
nodelist.node.2.ring0_addr (str) = gamma
nodelist.node.3.name (str) = twin
nodelist.node.3.nodeid (u32) = 14
nodelist.node.4.name (str) = twin
nodelist.node.4.nodeid (u32) = 15
END

# Runs the agent, afresh; NAME=VALUE... are what Pacemaker sets beside a good report of beta.
alert() {
	rm -f "$work/called" "$work/log"
	echo "${early:-0}" >"$work/early"
	echo "${status:-0}" >"$work/status"
	echo "${uid:-0}" >"$work/uid"
	env WORK="$work" PATH="$work/bin:$PATH" CRM_alert_kind=fencing CRM_alert_rc=0 \
		CRM_alert_task=off CRM_alert_node=beta "$@" "$agent"
	rc=$?
	called=$(cat "$work/called" 2>/dev/null)
	log=$(cat "$work/log" 2>/dev/null)
}
expect() { # NAME STATUS CALLS [WORD-IN-LOG]
	if [ "$rc" != "$2" ]; then
		echo "not ok $1 - status $rc, not $2"
	elif [ "$called" != "$3" ]; then
		echo "not ok $1 - called '${called//$'\n'/, }', not '${3//$'\n'/, }'"
	elif [[ $log != *"${4-}"* ]]; then
		echo "not ok $1 - the log says '$log', not '$4'"
	else
		echo "ok $1"
	fi
}

alert; expect off 0 "dmclog fenced 12" beta
alert CRM_alert_task=reboot; expect reboot 0 "dmclog fenced 12"
alert CRM_alert_task=on; expect not-on 0 ""
alert CRM_alert_rc=1; expect not-failed 0 ""
alert CRM_alert_rc=; expect not-without-rc 0 ""
alert CRM_alert_kind=node CRM_alert_nodeid=12; expect not-a-node-alert 0 ""
alert CRM_alert_kind=resource; expect not-a-resource-alert 0 ""
alert CRM_alert_node=gamma; expect by-address 0 "dmclog fenced 13"
alert CRM_alert_node=alpha-link; expect named-not-by-address 1 "" "no node id"
alert CRM_alert_node=delta; expect unknown-node 1 "" delta
alert CRM_alert_node=; expect no-node 1 ""
alert CRM_alert_node=twin; expect name-of-two 1 ""
alert CRM_alert_node='x"; system("touch /tmp/x")'; expect hostile-name 1 ""
early=2 alert; expect too-early-off 0 "dmclog fenced 12
waited
dmclog fenced 12
waited
dmclog fenced 12"
early=2 alert CRM_alert_task=reboot; expect too-early-reboot 4 "dmclog fenced 12" "too early"
early=1000 alert
called=$(grep -c '^dmclog' <<<"$called")
expect ends-some-time 4 25 "too early"
status=3 alert; expect daemon-unreachable 3 "dmclog fenced 12"
uid=107 alert; expect by-sudo 0 "sudo
dmclog fenced 12"
