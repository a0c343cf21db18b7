/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 3: nobody writes a region while it is copied (windows voided in the order apart, which are counted), none is
 * copied twice at once, no copy touches a leg after POSTSUSPEND was answered.
 * And only what is out of sync is copied: after a crash that is what was not clean on the log device at the cut.
 */
#include <inttypes.h>
#include "sim.h"
#include "words_codec.h"

/* Sums up over the cells of the region that the cell lies in. */
static uint32_t region_count_cells(const struct mirror *mirror, const uint16_t *counts,
				   uint32_t cell)
{
	uint32_t cells = mirror->geometry.region_cells;
	uint32_t first = cell / cells * cells;
	uint32_t sum = 0;

	for (uint32_t i = first; i < first + cells && i < mirror->geometry.cell_count; i++)
		sum += counts[i];
	return sum;
}

void copy_check_write(struct sim *sim, const struct bio *bio)
{
	const struct mirror *mirror = bio->dev->mirror;

	if (region_count_cells(mirror, mirror->cell_copies, bio->first_cell) > 0)
		violate(sim, "3",
			"version %u is written to region %" PRIu64 " while that is copied",
			bio->version, bio->region);
}

static bool overlaps(const struct copy *a, const struct copy *b)
{
	return a->mirror == b->mirror && a->first_cell < b->first_cell + b->cell_count &&
	       b->first_cell < a->first_cell + a->cell_count;
}

void copy_check_start(struct sim *sim, const struct copy *copy)
{
	const struct mirror *mirror = copy->mirror;
	uint64_t region = copy->region;

	if (copy->live->suspended_answered || copy->live != copy->node->devs[mirror->index].active)
		violate(sim, "3", "region %" PRIu64 " is copied with a table that is suspended",
			region);
	if (copy->voided) /* its owner has left, and does not know it yet */
		return;
	if (region_count_cells(mirror, mirror->cell_writes, copy->first_cell) > 0)
		violate(sim, "3", "region %" PRIu64 " is copied while it is written", region);
	for (uint32_t i = 0; i < mirror->copy_count; i++)
		if (overlaps(mirror->copies[i], copy))
			violate(sim, "3", "region %" PRIu64 " is copied twice at once", region);
	if (copy->first_cell != region * mirror->geometry.region_cells)
		violate(sim, "3", "region %" PRIu64 " does not begin at cell %u", region,
			copy->first_cell);
	if ((mirror->may_copy[region / 64] >> region % 64 & 1) == 0)
		violate(sim, "3", "region %" PRIu64 " is copied although it was clean", region);
}

void copy_check_write_piece(struct sim *sim, const struct copy *copy)
{
	if (copy->live->suspended_answered)
		violate(sim, "3", "the copy of region %" PRIu64 " touches a leg after POSTSUSPEND",
			copy->region);
}

void copy_note_synced(struct mirror *mirror, uint64_t region)
{
	mirror->may_copy[region / 64] &= ~(UINT64_C(1) << region % 64);
}

static void add_words(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	struct mirror *mirror = context;

	for (uint64_t w = first_word; w < first_word + count && w < mirror->clean.words; w++)
		mirror->may_copy[w] |= word;
}

/* What it sends is judged by what is known then: the member that it holds for may have let go when it is delivered. */
void copy_check_losing(struct sim *sim, const struct node *sender, const struct mirror *mirror,
		       const struct group_message *message)
{
	if (sim->counts.legs_failed == 0 && sim->counts.disk_errors == 0 && sender->served == 0 &&
	    !somebody_is_held_for(sim, mirror) && (sim->node_count == 1 || !sim->group.departures))
		violate(sim, "3", "%u regions are lost, first %" PRIu64 ", and no leg has failed",
			message->region_count, message->regions[0]);
}

void copy_note_lost(struct mirror *mirror, const struct group_message *message)
{
	/* What a slot covers, or everything when it cannot be read; or what a state had that did not count. */
	if (message->data_bytes > 0)
		(void)words_decode(message->data, message->data_bytes, mirror->clean.words,
				   add_words, mirror);
	for (uint32_t j = 0; j < message->region_count; j++) {
		uint64_t region = message->regions[j];

		if (region / 64 < mirror->clean.words)
			mirror->may_copy[region / 64] |= UINT64_C(1) << region % 64;
	}
}
