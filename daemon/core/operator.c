/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator says: pause or limit the copying of a log on all nodes, end the waits of a mirror on this one.
 *
 * The first is replicated and goes through the order.  The second is about this node's kernel alone: a FLUSH gets -EIO, all else an
 * answer that does no harm; what it holds stays in its slot until it has left, or is proven stopped (H10).
 */
#include <errno.h>
#include <string.h>

#include "core_private.h"

void operator_control(struct core *core, const struct input_control *control)
{
	struct group_message message = { .type = MESSAGE_CONTROL,
					 .paused = control->paused,
					 .number = control->bytes_per_second };

	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL && core->local.in_group &&
		    strcmp(core->logs[i]->name.uuid, control->uuid) == 0)
			multicast(core, core->logs[i], &message);
}

static void fail_table(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);

	answer_waiting(core, table, REQUEST_FLUSH, -EIO, NULL, 0);
	answer_waiting(core, table, REQUEST_SET_REGION_SYNC, 0, NULL, 0);
	log->report_sent = false; /* what is under way is not about the next one */
	answer_waiting_flag(core, table, REQUEST_IN_SYNC, 1);
	if (table->waiting[REQUEST_RESUME].active && table->phase == TABLE_JOINING &&
	    !table->join_sent) {
		/* It goes on joining; until it has, whatever it wants to write fails. */
		table->conflict = true;
		table->phase = TABLE_LIVE;
	}
	answer_waiting(core, table, REQUEST_RESUME, 0, NULL, 0);
	/* POSTSUSPEND when own I/O has drained. */
	if (log->closing.step != CLOSING_NONE && &core->tables[log->closing.table] == table)
		log->closing.alone = true;
	else
		answer_waiting(core, table, REQUEST_POSTSUSPEND, 0, NULL, 0);
}

void operator_fail(struct core *core, const char *uuid)
{
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used &&
		    strcmp(table_log(core, &core->tables[i])->name.uuid, uuid) == 0)
			fail_table(core, &core->tables[i]);
	core->pump_all = true;
}
