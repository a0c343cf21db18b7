/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 2: members at the same point of the order have equal replicated state.
 *
 * One node has nobody to be compared with; group_deliver() calls this at every delivery.
 */
#include "sim.h"

void state_check(struct sim *sim, const struct node *node)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *other = &sim->nodes[i];

		if (other == node || !other->daemon.alive || other->delivered != node->delivered)
			continue;
		violate(sim, "2", "nodes %u and %u cannot be compared yet", node->index, i);
	}
}
