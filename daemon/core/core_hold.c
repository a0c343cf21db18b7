/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds of core logs: kept by every follower in memory, and counted only when all of them have confirmed.  Those of a node that
 * cannot write its slot go the same way, and are confirmed by its proxy alone.
 *
 * One wish of up to WINDOW_REGIONS_MAX regions is under way at a time; what comes meanwhile shares the next one.  What a
 * member holds is kept with 2^k regions a bit, k such that all members together need no more memory than one bitmap of the
 * regions; when it is proven stopped, all that its bits cover is lost.
 */
#include <assert.h>

#include "core_private.h"
#include "plant.h"

static uint64_t hold_bit(const struct log *log, uint64_t region)
{
	return region >> log->hold_granularity;
}

/* ---- replicated ---- */

void core_hold_deliver(struct log *log, const struct group_message *message, uint64_t members)
{
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++)
		for (uint32_t i = 0; ((members >> m) & 1) && i < message->region_count; i++)
			if (message->regions[i] < log->region_count)
				(void)bitmap_set(&log->replicated.holds[m],
						 hold_bit(log, message->regions[i]));
}

static void member_lets_go(struct log *log, uint32_t member, uint64_t bit)
{
	if (bitmap_clear(&log->replicated.holds[member], bit) && log->type == LOG_TYPE_DISK)
		proxy_let_go(log, bit);
}

void core_hold_release(struct log *log, const struct group_message *message, uint64_t members)
{
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++)
		for (uint32_t i = 0; ((members >> m) & 1) && i < message->region_count; i++)
			if (message->regions[i] < log->region_count)
				member_lets_go(log, m, hold_bit(log, message->regions[i]));
}

void core_hold_forget(struct log *log, uint32_t member)
{
	struct bitmap *holds = &log->replicated.holds[member];
	uint64_t bit = bitmap_next(holds, 0);

	while (bit != BITMAP_NONE) {
		member_lets_go(log, member, bit);
		bit = bitmap_next(holds, bit + 1);
	}
	log->proxied[member].wanted = false;
}

/* Its holds are what may differ. */
void core_hold_lose(struct log *log, uint32_t member)
{
	uint64_t bit;

	if (log->replicated.holds[member].count == 0 || PLANTED(PLANT_CORE_HOLDS_KEPT))
		return;
	bit = bitmap_next(&log->replicated.holds[member], 0);
	while (bit != BITMAP_NONE) {
		uint64_t region = bit << log->hold_granularity;
		uint64_t end = (bit + 1) << log->hold_granularity;

		for (; region < end && region < log->region_count; region++)
			state_lose(log, region);
		bit = bitmap_next(&log->replicated.holds[member], bit + 1);
	}
	log->replicated.losses++;
	log->copier.announced = false;
	core_hold_forget(log, member);
}

/* ---- wishes of this node ---- */

/* Every follower says at once that it knows; also who has no state yet: it keeps the message. */
void core_hold_confirm(struct core *core, struct log *log, const struct group_message *message)
{
	const struct entry *entry = entry_find(core, &log->name);
	struct group_message answer = { .type = MESSAGE_CONFIRM,
					.node = message->sender,
					.number = message->number };

	if (message->sender != core->config.node_id && log->type == LOG_TYPE_CORE &&
	    (log->has_state || log->importing ||
	     (log->rejoin_wanted && !PLANTED(PLANT_LACKING_SILENT))))
		multicast(core, log, &answer);
	if (message->sender != core->config.node_id || !log->wish.asked ||
	    message->number != log->wish.number)
		return;
	log->wish.delivered = true;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		log->wish.needed[i] = entry->member[i].departed ? 0 : entry->member[i].node_id;
	log->again = true;
}

void core_hold_confirmed(struct core *core, struct log *log, const struct group_message *message,
			 uint64_t members)
{
	if (message->node != core->config.node_id || message->number != log->wish.number)
		return;
	log->wish.confirmed |= members;
}

/* It has left, or no longer follows the log: should it come again, it has the hold from a snapshot. */
void core_hold_need_not(struct log *log, uint32_t member)
{
	if (!PLANTED(PLANT_CONFIRM_GONE))
		log->wish.needed[member] = 0;
}

static bool confirmed_by_all(struct core *core, struct log *log)
{
	if (PLANTED(PLANT_CORE_UNCONFIRMED))
		return true;
	if (log->type == LOG_TYPE_DISK)
		return log->wish.confirmed != 0; /* by the proxy */
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (log->wish.needed[i] != 0 && log->wish.needed[i] != core->config.node_id &&
		    !((log->wish.confirmed >> i) & 1))
			return false;
	return true;
}

static bool own_coarse(struct core *core, struct log *log, uint64_t region)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *me = member_find(entry, core->config.node_id);

	return me != NULL &&
	       bitmap_test(&log->replicated.holds[me - entry->member], hold_bit(log, region));
}

static void ask(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_HOLD };
	uint64_t region = bitmap_next(&log->pending, 0);

	while (region != BITMAP_NONE && message.region_count < WINDOW_REGIONS_MAX) {
		if (!bitmap_test(&log->windowed, region) || PLANTED(PLANT_HOLD_IN_WINDOW))
			message.regions[message.region_count++] = region;
		region = bitmap_next(&log->pending, region + 1);
	}
	if (message.region_count == 0)
		return;
	log->wish = (struct wish){ .asked = true, .number = log->wish.number + 1 };
	message.number = log->wish.number;
	log->wish.region_count = message.region_count;
	for (uint32_t i = 0; i < message.region_count; i++)
		log->wish.regions[i] = message.regions[i];
	multicast(core, log, &message);
}

bool holds_by_message(const struct log *log)
{
	return log->type == LOG_TYPE_CORE || log->by_proxy;
}

void core_hold_pump(struct core *core, struct log *log)
{
	struct wish *wish = &log->wish;

	if (!log_usable(core, log) || (log->by_proxy && !proxy_there(core, log)))
		return;
	if (wish->asked && wish->delivered && confirmed_by_all(core, log)) {
		wish->asked = false;
		for (uint32_t i = 0; i < wish->region_count; i++) {
			uint64_t region = wish->regions[i];

			/* A window that was claimed meanwhile was refused it; one that was before has it. */
			if (bitmap_test(&log->windowed, region) && !PLANTED(PLANT_HOLD_IN_WINDOW))
				continue;
			if (bitmap_test(&log->pending, region)) {
				(void)bitmap_set(&log->held, region);
				(void)bitmap_clear(&log->pending, region);
				/* It was let go before, and is wanted again. */
				(void)bitmap_clear(&log->leaving, region);
				(void)bitmap_clear(&log->releasing, region);
			}
			if (!bitmap_test(&log->marked, region) && !idle_has(&log->idle, region) &&
			    !log->everything_held)
				(void)bitmap_set(&log->leaving, region);
		}
	}
	if (!wish->asked && log->pending.count > 0)
		ask(core, log);
}

/* Tells the others what is held no more. */
void core_hold_let_go(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_RELEASE };
	uint64_t region = bitmap_next(&log->leaving, 0);

	while (region != BITMAP_NONE && message.region_count < WINDOW_REGIONS_MAX) {
		uint64_t first = hold_bit(log, region) << log->hold_granularity;
		uint64_t count = UINT64_C(1) << log->hold_granularity;

		(void)bitmap_clear(&log->leaving, region);
		(void)bitmap_clear(&log->held, region);
		if (!bitmap_any(&log->held, first, count) &&
		    !bitmap_any(&log->pending, first, count) && !log->everything_held &&
		    !bitmap_any(&log->leaving, first, count) && own_coarse(core, log, region))
			message.regions[message.region_count++] = region;
		region = bitmap_next(&log->leaving, region + 1);
	}
	if (message.region_count > 0)
		multicast(core, log, &message);
}

void core_hold_released(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_RELEASE };
	uint64_t region = bitmap_next(&log->releasing, 0);

	while (region != BITMAP_NONE) {
		uint64_t first = hold_bit(log, region) << log->hold_granularity;
		uint64_t count = UINT64_C(1) << log->hold_granularity;

		if (!bitmap_any(&log->held, first, count) &&
		    !bitmap_any(&log->pending, first, count) && own_coarse(core, log, region))
			message.regions[message.region_count++] = region;
		if (message.region_count == WINDOW_REGIONS_MAX) {
			multicast(core, log, &message);
			message.region_count = 0;
		}
		region = bitmap_next(&log->releasing, region + 1);
	}
	if (message.region_count > 0)
		multicast(core, log, &message);
}
