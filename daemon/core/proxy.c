/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding for a node that cannot write its slot, or has none (F19).
 *
 * It asks the *proxy*, the oldest member that uses the log and can write, by HOLD: the proxy sets the bits in its own slot, and
 * says CONFIRM when they are on the device.  All followers keep what each member holds so (replicated.holds, as for core
 * logs), so that it is lost when that member is proven stopped.  The proxy's own death needs nothing: its slot covers those
 * regions.  When the proxy leaves, it makes them lost before its slot goes; who is left without asks the next one for all
 * that it holds.  FLUSH waits while a slot, or another proxy, is to come, and fails only when nobody can write.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

const struct member *entry_proxy(const struct entry *entry, uint32_t node_id)
{
	const struct member *proxy = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		if (member->node_id == 0 || member->node_id == node_id || member->departed ||
		    member->use != MEMBER_RESUMED || !member->has_state || member->device_failed ||
		    member->slot == NO_SLOT)
			continue;
		if (proxy == NULL || member->seniority < proxy->seniority)
			proxy = member;
	}
	return proxy;
}

static const struct member *own_proxy(struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	return entry == NULL ? NULL : entry_proxy(entry, core->config.node_id);
}

bool proxy_there(struct core *core, const struct log *log)
{
	return own_proxy(core, log) != NULL && !PLANTED(PLANT_NO_PROXY);
}

/* A member whose slot will be free: it leaves, is stopped and to be merged, or has departed and is to be proven stopped. */
static const struct member *slot_to_come(const struct entry *entry)
{
	const struct member *found = NULL;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		if (member->node_id == 0 || member->slot == NO_SLOT)
			continue;
		if (member->to_merge || (!member->departed && member->use == MEMBER_LEAVING))
			return member;
		if (member->departed)
			found = member;
	}
	return found;
}

/* Somebody reads the state, and may write then. */
static bool proxy_to_come(const struct entry *entry, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry->member[i];

		if (member->node_id != 0 && member->node_id != node_id && !member->departed &&
		    member->use == MEMBER_RESUMED && !member->has_state && !member->device_failed)
			return true;
	}
	return false;
}

bool proxy_hopeless(struct core *core, struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);
	const struct member *me = member_own(core, log);

	if (proxy_there(core, log))
		return false;
	if (me == NULL || PLANTED(PLANT_NO_PROXY))
		return true;
	if (proxy_to_come(entry, core->config.node_id))
		return false;
	if (me->slot == NO_SLOT)
		return slot_to_come(entry) == NULL && entry_slots_allotted(core, entry);
	return log->device_bad || log->device_failed; /* or else it is entering the one it has */
}

/* For whose slot FLUSH waits, when that is not a matter of moments. */
static void tell_waiting(struct core *core, struct log *log)
{
	const struct member *me = member_own(core, log);
	const struct member *owner;
	char text[192];

	if (!log->by_proxy || proxy_there(core, log) || me == NULL || me->slot != NO_SLOT ||
	    !core->tables[log->live].waiting[REQUEST_FLUSH].active) {
		log->slot_wait_told = false;
		return;
	}
	owner = slot_to_come(entry_look(core, &log->name));
	if (owner == NULL || !member_unproven(owner) || log->slot_wait_told)
		return;
	(void)snprintf(text, sizeof(text),
		       "no slot is free, and nobody else can write, until node %u is proven to be "
		       "stopped: dmclog fenced %u",
		       owner->node_id, owner->node_id);
	emit_event(core, log,
		   &(struct effect_event){
			   .event = EVENT_WAITING_FOR_SLOT, .number = 1, .text = text });
	log->slot_wait_told = true;
}

/* ---- for others ---- */

void proxy_asked(struct core *core, struct log *log, const struct group_message *message,
		 uint64_t members)
{
	const struct entry *entry = entry_look(core, &log->name);
	const struct member *proxy = entry_proxy(entry, message->sender);
	struct proxied *proxied;

	if (proxy == NULL || proxy->node_id != core->config.node_id || members == 0)
		return;
	proxied = &log->proxied[__builtin_ctzll(members)];
	proxied->wanted = true;
	proxied->node = message->sender;
	proxied->number = message->number;
	proxied->region_count = message->region_count;
	memcpy(proxied->regions, message->regions, sizeof(proxied->regions));
	log->again = true;
}

/* Sets the bits; true when all of them are on the device. */
static bool proxied_held(struct log *log, const struct proxied *proxied)
{
	bool all = true;

	for (uint32_t i = 0; i < proxied->region_count; i++) {
		uint64_t bit = proxied->regions[i] >> log->layout.granularity;

		if (proxied->regions[i] >= log->region_count)
			continue;
		image_set(&log->slot, DISK_SLOT_HEADER_BYTES, bit);
		all = image_sure(&log->slot, DISK_SLOT_HEADER_BYTES, bit) && all;
	}
	return all || PLANTED(PLANT_PROXY_EARLY);
}

static void confirm_proxied(struct core *core, struct log *log)
{
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++) {
		struct proxied *proxied = &log->proxied[m];
		struct group_message answer = { .type = MESSAGE_CONFIRM,
						.node = proxied->node,
						.number = proxied->number };

		if (!proxied->wanted || !proxied_held(log, proxied))
			continue;
		proxied->wanted = false;
		multicast(core, log, &answer);
	}
}

static void own_index(struct core *core, const struct log *log, uint32_t *ret_index)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *me = member_find(entry, core->config.node_id);

	*ret_index = me == NULL ? NO_INDEX : (uint32_t)(me - entry->member);
}

bool proxy_holds(struct core *core, const struct log *log, uint64_t first, uint64_t count)
{
	uint64_t from = first >> log->hold_granularity;
	uint64_t to = (first + count - 1) >> log->hold_granularity;
	uint32_t me;

	if (log->type != LOG_TYPE_DISK)
		return false;
	own_index(core, log, &me);
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++)
		if (m != me && bitmap_any(&log->replicated.holds[m], from, to - from + 1))
			return true;
	return false;
}

void proxy_let_go(struct log *log, uint64_t bit)
{
	uint64_t region = bit << log->hold_granularity;
	uint64_t end = (bit + 1) << log->hold_granularity;

	if (log->type != LOG_TYPE_DISK || log->own_slot == NO_INDEX || log->phase != LOG_OPEN ||
	    log->everything_held)
		return;
	for (; region < end && region < log->region_count; region++)
		if (!bitmap_test(&log->held, region) && !bitmap_test(&log->pending, region) &&
		    image_test(&log->slot, DISK_SLOT_HEADER_BYTES,
			       region >> log->layout.granularity))
			(void)bitmap_set(&log->leaving, region);
}

/* Before our slot goes: what it holds for others is lost instead.  What it was asked for and never had is not held by it, nor
 * will it say so: the next one is asked. */
void proxy_give_up(struct core *core, struct log *log)
{
	uint32_t me;

	own_index(core, log, &me);
	bitmap_clear_all(&log->merging);
	for (uint32_t m = 0; m < CORE_NODES_MAX; m++) {
		uint64_t bit = m == me ? BITMAP_NONE : bitmap_next(&log->replicated.holds[m], 0);

		log->proxied[m].wanted = false;
		for (; bit != BITMAP_NONE; bit = bitmap_next(&log->replicated.holds[m], bit + 1))
			for (uint64_t r = bit << log->hold_granularity;
			     r < (bit + 1) << log->hold_granularity && r < log->region_count; r++)
				if (image_sure(&log->slot, DISK_SLOT_HEADER_BYTES,
					       r >> log->layout.granularity))
					(void)bitmap_set(&log->merging, r);
	}
	if (!PLANTED(PLANT_PROXY_FORGETS))
		lose_merging(core, log);
}

/* ---- for ourselves ---- */

/* Our slot can be written again, with all that we hold: the proxy may forget it. */
static void end_proxy(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_RELEASE };
	uint64_t bit;
	uint32_t me;

	log->by_proxy = false;
	log->device_bad = false;
	log->wish.asked = false;
	own_index(core, log, &me);
	if (me == NO_INDEX)
		return;
	bit = bitmap_next(&log->replicated.holds[me], 0);
	while (bit != BITMAP_NONE) {
		message.regions[message.region_count++] = bit << log->hold_granularity;
		bit = bitmap_next(&log->replicated.holds[me], bit + 1);
		if (message.region_count < WINDOW_REGIONS_MAX && bit != BITMAP_NONE)
			continue;
		multicast(core, log, &message);
		message.region_count = 0;
	}
}

static void tell_device(struct core *core, struct log *log, bool bad)
{
	const struct table *table = &core->tables[log->live];
	struct group_message message = { .type = MESSAGE_HEALTH,
					 .luid = table->luid,
					 .legs_failed = health_failed(table),
					 .flush_failed = table->flush_failed,
					 .device_failed = bad };

	log->device_told = bad;
	log->role_given_up = log->role_given_up || bad;
	multicast(core, log, &message);
}

void proxy_needed(struct core *core, struct log *log)
{
	if (log->by_proxy || !proxy_there(core, log) || log->closing.step != CLOSING_NONE)
		return;
	log->by_proxy = true;
	log->device_bad = true;
	log->proxy_node = 0;
	log->again = true;
}

/* The proxy is another one than before: what it has not, it is asked for. */
static void proxy_changed(struct log *log, uint32_t node_id)
{
	uint64_t region = bitmap_next(&log->held, 0);

	log->proxy_node = node_id;
	log->wish.asked = false;
	while (region != BITMAP_NONE) {
		if (log->own_slot == NO_INDEX || log->entering != ENTER_NONE ||
		    !image_sure(&log->slot, DISK_SLOT_HEADER_BYTES,
				region >> log->layout.granularity)) {
			(void)bitmap_set(&log->pending, region);
			(void)bitmap_clear(&log->held, region);
		}
		region = bitmap_next(&log->held, region + 1);
	}
}

/* This node is the only one that uses the log: then it is no use to tell that it cannot write. */
static bool is_alone(struct core *core, const struct log *log)
{
	const struct entry *entry = entry_look(core, &log->name);

	for (uint32_t i = 0; entry != NULL && i < CORE_NODES_MAX; i++)
		if (member_uses(&entry->member[i]) &&
		    entry->member[i].node_id != core->config.node_id)
			return false;
	return true;
}

/* The device is tried by a write of the slot's header, where nothing else is to be written. */
static void try_device(struct core *core, struct log *log)
{
	const struct member *me = member_own(core, log);

	if (log->own_slot == NO_INDEX && me != NULL && me->slot == NO_SLOT) {
		/* Nothing to try it with: it counts as good until the next failure. */
		if (core->now_ms >= log->enter_retry_ms && core->now_ms >= log->write_retry_ms)
			log->device_bad = log->device_failed = false;
		else
			log_wake_at(log, log->enter_retry_ms > log->write_retry_ms ?
						 log->enter_retry_ms :
						 log->write_retry_ms);
		return;
	}
	if (log->own_slot == NO_INDEX || log->entering != ENTER_NONE || !image_clean(&log->slot))
		return;
	if (!log->device_failed) {
		/* Also what the proxy has confirmed since the slot was placed. */
		if (log->by_proxy && slot_covers_holds(log))
			end_proxy(core, log);
	} else if (core->now_ms >= log->write_retry_ms) {
		image_try(&log->slot);
	} else {
		log_wake_at(log, log->write_retry_ms);
	}
}

void proxy_pump(struct core *core, struct log *log)
{
	const struct member *proxy;
	bool bad;

	if (log->type != LOG_TYPE_DISK || !log_usable(core, log) || log->live == NO_INDEX)
		return;
	if (log->own_slot != NO_INDEX && log->entering == ENTER_NONE)
		confirm_proxied(core, log);
	if (log->by_proxy || log->device_told)
		try_device(core, log);
	bad = log->device_bad || (log->device_failed && !is_alone(core, log));
	if (bad && log->base_role != BASE_NONE && log->io_flying == 0)
		log->base_role = BASE_NONE; /* the role goes to who can write */
	if (log->device_told != bad && log->io_flying == 0 && (!bad || log->base_role == BASE_NONE))
		tell_device(core, log, bad);
	proxy = own_proxy(core, log);
	if (proxy == NULL)
		log->proxy_node = 0; /* even the same one must be asked again for all */
	else if (log->by_proxy && log->proxy_node != proxy->node_id)
		proxy_changed(log, proxy->node_id);
	tell_waiting(core, log);
}
