/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quorum, and who is proven stopped.
 *
 * Leaving the view is not being stopped: what is departed stays so until there is proof for that boot: a fencing report
 * (counts only while the node is out of the cluster, G8), a hello of another boot of the node, or --takeover-delay since the
 * node left the cluster's membership (never since its daemon alone went, G5).  Where who has left may have gone on
 * (sides.c), it may use logs that nobody used before: none is opened or joined without proof.  News of the quorum is not ordered with
 * the views; each node judges it by itself, and what follows goes through the order.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

bool proof_is_stopped(const struct core *core, uint32_t node_id, const uint8_t *boot_id)
{
	static const uint8_t any[MESSAGE_ID_BYTES];

	for (uint32_t i = 0; i < STOPPED_MAX; i++) {
		const struct stopped_boot *stopped = &core->group.stopped[i];

		if (stopped->node_id == node_id &&
		    (memcmp(stopped->boot_id, boot_id, MESSAGE_ID_BYTES) == 0 ||
		     memcmp(stopped->boot_id, any, MESSAGE_ID_BYTES) == 0))
			return true;
	}
	return false;
}

/* News of the quorum may be older than the view: a node that the view has seen fall is still in its list then. */
bool proof_quorate(const struct core *core)
{
	const struct local_group_state *local = &core->local;

	if (!local->quorum_heard || !local->quorate)
		return false;
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++)
		if (local->nodes[i].node_id != 0 && local->nodes[i].view_says_down &&
		    local->nodes[i].in_cluster)
			return false;
	return true;
}

struct gone_node *proof_node(struct core *core, uint32_t node_id)
{
	struct gone_node *free = NULL;

	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++) {
		struct gone_node *gone = &core->local.nodes[i];

		if (gone->node_id == node_id)
			return gone;
		if (gone->node_id == 0 && free == NULL)
			free = gone;
	}
	if (free != NULL)
		*free = (struct gone_node){ .node_id = node_id, .out_since_ms = core->now_ms };
	return free;
}

void proof_quorum(struct core *core, const struct input_quorum *quorum)
{
	struct local_group_state *local = &core->local;

	if (quorum->quorate && (!local->quorum_heard || !local->quorate))
		local->quorum_since_ms = core->now_ms;
	local->quorum_heard = true;
	local->quorate = quorum->quorate;
	for (uint32_t i = 0; i < quorum->node_count; i++)
		(void)proof_node(core, quorum->nodes[i]);
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++) {
		struct gone_node *gone = &local->nodes[i];
		bool in_cluster = false;

		for (uint32_t n = 0; gone->node_id != 0 && n < quorum->node_count; n++)
			in_cluster = in_cluster || quorum->nodes[n] == gone->node_id;
		if (gone->node_id == 0)
			continue;
		if (in_cluster)
			gone->out_since_ms = UINT64_MAX;
		else if (gone->in_cluster || gone->out_since_ms == UINT64_MAX)
			gone->out_since_ms = core->now_ms;
		gone->in_cluster = in_cluster;
		if (in_cluster)
			gone->stopped_sent = false;
	}
	core->pump_all = true;
}

bool proof_out_of_cluster(struct core *core, uint32_t node_id, uint64_t for_ms)
{
	const struct gone_node *gone = proof_node(core, node_id);
	uint64_t since_ms = core->local.quorum_since_ms;

	if (PLANTED(PLANT_DELAY_PROC_DOWN))
		return core->now_ms >= since_ms + for_ms;
	if (!core->local.quorum_heard || !core->local.quorate || gone == NULL || gone->in_cluster)
		return false;
	if (PLANTED(PLANT_DELAY_SKIPPED))
		return true;
	if (gone->out_since_ms != UINT64_MAX && gone->out_since_ms > since_ms)
		since_ms = gone->out_since_ms;
	return core->now_ms >= since_ms + for_ms;
}

/* Its node hears other nodes than we do, if any: it may have quorum there. */
static bool elsewhere(const struct core *core, const struct group_node *node)
{
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++)
		if (core->local.nodes[i].node_id == node->node_id)
			return !core->local.nodes[i].in_cluster;
	return true;
}

uint32_t proof_other_side(const struct core *core)
{
	uint32_t lowest = 0;

	for (uint32_t i = 0; i < CORE_NODES_MAX && !PLANTED(PLANT_HALF_OPENS); i++) {
		const struct group_node *node = &core->group.node[i];

		if (sides_astray(core, node) && elsewhere(core, node) &&
		    (lowest == 0 || node->node_id < lowest))
			lowest = node->node_id;
	}
	return lowest;
}

static void tell_stopped(struct core *core, uint32_t node_id, const uint8_t *boot_id)
{
	struct group_message message = { .type = MESSAGE_STOPPED, .node = node_id };

	memcpy(message.boot_id, boot_id, MESSAGE_ID_BYTES);
	multicast_group(core, &message);
}

void proof_fenced(struct core *core, uint32_t node_id)
{
	static const uint8_t any[MESSAGE_ID_BYTES];
	const struct group_node *node = group_node_find(core, node_id);

	/* A report for a boot that is in the cluster is late: it speaks of an earlier one (G8). */
	if (!core->local.active || !proof_out_of_cluster(core, node_id, 0) ||
	    (node != NULL && node->in_view))
		return;
	tell_stopped(core, node_id, node != NULL ? node->boot_id : any);
}

/* takeover-delay: only since the node has left the cluster, never since its daemon alone went. */
void proof_pump(struct core *core)
{
	uint64_t delay_ms = core->config.takeover_delay_ms;

	if (delay_ms == 0 || !core->local.active)
		return;
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++) {
		struct gone_node *gone = &core->local.nodes[i];
		const struct group_node *node = group_node_find(core, gone->node_id);

		if (gone->node_id == 0 || node == NULL || node->in_view ||
		    (gone->in_cluster && !PLANTED(PLANT_DELAY_PROC_DOWN)) || gone->stopped_sent ||
		    proof_is_stopped(core, gone->node_id, node->boot_id))
			continue;
		if (!proof_out_of_cluster(core, gone->node_id, delay_ms)) {
			uint64_t since_ms = gone->out_since_ms > core->local.quorum_since_ms ?
						    gone->out_since_ms :
						    core->local.quorum_since_ms;

			core_wake_at(core, since_ms + delay_ms);
			continue;
		}
		gone->stopped_sent = true;
		tell_stopped(core, gone->node_id, node->boot_id);
	}
}

void proof_delivered(struct core *core, const struct group_message *message)
{
	static const uint8_t any[MESSAGE_ID_BYTES];
	struct group *group = &core->group;
	const struct group_node *node = group_node_find(core, message->node);

	if (node != NULL && node->in_view &&
	    memcmp(node->boot_id, message->boot_id, MESSAGE_ID_BYTES) == 0)
		return; /* it is here: whoever said so was wrong */
	if (node != NULL && memcmp(node->boot_id, any, MESSAGE_ID_BYTES) != 0 &&
	    memcmp(message->boot_id, any, MESSAGE_ID_BYTES) == 0)
		return; /* it has said hello since: that proves for every boot of before, and this says nothing of the new one */
	if (!proof_is_stopped(core, message->node, message->boot_id)) {
		struct stopped_boot *stopped = &group->stopped[group->stopped_next++ % STOPPED_MAX];

		stopped->node_id = message->node;
		memcpy(stopped->boot_id, message->boot_id, MESSAGE_ID_BYTES);
	}
	if (node != NULL && memcmp(node->boot_id, message->boot_id, MESSAGE_ID_BYTES) == 0)
		sides_stopped(core, group_node_find(core, message->node));
	directory_proven(core, message->node, message->boot_id, false);
	sides_found_again(core);
	core->pump_all = true;
}
