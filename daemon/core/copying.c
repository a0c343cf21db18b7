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
 * The operator pauses and limits what nobody waits for, on all members (struct entry).
 * Nothing is copied while a leg is failed, the table suspends, or its past is unknown; nor what a
 * kernel reported out of sync while its table lives.
 */
#include <assert.h>

#include "core_private.h"
#include "plant.h"

#define FAILURES_MAX 6

static void tell(struct core *core, struct log *log, enum group_message_type type, uint32_t number,
		 uint64_t mask)
{
	struct group_message message = { .type = type, .window = number, .mask = mask };

	if (mask != 0 && log->has_state)
		multicast(core, log, &message);
}

struct window *own_window_shared(struct core *core, struct log *log, const struct own_window *own)
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

/* Who had the disk role before may have been sure that regions are in sync, and have said so to nobody else: they are not
 * copied before the base says that they are not (a half of two_node, or what only one node has delivered). */
static bool base_shown(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	return entry != NULL && (entry->name.log_type == LOG_TYPE_CORE || entry->base_settled ||
				 PLANTED(PLANT_COPY_BASE_SET));
}

bool copying_allowed(struct core *core, struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);
	const struct table *table;

	if (log->live == NO_INDEX || !log_usable(core, log) || log->closing.step != CLOSING_NONE ||
	    entry == NULL || (entry_opening_failed(entry) && !PLANTED(PLANT_COPY_UNOPENED)) ||
	    ((log->base_frozen || sides_any_astray(core)) && !PLANTED(PLANT_COPY_UNPROVEN)) ||
	    log->opening.failed || log->everything_held || log->unknown_luid != 0 || log->losing)
		return false;
	table = &core->tables[log->live];
	return table->phase == TABLE_LIVE && table->legs == LEGS_OPEN && !health_failed(table) &&
	       !replicated_legs_failed(core, log) && base_shown(core, log);
}

/* ---- claiming ---- */

void copying_granted(struct core *core, struct log *log, const struct window *window)
{
	struct own_window *own = own_window_find(log, window->number);

	/* Its claim was under way when the state of before was lost, and the window with it. */
	if (own == NULL)
		tell(core, log, MESSAGE_RETURN, window->number, window->inside);
	if (own == NULL || log->live == NO_INDEX)
		return;
	log->copier.fallback_until_ms = 0;
	log->copier.late_claims = 0;
	own->checking = true;
	own->ticket = health_ask(&core->tables[log->live]);
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->refused >> i) & 1)
			touch_refused(core, log, window->regions[i]);
	/* Somebody has it marked: not at once again. */
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->refused >> i) & 1)
			refusal_remember(core, log, window->regions[i]);
}

void copying_given_back(struct core *core, struct log *log, const struct window *window)
{
	log->copier.fallback_until_ms = core->now_ms + REFUSAL_MS;
	for (uint32_t i = 0; i < window->region_count; i++)
		touch_refused(core, log, window->regions[i]);
	log->again = true;
}

void copying_lost(struct log *log)
{
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++) {
		struct own_window *own = &log->copier.windows[i];

		own->delivered = true; /* nothing of it comes back any more */
		own->checking = false;
		own->copying = false;
		own->used = own->used && own->flying != 0;
	}
}

/* Windows of the pace before are given back: at the new one others might wait long for them. */
void copying_control(struct log *log)
{
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		log->copier.windows[i].stale = log->copier.windows[i].used;
	log->copier.not_before_ms = 0;
	log->again = true;
}

void copying_without_member(struct log *log)
{
	if (log->copier.late_claims > 0)
		log->copier.not_before_ms = 0;
	log->copier.late_claims = 0;
	log->again = true;
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
			.length_sectors = device_sectors - offset < log->region_sectors &&
							  !PLANTED(PLANT_LAST_REGION_LONG) ?
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
	uint32_t limit = kernel_busy(core, log) ? 1 : core->config.copies_in_flight;

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
	uint64_t rate = copying_rate(core, log);
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
	const struct window *window = own_window_shared(core, log, own);

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

bool copying_flies(const struct log *log, uint64_t region)
{
	for (uint32_t c = 0; log->copier.flying > 0 && c < CORE_COPIES_MAX; c++)
		if (log->copier.copies[c].used && log->copier.copies[c].region == region)
			return true;
	return false;
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
	if (kernel_busy(core, log) &&
	    copier->not_before_ms < core->now_ms + took_ms * BUSY_REST_FACTOR)
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
	if (PLANTED(PLANT_COPY_FAILED_KEPT))
		return;
	tell(core, log, MESSAGE_RETURN, own->number, bit);
}

/* ---- the life of own windows ---- */

/* Gives back what is not being copied. */
static void give_back(struct core *core, struct log *log, struct own_window *own)
{
	const struct window *window = own_window_shared(core, log, own);
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

/* The members do not answer in time: what many of them claim again and again would not let them. */
static void rest_from_claims(struct core *core, struct log *log)
{
	struct copier *copier = &log->copier;

	if (copier->late_claims < LATE_CLAIMS_MAX)
		copier->late_claims++;
	copier->not_before_ms =
		core->now_ms + (UINT64_C(1) << copier->late_claims) * CLAIM_LIMIT_MS;
}

static void own_window_pump(struct core *core, struct log *log, uint32_t index)
{
	struct own_window *own = &log->copier.windows[index];
	const struct window *window = own_window_shared(core, log, own);
	struct table *table = &core->tables[log->live];

	if (own->delivered && window == NULL && own->flying == 0) {
		own->used = false;
		return;
	}
	if (window == NULL)
		return;
	if (own->stale && !own->touched) {
		give_back(core, log, own);
		return;
	}
	if (!window->granted) {
		if (core->now_ms < own->claimed_ms + CLAIM_LIMIT_MS) {
			log_wake_at(log, own->claimed_ms + CLAIM_LIMIT_MS);
			return;
		}
		log->copier.fallback_until_ms = core->now_ms + REFUSAL_MS;
		rest_from_claims(core, log);
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
	/* What it rests from is nobody else's to wait for (H7). */
	if (own->copying && !own->touched && log->copier.failures > 0 &&
	    core->now_ms < log->copier.not_before_ms) {
		give_back(core, log, own);
		return;
	}
	if (own->copying)
		copy_window(core, log, index);
}

/* The group has lost it: it ends when its last copy has. */
static void own_windows_end(struct log *log)
{
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].flying == 0)
			log->copier.windows[i].used = false;
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
	if (log->live == NO_INDEX)
		return;
	if (!log->has_state) {
		own_windows_end(log);
		return;
	}
	if (log->phase != LOG_OPEN)
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
