/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cluster around the group: corosync on each node, quorum, watchdogs, fencing.
 *
 * votequorum: more than half of the nodes, or two_node, where each half is quorate, once it has seen the other
 * (wait_for_all).  News of quorum are not ordered with the group's messages; the last one counts.
 * A node is fenced by one of a quorate ring that it has left: it is crashed, then some daemons are told, perhaps late,
 * perhaps twice; never of a node whose kernel of now has left, too, and runs.  A seed whose daemons take time for
 * a proof has watchdogs instead: a node without quorum is crashed before half of that time has passed.
 */
#include "sim.h"

static uint32_t bits(uint32_t set)
{
	return (uint32_t)__builtin_popcount(set);
}

bool cluster_quorate(const struct sim *sim, const struct node *node)
{
	uint32_t nodes = node->ring == NULL ? 0 : node->ring->nodes;

	if (sim->profile.two_node && bits(nodes) > 0)
		return node->seen_all;
	return 2 * bits(nodes) > sim->node_count;
}

static void quorum_schedule(struct sim *sim, struct node *node)
{
	if (node->quorum_scheduled || !node->daemon.alive)
		return;
	node->quorum_scheduled = true;
	schedule_io(sim, ITEM_QUORUM, node, NULL);
}

void cluster_tell_quorum(struct sim *sim, struct node *node)
{
	uint32_t nodes[SIM_NODES_MAX];
	struct input input = { .type = INPUT_QUORUM, .quorum = { .nodes = nodes } };

	node->quorum_scheduled = false;
	if (!node->engine || node->ring == NULL)
		return;
	for (uint32_t i = 0; i < sim->node_count; i++)
		if ((node->ring->nodes >> i & 1) != 0)
			nodes[input.quorum.node_count++] = i + 1;
	input.quorum.quorate = cluster_quorate(sim, node);
	node->told_nodes = node->ring->nodes;
	node->told_quorate = input.quorum.quorate;
	NOTE(sim, "quorum", node->index, node->ring->nodes, "node %u: %s, nodes %x", node->index,
	     input.quorum.quorate ? "quorate" : "no quorum", node->ring->nodes);
	daemon_step(sim, node, &input);
}

void cluster_ring_formed(struct sim *sim, struct node *node, struct ring *ring)
{
	node->ring = ring;
	node->known = true;
	node->fenced = false;
	node->fencer = NULL;
	if (bits(ring->nodes) == sim->node_count)
		node->seen_all = true;
	node->was_quorate |= cluster_quorate(sim, node);
	quorum_schedule(sim, node);
	member_kick(sim, node);
}

void cluster_ring_repaired(struct sim *sim, const struct ring *ring)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].ring == ring)
			member_kick(sim, &sim->nodes[i]);
}

void cluster_daemon_started(struct sim *sim, struct node *node)
{
	node->told_nodes = 0;
	node->told_quorate = false;
	node->quorum_scheduled = false;
	group_join(sim, node);
	if (node->ring != NULL)
		quorum_schedule(sim, node);
}

/* ---- corosync ---- */

void engine_start(struct sim *sim, struct node *node)
{
	if (node->engine)
		return;
	NOTE(sim, "engine start", node->index, 0, "node %u: corosync starts", node->index);
	node->engine = true;
	node->seen_all = false;
	if (node->daemon.alive)
		group_join(sim, node);
	rings_break(sim);
}

/* Corosync ends, with the node or alone. */
void engine_stop(struct sim *sim, struct node *node)
{
	struct input input = { .type = INPUT_NO_GROUP };

	if (!node->engine)
		return;
	NOTE(sim, "engine stop", node->index, 0, "node %u: corosync ends", node->index);
	node->engine = false;
	sim->group.departures = true;
	group_leave(sim, node);
	if (node->ring != NULL)
		ring_put(sim, node->ring);
	node->ring = NULL;
	node->told_quorate = false;
	rings_break(sim);
	if (node->daemon.alive)
		daemon_step(sim, node, &input);
}

/* ---- fencing ---- */

static bool fencer_lives(const struct sim *sim, const struct node *target)
{
	return target->fencer != NULL && target->fencer->up && target->fencer->ring != NULL &&
	       (target->fencer->ring->nodes >> target->index & 1) == 0 &&
	       cluster_quorate(sim, target->fencer);
}

static void fencing_consider(struct sim *sim, struct node *target)
{
	if (!target->known || target->fenced || fencer_lives(sim, target))
		return;
	target->fencer = NULL;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		if (node->ring == NULL || (node->ring->nodes >> target->index & 1) != 0 ||
		    !cluster_quorate(sim, node) || rng_one_in(&sim->rng, 8))
			continue;
		target->fencer = node;
		schedule_in(sim, rng_below(&sim->rng, sim->profile.fence_ms), ITEM_FENCE, node,
			    target);
		return;
	}
}

void cluster_fence(struct sim *sim, struct node *fencer, struct node *target)
{
	if (target->fencer != fencer || !fencer_lives(sim, target))
		return;
	NOTE(sim, "fence", fencer->index, target->index, "node %u: fences node %u", fencer->index,
	     target->index);
	target->fencer = NULL;
	target->fenced = true;
	sim->counts.fenced++;
	node_crash(sim, target, false);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];
		uint32_t reports = rng_below(&sim->rng, 3);

		for (uint32_t r = node == fencer ? 0 : 1; r <= reports; r++)
			schedule_in(sim,
				    rng_below(&sim->rng, rng_one_in(&sim->rng, 8) ? 60000 : 500),
				    ITEM_FENCED, node, target);
	}
}

void cluster_tell_fenced(struct sim *sim, struct node *node, const struct node *target)
{
	struct input input = { .type = INPUT_FENCED, .fenced = { .node_id = target->index + 1 } };
	uint32_t bit = UINT32_C(1) << target->index;

	/* A boot that came after the fencing and has left, or may seem to have left, is not what was fenced. */
	if (target->up && ((node->told_nodes & bit) == 0 || (node->group.view & bit) == 0))
		return;
	NOTE(sim, "fenced", node->index, target->index, "node %u: hears that node %u was fenced",
	     node->index, target->index);
	daemon_step(sim, node, &input);
}

/* ---- watchdogs ---- */

static void watchdog_consider(struct sim *sim, struct node *node)
{
	uint32_t delay_ms = sim->profile.config.takeover_delay_ms;

	if (!node->up || cluster_quorate(sim, node))
		node->watchdog_ms = 0; /* it was armed when quorum came first */
	else if (node->watchdog_ms == 0 && node->was_quorate)
		node->watchdog_ms = sim->now_ms + 1 + rng_below(&sim->rng, delay_ms / 2);
}

void cluster_reformed(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count && sim->phase == PHASE_RUN; i++) {
		if (sim->profile.proof == PROOF_FENCING)
			fencing_consider(sim, &sim->nodes[i]);
		if (sim->profile.proof == PROOF_TIME)
			watchdog_consider(sim, &sim->nodes[i]);
	}
}

void cluster_watchdogs(struct sim *sim)
{
	if (sim->profile.proof != PROOF_TIME)
		return;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct node *node = &sim->nodes[i];

		if (node->watchdog_ms == 0 || node->watchdog_ms > sim->now_ms || !node->up)
			continue;
		NOTE(sim, "watchdog", node->index, 0, "node %u: the watchdog bites", node->index);
		sim->counts.watchdogs++;
		node_crash(sim, node, false);
	}
}
