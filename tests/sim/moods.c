/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mood of a seed: in one of three, faults and load come together that hardly ever do by chance.
 *
 * Drawn from a generator of its own, after all else: the other seeds stay as they are.
 */
#include "sim.h"

static void no_faults(struct profile *profile)
{
	profile->weight_node_crash = profile->weight_daemon_crash = 0;
	profile->weight_disk = profile->weight_leg = profile->weight_operator = 0;
	profile->weight_partition = profile->weight_engine = 0;
	profile->weight_pause = profile->weight_all = profile->weight_path = 0;
	profile->disk_error_one_in = profile->lost_request_one_in = 0;
}

/* The kernel goes on for long without a question: what it writes it has marked already. */
static void hot_writes(struct profile *profile)
{
	profile->hot_percent = 100;
	profile->few_hot = true;
	profile->think_ms = 2;
	profile->depth = 40;
	profile->read_percent = profile->flush_percent = 0;
	profile->status_ms = 5000;
	profile->admin_ms = 10000;
	profile->slow_io_one_in = 4;
	profile->slow_io_ms = 50;
}

/* Copies last longer than a window may. */
static void slow_copies(struct rng *rng, struct profile *profile)
{
	profile->slow_copy_one_in = rng_one_in(rng, 2) ? 2 : 8;
	profile->config.resync_bytes_per_second = 0;
	profile->config.copies_in_flight = 4;
}

/* Daemons die under a busy kernel; time proves what it may. */
static void dead_daemons(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	hot_writes(profile);
	profile->weight_daemon_crash = 1;
	profile->fault_events = 200;
	if (profile->nodes == 1 || profile->two_node)
		return;
	profile->proof = PROOF_TIME;
	profile->config.takeover_delay_ms = rng_one_in(rng, 2) ? 200 : 2000;
}

/* Nodes are cut off while they are busy, and go on until the watchdog ends them. */
static void cut_off(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	hot_writes(profile);
	profile->weight_partition = 1;
	profile->fault_events = 200;
	profile->token_ms = 50;
	profile->boot_ms = 2000;
	if (profile->nodes == 1 || profile->two_node)
		return;
	profile->proof = PROOF_TIME;
	profile->config.takeover_delay_ms = rng_one_in(rng, 2) ? 5000 : 20000;
}

/* Nodes and tables come and go, and writes of the log device that nobody waits for any more are still under way. */
static void churn(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->weight_node_crash = 1;
	profile->fault_events = 60;
	profile->boot_ms = 2000;
	profile->token_ms = 50;
	profile->admin_ms = 200;
	profile->slow_io_one_in = rng_one_in(rng, 2) ? 4 : 20;
	profile->slow_io_ms = 2000;
	profile->log_types_change = rng_one_in(rng, 2);
	if (profile->nodes > 1)
		profile->proof = PROOF_FENCING;
}

/* Core logs, with whatever else the seed has. */
static void core_logs(struct rng *rng, struct profile *profile)
{
	(void)rng;
	profile->core_logs = true;
	profile->weight_disk = profile->weight_path = 0;
	if (profile->weight_node_crash == 0)
		profile->weight_node_crash = 1;
	if (profile->nodes > 1)
		profile->proof = PROOF_FENCING;
}

/* Both halves of two nodes go on, each on its own, while copies last; soon one of them is fenced. */
static void halves(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->few_regions = true;
	profile->think_ms = rng_one_in(rng, 2) ? 2 : 20;
	profile->depth = 8;
	profile->read_percent = 10;
	profile->flush_percent = 0;
	profile->hot_percent = 50;
	profile->status_ms = 5000;
	profile->admin_ms = 10000;
	profile->slow_io_one_in = rng_one_in(rng, 2) ? 4 : 20;
	profile->slow_io_ms = 50;
	profile->two_node = profile->nodes == 2;
	profile->proof = PROOF_FENCING;
	profile->weight_partition = 1;
	profile->fault_events = 200;
	profile->token_ms = 50;
	profile->boot_ms = 2000;
	profile->fence_ms = rng_one_in(rng, 2) ? 500 : 3000;
	slow_copies(rng, profile);
	profile->slow_copy_write_one_in = 2;
}

/* No daemon is left, and where the node goes on the kernel does, too: who boots first finds slots of the living. */
static void new_daemons(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	hot_writes(profile);
	profile->few_regions = true;
	profile->slow_io_one_in = rng_one_in(rng, 2) ? 20 : 100;
	profile->slow_io_ms = 8000;
	profile->weight_each = 1;
	profile->fault_events = 600;
	profile->boot_ms = 2000;
	profile->token_ms = 50;
	profile->proof = PROOF_NONE;
	profile->config.takeover_delay_ms = 0;
	profile->config.slot_count = 2 * profile->nodes;
	profile->few_slots = false;
}

/* One node after the other goes over to another log device, at length. */
static void rolling(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->few_regions = true;
	profile->think_ms = 50;
	profile->depth = 8;
	profile->read_percent = profile->flush_percent = 0;
	profile->hot_percent = 0;
	profile->together = profile->nodes > 1;
	profile->rolls = true;
	profile->admin_ms = 1000;
	profile->change_ms = rng_one_in(rng, 2) ? 500 : 3000;
	profile->config.resync_bytes_per_second = 0;
}

/* Nodes are cut off for a moment, each in the middle of writes to a region of its own that is never copied for that. */
static void cut_short(struct rng *rng, struct profile *profile)
{
	(void)rng;
	no_faults(profile);
	hot_writes(profile);
	profile->few_regions = profile->own_hot = true;
	profile->hot_percent = 90;
	profile->think_ms = 50;
	profile->depth = 8;
	profile->weight_partition = 1;
	profile->fault_events = 300;
	profile->token_ms = 50;
	profile->cut_ms = 3000;
	profile->try_again_one_in = 3;
	profile->slow_io_one_in = 20;
	profile->slow_io_ms = 2000;
	profile->proof = PROOF_NONE;
	profile->two_node = false;
	profile->config.resync_bytes_per_second = 0;
	profile->config.takeover_delay_ms = 0;
}

/* Who wrote the base is out of sight, and its writes land late, while legs fail under the others. */
static void late_base(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->few_regions = true;
	profile->think_ms = 20;
	profile->depth = 8;
	profile->read_percent = profile->flush_percent = 0;
	profile->hot_percent = 0;
	profile->status_ms = 5000;
	profile->admin_ms = 10000;
	profile->weight_partition = 1;
	profile->weight_pause = 1;
	profile->weight_leg = 2;
	profile->fault_events = 200;
	profile->token_ms = 50;
	profile->slow_base_one_in = rng_one_in(rng, 2) ? 1 : 2;
	profile->slow_io_one_in = rng_one_in(rng, 2) ? 0 : 20;
	profile->slow_io_ms = 50;
	profile->proof = PROOF_NONE;
	profile->two_node = false;
	profile->config.idle_ms = 10;
	profile->config.hot_regions = 8;
	profile->config.resync_bytes_per_second = 0;
	profile->config.takeover_delay_ms = 0;
}

/* Logs that nobody can open, until somebody can, while copies last. */
static void no_log(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->few_regions = true;
	profile->think_ms = 50;
	profile->depth = 8;
	profile->read_percent = profile->flush_percent = 0;
	profile->hot_percent = 0;
	profile->status_ms = 5000;
	profile->admin_ms = rng_one_in(rng, 2) ? 500 : 2000;
	profile->weight_disk = 1;
	profile->fault_events = 200;
	profile->slow_io_one_in = 20;
	profile->slow_io_ms = 50;
	slow_copies(rng, profile);
	profile->slow_copy_write_one_in = 2;
}

/* Two halves meet again, of which one has copied what the other has not; the base is read late, copies last. */
static void halves_meet(struct rng *rng, struct profile *profile)
{
	halves(rng, profile);
	profile->proof = PROOF_NONE;
	profile->cut_ms = 3000;
	profile->fault_events = 600;
	profile->think_ms = 50;
	profile->admin_ms = 1000;
	profile->slow_head_one_in = 2;
	profile->config.idle_ms = 10;
	profile->config.hot_regions = 8;
}

/* Daemons are killed again and again, and started at once, while legs fail and holds are let go all the time. */
static void killed(struct rng *rng, struct profile *profile)
{
	no_faults(profile);
	profile->few_regions = true;
	profile->think_ms = rng_one_in(rng, 2) ? 2 : 20;
	profile->depth = 8;
	profile->read_percent = 10;
	profile->flush_percent = 0;
	profile->hot_percent = 50;
	profile->status_ms = 500;
	profile->admin_ms = 10000;
	profile->weight_daemon_crash = 2;
	profile->weight_leg = 1;
	profile->fault_events = 100;
	profile->down_ms = 300;
	profile->slow_io_one_in = 20;
	profile->slow_io_ms = 50;
	profile->fd_store = true;
	profile->config.idle_ms = rng_one_in(rng, 2) ? 10 : 100;
	profile->config.hot_regions = 8;
	profile->config.resync_bytes_per_second = 0;
}

static const struct {
	const char *name;
	void (*choose)(struct rng *rng, struct profile *profile);
} moods[] = {
	{ "slow-copies", slow_copies },
	{ "dead-daemons", dead_daemons },
	{ "cut-off", cut_off },
	{ "churn", churn },
	{ "core-logs", core_logs },
	/* by name only */
	{ "halves", halves },
	{ "new-daemons", new_daemons },
	{ "rolling", rolling },
	{ "cut-short", cut_short },
	{ "late-base", late_base },
	{ "no-log", no_log },
	{ "halves-meet", halves_meet },
	{ "killed", killed },
};

#define MOODS_DRAWN 5

const char *mood_name(uint32_t mood)
{
	return mood < sizeof(moods) / sizeof(moods[0]) ? moods[mood].name : NULL;
}

void mood_choose(struct sim *sim, struct profile *profile)
{
	struct rng rng;
	uint32_t mood;

	rng_seed(&rng, ~sim->options->seed);
	mood = rng_below(&rng, 3 * MOODS_DRAWN);
	if (sim->options->mood != 0)
		mood = sim->options->mood - 1;
	if (sim->options->mood != 0 || mood < MOODS_DRAWN)
		moods[mood].choose(&rng, profile);
}
