/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The administrator (LVM, as it were): creates, suspends, reloads, removes and repairs mirrors.
 *
 * It does nothing that a sane one would not: `nosync` only where the legs are equal, a fresh log where the
 * contents of the log have nothing to do with the legs any more, a new leg for one that has lost data.
 */
#include <string.h>

#include "sim.h"

const uint8_t plan_nothing[] = { DM_END };
static const uint8_t plan_create[] = { DM_LOAD, DM_RESUME, DM_END };
static const uint8_t plan_suspend[] = { DM_SUSPEND, DM_RESUME, DM_END };
static const uint8_t plan_suspend_long[] = { DM_SUSPEND, DM_WAIT, DM_RESUME, DM_END };
static const uint8_t plan_reload[] = { DM_LOAD, DM_SUSPEND, DM_RESUME, DM_END };
static const uint8_t plan_reload_long[] = {
	DM_LOAD, DM_WAIT, DM_SUSPEND, DM_WAIT, DM_RESUME, DM_END
};
static const uint8_t plan_remove[] = { DM_SUSPEND, DM_REMOVE, DM_END };
static const uint8_t plan_clear[] = { DM_LOAD, DM_WAIT, DM_CLEAR, DM_END };
static const uint8_t plan_resume[] = { DM_RESUME, DM_END };

/* Logs of a core have the lowest numbers that are free. */
#define LOGS_LOOKED_AT 16

static bool disk_open(const struct node *node, const struct disk *disk)
{
	for (uint32_t i = 0; i < LOGS_LOOKED_AT; i++)
		if (node->daemon.alive && node->daemon.logs[i].disk == disk)
			return true;
	return false;
}

bool admin_disk_open(const struct sim *sim, const struct disk *disk)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		if (disk_open(&sim->nodes[i], disk))
			return true;
	return false;
}

static bool legs_equal(const struct mirror *mirror)
{
	for (uint32_t cell = 0; cell < mirror->geometry.cell_count; cell++)
		if (!cell_equal(mirror, cell, true))
			return false;
	return true;
}

/* Something that only a new table ends. */
static bool needs_reload(const struct dmdev *dev)
{
	const struct table *table = dev->active;

	struct core_log_status status;
	struct core_view view;

	/* the daemon gave an alarm */
	if (view_of_mirror(dev->node, dev->mirror, &view) &&
	    (view.failed || (core_log_status(dev->node->daemon.core, view.index, &status) == 0 &&
			     status.legs_failed)))
		return true;
	if (table->log_failure || table->flush_failure || dev->unknown_past ||
	    table->holds.head != NULL)
		return true;
	for (uint32_t i = 0; i < dev->mirror->leg_count; i++)
		if (table->leg_errors[i] > 0)
			return true;
	for (uint64_t i = 0; i < table->geometry.region_count; i++)
		if (table->state[i] == REGION_NOSYNC)
			return true;
	return false;
}

bool admin_needs_new_leg(const struct mirror *mirror)
{
	for (uint32_t i = 0; i < mirror->leg_count; i++)
		if (mirror->legs[i].suspect || mirror->legs[i].dead)
			return true;
	return false;
}

/* A leg that has lost data, or is dead, is replaced by a new one, which becomes the last. */
static void replace_leg(struct sim *sim, struct mirror *mirror, uint32_t at)
{
	uint32_t last = mirror->leg_count - 1;
	struct leg leg = mirror->legs[at];

	NOTE(sim, "new leg", at, 0, "mirror %u: leg %u is replaced", mirror->index, at);
	if (at == 0) { /* what had only been written to it is gone */
		memset(mirror->done_floor, 0, mirror->cells_max * sizeof(uint32_t));
		memset(mirror->flushed_floor, 0, mirror->cells_max * sizeof(uint32_t));
	}
	leg.dead = leg.reads_fail = leg.writes_fail = leg.flush_fails_once = leg.suspect = false;
	leg.flush_errors = 0;
	memmove(&mirror->legs[at], &mirror->legs[at + 1], (last - at) * sizeof(mirror->legs[0]));
	mirror->legs[last] = leg;
	leg_scramble(sim, mirror, last, 0);
}

static void replace_legs(struct sim *sim, struct mirror *mirror)
{
	for (uint32_t i = 0; i < mirror->leg_count; i++)
		while (mirror->legs[i].suspect || mirror->legs[i].dead)
			replace_leg(sim, mirror, i);
	mirror->swallowed = false;
}

void admin_next_as_now(struct dmdev *dev)
{
	const struct mirror *mirror = dev->mirror;

	dev->next_geometry = mirror->geometry;
	dev->next_type = mirror->truth == TRUTH_DISK ? LOG_TYPE_DISK : LOG_TYPE_CORE;
	dev->next_disk = mirror->disk;
	dev->next_sync = SYNC_DEFAULT;
}

/* Whoever opens the log device can tell that the size or the region size has changed: it has been opened since the last
 * change, or holds nothing. */
static bool log_knows_geometry(const struct mirror *mirror)
{
	struct disk_superblock superblock;
	struct disk_header header;

	if (disk_superblock_decode(mirror->disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES,
				   &superblock) < 0)
		return disk_header_decode(mirror->disk->bytes, &header) < 0;
	return superblock.region_count == mirror->geometry.region_count &&
	       superblock.region_sectors == mirror->geometry.region_sectors;
}

void admin_next_geometry(struct sim *sim, const struct mirror *mirror, struct geometry *geometry)
{
	uint32_t region_sectors = geometry->region_sectors;
	uint32_t cells = geometry->cell_count;

	if (mirror->truth == TRUTH_DISK && !log_knows_geometry(mirror))
		return;

	switch (rng_below(&sim->rng, 3)) {
	case 0:
		/* A last region that was shorter cannot grow: nobody would know (LVM deals in
		 * whole extents). */
		if (cells % geometry->region_cells == 0)
			cells = rng_between(&sim->rng, cells, mirror->cells_max);
		break;
	case 1:
		cells = rng_between(&sim->rng, (cells + 1) / 2, cells);
		break;
	default:
		region_sectors = (uint32_t)CELL_SECTORS << rng_below(&sim->rng, 4);
		break;
	}
	geometry_set(geometry, (uint64_t)cells * CELL_SECTORS, region_sectors);
}

/* The log device is as LVM leaves a new one. */
static void fresh_log(struct sim *sim, struct mirror *mirror, bool equal)
{
	enum fresh fresh = (enum fresh)rng_below(&sim->rng, 4);

	if (fresh == FRESH_LVM_NOSYNC && !equal)
		fresh = FRESH_LVM;
	NOTE(sim, "fresh log", fresh, 0, "mirror %u: fresh log %d", mirror->index, (int)fresh);
	disk_make_fresh(sim, mirror->disk, fresh);
	clean_renew(sim, mirror);
}

/* A core log leaves no trace on the device: a sane cluster does not activate it while a node that has it is out of
 * sight and not fenced. */
static bool somebody_out_of_sight(const struct sim *sim, const struct dmdev *dev)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];

		if (node != dev->node && node->devs[dev->mirror->index].active != NULL &&
		    (dev->node->ring == NULL || dev->node->ring->broken ||
		     node->ring != dev->node->ring))
			return true;
	}
	return false;
}

/* As it is on other nodes. */
static void create_as_now(struct sim *sim, struct dmdev *dev)
{
	if (admin_needs_new_leg(dev->mirror) ||
	    (dev->mirror->truth == TRUTH_CORE && somebody_out_of_sight(sim, dev)))
		return;
	admin_next_as_now(dev);
	dev->next_integrated = rng_one_in(&sim->rng, 2);
	dm_begin(sim, dev, plan_create);
}

static void create(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	bool running = sim->phase == PHASE_RUN;
	bool equal;

	if (disk_open(dev->node, mirror->disk))
		return; /* DTR has not been answered, or the daemon died under it */
	if (mirror->change.phase != CHANGE_NONE || mirror->creator != NULL)
		return;
	if (!mirror_unused(sim, mirror)) {
		create_as_now(sim, dev);
		return;
	}
	mirror->creator = dev;
	if (running)
		foreign_disk_unused(sim, mirror);
	admin_next_as_now(dev);
	if (running && mirror->truth == TRUTH_DISK && !admin_needs_new_leg(mirror) &&
	    log_knows_geometry(mirror) && rng_one_in(&sim->rng, 4))
		kernel_log_episode(sim, mirror);
	if (running && rng_one_in(&sim->rng, 4))
		admin_next_geometry(sim, mirror, &dev->next_geometry);
	if (sim->profile.log_types_change && rng_one_in(&sim->rng, 3))
		dev->next_type = rng_one_in(&sim->rng, 2) ? LOG_TYPE_CORE : LOG_TYPE_DISK;
	if (sim->profile.core_logs)
		dev->next_type = LOG_TYPE_CORE;
	if (admin_needs_new_leg(mirror)) {
		replace_legs(sim, mirror);
		fresh_log(sim, mirror, false);
	} else if (rng_one_in(&sim->rng, 8) ||
		   (mirror->truth == TRUTH_CORE && dev->next_type == LOG_TYPE_DISK)) {
		fresh_log(sim, mirror,
			  legs_equal(mirror) &&
				  dev->next_geometry.cell_count <= mirror->geometry.cell_count);
	}
	equal = legs_equal(mirror) && dev->next_geometry.cell_count <= mirror->geometry.cell_count;
	if (equal && rng_one_in(&sim->rng, 4))
		dev->next_sync = SYNC_SKIP;
	else if (rng_one_in(&sim->rng, 16))
		dev->next_sync = SYNC_FORCE;
	dev->next_integrated = rng_one_in(&sim->rng, 2);
	dm_begin(sim, dev, plan_create);
}

static void reload(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	struct disk *other = mirror->disks[mirror->disk == mirror->disks[0] ? 1 : 0];

	admin_next_as_now(dev);
	if (sim->phase == PHASE_RUN && sim->node_count == 1) {
		if (rng_one_in(&sim->rng, 2))
			admin_next_geometry(sim, mirror, &dev->next_geometry);
		if (sim->profile.log_types_change && rng_one_in(&sim->rng, 4))
			dev->next_type = rng_one_in(&sim->rng, 2) ? LOG_TYPE_CORE : LOG_TYPE_DISK;
		if (rng_one_in(&sim->rng, 16))
			dev->next_sync = SYNC_FORCE;
	}
	if (dev->next_type == LOG_TYPE_DISK &&
	    (mirror->truth == TRUTH_CORE || /* as it is not with more than one node */
	     (sim->phase == PHASE_RUN && sim->node_count == 1 && rng_one_in(&sim->rng, 6)))) {
		if (disk_open(dev->node, other))
			return;
		dev->next_disk = other;
		disk_make_fresh(sim, other, rng_one_in(&sim->rng, 2) ? FRESH_ZERO : FRESH_LVM);
	}
	dev->next_integrated = rng_one_in(&sim->rng, 2);
	sim->counts.reloads++;
	dm_begin(sim, dev, rng_one_in(&sim->rng, 4) ? plan_reload_long : plan_reload);
}

void admin_fill_table(struct sim *sim, struct dmdev *dev, struct table *table)
{
	(void)sim;
	table->geometry = dev->next_geometry;
	table->log_type = dev->next_type;
	table->disk = dev->next_disk;
	table->sync = dev->next_sync;
	table->integrated = dev->next_integrated;
	table->handle_errors = true;
}

static bool table_as_now(const struct mirror *mirror, const struct table *table)
{
	return table->geometry.device_sectors == mirror->geometry.device_sectors &&
	       table->geometry.region_sectors == mirror->geometry.region_sectors &&
	       table->disk == mirror->disk &&
	       mirror->truth == (table->log_type == LOG_TYPE_DISK ? TRUTH_DISK : TRUTH_CORE);
}

void admin_table_swapped(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	const struct table *table = dev->active;
	uint32_t from = table->geometry.cell_count < mirror->geometry.cell_count ?
				table->geometry.cell_count :
				mirror->geometry.cell_count;

	dev->unknown_past = dev->unknown_past && dev->unknown_luid == table->luid;
	if (table_as_now(mirror, table))
		return;
	/* What lies beyond belonged, or will belong, to somebody else. */
	for (uint32_t leg = 0; leg < mirror->leg_count; leg++)
		leg_scramble(sim, mirror, leg, from);
	for (uint32_t cell = from; cell < mirror->cells_max; cell++)
		mirror->done_floor[cell] = mirror->flushed_floor[cell] = 0;
	mirror->geometry = table->geometry;
	mirror->truth = table->log_type == LOG_TYPE_DISK ? TRUTH_DISK : TRUTH_CORE;
	mirror->disk = table->disk;
	clean_renew(sim, mirror);
}

void admin_removed(struct sim *sim, struct dmdev *dev)
{
	struct bio *bio;

	dev->suspended = dev->noflush = false;
	dev->blocked = dev->dmf_suspended = true; /* until it is resumed */
	while ((bio = bio_list_pop(&dev->deferred)) != NULL)
		application_done(sim, bio, -5);
}

bool admin_all_may_be_copied(const struct dmdev *dev)
{
	const struct table *table = dev->active;

	return table->log_type == LOG_TYPE_CORE || table->sync == SYNC_FORCE || dev->unknown_past ||
	       dev->node->served > 0 ||
	       table->geometry.region_count != dev->mirror->clean.geometry.region_count ||
	       table->geometry.region_sectors != dev->mirror->clean.geometry.region_sectors;
}

/* Faults are over: whatever is needed for all regions to get in sync. */
static void settle(struct sim *sim, struct dmdev *dev)
{
	if (sim->profile.weight_operator > 0 && rng_one_in(&sim->rng, 8))
		fault_control(sim, dev->node);
	if (dev->suspended || dev->inactive != NULL)
		dm_begin(sim, dev, plan_resume);
	else if (admin_needs_new_leg(dev->mirror))
		dm_begin(sim, dev, plan_remove);
	else if (needs_reload(dev))
		reload(sim, dev);
}

static void change(struct sim *sim, struct dmdev *dev)
{
	if (dev->suspended || dev->inactive != NULL) { /* left over from a failed plan */
		dm_begin(sim, dev, plan_resume);
		return;
	}
	if (needs_reload(dev) || admin_needs_new_leg(dev->mirror)) {
		if (rng_one_in(&sim->rng, 2)) /* not noticed yet */
			return;
		if (admin_needs_new_leg(dev->mirror))
			dm_begin(sim, dev, plan_remove);
		else
			reload(sim, dev);
		return;
	}
	if (sim->profile.together && rng_one_in(&sim->rng, sim->profile.rolls ? 1 : 4) &&
	    change_begin(sim, dev))
		return;
	switch (rng_below(&sim->rng, 8)) {
	case 0:
	case 1:
		dm_begin(sim, dev, plan_suspend);
		break;
	case 2:
		dm_begin(sim, dev, plan_suspend_long);
		break;
	case 3:
	case 4:
		reload(sim, dev);
		break;
	case 5:
	case 6:
		dm_begin(sim, dev, plan_remove);
		break;
	default:
		admin_next_as_now(dev);
		dm_begin(sim, dev, plan_clear);
		break;
	}
}

void admin_next(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	bool changes = mirror->change.phase != CHANGE_NONE;
	uint32_t delay_ms = changes                 ? sim->profile.change_ms :
			    dev->active == NULL     ? 500 :
			    sim->phase == PHASE_RUN ? sim->profile.admin_ms :
						      1000;

	schedule_in(sim, 1 + rng_below(&sim->rng, delay_ms), ITEM_ADMIN, dev->node, dev);
	if (!dm_idle(dev))
		return;
	if (mirror->creator == dev)
		mirror->creator = NULL;
	if (changes && (mirror->change.nodes >> dev->node->index & 1) != 0) {
		change_next(sim, dev);
		return;
	}
	if (sim->phase == PHASE_CLOSE) {
		if (dev->active != NULL)
			dm_begin(sim, dev, plan_remove);
	} else if (dev->active == NULL) {
		create(sim, dev);
	} else if (sim->phase == PHASE_SETTLE) {
		settle(sim, dev);
	} else {
		change(sim, dev);
	}
}

void admin_status(struct sim *sim, struct dmdev *dev)
{
	schedule_in(sim, 1 + rng_below(&sim->rng, sim->profile.status_ms), ITEM_STATUS, dev->node,
		    dev);
	if (dev->status.step == 0 && sim->phase != PHASE_CLOSE)
		thread_wake(sim, &dev->status);
}
