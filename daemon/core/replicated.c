/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a log's regions, which all its followers have in common, and the only code that changes it: the
 * delivery of a message, or what the directory says of a member.
 *
 * Kinds of a region: in sync (not `out`); lost (`out`, was in sync); never (`out` alone).  Never is not returned to while any
 * follower lives.
 * A message that does not fit the state is a peer's mistake, or late: it is dropped.  Who has no state yet keeps what comes behind
 * the point of its snapshot (catch_up.c) and applies it here afterwards.
 */

#include "core_private.h"
#include "plant.h"
#include "words_codec.h"

/* ---- losses ---- */

static void lose(struct log *log, uint64_t region, bool reported)
{
	if (bitmap_test(&log->replicated.claimed, region))
		windows_spoil(log, region);
	if (!bitmap_set(&log->replicated.out, region))
		(void)bitmap_set(&log->replicated.lost, region);
	(void)bitmap_set(&log->undurable, region);
	if (reported)
		(void)bitmap_set(&log->replicated.reported, region);
	if (!PLANTED(PLANT_GAIN_KEPT)) {
		(void)bitmap_clear(&log->gained, region);
		(void)bitmap_clear(&log->gaining, region);
	}
	if (base_is_ours(log))
		image_clear(&log->base, DISK_BITMAP_OFFSET_BYTES, region);
}

void state_lose(struct log *log, uint64_t region)
{
	lose(log, region, false);
}

static void lose_words(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	struct log *log = context;

	for (uint64_t w = first_word; word != 0 && w < first_word + count; w++)
		for (uint64_t bits = word; bits != 0; bits &= bits - 1) {
			uint64_t region = w * 64 + (uint64_t)__builtin_ctzll(bits);

			if (region < log->region_count)
				lose(log, region, false);
		}
}

static void deliver_lost(struct core *core, struct log *log, const struct group_message *message,
			 uint64_t reporter)
{
	bool news = false;

	for (uint32_t i = 0; i < message->region_count; i++) {
		if (message->regions[i] >= log->region_count)
			continue;
		news = news || !bitmap_test(&log->replicated.reported, message->regions[i]);
		lose(log, message->regions[i], message->reported);
	}
	if (message->data_bytes > 0)
		(void)words_decode(message->data, message->data_bytes,
				   (log->region_count + 63) / 64, lose_words, log);
	for (uint32_t i = 0; message->reported && i < CORE_NODES_MAX; i++)
		if ((reporter >> i) & 1)
			log->replicated.reporter[i] = message->luid;
	log->replicated.losses++;
	log->copier.announced = false;
	if (message->sender == core->config.node_id)
		loss_delivered(core, log, message, news);
}

static void deliver_durable(struct log *log, const struct group_message *message)
{
	if (message->number <= log->replicated.durable || message->number > log->replicated.losses)
		return;
	log->replicated.durable = message->number;
	if (message->number == log->replicated.losses)
		bitmap_clear_all(&log->undurable);
}

static void reporter_forget(struct log *log, uint32_t member)
{
	if (log->replicated.reporter[member] == 0)
		return;
	log->replicated.reporter[member] = 0;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (log->replicated.reporter[i] != 0)
			return;
	bitmap_clear_all(&log->replicated.reported);
}

/* ---- messages ---- */

/* Bit of the sender among the members; for claims, of all who must answer: the directory knows it now, and may have
 * changed when a message that was kept is applied. */
static uint64_t members_of(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	const struct member *member = entry == NULL ? NULL : member_find(entry, message->sender);

	if (member == NULL)
		return 0;
	if (message->type == MESSAGE_CLAIM)
		return window_answerers(core, message);
	return UINT64_C(1) << (member - entry->member);
}

void state_apply(struct core *core, struct log *log, const struct group_message *message,
		 uint64_t members)
{
	switch (message->type) {
	case MESSAGE_LOST:
		deliver_lost(core, log, message, members);
		break;
	case MESSAGE_DURABLE:
		deliver_durable(log, message);
		break;
	case MESSAGE_CLAIM:
		window_claimed(core, log, message, members);
		break;
	case MESSAGE_CLAIM_ANSWER:
		window_answered(core, log, message, members);
		break;
	case MESSAGE_SYNCED:
		window_synced(log, message);
		break;
	case MESSAGE_RETURN:
		window_returned(log, message);
		break;
	case MESSAGE_VOID:
		window_voided(log, message);
		break;
	case MESSAGE_HOLD:
		core_hold_deliver(log, message, members);
		break;
	case MESSAGE_RELEASE:
		core_hold_release(log, message, members);
		break;
	default:
		break;
	}
}

void state_deliver(struct core *core, const struct group_message *message)
{
	struct log *log = log_find(core, &message->log);
	uint64_t members = members_of(core, message);

	if (log == NULL || members == 0) {
		if (log != NULL && message->type == MESSAGE_CLAIM)
			copying_claimed(core, log, message, false);
		return;
	}
	if (message->type == MESSAGE_CONFIRM) {
		core_hold_confirmed(core, log, message, members);
		return;
	}
	if (log->has_state)
		state_apply(core, log, message, members);
	else if (log->importing)
		catch_up_keep(&log->catch_up, message, members);
	if (message->type == MESSAGE_CLAIM)
		window_answer(core, log, message, members);
	if (message->type != MESSAGE_HOLD)
		return;
	core_hold_confirm(core, log, message);
	if (log->type == LOG_TYPE_DISK && log->has_state)
		proxy_asked(core, log, message, members);
}

/* ---- what the directory says of a member ---- */

void state_member_apply(struct core *core, struct log *log, enum member_news news, uint32_t member,
			uint32_t node_id)
{
	switch (news) {
	case MEMBER_DEPARTED:
		windows_of_departed(core, log, member, node_id);
		break;
	case MEMBER_STOPPED:
		core_hold_lose(log, member);
		break;
	case MEMBER_LEFT:
		windows_of_claimer(log, node_id);
		windows_need_not(core, log, member);
		core_hold_forget(log, member);
		break;
	case MEMBER_COPIES_NOT:
		windows_of_claimer(log, node_id);
		break;
	case MEMBER_GONE:
		windows_need_not(core, log, member);
		core_hold_forget(log, member);
		reporter_forget(log, member);
		break;
	case MEMBER_NEW_LUID:
		reporter_forget(log, member);
		break;
	case MEMBER_UNKNOWN:
		if (log->type == LOG_TYPE_CORE)
			bitmap_set_all(&log->replicated.holds[member]);
		break;
	case MEMBER_MOVED:
		/* node_id: its next place */
		log->replicated.reporter[node_id] = log->replicated.reporter[member];
		log->replicated.reporter[member] = 0;
		break;
	}
}

static void member_news_of(struct core *core, struct entry *entry, enum member_news news,
			   uint32_t member, uint32_t node_id)
{
	struct log *log = log_find(core, &entry->name);

	if (log == NULL)
		return;
	/* Who opens makes the state, out of what it knew before. */
	if (log->has_state || (log->phase == LOG_OPENING && log->entering == ENTER_NONE))
		state_member_apply(core, log, news, member, node_id);
	else if (log->importing)
		catch_up_keep_news(&log->catch_up, news, member, node_id);
}

static void member_news(struct core *core, struct entry *entry, enum member_news news,
			uint32_t member)
{
	member_news_of(core, entry, news, member, entry->member[member].node_id);
}

void state_member_moved(struct core *core, struct entry *entry, uint32_t from, uint32_t to)
{
	member_news_of(core, entry, MEMBER_MOVED, from, to);
}

void state_departed(struct core *core, struct entry *entry, uint32_t member)
{
	struct log *log = log_find(core, &entry->name);

	member_news(core, entry, MEMBER_DEPARTED, member);
	if (log != NULL)
		core_hold_need_not(log, member);
	if (log != NULL)
		copying_without_member(log);
	/* Ourselves: the group was lost, and with it the right to say what holds. */
	if (log != NULL && entry->member[member].node_id == core->config.node_id)
		membership_lost(core, log);
}

void state_member_unknown(struct core *core, struct entry *entry, uint32_t member)
{
	member_news(core, entry, MEMBER_UNKNOWN, member);
}

void state_member_stopped(struct core *core, struct entry *entry, uint32_t member)
{
	member_news(core, entry, MEMBER_STOPPED, member);
}

void state_copies_not(struct core *core, struct entry *entry, uint32_t member)
{
	member_news(core, entry, MEMBER_COPIES_NOT, member);
}

void state_member_gone(struct core *core, struct entry *entry, uint32_t member)
{
	struct log *log = log_find(core, &entry->name);

	member_news(core, entry, MEMBER_GONE, member);
	if (log != NULL)
		core_hold_need_not(log, member);
}

void state_joined(struct core *core, struct entry *entry, struct member *member,
		  const struct group_message *message)
{
	uint32_t index = (uint32_t)(member - entry->member);

	member_news(core, entry, MEMBER_COPIES_NOT, index);
	if (message->fresh || member->luid != message->luid)
		member_news(core, entry, MEMBER_NEW_LUID, index);
	member->luid = message->luid;
	if (message->everything)
		member_news(core, entry, MEMBER_UNKNOWN, index);
	if (member->node_id == core->config.node_id)
		membership_joined(core, message);
}

void state_left(struct core *core, struct entry *entry, struct member *member,
		const struct group_message *message)
{
	struct log *log = log_find(core, &entry->name);

	member_news(core, entry, MEMBER_LEFT, (uint32_t)(member - entry->member));
	if (log != NULL && member->node_id == core->config.node_id)
		closing_left(core, log, message);
}

void state_opened(struct core *core, struct entry *entry, const struct group_message *message)
{
	struct log *log = log_find(core, &entry->name);

	if (log == NULL || member_find(entry, core->config.node_id) == NULL)
		return;
	if (log->type == LOG_TYPE_DISK)
		log->reclaiming =
			false; /* the device has been read, and knows better than what was given up */
	if (message->sender == core->config.node_id) {
		log->has_state = true;
		log->importing = false;
		opening_delivered(core, log);
	} else {
		membership_lost(core, log);
	}
}

/* It is opened once more: nobody has a state until then. */
void state_opening_failed(struct core *core, struct entry *entry, uint32_t founder)
{
	struct log *log = log_find(core, &entry->name);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (founder == 0)
			entry->member[i].has_state = false;
	if (log != NULL && (founder == 0 || founder == core->config.node_id))
		membership_lost(core, log);
}

bool replicated_legs_failed(const struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed &&
		    entry->member[i].legs_failed)
			return true;
	return false;
}
