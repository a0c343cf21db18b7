/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who can write a log device, for the oracles: it decides whether an error may be told, and whether a loss can be made durable.
 *
 * What another node can do counts for a node when that node must know it: both are in one whole ring, have delivered all of its
 * order, and nothing that the other one has said is under way.
 */
#include "sim.h"

static bool all_delivered(const struct node *node)
{
	const struct membership *member = &node->group;

	return member->path_count == 1 && member->path[0].ring == node->ring &&
	       member->path[0].at == node->ring->end;
}

/* `node` must know what `other` is able to do. */
static bool must_know(const struct sim *sim, const struct node *node, const struct node *other,
		      const struct mirror *mirror)
{
	struct core_view view;

	if (!view_of_mirror(node, mirror, &view) || !view.active ||
	    !view_of_mirror(other, mirror, &view) || !view.active)
		return false;
	return node->ring != NULL && other->ring == node->ring && !node->ring->broken &&
	       cluster_quorate(sim, node) && all_delivered(node) && all_delivered(other) &&
	       other->group.under_way == 0 && other->group.viewed && node->group.viewed;
}

static bool writes(const struct sim *sim, const struct node *node, const struct mirror *mirror)
{
	struct core_view view;

	return view_of_mirror(node, mirror, &view) && view.can_write &&
	       !disk_fails(node, mirror->disk) && !mirror->disk->read_only &&
	       (sim->node_count == 1 || node->ring != NULL);
}

bool writer_known(const struct sim *sim, const struct node *node, const struct mirror *mirror)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *other = &sim->nodes[i];

		if (writes(sim, other, mirror) &&
		    (other == node || must_know(sim, node, other, mirror)))
			return true;
	}
	return false;
}

bool somebody_is_held_for(const struct sim *sim, const struct mirror *mirror)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct core_view view;

		if (view_of_mirror(&sim->nodes[i], mirror, &view) && view.somebody_by_proxy)
			return true;
	}
	return false;
}

bool region_is_held_for(const struct sim *sim, const struct mirror *mirror, uint64_t region)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];
		struct core_view view;

		if (view_of_mirror(node, mirror, &view) &&
		    core_view_held_for(node->daemon.core, view.index, region))
			return true;
	}
	return false;
}

bool region_is_let_go_unheld(const struct sim *sim, const struct mirror *mirror, uint64_t region)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];
		struct core_view view;

		if (view_of_mirror(node, mirror, &view) &&
		    core_view_let_go_unheld(node->daemon.core, view.index, region))
			return true;
	}
	return false;
}
