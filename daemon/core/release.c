/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Releasing holds and gaining base bits, in batches behind a flush of the legs' caches.
 *
 * A slot bit is cleared, and a base bit set, only (a) after a cache flush of all legs that began after the
 * CLEAR or the copy, and (b) when the base on the device shows every loss of sync.  A leg whose flush fails,
 * or whose letter is not A when it is read after the flush (the kernel swallows the error of a failed flush), may
 * not have kept what was written: all that is held, or copied and not yet on the base, is lost then.
 *
 *   NONE --batch due--> FLUSHING --flushed--> CHECKING --letters--> SETTLING --base clean--> NONE
 */
#include <assert.h>

#include "core_private.h"
#include "plant.h"

static struct table *live_table(struct core *core, const struct log *log)
{
	return log->live == NO_INDEX ? NULL : &core->tables[log->live];
}

/* Moves up to RELEASE_BATCH_MAX bits. */
static void take_batch(struct bitmap *from, struct bitmap *to)
{
	uint64_t region = bitmap_next(from, 0);

	for (uint32_t i = 0; region != BITMAP_NONE && i < RELEASE_BATCH_MAX; i++) {
		(void)bitmap_set(to, region);
		(void)bitmap_clear(from, region);
		region = bitmap_next(from, region + 1);
	}
}

static bool batch_due(struct core *core, struct log *log)
{
	uint64_t waiting = log->leaving.count + log->gained.count;

	if (waiting == 0) {
		log->release_due_ms = 0;
		return false;
	}
	if (log->release_due_ms == 0)
		log->release_due_ms = core->now_ms + RELEASE_DELAY_MS;
	if (core->now_ms >= log->release_due_ms)
		return true;
	if (log->leaving.count >= (core->config.hot_regions + 7) / 8 ||
	    log->gained.count >= RELEASE_BATCH_MAX)
		return true;
	log_wake_at(log, log->release_due_ms);
	return false;
}

static void idle_timeouts(struct core *core, struct log *log)
{
	uint64_t oldest = idle_oldest_ms(&log->idle);

	while (oldest != UINT64_MAX && oldest + core->config.idle_ms <= core->now_ms) {
		hold_idle_ends(log, idle_pop(&log->idle));
		oldest = idle_oldest_ms(&log->idle);
	}
	if (oldest != UINT64_MAX)
		log_wake_at(log, oldest + core->config.idle_ms);
}

static void release_begin(struct core *core, struct log *log, struct table *table)
{
	if (!PLANTED(PLANT_BASE_NO_LEG_FLUSH))
		take_batch(&log->leaving, &log->releasing);
	if (!PLANTED(PLANT_SLOT_NO_LEG_FLUSH))
		take_batch(&log->gained, &log->gaining);
	log->release_due_ms = 0;
	if (PLANTED(PLANT_SLOT_NO_LEG_FLUSH) || PLANTED(PLANT_BASE_NO_LEG_FLUSH)) {
		log->release = RELEASE_SETTLING;
		log->release_losses = UINT64_MAX;
		return;
	}
	log->release = RELEASE_FLUSHING;
	kept_flush(log);
	log->leg_flushes++;
	emit_table(core, EFFECT_FLUSH_LEGS, table);
}

/* No region of the slot bit is held, wanted, or waits for a later flush. */
static bool group_unheld(struct core *core, const struct log *log, uint64_t bit)
{
	uint64_t first = bit << log->layout.granularity;
	uint64_t count = UINT64_C(1) << log->layout.granularity;

	if (PLANTED(PLANT_COLLATERAL_CLEARED))
		return true;
	if (log->everything_held && log->closing.step == CLOSING_NONE)
		return false;
	return !bitmap_any(&log->held, first, count) && !bitmap_any(&log->pending, first, count) &&
	       !bitmap_any(&log->leaving, first, count) && !proxy_holds(core, log, first, count);
}

static void release_finish(struct core *core, struct log *log)
{
	uint64_t region = bitmap_next(&log->releasing, 0);

	while (region != BITMAP_NONE) {
		(void)bitmap_clear(&log->held, region);
		region = bitmap_next(&log->releasing, region + 1);
	}
	region = bitmap_next(&log->releasing, 0);
	while (region != BITMAP_NONE) {
		uint64_t bit = region >> log->layout.granularity;

		if (log->own_slot != NO_INDEX && group_unheld(core, log, bit))
			image_clear(&log->slot, DISK_SLOT_HEADER_BYTES, bit);
		region = bitmap_next(&log->releasing, region + 1);
	}
	if (log->by_proxy)
		core_hold_released(core, log);
	bitmap_clear_all(&log->releasing);
	region = bitmap_next(&log->gaining, 0);
	while (region != BITMAP_NONE) {
		if (base_is_ours(log) &&
		    (!bitmap_test(&log->replicated.out, region) || PLANTED(PLANT_GAIN_KEPT)))
			image_set(&log->base, DISK_BITMAP_OFFSET_BYTES, region);
		region = bitmap_next(&log->gaining, region + 1);
	}
	bitmap_clear_all(&log->gaining);
	log->release = RELEASE_NONE;
	kept_flush(log);
}

void release_flushed(struct core *core, struct log *log, int status)
{
	struct table *table = live_table(core, log);

	assert(table != NULL && log->release == RELEASE_FLUSHING);
	if (status < 0 && !PLANTED(PLANT_LEG_FLUSH_ERROR))
		health_leg_failed(log, table, true);
	log->release_ticket = health_ask(table);
	log->release = RELEASE_CHECKING;
}

void release_pump(struct core *core, struct log *log)
{
	struct table *table = live_table(core, log);

	if (table == NULL || (log->phase != LOG_OPEN && log->release == RELEASE_NONE))
		return;
	if (log->closing.step == CLOSING_NONE)
		idle_timeouts(core, log);
	if (log->type == LOG_TYPE_CORE) {
		if (log_usable(core, log) && log->closing.step == CLOSING_NONE &&
		    batch_due(core, log)) {
			log->release_due_ms = 0;
			core_hold_let_go(core, log);
		}
		return;
	}
	if (log->release == RELEASE_NONE && log_usable(core, log) &&
	    log->closing.step == CLOSING_NONE && table->legs == LEGS_OPEN && batch_due(core, log)) {
		release_begin(core, log, table);
	}
	if (log->release == RELEASE_CHECKING && table->health_done >= log->release_ticket) {
		if (PLANTED(PLANT_SLOT_OLD_FLUSH))
			take_batch(&log->leaving, &log->releasing);
		if (health_failed(table))
			hold_lose_all(core, log, table->health_status);
		hold_lose_pump(core, log);
		log->release = RELEASE_SETTLING;
		log->release_losses = UINT64_MAX;
	}
	if (log->release != RELEASE_SETTLING || log->losing || log->takeover.losses_flying > 0 ||
	    !log_usable(core, log))
		return;
	if (log->release_losses == UINT64_MAX)
		log->release_losses = log->replicated.losses;
	if (log->replicated.durable >= log->release_losses || PLANTED(PLANT_SLOT_BEFORE_BASE))
		release_finish(core, log);
}

static void move_all(struct bitmap *from, struct bitmap *to)
{
	uint64_t region = bitmap_next(from, 0);

	while (region != BITMAP_NONE) {
		(void)bitmap_set(to, region);
		region = bitmap_next(from, region + 1);
	}
}

void release_all(struct core *core, struct log *log, struct table *table)
{
	assert(log->release == RELEASE_NONE);
	if (log->everything_held)
		bitmap_set_all(&log->held);
	move_all(&log->held, &log->releasing);
	move_all(&log->leaving, &log->releasing);
	move_all(&log->pending, &log->releasing);
	move_all(&log->gained, &log->gaining);
	bitmap_clear_all(&log->marked);
	bitmap_clear_all(&log->leaving);
	bitmap_clear_all(&log->pending);
	bitmap_clear_all(&log->gained);
	idle_clear(&log->idle);
	log->release_due_ms = 0;
	if (table->legs != LEGS_OPEN) {
		/* The legs cannot be flushed: nobody knows what they kept. */
		hold_lose_all(core, log, table->health_status);
		log->release = RELEASE_SETTLING;
		log->release_losses = UINT64_MAX;
		return;
	}
	log->release = RELEASE_FLUSHING;
	kept_flush(log);
	log->leg_flushes++;
	emit_table(core, EFFECT_FLUSH_LEGS, table);
}
