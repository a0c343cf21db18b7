/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group as a daemon has it: it joins, multicasts, delivers messages and views at its own pace.
 *
 * A message that the group is too busy to take (TRY_AGAIN) waits with its sender, and those behind it too.
 * What a daemon had not given to the group when it died is lost; so is what waits when the connection is lost.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

/* ---- out ---- */

static bool may_send(const struct node *node)
{
	return node->group.state == MEMBER_IN && node->ring != NULL && !node->ring->broken;
}

void member_kick(struct sim *sim, struct node *node)
{
	if (node->group.outbox == NULL || node->group.send_scheduled || !may_send(node))
		return;
	node->group.send_scheduled = true;
	schedule_io(sim, ITEM_SEND, node, NULL);
}

void group_send(struct sim *sim, struct node *node)
{
	struct membership *member = &node->group;

	member->send_scheduled = false;
	while (member->outbox != NULL && may_send(node) &&
	       !rng_one_in(&sim->rng, sim->profile.try_again_one_in)) {
		struct parcel *parcel = member->outbox;

		member->outbox = parcel->next;
		ring_order(sim, node->ring, parcel);
	}
	member_kick(sim, node);
}

void group_multicast(struct sim *sim, struct node *node, const struct group_message *message)
{
	struct membership *member = &node->group;
	struct parcel *parcel;

	if (message->sender != node->daemon.node_id) {
		violate(sim, "2", "node %u multicasts in the name of %u", node->index,
			message->sender);
		return;
	}
	if (sim->node_count > 1 && !member->viewed) {
		violate(sim, "2", "node %u multicasts and is not in the group", node->index);
		return;
	}
	if (member->under_way >= GROUP_MAX) {
		violate(sim, "5", "%u messages of node %u are under way", GROUP_MAX, node->index);
		return;
	}
	NOTE(sim, "multicast", message->type, message->window,
	     "node %u: multicast %s, window %u, mask %" PRIx64 ", %u regions, first %" PRIu64,
	     node->index, message_name(message->type), message->window, message->mask,
	     message->region_count, message->region_count > 0 ? message->regions[0] : 0);
	windows_sent(sim, node, message);
	if (member->state == MEMBER_OUT)
		return; /* the connection is lost, the daemon has not heard of it */
	foreign_note_sent(sim, node, message);
	parcel = parcel_pack(sim, node, message);
	if (parcel == NULL)
		return;
	member->under_way++;
	if (member->outbox == NULL && may_send(node) &&
	    !rng_one_in(&sim->rng, sim->profile.try_again_one_in)) {
		ring_order(sim, node->ring, parcel);
		return;
	}
	if (member->outbox == NULL)
		member->outbox = parcel;
	else
		member->outbox_tail->next = parcel;
	member->outbox_tail = parcel;
	member_kick(sim, node);
}

/* ---- in ---- */

bool member_has_news(const struct membership *member)
{
	const struct segment *segment = &member->path[0];

	return member->path_count > 1 ||
	       (member->path_count == 1 && segment->at < segment->ring->end);
}

void member_wake(struct sim *sim, struct node *node)
{
	if (node->group.delivery_scheduled || !member_has_news(&node->group))
		return;
	node->group.delivery_scheduled = true;
	schedule_io(sim, ITEM_DELIVERY, node, NULL);
}

static void deliver_view(struct sim *sim, struct node *node, const struct group_event *event)
{
	struct membership *member = &node->group;
	uint32_t members[SIM_NODES_MAX], left[SIM_NODES_MAX];
	enum view_reason reasons[SIM_NODES_MAX];
	struct input input = {
		.type = INPUT_VIEW,
		.view = { .members = members, .left = left, .left_reasons = reasons }
	};
	uint32_t gone = member->view & ~event->members;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		uint32_t bit = UINT32_C(1) << i;

		if ((event->members & bit) != 0)
			members[input.view.member_count++] = i + 1;
		if ((gone & bit) == 0)
			continue;
		left[input.view.left_count] = i + 1;
		reasons[input.view.left_count++] = (event->present & bit) == 0 ? VIEW_NODE_DOWN :
						   (event->willing & bit) != 0 ? VIEW_LEAVE :
										 VIEW_PROC_DOWN;
	}
	member->view = event->members;
	member->viewed = true;
	NOTE(sim, "view delivered", event->members, gone,
	     "node %u: view %x, left %x (nodes down %x)", node->index, event->members, gone,
	     gone & ~event->present);
	if (!event->delivered)
		windows_view(sim, event->members);
	if (gone != 0)
		windows_departed(sim, gone);
	daemon_step(sim, node, &input);
}

/* Whoever is in the view of this node has delivered it. */
static bool heard_by_all(const struct sim *sim, const struct node *node, const struct ring *ring,
			 uint64_t at)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct segment *segment = &sim->nodes[i].group.path[0];

		if ((node->group.view >> i & 1) != 0 &&
		    (sim->nodes[i].group.path_count == 0 || segment->ring != ring ||
		     segment->at <= at))
			return false;
	}
	return true;
}

static void deliver_message(struct sim *sim, struct node *node, const struct group_event *event,
			    bool last)
{
	struct group_message message;
	struct input input = { .type = INPUT_DELIVERED, .delivered = &message };
	bool own = event->parcel->foreign == PARCEL_OWN;
	bool vain = event->parcel->foreign == PARCEL_STRANGER ||
		    event->parcel->foreign == PARCEL_ABOUT_NOTHING;
	uint64_t before;

	if (!own && foreign_dropped(sim, node, event->parcel))
		return;
	parcel_unpack(sim, event->parcel, &message);
	if (sim->failed)
		return;
	event->parcel->refs++; /* what the step orders may push it out */
	if (event->parcel->sender == node->index && own)
		node->group.under_way--;
	NOTE(sim, "delivered", message.type, message.window,
	     "node %u: delivered %s of %u, window %u, mask %" PRIx64, node->index,
	     message_name(message.type), message.sender, message.window, message.mask);
	if (!event->delivered && own)
		windows_understand(sim, node, &message);
	if (last)
		windows_heard_by_all(sim, &message);
	if (vain) /* what is due by now has nothing to do with it */
		daemon_step(sim, node, &(struct input){ .type = INPUT_TIME });
	before = vain ? foreign_state(node) : 0;
	daemon_step(sim, node, &input);
	if (vain && !sim->failed && foreign_state(node) != before)
		violate(sim, "2", "node %u: the state has changed by a %s that nobody sends",
			node->index, message_name(message.type));
	parcel_put(sim, event->parcel);
}

void group_deliver(struct sim *sim, struct node *node)
{
	struct membership *member = &node->group;
	struct segment *segment = &member->path[0];
	struct ring *ring = segment->ring;
	uint64_t at = segment->at;
	struct group_event event;

	member->delivery_scheduled = false;
	if (!member_has_news(member))
		return;                /* the connection was lost meanwhile */
	event = *ring_event(ring, at); /* the step may add to the order */
	ring_event(ring, at)->delivered = true;
	segment->at++;
	if (segment->at > ring->delivered)
		ring->delivered = segment->at;
	if (event.parcel == NULL)
		deliver_view(sim, node, &event);
	else
		deliver_message(sim, node, &event, heard_by_all(sim, node, ring, at));
	if (sim->failed)
		return;
	state_check(sim, node, ring, at);
	if (segment->at == segment->limit) {
		ring_put(sim, ring);
		member->path_count--;
		memmove(&member->path[0], &member->path[1],
			member->path_count * sizeof(member->path[0]));
	}
	member_wake(sim, node);
}

/* ---- coming and going ---- */

static void members_schedule(struct sim *sim)
{
	if (sim->group.members_scheduled)
		return;
	sim->group.members_scheduled = true;
	schedule_io(sim, ITEM_MEMBERS, NULL, NULL);
}

void group_join(struct sim *sim, struct node *node)
{
	node->group.state = MEMBER_JOINING;
	node->group.id = ++sim->group.memberships;
	node->group.willing = false;
	if (node->ring != NULL)
		members_schedule(sim);
}

void group_leave(struct sim *sim, struct node *node)
{
	struct membership *member = &node->group;
	bool member_was = member->state == MEMBER_IN;
	bool delivery_scheduled = member->delivery_scheduled;
	bool send_scheduled = member->send_scheduled;

	while (member->path_count > 0)
		ring_put(sim, member->path[--member->path_count].ring);
	while (member->outbox != NULL) {
		struct parcel *parcel = member->outbox;

		member->outbox = parcel->next;
		parcel_put(sim, parcel);
	}
	memset(member, 0, sizeof(*member));
	member->delivery_scheduled = delivery_scheduled;
	member->send_scheduled = send_scheduled;
	if (!member_was)
		return;
	sim->group.departures = true;
	member->willing = rng_one_in(&sim->rng, 8);
	if (node->ring != NULL)
		members_schedule(sim);
}
