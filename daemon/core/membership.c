/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This node's part in a log: joining it, entering it with a slot of its own, losing it with the group, and joining again.
 *
 * From a JOIN to a log that can be used:
 *
 *   JOIN delivered --founder--> Opening (opening.c) --OPENED--> usable
 *                  --else-----> snapshot read --> entering: superblock compared, slot written, its header --> usable
 *
 * Whoever loses the group, or finds after a merge that the other side's state counts, has live tables and no state: their
 * kernels' marks and holds stay, nothing that carries marks is answered, and each joins again.  What the old state had out of sync
 * is reported as lost then (H2).
 */
#include <errno.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"
#include "words_codec.h"

bool log_usable(struct core *core, const struct log *log)
{
	return core->local.active && log->phase == LOG_OPEN;
}

uint64_t log_sync_count(const struct log *log)
{
	return log->has_state ? log->region_count - log->replicated.out.count : 0;
}

/* ---- losing it ---- */

void state_clear(struct log *log)
{
	struct replicated *state = &log->replicated;

	bitmap_clear_all(&state->out);
	bitmap_clear_all(&state->lost);
	bitmap_clear_all(&state->reported);
	bitmap_clear_all(&state->claimed);
	bitmap_clear_all(&log->windowed);
	for (uint32_t i = 0; i < WINDOWS_MAX; i++)
		state->windows[i].used = false;
	state->windows_used = 0;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		state->reporter[i] = 0;
		bitmap_clear_all(&state->holds[i]);
	}
	state->losses = 0;
	state->durable = 0;
	bitmap_clear_all(&log->gained);
	bitmap_clear_all(&log->gaining);
	bitmap_clear_all(&log->undurable);
}

void membership_lost(struct core *core, struct log *log)
{
	log->has_state = false;
	log->importing = false;
	log->rejoin_sent = false;
	log->leave_sent = false;
	log->losing_flying = false;
	log->release_losses = UINT64_MAX; /* of another count */
	log->report_sent = false;
	log->unsynced_told = false;
	log->wish.asked = false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		log->proxied[i].wanted = false;
	log->durable_sent = 0;
	log->base_role = BASE_NONE;
	log->role_given_up = false;
	log->takeover.step = TAKEOVER_NONE;
	log->takeover.merged_sent = false;
	log->entering = ENTER_NONE;
	log->opening.step = OPENING_NONE;
	heard_forget(log);
	log->phase = LOG_CLOSED;
	copying_lost(log);
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used && core->tables[i].log == log->index)
			core->tables[i].health_told = false;
	closing_lost(log);
	log->again = true;
	core->pump_all = true;
}

/* The state of the other side counts.  What ours had out of sync is reported when theirs has been read. */
void membership_gave_up(struct core *core, struct log *log)
{
	if (log->has_state && log->live != NO_INDEX) {
		bitmap_copy(&log->reclaim, &log->replicated.out);
		log->reclaiming = log->reclaim.count > 0;
	}
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used && core->tables[i].log == log->index)
			core->tables[i].join_sent = false;
	if (PLANTED(PLANT_MARKS_DROPPED))
		hold_forget_marks(log);
	log->takeover.losses_flying = 0;
	membership_lost(core, log);
}

/* What was said and has not come back never will. */
void membership_forget_sent(struct core *core)
{
	for (uint32_t i = 0; i < core->tables_end; i++)
		core->tables[i].join_sent = core->tables[i].join_sent &&
					    PLANTED(PLANT_JOIN_SENT_KEPT);
	for (uint32_t i = 0; i < core->logs_end; i++) {
		if (core->logs[i] == NULL)
			continue;
		core->logs[i]->takeover.losses_flying = 0;
		membership_lost(core, core->logs[i]);
	}
	for (uint32_t e = 0; e < core->group.entries_end; e++)
		core->group.entry[e].gone_sent = false;
}

void membership_activity(struct core *core)
{
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL)
			core->logs[i]->report_sent = core->logs[i]->report_sent &&
						     core->local.active;
	core->pump_all = true;
}

/* ---- joining ---- */

/* The table of this node whose JOIN is under way. */
struct table *table_joining(struct core *core, const struct log *log)
{
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used && core->tables[i].log == log->index &&
		    core->tables[i].phase == TABLE_JOINING && core->tables[i].join_sent)
			return &core->tables[i];
	return NULL;
}

void membership_join_refused(struct core *core, const struct group_message *message)
{
	struct log *log = log_find(core, &message->log);
	struct table *table = log == NULL ? NULL : table_joining(core, log);

	if (message->sender != core->config.node_id || log == NULL)
		return;
	log->rejoin_sent = false;
	if (table != NULL)
		table->join_sent = false; /* it is tried again when the directory changes */
	log->again = true;
	core->pump_all = true;
}

void membership_joined(struct core *core, const struct group_message *message)
{
	struct log *log = log_find(core, &message->log);

	if (log == NULL)
		return;
	log->rejoin_sent = false;
	log->rejoin_wanted = false;
	heard_forget(log);
	log->leave_sent = false;
	if (log->live != NO_INDEX)
		core->tables[log->live].told_failed = core->tables[log->live].flush_told = false;
	if (message->stateless && log->has_state)
		membership_lost(core, log);
	log->again = true;
}

void membership_join(struct core *core, const struct log *log, struct group_message *message)
{
	const struct entry *entry = entry_look(core, &log->name);

	message->type = MESSAGE_JOIN;
	message->number = entry == NULL ? 0 : entry->renewals;
	multicast(core, log, message);
}

/* Live tables whose node is no member any more, or has lost the state: they join again, when no copy of before is under
 * way (it would be nobody's). */
static void join_again(struct core *core, struct log *log, const struct member *me)
{
	const struct table *table = log->live != NO_INDEX ? &core->tables[log->live] :
							    table_joining(core, log);
	struct group_message message = { .luid = table->luid,
					 .fresh = !table->resumed_once && !log->everything_held,
					 .stateless = true,
					 .everything = log->everything_held &&
						       !PLANTED(PLANT_EVERYTHING_UNSAID) };

	if (log->rejoin_sent || log->closing.step != CLOSING_NONE || log->copier.flying > 0)
		return;
	if (me != NULL && me->use == MEMBER_RESUMED && !log->rejoin_wanted)
		return;
	if (me == NULL && log->io_flying > 0)
		return; /* the JOIN says to who opens that nothing of before is under way */
	if (me != NULL && me->use != MEMBER_RESUMED)
		return; /* a LEAVE of before is on its way */
	if (entry_in_the_way(core, &log->name))
		return;
	log->rejoin_sent = true;
	membership_join(core, log, &message);
}

/* The JOIN of a table that waits did count, on the side whose state counts. */
static bool adopt_join(struct core *core, const struct log *log, const struct member *me)
{
	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *table = &core->tables[i];

		if (!table->used || table->log != log->index || table->phase != TABLE_JOINING ||
		    table->deleting || log->left_alone || log->has_state != me->has_state ||
		    table->luid != me->luid || me->use != MEMBER_RESUMED)
			continue;
		table->join_sent = true;
		return true;
	}
	return false;
}

/* The group believes that this node has the state, which it lost in an opening, say, that came to nothing. */
static void fetch_again(struct core *core, struct log *log, const struct member *me)
{
	struct group_message message = { .luid = me->luid,
					 .stateless = true,
					 .everything = log->everything_held };

	if (!me->has_state || log->has_state || log->importing || log->rejoin_sent ||
	    log->opening.step != OPENING_NONE || log->copier.flying > 0)
		return;
	log->rejoin_sent = true;
	membership_join(core, log, &message);
}

/* The group believes that this node uses the log, and nothing here does: it left while it could not say so. */
static void leave_late(struct core *core, struct log *log, const struct member *me)
{
	struct group_message message = { .type = MESSAGE_LEAVE, .luid = me->luid };

	if (log->leave_sent || log->live != NO_INDEX || table_joining(core, log) != NULL ||
	    adopt_join(core, log, me))
		return;
	log->leave_sent = true;
	log->base_role = BASE_NONE;
	multicast(core, log, &message);
}

void membership_imported(struct core *core, struct log *log)
{
	log->again = true;
	windows_lock(log);
	/* Everybody must know again what this kernel has. */
	if (log->type == LOG_TYPE_CORE)
		hold_all_again(log);
	core->pump_all = true;
}

/* ---- what the old state had out of sync ---- */

static void reclaim(struct core *core, struct log *log)
{
	uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	struct group_message message = { .type = MESSAGE_LOST, .data = bytes };
	uint64_t cursor = 0;

	log->reclaiming = false;
	bitmap_subtract(&log->reclaim, &log->replicated.out);
	while (log->reclaim.count > 0 && cursor < bitmap_words(&log->reclaim)) {
		message.data_bytes = (uint32_t)words_encode_set(log->reclaim.words,
								bitmap_words(&log->reclaim),
								&cursor, bytes, sizeof(bytes));
		if (message.data_bytes > 0)
			multicast(core, log, &message);
	}
}

/* ---- the pump ---- */

void membership_pump(struct core *core, struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *me = member_own(core, log);

	log->base_frozen = entry == NULL || entry_unproven(entry) || !core->local.active;
	if (!core->local.active)
		return;
	if (me != NULL && member_uses(me))
		leave_late(core, log, me);
	if (log->live != NO_INDEX || (log->rejoin_wanted && table_joining(core, log) != NULL))
		join_again(core, log, me);
	if (me == NULL || me->use != MEMBER_RESUMED || log->closing.step != CLOSING_NONE ||
	    log->leave_sent || (log->live == NO_INDEX && table_joining(core, log) == NULL))
		return;
	if (entry->phase == LOG_OPENING && entry->founder == core->config.node_id &&
	    log->phase == LOG_CLOSED && log->io_flying == 0 && log->copier.flying == 0)
		opening_begin(core, log);
	if (entry->phase == LOG_OPEN && log->has_state && log->phase == LOG_CLOSED &&
	    (log->live != NO_INDEX || opening_side_known(core, log)) && heard_by_all(core, log))
		enter_begin(core, log);
	if (entry->phase == LOG_OPEN)
		fetch_again(core, log, me);
	enter_again(core, log, me);
	enter_open_again(core, log, entry);
	if (log->entering != ENTER_NONE)
		enter_pump(core, log, me);
	if (log->reclaiming && log_usable(core, log))
		reclaim(core, log);
}

/* ---- logs of which this node has nothing, and the group believes otherwise, or wants to know ---- */

bool membership_left_behind(struct core *core, const struct log *log)
{
	const struct group_node *me = group_node_find(core, core->config.node_id);
	const struct member *departed;

	if (log == NULL || log->live != NO_INDEX || log->everything_held || log->goes_on ||
	    me == NULL || (log->kept_found && log->kept->live) ||
	    predecessor_known(core, log->name.uuid))
		return false;
	departed = member_departed(entry_find(core, &log->name), me->node_id, me->boot_id);
	return departed != NULL && member_unproven(departed);
}

void membership_gone_delivered(struct core *core, const struct log_name *name)
{
	struct log *log = log_find(core, name);

	if (log != NULL)
		log->left_alone = false;
}

/* A table that uses the log `name`; any of its uuid, when only that is known: a daemon of before served it. */
static bool has_table(struct core *core, const struct log_name *name, bool any_of_uuid)
{
	for (uint32_t i = 0; i < core->tables_end; i++) {
		const struct table *table = &core->tables[i];
		const struct log_name *its;

		if (!table->used || table->phase == TABLE_NEW || table->phase == TABLE_READY)
			continue;
		its = &table_log(core, table)->name;
		if (log_name_same(its, name) || (any_of_uuid && strcmp(its->uuid, name->uuid) == 0))
			return true;
	}
	return predecessor_known(core, name->uuid);
}

/* The group believes that this node uses the log, or may; it has no table of it. */
static bool is_ghost(struct core *core, struct entry *entry)
{
	const struct group_node *me = group_node_find(core, core->config.node_id);
	const struct member *departed = member_departed(entry, core->config.node_id, me->boot_id);
	const struct log *log = log_find(core, &entry->name);

	if (log != NULL && log->io_flying > 0)
		return false; /* not yet: see device_written() */
	if (membership_left_behind(core, log))
		return true;
	if (has_table(core, &entry->name, false))
		return false;
	if (departed != NULL && member_unproven(departed))
		return true;
	return member_find(entry, core->config.node_id) != NULL && log == NULL;
}

/* Who opens the log waits to hear that this node has no table of it; what the group knows of it says so already when it is
 * proven to have stopped using the log, with a slot that is still to be merged. */
static bool is_asked(struct core *core, struct entry *entry)
{
	const struct group_node *me = group_node_find(core, core->config.node_id);

	return entry->phase == LOG_OPENING && member_find(entry, me->node_id) == NULL &&
	       member_departed(entry, me->node_id, me->boot_id) == NULL &&
	       !entry_absent(entry, me->node_id) &&
	       !has_table(core, &entry->name, entry->name.log_type == LOG_TYPE_DISK);
}

void membership_say_absent(struct core *core)
{
	for (uint32_t e = 0; core->local.active && e < core->group.entries_end; e++) {
		struct entry *entry = &core->group.entry[e];
		struct group_message message = { .type = MESSAGE_GONE };

		if (!entry->used || entry->gone_sent || PLANTED(PLANT_GHOST_SILENT) ||
		    (!is_asked(core, entry) && !is_ghost(core, entry)))
			continue;
		entry->gone_sent = true;
		multicast_named(core, &entry->name, &message);
	}
}
