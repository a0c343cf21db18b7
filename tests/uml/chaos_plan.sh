# shellcheck shell=bash disable=SC2034 # round_* are for who runs the plan
# SPDX-License-Identifier: GPL-2.0-or-later
# What a round of the chaos test does, decided by its seed alone: nothing here looks at
# a clock or a node. The plan knows the state that its own steps leave each node in:
#
#   up        cut -> down, kill -> nodaemon, corokill -> nocorosync, pause -> paused,
#             away -> away (hears nobody), deaf -> deaf (does not hear the next node, which hears it not);
#             suspend, reload, leave: a job, at most one on a node until the next calm
#   down      fenced: others are told; boot -> up
#   nodaemon  daemon -> up      nocorosync  corosync -> up
#   away, deaf   home -> up     paused      continue -> up      (all of these: cut -> down)
#
# plan_round SEED NUMBER END     sets round_*, and plan: lines "MS STEP NODE ARGUMENT STATE";
#                                END: "close" for an orderly end, else as drawn
# Invariant: no proof that somebody has stopped is a lie. With --takeover-delay nobody is only cut
# off, paused, or without corosync; `fenced` is told of a node that is down and was not booted since.

# Numbers that are the same with every bash: a linear congruence, of which the high bits count.
draw_state=0
draw_seed() { # SEED NUMBER
	draw_state=$((($1 * 1000003 + $2) * 2862933555777941757 + 3037000493))
	draw 2
	draw 2
}
draw() { # N: drawn is one of 0 to N - 1
	draw_state=$((draw_state * 6364136223846793005 + 1442695040888963407))
	drawn=$((((draw_state >> 33) & 0x3fffffff) % $1))
}
draw_word() { # WORD...
	draw $#
	shift "$drawn"
	drawn=$1
}

plan_step() { # MS STEP NODE ARGUMENT STATE
	plan+=("$*")
	[ "$5" = - ] || plan_state[$3]=$5
}

plan_pause() { # pause: how long until the next step; now and then none
	draw 4
	pause=0
	[ "$drawn" = 0 ] || { draw 1500; pause=$drawn; }
}

plan_cut() { # K
	plan_step "$pause" cut "$1" 0 down
	plan_told[$1]='' plan_busy[$1]='' plan_stale[$1]=''
}

plan_fault() { # K, which is up
	local steps=(cut cut kill kill)
	[ "$round_proof" = delay ] || steps+=(away away deaf corokill pause)
	[ "$round_proof" != delay ] || steps+=(watchdog)
	[ -n "${plan_busy[$1]}" ] || steps+=(suspend reload leave leave)
	draw_word "${steps[@]}"
	case $drawn in
	cut) plan_cut "$1" ;;
	watchdog) # cut off, and then off for good, sooner than the others take it for stopped
		plan_step "$pause" away "$1" 0 away
		draw 500
		pause=$drawn
		plan_cut "$1"
		;;
	kill) plan_step "$pause" kill "$1" 0 nodaemon; plan_stale[$1]=1 ;;
	away | deaf) plan_step "$pause" "$drawn" "$1" 0 "$drawn" ;;
	corokill) plan_step "$pause" corokill "$1" 0 nocorosync ;;
	pause) plan_step "$pause" pause "$1" 0 paused ;;
	*)
		local step=$drawn
		draw 2000
		plan_step "$pause" "$step" "$1" "$drawn" -
		plan_busy[$1]=1
		;;
	esac
}

plan_undo() { # K
	case ${plan_state[$1]} in
	down) plan_step "$pause" boot "$1" 0 up; plan_busy[$1]=1 ;;
	nodaemon) plan_step "$pause" daemon "$1" 0 up ;;
	nocorosync) plan_step "$pause" corosync "$1" 0 up ;;
	away | deaf) plan_step "$pause" home "$1" 0 up ;;
	paused) plan_step "$pause" continue "$1" 0 up ;;
	esac
}

plan_impaired() { # K, which is not up
	draw 8
	if [ "$drawn" -lt 4 ]; then
		plan_undo "$1"
	elif [ "${plan_state[$1]}" = down ]; then
		# Who has no quorum does not take a report.
		[ "$round_proof" != told ] || [ -n "${plan_told[$1]}" ] || [ "$impaired" != 1 ] || {
			plan_step "$pause" fenced "$1" 0 -
			plan_told[$1]=1
		}
	elif [ "$drawn" = 4 ]; then
		plan_cut "$1"
	fi
}

# The same process dies on all nodes that are up.
plan_fault_of_all() {
	local k words=(kill)
	[ "$round_proof" = delay ] || words+=(corokill)
	draw_word "${words[@]}"
	for k in $ALL_NODES; do
		[ "${plan_state[k]}" = up ] || continue
		if [ "$drawn" = kill ]; then
			plan_step "$pause" kill "$k" 0 nodaemon
			plan_stale[k]=1
		else
			plan_step "$pause" corokill "$k" 0 nocorosync
		fi
		pause=0
	done
}

# A daemon that was killed copies nothing until its table is loaded anew.
plan_calm() {
	local k
	for k in $ALL_NODES; do
		plan_undo "$k"
	done
	plan_step 0 calm 0 0 -
	for k in $ALL_NODES; do
		[ -z "${plan_stale[k]}" ] || plan_step 0 reload "$k" 0 -
		plan_stale[k]='' plan_busy[k]=''
	done
	plan_step 0 calm 0 0 -
}

plan_round() { # SEED NUMBER END
	local k steps pause impaired
	local -a plan_state plan_busy plan_stale plan_told
	plan=()
	round_seed=$1
	draw_seed "$1" "$2"
	draw_word told boot delay
	round_proof=$drawn round_options=
	# Longer than all nodes need to meet again after a freeze, and than a watchdog lets a node live.
	[ "$round_proof" != delay ] || round_options+=" --takeover-delay=4"
	draw_word "" " --hot-regions=16" " --idle-release=1" " --hot-regions=16 --idle-release=1"
	round_options+=$drawn
	draw_word "" "" " --resync-rate=2M"
	round_options+=$drawn
	draw_word 0 5 20
	round_leg_ms=$drawn
	draw_word quiet busy busy
	[ "$2" != 1 ] || drawn=quiet # else nothing has ever been in sync
	round_begin=$drawn
	draw_word cut cut cut close
	round_end=${3:-$drawn}
	for k in $ALL_NODES; do
		plan_state[$k]=up plan_busy[$k]='' plan_stale[$k]='' plan_told[$k]=''
	done
	[ "$round_begin" = quiet ] || for k in $ALL_NODES; do plan_busy[$k]=1; done
	draw 14
	for ((steps = drawn + 8; steps > 0; steps--)); do
		plan_pause
		draw 20
		case $drawn in
		0 | 1 | 2 | 3) plan_step "$pause" freeze 0 0 - ;;
		4) [ "$steps" = 1 ] || plan_calm ;;
		5) plan_fault_of_all ;;
		*)
			draw "$NODES"
			k=$((drawn + 1)) impaired=0
			for drawn in "${plan_state[@]}"; do [ "$drawn" = up ] || impaired=$((impaired + 1)); done
			if [ "${plan_state[$k]}" != up ]; then
				plan_impaired "$k"
			elif [ "$impaired" -lt 2 ]; then
				plan_fault "$k"
			fi
			;;
		esac
	done
	[ "$round_end" != close ] || plan_calm
}
