/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group: messages are delivered to every member in one order, each member at its own pace.
 *
 * Today there is one member and no view: what a daemon multicast and had not delivered when it died is lost.  Of the
 * messages only windows are understood, for oracle 3.
 */
#include <inttypes.h>

#include <string.h>

#include "sim.h"

void group_multicast(struct sim *sim, struct node *node, const struct group_message *message)
{
	struct group *group = &sim->group;

	if (message->sender != node->daemon.node_id) {
		violate(sim, "2", "node %u multicasts in the name of %u", node->index,
			message->sender);
		return;
	}
	if (group->sent - node->delivered >= GROUP_MAX) {
		violate(sim, "5", "%u messages of the group are under way", GROUP_MAX);
		return;
	}
	group->queue[group->sent++ % GROUP_MAX] = *message;
	NOTE(sim, "multicast", message->type, message->window,
	     "node %u: multicast %u, window %u, mask %" PRIx64 ", %u regions, first %" PRIu64,
	     node->index, message->type, message->window, message->mask, message->region_count,
	     message->region_count > 0 ? message->regions[0] : 0);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *member = &sim->nodes[i];

		if (!member->daemon.alive || member->daemon.delivery_scheduled)
			continue;
		member->daemon.delivery_scheduled = true;
		schedule_io(sim, ITEM_DELIVERY, member, NULL);
	}
}

static struct mirror *group_mirror(struct sim *sim, const struct log_name *name)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		if (strcmp(sim->mirrors[i].uuid, name->uuid) == 0)
			return &sim->mirrors[i];
	return NULL;
}

static const struct group_message *claim_find(struct group *group,
					      const struct group_message *message)
{
	/* The newest: a log that is built anew counts its windows from 0 again. */
	for (uint32_t i = 1; i <= CLAIMS_MAX; i++) {
		const struct claim *entry = &group->claims[(group->next_claim - i) % CLAIMS_MAX];
		const struct group_message *claim = &entry->message;

		if (entry->used && claim->sender == message->sender &&
		    claim->window == message->window &&
		    strcmp(claim->log.uuid, message->log.uuid) == 0 &&
		    claim->log.log_type == message->log.log_type)
			return claim;
	}
	return NULL;
}

/* The first delivery of a message to anybody. */
static void group_understand(struct sim *sim, struct node *node,
			     const struct group_message *message)
{
	struct group *group = &sim->group;
	struct mirror *mirror = group_mirror(sim, &message->log);
	const struct group_message *claim;

	if (mirror == NULL) {
		violate(sim, "2", "message about an unknown mirror \"%s\"", message->log.uuid);
		return;
	}
	if (message->type == MESSAGE_LOST)
		copy_check_lost(sim, node, message);
	if (message->type == MESSAGE_CLAIM) {
		group->claims[group->next_claim++ % CLAIMS_MAX] =
			(struct claim){ .message = *message, .used = true };
		return;
	}
	if (message->type != MESSAGE_VOID && message->type != MESSAGE_SYNCED)
		return;
	claim = claim_find(group, message);
	if (claim == NULL) {
		violate(sim, "2", "message about window %u, which was never claimed",
			message->window);
		return;
	}
	for (uint32_t i = 0; i < claim->region_count; i++) {
		if ((message->mask >> i & 1) == 0)
			continue;
		if (message->type == MESSAGE_VOID)
			copy_void(sim, mirror, node, claim->regions[i]);
		else
			copy_note_synced(mirror, claim->regions[i]);
	}
}

void group_deliver(struct sim *sim, struct node *node)
{
	struct group *group = &sim->group;
	const struct group_message *message = &group->queue[node->delivered++ % GROUP_MAX];
	struct input input = { .type = INPUT_DELIVERED, .delivered = message };

	NOTE(sim, "delivered", message->type, message->window,
	     "node %u: delivered %u, window %u, mask %" PRIx64, node->index, message->type,
	     message->window, message->mask);
	node->daemon.delivery_scheduled = node->delivered < group->sent;
	if (node->daemon.delivery_scheduled)
		schedule_io(sim, ITEM_DELIVERY, node, NULL);
	group_understand(sim, node, message);
	daemon_step(sim, node, &input);
	state_check(sim, node);
}
