# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Random faults under writers that verify, on a cluster of real kernels; on top of
# mirror_of_all.sh. A round begins with all nodes down and ends with all down. What
# it does, step by step, is decided beforehand by the seed (chaos_plan.sh); when, by
# the plan and the machine.
#
# chaos_begin                    new disks, nobody has written
# chaos_round SEED NUMBER        boots all, faults, and the end that the plan says
# chaos_last_round SEED NUMBER   the same, with an orderly end
# In $UML_RUN/logs: what each node said, and every step with its time.
#
# What must hold:
#   log      a region whose legs differ is not clean by the log: at every power cut of all, and whenever
#            all nodes are stopped for an instant (what is on the images then is what a cut would have left)
#   history  each write that a node saw completed is on both legs then, and no read of any node is
#            older than what was completed or seen before it
#   rest     when the faults are over all requests end, all writers get on, all gets in sync and
#            the legs are equal
# Limits: the legs have no volatile cache, and no leg fails.

# shellcheck source=tests/uml/mirror_of_all.sh
. "${BASH_SOURCE[0]%/*}/mirror_of_all.sh"
# shellcheck source=tests/uml/chaos_plan.sh
. "${BASH_SOURCE[0]%/*}/chaos_plan.sh"

HISTORY=$UML_BUILD/uml/history
CALM_SECONDS=${CALM_SECONDS:-30} # within which all must come to rest

blocks() { echo $((SECTORS / 8)); }

say() { printf '%s %s\n' "$(date +%T.%3N)" "$*" | tee -a "$UML_RUN/logs/steps"; }

# --- what must hold ----------------------------------------------------------
expect_log_true() {
	"$COMPARE" check "$UML_RUN/log.img" "$SECTORS" "$REGION" "$UML_RUN/a.img" "$UML_RUN/b.img" \
		>"$UML_RUN/check" || fail "log: $(head -n 1 "$UML_RUN/check")"
	echo "$1 $(tail -n 1 "$UML_RUN/check")" >>"$UML_RUN/logs/checks"
}

expect_history() {
	"$HISTORY" count "$UML_RUN/history.img" "$(blocks)" >"$UML_RUN/count" ||
		fail "history: $(grep found "$UML_RUN/count" | head -n 1)"
	"$HISTORY" check "$UML_RUN/history.img" "$(blocks)" "$UML_RUN/a.img" "$UML_RUN/b.img" \
		>"$UML_RUN/check" || fail "history: $(head -n 1 "$UML_RUN/check")"
}

# The images, with nobody writing to them.
expect_images_true() { # OCCASION
	expect_log_true "$1"
	expect_history
}

# What the writers themselves found, and whether they live.
expect_no_findings() {
	"$HISTORY" count "$UML_RUN/history.img" "$(blocks)" >"$UML_RUN/count" ||
		fail "history: $(grep found "$UML_RUN/count" | head -n 1)"
}

node_processes() { ps -o pid= -s "$(node_pid "$1")"; }

# Those that the user-mode kernel traces are its own to stop, and write to no image.
processes_stopped() {
	local pid key value state tracer
	for pid; do
		state='' tracer=0
		while read -r key value _; do
			case $key in
			State:) state=$value ;;
			TracerPid:) tracer=$value ;;
			esac
		done 2>/dev/null <"/proc/$pid/status" || continue
		[ "$tracer" != 0 ] || [[ $state == [TtZX] ]] || return 1
	done
}

# All stand still at one instant: on the images is what a power cut would have left.
freeze() {
	local k pids=()
	for k; do
		node_pause "$k"
	done
	for k; do
		mapfile -t -O ${#pids[@]} pids < <(node_processes "$k" | tr -d ' ')
	done
	wait_for 10 processes_stopped "${pids[@]}" || fail "the nodes do not stand still"
	expect_images_true frozen
	for k; do
		[ "${node_state[k]}" = paused ] || node_continue "$k"
	done
}

# --- nodes -------------------------------------------------------------------
# Its console tells what its daemon says, as long as it lives.
node_up() {
	local k=$1
	node_boot "$k" "$UML_RUN"/{log,a,b,log2,c,history}.img || fail "node $k does not boot"
	node_run "$k" 'setsid tail -s 0.1 -n +1 -F /mnt/job/d.log /run/corosync.log >/dev/console 2>/dev/null </dev/null &'
}

node_logs_keep() {
	[ ! -e "$UML_RUN/n$1.console" ] || { echo "=== $(date +%T.%3N)"; cat "$UML_RUN/n$1.console"; } >>"$UML_RUN/logs/node-$1"
}

node_down() {
	node_cut "$1"
	node_logs_keep "$1"
}

# All at once, or as near to it as a signal is.
all_down() {
	local k groups=()
	for k in $ALL_NODES; do
		! node_alive "$k" || groups+=("-$(node_pid "$k")")
	done
	[ ${#groups[@]} = 0 ] || kill -KILL -- "${groups[@]}"
	on_nodes "$ALL_NODES" node_down
}

daemon_up() { # K
	# shellcheck disable=SC2086 # options
	daemon_start "$1" --cluster=corosync $round_options
}

# --- jobs: what may have to wait for other nodes, one at a time on a node -----------
job_begin() { # K SCRIPT
	rm -f "$UML_RUN/n$1/job.status"
	node_run "$1" "cat >/run/job.sh <<'END'
$2
END
		setsid bash -c 'B=\$B; export B; bash -ex /run/job.sh >/mnt/job/job.out 2>&1
			echo \$? >/run/job.new; cp /run/job.new /mnt/job/job.tmp; mv /mnt/job/job.tmp /mnt/job/job.status' >/dev/null 2>&1 </dev/null &"
}

job_ended() { [ -e "$UML_RUN/n$1/job.status" ]; }

job_end() { # K: within the calm
	wait_for "$CALM_SECONDS" job_ended "$1" ||
		fail "rest: node $1 does not end: $(node_run "$1" 'tail -n 1 /mnt/job/job.out; tail -n 1 /mnt/job/d.log' | tr '\n' ' ')"
	expect_eq "$(<"$UML_RUN/n$1/job.status")" 0 "the job of node $1 ($(tail -n 1 "$UML_RUN/n$1/job.out"))"
}

# A session is newer than all that were before it, on all nodes.
session_next() {
	session=$(($(<"$UML_RUN/session") + 1))
	echo $session >"$UML_RUN/session"
}

script_create() {
	[ "$round_leg_ms" = 0 ] || echo "[ -e /dev/mapper/slow ] || { modprobe -d /run/mod dm-delay
		dmsetup create slow --table '0 $SECTORS delay /dev/ubdc 0 0 /dev/ubdc 0 $round_leg_ms'; }"
	script_load create
}
# The kernel refuses a table while no daemon listens.
script_load() { # create|reload
	echo "until dmsetup $1 m --table '$(round_table)'; do
			sleep 0.1 # wait-ok: between two attempts
		done"
}
round_table() {
	LEGS="/dev/ubdb 0 $([ "$round_leg_ms" = 0 ] && echo /dev/ubdc || echo /dev/mapper/slow) 0" mirror_table "$LOG"
}
script_writer() { # K
	session_next
	echo "setsid \$B/uml/history write /dev/mapper/m /dev/ubdf $(blocks) $1 $NODES $session $round_seed \
		>/mnt/job/w.out 2>&1 </dev/null & echo \$! >/run/w.pid"
}
# A writer that waits for its I/O ends when that has.
script_writer_end() {
	echo "kill -TERM \$(cat /run/w.pid) || :
		while kill -0 \$(cat /run/w.pid) 2>/dev/null; do
			sleep 0.05 # wait-ok: between two looks
		done"
}

# --- steps of a plan ------------------------------------------------------------
node_state=()

net_apply() {
	local k other lines=()
	for k in $ALL_NODES; do
		case ${node_state[k]} in
		away)
			for other in $ALL_NODES; do
				[ "$other" = "$k" ] || lines+=("$k $other")
			done
			;;
		deaf) lines+=("$k $((k % NODES + 1))") ;;
		esac
	done
	printf '%s\n' "${lines[@]}" | net_set || fail "no network"
}

step_cut() {
	node_down "$1"
	net_apply
}
step_boot() {
	node_up "$1"
	corosync_start "$1"
	daemon_up "$1"
	job_begin "$1" "$(script_create; script_writer "$1")"
}
# shellcheck disable=SC2016 # for the shell on the node
step_kill() { node_run "$1" 'cat /mnt/job/d.log >>/run/d.old; kill -KILL $(pidof dmclogd)' || :; }
step_daemon() { daemon_up "$1"; }
step_corokill() { corosync_kill "$1"; }
step_corosync() { corosync_start "$1"; }
step_away() { net_apply; }
step_deaf() { net_apply; }
step_home() { net_apply; }
step_pause() { node_pause "$1"; }
step_continue() { node_continue "$1"; }
step_suspend() { # K MS
	job_begin "$1" "dmsetup suspend m
		sleep $(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000))) # wait-ok: so long it is suspended
		dmsetup resume m"
}
step_reload() { job_begin "$1" "$(script_load reload); dmsetup suspend m; dmsetup resume m"; }
step_leave() { # K MS
	job_begin "$1" "$(script_writer_end); dmsetup remove m
		sleep $(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000))) # wait-ok: so long it has no mirror
		$(script_create; script_writer "$1")"
}
# The host has cut its power, so it is off for certain: whoever hears it passes it on.
step_fenced() { # K
	local k
	for k in $ALL_NODES; do
		[ "${node_state[k]}" = up ] || continue
		node_run -t 60 "$k" "for ((i = 0; i < 300; i++)); do
				\$B/dmclog fenced $(node_ids "$1") 2>/dev/null && exit 0
				sleep 0.1 # wait-ok: it is told again when it was too early
			done; exit 1" || fail "rest: node $k does not take the report that node $1 is off"
		return 0
	done
}
step_freeze() {
	local k alive=()
	for k in $ALL_NODES; do
		[ "${node_state[k]}" = down ] || alive+=("$k")
	done
	freeze "${alive[@]}"
}

writers_counts() { # total of operations of each node, in one line
	"$HISTORY" count "$UML_RUN/history.img" "$(blocks)" | awk '{n[$2] = $4 + $6} END {for (i = 1; i <= '"$NODES"'; i++) printf "%d ", n[i]}'
}
writers_got_on() { # COUNTS: each node has done more since
	local now count
	read -ra now < <(writers_counts)
	for count in "${now[@]}"; do
		[ "$count" -gt $(($1 + 20)) ] || return 1
		shift
	done
}

# The faults are over, the plan has undone them: all must come to rest.
step_calm() {
	local k
	# shellcheck disable=SC2086 # words
	group_wait "$ALL_NODES" $ALL_NODES
	for k in $ALL_NODES; do
		job_end "$k"
	done
	# shellcheck disable=SC2046 # words
	wait_for "$CALM_SECONDS" writers_got_on $(writers_counts) ||
		fail "rest: not all writers get on: $(writers_counts)"
	expect_no_findings
}

# --- rounds --------------------------------------------------------------------
node_begin() {
	node_up "$1"
	corosync_start "$1"
	daemon_up "$1"
}

# Quiet: what the last round left is resynced before anybody writes, and the legs are equal.
round_begins() {
	local k
	net_heal
	on_nodes "$ALL_NODES" node_begin || fail "rest: the nodes do not start: $(cat "$UML_RUN/reason" 2>/dev/null)"
	# shellcheck disable=SC2086 # words
	group_wait "$ALL_NODES" $ALL_NODES
	for k in $ALL_NODES; do
		node_state[$k]=up
		job_begin "$k" "$(script_create; [ "$round_begin" = quiet ] || script_writer "$k")"
	done
	[ "$round_begin" = quiet ] || return 0
	for k in $ALL_NODES; do
		job_end "$k"
	done
	on_nodes "$ALL_NODES" in_sync || fail "rest: the resync after the start does not end: $(status 1)"
	expect_legs_rest "the resync after the start"
	for k in $ALL_NODES; do
		job_begin "$k" "$(script_writer "$k")"
		job_end "$k"
	done
}

expect_legs_rest() { legs_equal || fail "rest: the legs differ behind $1"; }

# Nobody writes any more, all is in sync, all remove their mirror; the log is closed and tells it.
round_closes() {
	local k
	for k in $ALL_NODES; do
		job_begin "$k" "$(script_writer_end)"
	done
	for k in $ALL_NODES; do
		job_end "$k"
	done
	on_nodes "$ALL_NODES" in_sync || fail "rest: the last resync does not end: $(status 1)"
	expect_legs_rest "the last resync"
	for k in $ALL_NODES; do
		job_begin "$k" "dmsetup remove m"
	done
	for k in $ALL_NODES; do
		job_end "$k"
	done
	expect_closed
	expect_history
}

round_run() {
	local line ms step k argument state
	say "round $2: proof $round_proof, begin $round_begin, leg 2 $round_leg_ms ms, end $round_end, options$round_options"
	round_begins
	for line in "${plan[@]}"; do
		read -r ms step k argument state <<<"$line"
		[ "$ms" = 0 ] || read -rt "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" -u "$uml_idle" _ || :
		say "$step $([ "$k" = 0 ] || echo "$k")$([ "$argument" = 0 ] || echo " $argument ms")"
		[ "$state" = - ] || node_state[$k]=$state
		"step_$step" "$k" "$argument"
		expect_no_findings
	done
	[ "$round_end" != close ] || round_closes
	say "power cut of all"
	all_down
	expect_images_true cut
	say "$(tail -n 1 "$UML_RUN/logs/checks"); $(writers_counts)operations"
}

chaos_round() { # SEED NUMBER
	plan_round "$1" "$2" ""
	round_run "$1" "$2"
}
chaos_last_round() {
	plan_round "$1" "$2" close
	round_run "$1" "$2"
}

chaos_begin() {
	mkdir -p "$UML_RUN/logs"
	images_create
	truncate -s $(((SECTORS / 8 + 8) * 4096)) "$UML_RUN/history.img"
	echo 0 >"$UML_RUN/session"
	"$HISTORY" make "$UML_RUN/a.img" "$(blocks)"
	"$HISTORY" make "$UML_RUN/b.img" "$(blocks)"
	hub_start || fail "no network"
}
