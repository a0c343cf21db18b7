/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copying what is out of sync, in windows agreed in the group.
 *
 * A window is claimed, granted by the answers of all members, checked (the health letters are read after the grant, when
 * no write can be under way in it any more), copied region by region, and given back the same way.
 * The touched region (an IN_SYNC waits for it) first, then lost, then never-synced ones.
 *
 *   claim --delivered, answered--> granted --letters all A--> copying --each: SYNCED or RETURN--> gone
 *
 * Nothing is copied while a leg is failed, the table suspends, or its past is unknown; nor what a
 * kernel reported out of sync while its table lives.
 */
#include <assert.h>

#include "core_private.h"
#include "plant.h"

#define BACKGROUND_WINDOWS_MAX 2
#define PICK_LIMIT 4096
#define FAILURES_MAX 6

static void tell(struct core *core, struct log *log, enum group_message_type type, uint32_t number,
		 uint64_t mask)
{
	struct group_message message = { .type = type, .window = number, .mask = mask };

	if (mask != 0)
		multicast(core, log, &message);
}

static struct window *shared_of(struct core *core, struct log *log, const struct own_window *own)
{
	return window_find(log, core->config.node_id, own->number);
}

bool copying_idle(const struct log *log)
{
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].used)
			return false;
	return log->copier.flying == 0;
}

bool copying_allowed(struct core *core, struct log *log)
{
	const struct table *table;

	if (log->live == NO_INDEX || log->phase != LOG_OPEN || log->closing.step != CLOSING_NONE ||
	    log->opening.failed || log->everything_held || log->unknown_luid != 0 || log->losing)
		return false;
	table = &core->tables[log->live];
	return table->phase == TABLE_LIVE && table->legs == LEGS_OPEN && !health_failed(table) &&
	       !replicated_legs_failed(log);
}

/* ---- claiming ---- */

static void claim(struct core *core, struct log *log, const uint64_t *regions, uint32_t count,
		  bool touched)
{
	struct copier *copier = &log->copier;
	struct group_message message = { .type = MESSAGE_CLAIM,
					 .window = copier->number,
					 .region_count = count };

	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++) {
		struct own_window *own = &copier->windows[i];

		if (own->used)
			continue;
		*own = (struct own_window){ .used = true,
					    .touched = touched,
					    .number = copier->number++,
					    .claimed_ms = core->now_ms };
		for (uint32_t r = 0; r < count; r++)
			message.regions[r] = regions[r];
		multicast(core, log, &message);
		return;
	}
}

static struct own_window *own_find(struct log *log, uint32_t number)
{
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].used && log->copier.windows[i].number == number)
			return &log->copier.windows[i];
	return NULL;
}

void copying_claimed(struct core *core, struct log *log, const struct group_message *message,
		     bool taken)
{
	struct own_window *own;

	if (message->sender != core->config.node_id)
		return;
	own = own_find(log, message->window);
	if (own == NULL)
		return;
	own->delivered = true;
	if (!taken && own->touched)
		touch_refused(core, log, message->regions[0]);
}

void copying_granted(struct core *core, struct log *log, const struct window *window)
{
	struct own_window *own = own_find(log, window->number);

	if (own == NULL || log->live == NO_INDEX)
		return;
	log->copier.fallback_until_ms = 0;
	own->checking = true;
	own->ticket = health_ask(&core->tables[log->live]);
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->refused >> i) & 1)
			touch_refused(core, log, window->regions[i]);
}

static bool busy(struct core *core, const struct log *log)
{
	return log->active_ms != 0 && core->now_ms - log->active_ms < BUSY_MS;
}

/* How many regions are copied within WINDOW_TARGET_MS; fewer while the kernel is at work, since its writes to
 * them would wait. */
static uint32_t window_size(struct core *core, struct log *log)
{
	uint64_t region_bytes = (uint64_t)log->region_sectors * 512;
	uint64_t rate = core->config.resync_bytes_per_second;
	uint64_t size = 8;

	if (log->copier.copy_ms > 0)
		size = WINDOW_TARGET_MS * 16 * core->config.copies_in_flight / log->copier.copy_ms;
	if (rate > 0 && size > rate * WINDOW_TARGET_MS / 1000 / region_bytes)
		size = rate * WINDOW_TARGET_MS / 1000 / region_bytes;
	if (busy(core, log))
		size /= WINDOW_BUSY_SHARE;
	if (size < 1)
		size = 1;
	return size > WINDOW_REGIONS_MAX ? WINDOW_REGIONS_MAX : (uint32_t)size;
}

/* Regions of `from` that can be claimed now, at or after the cursor; returns how many are in `regions`. */
static uint32_t pick(struct log *log, const struct bitmap *from, uint64_t *regions, uint32_t count,
		     uint32_t size)
{
	uint64_t region = bitmap_next(from, log->copier.cursor);

	for (uint32_t seen = 0; count < size && seen < PICK_LIMIT; seen++) {
		if (region == BITMAP_NONE)
			return count;
		log->copier.cursor = region + 1;
		if (!bitmap_test(&log->replicated.reported, region) &&
		    !bitmap_test(&log->replicated.claimed, region) &&
		    (!hold_refuses(log, region) || PLANTED(PLANT_COPY_MARKED)))
			regions[count++] = region;
		region = bitmap_next(from, region + 1);
	}
	return count;
}

/* The next window is claimed when the one before has nothing left to begin, so that its round of claim and check
 * costs no time. */
static bool background_wanted(struct core *core, struct log *log)
{
	uint32_t windows = 0;

	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++) {
		const struct own_window *own = &log->copier.windows[i];
		const struct window *window;

		if (!own->used || own->touched)
			continue;
		window = shared_of(core, log, own);
		if (!own->delivered ||
		    (window != NULL && (window->locked & ~own->flying & ~own->sent) != 0))
			return false;
		windows++;
	}
	return windows < BACKGROUND_WINDOWS_MAX;
}

static void claim_background(struct core *core, struct log *log)
{
	uint64_t regions[WINDOW_REGIONS_MAX];
	const struct bitmap *from = log->replicated.lost.count > 0 ? &log->replicated.lost :
								     &log->replicated.out;
	uint64_t start = log->copier.cursor;
	uint32_t size;
	uint32_t count;

	if (log->replicated.out.count == 0 || !background_wanted(core, log))
		return;
	if (core->now_ms < log->copier.not_before_ms) {
		log_wake_at(log, log->copier.not_before_ms);
		return;
	}
	size = window_size(core, log);
	count = pick(log, from, regions, 0, size);
	if (count == 0 && start > 0) {
		log->copier.cursor = 0;
		count = pick(log, from, regions, 0, size);
	}
	if (count == 0 && from == &log->replicated.lost) {
		log->copier.cursor = 0;
		count = pick(log, &log->replicated.out, regions, 0, size);
	}
	if (count > 0)
		claim(core, log, regions, count, false);
	else
		log_wake_at(log,
			    core->now_ms + RETRY_MS); /* all that is left is busy or reported */
}

static void claim_touched(struct core *core, struct log *log)
{
	uint64_t region = log->copier.touched;

	if (region == BITMAP_NONE || bitmap_test(&log->replicated.claimed, region))
		return;
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].used && log->copier.windows[i].touched)
			return;
	claim(core, log, &region, 1, true);
}

/* ---- copying ---- */

static void copy_begin(struct core *core, struct log *log, uint32_t own_index,
		       const struct window *window, uint32_t i)
{
	struct copier *copier = &log->copier;
	uint64_t device_sectors = log->name.device_sectors;
	uint64_t region = window->regions[i];
	uint64_t offset = region * log->region_sectors;
	struct effect effect = {
		.type = EFFECT_COPY,
		.copy = {
			.table = log->live,
			.region = region,
			.offset_sectors = offset,
			.length_sectors = device_sectors - offset < log->region_sectors ?
						  (uint32_t)(device_sectors - offset) :
						  log->region_sectors,
		},
	};

	for (uint32_t c = 0; c < CORE_COPIES_MAX; c++) {
		struct copy *copy = &copier->copies[c];

		if (copy->used)
			continue;
		*copy = (struct copy){ .used = true,
				       .own_window = own_index,
				       .index = i,
				       .region = region,
				       .begun_ms = core->now_ms };
		copier->windows[own_index].flying |= UINT64_C(1) << i;
		copier->flying++;
		emit(core, &effect);
		return;
	}
}

/* May one more region be copied in the background now? */
static bool background_turn(struct core *core, struct log *log)
{
	uint32_t limit = busy(core, log) ? 1 : core->config.copies_in_flight;

	/* One place is kept for a region that somebody waits for. */
	if (limit == CORE_COPIES_MAX)
		limit--;

	if (log->copier.flying >= limit)
		return false;
	/* What is touched makes the resync go on by itself. */
	if (core->now_ms < log->copier.touched_ms + BUSY_MS) {
		log_wake_at(log, log->copier.touched_ms + BUSY_MS);
		return false;
	}
	if (core->now_ms < log->copier.not_before_ms) {
		log_wake_at(log, log->copier.not_before_ms);
		return false;
	}
	return true;
}

static void paced(struct core *core, struct log *log)
{
	uint64_t rate = core->config.resync_bytes_per_second;
	uint64_t *not_before = &log->copier.not_before_ms;

	if (rate == 0)
		return;
	if (*not_before < core->now_ms)
		*not_before = core->now_ms;
	*not_before += (uint64_t)log->region_sectors * 512 * 1000 / rate;
}

/* An IN_SYNC or a FLUSH waits for this region: it is copied at once, whatever the pace. */
static bool urgent(const struct log *log, uint64_t region)
{
	return region == log->copier.touched || bitmap_test(&log->pending, region);
}

static void copy_window(struct core *core, struct log *log, uint32_t own_index)
{
	struct own_window *own = &log->copier.windows[own_index];
	const struct window *window = shared_of(core, log, own);

	if (window == NULL)
		return;
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->locked & ~own->flying & ~own->sent) >> i & 1 &&
		    urgent(log, window->regions[i]) && log->copier.flying < CORE_COPIES_MAX)
			copy_begin(core, log, own_index, window, i);
	for (uint32_t i = 0; i < window->region_count; i++) {
		if (!((window->locked & ~own->flying & ~own->sent) >> i & 1))
			continue;
		if (!background_turn(core, log))
			return;
		paced(core, log);
		copy_begin(core, log, own_index, window, i);
	}
}

static struct copy *copy_find(struct log *log, uint64_t region)
{
	for (uint32_t c = 0; c < CORE_COPIES_MAX; c++)
		if (log->copier.copies[c].used && log->copier.copies[c].region == region)
			return &log->copier.copies[c];
	return NULL;
}

static void copy_failed(struct core *core, struct log *log, const struct input_copied *copied)
{
	struct effect_event event = { .event = EVENT_COPY_FAILED,
				      .region = copied->region,
				      .status = copied->status };
	struct copier *copier = &log->copier;

	emit_event(core, log, &event);
	copier->not_before_ms = core->now_ms + ((uint64_t)RETRY_MS << copier->failures);
	if (copier->failures < FAILURES_MAX)
		copier->failures++;
	if (log->live != NO_INDEX)
		(void)health_ask(&core->tables[log->live]);
	touch_refused(core, log, copied->region);
}

static void copy_ended(struct core *core, struct log *log, uint64_t begun_ms)
{
	struct copier *copier = &log->copier;
	uint64_t took_ms = core->now_ms - begun_ms;

	copier->failures = 0;
	copier->copy_ms = copier->copy_ms == 0 ? took_ms * 16 :
						 copier->copy_ms - copier->copy_ms / 16 + took_ms;
	if (copier->copy_ms == 0)
		copier->copy_ms = 1;
	log->regions_copied++;
	if (busy(core, log) && copier->not_before_ms < core->now_ms + took_ms * BUSY_REST_FACTOR)
		copier->not_before_ms = core->now_ms + took_ms * BUSY_REST_FACTOR;
}

void copying_copied(struct core *core, const struct input_copied *copied)
{
	struct log *log = core->tables[copied->table].used ?
				  table_log(core, &core->tables[copied->table]) :
				  NULL;
	struct own_window *own;
	struct copy *copy;
	uint64_t bit;

	if (log == NULL)
		return;
	copy = copy_find(log, copied->region);
	assert(copy != NULL);
	own = &log->copier.windows[copy->own_window];
	bit = UINT64_C(1) << copy->index;
	own->flying &= ~bit;
	own->sent |= bit;
	log->copier.flying--;
	copy->used = false;
	if (copied->status == 0 && !copy->overdue) {
		copy_ended(core, log, copy->begun_ms);
		if (own->touched)
			log->copier.touched_ms = core->now_ms;
		tell(core, log, MESSAGE_SYNCED, own->number, bit);
		return;
	}
	if (copied->status < 0 || copy->overdue)
		copy_failed(core, log, copied);
	tell(core, log, MESSAGE_RETURN, own->number, bit);
}

/* ---- the life of own windows ---- */

/* Gives back what is not being copied. */
static void give_back(struct core *core, struct log *log, struct own_window *own)
{
	const struct window *window = shared_of(core, log, own);
	uint64_t mask;

	if (window == NULL)
		return;
	mask = window->inside & ~own->flying & ~own->sent;
	own->sent |= mask;
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((mask >> i) & 1)
			touch_refused(core, log, window->regions[i]);
	tell(core, log, MESSAGE_RETURN, own->number, mask);
}

static void check_overdue(struct core *core, struct log *log)
{
	for (uint32_t c = 0; c < CORE_COPIES_MAX; c++) {
		struct copy *copy = &log->copier.copies[c];
		struct own_window *own = &log->copier.windows[copy->own_window];

		if (!copy->used || copy->overdue)
			continue;
		if (core->now_ms < copy->begun_ms + COPY_LIMIT_MS) {
			log_wake_at(log, copy->begun_ms + COPY_LIMIT_MS);
			continue;
		}
		copy->overdue = true;
		tell(core, log, MESSAGE_VOID, own->number, UINT64_C(1) << copy->index);
		touch_refused(core, log, copy->region);
		give_back(core, log, own);
	}
}

static void own_window_pump(struct core *core, struct log *log, uint32_t index)
{
	struct own_window *own = &log->copier.windows[index];
	const struct window *window = shared_of(core, log, own);
	struct table *table = &core->tables[log->live];

	if (own->delivered && window == NULL && own->flying == 0) {
		own->used = false;
		return;
	}
	if (window == NULL)
		return;
	if (!window->granted) {
		if (core->now_ms < own->claimed_ms + CLAIM_LIMIT_MS) {
			log_wake_at(log, own->claimed_ms + CLAIM_LIMIT_MS);
			return;
		}
		log->copier.fallback_until_ms = core->now_ms + REFUSAL_MS;
		give_back(core, log, own);
		return;
	}
	if (!copying_allowed(core, log)) {
		give_back(core, log, own);
		return;
	}
	if (own->checking && table->health_done >= own->ticket) {
		own->checking = false;
		own->copying = table->health_status == 0 && !table->dm_suspended;
		if (!own->copying) {
			log->copier.not_before_ms =
				core->now_ms +
				(table->dm_suspended ? SUSPENDED_RETRY_MS : RETRY_MS);
			give_back(core, log, own);
		}
	}
	if (own->copying)
		copy_window(core, log, index);
}

static void announce(struct core *core, struct log *log)
{
	struct effect_event event = { .event = EVENT_IN_SYNC, .number = log->region_count };

	if (log->phase != LOG_OPEN || log->replicated.out.count > 0 || log->copier.announced)
		return;
	log->copier.announced = true;
	if (log->regions_copied > 0)
		emit_event(core, log, &event);
}

void copying_pump(struct core *core, struct log *log)
{
	if (log->live == NO_INDEX || log->phase != LOG_OPEN)
		return;
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].used)
			own_window_pump(core, log, i);
	check_overdue(core, log);
	announce(core, log);
	if (!copying_allowed(core, log))
		return;
	claim_touched(core, log);
	claim_background(core, log);
}
