/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking into the core from outside: see core.h and core_status.h.  Changes nothing. */
#include <errno.h>
#include <string.h>

#include "core_private.h"
#include "core_status.h"

static const char *phase_name(const struct log *log)
{
	if (log->closing.step != CLOSING_NONE)
		return "closing";
	switch (log->phase) {
	case LOG_CLOSED:
		return "closed";
	case LOG_OPENING:
		return "opening";
	case LOG_OPEN:
		return "open";
	case LOG_CLOSING: /* of the group's phases only */
		break;
	}
	return "unknown";
}

/* What INPUT_CONTROL has set.  Before anybody uses the log there is no entry: what holds then is the default. */
static void pace_status(const struct core *core, const struct log *log,
			struct core_log_status *status)
{
	const struct entry *entry = entry_look(core, &log->name);

	status->bytes_per_second = copying_rate(core, log);
	status->paused = entry != NULL && entry->paused;
	status->control_rate = entry != NULL && entry->bytes_per_second != 0;
}

int core_log_status(const struct core *core, uint32_t index, struct core_log_status *ret_status)
{
	const struct log *log = index < CORE_LOGS_MAX ? core->logs[index] : NULL;

	if (log == NULL)
		return -ENOENT;
	*ret_status = (struct core_log_status){
		.uuid = log->name.uuid,
		.type = log->type,
		.log_major = log->name.log_major,
		.log_minor = log->name.log_minor,
		.device_sectors = log->name.device_sectors,
		.region_count = log->region_count,
		.region_sectors = log->region_sectors,
		.sync_count = log_sync_count(log),
		.lost_count = log->replicated.lost.count,
		.held_count = log->everything_held ? log->region_count : log->held.count,
		.marked_count = log->marked.count,
		.reported_count = log->replicated.reported.count,
		.copies = log->copier.flying,
		.table_count = log->tables,
		.resumed_count = log->live != NO_INDEX,
		.device_failed = log->device_failed || log->opening.failed,
		.legs_failed = replicated_legs_failed(core, log),
		.everything_held = log->everything_held,
		.phase = phase_name(log),
		.slot_writes = log->slot_writes,
		.base_writes = log->base_writes,
		.leg_flushes = log->leg_flushes,
		.regions_copied = log->regions_copied,
		.requests = log->requests,
	};
	pace_status(core, log, ret_status);
	return 0;
}

uint32_t core_table_count(const struct core *core)
{
	return core->table_count;
}

/* ---- the group ---- */

static const struct group_node *look_node(const struct core *core, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (core->group.node[i].node_id == node_id)
			return &core->group.node[i];
	return NULL;
}

static struct core_node_status *status_node(struct core_group_status *status, uint32_t node_id)
{
	for (uint32_t i = 0; i < status->node_count; i++)
		if (status->nodes[i].node_id == node_id)
			return &status->nodes[i];
	status->nodes[status->node_count].node_id = node_id;
	return &status->nodes[status->node_count++];
}

void core_group_status(const struct core *core, struct core_group_status *ret_status)
{
	const struct group_node *me = look_node(core, core->config.node_id);

	*ret_status = (struct core_group_status){
		.node_id = core->config.node_id,
		.cluster_name = core->config.cluster_name,
		.in_group = core->local.in_group,
		.quorate = proof_quorate(core),
		.has_state = me != NULL && me->in_view && me->current && !core->local.fetching,
		.refused = core->local.refused,
		.active = core->local.active,
		.epoch = core->group.epoch,
		.leader = core->group.leader,
	};
	memcpy(ret_status->boot_id, core->config.boot_id, MESSAGE_ID_BYTES);
	memcpy(ret_status->machine_id, core->config.machine_id, MESSAGE_ID_BYTES);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &core->group.node[i];
		static const uint8_t none[MESSAGE_ID_BYTES];
		struct core_node_status *known;

		if (node->node_id == 0)
			continue;
		known = status_node(ret_status, node->node_id);
		known->in_group = node->in_view;
		known->has_state = node->in_view && node->current;
		known->boot_known = memcmp(node->boot_id, none, MESSAGE_ID_BYTES) != 0;
		memcpy(known->boot_id, node->boot_id, MESSAGE_ID_BYTES);
	}
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++)
		if (core->local.nodes[i].node_id != 0)
			status_node(ret_status, core->local.nodes[i].node_id)->in_cluster =
				core->local.nodes[i].in_cluster;
	for (uint32_t i = 0; i < ret_status->node_count; i++)
		ret_status->nodes[i].stopped = proof_is_stopped(core, ret_status->nodes[i].node_id,
								ret_status->nodes[i].boot_id);
}

int core_fenced_counts(const struct core *core, uint32_t node_id, uint8_t *ret_boot_id)
{
	const struct group_node *node = look_node(core, node_id);

	if (strcmp(core->config.cluster_name, "none") == 0)
		return -ENOTSUP;
	if (node_id == core->config.node_id || node_id == 0)
		return -EINVAL;
	if (!core->local.active)
		return -ENOTCONN;
	for (uint32_t i = 0; i < 2 * CORE_NODES_MAX; i++)
		if (core->local.nodes[i].node_id == node_id && core->local.nodes[i].in_cluster)
			return -EBUSY;
	if (node != NULL && node->in_view)
		return -EBUSY;
	memset(ret_boot_id, 0, MESSAGE_ID_BYTES);
	if (node != NULL)
		memcpy(ret_boot_id, node->boot_id, MESSAGE_ID_BYTES);
	return 0;
}

/* ---- members ---- */

static enum core_member_state member_state(const struct member *member)
{
	if (member->to_merge)
		return CORE_MEMBER_STOPPED;
	if (member->departed)
		return CORE_MEMBER_DEPARTED;
	switch (member->use) {
	case MEMBER_RESUMED:
		return CORE_MEMBER_RESUMED;
	case MEMBER_LEAVING:
		return CORE_MEMBER_LEAVING;
	case MEMBER_NONE:
	case MEMBER_FOLLOWS:
		break;
	}
	return CORE_MEMBER_FOLLOWS;
}

uint32_t core_log_members(const struct core *core, uint32_t index,
			  struct core_member_status ret_members[CORE_NODES_MAX])
{
	const struct log *log = index < CORE_LOGS_MAX ? core->logs[index] : NULL;
	const struct entry *entry = log == NULL ? NULL : entry_look(core, &log->name);
	uint32_t count = 0;

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];
		struct core_member_status *status = &ret_members[count];

		if (member->node_id == 0)
			continue;
		*status = (struct core_member_status){
			.node_id = member->node_id,
			.state = member_state(member),
			.has_state = member->has_state,
			.disk_role = member->node_id == entry->role && !member->departed,
			.legs_failed = member->legs_failed,
			.device_failed = member->device_failed,
			.slot = member->slot,
			.luid = member->luid,
		};
		memcpy(status->boot_id, member->boot_id, MESSAGE_ID_BYTES);
		count++;
	}
	return count;
}
