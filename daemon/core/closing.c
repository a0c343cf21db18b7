/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing a log: from POSTSUSPEND of the last resumed luid to its answer.
 *
 * The kernel has drained its I/O, so nothing is marked any more.  In this order, each done before the
 * next: no copy and no window is left; the legs are flushed and everything held is released (or lost); the legs are
 * closed; base and slot bits are durable; the slot is free; header = region_count, from which on the device is a valid
 * log of the kernel; superblock "closed".  A device that cannot be written ends this early: the slot stays in use
 * on it, and the next Opening merges it.
 */
#include <assert.h>

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

void closing_left(struct core *core, struct log *log, const struct group_message *message)
{
	struct table *table = &core->tables[log->closing.table];
	struct effect_event event = { .event = EVENT_CLOSED,
				      .luid = message->luid,
				      .number = log->replicated.out.count };

	if (log->closing.step != CLOSING_LEAVE || message->sender != core->config.node_id ||
	    message->luid != table->luid)
		return;
	if (!log->closing.failed)
		emit_event(core, log, &event);
	log->closing.step = CLOSING_NONE;
	log->release = RELEASE_NONE;
	log->live = NO_INDEX;
	hold_forget_marks(log);
	bitmap_clear_all(&log->gained);
	bitmap_clear_all(&log->gaining);
	table->phase = TABLE_READY;
	answer_waiting(core, table, REQUEST_POSTSUSPEND, 0, NULL, 0);
}

static bool drained(const struct table *table, const struct log *log)
{
	bool settling = log->release == RELEASE_SETTLING && log->closing.failed;

	return (copying_idle(log) || PLANTED(PLANT_COPY_AFTER_SUSPEND)) &&
	       (log->release == RELEASE_NONE || settling) && !log->losing &&
	       table->legs != LEGS_OPENING && table->legs != LEGS_CLOSING &&
	       table->health_done == table->health_begun;
}

/* Does the step's work when its turn has come. */
static void enter(struct core *core, struct log *log, struct table *table, enum closing_step step)
{
	struct group_message leave = { .type = MESSAGE_LEAVE, .luid = table->luid };

	log->closing.step = step;
	log->again = true;
	switch (step) {
	case CLOSING_FLUSH:
		if (PLANTED(PLANT_HEADER_EARLY) && log->type == LOG_TYPE_DISK)
			device_put_header(log, log->region_count);
		if (log->type == LOG_TYPE_DISK && !log->closing.failed)
			release_all(core, log, table);
		break;
	case CLOSING_LEGS:
		if (table->legs == LEGS_OPEN)
			table_close_legs(core, table);
		break;
	case CLOSING_SLOT:
		if (log->type == LOG_TYPE_DISK && !log->closing.failed)
			device_put_slot_header(core, log, DISK_SLOT_FREE);
		break;
	case CLOSING_HEADER:
		if (log->type == LOG_TYPE_DISK && !log->closing.failed)
			device_put_header(log, log->region_count);
		break;
	case CLOSING_SUPERBLOCK:
		log->superblock.state = DISK_CLOSED;
		if (log->type == LOG_TYPE_DISK && !log->closing.failed)
			device_put_superblock(log);
		break;
	case CLOSING_LEAVE:
		multicast(core, log, &leave);
		break;
	case CLOSING_NONE:
	case CLOSING_DRAIN:
	case CLOSING_BASE:
		break;
	}
}

static bool written(const struct log *log)
{
	if (log->type == LOG_TYPE_CORE)
		return true;
	if (log->closing.failed)
		return log->io_flying == 0;
	return image_clean(&log->base) && image_clean(&log->slot);
}

static bool step_done(const struct table *table, const struct log *log)
{
	switch (log->closing.step) {
	case CLOSING_DRAIN:
		return drained(table, log);
	case CLOSING_FLUSH:
		return table->health_done == table->health_begun && !log->losing &&
		       (log->release == RELEASE_NONE ||
			(log->release == RELEASE_SETTLING && log->closing.failed));
	case CLOSING_LEGS:
		return table->legs == LEGS_CLOSED && table->health_done == table->health_begun;
	case CLOSING_BASE:
	case CLOSING_SLOT:
	case CLOSING_HEADER:
	case CLOSING_SUPERBLOCK:
		return written(log);
	case CLOSING_LEAVE:
	case CLOSING_NONE:
		return false;
	}
	return false;
}

/* Something is held or gained, and the legs that must be flushed for it are not open (yet). */
static bool needs_legs(const struct table *table, const struct log *log)
{
	return table->legs == LEGS_CLOSED && log->type == LOG_TYPE_DISK && !log->closing.failed &&
	       !log->closing.opened_legs &&
	       (log->everything_held ||
		log->held.count + log->pending.count + log->leaving.count + log->gained.count > 0);
}

void closing_pump(struct core *core, struct log *log)
{
	struct table *table = &core->tables[log->closing.table];

	if (log->closing.step == CLOSING_NONE)
		return;
	if (log->closing.step == CLOSING_DRAIN && needs_legs(table, log)) {
		log->closing.opened_legs = true;
		table_open_legs(core, table);
	}
	while (step_done(table, log))
		enter(core, log, table, (enum closing_step)(log->closing.step + 1));
}
