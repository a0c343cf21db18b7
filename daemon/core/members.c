/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of a log, and what follows from them alone: its phase, who has which role, who lacks the state.
 *
 * Everything here is a function of the directory, so that all members come to the same; entry_settle() is called behind each
 * change.  The phases are in directory.c.
 *
 * The oldest member with the state sends it to those who lack it.  The disk role goes to the oldest that uses the log when
 * nobody has it, and does not move to a joiner (F16).  A slot is allotted to whoever uses the log and has none; those of the
 * departed stay taken until they have been merged.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

const struct entry *entry_look(const struct core *core, const struct log_name *name)
{
	for (uint32_t i = 0; i < core->group.entries_end; i++)
		if (core->group.entry[i].used && log_name_same(&core->group.entry[i].name, name))
			return &core->group.entry[i];
	return NULL;
}

struct entry *entry_find(struct core *core, const struct log_name *name)
{
	return (struct entry *)entry_look(core, name);
}

struct entry *entry_make(struct core *core, const struct log_name *name)
{
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++) {
		struct entry *entry = &core->group.entry[i];

		if (entry->used)
			continue;
		*entry = (struct entry){ .used = true, .name = *name };
		if (i >= core->group.entries_end)
			core->group.entries_end = i + 1;
		return entry;
	}
	return NULL;
}

/* The member of this node that is in the group now. */
struct member *member_find(struct entry *entry, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id == node_id && !entry->member[i].departed)
			return &entry->member[i];
	return NULL;
}

/* Of that boot, departed and not proven stopped, or else only with a slot to be merged. */
struct member *member_departed(struct entry *entry, uint32_t node_id, const uint8_t *boot_id)
{
	struct member *found = NULL;

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id == node_id && member->departed &&
		    memcmp(member->boot_id, boot_id, MESSAGE_ID_BYTES) == 0 &&
		    (found == NULL || !member->to_merge))
			found = member;
	}
	return found;
}

struct member *member_own(struct core *core, struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);

	return entry == NULL ? NULL : member_find(entry, core->config.node_id);
}

bool member_uses(const struct member *member)
{
	return member->node_id != 0 && !member->departed &&
	       (member->use == MEMBER_RESUMED || member->use == MEMBER_LEAVING);
}

/* Nobody knows whether it still writes. */
bool member_unproven(const struct member *member)
{
	return member->node_id != 0 && member->departed && !member->to_merge;
}

bool entry_departed(const struct entry *entry)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (member_unproven(&entry->member[i]))
			return true;
	return false;
}

bool entry_unproven(const struct entry *entry)
{
	return entry->outdated || entry_departed(entry);
}

bool entry_lived(const struct entry *entry)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && entry->member[i].live)
			return true;
	return false;
}

static struct member *oldest_of(struct entry *entry, bool with_state, bool using)
{
	struct member *oldest = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id == 0 || member->departed ||
		    (with_state && !member->has_state) || (using && !member_uses(member)))
			continue;
		if (oldest == NULL || member->seniority < oldest->seniority)
			oldest = member;
	}
	return oldest;
}

/* Header, superblock, base and the slots of the dead are written by one member only. */
struct member *entry_disk_role(struct entry *entry)
{
	return entry->role == 0 ? NULL : member_find(entry, entry->role);
}

/* Who joins while the log is closed waits until it has been. */
static bool may_have_role(const struct entry *entry, const struct member *member)
{
	if (entry->phase == LOG_CLOSING && member->use == MEMBER_RESUMED)
		return false;
	return (member_uses(member) || (PLANTED(PLANT_ROLE_SUSPENDED) && member->node_id != 0 &&
					!member->departed && member->use == MEMBER_FOLLOWS)) &&
	       member->has_state && !member->device_failed;
}

/* The role stays where it is, with who opened the log at first, until that member cannot have it any more (F16). */
static void settle_role(struct entry *entry)
{
	const struct member *role = entry_disk_role(entry);
	bool open = entry->phase == LOG_OPEN || entry->phase == LOG_CLOSING;
	uint32_t before = entry->role;

	if (open && role != NULL && may_have_role(entry, role) && !PLANTED(PLANT_ROLE_MOVES))
		return;
	entry->role = 0;
	role = NULL;
	for (uint32_t i = 0; open && i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		if (may_have_role(entry, member) &&
		    (role == NULL || member->seniority < role->seniority))
			role = member;
	}
	if (role != NULL)
		entry->role = role->node_id;
	if (entry->role != before)
		entry->base_settled = false;
}

struct member *member_make(struct core *core, struct entry *entry, uint32_t node_id)
{
	const struct group_node *node = group_node_find(core, node_id);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id != 0)
			continue;
		*member = (struct member){ .node_id = node_id, .slot = NO_SLOT };
		memcpy(member->boot_id, node->boot_id, MESSAGE_ID_BYTES);
		member->seniority = core->group.seniority++;
		return member;
	}
	return NULL;
}

void member_remove(struct core *core, struct entry *entry, struct member *member)
{
	state_member_gone(core, entry, (uint32_t)(member - entry->member));
	*member = (struct member){ 0 };
}

static bool member_any(const struct entry *entry)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0)
			return true;
	return false;
}

/* Those who lack the state get it from the oldest who has it, as it is at this point of the order. */
static void transfer(struct core *core, struct entry *entry)
{
	const struct member *sender = oldest_of(entry, true, false);
	bool lacking = false;

	if (entry->phase != LOG_OPEN)
		return;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		lacking = lacking || (entry->member[i].node_id != 0 && !entry->member[i].departed &&
				      !entry->member[i].has_state);
	if (sender == NULL || !lacking)
		return;
	entry->transfer++;
	snapshot_begin(core, entry, sender->node_id);
}

bool entry_slots_allotted(const struct core *core, const struct entry *entry)
{
	return !entry->outdated && !sides_any_astray(core);
}

static void allot_slots(const struct core *core, struct entry *entry)
{
	bool free = entry_slots_allotted(core, entry);

	if (entry->phase != LOG_OPEN)
		return;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];
		bool taken[DISK_SLOTS_MAX] = { false };

		if (!member_uses(member))
			continue;
		/* From here on its RESUME may be answered. */
		member->live = member->live || member->has_state;
		if (member->slot != NO_SLOT || entry->name.log_type != LOG_TYPE_DISK || !free)
			continue;
		for (uint32_t m = 0; m < CORE_NODES_MAX; m++)
			if (entry->member[m].node_id != 0 && entry->member[m].slot != NO_SLOT &&
			    !PLANTED(PLANT_SLOT_SHARED))
				taken[entry->member[m].slot] = true;
		for (uint32_t s = 0; s < entry->slot_count && member->slot == NO_SLOT; s++)
			if (!taken[s])
				member->slot = s;
		member->live = member->live || member->slot != NO_SLOT;
	}
}

/* A disk log that nobody could open works without its device: FLUSH fails. */
bool entry_opening_failed(const struct entry *entry)
{
	return entry->name.log_type == LOG_TYPE_DISK && entry->slot_count == 0;
}

/* Of those who use the log and have not failed to open it the oldest. */
struct member *entry_next_founder(struct entry *entry)
{
	struct member *next = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id != 0 && !member->departed && !member->open_failed &&
		    member->use == MEMBER_RESUMED &&
		    (next == NULL || member->seniority < next->seniority))
			next = member;
	}
	return next;
}

/* Nobody is left who writes, or may write, or has left a slot behind. */
static bool all_leaving(struct entry *entry)
{
	const struct member *last = member_find(entry, entry->last_leaving);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 &&
		    (entry->member[i].departed || entry->member[i].to_merge ||
		     entry->member[i].use == MEMBER_RESUMED))
			return false;
	return last != NULL && last->use == MEMBER_LEAVING;
}

static void settle_phase(struct core *core, struct entry *entry)
{
	const struct member *founder = member_find(entry, entry->founder);
	struct member *next;

	if (entry->phase == LOG_OPENING && (founder == NULL || founder->use != MEMBER_RESUMED))
		entry->phase = LOG_CLOSED;
	if (entry->phase == LOG_OPEN && all_leaving(entry)) {
		entry->phase = LOG_CLOSING;
		entry->founder = entry->last_leaving;
		founder = member_find(entry, entry->founder);
	}
	/* It may still close the device: whoever comes waits for its end, and reads that. */
	if (entry->phase == LOG_CLOSING && founder == NULL && entry->name.log_type == LOG_TYPE_DISK)
		entry->phase = LOG_CLOSED;
	if (entry->phase == LOG_CLOSING &&
	    (founder == NULL || founder->use != MEMBER_LEAVING ||
	     (PLANTED(PLANT_FOUND_WHILE_CLOSING) && entry_next_founder(entry) != NULL)))
		/* It could not close the device: others still use it, or nobody does. */
		entry->phase = oldest_of(entry, true, true) == NULL ? LOG_CLOSED : LOG_OPEN;
	/* Without anybody who has the state, or who uses the log, the next one opens it: from the device. */
	if (entry->phase == LOG_OPEN && (oldest_of(entry, true, false) == NULL ||
					 (oldest_of(entry, false, true) == NULL &&
					  (entry->outdated || !entry_departed(entry)))))
		entry->phase = LOG_CLOSED;
	if (entry->phase != LOG_CLOSED)
		return;
	entry->outdated = false; /* it will be read from the device */
	entry->founder = 0;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		entry->member[i].open_failed = false;
	next = entry_next_founder(entry);
	if (next == NULL)
		return;
	entry->phase = LOG_OPENING;
	entry->founder = next->node_id;
	memset(entry->absent, 0, sizeof(entry->absent));
	entry->gone_sent = false;
	core->pump_all = true;
}

/* What follows from a change of the members, for all alike.  May end the entry. */
void entry_settle(struct core *core, struct entry *entry, bool state_wanted)
{
	bool was_open = entry->phase == LOG_OPEN;

	settle_phase(core, entry);
	settle_role(entry);
	allot_slots(core, entry);
	/* Who joined while it was being closed, in vain, waits for the state, too. */
	if (state_wanted || (!was_open && entry->phase == LOG_OPEN))
		transfer(core, entry);
	if (!member_any(entry)) {
		entry->used = false;
		while (core->group.entries_end > 0 &&
		       !core->group.entry[core->group.entries_end - 1].used)
			core->group.entries_end--;
	}
	core->pump_all = true;
}

/* Another log with this uuid, another geometry or device, that somebody uses or may use: it must end first (F22). */
bool entry_in_the_way(struct core *core, const struct log_name *name)
{
	for (uint32_t i = 0; i < core->group.entries_end; i++) {
		const struct entry *entry = &core->group.entry[i];

		if (!entry->used || log_name_same(&entry->name, name) ||
		    PLANTED(PLANT_GEOMETRY_MIXED) || strcmp(entry->name.uuid, name->uuid) != 0)
			continue;
		if (entry->phase != LOG_CLOSED || entry_unproven(entry))
			return true;
	}
	return false;
}

/* Others use this uuid with another geometry or log device, and nothing of this node's is left there. */
bool entry_replaced(struct core *core, const struct log_name *name)
{
	const struct group_node *me = group_node_find(core, core->config.node_id);

	for (uint32_t i = 0; core->local.active && i < core->group.entries_end; i++) {
		struct entry *entry = &core->group.entry[i];

		if (entry->used && !log_name_same(&entry->name, name) &&
		    strcmp(entry->name.uuid, name->uuid) == 0 && entry->phase == LOG_OPEN &&
		    member_find(entry, me->node_id) == NULL &&
		    member_departed(entry, me->node_id, me->boot_id) == NULL)
			return true;
	}
	return false;
}

bool entry_absent(const struct entry *entry, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->absent[i] == node_id)
			return true;
	return false;
}

void entry_add_absent(struct entry *entry, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		if (entry->absent[i] == node_id)
			return;
		if (entry->absent[i] == 0) {
			entry->absent[i] = node_id;
			return;
		}
	}
}
