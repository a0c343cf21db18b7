/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of corosync: which nodes hear each other, and the order of messages and views that each ring has.
 *
 * Totem and CPG, as far as a daemon can tell: one order a ring.  A ring whose token is lost (a node crashed, the network
 * was cut or came together) orders nothing until it is formed anew.  Then all that come from the same old ring
 * deliver the same beginning of its order, at least as long as the longest that one of them has
 * delivered; then a view; what they had sent themselves and is not in that beginning follows, what others had sent is
 * lost.  A node that was cut off or died may so have delivered what nobody else gets.
 */
#include "sim.h"

#define EVENTS_MIN 64
/* A ring in which nobody is missing is formed so fast. */
#define GATHER_MS 100

static struct ring *ring_new(struct sim *sim, uint32_t nodes)
{
	struct ring *ring = sim->group.free_rings;

	if (ring == NULL) {
		ring = sim_alloc(sim, sizeof(*ring));
		ring->size = EVENTS_MIN;
		ring->events = sim_alloc(sim, EVENTS_MIN * sizeof(ring->events[0]));
	} else {
		sim->group.free_rings = ring->next;
	}
	ring->number = ++sim->group.rings;
	ring->nodes = nodes;
	ring->members = ring->ever = 0;
	ring->broken = false;
	ring->refs = 0;
	ring->first = ring->end = ring->delivered = 0;
	return ring;
}

struct group_event *ring_event(struct ring *ring, uint64_t at)
{
	return &ring->events[at & (ring->size - 1)];
}

static void ring_drop_first(struct sim *sim, struct ring *ring)
{
	struct group_event *event = ring_event(ring, ring->first++);

	if (event->parcel != NULL)
		parcel_put(sim, event->parcel);
}

void ring_put(struct sim *sim, struct ring *ring)
{
	if (--ring->refs > 0)
		return;
	while (ring->first < ring->end)
		ring_drop_first(sim, ring);
	ring->next = sim->group.free_rings;
	sim->group.free_rings = ring;
}

/* Drops what everybody has delivered. */
static void ring_trim(struct sim *sim, struct ring *ring)
{
	uint64_t oldest = ring->forming ? ring->first : ring->end;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct membership *member = &sim->nodes[i].group;

		for (uint32_t j = 0; j < member->path_count; j++)
			if (member->path[j].ring == ring && member->path[j].at < oldest)
				oldest = member->path[j].at;
	}
	while (ring->first < oldest)
		ring_drop_first(sim, ring);
}

static void ring_grow(struct sim *sim, struct ring *ring)
{
	struct group_event *old = ring->events;
	uint32_t old_size = ring->size;

	ring->size *= 2;
	ring->events = sim_alloc(sim, ring->size * sizeof(old[0]));
	for (uint64_t at = ring->first; at < ring->end; at++)
		*ring_event(ring, at) = old[at & (old_size - 1)];
}

static struct group_event *ring_append(struct sim *sim, struct ring *ring)
{
	struct group_event *event;

	if (ring->end - ring->first == ring->size) {
		ring_trim(sim, ring);
		if (ring->end - ring->first > ring->size / 2)
			ring_grow(sim, ring);
	}
	event = ring_event(ring, ring->end++);
	event->parcel = NULL;
	event->delivered = false;
	event->hashed_by = 0;
	return event;
}

/* All members that follow the end of this order have something to deliver. */
static void ring_wake(struct sim *sim, const struct ring *ring)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].ring == ring)
			member_wake(sim, &sim->nodes[i]);
}

void ring_order(struct sim *sim, struct ring *ring, struct parcel *parcel)
{
	ring_append(sim, ring)->parcel = parcel;
	ring_wake(sim, ring);
}

static void member_joins(struct node *node, struct ring *ring, uint64_t at)
{
	struct membership *member = &node->group;

	member->state = MEMBER_IN;
	member->path[member->path_count++] = (struct segment){ ring, at, UINT64_MAX };
	ring->refs++;
}

static void ring_view(struct sim *sim, struct ring *ring, uint32_t members)
{
	struct group_event *event = ring_append(sim, ring);
	uint64_t at = ring->end - 1;

	ring->members = members;
	ring->ever |= members;
	event->members = members;
	event->present = ring->nodes;
	event->willing = 0;
	sim->counts.views++;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		if (node->group.willing)
			event->willing |= UINT32_C(1) << i;
		if ((members >> i & 1) != 0 && node->group.state == MEMBER_JOINING)
			member_joins(node, ring, at);
	}
	NOTE(sim, "view", ring->number, members, "ring %u: place %u: view %x", ring->number,
	     (unsigned int)at, members);
	ring_wake(sim, ring);
}

static uint32_t nodes_in_state(const struct sim *sim, const struct ring *ring,
			       enum membership_state state)
{
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].ring == ring && sim->nodes[i].group.state == state)
			nodes |= UINT32_C(1) << i;
	return nodes;
}

/* Daemons that came or went, in a ring that is whole. */
static void ring_members_changed(struct sim *sim, struct ring *ring)
{
	uint32_t staying = nodes_in_state(sim, ring, MEMBER_IN);
	uint32_t joining = nodes_in_state(sim, ring, MEMBER_JOINING);
	bool apart = (ring->members & joining) != 0 || rng_one_in(&sim->rng, 2);

	if (staying != ring->members && (apart || joining == 0))
		ring_view(sim, ring, staying);
	if (joining != 0)
		ring_view(sim, ring, staying | joining);
}

static bool follows(const struct membership *member, const struct ring *ring)
{
	return member->path_count > 0 && member->path[member->path_count - 1].ring == ring;
}

/* The end of the old order for those who come from it into a new ring: after what one of them has delivered. */
static uint64_t choose_cut(struct sim *sim, const struct ring *old, uint32_t survivors)
{
	uint64_t cut = old->first > 0 ? old->first : 1; /* the view that it began with */

	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct membership *member = &sim->nodes[i].group;

		if ((survivors >> i & 1) != 0 && follows(member, old) &&
		    member->path[member->path_count - 1].at > cut)
			cut = member->path[member->path_count - 1].at;
	}
	if (rng_one_in(&sim->rng, 2))
		return old->end;
	return cut + rng_below(&sim->rng, (uint32_t)(old->end - cut) + 1);
}

static void member_moves(struct sim *sim, struct node *node, struct ring *ring, uint64_t cut)
{
	struct membership *member = &node->group;
	struct segment *last = &member->path[member->path_count - 1];

	if (last->at >= cut) { /* all delivered, or it had joined after that */
		ring_put(sim, last->ring);
		member->path_count--;
	} else {
		last->limit = cut;
	}
	INVARIANT(sim, member->path_count < SEGMENTS_MAX);
	if (!sim->failed)
		member_joins(node, ring, 0);
}

/* Those of one old ring go on in the new one, with what they had sent and not all of them deliver before. */
static void ring_continue(struct sim *sim, struct ring *ring, struct ring *old, uint32_t survivors)
{
	uint64_t cut = choose_cut(sim, old, survivors);

	for (uint64_t at = cut; at < old->end; at++) {
		struct parcel *parcel = ring_event(old, at)->parcel;

		if (parcel == NULL || (survivors >> parcel->sender & 1) == 0 ||
		    sim->nodes[parcel->sender].group.id != parcel->membership)
			continue; /* cpg.c drops what a process sent that has gone */
		parcel->refs++;
		ring_append(sim, ring)->parcel = parcel;
	}
	for (uint32_t i = 0; i < sim->node_count && !sim->failed; i++)
		if ((survivors >> i & 1) != 0 && follows(&sim->nodes[i].group, old))
			member_moves(sim, &sim->nodes[i], ring, cut);
	NOTE(sim, "survivors", survivors, cut,
	     "ring %u: nodes %x come from ring %u, place %u of %u", ring->number, survivors,
	     old->number, (unsigned int)cut, (unsigned int)old->end);
}

/* The first view: a daemon that some still know as its former self comes with the next one. */
static uint32_t first_members(const struct sim *sim, uint32_t nodes)
{
	uint32_t in = 0, joining = 0, known = 0;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];

		if ((nodes >> i & 1) == 0)
			continue;
		if (node->ring != NULL)
			known |= node->ring->ever;
		if (node->group.state == MEMBER_IN)
			in |= UINT32_C(1) << i;
		else if (node->group.state == MEMBER_JOINING)
			joining |= UINT32_C(1) << i;
	}
	return in | (joining & ~known);
}

static void ring_form(struct sim *sim, uint32_t nodes)
{
	struct ring *ring = ring_new(sim, nodes);
	struct ring *old[SIM_NODES_MAX] = { NULL };
	uint32_t members = first_members(sim, nodes);

	for (uint32_t i = 0; i < sim->node_count; i++) {
		if ((nodes >> i & 1) == 0)
			continue;
		old[i] = sim->nodes[i].ring;
		sim->nodes[i].ring = NULL;
		ring->refs++;
	}
	NOTE(sim, "ring", ring->number, nodes, "ring %u: nodes %x", ring->number, nodes);
	ring->forming = true;
	ring_view(sim, ring, members);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct ring *from = old[i];
		uint32_t survivors = 0;

		for (uint32_t j = i; from != NULL && j < sim->node_count; j++) {
			if (old[j] != from)
				continue;
			survivors |= UINT32_C(1) << j;
			if (j > i)
				ring_put(sim, from);
			old[j] = NULL;
		}
		if (survivors != 0) {
			ring_continue(sim, ring, from, survivors);
			ring_put(sim, from);
		}
	}
	ring->forming = false;
	for (uint32_t i = 0; i < sim->node_count; i++)
		if ((nodes >> i & 1) != 0)
			cluster_ring_formed(sim, &sim->nodes[i], ring);
	if (nodes_in_state(sim, ring, MEMBER_JOINING) != 0)
		ring_members_changed(sim, ring);
	ring_wake(sim, ring);
}

/* True when these nodes are a ring already; it goes on where it was. */
static bool ring_goes_on(struct sim *sim, uint32_t nodes)
{
	struct ring *ring = NULL;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		if ((nodes >> i & 1) == 0)
			continue;
		if (node->ring == NULL || node->ring->nodes != nodes)
			return false;
		ring = node->ring;
	}
	if (ring->broken) {
		ring->broken = false;
		ring_members_changed(sim, ring);
		cluster_ring_repaired(sim, ring);
	}
	return true;
}

/* Nodes of a component whose corosync runs, but for those that others still take for their former selves. */
static uint32_t component_nodes(const struct sim *sim, uint32_t component, bool *ret_again)
{
	uint32_t nodes = 0, remembered = 0;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];

		if (node->component == component && node->engine && node->ring != NULL)
			remembered |= node->ring->nodes;
	}
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct node *node = &sim->nodes[i];

		if (node->component != component || !node->engine)
			continue;
		if (node->ring == NULL && (remembered >> i & 1) != 0)
			*ret_again = true;
		else
			nodes |= UINT32_C(1) << i;
	}
	return nodes;
}

static void reform_schedule(struct sim *sim, uint32_t delay_ms)
{
	if (sim->group.reform_scheduled)
		return;
	sim->group.reform_scheduled = true;
	schedule_in(sim, 1 + rng_below(&sim->rng, delay_ms), ITEM_REFORM, NULL, NULL);
}

/* A daemon that stands still may lag behind by only so much. */
static bool somebody_lags(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].group.path_count >= SEGMENTS_MAX - 1)
			return true;
	return false;
}

void rings_reform(struct sim *sim)
{
	uint32_t done = 0;
	bool again = false;

	sim->group.reform_scheduled = false;
	if (somebody_lags(sim)) {
		reform_schedule(sim, sim->profile.token_ms);
		return;
	}
	for (uint32_t i = 0; i < sim->node_count && !sim->failed; i++) {
		uint32_t nodes;

		if (!sim->nodes[i].engine || (done >> i & 1) != 0)
			continue;
		nodes = component_nodes(sim, sim->nodes[i].component, &again);
		done |= nodes;
		if (nodes != 0 && !ring_goes_on(sim, nodes))
			ring_form(sim, nodes);
	}
	if (again)
		rings_break(sim);
	cluster_reformed(sim);
}

void rings_break(struct sim *sim)
{
	bool lost = false;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		for (uint32_t j = 0; node->ring != NULL && j < sim->node_count; j++) {
			const struct node *other = &sim->nodes[j];
			bool in = node->ring->nodes >> j & 1;
			bool hears = other->engine && other->component == node->component;

			if (in != hears || (in && other->ring != node->ring))
				node->ring->broken = true;
			lost |= in && (!hears || other->ring != node->ring);
		}
	}
	reform_schedule(sim, lost ? sim->profile.token_ms : GATHER_MS);
}

void rings_members_changed(struct sim *sim)
{
	sim->group.members_scheduled = false;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct ring *ring = sim->nodes[i].ring;

		if (ring != NULL && !ring->broken)
			ring_members_changed(sim, ring);
	}
}
