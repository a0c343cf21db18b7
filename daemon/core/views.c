/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views of the group, and the loss of it: who is here, who has left and why.
 *
 * Any number of members may join and leave in one view.  Members that leave make a new past (`views`) and end the epoch; members
 * that join make everybody say hello.  Who loses the group has left as far as it can tell itself: all others count as departed,
 * and so does it with them.
 */

#include "core_private.h"
#include "plant.h"

/* FNV-1a, 64 bits. */
#define VIEWS_PRIME UINT64_C(0x100000001b3)

/* A place for a node that was never seen; the one that has been gone longest makes room. */
static struct group_node *group_node_free(struct core *core)
{
	struct group_node *oldest = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct group_node *node = &core->group.node[i];

		if (node->node_id == 0)
			return node;
		if (!node->in_view && (oldest == NULL || node->seniority < oldest->seniority))
			oldest = node;
	}
	if (oldest != NULL)
		*oldest = (struct group_node){ 0 };
	return oldest;
}

static void node_left(struct core *core, uint32_t node_id, enum view_reason reason)
{
	struct group_node *node = group_node_find(core, node_id);
	struct gone_node *gone = proof_node(core, node_id);

	if (gone != NULL)
		gone->view_says_down = reason == VIEW_NODE_DOWN;
	if (node == NULL || !node->in_view)
		return;
	node->in_view = false;
	node->of_own_will = reason == VIEW_LEAVE;
	node->parted = true;
	node->kept_past = node->kept_past && !node->of_own_will;
	node->greeted = false;
	node->current = false;
	heard_no_state(core, node_id);
	directory_left(core, node_id);
}

static bool node_joined(struct core *core, uint32_t node_id)
{
	struct group_node *node = group_node_find(core, node_id);
	struct gone_node *gone = proof_node(core, node_id);

	if (gone != NULL)
		gone->view_says_down = false;
	if (node != NULL && node->in_view)
		return false;
	if (node == NULL)
		node = group_node_free(core);
	if (node == NULL)
		return false;
	node->node_id = node_id;
	node->in_view = true;
	node->current = false;
	node->seniority = core->group.seniority++;
	return true;
}

/* Nobody is left whose state counts: all begin anew. */
static bool nobody_current(struct core *core)
{
	return core->group.settled && group_lowest_current(&core->group) == UINT32_MAX;
}

/* Sides that parted never count alike again: their views differ. */
static void count_view(struct group *group, const struct input_view *view)
{
	for (uint32_t i = 0; i < view->member_count; i++)
		group->views = (group->views ^ view->members[i]) * VIEWS_PRIME;
	for (uint32_t i = 0; i < view->left_count; i++)
		group->views = (group->views ^ ~view->left[i]) * VIEWS_PRIME;
}

void group_view(struct core *core, const struct input_view *view)
{
	struct group *group = &core->group;
	bool first = !core->local.in_group;
	bool joined = false;

	core->local.in_group = true;
	for (uint32_t i = 0; i < view->left_count && !(i > 0 && PLANTED(PLANT_VIEW_FIRST)); i++)
		node_left(core, view->left[i], view->left_reasons[i]);
	for (uint32_t i = 0; i < view->member_count; i++)
		joined = node_joined(core, view->members[i]) || joined;
	if (view->left_count > 0) {
		count_view(group, view);
		group->established = false;
		core->local.epoch_sent = false;
		if (group_lowest_current(group) != UINT32_MAX)
			group->leader = group_lowest_current(group);
	}
	if (joined || first || !group->settled || nobody_current(core)) {
		group_greet(core);
	} else if (group->settled && group_anybody_lacks(core)) {
		if (core->local.fetching)
			group_fetch(core);
		group_send_directory(core);
	}
	core->pump_all = true;
}

void group_lost(struct core *core)
{
	struct group *group = &core->group;

	core->local.in_group = false;
	core->local.quorum_heard = core->local.quorate = false; /* it ended with the same engine */
	core->local.epoch_sent = false;
	group->established = false;
	group->settled = false;
	group->leader = core->config.node_id;
	group->views = (group->views ^ core->config.node_id) * VIEWS_PRIME;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (group->node[i].node_id != 0 && group->node[i].in_view)
			node_left(core, group->node[i].node_id, VIEW_PROC_DOWN);
	membership_forget_sent(core);
	core->pump_all = true;
}
