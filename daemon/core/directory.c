/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory: which log is used by whom.  Every member of the group has it, and all change it alike: by delivered messages
 * and views only.  What concerns the regions goes on to the log's followers (state_*()).
 *
 * Phases of a log, by what another node, or the one that opens, closes, or is the last to use it does:
 *
 *              | JOIN of another | OPENED | LEAVING | LEAVE      | UNFOLLOW | view: left | renewal (sides.c)
 *   CLOSED     | OPENING         | -      | -       | -          | ends (2) | ends (2)   | -
 *   OPENING    | -               | OPEN   | CLOSED  | CLOSED     | ends (2) | CLOSED (1) | -
 *   OPEN       | - (3)           | -      | CLOSING | CLOSED     | CLOSED   | CLOSED (1) | CLOSED
 *   CLOSING    | -               | -      | -       | CLOSED (4) | CLOSED   | CLOSED (1) | -
 *
 *   CLOSED with somebody waiting is OPENING at once, by the oldest who waits.  OPEN without any member that has the
 *   state is CLOSED.  (1) it may still use, or close, the device: what comes next waits until it is proven to be stopped.  A core log goes
 *   on, OPEN, where others have the state.  (2) when nobody else follows it.  (3) it fetches the state.  (4) OPEN when the
 *   device could not be closed and others use it.  tests/check_core_log_life.c has every cell.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

/* ---- messages ---- */

static void deliver_join(struct core *core, const struct group_message *message)
{
	const struct group_node *node = group_node_find(core, message->sender);
	struct entry *entry = entry_find(core, &message->log);
	struct member *member = NULL;
	bool had_state;

	if (entry_in_the_way(core, &message->log) ||
	    (entry != NULL && entry->renewals != message->number)) {
		membership_join_refused(core, message);
		return;
	}
	if (entry == NULL)
		entry = entry_make(core, &message->log);
	if (entry != NULL)
		member = member_find(entry, message->sender);
	if (entry != NULL && member == NULL) {
		member = member_departed(entry, message->sender, node->boot_id);
		if (member != NULL && member->to_merge)
			member = NULL; /* it counts as stopped there: that slot is taken over */
		if (member != NULL) {
			member->departed = false;
			member->unwatched = false;
			member->has_state = false;
		}
	}
	if (entry != NULL && member == NULL)
		member = member_make(core, entry, message->sender);
	if (member == NULL) {
		membership_join_refused(core, message);
		return;
	}
	if (message->stateless)
		member->has_state = false;
	had_state = member->has_state;
	if (member->use == MEMBER_RESUMED && had_state && member->luid == message->luid)
		return; /* it comes twice */
	/* The youngest of those who use the log: a role that another one has does not move to it (F16). */
	member->seniority = core->group.seniority++;
	member->use = MEMBER_RESUMED;
	member->live = member->live || !message->fresh;
	member->legs_failed = false;
	member->device_failed = false;
	state_joined(core, entry, member, message);
	if (entry->phase == LOG_OPEN && (entry_opening_failed(entry) || message->closed)) {
		/* Whoever comes tries again to open it. */
		entry->phase = LOG_OPENING;
		entry->founder = member->node_id;
		memset(entry->absent, 0, sizeof(entry->absent));
		state_opening_failed(core, entry, 0);
	}
	entry_settle(core, entry, !had_state);
}

static void deliver_opened(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct member *founder;

	if (entry == NULL || entry->phase != LOG_OPENING || entry->founder != message->sender)
		return;
	if (opened_take(core, entry, message) < 0)
		return;
	if (entry_opening_failed(entry)) {
		member_find(entry, message->sender)->open_failed = true;
		if (entry_next_founder(entry) != NULL) {
			/* Perhaps the device can be used from there. */
			entry->founder = entry_next_founder(entry)->node_id;
			state_opening_failed(core, entry, message->sender);
			core->pump_all = true;
			return;
		}
	}
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		entry->member[i].open_failed = false;
	entry->phase = LOG_OPEN;
	entry->founder = 0;
	entry->generation = message->number;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		entry->member[i].has_state = false;
		entry->member[i].device_failed = false; /* each enters anew, and says so again */
	}
	founder = member_find(entry, message->sender);
	founder->has_state = true;
	founder->live = true;
	state_opened(core, entry, message);
	entry_settle(core, entry, true);
	entry->base_settled = true; /* it has just written it */
}

/* The last member that says so closes the log, if nobody is left who may write. */
static void deliver_leaving(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct member *member = entry == NULL ? NULL : member_find(entry, message->sender);
	if (member == NULL || member->use != MEMBER_RESUMED)
		return;
	member->use = MEMBER_LEAVING;
	entry->last_leaving = message->sender;
	entry_settle(core, entry, false);
}

/* It could not free its slot: that one stays, to be taken over, and the member goes on without. */
static struct member *leave_slot(struct core *core, struct entry *entry, struct member *member)
{
	struct member *next = member_make(core, entry, member->node_id);

	if (next != NULL) {
		next->use = MEMBER_FOLLOWS;
		next->has_state = member->has_state;
		next->luid = member->luid;
		state_member_moved(core, entry, (uint32_t)(member - entry->member),
				   (uint32_t)(next - entry->member));
	} else {
		next = member;
	}
	member->departed = true;
	member->to_merge = true;
	return next;
}

static void deliver_leave(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct member *member = entry == NULL ? NULL : member_find(entry, message->sender);

	if (member == NULL || member->use == MEMBER_FOLLOWS)
		return;
	member->use = MEMBER_FOLLOWS;
	member->live = false;
	if (!message->slot_freed && member->slot != NO_SLOT && !PLANTED(PLANT_OWN_SLOT_CLEARED))
		member = leave_slot(core, entry, member);
	member->slot = NO_SLOT;
	if (message->closed && entry->phase == LOG_CLOSING && entry->founder == message->sender)
		entry->phase = LOG_CLOSED;
	state_left(core, entry, member, message);
	entry_settle(core, entry, false);
}

/* Proof, one way or another, that this boot of the node no longer writes to this log. */
static void member_proven(struct core *core, struct entry *entry, struct member *member)
{
	if (!member_unproven(member))
		return;
	if (member->unwatched)
		state_member_unknown(core, entry, (uint32_t)(member - entry->member));
	state_member_stopped(core, entry, (uint32_t)(member - entry->member));
	if (member->slot == NO_SLOT)
		member_remove(core, entry, member);
	else
		member->to_merge = true;
	entry_settle(core, entry, false);
}

static void deliver_gone(struct core *core, const struct group_message *message)
{
	const struct group_node *node = group_node_find(core, message->sender);
	struct entry *entry = entry_find(core, &message->log);
	struct member *member;

	if (entry == NULL)
		return;
	if (message->sender == core->config.node_id)
		entry->gone_sent = false;
	if (message->sender == core->config.node_id)
		membership_gone_delivered(core, &message->log);
	core->pump_all = true;
	member = member_find(entry, message->sender);
	if (member != NULL && member->use == MEMBER_FOLLOWS) {
		member_remove(core, entry, member);
		entry_settle(core, entry, true);
		return;
	}
	if (member != NULL) {
		/* Its table went while it could not say so. */
		state_copies_not(core, entry, (uint32_t)(member - entry->member));
		member->departed = true;
	} else {
		member = member_departed(entry, message->sender, node->boot_id);
	}
	if (member != NULL)
		member_proven(core, entry, member);
	else if (entry->phase == LOG_OPENING && message->type == MESSAGE_GONE)
		entry_add_absent(entry, message->sender);
}

static void deliver_merged(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct log *log = log_find(core, &message->log);

	if (log != NULL && message->sender == core->config.node_id)
		log->takeover.merged_sent = false;
	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id != message->node || !member->to_merge ||
		    member->slot != message->number)
			continue;
		member->slot = NO_SLOT;
		member->to_merge = false;
		if (member->departed)
			member_remove(core, entry, member);
		entry_settle(core, entry, false);
		return;
	}
}

static void deliver_snapshot(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);

	if (entry == NULL || (message->number != entry->transfer && !PLANTED(PLANT_SNAPSHOT_ANY)))
		return;
	snapshot_take(core, entry, message);
	if (!message->last)
		return;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && !entry->member[i].departed)
			entry->member[i].has_state = true;
	snapshot_taken(core, entry);
	entry_settle(core, entry, false);
}

static void deliver_health(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct member *member = entry == NULL ? NULL : member_find(entry, message->sender);

	if (member != NULL)
		member->legs_failed = message->legs_failed;
	if (member != NULL)
		member->device_failed = message->device_failed;
	if (member != NULL && message->flush_failed && log_find(core, &message->log) != NULL)
		health_flush_failed(core, log_find(core, &message->log));
	if (message->sender == core->config.node_id)
		health_delivered(core, message);
	if (entry != NULL)
		entry_settle(core, entry, false);
}

/* Who has the role says so once it has settled the base, and again behind losses. */
static void deliver_durable(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);

	if (entry != NULL && entry->role == message->sender) {
		entry->base_settled = true;
		core->pump_all = true;
	}
	state_deliver(core, message);
}

static void deliver_control(struct core *core, const struct group_message *message)
{
	struct entry *entry = entry_find(core, &message->log);
	struct log *log = log_find(core, &message->log);

	if (entry == NULL ||
	    (entry->paused == message->paused && entry->bytes_per_second == message->number))
		return; /* what is claimed already has that pace */
	entry->paused = message->paused;
	entry->bytes_per_second = message->number;
	if (log != NULL)
		copying_control(log);
	core->pump_all = true;
}

void directory_deliver(struct core *core, const struct group_message *message)
{
	switch (message->type) {
	case MESSAGE_JOIN:
		deliver_join(core, message);
		break;
	case MESSAGE_OPENED:
		deliver_opened(core, message);
		break;
	case MESSAGE_LEAVING:
		deliver_leaving(core, message);
		break;
	case MESSAGE_LEAVE:
		deliver_leave(core, message);
		break;
	case MESSAGE_UNFOLLOW: /* the same, but for who was suspended without the group: GONE */
	case MESSAGE_GONE:
		deliver_gone(core, message);
		break;
	case MESSAGE_MERGED:
		deliver_merged(core, message);
		break;
	case MESSAGE_SNAPSHOT:
		deliver_snapshot(core, message);
		break;
	case MESSAGE_HEALTH:
		deliver_health(core, message);
		break;
	case MESSAGE_CONTROL:
		deliver_control(core, message);
		break;
	case MESSAGE_DURABLE:
		deliver_durable(core, message);
		break;
	case MESSAGE_LOST:
	case MESSAGE_CLAIM:
	case MESSAGE_CLAIM_ANSWER:
	case MESSAGE_SYNCED:
	case MESSAGE_RETURN:
	case MESSAGE_VOID:
	case MESSAGE_HOLD:
	case MESSAGE_CONFIRM:
	case MESSAGE_RELEASE:
		state_deliver(core, message);
		break;
	case MESSAGE_HELLO:
	case MESSAGE_EPOCH:
	case MESSAGE_DIRECTORY:
	case MESSAGE_STOPPED:
	case MESSAGE_CALL:
	case MESSAGE_ENTER:
	case MESSAGE_HEARD:
	case MESSAGE_TYPES:
		break; /* group.c */
	}
}

/* ---- views and proof ---- */

/* Who opens a log may have done so: its OPENED comes back to it first. */
static bool may_write(const struct entry *entry, const struct member *member)
{
	bool opens = entry->phase == LOG_OPENING && entry->founder == member->node_id;

	return member->use != MEMBER_FOLLOWS && (member->live || opens);
}

void entry_left(struct core *core, struct entry *entry, struct member *member)
{
	state_departed(core, entry, (uint32_t)(member - entry->member));
	member->has_state = false;
	if (!may_write(entry, member)) {
		member_remove(core, entry, member);
		return;
	}
	member->departed = true;
	member->unwatched = true;
	if (PLANTED(PLANT_DEPARTURE_PROVES))
		member_proven(core, entry, member);
}

void directory_left(struct core *core, uint32_t node_id)
{
	for (uint32_t e = 0; e < core->group.entries_end; e++) {
		struct entry *entry = &core->group.entry[e];
		struct member *member = entry->used ? member_find(entry, node_id) : NULL;

		if (member == NULL)
			continue;
		entry_left(core, entry, member);
		entry_settle(core, entry, true);
	}
}

void directory_watched(struct core *core)
{
	for (uint32_t e = 0; e < core->group.entries_end; e++)
		for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
			struct member *member = &core->group.entry[e].member[i];
			const struct group_node *node = group_node_find(core, member->node_id);

			if (node == NULL || !node->astray)
				member->unwatched = false;
		}
}

void directory_proven(struct core *core, uint32_t node_id, const uint8_t *boot_id, bool alive)
{
	static const uint8_t any[MESSAGE_ID_BYTES];

	for (uint32_t e = 0; e < core->group.entries_end; e++) {
		struct entry *entry = &core->group.entry[e];

		for (uint32_t i = 0; entry->used && i < CORE_NODES_MAX; i++) {
			struct member *member = &entry->member[i];
			bool same = memcmp(member->boot_id, boot_id, MESSAGE_ID_BYTES) == 0 ||
				    memcmp(boot_id, any, MESSAGE_ID_BYTES) == 0;

			/* A hello of another boot proves that this one has ended (F6). */
			if (member->node_id != node_id || !member->departed || same == alive)
				continue;
			if (PLANTED(PLANT_REBOOT_FORGETS) && alive)
				member_remove(core, entry, member);
			else
				member_proven(core, entry, member);
		}
	}
}
