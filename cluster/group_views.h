/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the processes that corosync's group has to the nodes that the core's group has.
 *
 * A node is a member by one process.  When a second one of it joins, its daemon has been started anew and corosync has not
 * yet noticed the end of the former: the newer one counts, and the node has left (VIEW_PROC_DOWN) and joined.  All who
 * have seen the former decide so at the same place of the order; who joins later and cannot know which one is newer gets
 * no view, and has to join again.  Pure.
 */
#ifndef DMCLOGD_GROUP_VIEWS_H
#define DMCLOGD_GROUP_VIEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"

/* As many as corosync gives. */
#define GROUP_PROCESSES_MAX 128

struct group_process {
	uint32_t node_id;
	uint32_t pid;
	enum view_reason reason; /* of those that left */
};

struct group_processes {
	const struct group_process *list;
	uint32_t count;
};

struct group_change {
	struct group_processes members; /* all */
	struct group_processes left;
	struct group_processes joined;
};

/* All zero but `own`: not in the group. */
struct group_views {
	struct group_process own;
	struct group_process member[CORE_NODES_MAX]; /* one a node, node ids rise */
	uint32_t count;
	bool in_group;
};

struct group_view {
	uint32_t members[CORE_NODES_MAX];
	uint32_t member_count;
	uint32_t left[CORE_NODES_MAX];
	enum view_reason left_reasons[CORE_NODES_MAX];
	uint32_t left_count;
};

/*
 * One change of the group's processes, as all members get it.  Returns the number of views that the core is to be given, 0
 * to 2, into ret_views; or, and then the group must be left and joined again, or is left already:
 *   -ENOTCONN    this process is not a member
 *   -EEXIST      another process of this node has joined after this one
 *   -EAGAIN      two processes of one node, and nobody here can know which is the newer one
 *   -E2BIG       more than CORE_NODES_MAX nodes
 */
int group_views_change(struct group_views *views, const struct group_change *change,
		       struct group_view ret_views[2]);

/* Does what this process says count? */
bool group_views_has(const struct group_views *views, uint32_t node_id, uint32_t pid);

#endif
