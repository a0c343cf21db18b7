/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds tables and logs, and lays a log out in the memory that came with its CTR.
 *
 * A log's memory is fixed when it is built: 14 bitmaps (six of them with a disk log in kept memory, see kept.c) and one more for what members hold by messages, the list of idle holds,
 * what is kept behind a snapshot, and three copies each of base and slot.  For 16 Mi regions that is about 45 MiB.
 */
#include <assert.h>
#include <string.h>

#include "core_private.h"

struct table *table_find(struct core *core, const char *uuid, uint64_t luid)
{
	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *table = &core->tables[i];

		if (table->used && !table->stale && table->luid == luid &&
		    strcmp(core->logs[table->log]->name.uuid, uuid) == 0)
			return table;
	}
	return NULL;
}

struct log *table_log(struct core *core, const struct table *table)
{
	assert(table->used);
	return core->logs[table->log];
}

uint32_t table_index(const struct core *core, const struct table *table)
{
	return (uint32_t)(table - core->tables);
}

bool log_name_same(const struct log_name *a, const struct log_name *b)
{
	return a->log_type == b->log_type && a->region_sectors == b->region_sectors &&
	       a->device_sectors == b->device_sectors && a->log_major == b->log_major &&
	       a->log_minor == b->log_minor && strcmp(a->uuid, b->uuid) == 0;
}

struct log *log_find(const struct core *core, const struct log_name *name)
{
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL && log_name_same(&core->logs[i]->name, name))
			return core->logs[i];
	return NULL;
}

void log_name_of(const char *uuid, const struct constructor *constructor, struct log_name *ret_name)
{
	memset(ret_name, 0, sizeof(*ret_name));
	memcpy(ret_name->uuid, uuid, strnlen(uuid, REQUEST_UUID_SIZE - 1));
	ret_name->log_type = constructor->type;
	ret_name->region_sectors = constructor->region_sectors;
	ret_name->device_sectors = constructor->device_sectors;
	ret_name->log_major = constructor->log_major;
	ret_name->log_minor = constructor->log_minor;
}

static uint64_t align_slot(uint64_t bytes)
{
	return (bytes + DISK_SLOT_ALIGN_BYTES - 1) & ~(uint64_t)(DISK_SLOT_ALIGN_BYTES - 1);
}

static uint64_t base_capacity(uint64_t region_count)
{
	return align_slot(DISK_BITMAP_OFFSET_BYTES + disk_bitmap_bytes(region_count));
}

static uint64_t slot_capacity(uint64_t region_count)
{
	return DISK_SLOT_HEADER_BYTES + align_slot(disk_slot_bitmap_bytes(region_count, 0));
}

static size_t log_struct_bytes(void)
{
	return (sizeof(struct log) + 63) & ~(size_t)63;
}

#define LOG_BITMAPS 10
/* A core log with more regions keeps what members hold with 32 regions a bit. */
#define HOLD_EXACT_REGIONS_MAX 65536
#define HOLD_GRANULARITY 5

static uint32_t hold_granularity(uint64_t region_count)
{
	return region_count > HOLD_EXACT_REGIONS_MAX ? HOLD_GRANULARITY : 0;
}

static uint64_t hold_bits(uint64_t region_count)
{
	return ((region_count - 1) >> hold_granularity(region_count)) + 1;
}

size_t log_memory_bytes(const struct core_config *config, const struct constructor *constructor)
{
	size_t bytes = log_struct_bytes();

	bytes += LOG_BITMAPS * bitmap_bytes(constructor->region_count);
	bytes += KEPT_BITMAPS * bitmap_summary_bytes(constructor->region_count);
	if (constructor->type == LOG_TYPE_CORE)
		bytes += kept_bytes(constructor->region_count);
	bytes += idle_bytes(config->hot_regions);
	bytes += CATCH_UP_BYTES;
	bytes += CORE_NODES_MAX * bitmap_bytes(hold_bits(constructor->region_count));
	if (constructor->type == LOG_TYPE_DISK) {
		bytes += image_bytes(base_capacity(constructor->region_count));
		bytes += image_bytes(slot_capacity(constructor->region_count));
	}
	return bytes;
}

static void build_bitmaps(struct log *log, uint8_t *memory)
{
	struct bitmap *bitmaps[LOG_BITMAPS] = {
		&log->replicated.out,
		&log->replicated.lost,
		&log->replicated.reported,
		&log->replicated.claimed,
		&log->gained,
		&log->gaining,
		&log->windowed,
		&log->reclaim,
		&log->undurable,
		&log->merging,
	};

	for (uint32_t i = 0; i < LOG_BITMAPS; i++) {
		bitmap_init(bitmaps[i], log->region_count, memory);
		memory += bitmap_bytes(log->region_count);
	}
}

static void build_holds(struct log *log, uint8_t *memory)
{
	log->hold_granularity = hold_granularity(log->region_count);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		bitmap_init(&log->replicated.holds[i], hold_bits(log->region_count), memory);
		memory += bitmap_bytes(hold_bits(log->region_count));
	}
}

struct log *log_build(struct core *core, uint32_t index, const struct log_name *name,
		      const struct constructor *constructor, void *memory, void *kept)
{
	struct log *log = memory;
	uint8_t *bytes = memory;

	assert(core->logs[index] == NULL);
	log->index = index;
	log->memory = memory;
	log->name = *name;
	log->type = constructor->type;
	log->region_count = constructor->region_count;
	log->region_sectors = constructor->region_sectors;
	log->live = NO_INDEX;
	log->own_slot = NO_INDEX;
	log->deadline_ms = UINT64_MAX;
	log->copier.touched = BITMAP_NONE;
	bytes += log_struct_bytes();
	build_bitmaps(log, bytes);
	bytes += LOG_BITMAPS * bitmap_bytes(log->region_count);
	log->kept_memory = kept;
	if (kept == NULL) {
		kept = bytes;
		bytes += kept_bytes(log->region_count);
	}
	kept_place(core, log, kept, bytes);
	bytes += KEPT_BITMAPS * bitmap_summary_bytes(log->region_count);
	idle_init(&log->idle, core->config.hot_regions, bytes);
	bytes += idle_bytes(core->config.hot_regions);
	log->catch_up.bytes = bytes;
	log->catch_up.size_bytes = CATCH_UP_BYTES;
	bytes += CATCH_UP_BYTES;
	build_holds(log, bytes);
	bytes += CORE_NODES_MAX * bitmap_bytes(hold_bits(log->region_count));
	if (log->type == LOG_TYPE_DISK) {
		image_init(&log->base, IMAGE_SURE_CLEAR, base_capacity(log->region_count), bytes);
		bytes += image_bytes(base_capacity(log->region_count));
		image_init(&log->slot, IMAGE_SURE_SET, slot_capacity(log->region_count), bytes);
	}
	bitmap_set_all(&log->replicated.out);
	core->logs[index] = log;
	if (index >= core->logs_end)
		core->logs_end = index + 1;
	return log;
}

void log_free(struct core *core, struct log *log)
{
	struct effect effect = { .type = EFFECT_RELEASE_MEMORY,
				 .release = { log->memory, log->kept_memory } };

	assert(log->tables == 0 && log->io_flying == 0);
	core->logs[log->index] = NULL;
	emit(core, &effect);
}
