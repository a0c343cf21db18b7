/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One seed: builds the world, runs it with faults, lets it settle without, closes it; oracles all along.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* Without faults everything is in sync within so long, in simulated time and in events. */
#define SETTLE_LIMIT_MS 900000
#define SETTLE_LIMIT_EVENTS 3000000
#define SETTLE_CHECK_EVENTS 64

void geometry_set(struct geometry *geometry, uint64_t device_sectors, uint32_t region_sectors)
{
	geometry->device_sectors = device_sectors;
	geometry->region_sectors = region_sectors;
	geometry->region_count = (device_sectors + region_sectors - 1) / region_sectors;
	geometry->cell_count = (uint32_t)(device_sectors / CELL_SECTORS);
	geometry->region_cells = region_sectors / CELL_SECTORS;
}

struct disk *world_disk(struct sim *sim, uint32_t minor)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		for (uint32_t j = 0; j < SIM_DISKS_MAX; j++)
			if (sim->mirrors[i].disks[j]->minor == minor)
				return sim->mirrors[i].disks[j];
	return NULL;
}

static void mirror_build(struct sim *sim, struct mirror *mirror, uint32_t index)
{
	uint32_t cells;

	mirror->sim = sim;
	mirror->index = index;
	snprintf(mirror->uuid, sizeof(mirror->uuid), "LVM-mirror-%u", index);
	mirror->truth = TRUTH_DISK;
	mirror->version = FIRST_VERSION;
	profile_mirror(sim, mirror);
	cells = mirror->cells_max;
	for (uint32_t i = 0; i < mirror->leg_count; i++) {
		mirror->legs[i].cells = sim_alloc(sim, cells * sizeof(struct cell));
		mirror->legs[i].listed = sim_alloc(sim, cells * sizeof(uint32_t));
		leg_scramble(sim, mirror, i, 0);
	}
	mirror->done_floor = sim_alloc(sim, cells * sizeof(uint32_t));
	mirror->flushed_floor = sim_alloc(sim, cells * sizeof(uint32_t));
	mirror->busy = sim_alloc(sim, cells);
	mirror->cell_writes = sim_alloc(sim, cells * sizeof(uint16_t));
	mirror->cell_copies = sim_alloc(sim, cells * sizeof(uint16_t));
	mirror->may_copy = sim_alloc(sim, (cells / 64 + 1) * sizeof(uint64_t));
	mirror->acknowledged_size = 256;
	mirror->acknowledged = sim_alloc(sim, 256 * sizeof(struct acknowledged));
	clean_init(sim, mirror);
	if (rng_one_in(&sim->rng, 3))
		legs_make_equal(sim, mirror);
}

static void world_build(struct sim *sim)
{
	profile_choose(sim);
	foreign_init(sim);
	kept_choose(sim);
	sim->nodes = sim_alloc(sim, sim->profile.nodes * sizeof(struct node));
	sim->node_count = sim->profile.nodes;
	sim->mirror_count = sim->profile.mirrors;
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		mirror_build(sim, &sim->mirrors[i], i);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		node->sim = sim;
		node->index = i;
		for (uint32_t j = 0; j < sizeof(node->machine_id); j++)
			node->machine_id[j] = (uint8_t)rng_next(&sim->rng);
		node_start(sim, node);
	}
	sim->fault_event = 1 + rng_below(&sim->rng, 2 * sim->profile.fault_events);
}

static void dm_event(struct sim *sim, struct node *node, struct dmdev *dev)
{
	struct input input = { .type = INPUT_DM_EVENT };

	dev->event_pending = false;
	NOTE(sim, "dm event", node->index, 0, "node %u: dm event", node->index);
	daemon_step(sim, node, &input);
}

static void thread_step(struct sim *sim, struct kthread *thread)
{
	thread->runnable = false;
	thread->run(sim, thread);
}

static void table_timer(struct sim *sim, struct table *table, enum item_type type)
{
	if (!table->used || table->dying) /* del_timer_sync() of mirror_dtr() */
		return;
	if (type == ITEM_WORKER_WAKE) {
		table->timer_pending = false;
		worker_wake(sim, table);
	} else if (table->flush_due_ms <= sim->now_ms) {
		flusher_wake(sim, table);
	}
}

/* The group and the quorum, as a node sees them; false: another kind of item. */
static bool cluster_step(struct sim *sim, const struct item *item)
{
	struct node *node = item->node;

	switch (item->type) {
	case ITEM_DELIVERY:
		group_deliver(sim, node);
		return true;
	case ITEM_SEND:
		group_send(sim, node);
		return true;
	case ITEM_MEMBERS:
		rings_members_changed(sim);
		return true;
	case ITEM_REFORM:
		rings_reform(sim);
		return true;
	case ITEM_QUORUM:
		cluster_tell_quorum(sim, node);
		return true;
	case ITEM_ENGINE_START:
		engine_start(sim, node);
		return true;
	case ITEM_FENCE:
		cluster_fence(sim, node, item->object);
		return true;
	case ITEM_FENCED:
		cluster_tell_fenced(sim, node, item->object);
		return true;
	default:
		return false;
	}
}

static void world_step(struct sim *sim, const struct item *item)
{
	struct node *node = item->node;

	if (cluster_step(sim, item))
		return;
	switch (item->type) {
	case ITEM_THREAD:
		thread_step(sim, item->object);
		break;
	case ITEM_SOCKET:
		daemon_take_request(sim, node);
		break;
	case ITEM_DISK:
		disk_complete(sim, node, item->object);
		break;
	case ITEM_LEG:
		leg_io_step(sim, node, item->object);
		break;
	case ITEM_HELPER:
		helper_done(sim, node, item->object);
		break;
	case ITEM_CORE_TIMER:
		daemon_timer(sim, node);
		break;
	case ITEM_TICK:
		kernel_tick(sim, node);
		break;
	case ITEM_WORKER_WAKE:
	case ITEM_FLUSHER_WAKE:
		table_timer(sim, item->object, item->type);
		break;
	case ITEM_APPLICATION:
		application_next(sim, item->object);
		break;
	case ITEM_ADMIN:
		admin_next(sim, item->object);
		break;
	case ITEM_STATUS:
		admin_status(sim, item->object);
		break;
	case ITEM_DM_EVENT:
		dm_event(sim, node, item->object);
		break;
	case ITEM_FAULT:
		fault_ends(sim, node, item->object);
		break;
	case ITEM_DAEMON_START:
		if (node->up && !node->daemon.alive)
			daemon_start(sim, node);
		break;
	case ITEM_NODE_START:
		if (!node->up)
			node_start(sim, node);
		break;
	default:
		break;
	}
}

static bool world_next(struct sim *sim)
{
	struct item item;
	uint64_t until_ms;

	sim->event++;
	if (sim->phase == PHASE_RUN && sim->event >= sim->fault_event)
		fault_next(sim);
	foreign_next(sim);
	do {
		schedule_time(sim);
		cluster_watchdogs(sim);
		if (!schedule_pick(sim, &item)) {
			if (sim->scheduler.heap_count > 0)
				continue; /* the watchdog took all that could run */
			violate(sim, "simulator", "nothing can happen any more");
			return false;
		}
		if (!item_pauses(sim, &item, &until_ms))
			break;
		schedule_in(sim, until_ms - sim->now_ms, item.type, item.node, item.object);
	} while (true);
	world_step(sim, &item);
	for (uint32_t i = 0; i < sim->node_count; i++)
		kept_bury(sim, &sim->nodes[i]);
	if (!sim->failed)
		status_check(sim);
	return !sim->failed;
}

/* The time that the slowest resync rate of a profile needs, twice, and SETTLE_LIMIT_MS for all else. */
static uint64_t settle_limit_ms(const struct sim *sim)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < sim->mirror_count; i++)
		bytes += sim->mirrors[i].geometry.device_sectors * 512;
	return SETTLE_LIMIT_MS + 2 * bytes * 1000 / RESYNC_BYTES_PER_SECOND_MIN;
}

/* What of its CLEARs was lost comes once more. */
static void wake_workers(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		for (uint32_t j = 0; j < sim->mirror_count; j++)
			if (sim->nodes[i].up && sim->nodes[i].devs[j].active != NULL)
				worker_wake(sim, sim->nodes[i].devs[j].active);
}

static void world_settle(struct sim *sim)
{
	uint64_t until_ms, until_event = sim->event + SETTLE_LIMIT_EVENTS;
	char reason[200] = "";

	NOTE(sim, "settle", 0, 0, "---- faults and load stop");
	sim->phase = PHASE_SETTLE;
	faults_stop(sim);
	wake_workers(sim);
	sim->settle_ms = sim->now_ms;
	until_ms = sim->now_ms + settle_limit_ms(sim);
	do {
		if (!world_next(sim))
			return;
		if (sim->event % SETTLE_CHECK_EVENTS == 0 &&
		    settle_check(sim, reason, sizeof(reason)))
			return;
	} while (sim->now_ms < until_ms && sim->event < until_event);
	violate(sim, "5", "not settled after %" PRIu64 " s without faults: %s",
		(sim->now_ms - sim->settle_ms) / 1000, reason);
}

static bool world_closed(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		for (uint32_t j = 0; j < sim->mirror_count; j++)
			if (!dm_idle(&sim->nodes[i].devs[j]) ||
			    sim->nodes[i].devs[j].active != NULL)
				return false;
	return true;
}

static void world_close(struct sim *sim)
{
	uint64_t until_ms = sim->now_ms + SETTLE_LIMIT_MS;

	NOTE(sim, "close", 0, 0, "---- close");
	sim->phase = PHASE_CLOSE;
	while (!world_closed(sim)) {
		if (!world_next(sim))
			return;
		if (sim->now_ms > until_ms) {
			violate(sim, "5", "mirrors cannot be removed");
			return;
		}
	}
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		close_check(sim, &sim->mirrors[i]);
}

/* Of all nodes and legs. */
static void power_cut(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		node_crash(sim, &sim->nodes[i], false);
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		mirror_power_cut(sim, &sim->mirrors[i]);
}

void world_run(struct sim *sim)
{
	const struct options *options = sim->options;

	if (setjmp(sim->abort_point) != 0)
		return; /* an assertion of the core: already noted */
	world_build(sim);
	while (!sim->failed && sim->event < options->events) {
		if (sim->event == options->cut_at && options->cut_at != 0)
			power_cut(sim);
		(void)world_next(sim);
	}
	if (!sim->failed)
		world_settle(sim);
	if (!sim->failed)
		world_close(sim);
}
