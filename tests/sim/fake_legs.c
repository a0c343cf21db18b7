/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contents of the legs, by versions: every write of a cell has a number of its own.
 *
 * A leg has a volatile cache.  A cell of a leg has one durable version, versions that are cached (completed,
 * not flushed) and versions in flight; a power cut leaves any one of all these, on each leg as it likes.
 * Cached contents become durable by a flush that began after they had been completed, or on their own
 * (a cache writes back when it likes, but never a newer version before forgetting the older).
 */
#include <assert.h>
#include <string.h>

#include "sim.h"

uint32_t cell_current(const struct cell *cell)
{
	return cell->cached_count > 0 ? cell->cached[cell->cached_count - 1] : cell->durable;
}

void cell_begin(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t cell,
		uint32_t version)
{
	struct cell *c = &mirror->legs[leg].cells[cell];

	INVARIANT(sim, c->inflight_count < INFLIGHT_MAX);
	if (sim->failed)
		return;
	c->inflight[c->inflight_count++] = version;
}

/* The oldest `count` cached versions leave the cache for the medium. */
static void cell_write_back(struct cell *c, uint32_t count)
{
	if (count == 0)
		return;
	c->durable = c->cached[count - 1];
	c->cached_count = (uint8_t)(c->cached_count - count);
	memmove(c->cached, c->cached + count, c->cached_count * sizeof(c->cached[0]));
	memmove(c->cached_at, c->cached_at + count, c->cached_count * sizeof(c->cached_at[0]));
}

static void cell_cache(struct sim *sim, struct leg *leg, uint32_t cell, uint32_t version)
{
	struct cell *c = &leg->cells[cell];

	if (c->cached_count == CACHED_MAX)
		cell_write_back(c, 1);
	c->cached[c->cached_count] = version;
	c->cached_at[c->cached_count++] = ++leg->completions;
	if (!c->listed) {
		c->listed = true;
		leg->listed[leg->listed_count++] = cell;
	}
	if (rng_one_in(&sim->rng, sim->profile.destage_one_in))
		cell_write_back(c, 1 + rng_below(&sim->rng, c->cached_count));
}

void cell_end(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t cell, uint32_t version,
	      bool landed)
{
	struct cell *c = &mirror->legs[leg].cells[cell];
	uint32_t at = 0;

	while (at < c->inflight_count && c->inflight[at] != version)
		at++;
	if (at == c->inflight_count)
		return; /* the leg was replaced meanwhile */
	c->inflight[at] = c->inflight[--c->inflight_count];
	if (landed)
		cell_cache(sim, &mirror->legs[leg], cell, version);
}

void leg_flushed(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t started_at)
{
	struct leg *l = &mirror->legs[leg];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->listed_count; i++) {
		uint32_t cell = l->listed[i];
		struct cell *c = &l->cells[cell];
		uint32_t count = 0;

		while (count < c->cached_count && c->cached_at[count] <= started_at)
			count++;
		cell_write_back(c, count);
		c->listed = c->cached_count > 0;
		if (c->listed)
			l->listed[kept++] = cell;
		if (count > 0)
			clean_cells_changed(sim, mirror, cell, 1);
	}
	l->listed_count = kept;
}

void leg_cache_lost(struct sim *sim, struct mirror *mirror, uint32_t leg)
{
	struct leg *l = &mirror->legs[leg];

	for (uint32_t i = 0; i < l->listed_count; i++) {
		struct cell *c = &l->cells[l->listed[i]];

		cell_write_back(c, rng_below(&sim->rng, c->cached_count + 1u));
		c->cached_count = 0;
		c->listed = false;
	}
	l->listed_count = 0;
}

void leg_scramble(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t from_cell)
{
	struct leg *l = &mirror->legs[leg];

	/* Contents that were never written are negative, as it were: older than anything. */
	for (uint32_t cell = from_cell; cell < mirror->cells_max; cell++) {
		bool listed = l->cells[cell].listed;

		l->cells[cell] = (struct cell){
			.durable = rng_one_in(&sim->rng, 2) ? 0 : SCRAMBLED + leg,
			.listed = listed,
		};
	}
}

void legs_make_equal(struct sim *sim, struct mirror *mirror)
{
	for (uint32_t leg = 0; leg < mirror->leg_count; leg++) {
		struct leg *l = &mirror->legs[leg];

		for (uint32_t cell = 0; cell < mirror->cells_max; cell++) {
			if (leg > 0)
				l->cells[cell] = (struct cell){
					.durable = mirror->legs[0].cells[cell].durable
				};
			l->cells[cell].cached_count = 0;
			l->cells[cell].listed = false;
		}
		l->listed_count = 0;
	}
	clean_renew(sim, mirror);
}

bool cell_equal(const struct mirror *mirror, uint32_t cell, bool in_all_outcomes)
{
	uint32_t version = cell_current(&mirror->legs[0].cells[cell]);

	for (uint32_t leg = 0; leg < mirror->leg_count; leg++) {
		const struct cell *c = &mirror->legs[leg].cells[cell];

		if (cell_current(c) != version)
			return false;
		for (uint32_t i = 0; i < c->inflight_count; i++)
			if (c->inflight[i] != version)
				return false;
		if (!in_all_outcomes)
			continue;
		if (c->durable != version)
			return false;
		for (uint32_t i = 0; i < c->cached_count; i++)
			if (c->cached[i] != version)
				return false;
	}
	return true;
}
