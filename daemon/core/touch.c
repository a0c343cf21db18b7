/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IN_SYNC of a region that was never in sync: it is copied first, and the answer waits for that.
 *
 * The wait ends with 1 and without the copy when a member refuses the region, when its claim is not granted in time, when the
 * copy fails or lasts too long, when nothing may be copied now, or when the table is in PRESUSPEND.  The
 * write then goes to all legs under a hold and the region stays never-synced.  Only where the health
 * letters show the primary leg failed is such an answer 0, so that the kernel fails the read as it must.
 * A refusal is remembered for a second: IN_SYNC comes for every read.
 *
 * Where nobody could read the log device, or this node fetches the state from another one, it does not know what the region is: a
 * 0 would let the kernel write it on one leg, and the device may call it clean; a 1 would let it read a leg that may have nothing.
 * With a failed primary that answer waits, until the state is here, the table is suspended or the operator ends it.
 */
#include <assert.h>
#include <errno.h>

#include "core_private.h"
#include "plant.h"

void refusal_remember(struct core *core, struct log *log, uint64_t region)
{
	struct copier *copier = &log->copier;

	copier->refusals[copier->next_refusal] =
		(struct refusal){ .region = region, .until_ms = core->now_ms + REFUSAL_MS };
	copier->next_refusal = (copier->next_refusal + 1) % REFUSALS_MAX;
	copier->refusals_until_ms = core->now_ms + REFUSAL_MS;
}

bool refused_lately(const struct core *core, const struct log *log, uint64_t region)
{
	if (core->now_ms >= log->copier.refusals_until_ms)
		return false;
	for (uint32_t i = 0; i < REFUSALS_MAX; i++)
		if (log->copier.refusals[i].region == region &&
		    log->copier.refusals[i].until_ms > core->now_ms)
			return true;
	return false;
}

static bool refusal_remembered(const struct core *core, const struct log *log, uint64_t region)
{
	return core->now_ms < log->copier.fallback_until_ms || refused_lately(core, log, region);
}

/* The kind of a region is not known, and the kernel would read another leg than the primary. */
static bool kind_unknown(const struct core *core, const struct log *log, const struct table *table)
{
	const struct entry *entry = entry_look(core, &log->name);

	return (!log->has_state || (entry != NULL && entry_opening_failed(entry))) &&
	       health_primary_failed(table);
}

bool touch_needless(const struct log *log, uint64_t region)
{
	return log->has_state && (!bitmap_test(&log->replicated.out, region) ||
				  bitmap_test(&log->replicated.lost, region));
}

static void answer_fallback(struct core *core, struct log *log, struct table *table)
{
	log->copier.touched = BITMAP_NONE;
	if (kind_unknown(core, log, table)) {
		if (table->phase != TABLE_LIVE)
			answer_waiting_flag(core, table, REQUEST_IN_SYNC, 1);
		return;
	}
	if (PLANTED(PLANT_IN_SYNC_ERROR)) {
		answer_waiting(core, table, REQUEST_IN_SYNC, -EIO, NULL, 0);
		return;
	}
	answer_waiting_flag(core, table, REQUEST_IN_SYNC, health_primary_failed(table) ? 0 : 1);
}

/* The answer without the copy; the letters are read first where they can be. */
static void fall_back(struct core *core, struct log *log, struct table *table)
{
	log->copier.touched = BITMAP_NONE;
	if (table->legs == LEGS_OPEN)
		table->waiting[REQUEST_IN_SYNC].ticket = health_ask(table);
	else
		answer_fallback(core, log, table);
}

/* Copying is not possible now, and will not be within the time that an IN_SYNC may wait. */
static bool hopeless(struct core *core, struct log *log, const struct table *table, uint64_t region)
{
	if (table->phase == TABLE_LIVE && log_usable(core, log) && table->legs == LEGS_OPENING)
		return false;
	return !copying_allowed(core, log) || bitmap_test(&log->replicated.reported, region) ||
	       bitmap_test(&log->marked, region);
}

void touch_ask(struct core *core, struct table *table, const struct request *request)
{
	struct log *log = table_log(core, table);
	uint64_t region = request->regions[0];

	log->active_ms = core->now_ms;
	if (PLANTED(PLANT_NEVER_TOLD_IN_SYNC)) {
		(void)bitmap_clear(&log->replicated.out, region);
		(void)bitmap_set(&log->gained, region);
		return;
	}
	if (refusal_remembered(core, log, region)) {
		answer_fallback(core, log, table);
	} else if (log->live != table_index(core, table) || hopeless(core, log, table, region)) {
		refusal_remember(core, log, region);
		fall_back(core, log, table);
	} else {
		log->copier.touched = region;
	}
}

void touch_refused(struct core *core, struct log *log, uint64_t region)
{
	if (log->copier.touched != region || log->live == NO_INDEX)
		return;
	refusal_remember(core, log, region);
	fall_back(core, log, &core->tables[log->live]);
}

void touch_pump(struct core *core, struct log *log)
{
	struct table *table;
	struct waiting *waiting;
	uint64_t limit;

	if (log->live == NO_INDEX)
		return;
	table = &core->tables[log->live];
	waiting = &table->waiting[REQUEST_IN_SYNC];
	if (!waiting->active)
		return;
	if (touch_needless(log, waiting->region)) {
		log->copier.touched = BITMAP_NONE;
		answer_waiting_flag(core, table, REQUEST_IN_SYNC, 1);
		return;
	}
	if (waiting->ticket != 0) {
		if (table->health_done >= waiting->ticket || table->legs != LEGS_OPEN)
			answer_fallback(core, log, table);
		return;
	}
	if (PLANTED(PLANT_TOUCH_UNLIMITED) ||
	    (kind_unknown(core, log, table) && table->phase == TABLE_LIVE))
		return;
	limit = waiting->since_ms + CLAIM_LIMIT_MS +
		(bitmap_test(&log->replicated.claimed, waiting->region) ? COPY_LIMIT_MS : 0);
	if (core->now_ms >= limit || hopeless(core, log, table, waiting->region)) {
		refusal_remember(core, log, waiting->region);
		fall_back(core, log, table);
		if (!waiting->active)
			return;
	}
	log_wake_at(log, limit);
}
