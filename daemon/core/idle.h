/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The idle holds of a log, least recently used first.
 *
 * A region is in it at most once.  Its size is fixed: who pushes into a full one takes the oldest out
 * first.  Memory is the caller's; private to the core.
 */
#ifndef DMCLOGD_IDLE_H
#define DMCLOGD_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDLE_NONE UINT32_MAX

struct idle_entry {
	uint64_t region;
	uint64_t since_ms;
	uint32_t older;     /* towards the least recently used */
	uint32_t newer;     /* also: next of the free entries */
	uint32_t hash_next; /* next entry of the same bucket */
};

struct idle {
	uint32_t limit;
	uint32_t count;
	uint32_t oldest;
	uint32_t newest;
	uint32_t free;
	uint32_t bucket_mask;
	uint32_t *buckets;
	struct idle_entry *entries;
};

/* Bytes of memory that an idle list of `limit` regions needs, a multiple of 64. */
size_t idle_bytes(uint32_t limit);

/* Makes an empty list in `memory` (aligned to 8); limit is at least 1. */
void idle_init(struct idle *idle, uint32_t limit, void *memory);

/* Adds a region as the most recently used.  It must not be in the list, and the list not full. */
void idle_push(struct idle *idle, uint64_t region, uint64_t now_ms);

/* Takes a region out; false when it was not in. */
bool idle_remove(struct idle *idle, uint64_t region);

/* Takes the least recently used out.  The list must not be empty. */
uint64_t idle_pop(struct idle *idle);

/* When the oldest became idle, or UINT64_MAX when the list is empty. */
uint64_t idle_oldest_ms(const struct idle *idle);

/* Takes all out. */
void idle_clear(struct idle *idle);

bool idle_has(const struct idle *idle, uint64_t region);

#endif
