/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a seed is like: sizes, load, faults and settings, all chosen from the seed.
 *
 * Small mirrors are the rule, since they bring conflicts; one region and thousands come up as well.
 */
#include <string.h>

#include "sim.h"

static uint32_t pick(struct rng *rng, const uint32_t *choices, uint32_t count)
{
	return choices[rng_below(rng, count)];
}

#define PICK(rng, ...)                               \
	pick(rng, (const uint32_t[]){ __VA_ARGS__ }, \
	     sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static void choose_config(struct sim *sim, struct core_config *config)
{
	struct rng *rng = &sim->rng;

	memset(config, 0, sizeof(*config));
	memcpy(config->cluster_name, sim->profile.nodes == 1 ? "none" : "test", 5);
	config->hot_regions = PICK(rng, 8, 8, 16, 64, 1024);
	config->idle_ms = PICK(rng, 10, 100, 1000, 5000);
	config->slot_count = PICK(rng, 1, 2, 4, 32);
	/* Former boots keep theirs for a while; whoever has none is held for (F19). */
	if (sim->profile.nodes > 1 && config->slot_count < 2 * sim->profile.nodes &&
	    !rng_one_in(rng, 8))
		config->slot_count = 2 * sim->profile.nodes;
	sim->profile.few_slots = sim->profile.nodes > 1 &&
				 config->slot_count < 2 * sim->profile.nodes;
	config->copies_in_flight = PICK(rng, 1, 2, 4, 8);
	config->resync_bytes_per_second = PICK(rng, 0, 0, 0, RESYNC_BYTES_PER_SECOND_MIN);
	config->takeover_delay_ms = 0;
}

static bool no_cluster_faults(const struct profile *profile)
{
	return profile->weight_node_crash + profile->weight_partition + profile->weight_engine +
		       profile->weight_pause + profile->weight_all ==
	       0;
}

static void no_faults_but_the_cut(struct profile *profile)
{
	profile->weight_node_crash = profile->weight_daemon_crash = 0;
	profile->weight_disk = profile->weight_leg = 0;
	profile->weight_partition = profile->weight_engine = 0;
	profile->weight_pause = profile->weight_all = profile->weight_path = 0;
	profile->weight_operator = 0;
	profile->disk_error_one_in = profile->lost_request_one_in = 0;
}

static void choose_proof(struct rng *rng, struct profile *profile)
{
	profile->two_node = profile->nodes == 2 && rng_one_in(rng, 2);
	profile->proof = PICK(rng, PROOF_NONE, PROOF_FENCING, PROOF_FENCING, PROOF_TIME);
	if (profile->proof == PROOF_TIME && (profile->two_node || profile->nodes == 1))
		profile->proof = PROOF_FENCING;
	if (profile->proof == PROOF_TIME)
		profile->config.takeover_delay_ms = PICK(rng, 5000, 20000, 60000);
	profile->boot_ms = profile->proof == PROOF_NONE ? PICK(rng, 2000, 60000, 300000) :
							  PICK(rng, 2000, 20000, 60000);
}

static void choose_cluster_faults(struct sim *sim, struct profile *profile)
{
	struct rng *rng = &sim->rng;

	profile->token_ms = PICK(rng, 50, 1000, 5000);
	profile->try_again_one_in = PICK(rng, 0, 0, 5, 100);
	profile->boot_ms = 60000;
	profile->down_ms = 20000;
	profile->fence_ms = 10000;
	profile->cut_ms = 30000;
	if (profile->nodes == 1)
		return;
	choose_proof(rng, profile);
	profile->weight_partition = PICK(rng, 0, 0, 1);
	profile->weight_engine = PICK(rng, 0, 0, 0, 1);
	profile->weight_pause = PICK(rng, 0, 0, 1);
	profile->weight_all = PICK(rng, 0, 0, 0, 1);
	profile->weight_path = PICK(rng, 0, 0, 0, 1);
	profile->weight_operator = PICK(rng, 0, 0, 0, 1);
}

static void choose_faults(struct sim *sim, struct profile *profile)
{
	const struct options *options = sim->options;
	struct rng *rng = &sim->rng;

	profile->fault_events = PICK(rng, 60, 200, 600, 2000);
	profile->weight_node_crash = PICK(rng, 0, 1, 4);
	profile->weight_daemon_crash = PICK(rng, 0, 0, 0, 1);
	profile->weight_disk = PICK(rng, 0, 0, 1);
	profile->weight_leg = PICK(rng, 0, 0, 0, 1);
	choose_cluster_faults(sim, profile);
	profile->slow_io_one_in = PICK(rng, 0, 4, 20, 100);
	profile->slow_io_ms = PICK(rng, 5, 50, 2000, 8000);
	profile->disk_error_one_in = PICK(rng, 0, 0, 0, 50, 1000);
	profile->lost_request_one_in = PICK(rng, 0, 0, 0, 300);
	profile->destage_one_in = PICK(rng, 0, 2, 20);
	profile->fd_store = rng_one_in(rng, 2);
	profile->change_ms = 100;
	profile->log_types_change = rng_one_in(rng, 4);
	profile->together = profile->nodes > 1 && !rng_one_in(rng, 4);
	mood_choose(sim, profile);
	features_leave_out(profile, options->without);
	if (options->cut_at != 0)
		no_faults_but_the_cut(profile);
	profile->punctual = profile->disk_error_one_in == 0 && profile->lost_request_one_in == 0 &&
			    profile->weight_disk == 0 && profile->weight_path == 0 &&
			    profile->slow_copy_one_in == 0 && profile->weight_daemon_crash == 0 &&
			    profile->weight_each == 0 &&
			    (profile->slow_io_one_in == 0 || profile->slow_io_ms <= 50) &&
			    (profile->nodes == 1 || no_cluster_faults(profile));
}

void profile_choose(struct sim *sim)
{
	struct profile *profile = &sim->profile;
	struct rng *rng = &sim->rng;

	profile->nodes = sim->options->nodes != 0 ? sim->options->nodes :
						    PICK(rng, 1, 2, 2, 3, 3, 3, 4, 5);
	profile->mirrors = rng_one_in(rng, 8) ? 2 : 1;
	profile->think_ms = PICK(rng, 0, 0, 2, 20, 200);
	profile->depth = PICK(rng, 1, 2, 8, 40);
	profile->read_percent = PICK(rng, 0, 10, 50, 90);
	profile->flush_percent = PICK(rng, 0, 2, 10);
	profile->hot_percent = PICK(rng, 0, 50, 95);
	profile->admin_ms = PICK(rng, 200, 2000, 10000);
	profile->status_ms = PICK(rng, 500, 5000);
	choose_config(sim, &profile->config);
	choose_faults(sim, profile);
}

/* Regions of a mirror. */
static uint32_t choose_regions(struct rng *rng, bool small)
{
	uint32_t dice = rng_below(rng, 1000);

	if (small)
		return 1 + rng_below(rng, 12);
	if (dice < 40)
		return 1;
	if (dice < 930)
		return 8 + rng_below(rng, 33);
	if (dice < 985)
		return 41 + rng_below(rng, 200);
	if (dice < 998)
		return 3000;
	return 40000; /* more than a slot's smallest bitmap has bits */
}

/* A device on which `regions` regions and the slots fit: barely, with granularity, or with room to spare. */
static uint64_t choose_device_bytes(struct rng *rng, uint64_t regions, uint32_t slots)
{
	struct disk_layout layout;
	uint64_t needed = 0;

	(void)disk_layout_compute(regions, slots, 4096, &layout, &needed);
	needed = (needed + 4095) & ~UINT64_C(4095);
	switch (rng_below(rng, 3)) {
	case 0:
		return needed;
	case 1:
		return needed + (regions / 8 + 4096) / 4096 * 4096;
	default:
		return needed * 2 + 65536;
	}
}

void profile_mirror(struct sim *sim, struct mirror *mirror)
{
	struct rng *rng = &sim->rng;
	uint32_t region_sectors = CELL_SECTORS * PICK(rng, 1, 2, 2, 2, 4, 8);
	uint32_t regions =
		choose_regions(rng, sim->options->cut_at != 0 || sim->profile.few_regions);
	uint32_t region_cells = region_sectors / CELL_SECTORS;
	uint32_t cells = regions * region_cells - rng_below(rng, region_cells);
	uint64_t cells_max = cells + (rng_one_in(rng, 2) ? cells / 2 : 0);

	mirror->leg_count = rng_one_in(rng, 4) ? 3 : 2;
	mirror->cells_max = (uint32_t)cells_max;
	geometry_set(&mirror->geometry, (uint64_t)cells * CELL_SECTORS, region_sectors);
	/* the administrator may change to regions of one cell */
	for (uint32_t i = 0; i < SIM_DISKS_MAX; i++)
		mirror->disks[i] = disk_new(sim, 8 + mirror->index * SIM_DISKS_MAX + i,
					    choose_device_bytes(rng, cells_max,
								sim->profile.config.slot_count),
					    PICK(rng, 512, 4096));
	mirror->disk = mirror->disks[0];
}
