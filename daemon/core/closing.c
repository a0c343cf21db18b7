/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaving a log, and closing it: from POSTSUSPEND of the node's resumed luid to its answer.
 *
 * The kernel has drained its I/O, so nothing is marked any more.  In this order, each done before the
 * next: no copy and no window is left; LEAVING is delivered; who said it last waits until all others have left; the legs are
 * flushed and everything held is released (or lost); the legs are closed; slot bits, and the base of who has it, are
 * durable; the slot is free.  Who said LEAVING last closes the device: header = region_count, from which on it is a valid
 * log of the kernel; superblock "closed".  LEAVE tells all.
 *
 * A device that cannot be written ends this early: the slot stays in use on it, and is merged later.  So does the loss of the
 * group or of quorum: the suspend is answered when the node's own I/O has drained, and the group hears of it later
 * (leave_late() in membership.c).
 */
#include <assert.h>
#include <errno.h>

#include "core_private.h"
#include "plant.h"

void closing_begin(struct log *log, uint32_t table)
{
	assert(log->live == table && log->closing.step == CLOSING_NONE);
	log->closing = (struct closing){
		.step = CLOSING_DRAIN,
		.table = table,
		.failed = log->opening.failed,
	};
}

void closing_write_failed(struct core *core, struct log *log, int status)
{
	struct effect_event event = { .event = EVENT_CLOSE_FAILED, .status = status };

	if (log->closing.failed)
		return;
	log->closing.failed = true;
	emit_event(core, log, &event);
}

void closing_lost(struct log *log)
{
	if (log->closing.step != CLOSING_NONE)
		log->closing.alone = true;
}

/* The end of it: the table is suspended. */
static void closed(struct core *core, struct log *log)
{
	struct table *table = &core->tables[log->closing.table];

	log->closing.step = CLOSING_NONE;
	kept_suspended(log);
	log->release = RELEASE_NONE;
	log->losing = false;
	log->live = NO_INDEX;
	log->phase = LOG_CLOSED;
	log->entering = ENTER_NONE; /* as by proxy it may, until the suspend */
	log->own_slot = NO_INDEX;
	log->base_role = BASE_NONE;
	log->takeover.step = TAKEOVER_NONE;
	log->wish.asked = false;
	log->by_proxy = false;
	log->device_bad = false;
	hold_forget_marks(log);
	bitmap_clear_all(&log->gained);
	bitmap_clear_all(&log->gaining);
	table->phase = TABLE_READY;
	log->again = true;
	core->pump_all = true;
	answer_waiting(core, table, REQUEST_POSTSUSPEND, 0, NULL, 0);
}

void closing_left(struct core *core, struct log *log, const struct group_message *message)
{
	const struct table *table = &core->tables[log->closing.table];
	struct effect_event event = { .event = EVENT_CLOSED,
				      .luid = message->luid,
				      .number = log->replicated.out.count };

	log->leave_sent = false;
	log->left_alone = false;
	if (log->closing.step == CLOSING_NONE && log->live == NO_INDEX) {
		struct table *joining = table_joining(core, log);

		/* Said late, of a use that had ended: what was begun for it since is void, a JOIN as well. */
		if (joining != NULL)
			joining->join_sent = false;
		log->phase = LOG_CLOSED;
		log->entering = ENTER_NONE;
		log->own_slot = NO_INDEX;
		log->base_role = BASE_NONE;
	}
	if (log->closing.step != CLOSING_LEAVE || message->luid != table->luid)
		return;
	if (message->closed)
		emit_event(core, log, &event);
	closed(core, log);
}

static bool drained(const struct table *table, const struct log *log)
{
	bool settling = log->release == RELEASE_SETTLING && log->closing.failed;

	return (copying_idle(log) || PLANTED(PLANT_COPY_AFTER_SUSPEND)) &&
	       (log->release == RELEASE_NONE || settling) && !log->losing &&
	       table->legs != LEGS_OPENING && table->legs != LEGS_CLOSING &&
	       table->health_done == table->health_begun;
}

/* Is this node the one that closes the device? */
static bool closes(struct core *core, struct log *log)
{
	const struct entry *entry = entry_find(core, &log->name);

	return entry != NULL && entry->phase == LOG_CLOSING && !entry_unproven(entry) &&
	       entry->founder == core->config.node_id && !log->closing.failed && !log->by_proxy;
}

/* Does the step's work when its turn has come. */
static void enter(struct core *core, struct log *log, struct table *table, enum closing_step step)
{
	struct group_message message = { .luid = table->luid };
	bool disk = log->type == LOG_TYPE_DISK && !log->closing.failed;

	log->closing.step = step;
	log->again = true;
	switch (step) {
	case CLOSING_LEAVING:
		message.type = MESSAGE_LEAVING;
		multicast(core, log, &message);
		break;
	case CLOSING_FLUSH:
		if (PLANTED(PLANT_HEADER_EARLY) && log->type == LOG_TYPE_DISK)
			device_put_header(log, log->region_count);
		if (disk) {
			proxy_give_up(core, log);
			release_all(core, log, table);
		}
		break;
	case CLOSING_LEGS:
		if (table->legs == LEGS_OPEN)
			table_close_legs(core, table);
		break;
	case CLOSING_SLOT:
		if (disk && log->own_slot != NO_INDEX)
			device_put_slot_header(core, log, DISK_SLOT_FREE);
		break;
	case CLOSING_HEADER:
		if (disk && closes(core, log) && !PLANTED(PLANT_CLOSED_UNSAID))
			device_put_header(log, log->region_count);
		break;
	case CLOSING_SUPERBLOCK:
		log->superblock.state = DISK_CLOSED;
		if (disk && closes(core, log))
			device_put_superblock(log);
		break;
	case CLOSING_LEAVE:
		message.type = MESSAGE_LEAVE;
		message.slot_freed = log->type == LOG_TYPE_CORE || !log->closing.failed;
		message.closed = closes(core, log);
		log->base_role =
			BASE_NONE; /* another one's from here on, whatever is delivered before */
		multicast(core, log, &message);
		break;
	case CLOSING_NONE:
	case CLOSING_DRAIN:
	case CLOSING_BASE:
	case CLOSING_OTHERS:
		break;
	}
}

/* Of others only LEAVING ones count: a joiner waits until the log has been closed. */
static bool others_left(struct core *core, struct log *log)
{
	const struct entry *entry = entry_find(core, &log->name);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed &&
		    entry->member[i].use == MEMBER_LEAVING &&
		    entry->member[i].node_id != core->config.node_id)
			return false;
	return true;
}

/* The last one merges the slots of those proven stopped before it leaves: only then may it close. */
static bool merges_first(struct core *core, struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *role = entry_disk_role(entry);
	bool to_merge = false;

	if (log->closing.failed || role == NULL || role->node_id != core->config.node_id ||
	    entry->last_leaving != core->config.node_id || entry_unproven(entry))
		return false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		to_merge = to_merge || (member->node_id != 0 && member->to_merge);
		if (member->node_id != 0 && !member->departed && member->use == MEMBER_RESUMED)
			return false; /* who gets the role goes on */
	}
	return to_merge;
}

/* Who closes has the base for itself, before the last flush of the legs: that one is for its gains, too. */
static bool base_taken_over(struct core *core, struct log *log)
{
	if (log->type == LOG_TYPE_CORE || log->closing.failed)
		return true;
	if (!closes(core, log))
		return !merges_first(core, log);
	return others_left(core, log) && base_is_ours(log);
}

static bool written(const struct log *log)
{
	if (log->type == LOG_TYPE_CORE)
		return true;
	/* Nothing of ours may reach the device later: the slot may be another one's then. */
	if (log->closing.failed || log->io_flying > 0)
		return log->io_flying == 0 || PLANTED(PLANT_CLOSE_UNDRAINED);
	return (image_clean(&log->base) || !base_is_ours(log) || log->base_frozen) &&
	       (image_clean(&log->slot) || log->own_slot == NO_INDEX);
}

static bool step_done(struct core *core, const struct table *table, struct log *log)
{
	const struct member *me = member_own(core, log);

	switch (log->closing.step) {
	case CLOSING_DRAIN:
		return drained(table, log);
	case CLOSING_LEAVING:
		return me != NULL && me->use == MEMBER_LEAVING;
	case CLOSING_FLUSH:
		return table->health_done == table->health_begun && !log->losing &&
		       (log->release == RELEASE_NONE ||
			(log->release == RELEASE_SETTLING && log->closing.failed));
	case CLOSING_LEGS:
		return table->legs == LEGS_CLOSED && table->health_done == table->health_begun;
	case CLOSING_OTHERS:
		return base_taken_over(core, log);
	case CLOSING_SLOT:
		/* It may have become the one that closes only now. */
		return written(log) && base_taken_over(core, log);
	case CLOSING_BASE:
	case CLOSING_HEADER:
	case CLOSING_SUPERBLOCK:
		return written(log);
	case CLOSING_LEAVE:
	case CLOSING_NONE:
		return false;
	}
	return false;
}

static bool base_has_writer(struct core *core, const struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);

	return entry_disk_role(entry) != NULL && !entry_unproven(entry);
}

/* Something is held or gained, and the legs that must be flushed for it are not open (yet). */
static bool needs_legs(const struct table *table, const struct log *log)
{
	return table->legs == LEGS_CLOSED && log->type == LOG_TYPE_DISK && !log->closing.failed &&
	       !log->closing.opened_legs &&
	       (log->everything_held ||
		log->held.count + log->pending.count + log->leaving.count + log->gained.count > 0);
}

/* Without the group: what is under way ends, nothing new begins, and the slot stays in use. */
static void leave_alone(struct core *core, struct log *log, struct table *table)
{
	if (log->copier.flying > 0 || log->release == RELEASE_FLUSHING ||
	    table->legs == LEGS_OPENING || table->legs == LEGS_CLOSING ||
	    table->health_done != table->health_begun || log->io_flying > 0)
		return;
	if (table->legs == LEGS_OPEN) {
		table_close_legs(core, table);
		return;
	}
	log->left_alone = true;
	kept_forget(
		log); /* what it held stands in a slot, of which the next daemon does not know */
	closed(core, log);
}

/* No group, no quorum, or for so long no epoch that nobody should wait for it. */
static bool cut_off(struct core *core, struct log *log)
{
	if (!core->local.in_group || !core->local.quorate || core->local.refused ||
	    log->phase != LOG_OPEN)
		return true;
	if (core->local.active) {
		log->closing.inactive_ms = 0;
		return false;
	}
	if (log->closing.inactive_ms == 0)
		log->closing.inactive_ms = core->now_ms;
	log_wake_at(log, log->closing.inactive_ms + INACTIVE_LIMIT_MS);
	return core->now_ms >= log->closing.inactive_ms + INACTIVE_LIMIT_MS;
}

void closing_pump(struct core *core, struct log *log)
{
	struct table *table = &core->tables[log->closing.table];

	if (log->closing.step == CLOSING_NONE)
		return;
	if (cut_off(core, log))
		log->closing.alone = true;
	if (log->closing.alone && !PLANTED(PLANT_ALONE_WAITS)) {
		leave_alone(core, log, table);
		return;
	}
	if (!log_usable(core, log))
		return; /* for the moment of a new view */
	if (log->closing.step == CLOSING_DRAIN && needs_legs(table, log)) {
		log->closing.opened_legs = true;
		table_open_legs(core, table);
	}
	/* No slot bit may go before its losses stand in the base; where nobody can write that, the slot stays in use. */
	if ((log->closing.step == CLOSING_OTHERS || log->closing.step == CLOSING_SLOT) &&
	    closes(core, log) && others_left(core, log) && log->type == LOG_TYPE_DISK &&
	    !base_has_writer(core, log))
		closing_write_failed(core, log, -EIO);
	if ((log->closing.step == CLOSING_DRAIN || log->closing.step == CLOSING_FLUSH) &&
	    log->release == RELEASE_SETTLING && log->replicated.durable < log->replicated.losses &&
	    !base_has_writer(core, log))
		closing_write_failed(core, log, -EIO);
	while (log->closing.step != CLOSING_NONE && step_done(core, table, log))
		enter(core, log, table, (enum closing_step)(log->closing.step + 1));
}
