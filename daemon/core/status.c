/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking into the core from outside: see core.h.  Changes nothing. */
#include <errno.h>

#include "core_private.h"

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
		.sync_count = log->region_count - log->replicated.out.count,
		.lost_count = log->replicated.lost.count,
		.held_count = log->everything_held ? log->region_count : log->held.count,
		.marked_count = log->marked.count,
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
	return 0;
}

uint32_t core_table_count(const struct core *core)
{
	return core->table_count;
}
