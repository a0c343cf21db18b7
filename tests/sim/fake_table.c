/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table: what mirror_ctr() and userspace_ctr() allocate.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define LUID_BASE UINT64_C(0xffff888012345000)

static void thread_init(struct kthread *thread, struct table *table, const char *name,
			void (*run)(struct sim *, struct kthread *))
{
	*thread = (struct kthread){
		.node = table->node,
		.table = table,
		.name = name,
		.run = run,
	};
}

static void constructor_fill(struct table *table)
{
	const char *word = table->sync == SYNC_SKIP  ? " nosync" :
			   table->sync == SYNC_FORCE ? " sync" :
						       "";

	if (table->log_type == LOG_TYPE_CORE)
		snprintf(table->constructor, sizeof(table->constructor),
			 "%" PRIu64 " clustered-core %u%s", table->geometry.device_sectors,
			 table->geometry.region_sectors, word);
	else
		snprintf(table->constructor, sizeof(table->constructor),
			 "%" PRIu64 " clustered%cdisk %u:%u %u%s", table->geometry.device_sectors,
			 table->luid % 2 == 0 ? '-' : '_', 254u, table->disk->minor,
			 table->geometry.region_sectors, word);
}

struct table *table_new(struct sim *sim, struct dmdev *dev)
{
	struct table *table = dev->tables;
	uint64_t regions;

	while (table->used || table->worker.runnable || table->flusher.runnable)
		if (++table == dev->tables + TABLES_MAX)
			return NULL;
	memset(table, 0, sizeof(*table));
	table->used = true;
	table->node = dev->node;
	table->dev = dev;
	table->mirror = dev->mirror;
	/* A luid is a kernel pointer, and soon used again. */
	table->luid = rng_one_in(&sim->rng, 2) ? LUID_BASE + dev->mirror->index * TABLES_MAX +
							 (uint64_t)(table - dev->tables) :
						 ++dev->node->next_luid;
	for (struct table *other = dev->tables; other < dev->tables + TABLES_MAX; other++)
		if (other != table && other->used && other->luid == table->luid)
			table->luid = ++dev->node->next_luid;
	admin_fill_table(sim, dev, table);
	constructor_fill(table);
	regions = table->geometry.region_count;
	table->state = sim_alloc(sim, regions * (1 + 2 + 1));
	table->on_clean_list = table->state + regions;
	table->clear_lost = sim_alloc(sim, regions);
	table->pending = sim_alloc(sim, regions * sizeof(table->pending[0]));
	table->clean_list = sim_alloc(sim, 2 * regions * sizeof(uint64_t));
	table->marks = sim_alloc(sim, 2 * regions * sizeof(uint64_t));
	table->clears = sim_alloc(sim, 2 * regions * sizeof(uint64_t));
	thread_init(&table->worker, table, "kmirrord", worker_run);
	thread_init(&table->flusher, table, "dmlogd", flusher_run);
	return table;
}
