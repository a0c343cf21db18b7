/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes wrong between nodes: the network is cut and heals, corosync ends, daemons and nodes pause, all go at once.
 */
#include "sim.h"

static void network_set(struct sim *sim, struct node *node, uint32_t component)
{
	node->component = component;
	NOTE(sim, "network", node->index, component, "node %u: in part %u of the network",
	     node->index, component);
}

void network_cut(struct sim *sim)
{
	uint32_t parts = sim->node_count > 2 && rng_one_in(&sim->rng, 4) ? 3 : 2;
	uint32_t first = sim->group.components + 1;

	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].component != 0 && !rng_one_in(&sim->rng, 8))
			return; /* one at a time, as a rule */
	sim->group.components += parts;
	sim->group.departures = true;
	sim->counts.partitions++;
	for (uint32_t i = 0; i < sim->node_count; i++)
		network_set(sim, &sim->nodes[i], first + rng_below(&sim->rng, parts));
	rings_break(sim);
}

void network_heal(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		network_set(sim, &sim->nodes[i], 0);
	rings_break(sim);
}

/* The node stands still, as a virtual machine does: to the others it is gone. */
static void node_pause(struct sim *sim, struct node *node, uint64_t duration_ms)
{
	node->paused_ms = sim->now_ms + duration_ms;
	sim->group.departures = true;
	network_set(sim, node, ++sim->group.components);
	rings_break(sim);
	schedule_in(sim, duration_ms, ITEM_FAULT, node, node);
}

void node_pause_ends(struct sim *sim, struct node *node)
{
	network_set(sim, node, 0);
	rings_break(sim);
}

void fault_pause(struct sim *sim, struct node *node)
{
	uint64_t duration_ms = 100 + rng_below(&sim->rng, rng_one_in(&sim->rng, 4) ? 30000 : 3000);

	if (!node->up || node->paused_ms > sim->now_ms)
		return;
	sim->counts.pauses++;
	NOTE(sim, "pause", node->index, duration_ms, "node %u: pauses for %u ms", node->index,
	     (unsigned int)duration_ms);
	/* no watchdog covers a machine that stands still, watchdog and all */
	if (sim->node_count > 1 && sim->profile.proof != PROOF_TIME && rng_one_in(&sim->rng, 2))
		node_pause(sim, node, duration_ms);
	else
		node->daemon_paused_ms = sim->now_ms + duration_ms;
}

/* A host adapter, as it were: log devices or a leg cannot be reached from one node. */
void fault_path(struct sim *sim, struct node *node)
{
	if (!node->up)
		return;
	if (rng_one_in(&sim->rng, 2)) {
		node->disk_path_failed = true;
	} else {
		node->leg_path_failed |= UINT32_C(1) << rng_below(&sim->rng, SIM_LEGS_MAX);
		sim->counts.legs_failed++;
	}
	NOTE(sim, "paths", node->index, node->leg_path_failed, "node %u: no path to %s, legs %x",
	     node->index, node->disk_path_failed ? "log devices" : "nothing",
	     node->leg_path_failed);
	schedule_in(sim, 1 + rng_below(&sim->rng, 20000), ITEM_FAULT, node,
		    &node->disk_path_failed);
}

void paths_heal(struct sim *sim, struct node *node)
{
	node->disk_path_failed = false;
	node->leg_path_failed = 0;
	NOTE(sim, "paths heal", node->index, 0, "node %u: paths heal", node->index);
}

/* The operator pauses or limits the copying of a mirror on all nodes, or lets it go on. */
void fault_control(struct sim *sim, struct node *node)
{
	const struct mirror *mirror = &sim->mirrors[rng_below(&sim->rng, sim->mirror_count)];
	struct input input = { .type = INPUT_CONTROL, .control = { .uuid = mirror->uuid } };

	input.control.paused = sim->phase == PHASE_RUN && rng_one_in(&sim->rng, 2);
	if (sim->phase == PHASE_RUN && rng_one_in(&sim->rng, 2))
		input.control.bytes_per_second = RESYNC_BYTES_PER_SECOND_MIN;
	NOTE(sim, "control", input.control.paused, input.control.bytes_per_second,
	     "node %u: copying of %s is %s", node->index, mirror->uuid,
	     input.control.paused ? "paused" : "not paused");
	daemon_step(sim, node, &input);
}

/* The operator ends all waits of a mirror on a node. */
void fault_fail(struct sim *sim, struct node *node)
{
	const struct mirror *mirror = &sim->mirrors[rng_below(&sim->rng, sim->mirror_count)];
	struct input input = { .type = INPUT_FAIL, .fail_uuid = mirror->uuid };

	NOTE(sim, "fail", mirror->index, 0, "node %u: the operator ends the waits of %s",
	     node->index, mirror->uuid);
	node->failed |= UINT32_C(1) << mirror->index;
	sim->group.departures = true; /* what it held is lost by others */
	daemon_step(sim, node, &input);
}

bool disk_fails(const struct node *node, const struct disk *disk)
{
	return disk->broken || node->disk_path_failed;
}

void fault_engine(struct sim *sim, struct node *node)
{
	if (!node->engine)
		return;
	sim->counts.engine_restarts++;
	engine_stop(sim, node);
	schedule_in(sim, 1 + rng_below(&sim->rng, 5000), ITEM_ENGINE_START, node, NULL);
}

/* All nodes lose power, or all daemons die. */
void fault_all(struct sim *sim)
{
	bool cut = rng_one_in(&sim->rng, 2), legs = rng_one_in(&sim->rng, 2);

	for (uint32_t i = 0; i < sim->node_count; i++) {
		if (cut)
			node_crash(sim, &sim->nodes[i], false);
		else
			daemon_kill(sim, &sim->nodes[i]);
	}
	for (uint32_t i = 0; cut && legs && i < sim->mirror_count; i++)
		mirror_power_cut(sim, &sim->mirrors[i]);
}

/* Every node loses power, or its daemon alone. */
void fault_each(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		if (rng_one_in(&sim->rng, 2))
			node_crash(sim, &sim->nodes[i], false);
		else
			daemon_kill(sim, &sim->nodes[i]);
	}
}

bool item_pauses(const struct sim *sim, const struct item *item, uint64_t *ret_until_ms)
{
	const struct node *node = item->node;

	if (node == NULL)
		return false;
	*ret_until_ms = node->paused_ms;
	switch (item->type) {
	case ITEM_SOCKET:
	case ITEM_DELIVERY:
	case ITEM_HELPER:
	case ITEM_CORE_TIMER:
	case ITEM_DM_EVENT:
	case ITEM_DISK:
	case ITEM_QUORUM:
	case ITEM_FENCED:
		if (node->daemon_paused_ms > *ret_until_ms)
			*ret_until_ms = node->daemon_paused_ms;
		break;
	case ITEM_FAULT:
	case ITEM_NODE_START:
	case ITEM_ENGINE_START:
	case ITEM_DAEMON_START:
	case ITEM_MEMBERS:
	case ITEM_REFORM:
		return false;
	case ITEM_THREAD:
	case ITEM_FENCE:
	case ITEM_SEND:
	case ITEM_LEG:
	case ITEM_TICK:
	case ITEM_WORKER_WAKE:
	case ITEM_FLUSHER_WAKE:
	case ITEM_APPLICATION:
	case ITEM_ADMIN:
	case ITEM_STATUS:
		break;
	}
	return *ret_until_ms > sim->now_ms;
}
