/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The application above a mirror: reads, writes, flushes.
 *
 * It never has two writes to one cell under way, as no file system does: their order on the legs would be nobody's.
 * It remembers what it was promised: see read_check().
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* It looks again after so long: with all I/O out that it may have; without a device. */
#define WAIT_MS 50
#define ABSENT_MS 500

/* A region, as a rule of a few that are hot, then some cells of it. */
static void choose_cells(struct sim *sim, const struct dmdev *dev, struct bio *bio)
{
	const struct geometry *geometry = &dev->mirror->geometry;
	uint32_t regions = (uint32_t)geometry->region_count;
	uint32_t region = rng_below(&sim->rng, regions);
	uint32_t first, cells;

	if (rng_below(&sim->rng, 100) < sim->profile.hot_percent)
		region = sim->profile.own_hot ? dev->node->index % regions :
			 sim->profile.few_hot ? region % 2 :
						region % (1 + regions / 8);
	first = region * geometry->region_cells;
	cells = geometry->region_cells;
	if (first + cells > geometry->cell_count)
		cells = geometry->cell_count - first;
	bio->first_cell = first + rng_below(&sim->rng, cells);
	cells -= bio->first_cell - first;
	if (cells > BIO_CELLS_MAX)
		cells = BIO_CELLS_MAX;
	bio->cell_count = rng_one_in(&sim->rng, 4) ? cells : 1;
}

static bool cells_busy(const struct mirror *mirror, const struct bio *bio)
{
	for (uint32_t i = 0; i < bio->cell_count; i++)
		if (mirror->busy[bio->first_cell + i])
			return true;
	return false;
}

static void begin_write(struct sim *sim, struct mirror *mirror, struct bio *bio)
{
	const struct node *node = bio->dev->node;

	bio->op = BIO_WRITE;
	bio->version = ++mirror->version;
	for (uint32_t i = 0; i < bio->cell_count; i++)
		mirror->busy[bio->first_cell + i] = (uint8_t)(node->index + 1);
	sim->counts.writes++;
	NOTE(sim, "write", bio->first_cell, bio->version,
	     "node %u: write version %u to cells %u+%u", node->index, bio->version, bio->first_cell,
	     bio->cell_count);
}

static void begin_read(struct sim *sim, const struct mirror *mirror, struct bio *bio)
{
	bio->op = BIO_READ;
	for (uint32_t i = 0; i < bio->cell_count; i++)
		bio->floor[i] = mirror->done_floor[bio->first_cell + i];
	sim->counts.reads++;
	NOTE(sim, "read", bio->first_cell, bio->floor[0],
	     "node %u: read cells %u+%u, at least version %u", bio->dev->node->index,
	     bio->first_cell, bio->cell_count, bio->floor[0]);
}

void application_next(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	struct bio *bio;
	uint32_t dice = rng_below(&sim->rng, 100);

	if (sim->phase != PHASE_RUN)
		return;
	if (dev->active == NULL || dev->outstanding >= sim->profile.depth) {
		schedule_in(sim,
			    1 + rng_below(&sim->rng, dev->active == NULL ? ABSENT_MS : WAIT_MS),
			    ITEM_APPLICATION, dev->node, dev);
		return;
	}
	schedule_in(sim, rng_below(&sim->rng, sim->profile.think_ms + 1), ITEM_APPLICATION,
		    dev->node, dev);
	bio = pool_get(sim, POOL_BIO);
	bio->dev = dev;
	choose_cells(sim, dev, bio);
	if (dice < sim->profile.read_percent) {
		begin_read(sim, mirror, bio);
	} else if (dice < sim->profile.read_percent + sim->profile.flush_percent) {
		bio->op = BIO_FLUSH;
		bio->first_cell = 0;
		bio->cell_count = 1;
		bio->flush_until = mirror->acknowledged_dropped + mirror->acknowledged_count;
		NOTE(sim, "flush", bio->flush_until, 0, "flush");
	} else if (cells_busy(mirror, bio)) {
		pool_put(sim, POOL_BIO, bio);
		return;
	} else {
		begin_write(sim, mirror, bio);
	}
	dev->outstanding++;
	dm_submit(sim, dev, bio);
}

static void acknowledge(struct sim *sim, struct mirror *mirror, const struct bio *bio)
{
	for (uint32_t i = 0; i < bio->cell_count; i++) {
		uint32_t cell = bio->first_cell + i;

		mirror->done_floor[cell] = bio->version;
		if (mirror->acknowledged_count == mirror->acknowledged_size) {
			uint32_t size = 2 * mirror->acknowledged_size;
			struct acknowledged *larger = sim_alloc(sim, size * sizeof(*larger));

			memcpy(larger, mirror->acknowledged,
			       mirror->acknowledged_count * sizeof(*larger));
			mirror->acknowledged = larger;
			mirror->acknowledged_size = size;
		}
		mirror->acknowledged[mirror->acknowledged_count++] =
			(struct acknowledged){ cell, bio->version };
	}
}

/* What had been acknowledged when the flush began survives a power cut from now on. */
static void flushed(struct mirror *mirror, uint64_t until)
{
	uint32_t count = 0;

	if (until > mirror->acknowledged_dropped)
		count = (uint32_t)(until - mirror->acknowledged_dropped);
	for (uint32_t i = 0; i < count; i++) {
		const struct acknowledged *entry = &mirror->acknowledged[i];

		if (mirror->flushed_floor[entry->cell] < entry->version &&
		    mirror->done_floor[entry->cell] >= entry->version)
			mirror->flushed_floor[entry->cell] = entry->version;
	}
	mirror->acknowledged_count -= count;
	mirror->acknowledged_dropped += count;
	memmove(mirror->acknowledged, mirror->acknowledged + count,
		mirror->acknowledged_count * sizeof(mirror->acknowledged[0]));
}

void application_done(struct sim *sim, struct bio *bio, int error)
{
	struct dmdev *dev = bio->dev;
	struct mirror *mirror = dev->mirror;

	NOTE(sim, "bio", bio->version, (uint64_t)-error,
	     "node %u: %s of cells %u+%u (version %u) ends: %d", dev->node->index,
	     bio->op == BIO_READ  ? "read" :
	     bio->op == BIO_WRITE ? "write" :
				    "flush",
	     bio->first_cell, bio->cell_count, bio->version, error);
	if (error != 0)
		sim->counts.eio++;
	if (bio->op == BIO_WRITE) {
		for (uint32_t i = 0; i < bio->cell_count; i++)
			mirror->busy[bio->first_cell + i] = 0;
		if (error == 0 && bio->unpromised)
			sim->counts.swallowed++; /* raid1_write_single() */
		else if (error == 0)
			acknowledge(sim, mirror, bio);
	} else if (bio->op == BIO_FLUSH && error == 0) {
		flushed(mirror, bio->flush_until);
	}
	dev->outstanding--;
	pool_put(sim, POOL_BIO, bio);
}

void application_crash(struct mirror *mirror, const struct node *node)
{
	for (uint32_t cell = 0; cell < mirror->cells_max; cell++)
		if (mirror->busy[cell] == node->index + 1)
			mirror->busy[cell] = 0;
}

void application_power_cut(struct mirror *mirror)
{
	memcpy(mirror->done_floor, mirror->flushed_floor,
	       mirror->cells_max * sizeof(mirror->done_floor[0]));
	mirror->acknowledged_dropped += mirror->acknowledged_count;
	mirror->acknowledged_count = 0;
}
