/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds: the write path.
 *
 * When a FLUSH is answered, every region that this kernel marked since its CLEAR is held: on a disk log its
 * bit stands in this node's slot on the device; on a core log, or by proxy, others have confirmed it (core_hold.c).  A CLEAR does
 * not release: the region stays held, idle, and to mark it again costs nothing.  A FLUSH may wait for the device, for the group
 * and its quorum, and for a window; never for a CLEAR.
 *
 *               | MARK             | CLEAR          | asked by a window
 *   not held    | pending          | -              | granted to the window
 *   pending     | -                | leaving        | refused
 *   held busy   | -                | held idle      | refused
 *   held idle   | held busy        | -              | leaving, and granted to the window
 *   leaving     | held or pending  | -              | granted to the window
 *
 * "leaving" says that the slot bit is to go: release.c does it, behind a flush of the legs.
 */
#include <assert.h>
#include <errno.h>

#include "core_private.h"
#include "plant.h"

static uint64_t slot_bit(const struct log *log, uint64_t region)
{
	return region >> log->layout.granularity;
}

static void cancel_leaving(struct log *log, uint64_t region)
{
	(void)bitmap_clear(&log->leaving, region);
	if (!PLANTED(PLANT_RELEASED_BUSY))
		(void)bitmap_clear(&log->releasing, region);
}

/* "Everything is held" counts where others see it: in the own slot on the device, or in the state of a core log; and
 * not while a copy may be under way. */
static bool everything_stands(const struct log *log, uint64_t region)
{
	if (!log->everything_held || bitmap_test(&log->windowed, region))
		return false;
	return log->type == LOG_TYPE_CORE ||
	       (log->own_slot != NO_INDEX && !log->opening.failed && log->entering == ENTER_NONE);
}

/* What a daemon of before answered MARK for is not known one by one: before a FLUSH is answered all of it must stand, and the
 * windows that were claimed before must have ended; new ones are refused. */
static bool past_stands(const struct log *log)
{
	return !log->everything_held ||
	       (log->windowed.count == 0 &&
		(everything_stands(log, 0) || log->held.count == log->region_count));
}

/* Without a slot everything is asked of the proxy. */
static void want_everything(struct log *log)
{
	if (!log->everything_held || log->type != LOG_TYPE_DISK || everything_stands(log, 0) ||
	    log->pending.count + log->held.count >= log->region_count)
		return;
	bitmap_set_all(&log->pending);
	bitmap_subtract(&log->pending, &log->held);
}

void hold_mark(struct log *log, uint64_t region)
{
	log->unflushed_marks = true;
	if (bitmap_set(&log->marked, region))
		return;
	(void)idle_remove(&log->idle, region);
	if (everything_stands(log, region))
		(void)bitmap_set(&log->held, region);
	if (!bitmap_test(&log->held, region)) {
		(void)bitmap_set(&log->pending, region);
		return;
	}
	cancel_leaving(log, region);
}

void hold_idle_ends(struct log *log, uint64_t region)
{
	(void)bitmap_set(&log->leaving, region);
}

void hold_all_again(struct log *log)
{
	uint64_t region = bitmap_next(&log->held, 0);

	while (region != BITMAP_NONE) {
		(void)bitmap_set(&log->pending, region);
		region = bitmap_next(&log->held, region + 1);
	}
	bitmap_clear_all(&log->held);
}

void hold_clear(struct core *core, struct log *log, uint64_t region)
{
	if (!bitmap_clear(&log->marked, region))
		return;
	if (bitmap_test(&log->pending, region)) {
		/* Marked and cleared before any FLUSH was answered, and its bit may be on its way to the slot; or held in a
		 * slot that could not be entered again: that bit waits for a flush of the legs as well. */
		if (log->type == LOG_TYPE_DISK)
			(void)bitmap_set(&log->leaving, region);
		(void)bitmap_clear(&log->pending, region);
		return;
	}
	if (log->everything_held)
		return;
	if (PLANTED(PLANT_CLEAR_RELEASES) && log->type == LOG_TYPE_DISK) {
		(void)bitmap_clear(&log->held, region);
		image_clear(&log->slot, DISK_SLOT_HEADER_BYTES, slot_bit(log, region));
		return;
	}
	if (log->idle.count == log->idle.limit)
		hold_idle_ends(log, idle_pop(&log->idle));
	idle_push(&log->idle, region, core->now_ms);
}

bool hold_refuses(const struct log *log, uint64_t region)
{
	return log->everything_held || bitmap_test(&log->marked, region) ||
	       bitmap_test(&log->unsynced, region);
}

void hold_let_go(struct log *log, uint64_t region)
{
	assert(!bitmap_test(&log->marked, region));
	if (idle_remove(&log->idle, region))
		hold_idle_ends(log, region);
	(void)bitmap_clear(&log->held, region);
}

/* Tries to begin a hold on a disk log.  A region in a window waits for its window. */
static bool hold_begin(struct log *log, uint64_t region)
{
	uint64_t bit = slot_bit(log, region);

	if (bitmap_test(&log->windowed, region) && !PLANTED(PLANT_HOLD_IN_WINDOW))
		return false;
	/* Until its header is on the device the slot does not count. */
	if (log->own_slot == NO_INDEX || log->entering != ENTER_NONE || log->opening.failed)
		return false;
	cancel_leaving(log, region);
	image_set(&log->slot, DISK_SLOT_HEADER_BYTES, bit);
	if (!image_sure(&log->slot, DISK_SLOT_HEADER_BYTES, bit))
		return false;
	(void)bitmap_set(&log->held, region);
	(void)bitmap_clear(&log->pending, region);
	return true;
}

/* Without the group, its state or quorum nothing that carries marks is answered: what this node holds may be taken
 * over by others; nor without the log device, where what was held before stands nowhere any more. */
bool hold_flush_may_go(struct core *core, const struct log *log)
{
	if (log->opening.failed && log->unflushed_marks && log->held.count > 0)
		return false;
	return log->pending.count == 0 && past_stands(log) &&
	       (!log->unflushed_marks || log_usable(core, log) || PLANTED(PLANT_FLUSH_ALONE));
}

static void flush_answered(struct core *core, struct log *log, struct table *table)
{
	log->unflushed_marks = false;
	answer_waiting(core, table, REQUEST_FLUSH, 0, NULL, 0);
}

void hold_pump(struct core *core, struct log *log)
{
	uint64_t region = bitmap_next(&log->pending, 0);
	bool usable = log_usable(core, log);
	struct table *table;

	if (log->phase == LOG_OPEN && log->live != NO_INDEX)
		want_everything(log);
	while (region != BITMAP_NONE && usable && log->type == LOG_TYPE_DISK) {
		(void)hold_begin(log, region);
		region = bitmap_next(&log->pending, region + 1);
	}
	if (holds_by_message(log))
		core_hold_pump(core, log);
	if (log->live == NO_INDEX)
		return;
	table = &core->tables[log->live];
	if (!table->waiting[REQUEST_FLUSH].active)
		return;
	if (PLANTED(PLANT_FLUSH_WAITS_CLEAR) && log->marked.count > 2)
		return;
	if (core->local.refused && log->unflushed_marks)
		answer_waiting(core, table, REQUEST_FLUSH, -EIO, NULL, 0);
	else if (hold_flush_may_go(core, log))
		flush_answered(core, log, table);
	else if (log->phase == LOG_OPEN &&
		 (log->opening.failed || (log->by_proxy && usable && proxy_hopeless(core, log))))
		answer_waiting(core, table, REQUEST_FLUSH, -EIO, NULL, 0);
}

void hold_forget_marks(struct log *log)
{
	bitmap_clear_all(&log->marked);
	bitmap_clear_all(&log->held);
	bitmap_clear_all(&log->pending);
	bitmap_clear_all(&log->leaving);
	bitmap_clear_all(&log->releasing);
	idle_clear(&log->idle);
	log->unflushed_marks = false;
	log->everything_held = false;
}

/* ---- losing what a leg may not have kept ---- */

void hold_lose_all(struct core *core, struct log *log, int status)
{
	struct effect_event event = { .event = EVENT_LEG_FLUSH_FAILED,
				      .status = status,
				      .number = log->held.count + log->gained.count +
						log->gaining.count };

	if (!log->losing && event.number > 0)
		emit_event(core, log, &event);
	log->losing = true;
	log->again = true;
	kept_flush(log);
}

static void add_in_sync(const struct log *log, const struct bitmap *covered,
			struct group_message *message)
{
	uint64_t region = bitmap_next(covered, 0);

	while (region != BITMAP_NONE && message->region_count < WINDOW_REGIONS_MAX) {
		if (!bitmap_test(&log->replicated.out, region) &&
		    (covered == &log->held || !bitmap_test(&log->held, region)))
			message->regions[message->region_count++] = region;
		region = bitmap_next(covered, region + 1);
	}
}

/* One message at a time: at its delivery the regions are out of sync, and the next ones are found. */
void hold_lose_pump(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_LOST };

	if (!log->losing || log->losing_flying || !log_usable(core, log))
		return;
	add_in_sync(log, &log->held, &message);
	add_in_sync(log, &log->releasing, &message);
	add_in_sync(log, &log->leaving, &message);
	add_in_sync(log, &log->gained, &message);
	add_in_sync(log, &log->gaining, &message);
	if (message.region_count == 0) {
		log->losing = false;
		kept_flush(log);
		return;
	}
	log->losing_flying = true;
	multicast(core, log, &message);
}
