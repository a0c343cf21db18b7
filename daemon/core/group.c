/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group as a whole: views, hellos, which side's state counts after a merge, epochs, and who is proven stopped.
 *
 * After a view with joined members everybody says hello, with the past it has.  When the last one of the view has, all
 * know the same and decide the same: the side with the highest epoch goes on (equal: the one with the lowest leader), all others
 * fetch its state.  An epoch begins at each view that lost members and has quorum; what a side without quorum did counts less.
 * The leader is the lowest node id of a side, taken anew whenever members leave; a view may name one that never saw it,
 * so which states are the same is told by all the views behind them.
 *
 * Any message of a member whose state does not count is dropped, here.  Who gives up a past of its own asks for the group's state:
 * what it said before, on its side, stands before that in the order, and none of it counts.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

#define HELLO_AGAIN UINT64_MAX
/* FNV-1a, 64 bits. */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct group_node *group_node_find(struct core *core, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (core->group.node[i].node_id == node_id)
			return &core->group.node[i];
	return NULL;
}

static struct group_node *own_node(struct core *core)
{
	return group_node_find(core, core->config.node_id);
}

static bool is_current(struct core *core, uint32_t node_id)
{
	const struct group_node *node = group_node_find(core, node_id);

	return node != NULL && node->in_view && node->current;
}

static bool active_now(struct core *core)
{
	return core->local.in_group && !core->local.refused && core->group.established &&
	       proof_quorate(core) && is_current(core, core->config.node_id);
}

/* ---- hello ---- */

static void say_hello(struct core *core, uint64_t call, bool again)
{
	const struct group *group = &core->group;
	struct group_message message = {
		.type = MESSAGE_HELLO,
		.number = again ? HELLO_AGAIN : group->directory,
		.mask = call,
		.version_lowest = MESSAGE_VERSION_LOWEST,
		.version_highest = MESSAGE_VERSION_HIGHEST,
		.incarnation = core->config.incarnation,
		.fresh = !core->local.has_past,
		.epoch = group->epoch,
		.leader = core->local.has_past ? group->leader : 0,
		.views = core->local.has_past ? group->views : 0,
	};

	memcpy(message.boot_id, core->config.boot_id, MESSAGE_ID_BYTES);
	memcpy(message.machine_id, core->config.machine_id, MESSAGE_ID_BYTES);
	multicast_group(core, &message);
}

/* Is the past of `a` to be preferred? */
static bool better_past(const struct group_node *a, const struct group_node *b)
{
	if (a->fresh != b->fresh)
		return !a->fresh;
	if (a->fresh)
		return a->node_id < b->node_id;
	if (a->epoch != b->epoch && !PLANTED(PLANT_EPOCH_IGNORED))
		return a->epoch > b->epoch;
	if (a->leader != b->leader)
		return a->leader < b->leader;
	return a->views < b->views;
}

static bool same_past(const struct group_node *a, const struct group_node *b)
{
	if (a->fresh || b->fresh)
		return a == b;
	return a->epoch == b->epoch && a->leader == b->leader && a->views == b->views;
}

uint32_t group_lowest_current(const struct group *group)
{
	uint32_t lowest = UINT32_MAX;

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (group->node[i].node_id != 0 && group->node[i].in_view &&
		    group->node[i].current && group->node[i].node_id < lowest)
			lowest = group->node[i].node_id;
	return lowest;
}

/* May it take part: a boot that counts as stopped may not, nor one that does not speak the group's version. */
static bool welcome(const struct core *core, const struct group_node *node)
{
	return !proof_is_stopped(core, node->node_id, node->boot_id) &&
	       node->version_lowest <= core->group.version &&
	       node->version_highest >= core->group.version;
}

bool group_anybody_lacks(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (core->group.node[i].node_id != 0 && core->group.node[i].in_view &&
		    !core->group.node[i].current)
			return true;
	return false;
}

uint32_t group_lacking(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &core->group.node[i];

		if (node->node_id != 0 && node->in_view && !node->current && welcome(core, node))
			return node->node_id;
	}
	return 0;
}

static bool anybody_will_ask(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (core->group.node[i].node_id != 0 && core->group.node[i].in_view &&
		    core->group.node[i].will_ask)
			return true;
	return false;
}

/* The state that others fetch, at this point of the order. */
void group_send_directory(struct core *core)
{
	if (group_lowest_current(&core->group) == UINT32_MAX || !group_anybody_lacks(core) ||
	    anybody_will_ask(core))
		return;
	core->group.directory++;
	/* What was kept behind the point of the one before is in this one. */
	if (core->local.fetching && !PLANTED(PLANT_CATCH_UP_STALE))
		catch_up_begin(&core->local.catch_up);
	if (group_lowest_current(&core->group) == core->config.node_id)
		directory_send(core);
}

/* This node's past does not count: it is given up, and the group's state fetched from this point on. */
void group_fetch(struct core *core)
{
	struct local_group_state *local = &core->local;

	if (!local->fetching)
		directory_give_up(core);
	local->fetching = true;
	local->has_past = false;
	local->catch_up.bytes = local->catch_up_bytes;
	local->catch_up.size_bytes = CATCH_UP_BYTES;
	catch_up_begin(&local->catch_up);
}

static void settle(struct core *core)
{
	struct group *group = &core->group;
	const struct group_node *winner = NULL;
	struct group_node *me = own_node(core);

	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &group->node[i];

		if (node->node_id == 0 || !node->in_view)
			continue;
		if (!node->greeted)
			return;
		if (winner == NULL || better_past(node, winner))
			winner = node;
	}
	if (winner == NULL || me == NULL || !me->in_view)
		return;
	group->settled = true;
	core->pump_all = true; /* see heard.c */
	core->local.epoch_sent = false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		if (group->node[i].node_id == 0 || !group->node[i].in_view)
			continue;
		group->node[i].current = same_past(&group->node[i], winner);
		group->node[i].will_ask = !group->node[i].current && !group->node[i].fresh;
		if (!group->node[i].current)
			heard_no_state(core, group->node[i].node_id);
	}
	if (me->current && winner->fresh)
		directory_found(core);
	sides_settled(core, winner->fresh);
	if (me->current) {
		core->local.has_past = true;
		core->local.fetching = false;
		if (group->leader == 0 || !group->established)
			group->leader = group_lowest_current(group);
	} else {
		if (winner->epoch > group->epoch)
			group->epoch = winner->epoch;
		group_fetch(core);
		if (me->will_ask)
			say_hello(core, 0, true);
	}
	group->directory = winner->directory; /* from here on all count alike */
	group_send_directory(core);
}

/* It asks for the group's state, for the first time, or because its catch-up was too long.  Any other hello is of an earlier view. */
static void hello_again(struct core *core, struct group_node *node,
			const struct group_message *message)
{
	if (message->number != HELLO_AGAIN)
		return;
	node->current = false;
	node->will_ask = false;
	/* It may have dropped what it was to answer; the state that it gets now knows of that. */
	heard_no_state(core, node->node_id);
	if (node->node_id == core->config.node_id)
		group_fetch(core);
	group_send_directory(core);
}

/* A report about a node that nobody had heard of spoke of the boots before this one. */
static void forget_any_stopped(struct core *core, uint32_t node_id)
{
	static const uint8_t any[MESSAGE_ID_BYTES];

	for (uint32_t i = 0; i < STOPPED_MAX; i++)
		if (core->group.stopped[i].node_id == node_id &&
		    memcmp(core->group.stopped[i].boot_id, any, MESSAGE_ID_BYTES) == 0)
			core->group.stopped[i].node_id = 0;
}

static void deliver_hello(struct core *core, const struct group_message *message)
{
	struct group_node *node = group_node_find(core, message->sender);

	if (node == NULL || !node->in_view)
		return;
	if (core->group.settled) {
		hello_again(core, node, message);
		return;
	}
	if ((message->mask != core->group.call || core->group.call == 0) &&
	    !PLANTED(PLANT_HELLO_STALE))
		return;
	node->greeted = true;
	node->directory = message->number;
	node->fresh = message->fresh;
	node->epoch = message->epoch;
	node->leader = message->leader;
	node->views = message->views;
	node->version_lowest = message->version_lowest;
	node->version_highest = message->version_highest;
	node->incarnation = message->incarnation;
	if (!node->current) {
		if (memcmp(node->boot_id, message->boot_id, MESSAGE_ID_BYTES) != 0) {
			node->rebooted = true;
			sides_stopped(core, node);
		}
		memcpy(node->boot_id, message->boot_id, MESSAGE_ID_BYTES);
		memcpy(node->machine_id, message->machine_id, MESSAGE_ID_BYTES);
		forget_any_stopped(core, node->node_id);
		directory_proven(core, node->node_id, node->boot_id, true);
	}
	settle(core);
}

static void deliver_epoch(struct core *core, const struct group_message *message)
{
	struct group *group = &core->group;

	if (!group->settled || group->established || message->epoch != group->epoch ||
	    message->leader != group->leader || message->views != group->views)
		return;
	group->epoch += group->founded ? 2 : 1;
	group->founded = false;
	group->established = true;
	sides_epoch(core);
	core->pump_all = true;
}

/* All who fetched have read the last piece: from here on they count. */
static void all_current(struct core *core)
{
	if (group_lacking(core) != 0)
		heard_newcomers(core);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct group_node *node = &core->group.node[i];

		if (node->node_id != 0 && node->in_view && welcome(core, node))
			node->current = true;
	}
	sides_current(core);
}

static void deliver_directory(struct core *core, const struct group_message *message)
{
	struct local_group_state *local = &core->local;
	bool fetched = local->fetching && message->last;
	struct effect_event event = { .event = EVENT_REFUSED, .uuid = "" };

	if (message->number != core->group.directory || !core->group.settled ||
	    message->sender != group_lowest_current(&core->group))
		return;
	if (local->fetching && directory_take(core, message) < 0)
		local->catch_up.overflow = true;
	if (!message->last)
		return;
	if (fetched && local->catch_up.overflow) {
		say_hello(core, 0, true);
		return;
	}
	if (fetched) {
		local->fetching = false;
		local->has_past = true;
		catch_up_group(core);
	}
	all_current(core);
	if (!fetched)
		return;
	local->refused = !welcome(core, own_node(core));
	local->has_past = !local->refused;
	if (local->refused)
		emit_event(core, NULL, &event);
	core->pump_all = true;
}

/* Also another boot of this node gives no such number: an answer that is late must not count for it. */
uint64_t group_number(struct core *core)
{
	const uint64_t parts[] = { core->config.node_id, core->config.incarnation,
				   ++core->local.numbers };
	uint64_t number = FNV_OFFSET;

	for (size_t i = 0; i < MESSAGE_ID_BYTES; i++)
		number = (number ^ core->config.boot_id[i]) * FNV_PRIME;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		number = (number ^ parts[i]) * FNV_PRIME;
	return number == 0 ? 1 : number;
}

/* All are to say hello; the lowest node calls for it. */
void group_greet(struct core *core)
{
	struct group *group = &core->group;
	struct group_message message = { .type = MESSAGE_CALL };
	uint32_t lowest = UINT32_MAX;

	group->settled = false;
	group->call = 0;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		group->node[i].greeted = false;
		if (group->node[i].node_id != 0 && group->node[i].in_view &&
		    group->node[i].node_id < lowest)
			lowest = group->node[i].node_id;
	}
	if (lowest != core->config.node_id)
		return;
	message.mask = group_number(core);
	multicast_group(core, &message);
}

/* Also a call of an earlier view will do: all deliver it at this point, and answer from here. */
static void deliver_call(struct core *core, const struct group_message *message)
{
	struct group *group = &core->group;
	const struct group_node *node = group_node_find(core, message->sender);

	if (group->settled || node == NULL || !node->in_view || message->mask == 0)
		return;
	group->call = message->mask;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		group->node[i].greeted = false;
	say_hello(core, group->call, false);
}

/* One message in its place in the order, at once or when a snapshot has been read. */
void group_apply(struct core *core, const struct group_message *message)
{
	if (!is_current(core, message->sender) &&
	    !(PLANTED(PLANT_STRANGER_HEARD) && message->type == MESSAGE_STOPPED))
		return;
	if (message->type == MESSAGE_EPOCH)
		deliver_epoch(core, message);
	else if (message->type == MESSAGE_STOPPED)
		proof_delivered(core, message);
	else if (message->type == MESSAGE_ENTER)
		heard_enter_delivered(core, message);
	else if (message->type == MESSAGE_HEARD)
		heard_delivered(core, message);
	else
		directory_deliver(core, message);
	sides_pump(core);
}

void group_delivered(struct core *core, const struct group_message *message)
{
	if (message->region_count > WINDOW_REGIONS_MAX)
		return;
	if (message->type == MESSAGE_CALL)
		deliver_call(core, message);
	else if (message->type == MESSAGE_HELLO)
		deliver_hello(core, message);
	else if (message->type == MESSAGE_DIRECTORY)
		deliver_directory(core, message);
	else if (core->local.fetching)
		catch_up_keep(&core->local.catch_up, message, 0);
	else
		group_apply(core, message);
}

/* ---- what time and news make possible ---- */

void group_pump(struct core *core)
{
	const struct group *group = &core->group;
	struct group_message message = { .type = MESSAGE_EPOCH };

	if (core->local.in_group && group->settled && !group->established &&
	    !core->local.epoch_sent && proof_quorate(core) &&
	    is_current(core, core->config.node_id)) {
		message.epoch = group->epoch;
		message.leader = group->leader;
		message.views = group->views;
		core->local.epoch_sent = true;
		multicast_group(core, &message);
	}
	proof_pump(core);
	if (active_now(core) != core->local.active) {
		core->local.active = !core->local.active;
		core->pump_all = true;
		membership_activity(core);
	}
}
