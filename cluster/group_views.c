/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process stands for which node: see group_views.h. */
#include "cluster/group_views.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct group_process *member_find(struct group_views *views, uint32_t node_id)
{
	for (uint32_t i = 0; i < views->count; i++)
		if (views->member[i].node_id == node_id)
			return &views->member[i];
	return NULL;
}

bool group_views_has(const struct group_views *views, uint32_t node_id, uint32_t pid)
{
	const struct group_process *member = member_find((struct group_views *)views, node_id);

	return member != NULL && member->pid == pid;
}

static int member_add(struct group_views *views, const struct group_process *process)
{
	uint32_t at = 0;

	if (views->count == CORE_NODES_MAX)
		return -E2BIG;
	while (at < views->count && views->member[at].node_id < process->node_id)
		at++;
	memmove(&views->member[at + 1], &views->member[at],
		(views->count - at) * sizeof(views->member[0]));
	views->member[at] = *process;
	views->count++;
	return 0;
}

static void member_remove(struct group_views *views, struct group_process *member)
{
	size_t at = (size_t)(member - views->member);

	views->count--;
	memmove(member, member + 1, (views->count - at) * sizeof(views->member[0]));
}

static bool stands_in(const struct group_processes *processes, const struct group_process *process)
{
	for (uint32_t i = 0; i < processes->count; i++)
		if (processes->list[i].node_id == process->node_id &&
		    processes->list[i].pid == process->pid)
			return true;
	return false;
}

static void view_fill(struct group_view *view, const struct group_views *views)
{
	view->member_count = views->count;
	for (uint32_t i = 0; i < views->count; i++)
		view->members[i] = views->member[i].node_id;
}

static bool view_says_left(const struct group_view *view, uint32_t node_id)
{
	for (uint32_t i = 0; i < view->left_count; i++)
		if (view->left[i] == node_id)
			return true;
	return false;
}

static void node_leaves(struct group_views *views, struct group_view *view,
			struct group_process *member, enum view_reason reason)
{
	view->left[view->left_count] = member->node_id;
	view->left_reasons[view->left_count++] = reason;
	member_remove(views, member);
}

/* Who is there when this process comes: of two of a node the one that comes too is the newer one. */
static int first_view(struct group_views *views, const struct group_change *change)
{
	for (uint32_t i = 0; i < change->members.count; i++) {
		const struct group_process *process = &change->members.list[i];
		struct group_process *other = member_find(views, process->node_id);
		int r = 0;

		if (other == NULL) {
			r = member_add(views, process);
		} else {
			if (stands_in(&change->joined, process) ==
			    stands_in(&change->joined, other))
				return -EAGAIN;
			if (stands_in(&change->joined, process))
				*other = *process;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static void take_left(struct group_views *views, const struct group_change *change,
		      struct group_view *view)
{
	for (uint32_t i = 0; i < change->left.count; i++) {
		const struct group_process *process = &change->left.list[i];
		struct group_process *member = member_find(views, process->node_id);

		if (member != NULL && member->pid == process->pid)
			node_leaves(views, view, member, process->reason);
	}
	for (uint32_t i = 0; i < change->joined.count; i++) {
		const struct group_process *process = &change->joined.list[i];
		struct group_process *member = member_find(views, process->node_id);

		if (member != NULL && member->pid != process->pid)
			node_leaves(views, view, member, VIEW_PROC_DOWN);
	}
}

/* Returns 1 when a node joins that has left in the same change: that takes a view of its own. */
static int take_joined(struct group_views *views, const struct group_change *change,
		       const struct group_view *view)
{
	int again = 0;

	for (uint32_t i = 0; i < change->joined.count; i++) {
		const struct group_process *process = &change->joined.list[i];
		const struct group_process *member = member_find(views, process->node_id);
		int r = 0;

		if (member != NULL && member->pid != process->pid)
			return -EAGAIN;
		if (member == NULL)
			r = member_add(views, process);
		if (r < 0)
			return r;
		if (view_says_left(view, process->node_id))
			again = 1;
	}
	return again;
}

int group_views_change(struct group_views *views, const struct group_change *change,
		       struct group_view ret_views[2])
{
	bool first = !views->in_group;
	int again = 0;

	ret_views[0].left_count = ret_views[1].left_count = 0;
	if (!stands_in(&change->members, &views->own))
		return -ENOTCONN;
	if (first) {
		int r = first_view(views, change);

		if (r < 0)
			return r;
	} else {
		take_left(views, change, &ret_views[0]);
		view_fill(&ret_views[0], views);
		again = take_joined(views, change, &ret_views[0]);
		if (again < 0)
			return again;
	}
	if (!group_views_has(views, views->own.node_id, views->own.pid))
		return -EEXIST;
	views->in_group = true;
	view_fill(&ret_views[again], views);
	/* Only a process that did not count has come or gone. */
	if (!first && again == 0 && ret_views[0].left_count == 0 && change->joined.count == 0)
		return 0;
	return again + 1;
}
