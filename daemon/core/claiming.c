/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claiming windows for the copier: what is touched first, then what was lost, then what was never in sync.
 *
 * A window is no larger than what is copied in WINDOW_TARGET_MS, and smaller while the kernel is at work: its writes in there
 * wait.  A member has at most BACKGROUND_WINDOWS_MAX windows and one for a touched region.  Nothing of this is replicated: two
 * members may pick the same region, and the order decides whose claim has it.
 */

#include "core_private.h"
#include "plant.h"

#define BACKGROUND_WINDOWS_MAX 2
#define PICK_LIMIT 4096

static void claim(struct core *core, struct log *log, const uint64_t *regions, uint32_t count,
		  bool touched)
{
	struct copier *copier = &log->copier;
	struct group_message message = { .type = MESSAGE_CLAIM,
					 .window = core->windows,
					 .region_count = count };

	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++) {
		struct own_window *own = &copier->windows[i];

		if (own->used)
			continue;
		*own = (struct own_window){ .used = true,
					    .touched = touched,
					    .number = core->windows++,
					    .claimed_ms = core->now_ms };
		for (uint32_t r = 0; r < count; r++)
			message.regions[r] = regions[r];
		multicast(core, log, &message);
		return;
	}
}

struct own_window *own_window_find(struct log *log, uint32_t number)
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
	own = own_window_find(log, message->window);
	if (own == NULL)
		return;
	own->delivered = true;
	log->again = true;
	if (!taken && own->touched)
		touch_refused(core, log, message->regions[0]);
}

bool kernel_busy(struct core *core, const struct log *log)
{
	return log->active_ms != 0 && core->now_ms - log->active_ms < BUSY_MS;
}

uint64_t copying_rate(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	if (entry == NULL || entry->bytes_per_second == 0)
		return core->config.resync_bytes_per_second;
	return entry->bytes_per_second == CORE_RATE_UNLIMITED ? 0 : entry->bytes_per_second;
}

static bool paused(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	return entry != NULL && entry->paused;
}

/* How many regions are copied within WINDOW_TARGET_MS; fewer while the kernel is at work, since its writes to
 * them would wait. */
static uint32_t window_size(struct core *core, struct log *log)
{
	uint64_t region_bytes = (uint64_t)log->region_sectors * 512;
	uint64_t rate = copying_rate(core, log);
	uint64_t size = 8;

	if (log->copier.copy_ms > 0)
		size = WINDOW_TARGET_MS * 16 * core->config.copies_in_flight / log->copier.copy_ms;
	if (rate > 0 && size > rate * WINDOW_TARGET_MS / 1000 / region_bytes)
		size = rate * WINDOW_TARGET_MS / 1000 / region_bytes;
	if (kernel_busy(core, log))
		size /= WINDOW_BUSY_SHARE;
	if (size < 1)
		size = 1;
	return size > WINDOW_REGIONS_MAX ? WINDOW_REGIONS_MAX : (uint32_t)size;
}

/* Regions of `from` that can be claimed now, at or after the cursor; returns how many are in `regions`. */
static uint32_t pick(struct core *core, struct log *log, const struct bitmap *from,
		     uint64_t *regions, uint32_t count, uint32_t size)
{
	uint64_t region = bitmap_next(from, log->copier.cursor);

	for (uint32_t seen = 0; count < size && seen < PICK_LIMIT; seen++) {
		if (region == BITMAP_NONE)
			return count;
		log->copier.cursor = region + 1;
		if (!bitmap_test(&log->replicated.reported, region) &&
		    !bitmap_test(&log->replicated.claimed, region) &&
		    !refused_lately(core, log, region) &&
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
		window = own_window_shared(core, log, own);
		if (!own->delivered ||
		    (window != NULL && (window->locked & ~own->flying & ~own->sent) != 0))
			return false;
		windows++;
	}
	return windows < BACKGROUND_WINDOWS_MAX;
}

void claim_background(struct core *core, struct log *log)
{
	uint64_t regions[WINDOW_REGIONS_MAX];
	const struct bitmap *from = log->replicated.lost.count > 0 ? &log->replicated.lost :
								     &log->replicated.out;
	uint64_t start = log->copier.cursor;
	uint32_t size;
	uint32_t count;

	if (log->replicated.out.count == 0 || !background_wanted(core, log) || paused(core, log))
		return;
	if (core->now_ms < log->copier.not_before_ms) {
		log_wake_at(log, log->copier.not_before_ms);
		return;
	}
	size = window_size(core, log);
	count = pick(core, log, from, regions, 0, size);
	if (count == 0 && start > 0) {
		log->copier.cursor = 0;
		count = pick(core, log, from, regions, 0, size);
	}
	if (count == 0 && from == &log->replicated.lost) {
		log->copier.cursor = 0;
		count = pick(core, log, &log->replicated.out, regions, 0, size);
	}
	if (count > 0)
		claim(core, log, regions, count, false);
	else
		log_wake_at(log,
			    core->now_ms + RETRY_MS); /* all that is left is busy or reported */
}

void claim_touched(struct core *core, struct log *log)
{
	uint64_t region = log->copier.touched;

	if (region == BITMAP_NONE || bitmap_test(&log->replicated.claimed, region))
		return;
	for (uint32_t i = 0; i < OWN_WINDOWS_MAX; i++)
		if (log->copier.windows[i].used && log->copier.windows[i].touched)
			return;
	claim(core, log, &region, 1, true);
}
