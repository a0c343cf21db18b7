/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 1: a region whose legs may differ is not clean on the log device, at any instant.
 *
 * "May differ" is over all outcomes of a power cut now: cached and in-flight contents of each leg kept or
 * dropped.  "Clean" is over all outcomes of the writes to the log device under way: blocks are kept or dropped independently.
 * Both are bitmaps kept up to date: `differ` when cells change, `possible` (disk_truth.c) when the log device does; after
 * each change the regions touched are compared, so after every event all are.
 * A mirror whose live table has a core log: a region whose legs differ now (the log does not outlive a power cut)
 * is held by somebody or out of sync, as each member with the state and quorum knows: all others may die now.  Who is behind
 * the others is no exception, but for views: where some have left and it has not delivered that, it decides nothing before.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static void bit_put(uint64_t *words, uint64_t bit, bool set)
{
	uint64_t mask = UINT64_C(1) << bit % 64;

	if (set)
		words[bit / 64] |= mask;
	else
		words[bit / 64] &= ~mask;
}

static bool bit_get(const uint64_t *words, uint64_t bit)
{
	return words[bit / 64] >> bit % 64 & 1;
}

void clean_init(struct sim *sim, struct mirror *mirror)
{
	struct clean_oracle *clean = &mirror->clean;

	clean->words = mirror->cells_max / 64 + 1;
	clean->differ = sim_alloc(sim, clean->words * sizeof(uint64_t));
	clean->possible = sim_alloc(sim, clean->words * sizeof(uint64_t));
	clean->scratch = sim_alloc(sim, clean->words * sizeof(uint64_t));
	clean_renew(sim, mirror);
}

static bool region_differs(const struct mirror *mirror, const struct geometry *geometry,
			   uint64_t region)
{
	uint32_t first = (uint32_t)region * geometry->region_cells;
	uint32_t end = first + geometry->region_cells;

	if (end > mirror->geometry.cell_count)
		end = mirror->geometry.cell_count;
	for (uint32_t cell = first; cell < end; cell++)
		if (!cell_equal(mirror, cell, mirror->truth == TRUTH_DISK))
			return true;
	return false;
}

static void violate_clean(struct sim *sim, const struct mirror *mirror, uint64_t region)
{
	const struct geometry *geometry = &mirror->clean.geometry;
	char text[300] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < geometry->region_cells && at < sizeof(text) - 80; i++) {
		uint32_t cell = (uint32_t)region * geometry->region_cells + i;

		if (cell >= mirror->geometry.cell_count)
			break;
		for (uint32_t leg = 0; leg < mirror->leg_count && at < sizeof(text) - 80; leg++) {
			const struct cell *c = &mirror->legs[leg].cells[cell];
			int n = snprintf(text + at, sizeof(text) - at, " %u.%u:%u/%u", cell, leg,
					 c->durable, cell_current(c));

			at += n > 0 ? (size_t)n : 0;
		}
	}
	violate(sim, "1", "region %" PRIu64 " of mirror %u is clean, but (cell.leg:durable/now)%s",
		region, mirror->index, text);
}

/* Before it decides anything alone it delivers that others have left: then it knows that it does not know. */
static bool departures_to_come(const struct node *node)
{
	const struct membership *group = &node->group;

	return group->path_count > 1 ||
	       (group->path_count == 1 && (group->view & ~group->path[0].ring->members) != 0);
}

/* Core logs: what the core does not hold and calls in sync must not differ; but a core log does not flush, so it knows
 * nothing of a leg whose cache has been lost. */
static void check_core_region(struct sim *sim, struct mirror *mirror, uint64_t word)
{
	for (uint32_t i = 0; i < mirror->leg_count; i++)
		if (mirror->legs[i].suspect)
			return;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct core_view view;
		uint64_t bad;

		if (!view_of_mirror(&sim->nodes[i], mirror, &view) || !view.open || !view.active ||
		    view.everything_held || view.unwatched || departures_to_come(&sim->nodes[i]))
			continue;
		bad = mirror->clean.differ[word] & ~view.out[word] & ~view.held[word];
		if (bad != 0)
			bad &= ~core_view_holds(sim->nodes[i].daemon.core, view.index, word);
		if (bad != 0)
			violate_clean(sim, mirror, word * 64 + (uint64_t)__builtin_ctzll(bad));
	}
}

static void check_word(struct sim *sim, struct mirror *mirror, uint64_t word)
{
	const struct clean_oracle *clean = &mirror->clean;
	uint64_t bad = clean->differ[word] & clean->possible[word];

	if (mirror->truth == TRUTH_CORE) {
		if (clean->differ[word] != 0)
			check_core_region(sim, mirror, word);
	} else if (bad != 0 && !mirror->swallowed) {
		violate_clean(sim, mirror, word * 64 + (uint64_t)__builtin_ctzll(bad));
	}
}

void clean_cells_changed(struct sim *sim, struct mirror *mirror, uint32_t first_cell,
			 uint32_t count)
{
	const struct geometry *geometry = &mirror->clean.geometry;
	uint64_t region = first_cell / geometry->region_cells;
	uint64_t last = (first_cell + count - 1) / geometry->region_cells;

	for (; region <= last && region < geometry->region_count; region++) {
		bit_put(mirror->clean.differ, region, region_differs(mirror, geometry, region));
		check_word(sim, mirror, region / 64);
	}
}

static bool geometry_same(const struct geometry *a, const struct geometry *b)
{
	return a->region_count == b->region_count && a->region_sectors == b->region_sectors;
}

/* A device in the middle of a conversion may be read with another geometry: then region by region. */
static void check_other_geometry(struct sim *sim, struct mirror *mirror,
				 const struct disk_outcome *outcome)
{
	for (uint64_t region = 0; region < outcome->geometry.region_count; region++)
		if (bit_get(outcome->clean, region) && !mirror->swallowed &&
		    (region + 1) * outcome->geometry.region_cells <= mirror->cells_max &&
		    region_differs(mirror, &outcome->geometry, region))
			violate(sim, "1",
				"region %" PRIu64 " of mirror %u is clean in a geometry of %" PRIu64
				" regions of %u sectors, and its legs may differ",
				region, mirror->index, outcome->geometry.region_count,
				outcome->geometry.region_sectors);
}

static void outcome_add(struct sim *sim, struct mirror *mirror, const struct disk_outcome *outcome)
{
	struct clean_oracle *clean = &mirror->clean;

	if (outcome->nothing_clean)
		return;
	if (!geometry_same(&outcome->geometry, &clean->geometry)) {
		check_other_geometry(sim, mirror, outcome);
		return;
	}
	for (uint64_t word = 0; word <= (clean->geometry.region_count - 1) / 64; word++)
		clean->possible[word] |= outcome->clean[word];
}

static void differ_renew(struct mirror *mirror)
{
	struct clean_oracle *clean = &mirror->clean;

	memset(clean->differ, 0, clean->words * sizeof(uint64_t));
	for (uint64_t region = 0; region < clean->geometry.region_count; region++)
		bit_put(clean->differ, region, region_differs(mirror, &clean->geometry, region));
}

static void possible_renew(struct sim *sim, struct mirror *mirror)
{
	struct clean_oracle *clean = &mirror->clean;
	struct geometry geometry;

	if (mirror->truth == TRUTH_CORE)
		return;
	disk_truth_geometry(mirror, &geometry);
	if (!geometry_same(&geometry, &clean->geometry)) {
		clean->geometry = geometry;
		differ_renew(mirror);
	}
	memset(clean->possible, 0, clean->words * sizeof(uint64_t));
	disk_truth_outcomes(sim, mirror, outcome_add);
	for (uint64_t word = 0; word <= (clean->geometry.region_count - 1) / 64; word++)
		check_word(sim, mirror, word);
}

void clean_disk_changed(struct sim *sim, struct disk *disk)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		if (sim->mirrors[i].disk == disk)
			possible_renew(sim, &sim->mirrors[i]);
}

void clean_renew(struct sim *sim, struct mirror *mirror)
{
	struct clean_oracle *clean = &mirror->clean;

	clean->geometry = mirror->geometry;
	mirror->disk->slots_parsed = false;
	if (mirror->truth == TRUTH_DISK)
		disk_truth_geometry(mirror, &clean->geometry);
	differ_renew(mirror);
	memset(clean->possible, 0, clean->words * sizeof(uint64_t));
	possible_renew(sim, mirror);
}

void clean_check_core(struct sim *sim, struct node *node)
{
	(void)node;
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct mirror *mirror = &sim->mirrors[i];

		if (mirror->truth != TRUTH_CORE)
			continue;
		for (uint64_t word = 0; word <= (mirror->clean.geometry.region_count - 1) / 64;
		     word++)
			check_word(sim, mirror, word);
	}
}

void clean_add_may_copy(struct mirror *mirror, bool everything)
{
	for (uint64_t word = 0; word < mirror->clean.words; word++)
		mirror->may_copy[word] |= everything || mirror->truth == TRUTH_CORE ?
						  UINT64_MAX :
						  ~mirror->clean.possible[word];
}

void clean_note_may_copy(struct sim *sim, struct mirror *mirror, bool everything)
{
	struct clean_oracle *clean = &mirror->clean;

	if (sim->node_count > 1) { /* what others had lost is so still */
		clean_add_may_copy(mirror, everything);
		return;
	}
	for (uint64_t word = 0; word < clean->words; word++)
		mirror->may_copy[word] = everything || mirror->truth == TRUTH_CORE ?
						 UINT64_MAX :
						 ~clean->possible[word];
}
