/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an Opening waits for before it reads the log device and believes it: nobody else writes there.
 *
 * Members that departed, nodes of another side that may have quorum as well, and owners of slots in use must be proven to be stopped.
 */
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

static void tell_waiting(struct core *core, struct log *log, const char *text)
{
	struct effect_event event = { .event = EVENT_WAITING_FOR_SLOT, .text = text };

	if (!log->opening.waiting_told)
		emit_event(core, log, &event);
	log->opening.waiting_told = true;
}

/* For people: 32 digits. */
static const char *boot_text(const uint8_t *boot_id, char text[2 * MESSAGE_ID_BYTES + 1])
{
	for (size_t i = 0; i < MESSAGE_ID_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", boot_id[i]);
	return text;
}

bool opening_side_known(struct core *core, struct log *log)
{
	uint32_t node_id = proof_other_side(core);
	char text[192];

	if (node_id == 0)
		return true;
	heard_forget(log); /* it comes back, perhaps, and has not heard then */
	(void)snprintf(
		text, sizeof(text),
		"node %u left, may have quorum as well and is not proven to be stopped: dmclog fenced %u",
		node_id, node_id);
	tell_waiting(core, log, text);
	return false;
}

/* Its node is in the cluster, and no daemon of it in the group. */
static bool has_no_daemon(struct core *core, const struct gone_node *gone)
{
	const struct group_node *node = group_node_find(core, gone->node_id);

	return gone->node_id != 0 && gone->node_id != core->config.node_id && gone->in_cluster &&
	       (node == NULL || !node->in_view);
}

static bool has_not_said(const struct core *core, struct entry *entry,
			 const struct group_node *node)
{
	return node->node_id != 0 && node->node_id != core->config.node_id && node->in_view &&
	       node->current && member_find(entry, node->node_id) == NULL &&
	       !entry_absent(entry, node->node_id);
}

/*
 * A core log has no slots to tell of a kernel that goes on while its daemon is started again (H11): every node of the cluster
 * must have joined, or have said that it has no table of it.
 */
bool opening_all_asked(struct core *core, struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);
	const char *what = NULL;
	uint32_t node_id = 0;
	char text[128];

	if (log->type != LOG_TYPE_CORE || entry == NULL)
		return true;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (has_not_said(core, entry, &core->group.node[i])) {
			node_id = core->group.node[i].node_id;
			what = "has not said whether it uses this log";
		}
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++)
		if (has_no_daemon(core, &core->local.nodes[i])) {
			node_id = core->local.nodes[i].node_id;
			what = "is in the cluster and may use this log: start its dmclogd";
		}
	if (what == NULL)
		return true;
	(void)snprintf(text, sizeof(text), "node %u %s", node_id, what);
	tell_waiting(core, log, text);
	return false;
}

uint32_t opening_leaver(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed &&
		    entry->member[i].use == MEMBER_LEAVING)
			return entry->member[i].node_id;
	return 0;
}

/* Members that departed without proof may have writes to the log device under way, and so may those that are being suspended,
 * beside a last one that has departed: it is not read before. */
bool opening_members_proven(struct core *core, struct log *log)
{
	const struct entry *entry = entry_find(core, &log->name);
	char boot[2 * MESSAGE_ID_BYTES + 1];
	char text[224];

	if (log->type == LOG_TYPE_DISK && opening_leaver(core, log) != 0)
		return false;
	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		if (!member_unproven(member) || PLANTED(PLANT_OPEN_UNPROVEN))
			continue;
		(void)snprintf(
			text, sizeof(text),
			"node %u (boot %s) left while it used this log and is not proven to be stopped",
			member->node_id, boot_text(member->boot_id, boot));
		tell_waiting(core, log, text);
		return false;
	}
	return true;
}

static void opening_again(struct log *log)
{
	struct opening fresh = { .table = log->opening.table,
				 .waiting_told = log->opening.waiting_told };

	memcpy(fresh.random_id, log->opening.random_id, DISK_ID_BYTES);
	log->opening = fresh;
	image_place(&log->base, 0, log->layout.slot_offset_bytes, log->block_bytes);
	opening_next(log, OPENING_READ_HEAD);
	log->again = true;
}

bool opening_owners_proven(struct core *core, struct log *log)
{
	struct opening *opening = &log->opening;
	char boot[2 * MESSAGE_ID_BYTES + 1];
	char text[224];

	for (uint32_t i = 0; i < opening->merge_count; i++) {
		const struct disk_slot_header *owner = &opening->owner[i];

		if (slot_owner_proven(core, log, owner))
			continue;
		(void)snprintf(
			text, sizeof(text),
			"slot %u of node %u (boot %s) in cluster \"%.63s\" is in use and that node is "
			"not proven to be stopped",
			opening->merge[i], owner->node_id, boot_text(owner->boot_id, boot),
			opening->old.cluster_name);
		opening->unproven = i;
		tell_waiting(core, log, text);
		opening->read_again = true;
		return false;
	}
	if (!opening->read_again)
		return true;
	/* Until the proof its owner may have written: base and slots are read once more. */
	opening_again(log);
	return false;
}
