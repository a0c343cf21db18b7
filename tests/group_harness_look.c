/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests see of several cores, and what their kernels ask of them: see group_harness.h.  Reads the inner state, changes none. */
#include <assert.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

/* All who are on the same side, have come equally far and have a state have the same one. */
void world_check_equal(const struct world *world)
{
	for (uint32_t a = 0; a < world->count; a++)
		for (uint32_t b = a + 1; b < world->count; b++) {
			const struct world_node *one = &world->node[a];
			const struct world_node *two = &world->node[b];
			uint64_t hash[2] = { core_group_hash(one->h.core),
					     core_group_hash(two->h.core) };

			if (!world_together(one, two) || one->first != one->next ||
			    two->first != two->next || hash[0] == 0 || hash[1] == 0)
				continue;
			assert(hash[0] == hash[1]);
			if (one->h.core->logs[0] == NULL || two->h.core->logs[0] == NULL ||
			    !log_name_same(&one->h.core->logs[0]->name,
					   &two->h.core->logs[0]->name))
				continue;
			hash[0] = core_log_hash(one->h.core, 0);
			hash[1] = core_log_hash(two->h.core, 0);
			assert(hash[0] == 0 || hash[1] == 0 || hash[0] == hash[1]);
		}
}

bool world_same(const struct world *world, uint32_t mask)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < world->count; i++) {
		uint64_t its = core_group_hash(world->node[i].h.core);

		if (!((mask >> i) & 1))
			continue;
		if (its == 0 || (hash != 0 && its != hash))
			return false;
		hash = its;
	}
	return hash != 0;
}

uint32_t world_sent(const struct world *world, uint32_t id, enum group_message_type type)
{
	return world->node[id - 1].sent[type];
}

uint32_t world_all_sent(const struct world *world, enum group_message_type type)
{
	uint32_t sum = 0;

	for (uint32_t id = 1; id <= world->count; id++)
		sum += world_sent(world, id, type);
	return sum;
}

void world_forget_sent(struct world *world)
{
	for (uint32_t id = 1; id <= world->count; id++) {
		memset(world->node[id - 1].sent, 0, sizeof(world->node[0].sent));
		memset(world->node[id - 1].sent_bytes, 0, sizeof(world->node[0].sent_bytes));
	}
}

const char *world_state(struct world *world, uint32_t by, uint32_t id)
{
	const struct group_node *node = group_node_find(world_node(world, by)->core, id);

	if (node == NULL || !node->in_view)
		return "absent";
	if (node->current)
		return "current";
	if (!node->greeted)
		return "joining";
	return world_node(world, by)->core->group.settled ? "lacking" : "greeted";
}

bool world_active(struct world *world, uint32_t id)
{
	return world_node(world, id)->core->local.active;
}

const struct group *world_group(struct world *world, uint32_t id)
{
	return &world_node(world, id)->core->group;
}

const struct entry *world_entry(struct world *world, uint32_t by)
{
	const struct group *group = world_group(world, by);

	return group->entries_end > 0 && group->entry[0].used ? &group->entry[0] : NULL;
}

const struct member *world_member(struct world *world, uint32_t by, uint32_t id)
{
	const struct entry *entry = world_entry(world, by);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id == id)
			return &entry->member[i];
	return NULL;
}

/* ---- kernels ---- */

uint32_t world_resume(struct world *world, uint32_t id, const char *constructor)
{
	struct harness *h = world_node(world, id);
	uint32_t seq;

	(void)harness_ctr(h, WORLD_LUID + id, constructor);
	seq = harness_ask(h, REQUEST_RESUME, WORLD_LUID + id);
	world_run(world);
	return seq;
}

uint32_t world_ask(struct world *world, uint32_t id, enum request_type type)
{
	uint32_t seq = harness_ask(world_node(world, id), type, WORLD_LUID + id);

	world_run(world);
	return seq;
}

uint32_t world_suspend(struct world *world, uint32_t id)
{
	(void)world_ask(world, id, REQUEST_PRESUSPEND);
	return world_ask(world, id, REQUEST_POSTSUSPEND);
}

uint32_t world_write(struct world *world, uint32_t id, uint64_t region)
{
	uint32_t seq = harness_write(world_node(world, id), WORLD_LUID + id, region);

	world_run(world);
	return seq;
}

void world_clear(struct world *world, uint32_t id, uint64_t region)
{
	(void)harness_ask_region(world_node(world, id), REQUEST_CLEAR, WORLD_LUID + id, region);
	world_run(world);
}

bool world_answered(struct world *world, uint32_t id, uint32_t seq, int error)
{
	return harness_answered(world_node(world, id), seq, error);
}

bool world_waits(struct world *world, uint32_t id, uint32_t seq)
{
	return harness_answer(world_node(world, id), seq) == NULL;
}
