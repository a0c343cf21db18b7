/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror to be made: its devices, looked at and found good, and the line of its table.
 */
#ifndef DMCLOG_MIRROR_PLAN_H
#define DMCLOG_MIRROR_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/table_parse.h"
#include "tools/tab.h"

#define PLAN_LINE_BYTES 2048

enum plan_log {
	PLAN_CLUSTERED_DISK,
	PLAN_CLUSTERED_CORE,
	PLAN_KERNEL_DISK, /* the kernel's own type "disk" */
};

struct mirror_plan {
	enum plan_log log;
	bool nosync;
	uint64_t sectors;
	uint32_t region_sectors;
	uint32_t log_major, log_minor;
	struct table_mirror mirror; /* uuid and legs */
};

/* The words behind "mirror" in a table.  Returns 0 or -E2BIG.  Pure. */
int plan_line(const struct mirror_plan *plan, char *line, size_t line_bytes);

/*
 * The other way round, from what the kernel prints of a mirror with one of these logs; `sectors` is not in it and stays 0, an option of the log
 * (sync, nosync) and features are not kept.  The uuid of a mirror with the kernel's log is "".  Returns 0 and *ret_plan; -ENOMSG: another log; -EINVAL:
 * malformed; -E2BIG: more than CORE_LEGS_MAX legs.  Pure.
 */
int plan_parse(const char *line, struct mirror_plan *ret_plan);

/* Has a log device of `bytes` room for the slots?  Returns 0, or -ENOSPC and how many bytes are needed.  Pure. */
int plan_log_fits(const struct mirror_plan *plan, uint64_t bytes, uint64_t *ret_needed_bytes);

/*
 * Looks at the devices of an entry: there, block devices, different, large enough, unused.  The log device must have room for the slots.  With `cluster`,
 * the name of this node's, it must also hold a log or nothing at all, and none that another cluster uses.  Returns 0 and *ret_plan, or negative errno after saying on stderr what is wrong and what to do.
 */
int plan_make(const struct tab_entry *entry, const char *cluster, struct mirror_plan *ret_plan);

#endif
