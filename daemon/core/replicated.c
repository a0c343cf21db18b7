/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all members of a log have in common, and the only code that changes it: the delivery of a message.
 *
 * Kinds of a region: in sync; lost (was in sync); never.  Never is not returned to while any follower lives.
 * A message that does not fit the state is a peer's mistake, or late: it is dropped.
 */
#include <assert.h>

#include "core_private.h"
#include "plant.h"

struct window *window_find(struct log *log, uint32_t claimer, uint32_t number)
{
	for (uint32_t i = 0; i < WINDOWS_MAX; i++) {
		struct window *window = &log->replicated.windows[i];

		if (window->used && window->claimer == claimer && window->number == number)
			return window;
	}
	return NULL;
}

bool replicated_legs_failed(const struct log *log)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (log->replicated.members[i].node_id != 0 &&
		    log->replicated.members[i].legs_failed)
			return true;
	return false;
}

/* The member with this node id, or NULL. */
static struct member *member_find(struct log *log, uint32_t node_id)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (log->replicated.members[i].node_id == node_id)
			return &log->replicated.members[i];
	return NULL;
}

/* The table of this node whose JOIN is under way: its luid may have been given to another one meanwhile. */
static struct table *table_joining(struct core *core, const struct log *log)
{
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used && core->tables[i].log == log->index &&
		    core->tables[i].phase == TABLE_JOINING && core->tables[i].join_sent)
			return &core->tables[i];
	return NULL;
}

static void deliver_join(struct core *core, struct log *log, const struct group_message *message)
{
	struct member *member = member_find(log, message->sender);
	struct table *table;

	if (member == NULL)
		member = member_find(log, 0);
	if (member == NULL)
		return;
	member->node_id = message->sender;
	member->resumed++;
	member->legs_failed = false;
	log->replicated.resumed++;
	if (message->luid != log->reporter)
		bitmap_clear_all(&log->replicated.reported); /* that kernel has forgotten */
	if (message->sender != core->config.node_id)
		return;
	table = table_joining(core, log);
	assert(table != NULL && log->phase == LOG_CLOSED);
	opening_begin(core, log, table_index(core, table));
}

static void deliver_opened(struct core *core, struct log *log, const struct group_message *message)
{
	if (message->sender != core->config.node_id)
		return;
	assert(log->phase == LOG_OPENING);
	log->phase = LOG_OPEN;
	table_live(core, &core->tables[log->opening.table]);
}

static void deliver_leave(struct core *core, struct log *log, const struct group_message *message)
{
	struct member *member = member_find(log, message->sender);

	if (member == NULL || member->resumed == 0)
		return;
	member->resumed--;
	log->replicated.resumed--;
	if (member->resumed == 0)
		member->node_id = 0;
	if (log->replicated.resumed == 0)
		log->phase = LOG_CLOSED;
	core->pump_all = true;
}

static void leave_window(struct log *log, struct window *window, uint32_t i)
{
	uint64_t bit = UINT64_C(1) << i;

	window->inside &= ~bit;
	window->locked &= ~bit;
	(void)bitmap_clear(&log->windowed, window->regions[i]);
	(void)bitmap_clear(&log->replicated.claimed, window->regions[i]);
	if (window->inside == 0) {
		window->used = false;
		log->replicated.windows_used--;
	}
}

static void spoil(struct log *log, uint64_t region)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		struct window *window = &log->replicated.windows[w];

		for (uint32_t i = 0; window->used && i < window->region_count; i++)
			if (window->regions[i] == region && ((window->inside >> i) & 1))
				window->spoiled |= UINT64_C(1) << i;
	}
}

static void lose(struct log *log, uint64_t region, bool reported)
{
	if (bitmap_test(&log->replicated.claimed, region))
		spoil(log, region);
	if (!bitmap_set(&log->replicated.out, region))
		(void)bitmap_set(&log->replicated.lost, region);
	if (reported)
		(void)bitmap_set(&log->replicated.reported, region);
	(void)bitmap_clear(&log->gained, region);
	(void)bitmap_clear(&log->gaining, region);
	if (log->type == LOG_TYPE_DISK && !log->opening.failed)
		image_clear(&log->base, DISK_BITMAP_OFFSET_BYTES, region);
}

/* Takes the regions in; true when a kernel's report is new. */
static bool lose_all(struct log *log, const struct group_message *message)
{
	bool news = false;

	for (uint32_t i = 0; i < message->region_count; i++) {
		if (message->regions[i] >= log->region_count)
			continue;
		news = news || !bitmap_test(&log->replicated.reported, message->regions[i]);
		lose(log, message->regions[i], message->reported);
	}
	log->copier.announced = false;
	return news;
}

static void deliver_lost(struct core *core, struct log *log, const struct group_message *message)
{
	struct effect_event event = { .event = EVENT_REGION_LOST, .luid = message->luid };
	bool news = log->phase == LOG_OPEN && lose_all(log, message);
	struct table *table;

	if (message->sender != core->config.node_id)
		return;
	if (!message->reported) {
		log->losing_flying = false;
		return;
	}
	log->reporter = message->luid;
	event.region = message->regions[0];
	if (news)
		emit_event(core, log, &event);
	table = table_find(core, log->name.uuid, message->luid);
	if (table == NULL)
		return;
	health_leg_failed(table);
	answer_waiting(core, table, REQUEST_SET_REGION_SYNC, 0, NULL, 0);
}

static struct window *window_free(struct log *log)
{
	for (uint32_t i = 0; i < WINDOWS_MAX; i++)
		if (!log->replicated.windows[i].used)
			return &log->replicated.windows[i];
	return NULL;
}

static bool claimable(const struct log *log, uint64_t region)
{
	return region < log->region_count && bitmap_test(&log->replicated.out, region) &&
	       !bitmap_test(&log->replicated.reported, region) &&
	       !bitmap_test(&log->replicated.claimed, region);
}

/* Answers a claim at once: what this kernel has marked is refused, idle holds are let go, the rest is locked. */
static void answer_claim(struct core *core, struct log *log, const struct window *window)
{
	struct group_message answer = { .type = MESSAGE_CLAIM_ANSWER,
					.window = window->number,
					.claimer = window->claimer };

	for (uint32_t i = 0; i < window->region_count; i++) {
		uint64_t region = window->regions[i];

		if (!((window->inside >> i) & 1))
			continue;
		if (hold_refuses(log, region) && !PLANTED(PLANT_COPY_MARKED)) {
			answer.mask |= UINT64_C(1) << i;
		} else {
			if (!bitmap_test(&log->marked, region))
				hold_let_go(log, region);
			(void)bitmap_set(&log->windowed, region);
		}
	}
	multicast(core, log, &answer);
}

static void deliver_claim(struct core *core, struct log *log, const struct group_message *message)
{
	struct window *window = window_free(log);

	if (message->region_count == 0 || message->region_count > WINDOW_REGIONS_MAX ||
	    window == NULL || log->phase != LOG_OPEN || member_find(log, message->sender) == NULL) {
		copying_claimed(core, log, message, false);
		return;
	}
	*window = (struct window){ .claimer = message->sender,
				   .number = message->window,
				   .region_count = message->region_count };
	for (uint32_t i = 0; i < message->region_count; i++) {
		window->regions[i] = message->regions[i];
		if (!claimable(log, message->regions[i]))
			continue;
		window->inside |= UINT64_C(1) << i;
		(void)bitmap_set(&log->replicated.claimed, message->regions[i]);
	}
	window->locked = window->inside;
	window->used = window->inside != 0;
	copying_claimed(core, log, message, window->used);
	if (!window->used)
		return;
	log->replicated.windows_used++;
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		if (log->replicated.members[i].node_id != 0)
			window->unanswered |= UINT64_C(1) << i;
	answer_claim(core, log, window);
}

static void leave_masked(struct log *log, struct window *window, uint64_t mask)
{
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->inside & mask) >> i & 1)
			leave_window(log, window, i);
}

static void deliver_claim_answer(struct core *core, struct log *log,
				 const struct group_message *message)
{
	struct window *window = window_find(log, message->claimer, message->window);
	struct member *member = member_find(log, message->sender);

	if (window == NULL || member == NULL || window->granted)
		return;
	window->unanswered &= ~(UINT64_C(1) << (member - log->replicated.members));
	window->refused |= message->mask;
	if (window->unanswered != 0)
		return;
	window->granted = true;
	if (message->claimer == core->config.node_id)
		copying_granted(core, log, window);
	leave_masked(log, window, window->refused);
}

static void deliver_synced(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window == NULL || !window->granted)
		return;
	for (uint32_t i = 0; i < window->region_count; i++) {
		uint64_t region = window->regions[i];

		if (!((window->locked & message->mask & ~window->spoiled) >> i & 1))
			continue;
		(void)bitmap_clear(&log->replicated.out, region);
		(void)bitmap_clear(&log->replicated.lost, region);
		if (log->type == LOG_TYPE_DISK)
			(void)bitmap_set(&log->gained, region);
	}
	leave_masked(log, window, message->mask);
}

static void deliver_return(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window != NULL)
		leave_masked(log, window, message->mask);
}

static void deliver_void(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window == NULL)
		return;
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->locked & message->mask) >> i & 1)
			(void)bitmap_clear(&log->windowed, window->regions[i]);
	window->locked &= ~message->mask;
}

static void deliver_health(struct core *core, struct log *log, const struct group_message *message)
{
	struct member *member = member_find(log, message->sender);
	struct table *table = table_find(core, log->name.uuid, message->luid);

	if (message->sender == core->config.node_id && table != NULL)
		table->health_told = false;
	if (member != NULL)
		member->legs_failed = message->legs_failed;
}

void replicated_deliver(struct core *core, const struct group_message *message)
{
	struct log *log = log_find(core, &message->log);

	if (log == NULL || message->region_count > WINDOW_REGIONS_MAX)
		return;
	switch (message->type) {
	case MESSAGE_JOIN:
		deliver_join(core, log, message);
		break;
	case MESSAGE_OPENED:
		deliver_opened(core, log, message);
		break;
	case MESSAGE_LEAVE:
		deliver_leave(core, log, message);
		closing_left(core, log, message);
		break;
	case MESSAGE_LOST:
		deliver_lost(core, log, message);
		break;
	case MESSAGE_CLAIM:
		deliver_claim(core, log, message);
		break;
	case MESSAGE_CLAIM_ANSWER:
		deliver_claim_answer(core, log, message);
		break;
	case MESSAGE_SYNCED:
		deliver_synced(log, message);
		break;
	case MESSAGE_RETURN:
		deliver_return(log, message);
		break;
	case MESSAGE_VOID:
		deliver_void(log, message);
		break;
	case MESSAGE_HEALTH:
		deliver_health(core, log, message);
		break;
	}
}
