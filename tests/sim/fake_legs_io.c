/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O of the legs: writes, reads and flushes of the kernel, flushes and copies of the daemon.
 *
 * Each leg completes on its own.  A copy reads the first leg of the live table at one moment and writes the
 * others later, in up to two pieces each.  A flush covers what had been completed when it began.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static struct leg_io *leg_io_new(struct sim *sim, enum leg_io_kind kind, struct mirror *mirror,
				 uint32_t leg)
{
	struct leg_io *io = pool_get(sim, POOL_LEG_IO);

	io->kind = kind;
	io->mirror = mirror;
	io->leg = leg;
	io->started_at = mirror->legs[leg].completions;
	return io;
}

/* The leg is dead, or cannot be reached from the node. */
static bool leg_gone(const struct mirror *mirror, uint32_t leg, const struct node *node)
{
	return mirror->legs[leg].dead || (node->leg_path_failed >> leg & 1) != 0;
}

static void leg_io_of_bio(struct sim *sim, enum leg_io_kind kind, struct bio *bio, uint32_t leg)
{
	struct leg_io *io = leg_io_new(sim, kind, bio->dev->mirror, leg);

	io->bio = bio;
	io->first_cell = bio->first_cell;
	io->cell_count = bio->cell_count;
	schedule_io(sim, ITEM_LEG, bio->dev->node, io);
}

void legs_write(struct sim *sim, struct bio *bio, uint32_t leg)
{
	struct mirror *mirror = bio->dev->mirror;

	for (uint32_t i = 0; i < bio->cell_count; i++) {
		cell_begin(sim, mirror, leg, bio->first_cell + i, bio->version);
		mirror->cell_writes[bio->first_cell + i]++;
	}
	leg_io_of_bio(sim, LEG_WRITE, bio, leg);
	clean_cells_changed(sim, mirror, bio->first_cell, bio->cell_count);
}

void legs_read(struct sim *sim, struct bio *bio, uint32_t leg)
{
	leg_io_of_bio(sim, LEG_READ, bio, leg);
}

void legs_flush_for_kernel(struct sim *sim, struct bio *bio, uint32_t leg)
{
	leg_io_of_bio(sim, LEG_FLUSH, bio, leg);
}

void legs_flush_for_daemon(struct sim *sim, struct node *node, struct mirror *mirror,
			   uint32_t table)
{
	struct leg_flush *flush = pool_get(sim, POOL_LEG_FLUSH);

	flush->table = table;
	flush->left = mirror->leg_count;
	for (uint32_t leg = 0; leg < mirror->leg_count; leg++) {
		struct leg_io *io = leg_io_new(sim, LEG_FLUSH, mirror, leg);

		io->flush = flush;
		schedule_io(sim, ITEM_LEG, node, io);
	}
}

void legs_copy(struct sim *sim, struct node *node, const struct effect_copy *effect)
{
	struct daemon_table *table = &node->daemon.tables[effect->table];
	struct copy *copy = pool_get(sim, POOL_COPY);
	struct leg_io *io;

	copy->node = node;
	copy->live = table->live;
	copy->mirror = table->live->mirror;
	copy->table = effect->table;
	copy->region = effect->region;
	copy->first_cell = (uint32_t)(effect->offset_sectors / CELL_SECTORS);
	copy->cell_count = effect->length_sectors / CELL_SECTORS;
	if (copy->cell_count == 0 || copy->cell_count > 64 ||
	    copy->first_cell + copy->cell_count > copy->mirror->geometry.cell_count ||
	    copy->mirror->copy_count == COPIES_MAX) {
		violate(sim, "3", "bad copy of region %" PRIu64 ": cells %u+%u, mirror has %u",
			effect->region, copy->first_cell, copy->cell_count,
			copy->mirror->geometry.cell_count);
		return;
	}
	table->work++;
	copy->voided = window_is_void(sim, copy->mirror, node, copy->region);
	copy_check_start(sim, copy);
	copy->mirror->copies[copy->mirror->copy_count++] = copy;
	for (uint32_t i = 0; !copy->voided && i < copy->cell_count; i++)
		copy->mirror->cell_copies[copy->first_cell + i]++;
	sim->counts.copies++;
	sim->counts.copied_voided += copy->voided;
	io = leg_io_new(sim, LEG_COPY_READ, copy->mirror, 0);
	io->copy = copy;
	if (rng_one_in(&sim->rng, sim->profile.slow_copy_one_in))
		schedule_in(sim, 1 + rng_below(&sim->rng, SLOW_COPY_MS), ITEM_LEG, node, io);
	else
		schedule_io(sim, ITEM_LEG, node, io);
}

static void copy_uncount(struct copy *copy)
{
	for (uint32_t i = 0; i < copy->cell_count; i++)
		copy->mirror->cell_copies[copy->first_cell + i]--;
}

void copy_void_one(struct sim *sim, struct copy *copy)
{
	if (copy->voided)
		return;
	copy->voided = true;
	copy_uncount(copy);
	sim->counts.copied_voided++;
}

void copy_void(struct sim *sim, struct mirror *mirror, const struct node *node, uint64_t region)
{
	for (uint32_t i = 0; i < mirror->copy_count; i++)
		if (mirror->copies[i]->node == node && mirror->copies[i]->region == region)
			copy_void_one(sim, mirror->copies[i]);
}

static void copy_gone(struct sim *sim, struct copy *copy)
{
	struct mirror *mirror = copy->mirror;
	uint32_t at = 0;

	while (mirror->copies[at] != copy)
		at++;
	mirror->copies[at] = mirror->copies[--mirror->copy_count];
	if (!copy->voided)
		copy_uncount(copy);
	pool_put(sim, POOL_COPY, copy);
}

static void copy_done(struct sim *sim, struct copy *copy)
{
	struct node *node = copy->node;
	struct input input = {
		.type = INPUT_COPIED,
		.copied = { copy->table, copy->region, copy->status },
	};

	NOTE(sim, "copied", copy->region, (uint64_t)-copy->status,
	     "node %u: region %" PRIu64 " copied, status %d", node->index, copy->region,
	     copy->status);
	node->daemon.tables[copy->table].work--;
	copy_gone(sim, copy);
	daemon_step(sim, node, &input);
}

static void copy_start_write(struct sim *sim, struct copy *copy, uint32_t leg, uint32_t first,
			     uint32_t count)
{
	struct leg_io *io = leg_io_new(sim, LEG_COPY_WRITE, copy->mirror, leg);

	io->copy = copy;
	io->first_cell = copy->first_cell + first;
	io->cell_count = count;
	copy->left++;
	for (uint32_t i = first; i < first + count; i++)
		cell_begin(sim, copy->mirror, leg, copy->first_cell + i, copy->versions[i]);
	if (rng_one_in(&sim->rng, sim->profile.slow_copy_write_one_in))
		schedule_in(sim, 1 + rng_below(&sim->rng, SLOW_COPY_MS), ITEM_LEG, copy->node, io);
	else
		schedule_io(sim, ITEM_LEG, copy->node, io);
}

static void copy_read_step(struct sim *sim, struct leg_io *io)
{
	struct copy *copy = io->copy;
	struct leg *leg = &copy->mirror->legs[0];
	uint32_t half = copy->cell_count > 1 ? copy->cell_count / 2 : copy->cell_count;

	copy_check_write_piece(sim, copy);
	if (leg_gone(copy->mirror, 0, copy->node) || leg->reads_fail) {
		copy->status = -EIO;
		copy_done(sim, copy);
		return;
	}
	for (uint32_t i = 0; i < copy->cell_count; i++)
		copy->versions[i] = cell_current(&leg->cells[copy->first_cell + i]);
	for (uint32_t i = 1; i < copy->mirror->leg_count; i++) {
		copy_start_write(sim, copy, i, 0, half);
		if (half < copy->cell_count)
			copy_start_write(sim, copy, i, half, copy->cell_count - half);
	}
	NOTE(sim, "copy read", copy->region, copy->versions[0], "copy: region %" PRIu64 " read",
	     copy->region);
	clean_cells_changed(sim, copy->mirror, copy->first_cell, copy->cell_count);
}

static void copy_write_step(struct sim *sim, struct leg_io *io)
{
	struct copy *copy = io->copy;
	bool failed = leg_gone(copy->mirror, io->leg, copy->node) ||
		      copy->mirror->legs[io->leg].writes_fail;

	copy_check_write_piece(sim, copy);
	for (uint32_t i = io->first_cell; i < io->first_cell + io->cell_count; i++)
		cell_end(sim, copy->mirror, io->leg, i, copy->versions[i - copy->first_cell],
			 !failed || rng_one_in(&sim->rng, 2));
	if (failed)
		copy->status = -EIO;
	NOTE(sim, "copy write", copy->region, io->leg, "copy: region %" PRIu64 " to leg %u%s",
	     copy->region, io->leg, failed ? " FAILED" : "");
	clean_cells_changed(sim, copy->mirror, io->first_cell, io->cell_count);
	if (--copy->left == 0)
		copy_done(sim, copy);
}

static void write_step(struct sim *sim, struct leg_io *io)
{
	struct bio *bio = io->bio;
	bool failed = leg_gone(io->mirror, io->leg, bio->dev->node) ||
		      io->mirror->legs[io->leg].writes_fail;

	for (uint32_t i = io->first_cell; i < io->first_cell + io->cell_count; i++) {
		cell_end(sim, io->mirror, io->leg, i, bio->version,
			 !failed || rng_one_in(&sim->rng, 2));
		io->mirror->cell_writes[i]--;
	}
	NOTE(sim, "written", bio->version, io->leg, "leg %u: version %u of cell %u %s", io->leg,
	     bio->version, io->first_cell, failed ? "FAILED" : "written");
	clean_cells_changed(sim, io->mirror, io->first_cell, io->cell_count);
	if (failed)
		bio->error_bits |= 1u << io->leg;
	if (--bio->legs_left == 0)
		raid1_write_done(sim, bio);
}

static void read_step(struct sim *sim, struct leg_io *io)
{
	struct leg *leg = &io->mirror->legs[io->leg];
	uint32_t versions[BIO_CELLS_MAX];

	for (uint32_t i = 0; i < io->cell_count; i++)
		versions[i] = cell_current(&leg->cells[io->first_cell + i]);
	NOTE(sim, "read", versions[0], io->leg, "leg %u: read version %u of cell %u", io->leg,
	     versions[0], io->first_cell);
	raid1_read_done(sim, io->bio,
			leg_gone(io->mirror, io->leg, io->bio->dev->node) || leg->reads_fail,
			versions);
}

static void flush_step(struct sim *sim, struct node *node, struct leg_io *io)
{
	struct leg *leg = &io->mirror->legs[io->leg];
	uint32_t bit = UINT32_C(1) << node->index;
	bool failed = leg_gone(io->mirror, io->leg, node) || leg->flush_fails_once ||
		      (leg->flush_errors & bit) != 0;

	if (leg->flush_fails_once && !leg_gone(io->mirror, io->leg, node)) {
		/* The error is reported to each node, there to one caller only; what the cache held is gone. */
		leg->flush_fails_once = false;
		leg->flush_errors = UINT32_MAX;
		leg->suspect = true;
		leg_cache_lost(sim, io->mirror, io->leg);
		sim->counts.cache_lost++;
	}
	if ((leg->flush_errors & bit) != 0 && !leg_gone(io->mirror, io->leg, node)) {
		leg->flush_errors &= ~bit;
		/* The kernel's letter comes when the last leg has ended: until then nobody can know. */
		if (io->bio != NULL && io->bio->legs_left > 1) {
			io->mirror->swallowed = true;
			sim->counts.swallowed++;
		}
	} else if (!failed) {
		leg_flushed(sim, io->mirror, io->leg, io->started_at);
	}
	NOTE(sim, "leg flushed", io->leg, failed, "leg %u: cache flushed for the %s%s", io->leg,
	     io->bio != NULL ? "kernel" : "daemon", failed ? ", FAILED" : "");
	if (leg->suspect)
		clean_renew(sim, io->mirror);
	if (io->bio != NULL) {
		if (failed)
			io->bio->error_bits |= 1u << io->leg;
		if (--io->bio->legs_left == 0)
			raid1_write_done(sim, io->bio);
		return;
	}
	if (failed)
		io->flush->status = -EIO;
	if (--io->flush->left == 0) {
		struct input input = {
			.type = INPUT_LEGS_FLUSHED,
			.legs = { .table = io->flush->table, .status = io->flush->status },
		};

		node->daemon.tables[io->flush->table].work--;
		pool_put(sim, POOL_LEG_FLUSH, io->flush);
		daemon_step(sim, node, &input);
	}
}

void leg_io_step(struct sim *sim, struct node *node, struct leg_io *io)
{
	struct leg_io done = *io;

	pool_put(sim, POOL_LEG_IO, io);
	switch (done.kind) {
	case LEG_WRITE:
		write_step(sim, &done);
		break;
	case LEG_READ:
		read_step(sim, &done);
		break;
	case LEG_FLUSH:
		flush_step(sim, node, &done);
		break;
	case LEG_COPY_READ:
		copy_read_step(sim, &done);
		break;
	case LEG_COPY_WRITE:
		copy_write_step(sim, &done);
		break;
	}
}

void leg_io_abandon(struct sim *sim, struct leg_io *io)
{
	struct mirror *mirror = io->mirror;
	bool copies = io->kind == LEG_COPY_WRITE;

	if (io->kind == LEG_WRITE || copies) {
		for (uint32_t i = io->first_cell; i < io->first_cell + io->cell_count; i++) {
			cell_end(sim, mirror, io->leg, i,
				 copies ? io->copy->versions[i - io->copy->first_cell] :
					  io->bio->version,
				 rng_one_in(&sim->rng, 2));
			if (!copies)
				mirror->cell_writes[i]--;
		}
		clean_cells_changed(sim, mirror, io->first_cell, io->cell_count);
	}
	if (io->kind == LEG_COPY_READ || (copies && --io->copy->left == 0))
		copy_gone(sim, io->copy);
	if (io->flush != NULL && --io->flush->left == 0)
		pool_put(sim, POOL_LEG_FLUSH, io->flush);
	pool_put(sim, POOL_LEG_IO, io);
}
