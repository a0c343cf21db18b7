/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Idle holds by age, with a hash to find a region: see idle.h. */
#include "idle.h"

#include <assert.h>

static uint32_t bucket_count(uint32_t limit)
{
	uint32_t count = 16;

	while (count < limit && count < (UINT32_C(1) << 30))
		count *= 2;
	return count;
}

static size_t align64(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

size_t idle_bytes(uint32_t limit)
{
	return align64(limit * sizeof(struct idle_entry)) +
	       align64(bucket_count(limit) * sizeof(uint32_t));
}

void idle_init(struct idle *idle, uint32_t limit, void *memory)
{
	uint8_t *bytes = memory;

	assert(limit > 0);
	idle->limit = limit;
	idle->entries = memory;
	idle->buckets = (void *)(bytes + align64(limit * sizeof(struct idle_entry)));
	idle->bucket_mask = bucket_count(limit) - 1;
	idle_clear(idle);
}

void idle_clear(struct idle *idle)
{
	idle->count = 0;
	idle->oldest = IDLE_NONE;
	idle->newest = IDLE_NONE;
	idle->free = 0;
	for (uint32_t i = 0; i < idle->limit; i++)
		idle->entries[i].newer = i + 1 < idle->limit ? i + 1 : IDLE_NONE;
	for (uint32_t b = 0; b <= idle->bucket_mask; b++)
		idle->buckets[b] = IDLE_NONE;
}

static uint32_t *bucket_of(const struct idle *idle, uint64_t region)
{
	uint64_t hash = region * UINT64_C(0x9e3779b97f4a7c15);

	return &idle->buckets[(uint32_t)(hash >> 32) & idle->bucket_mask];
}

/* The link of the hash chain that leads to the region's entry, or to IDLE_NONE. */
static uint32_t *link_of(const struct idle *idle, uint64_t region)
{
	uint32_t *link = bucket_of(idle, region);

	while (*link != IDLE_NONE && idle->entries[*link].region != region)
		link = &idle->entries[*link].hash_next;
	return link;
}

void idle_push(struct idle *idle, uint64_t region, uint64_t now_ms)
{
	uint32_t *link = link_of(idle, region);
	uint32_t i = idle->free;
	struct idle_entry *entry;

	assert(*link == IDLE_NONE && i != IDLE_NONE);
	entry = &idle->entries[i];
	idle->free = entry->newer;
	*entry = (struct idle_entry){
		.region = region,
		.since_ms = now_ms,
		.older = idle->newest,
		.newer = IDLE_NONE,
		.hash_next = IDLE_NONE,
	};
	*link = i;
	if (idle->newest != IDLE_NONE)
		idle->entries[idle->newest].newer = i;
	else
		idle->oldest = i;
	idle->newest = i;
	idle->count++;
}

bool idle_remove(struct idle *idle, uint64_t region)
{
	uint32_t *link = link_of(idle, region);
	uint32_t i = *link;
	struct idle_entry *entry;

	if (i == IDLE_NONE)
		return false;
	entry = &idle->entries[i];
	*link = entry->hash_next;
	if (entry->older != IDLE_NONE)
		idle->entries[entry->older].newer = entry->newer;
	else
		idle->oldest = entry->newer;
	if (entry->newer != IDLE_NONE)
		idle->entries[entry->newer].older = entry->older;
	else
		idle->newest = entry->older;
	entry->newer = idle->free;
	idle->free = i;
	idle->count--;
	return true;
}

bool idle_has(const struct idle *idle, uint64_t region)
{
	return *link_of(idle, region) != IDLE_NONE;
}

uint64_t idle_pop(struct idle *idle)
{
	uint64_t region;

	assert(idle->oldest != IDLE_NONE);
	region = idle->entries[idle->oldest].region;
	(void)idle_remove(idle, region);
	return region;
}

uint64_t idle_oldest_ms(const struct idle *idle)
{
	return idle->oldest == IDLE_NONE ? UINT64_MAX : idle->entries[idle->oldest].since_ms;
}
