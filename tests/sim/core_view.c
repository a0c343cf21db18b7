/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks inside a core, for oracles 1 (core logs) and 6: the only file of the simulator that knows its private structs.
 */
#include <string.h>

#include "daemon/core/core_private.h"
#include "sim_view.h"

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
