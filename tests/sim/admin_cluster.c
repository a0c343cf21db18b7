/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator does to a mirror on all nodes together, as LVM does: load on all, suspend all, resume all,
 * with a barrier between; or suspend and resume alone.
 *
 * A node that crashes meanwhile takes no part any more.  Where the load fails on one, all tables loaded are cleared.
 */
#include "sim.h"

static const uint8_t plan_load[] = { DM_LOAD, DM_END };
static const uint8_t plan_suspend_only[] = { DM_SUSPEND, DM_END };
static const uint8_t plan_resume_only[] = { DM_RESUME, DM_END };
static const uint8_t plan_clear_only[] = { DM_CLEAR, DM_END };

bool mirror_unused(const struct sim *sim, const struct mirror *mirror)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct dmdev *dev = &sim->nodes[i].devs[mirror->index];

		if (dev->active != NULL || dev->inactive != NULL || dev->dying != NULL ||
		    dev->plan != NULL)
			return false;
	}
	for (uint32_t i = 0; i < SIM_DISKS_MAX; i++)
		if (mirror->disks[i]->write_count > 0 || admin_disk_open(sim, mirror->disks[i]))
			return false;
	return mirror->copy_count == 0;
}

/* All that have the mirror can take part, and hear each other.  Returns which, or 0. */
static uint32_t participants(const struct sim *sim, const struct mirror *mirror)
{
	const struct ring *ring = NULL;
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];
		const struct dmdev *dev = &node->devs[mirror->index];

		if (!node->up || (dev->active == NULL && dev->plan == NULL))
			continue;
		if (!dm_idle(dev) || dev->suspended || dev->inactive != NULL ||
		    node->ring == NULL || node->ring->broken ||
		    (ring != NULL && node->ring != ring))
			return 0;
		ring = node->ring;
		nodes |= UINT32_C(1) << i;
	}
	return nodes;
}

/* Another geometry, log type or log device. */
static void choose_change(struct sim *sim, struct mirror *mirror, struct change *change)
{
	struct disk *other = mirror->disks[mirror->disk == mirror->disks[0] ? 1 : 0];

	if (rng_one_in(&sim->rng, 2))
		admin_next_geometry(sim, mirror, &change->geometry);
	if (sim->profile.log_types_change && rng_one_in(&sim->rng, 4))
		change->type = rng_one_in(&sim->rng, 2) ? LOG_TYPE_CORE : LOG_TYPE_DISK;
	if (rng_one_in(&sim->rng, 16))
		change->sync = SYNC_FORCE;
	if (change->type == LOG_TYPE_CORE ||
	    (mirror->truth == TRUTH_DISK && !rng_one_in(&sim->rng, sim->profile.rolls ? 2 : 6)))
		return;
	if (admin_disk_open(sim, other) || other->write_count > 0) {
		change->type = mirror->truth == TRUTH_DISK ? LOG_TYPE_DISK : LOG_TYPE_CORE;
		return;
	}
	change->disk = other;
	disk_make_fresh(sim, other, rng_one_in(&sim->rng, 2) ? FRESH_ZERO : FRESH_LVM);
	/* With another geometry nobody could say any more what a region is. */
	change->rolling = mirror->truth == TRUTH_DISK && rng_one_in(&sim->rng, 2) &&
			  change->geometry.device_sectors == mirror->geometry.device_sectors &&
			  change->geometry.region_sectors == mirror->geometry.region_sectors;
}

bool change_begin(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	struct change *change = &mirror->change;
	uint32_t nodes = participants(sim, mirror);

	if (nodes == 0 || change->phase != CHANGE_NONE || mirror->creator != NULL)
		return false;
	admin_next_as_now(dev);
	*change = (struct change){
		.nodes = nodes,
		.loads = rng_one_in(&sim->rng, 2),
		.geometry = dev->next_geometry,
		.type = dev->next_type,
		.disk = dev->next_disk,
		.sync = dev->next_sync,
	};
	change->phase = change->loads ? CHANGE_LOAD : CHANGE_SUSPEND;
	if (change->loads && rng_one_in(&sim->rng, 2))
		choose_change(sim, mirror, change);
	sim->counts.changes++;
	NOTE(sim, "change", mirror->index, nodes, "mirror %u: %s on nodes %x", mirror->index,
	     change->loads ? "reload" : "suspend and resume", nodes);
	return true;
}

static void phase_begin(struct sim *sim, struct dmdev *dev)
{
	const struct change *change = &dev->mirror->change;

	switch (change->phase) {
	case CHANGE_LOAD:
		dev->next_geometry = change->geometry;
		dev->next_type = change->type;
		dev->next_disk = change->disk;
		dev->next_sync = change->sync;
		dev->next_integrated = rng_one_in(&sim->rng, 2);
		sim->counts.reloads++;
		dm_begin(sim, dev, plan_load);
		break;
	case CHANGE_SUSPEND:
		dm_begin(sim, dev, plan_suspend_only);
		break;
	case CHANGE_RESUME:
		dm_begin(sim, dev, plan_resume_only);
		break;
	case CHANGE_CLEAR:
		dm_begin(sim, dev, plan_clear_only);
		break;
	case CHANGE_NONE:
		break;
	}
}

static void phase_next(struct sim *sim, struct mirror *mirror, enum change_phase phase)
{
	struct change *change = &mirror->change;

	change->phase = phase;
	change->begun = change->done = change->ahead;
	change->ahead = 0;
	NOTE(sim, "change", mirror->index, phase, "mirror %u: phase %d of the change on nodes %x",
	     mirror->index, (int)phase, change->nodes);
}

/* All have it suspended and closed: somebody may run it with the kernel's own log meanwhile (G12). */
static void while_suspended(struct sim *sim, struct mirror *mirror)
{
	struct disk_superblock superblock;

	if (mirror->truth != TRUTH_DISK || mirror->change.rolling || mirror->copy_count > 0 ||
	    mirror->disk->write_count > 0 ||
	    disk_superblock_decode(mirror->disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES,
				   &superblock) < 0 ||
	    superblock.state != DISK_CLOSED)
		return;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct dmdev *dev = &sim->nodes[i].devs[mirror->index];

		if (dev->active != NULL && !dev->suspended)
			return;
	}
	if (rng_one_in(&sim->rng, 3))
		kernel_log_episode(sim, mirror);
}

static enum change_phase phase_after(enum change_phase phase)
{
	return phase == CHANGE_LOAD    ? CHANGE_SUSPEND :
	       phase == CHANGE_SUSPEND ? CHANGE_RESUME :
					 CHANGE_NONE;
}

/* The device's part of this phase has ended. */
static void phase_done(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	struct change *change = &mirror->change;

	if (change->phase == CHANGE_LOAD && dev->inactive == NULL) {
		phase_next(sim, mirror, CHANGE_CLEAR);
		return;
	}
	change->done |= UINT32_C(1) << dev->node->index;
}

void change_next(struct sim *sim, struct dmdev *dev)
{
	struct mirror *mirror = dev->mirror;
	struct change *change = &mirror->change;
	uint32_t bit = UINT32_C(1) << dev->node->index;

	if ((change->begun & bit) == 0) {
		change->begun |= bit;
		phase_begin(sim, dev);
		return;
	}
	if ((change->done & bit) == 0)
		phase_done(sim, dev);
	if (change->rolling && change->phase == CHANGE_SUSPEND && (change->ahead & bit) == 0) {
		change->ahead |= bit;
		dm_begin(sim, dev, plan_resume_only);
		return;
	}
	if ((change->nodes & ~change->done) != 0)
		return;
	if (change->phase == CHANGE_SUSPEND && sim->phase == PHASE_RUN)
		while_suspended(sim, mirror);
	phase_next(sim, mirror, phase_after(change->phase));
}

void change_node_gone(struct mirror *mirror, const struct node *node)
{
	if (mirror->creator == &node->devs[mirror->index])
		mirror->creator = NULL;
	mirror->change.nodes &= ~(UINT32_C(1) << node->index);
	if (mirror->change.nodes == 0)
		mirror->change.phase = CHANGE_NONE;
}
