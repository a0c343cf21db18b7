/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows: sets of regions that one member may copy, and nobody may begin to hold.
 *
 *   CLAIM delivered --answers of all who resumed the log--> granted, without what was refused --SYNCED or RETURN--> gone
 *
 * A claim is answered when it is delivered, from this node's own marks, and never waits for a CLEAR: what is marked is refused,
 * idle holds are let go, in the rest no hold begins until the region leaves the window.  A window that a departure has touched
 * is void or gives nothing: what was copied there does not count.
 *
 * Called at the place of a message, or of a departure, in the order only.
 */

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

static struct window *window_free(struct log *log)
{
	for (uint32_t i = 0; i < WINDOWS_MAX; i++)
		if (!log->replicated.windows[i].used)
			return &log->replicated.windows[i];
	return NULL;
}

static void leave_masked(struct log *log, struct window *window, uint64_t mask)
{
	for (uint32_t i = 0; i < window->region_count; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (!(window->inside & mask & bit))
			continue;
		window->inside &= ~bit;
		window->locked &= ~bit;
		(void)bitmap_clear(&log->windowed, window->regions[i]);
		(void)bitmap_clear(&log->replicated.claimed, window->regions[i]);
	}
	if (window->inside == 0 && window->used) {
		window->used = false;
		log->replicated.windows_used--;
	}
}

void windows_spoil(struct log *log, uint64_t region)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		struct window *window = &log->replicated.windows[w];

		for (uint32_t i = 0; window->used && i < window->region_count; i++)
			if (window->regions[i] == region && ((window->inside >> i) & 1))
				window->spoiled |= UINT64_C(1) << i;
	}
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
		/* A copy of a window that was lost with the state may still fly. */
		if ((hold_refuses(log, region) && !PLANTED(PLANT_COPY_MARKED)) ||
		    (copying_flies(log, region) && !PLANTED(PLANT_VOID_ENDS))) {
			answer.mask |= UINT64_C(1) << i;
		} else {
			if (!bitmap_test(&log->marked, region))
				hold_let_go(log, region);
			(void)bitmap_set(&log->windowed, region);
		}
	}
	multicast(core, log, &answer);
}

/* Who must answer a claim that is delivered now; 0: it is not taken. */
uint64_t window_answerers(struct core *core, const struct group_message *claim)
{
	struct entry *entry = entry_find(core, &claim->log);
	const struct member *claimer = entry == NULL ? NULL : member_find(entry, claim->sender);
	uint64_t mask = 0;

	/* While nobody knows whether a departed member writes, nothing is copied, nor while another side may have gone on: that
	 * one may write as soon as it is back, where its past counts; nor in a log that nobody could open: the next
	 * who joins opens it, whatever is under way then. */
	if (claimer == NULL || claimer->use != MEMBER_RESUMED || entry->phase != LOG_OPEN ||
	    (entry_opening_failed(entry) && !PLANTED(PLANT_COPY_UNOPENED)) ||
	    ((entry_unproven(entry) || sides_any_astray(core)) && !PLANTED(PLANT_COPY_UNPROVEN)))
		return 0;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed &&
		    entry->member[i].use == MEMBER_RESUMED)
			mask |= UINT64_C(1) << i;
	return mask;
}

void window_claimed(struct core *core, struct log *log, const struct group_message *message,
		    uint64_t unanswered)
{
	struct window *window = window_free(log);

	if (message->region_count == 0 || window == NULL || unanswered == 0) {
		copying_claimed(core, log, message, false);
		return;
	}
	*window = (struct window){ .claimer = message->sender,
				   .number = message->window,
				   .region_count = message->region_count,
				   .unanswered = unanswered };
	for (uint32_t i = 0; i < message->region_count; i++) {
		window->regions[i] = message->regions[i];
		if (!claimable(log, message->regions[i]))
			continue;
		window->inside |= UINT64_C(1) << i;
		(void)bitmap_set(&log->replicated.claimed, message->regions[i]);
	}
	window->locked = window->inside;
	window->used = window->inside != 0;
	if (window->used)
		log->replicated.windows_used++;
	copying_claimed(core, log, message, window->used);
}

/* A claim is answered when it is delivered, even by who has no state yet: from its own marks. */
void window_answer(struct core *core, struct log *log, const struct group_message *message,
		   uint64_t unanswered)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *me = member_find(entry, core->config.node_id);
	struct window claimed = { .claimer = message->sender,
				  .number = message->window,
				  .region_count = message->region_count };
	const struct window *window = window_find(log, message->sender, message->window);

	if (me == NULL)
		return;
	if (!((unanswered >> (me - entry->member)) & 1)) {
		/* Not asked, since it holds nothing; nor will it there, should it resume while the window lasts. */
		for (uint32_t i = 0; window != NULL && i < window->region_count; i++)
			if (((window->inside >> i) & 1) && !PLANTED(PLANT_WINDOW_FORGOTTEN))
				(void)bitmap_set(&log->windowed, window->regions[i]);
		return;
	}
	if (log->has_state) {
		if (window != NULL)
			answer_claim(core, log, window);
		return;
	}
	for (uint32_t i = 0; i < message->region_count; i++) {
		claimed.regions[i] = message->regions[i];
		if (message->regions[i] < log->region_count && !PLANTED(PLANT_JOINER_AGREES))
			claimed.inside |= UINT64_C(1) << i;
	}
	answer_claim(core, log, &claimed);
}

static void grant_if_answered(struct core *core, struct log *log, struct window *window)
{
	if (window->unanswered != 0 || window->granted)
		return;
	window->granted = true;
	if (window->claimer == core->config.node_id)
		copying_granted(core, log, window);
	leave_masked(log, window, window->refused);
}

void window_answered(struct core *core, struct log *log, const struct group_message *message,
		     uint64_t answerer)
{
	struct window *window = window_find(log, message->claimer, message->window);

	if (window == NULL || window->granted || (window->unanswered & answerer) == 0)
		return;
	window->unanswered &= ~answerer;
	window->refused |= message->mask;
	grant_if_answered(core, log, window);
}

void window_synced(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window == NULL || !window->granted)
		return;
	for (uint32_t i = 0; i < window->region_count; i++) {
		uint64_t region = window->regions[i];

		if (!((window->locked & message->mask &
		       (PLANTED(PLANT_SPOILED_COUNTS) ? UINT64_MAX : ~window->spoiled)) >>
			      i &
		      1))
			continue;
		(void)bitmap_clear(&log->replicated.out, region);
		(void)bitmap_clear(&log->replicated.lost, region);
		if (log->type == LOG_TYPE_DISK && base_is_ours(log))
			(void)bitmap_set(&log->gained, region);
	}
	leave_masked(log, window, message->mask);
}

void window_returned(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window != NULL)
		leave_masked(log, window, message->mask);
}

void window_voided(struct log *log, const struct group_message *message)
{
	struct window *window = window_find(log, message->sender, message->window);

	if (window == NULL)
		return;
	for (uint32_t i = 0; i < window->region_count; i++)
		if ((window->locked & message->mask) >> i & 1)
			(void)bitmap_clear(&log->windowed, window->regions[i]);
	window->locked &= ~message->mask;
	if (PLANTED(PLANT_VOID_ENDS))
		leave_masked(log, window, message->mask);
}

void windows_of_departed(struct core *core, struct log *log, uint32_t member, uint32_t node_id)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		struct window *window = &log->replicated.windows[w];

		if (!window->used)
			continue;
		/* What it claimed is void, what it has not answered is given back.  What it has answered runs on, but does
		 * not count: in its own view of the group that window may be void, and it may write there. */
		if ((window->claimer == node_id && !PLANTED(PLANT_CLAIMER_KEPT)) ||
		    ((window->unanswered >> member) & 1)) {
			if (window->claimer == core->config.node_id)
				copying_given_back(core, log, window);
			leave_masked(log, window, UINT64_MAX);
		} else {
			window->spoiled = UINT64_MAX;
		}
	}
}

/*
 * What is locked, out of the state that has been read and caught up with: of what this node has granted to claims meanwhile
 * only what became windows; and also where the end of an earlier window, applied late, has unlocked a later one's region.
 */
void windows_lock(struct log *log)
{
	bitmap_clear_all(&log->windowed);
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		const struct window *window = &log->replicated.windows[w];

		for (uint32_t i = 0; window->used && i < window->region_count; i++)
			if ((window->locked >> i) & 1)
				(void)bitmap_set(&log->windowed, window->regions[i]);
	}
}

void windows_of_claimer(struct log *log, uint32_t node_id)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		struct window *window = &log->replicated.windows[w];

		if (window->used && window->claimer == node_id)
			leave_masked(log, window, UINT64_MAX);
	}
}

void windows_need_not(struct core *core, struct log *log, uint32_t member)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		struct window *window = &log->replicated.windows[w];

		if (!window->used || !((window->unanswered >> member) & 1))
			continue;
		window->unanswered &= ~(UINT64_C(1) << member);
		grant_if_answered(core, log, window);
	}
}
