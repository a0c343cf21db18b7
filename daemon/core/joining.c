/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From RESUME to JOIN: which of a node's tables of a log, or log device, has it, and what is known of the one that gets it.
 *
 * Two are there during a reload, and more where the kernel has not found a daemon for a while: what it says then comes late, twice, or
 * not at all.  Who has the log is right as long as its kernel's table writes; the other one is in *conflict*: its FLUSH fails.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

static bool same_device(const struct log *a, const struct log *b)
{
	return a == b ||
	       (a->type == LOG_TYPE_DISK && b->type == LOG_TYPE_DISK &&
		a->name.log_major == b->name.log_major && a->name.log_minor == b->name.log_minor);
}

struct table *table_rival(struct core *core, const struct table *table)
{
	const struct log *log = table_log(core, table);

	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *other = &core->tables[i];
		const struct log *its;

		if (!other->used || other == table || other->conflict ||
		    other->phase == TABLE_NEW || other->phase == TABLE_READY ||
		    (other->phase == TABLE_JOINING && !other->join_sent))
			continue;
		its = table_log(core, other);
		if (same_device(log, its) || strcmp(log->name.uuid, its->name.uuid) == 0)
			return other;
	}
	return NULL;
}

void table_leave(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);

	if (table->conflict) {
		table->conflict = false;
		table->phase = TABLE_READY;
		return;
	}
	table->phase = TABLE_LEAVING;
	table->was_live = false;
	log->again = true;
	closing_begin(log, table_index(core, table));
}

/*
 * A thread of the kernel that found no listener sends CTR and RESUME before its request, whenever it gets to run: its
 * RESUME may come after another thread's POSTSUSPEND.  Such an echo opens the log of a table that the kernel has
 * suspended: its legs are not kept open, and nothing about I/O is asked of it.  It must not stand in the way of
 * its successor.  Nor does it wait where the others have the mirror with another geometry or log device by now: its table was
 * suspended in the order before, and a status ioctl whose loop this is would keep the new table from being swapped in.
 */
static bool is_echo(const struct table *table)
{
	return table->phase == TABLE_LIVE && table->legs != LEGS_OPEN &&
	       (table->dm_suspended || (!table->io_seen && !table->was_live));
}

/* The group says nothing against it: what else there is of this uuid has ended, and what this node left behind is known. */
static bool join_possible(struct core *core, struct log *log)
{
	const struct member *me = member_own(core, log);

	return core->local.active && !membership_left_behind(core, log) &&
	       !entry_in_the_way(core, &log->name) && (me == NULL || me->use == MEMBER_FOLLOWS) &&
	       log->copier.flying == 0 && log->io_flying == 0;
}

/* A daemon of before may have let its kernel write.  What it left says what: else everything counts as held, and as reported, until
 * there is a new table: nobody knows of a reconnect loop that failed, after which the kernel writes on one leg, unmarked. */
static void take_predecessor(struct core *core, struct log *log, struct table *table)
{
	bool unknown = predecessor_take(core, log) || table->past_unknown;
	enum kept_past past = kept_take(core, log, table);
	struct effect_event event = { .event = EVENT_UNKNOWN_PAST, .luid = table->luid };

	if (PLANTED(PLANT_UNKNOWN_PAST_IGNORED)) {
		hold_forget_marks(log);
		return;
	}
	unknown = table->past_unknown || past == KEPT_OF_ANOTHER ||
		  (unknown && past == KEPT_NOTHING);
	table->past_unknown = false;
	if (past == KEPT_LIVE && !unknown) {
		event.event = EVENT_KNOWN_PAST;
		event.number = log->held.count;
		event.region = log->marked.count;
		emit_event(core, log, &event);
	}
	if (!unknown)
		return;
	kept_forget(log);
	if (log->kept_looped || past == KEPT_NOTHING) {
		bitmap_set_all(&log->unsynced);
		log->unsynced_luid = table->luid;
	}
	log->everything_held = true;
	log->unflushed_marks = true;
	log->unknown_luid = table->luid;
	emit_event(core, log, &event);
}

/*
 * A table in conflict asks what only a live one does.  The other one was live when an earlier daemon was killed, and has asked nothing
 * of the kind since: its POSTSUSPEND found nobody, and the kernel does not say it again.
 */
bool table_outlived(struct core *core, struct table *table)
{
	struct table *other = table_rival(core, table);

	if (!table->conflict || other == NULL || !other->was_live ||
	    (other->phase != TABLE_LIVE && other->phase != TABLE_PRESUSPENDED))
		return false;
	table_leave(core, other);
	table->conflict = false;
	table->phase = TABLE_JOINING;
	table->past_unknown = table->io_seen || table_log(core, table)->kept->luid == 0;
	core->pump_all = true;
	return true;
}

void table_join(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);
	struct table *other = table_rival(core, table);
	struct group_message message = { .luid = table->luid, .stateless = !log->has_state };
	struct effect_event event = {
		.event = EVENT_CONFLICT,
		.luid = table->luid,
		.text = "another table with this uuid or log device is in use"
	};

	if (other != NULL && is_echo(other)) {
		table_leave(core, other);
		core->pump_all = true;
		return;
	}
	if (other != NULL && (other->phase == TABLE_LIVE || other->phase == TABLE_PRESUSPENDED) &&
	    !other->deleting) {
		table->conflict = true;
		table->phase = TABLE_LIVE;
		emit_event(core, log, &event);
		answer_waiting(core, table, REQUEST_RESUME, 0, NULL, 0);
		unknown_again(core, table);
		return;
	}
	if (other == NULL && table->echo && entry_replaced(core, &log->name)) {
		(void)predecessor_take(core, log);
		table->phase = TABLE_READY;
		answer_waiting(core, table, REQUEST_RESUME, 0, NULL, 0);
		return;
	}
	if (other != NULL || log->phase != LOG_CLOSED || !join_possible(core, log))
		return;
	take_predecessor(core, log, table);
	message.fresh = !table->resumed_once && !log->everything_held;
	message.everything = log->everything_held && !PLANTED(PLANT_EVERYTHING_UNSAID);
	table->join_sent = true;
	membership_join(core, log, &message);
}
