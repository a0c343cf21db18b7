/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 2: members at the same place of the same order have equal replicated state.
 *
 * The first that comes to a place leaves its hashes there: of the group and of each log by name; those that come
 * later are compared.  A hash of 0 is that of a member that lacks the state and is not compared.  Not every place, since a
 * hash takes time.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define PLACES_ONE_IN 8
/* Logs of a core have the lowest numbers that are free. */
#define LOGS_LOOKED_AT 16

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 29;
}

static uint64_t log_name_hash(const struct core_log_status *status)
{
	uint64_t hash = mix(status->device_sectors, status->region_sectors);

	hash = mix(hash, (uint64_t)status->type << 32 | status->log_minor);
	for (const char *c = status->uuid; *c != '\0'; c++)
		hash = mix(hash, (unsigned char)*c);
	return hash;
}

static struct hashed_log *hashed_find(struct group_event *event, uint64_t name)
{
	for (uint32_t i = 0; i < event->log_count; i++)
		if (event->logs[i].name == name)
			return &event->logs[i];
	return NULL;
}

static void check_log(struct sim *sim, const struct node *node, const struct ring *ring,
		      uint64_t at, struct group_event *event, const struct hashed_log *log)
{
	struct hashed_log *other = hashed_find(event, log->name);

	if (log->hash == 0)
		return;
	if (other != NULL && other->hash != log->hash)
		violate(sim, "2", "ring %u place %" PRIu64 ": node %u has another state of a log",
			ring->number, at, node->index);
	else if (other == NULL && event->log_count < HASHED_LOGS_MAX)
		event->logs[event->log_count++] = *log;
}

void state_check(struct sim *sim, const struct node *node, struct ring *ring, uint64_t at)
{
	const struct core *core = node->daemon.core;
	struct group_event *event = ring_event(ring, at);
	uint64_t group_hash;

	if (sim->node_count == 1 || at % PLACES_ONE_IN != 0 || at < ring->first)
		return;
	if (event->hashed_by++ == 0) {
		event->group_hash = 0;
		event->log_count = 0;
	}
	group_hash = core_group_hash(core);
	if (group_hash != 0 && event->group_hash != 0 && group_hash != event->group_hash)
		violate(sim, "2",
			"ring %u place %" PRIu64 ": node %u has another state of the group",
			ring->number, at, node->index);
	if (event->group_hash == 0)
		event->group_hash = group_hash;
	for (uint32_t i = 0; i < LOGS_LOOKED_AT; i++) {
		struct core_log_status status;
		struct hashed_log log;

		if (core_log_status(core, i, &status) < 0)
			continue;
		log.hash = core_log_hash(core, i);
		log.name = log_name_hash(&status);
		check_log(sim, node, ring, at, event, &log);
	}
}
