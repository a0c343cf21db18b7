/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The region hash of a table: dm-region-hash.c, function by function.
 *
 * RECOVERING never arises, since GET_RESYNC_WORK is answered with none; a NOSYNC entry stays until the table is
 * gone.  Regions are few, so the hash is an array.
 */
#include "sim.h"

/* One CLEAR of so many is lost in the kernel (GFP_ATOMIC). */
#define CLEAR_LOST_ONE_IN 5000

uint64_t region_of_cell(const struct geometry *geometry, uint32_t cell)
{
	return cell / geometry->region_cells;
}

/* The log takes such a region for busy until it is written again: as if that had been done. */
static void clear_what_was_lost(struct table *table)
{
	for (uint64_t region = 0; region < table->geometry.region_count; region++) {
		if (!table->clear_lost[region] || table->state[region] != REGION_ABSENT)
			continue;
		table->clear_lost[region] = 0;
		table->clears[table->clear_count++] = region;
	}
}

/* dm_rh_update_states(): what has drained leaves the hash and is cleared in the log; clear_region() puts
 * the newest first.  The flush that follows is the worker's. */
void region_update_states(struct sim *sim, struct table *table)
{
	/* clean_regions is a stack, the log's clear_list too: the oldest is cleared first. */
	for (uint32_t i = table->clean_count; i-- > 0;) {
		uint64_t region = table->clean_list[i];

		if (!table->on_clean_list[region] || table->state[region] != REGION_CLEAN)
			continue;
		table->on_clean_list[region] = 0;
		table->state[region] = REGION_ABSENT;
		table->clear_lost[region] = rng_one_in(&sim->rng, CLEAR_LOST_ONE_IN);
		if (!table->clear_lost[region])
			table->clears[table->clear_count++] = region;
	}
	table->clean_count = 0;
	if (sim->phase != PHASE_RUN)
		clear_what_was_lost(table);
}

/* __rh_alloc() */
void region_insert(struct table *table, uint64_t region, bool in_sync)
{
	table->state[region] = in_sync ? REGION_CLEAN : REGION_NOSYNC;
	table->pending[region] = 0;
}

/* rh_inc(); the caller has seen to it that the region is in the hash. */
void region_inc(struct table *table, uint64_t region)
{
	table->pending[region]++;
	if (table->state[region] != REGION_CLEAN)
		return;
	table->state[region] = REGION_DIRTY;
	table->on_clean_list[region] = 0;
	table->marks[table->mark_count++] = region; /* userspace_mark_region() */
}

/* dm_rh_dec() */
void region_dec(struct sim *sim, struct table *table, uint64_t region)
{
	INVARIANT(sim, table->pending[region] > 0);
	if (sim->failed || --table->pending[region] > 0)
		return;
	if (table->flush_failure) {
		table->state[region] = REGION_NOSYNC;
	} else if (table->state[region] == REGION_DIRTY) {
		table->state[region] = REGION_CLEAN;
		table->on_clean_list[region] = 1;
		INVARIANT(sim, table->clean_count < 2 * table->geometry.region_count);
		table->clean_list[table->clean_count++] = region;
	}
	worker_wake(sim, table);
}

/* dm_rh_mark_nosync(), behind its SET_REGION_SYNC 0 */
void region_mark_nosync(struct table *table, uint64_t region)
{
	table->state[region] = REGION_NOSYNC;
}
