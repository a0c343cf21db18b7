/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 4: what has been acknowledged is never followed by a read of older data, while a leg that has it
 * is healthy.
 *
 * Excused, and counted: a leg that lost acknowledged data in a failed flush (nobody can tell the kernel), and a
 * never-synced region whose primary leg has failed.
 */
#include "sim.h"

static bool some_leg_has(const struct mirror *mirror, uint32_t cell, uint32_t version)
{
	for (uint32_t i = 0; i < mirror->leg_count; i++)
		if (!mirror->legs[i].dead && !mirror->legs[i].reads_fail &&
		    cell_current(&mirror->legs[i].cells[cell]) >= version)
			return true;
	return false;
}

static bool any_suspect(const struct mirror *mirror)
{
	for (uint32_t i = 0; i < mirror->leg_count; i++)
		if (mirror->legs[i].suspect)
			return true;
	return false;
}

static bool never_synced(const struct bio *bio)
{
	struct core_view view;
	uint64_t word = bio->region / 64;

	return view_of_mirror(bio->dev->node, bio->dev->mirror, &view) &&
	       (view.out[word] & ~view.lost[word]) >> bio->region % 64 & 1;
}

void read_check(struct sim *sim, const struct bio *bio, const uint32_t *versions)
{
	const struct mirror *mirror = bio->dev->mirror;

	for (uint32_t i = 0; i < bio->cell_count; i++) {
		uint32_t cell = bio->first_cell + i;

		if (versions[i] >= bio->floor[i] || !some_leg_has(mirror, cell, bio->floor[i]))
			continue;
		if (any_suspect(mirror) || (bio->leg != 0 && never_synced(bio))) {
			sim->counts.stale_excused++;
			continue;
		}
		violate(sim, "4", "cell %u of leg %u reads version %u after %u was acknowledged",
			cell, bio->leg, versions[i], bio->floor[i]);
	}
}
