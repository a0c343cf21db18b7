/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks inside a core, for oracles 1 (core logs) and 6: the only file of the simulator that knows its private structs.
 */
#include <string.h>

#include "daemon/core/core_private.h"
#include "sim_view.h"

static bool unwatched(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (member_unproven(&entry->member[i]) && entry->member[i].unwatched)
			return true;
	return false;
}

/* The slot of a member that left is not in the base yet: what it held may still become lost. */
static bool unmerged(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 &&
		    (entry->member[i].departed || entry->member[i].to_merge))
			return true;
	return false;
}

/* Who has the disk role has made the base what the state says.  Before, the one that had it may have known more: what it copied,
 * and said to nobody else before it lost the group, stands in the base as in sync. */
static bool base_settled(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	return entry != NULL && entry->base_settled;
}

/* Some member is held for, as this node knows. */
static bool held_for(const struct log *log)
{
	if (log->type != LOG_TYPE_DISK)
		return false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (log->replicated.holds[i].count > 0)
			return true;
	return log->by_proxy;
}

bool core_view(const struct core *core, const char *uuid, enum log_type type,
	       uint64_t device_sectors, uint32_t region_sectors, uint32_t log_minor,
	       struct core_view *ret_view)
{
	for (uint32_t i = 0; i < core->logs_end; i++) {
		const struct log *log = core->logs[i];

		if (log == NULL || log->type != type || strcmp(log->name.uuid, uuid) != 0 ||
		    log->name.device_sectors != device_sectors ||
		    log->name.region_sectors != region_sectors ||
		    (type == LOG_TYPE_DISK && log->name.log_minor != log_minor))
			continue;
		*ret_view = (struct core_view){
			.index = i,
			.region_count = log->region_count,
			.open = log->phase == LOG_OPEN,
			.everything_held = log->everything_held,
			.resumed = log->live != NO_INDEX,
			.failed = log->opening.failed,
			.unwatched = unwatched(core, log),
			.unmerged = unmerged(core, log),
			.base_settled = base_settled(core, log),
			.base_ours = log->base_role == BASE_OURS,
			.undurable = log->replicated.losses > log->replicated.durable,
			.by_proxy = log->by_proxy || log->device_told,
			.somebody_by_proxy = held_for(log),
			.can_write = log->phase == LOG_OPEN && log->live != NO_INDEX &&
				     log->own_slot != NO_INDEX && log->entering == ENTER_NONE &&
				     log->closing.step == CLOSING_NONE && !log->opening.failed &&
				     !log->device_failed && !log->by_proxy && !log->device_told,
			.active = core->local.active && log->has_state,
			.closing = log->closing.step != CLOSING_NONE,
			.refused = core->local.refused,
			.out = log->replicated.out.words,
			.lost = log->replicated.lost.words,
			.held = log->held.words,
			.marked = log->marked.words,
			.pending = log->pending.words,
			.out_count = log->replicated.out.count,
		};
		return true;
	}
	return false;
}

uint64_t core_view_holds(const struct core *core, uint32_t index, uint64_t word)
{
	const struct log *log = core->logs[index];
	uint64_t held = 0;

	for (uint32_t m = 0; log->type == LOG_TYPE_CORE && m < CORE_NODES_MAX; m++) {
		const struct bitmap *holds = &log->replicated.holds[m];

		if (holds->count == 0)
			continue;
		for (uint64_t i = 0; i < 64 && word * 64 + i < log->region_count; i++)
			if (bitmap_test(holds, (word * 64 + i) >> log->hold_granularity))
				held |= UINT64_C(1) << i;
	}
	return held;
}

bool core_view_held_for(const struct core *core, uint32_t index, uint64_t region)
{
	const struct log *log = core->logs[index];

	/* Before a reload it may have been smaller. */
	if (log->type != LOG_TYPE_DISK || region >= log->region_count)
		return false;
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++)
		if (bitmap_test(&log->replicated.holds[m], region >> log->hold_granularity))
			return true;
	return false;
}

bool core_view_let_go_unheld(const struct core *core, uint32_t index, uint64_t region)
{
	const struct log *log = core->logs[index];

	return log->type == LOG_TYPE_DISK && region < log->region_count &&
	       !bitmap_test(&log->held, region) &&
	       (bitmap_test(&log->leaving, region) || bitmap_test(&log->releasing, region));
}
