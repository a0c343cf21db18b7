/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether another side may have gone on from the past that counts here, and what follows from it.
 *
 * Quorum says that no other side has it now, not that none had it since.  Three nodes: 2 is cut off, 1 and 3 go on and allot slots
 * to each other; they lose power; 1 boots, without a past, and meets 2.  These two have quorum, and 2's past counts, being the only
 * one; but it knows nothing of what 3 has on the log devices.  So an epoch begins with a count of those who *kept* this past, out
 * of all who had it in the epoch before:
 *
 *   most   what is left of them elsewhere counts fewer, and has changed nothing: this past is the newest one
 *   half   the other half may have gone on (two_node), but has allotted no slot, and written nothing but own slots
 *   fewer  another side may have done anything: logs that are open are *outdated*
 *
 * In the second and third case those who are out of the view are *astray* until they come back or are proven stopped.  Meanwhile no
 * slot is allotted, nothing is copied, and nobody begins to use a log.  An outdated log is used as if somebody had departed
 * who is not proven: who holds it writes on, nothing is copied, nothing but own slots is written.  When all are proven it is
 * *renewed*: all its members count as departed, join again when nothing of theirs is under way, and one opens it from the
 * device, where everything stands.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

enum side { SIDE_FEWER, SIDE_HALF, SIDE_MOST };

static enum side side_of(const struct group *group)
{
	uint32_t here = 0, elsewhere = 0;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &group->node[i];

		if (node->node_id == 0)
			continue;
		if ((node->kept_past && !node->parted) ||
		    (node->in_view && PLANTED(PLANT_FRESH_COUNTS)))
			here++;
		else if (node->kept_past)
			elsewhere++;
	}
	return here > elsewhere ? SIDE_MOST : here == elsewhere ? SIDE_HALF : SIDE_FEWER;
}

/* Who was here before there was a past, and has left without a word, may have begun one elsewhere, alone (two_node). */
static bool has_part_in_founding(const struct core *core, const struct group_node *node)
{
	return node->in_view || (node->node_id != 0 && !node->of_own_will &&
				 !proof_is_stopped(core, node->node_id, node->boot_id));
}

/* Who has another past now, but of the same epoch, has been nowhere since. */
void sides_settled(struct core *core, bool founded)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct group_node *node = &core->group.node[i];

		if (founded)
			node->kept_past = has_part_in_founding(core, node);
		if (node->in_view &&
		    (founded || node->current ||
		     (!node->rebooted && !node->fresh && node->epoch == core->group.epoch)))
			node->parted = false;
	}
}

/* Slots that could not be allotted. */
void sides_found_again(struct core *core)
{
	for (uint32_t e = 0; e < core->group.entries_end; e++)
		if (core->group.entry[e].used)
			entry_settle(core, &core->group.entry[e], false);
}

static void outdate(struct core *core)
{
	for (uint32_t e = 0; e < core->group.entries_end; e++) {
		struct entry *entry = &core->group.entry[e];

		if (!entry->used || entry->phase != LOG_OPEN)
			continue;
		entry->outdated = true;
		entry_settle(core, entry, false);
	}
}

void sides_epoch(struct core *core)
{
	enum side side = side_of(&core->group);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct group_node *node = &core->group.node[i];

		if (node->node_id != 0 && !node->in_view && !node->of_own_will)
			node->astray = node->astray || side != SIDE_MOST;
		if (node->in_view)
			node->kept_past = node->current;
		if (node->in_view)
			node->parted = node->rebooted = false;
	}
	if (side == SIDE_MOST)
		directory_watched(core);
	if (side == SIDE_FEWER)
		outdate(core);
}

/* While an epoch lasts that began with most: its boot is in no other side, and never will be. */
void sides_stopped(const struct core *core, struct group_node *node)
{
	if (core->group.established && !node->astray)
		node->kept_past = false;
}

bool sides_astray(const struct core *core, const struct group_node *node)
{
	return node->node_id != 0 && node->astray &&
	       !proof_is_stopped(core, node->node_id, node->boot_id);
}

bool sides_any_astray(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (sides_astray(core, &core->group.node[i]))
			return true;
	return false;
}

static void renew(struct core *core, struct entry *entry)
{
	struct log *log = log_find(core, &entry->name);

	entry->outdated = false;
	entry->renewals++;
	if (log != NULL && member_find(entry, core->config.node_id) != NULL)
		membership_gave_up(core, log);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed)
			entry_left(core, entry, &entry->member[i]);
	entry_settle(core, entry, false);
}

void sides_pump(struct core *core)
{
	bool astray = sides_any_astray(core);

	for (uint32_t e = 0; !astray && e < core->group.entries_end; e++) {
		struct entry *entry = &core->group.entry[e];

		if (entry->used && entry->outdated && !entry_departed(entry))
			renew(core, entry);
	}
}

/* They have read the group's state, and are with us from here on. */
void sides_current(struct core *core)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct group_node *node = &core->group.node[i];

		if (node->node_id == 0 || !node->in_view || !node->current)
			continue;
		node->astray = false;
		if (core->group.established) {
			node->kept_past = true;
			node->parted = node->rebooted = false;
		}
	}
	sides_found_again(core);
	sides_pump(core);
}
