/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userspace_flush() of dm-log-userspace-base.c: clears, marks, and the FLUSH, in groups of at most 32; and the
 * delayed FLUSH of an integrated_flush log (do_flush).
 *
 * Only kmirrord adds to the lists, so what it took when the flush began is all there is when it ends.
 */
#include "sim.h"

enum flush_step {
	FLUSH_CLEARS,
	FLUSH_CLEARS_DONE,
	FLUSH_MARKS,
	FLUSH_MARKS_DONE,
	FLUSH_FLUSH,
	FLUSH_FLUSH_DONE,
	FLUSH_END,
};

#define FLUSH_DELAY_MS 3000

void log_flush_begin(struct table *table)
{
	table->flush_step = table->mark_count == 0 && table->clear_count == 0 ? FLUSH_END :
										FLUSH_CLEARS;
	table->group_at = 0;
	table->group_size = REQUEST_REGIONS_MAX;
	table->flush_result = 0;
}

/* One group of flush_by_group(), or one entry of flush_one_by_one().  The lists are stacks: the newest comes
 * first. */
static void send_group(struct sim *sim, struct table *table, enum request_type type,
		       const uint64_t *list, uint32_t count)
{
	struct request *request = kernel_request(&table->worker, table, type);
	uint32_t left = count - table->group_at;

	request->region_count = left < table->group_size ? left : table->group_size;
	for (uint32_t i = 0; i < request->region_count; i++)
		request->regions[i] = list[count - 1 - table->group_at - i];
	kernel_call(sim, &table->worker, true);
}

/* True: go on with the rest of the list; false: `next` step. */
static bool group_done(struct table *table, uint32_t count, bool may_split)
{
	if (table->worker.error != 0 && may_split && table->group_size > 1) {
		table->group_size = 1; /* "Group send failed.  Attempt one-by-one." */
		table->group_at = 0;
		return true;
	}
	if (table->worker.error != 0) {
		table->flush_result = table->worker.error;
		return false;
	}
	table->group_at += table->worker.request.region_count;
	return table->group_at < count;
}

static void clears_done(struct table *table)
{
	if (group_done(table, table->clear_count, true)) {
		table->flush_step = FLUSH_CLEARS;
		return;
	}
	table->group_at = 0;
	table->group_size = REQUEST_REGIONS_MAX;
	table->flush_step = table->flush_result != 0 ? FLUSH_END : FLUSH_MARKS;
}

static void marks_done(struct table *table)
{
	if (group_done(table, table->mark_count, !table->integrated))
		table->flush_step = FLUSH_MARKS;
	else
		table->flush_step = table->flush_result != 0 ? FLUSH_END : FLUSH_FLUSH;
}

/* The end of an integrated flush: a FLUSH later, or none. */
static void integrated_end(struct sim *sim, struct table *table)
{
	if (table->mark_count == 0 && !table->sched_flush) {
		table->sched_flush = true;
		table->flush_due_ms = sim->now_ms + FLUSH_DELAY_MS;
		schedule_in(sim, FLUSH_DELAY_MS, ITEM_FLUSHER_WAKE, table->node, table);
	} else {
		table->sched_flush = false;
	}
}

bool log_flush_run(struct sim *sim, struct table *table)
{
	for (;;) {
		switch ((enum flush_step)table->flush_step) {
		case FLUSH_CLEARS:
			if (table->clear_count == 0) {
				table->flush_step = FLUSH_MARKS;
				break;
			}
			table->flush_step = FLUSH_CLEARS_DONE;
			send_group(sim, table, REQUEST_CLEAR, table->clears, table->clear_count);
			return false;
		case FLUSH_CLEARS_DONE:
			clears_done(table);
			break;
		case FLUSH_MARKS:
			if (table->mark_count == 0) {
				table->flush_step = FLUSH_FLUSH;
				break;
			}
			table->flush_step = FLUSH_MARKS_DONE;
			send_group(sim, table, table->integrated ? REQUEST_FLUSH : REQUEST_MARK,
				   table->marks, table->mark_count);
			return false;
		case FLUSH_MARKS_DONE:
			marks_done(table);
			break;
		case FLUSH_FLUSH:
			if (table->integrated) {
				integrated_end(sim, table);
				table->flush_step = FLUSH_END;
				break;
			}
			table->flush_step = FLUSH_FLUSH_DONE;
			(void)kernel_request(&table->worker, table, REQUEST_FLUSH);
			kernel_call(sim, &table->worker, true);
			return false;
		case FLUSH_FLUSH_DONE:
			table->flush_result = table->worker.error;
			table->flush_step = FLUSH_END;
			break;
		case FLUSH_END:
			table->mark_count = table->clear_count = 0;
			if (table->flush_result != 0)
				raid1_event(sim, table->dev);
			return true;
		}
	}
}

/* The delayed work falls due, or is flushed early. */
void flusher_wake(struct sim *sim, struct table *table)
{
	if (!table->sched_flush || table->flusher.runnable || table->flusher.step != 0)
		return;
	thread_wake(sim, &table->flusher);
}

/* do_flush() */
void flusher_run(struct sim *sim, struct kthread *thread)
{
	struct table *table = thread->table;

	if (thread->step == 0) {
		thread->step = 1;
		table->sched_flush = false;
		(void)kernel_request(thread, table, REQUEST_FLUSH);
		kernel_call(sim, thread, true);
		return;
	}
	if (thread->error != 0)
		raid1_event(sim, table->dev);
	thread->step = 0;
	dm_poke(sim, table->dev);
}
