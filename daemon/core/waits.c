/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for whom: see core_status.h.  Changes nothing.
 *
 * The state is looked at as the pumps look at it, in their order: what stands in the way first is what is told.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"
#include "core_status.h"

/* What is being told, and of whom. */
struct waits {
	const struct core *core;
	const struct log *log;
	const struct entry *entry; /* of the directory, or NULL */
	struct core_wait *list;
	uint32_t count;
	struct core_wait now; /* of the waiting request: the rest of the next one */
};

static struct core_wait *add(struct waits *waits, enum core_wait_reason reason)
{
	struct core_wait *wait;

	if (waits->count == CORE_WAITS_MAX)
		return &waits->list[CORE_WAITS_MAX - 1];
	wait = &waits->list[waits->count++];
	*wait = waits->now;
	wait->reason = reason;
	wait->slot = CORE_NO_SLOT;
	return wait;
}

static void add_node(struct waits *waits, enum core_wait_reason reason, uint32_t node_id)
{
	struct core_wait *wait = add(waits, reason);

	wait->node_id = node_id;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (waits->core->group.node[i].node_id == node_id)
			memcpy(wait->boot_id, waits->core->group.node[i].boot_id, MESSAGE_ID_BYTES);
}

static void add_member(struct waits *waits, enum core_wait_reason reason,
		       const struct member *member)
{
	struct core_wait *wait = add(waits, reason);

	wait->node_id = member->node_id;
	memcpy(wait->boot_id, member->boot_id, MESSAGE_ID_BYTES);
}

/* Those of whom nobody knows whether they still write; true when there are any. */
static bool add_unproven(struct waits *waits, const struct entry *entry)
{
	bool any = false;

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++) {
		if (!member_unproven(&entry->member[i]))
			continue;
		add_member(waits, CORE_WAIT_PROOF, &entry->member[i]);
		any = true;
	}
	return any;
}

/* Those whose side may have gone on; true when there are any. */
static bool add_astray(struct waits *waits)
{
	bool any = false;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &waits->core->group.node[i];

		if (!sides_astray(waits->core, node))
			continue;
		add_node(waits, CORE_WAIT_PROOF, node->node_id);
		any = true;
	}
	return any;
}

/* What all that goes through the order waits for; true when that is it. */
static bool add_inactive(struct waits *waits)
{
	const struct core *core = waits->core;

	if (core->local.active)
		return false;
	if (core->local.refused)
		(void)add(waits, CORE_WAIT_REFUSED);
	else if (core->local.in_group && !proof_quorate(core))
		(void)add(waits, CORE_WAIT_QUORUM);
	else
		(void)add(waits, CORE_WAIT_GROUP);
	return true;
}

/* ---- RESUME ---- */

/* A log of this uuid, with another geometry or device, that somebody uses (F22). */
static bool add_other_log(struct waits *waits)
{
	const struct core *core = waits->core;
	bool any = false;

	for (uint32_t e = 0; e < core->group.entries_end; e++) {
		const struct entry *entry = &core->group.entry[e];

		if (!entry->used || log_name_same(&entry->name, &waits->log->name) ||
		    strcmp(entry->name.uuid, waits->log->name.uuid) != 0)
			continue;
		any = add_unproven(waits, entry) || any;
		for (uint32_t i = 0; entry->phase != LOG_CLOSED && i < CORE_NODES_MAX; i++) {
			if (!member_uses(&entry->member[i]))
				continue;
			add_member(waits, CORE_WAIT_OTHER_LOG, &entry->member[i]);
			any = true;
		}
	}
	return any;
}

/* The Opening that this node does. */
static void add_opening(struct waits *waits)
{
	const struct opening *opening = &waits->log->opening;
	const struct disk_slot_header *owner;
	struct core_wait *wait;
	bool foreign;

	if (heard_missing(waits->core, waits->log) != 0) {
		add_node(waits, CORE_WAIT_MEMBER, heard_missing(waits->core, waits->log));
		return;
	}
	if (opening->step == OPENING_WAIT_MEMBERS) {
		if (opening_leaver(waits->core, waits->log) != 0)
			add_node(waits, CORE_WAIT_MEMBER, opening_leaver(waits->core, waits->log));
		else if (!add_astray(waits))
			(void)add(waits, CORE_WAIT_GROUP);
		return;
	}
	if (opening->step != OPENING_WAIT_PROOF || opening->unproven >= opening->merge_count) {
		(void)add(waits, CORE_WAIT_DEVICE);
		return;
	}
	owner = &opening->owner[opening->unproven];
	foreign = strcmp(opening->old.cluster_name, waits->core->config.cluster_name) != 0 ||
		  strcmp(waits->core->config.cluster_name, "none") == 0;
	wait = add(waits, foreign ? CORE_WAIT_SLOT : CORE_WAIT_PROOF);
	wait->node_id = owner->node_id;
	memcpy(wait->boot_id, owner->boot_id, MESSAGE_ID_BYTES);
	wait->slot = opening->merge[opening->unproven];
	wait->cluster_name = opening->old.cluster_name;
}

/* Who sends the state to those who lack it. */
static void add_sender(struct waits *waits)
{
	const struct member *sender = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &waits->entry->member[i];

		if (member->node_id != 0 && !member->departed && member->has_state &&
		    (sender == NULL || member->seniority < sender->seniority))
			sender = member;
	}
	if (sender != NULL)
		add_member(waits, CORE_WAIT_MEMBER, sender);
	else
		(void)add(waits, CORE_WAIT_GROUP);
}

/* Its JOIN has not gone out: something on this node, or a use of before, must end first. */
static void add_unjoined(struct waits *waits, const struct table *table)
{
	const struct core *core = waits->core;

	if (add_other_log(waits))
		return;
	for (uint32_t i = 0; i < core->tables_end; i++) {
		const struct table *other = &core->tables[i];

		if (!other->used || other == table || other->phase == TABLE_NEW ||
		    other->phase == TABLE_READY || core->logs[other->log] == NULL ||
		    strcmp(core->logs[other->log]->name.uuid, waits->log->name.uuid) != 0)
			continue;
		(void)add(waits, CORE_WAIT_TABLE);
		return;
	}
	if (waits->log->copier.flying > 0)
		(void)add(waits, CORE_WAIT_LEGS);
	else if (waits->log->io_flying > 0 || waits->log->device == DEVICE_OPENING)
		(void)add(waits, CORE_WAIT_DEVICE);
	else
		(void)add(waits, CORE_WAIT_GROUP);
}

static void add_resume(struct waits *waits, const struct table *table)
{
	const struct entry *entry = waits->entry;
	uint32_t own = waits->core->config.node_id;

	if (table->phase != TABLE_JOINING || !table->join_sent) {
		add_unjoined(waits, table);
		return;
	}
	if (entry == NULL) {
		(void)add(waits, CORE_WAIT_GROUP); /* its JOIN is on its way */
	} else if (entry->phase == LOG_OPENING) {
		if (add_unproven(waits, entry))
			return;
		if (entry->founder == own)
			add_opening(waits);
		else
			add_node(waits, CORE_WAIT_MEMBER, entry->founder);
	} else if (entry->phase == LOG_CLOSING) {
		add_node(waits, CORE_WAIT_MEMBER, entry->founder);
	} else if (!waits->log->has_state) {
		add_sender(waits);
	} else if (heard_missing(waits->core, waits->log) != 0) {
		add_node(waits, CORE_WAIT_MEMBER, heard_missing(waits->core, waits->log));
	} else if (!add_astray(waits)) {
		(void)add(waits, CORE_WAIT_DEVICE);
	}
}

/* ---- FLUSH and IN_SYNC ---- */

static const struct window *window_of(const struct log *log, uint64_t region)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		const struct window *window = &log->replicated.windows[w];

		for (uint32_t i = 0; window->used && i < window->region_count; i++)
			if (window->regions[i] == region && ((window->inside >> i) & 1))
				return window;
	}
	return NULL;
}

/* The claimer copies the region; before that, who has not answered its claim. */
static void add_window(struct waits *waits, const struct window *window, uint64_t region)
{
	for (uint32_t i = 0; !window->granted && i < CORE_NODES_MAX; i++)
		if ((window->unanswered >> i) & 1 && waits->entry != NULL &&
		    waits->entry->member[i].node_id != 0)
			add_member(waits, CORE_WAIT_MEMBER, &waits->entry->member[i]);
	if (!window->granted)
		return;
	add_node(waits, CORE_WAIT_WINDOW, window->claimer);
	waits->list[waits->count - 1].region = region;
}

static void add_confirmations(struct waits *waits)
{
	const struct wish *wish = &waits->log->wish;
	bool any = false;

	if (waits->log->by_proxy) {
		const struct member *proxy =
			waits->entry == NULL ?
				NULL :
				entry_proxy(waits->entry, waits->core->config.node_id);

		if (proxy != NULL)
			add_member(waits, CORE_WAIT_MEMBER, proxy);
		else
			(void)add(waits, CORE_WAIT_DEVICE);
		return;
	}
	for (uint32_t i = 0;
	     waits->entry != NULL && wish->asked && wish->delivered && i < CORE_NODES_MAX; i++) {
		const struct member *member = &waits->entry->member[i];

		if (wish->needed[i] == 0 || wish->needed[i] == waits->core->config.node_id ||
		    member->node_id != wish->needed[i] || member->departed ||
		    ((wish->confirmed >> i) & 1))
			continue;
		add_member(waits, CORE_WAIT_MEMBER, member);
		any = true;
	}
	if (!any)
		(void)add(waits, CORE_WAIT_GROUP);
}

static void add_flush(struct waits *waits)
{
	const struct log *log = waits->log;
	uint64_t region = bitmap_next(&log->pending, 0);

	for (; region != BITMAP_NONE; region = bitmap_next(&log->pending, region + 1)) {
		const struct window *window =
			bitmap_test(&log->windowed, region) ? window_of(log, region) : NULL;

		if (window == NULL)
			continue;
		add_window(waits, window, region);
		return;
	}
	if (log->phase != LOG_OPEN && waits->entry != NULL)
		(void)add(waits, log->has_state ? CORE_WAIT_DEVICE : CORE_WAIT_GROUP);
	else if (holds_by_message(log))
		add_confirmations(waits);
	else
		(void)add(waits, CORE_WAIT_DEVICE);
}

static void add_in_sync(struct waits *waits, uint64_t region)
{
	const struct window *window = window_of(waits->log, region);

	if (window != NULL)
		add_window(waits, window, region);
	else
		(void)add(waits, CORE_WAIT_LEGS);
}

/* ---- POSTSUSPEND ---- */

/* Who closes waits for those who leave; then it reads the base. */
static void add_others(struct waits *waits)
{
	bool any = false;

	for (uint32_t i = 0; waits->entry != NULL && i < CORE_NODES_MAX; i++) {
		const struct member *member = &waits->entry->member[i];

		if (!member_uses(member) || member->use != MEMBER_LEAVING ||
		    member->node_id == waits->core->config.node_id)
			continue;
		add_member(waits, CORE_WAIT_MEMBER, member);
		any = true;
	}
	if (!any)
		(void)add(waits, CORE_WAIT_DEVICE);
}

static void add_suspend(struct waits *waits, const struct table *table)
{
	const struct closing *closing = &waits->log->closing;

	if (&waits->core->tables[closing->table] != table || closing->step == CLOSING_NONE) {
		(void)add(waits, CORE_WAIT_TABLE);
		return;
	}
	switch (closing->step) {
	case CLOSING_NONE:
	case CLOSING_LEAVING:
	case CLOSING_LEAVE:
		if (!add_inactive(waits))
			(void)add(waits, CORE_WAIT_GROUP);
		break;
	case CLOSING_DRAIN:
	case CLOSING_FLUSH:
	case CLOSING_LEGS:
		(void)add(waits, CORE_WAIT_LEGS);
		break;
	case CLOSING_OTHERS:
		add_others(waits);
		break;
	case CLOSING_BASE:
	case CLOSING_SLOT:
	case CLOSING_HEADER:
	case CLOSING_SUPERBLOCK:
		(void)add(waits, CORE_WAIT_DEVICE);
		break;
	}
}

/* ---- all of it ---- */

static void add_request(struct waits *waits, const struct table *table, enum request_type type)
{
	waits->now = (struct core_wait){ .request = type,
					 .luid = table->luid,
					 .since_ms = table->waiting[type].since_ms };
	switch (type) {
	case REQUEST_CTR:
	case REQUEST_DTR:
		(void)add(waits, CORE_WAIT_DEVICE);
		break;
	case REQUEST_RESUME:
		if (!add_inactive(waits))
			add_resume(waits, table);
		break;
	case REQUEST_FLUSH:
		if (!add_inactive(waits))
			add_flush(waits);
		break;
	case REQUEST_IN_SYNC:
		add_in_sync(waits, table->waiting[type].region);
		break;
	case REQUEST_POSTSUSPEND:
		add_suspend(waits, table);
		break;
	default:
		if (!add_inactive(waits))
			(void)add(waits, CORE_WAIT_GROUP); /* what it multicast comes back */
		break;
	}
}

/* What came before the table is resumed, or has been resumed again: see comes_too_early() of requests.c. */
static void add_early(struct waits *waits, const struct table *table)
{
	for (uint32_t i = 0; i < UNKNOWN_REQUESTS_MAX; i++) {
		const struct unknown_request *early = &waits->core->unknown_requests[i];

		if (early->version == 0 || early->luid != table->luid ||
		    PLANTED(PLANT_EARLY_UNSAID))
			continue;
		waits->now = (struct core_wait){ .request = early->type,
						 .luid = early->luid,
						 .since_ms = early->since_ms };
		if (!add_inactive(waits))
			add_resume(waits, table);
	}
}

/* What is out of sync and is not being copied. */
static void add_copying(struct waits *waits)
{
	const struct core *core = waits->core;
	const struct log *log = waits->log;
	const struct entry *entry = waits->entry;
	uint32_t before = waits->count;

	waits->now = (struct core_wait){ 0 };
	if (log->live == NO_INDEX || log->replicated.out.count == 0 || log->phase != LOG_OPEN ||
	    entry == NULL)
		return;
	if (add_inactive(waits))
		return;
	if (!add_unproven(waits, entry))
		(void)add_astray(waits);
	if (entry->paused)
		(void)add(waits, CORE_WAIT_PAUSED);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && entry->member[i].legs_failed)
			add_member(waits, CORE_WAIT_LEG, &entry->member[i]);
	if (health_failed(&core->tables[log->live]) && waits->count == before)
		add_node(waits, CORE_WAIT_LEG, core->config.node_id);
	if (log->everything_held || log->unknown_luid != 0)
		(void)add(waits, CORE_WAIT_RELOAD);
	if (log->replicated.reported.count > 0)
		(void)add(waits, CORE_WAIT_REPORTED);
}

uint32_t core_log_waits(const struct core *core, uint32_t index,
			struct core_wait ret_waits[CORE_WAITS_MAX])
{
	const struct log *log = index < CORE_LOGS_MAX ? core->logs[index] : NULL;
	struct waits waits = { .core = core, .log = log, .list = ret_waits };

	if (log == NULL)
		return 0;
	waits.entry = entry_look(core, &log->name);
	for (uint32_t i = 0; i < core->tables_end; i++) {
		const struct table *table = &core->tables[i];

		if (!table->used || table->log != index)
			continue;
		for (uint32_t type = 1; type < REQUEST_TYPES; type++)
			if (table->waiting[type].active)
				add_request(&waits, table, (enum request_type)type);
		add_early(&waits, table);
	}
	add_copying(&waits);
	return waits.count;
}
