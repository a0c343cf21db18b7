/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes wrong: power cuts, dead daemons, failing log devices and legs.
 */
#include <string.h>

#include "sim.h"

static bool node_owns(const struct item *item, void *context)
{
	struct node *node = context;
	struct sim *sim = node->sim;

	if (item->node != node)
		return false;
	switch (item->type) {
	case ITEM_DISK:
		disk_abandon(sim, item->object, false);
		break;
	case ITEM_LEG:
		leg_io_abandon(sim, item->object);
		break;
	case ITEM_HELPER:
		pool_put(sim, POOL_HELPER, item->object);
		break;
	case ITEM_FAULT:
	case ITEM_MEMBERS:
	case ITEM_REFORM:
	case ITEM_NODE_START:
		return false;
	case ITEM_THREAD:
	case ITEM_SOCKET:
	case ITEM_DELIVERY:
	case ITEM_SEND:
	case ITEM_QUORUM:
	case ITEM_ENGINE_START:
	case ITEM_FENCE:
	case ITEM_FENCED:
	case ITEM_CORE_TIMER:
	case ITEM_TICK:
	case ITEM_WORKER_WAKE:
	case ITEM_FLUSHER_WAKE:
	case ITEM_APPLICATION:
	case ITEM_ADMIN:
	case ITEM_STATUS:
	case ITEM_DM_EVENT:
	case ITEM_DAEMON_START:
		break;
	}
	return true;
}

void node_crash(struct sim *sim, struct node *node, bool power_cut)
{
	if (!node->up)
		return;
	sim->counts.node_crashes++;
	NOTE(sim, "node crash", node->index, power_cut, "node %u: crash%s", node->index,
	     power_cut ? ", power cut of the legs as well" : "");
	node->up = false;
	schedule_drop(sim, node_owns, node);
	daemon_crash(sim, node);
	kept_forget_all(node);
	node->group.delivery_scheduled = node->group.send_scheduled = false;
	node->quorum_scheduled = false;
	engine_stop(sim, node);
	node->watchdog_ms = node->paused_ms = node->daemon_paused_ms = 0;
	node->was_quorate = false;
	node->disk_path_failed = false;
	node->leg_path_failed = 0;
	node->failed = 0;
	node->listener = false;
	node->socket_count = 0;
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct mirror *mirror = &sim->mirrors[i];

		application_crash(mirror, node);
		for (uint32_t leg = 0; leg < mirror->leg_count; leg++)
			mirror->legs[leg].flush_errors &= ~(UINT32_C(1) << node->index);
		change_node_gone(mirror, node);
		memset(&node->devs[i], 0, sizeof(node->devs[i]));
		if (power_cut) {
			mirror_power_cut(sim, mirror);
			continue;
		}
		clean_renew(sim, mirror);
		clean_note_may_copy(sim, mirror, false);
	}
	schedule_in(sim, 1 + rng_below(&sim->rng, sim->profile.boot_ms), ITEM_NODE_START, node,
		    NULL);
}

void mirror_power_cut(struct sim *sim, struct mirror *mirror)
{
	NOTE(sim, "power cut", mirror->index, 0, "mirror %u: the legs lose their caches",
	     mirror->index);
	for (uint32_t leg = 0; leg < mirror->leg_count; leg++)
		leg_cache_lost(sim, mirror, leg);
	application_power_cut(mirror);
	clean_renew(sim, mirror);
	clean_note_may_copy(sim, mirror, false);
}

static void thread_of_dev(struct kthread *thread, struct dmdev *dev, const char *name,
			  void (*run)(struct sim *, struct kthread *))
{
	thread->node = dev->node;
	thread->dev = dev;
	thread->name = name;
	thread->run = run;
}

void node_start(struct sim *sim, struct node *node)
{
	NOTE(sim, "node start", node->index, 0, "node %u: boots", node->index);
	for (uint32_t i = 0; i < sizeof(node->boot_id); i++)
		node->boot_id[i] = (uint8_t)rng_next(&sim->rng);
	node->up = true;
	node->seq = rng_below(&sim->rng, 1000);
	node->remote_limit_ms = 0;
	node->served = 0;
	node->daemon.incarnation = 0;
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct dmdev *dev = &node->devs[i];

		memset(dev, 0, sizeof(*dev));
		dev->node = node;
		dev->blocked = dev->dmf_suspended = true; /* until it is resumed */
		dev->mirror = &sim->mirrors[i];
		thread_of_dev(&dev->admin, dev, "dmsetup", dm_run);
		thread_of_dev(&dev->status, dev, "dmsetup status", status_run);
		for (uint32_t p = 0; p < PROVOCATIONS_MAX; p++)
			thread_of_dev(&dev->provocations[p], dev, "provocation", status_run);
		schedule(sim, ITEM_ADMIN, node, dev);
		schedule_in(sim, 1, ITEM_APPLICATION, node, dev);
		schedule_in(sim, 1, ITEM_STATUS, node, dev);
	}
	schedule_in(sim, 1000, ITEM_TICK, node, NULL);
	if (rng_one_in(&sim->rng, 2))
		engine_start(sim, node);
	else
		schedule_in(sim, rng_below(&sim->rng, 2000), ITEM_ENGINE_START, node, NULL);
	daemon_start(sim, node);
}

static void disk_fault(struct sim *sim, struct node *node)
{
	struct mirror *mirror = &sim->mirrors[rng_below(&sim->rng, sim->mirror_count)];
	struct disk *disk = mirror->disk;

	if (rng_one_in(&sim->rng, 4))
		disk->read_only = true;
	else
		disk->broken = true;
	NOTE(sim, "disk fault", disk->minor, disk->broken, "disk %u: %s", disk->minor,
	     disk->broken ? "broken" : "read-only");
	schedule_in(sim, 1 + rng_below(&sim->rng, 20000), ITEM_FAULT, node, disk);
}

/* The end of a fault of a log device. */
static void disk_heal(struct sim *sim, struct disk *disk)
{
	disk->broken = disk->read_only = false;
	disk->last_error_ms = sim->now_ms;
	NOTE(sim, "disk heals", disk->minor, 0, "disk %u: heals", disk->minor);
}

static void leg_fault(struct sim *sim)
{
	struct mirror *mirror = &sim->mirrors[rng_below(&sim->rng, sim->mirror_count)];
	uint32_t at = rng_below(&sim->rng, mirror->leg_count);
	struct leg *leg = &mirror->legs[at];
	uint32_t kind = rng_below(&sim->rng, 5);

	for (uint32_t i = 0; i < mirror->leg_count; i++) {
		const struct leg *other = &mirror->legs[i];

		if (i != at && (other->dead || other->reads_fail || other->writes_fail ||
				other->suspect || other->flush_fails_once))
			return; /* one at a time */
	}
	sim->counts.legs_failed++;
	switch (kind) {
	case 0:
		leg->dead = true;
		break;
	case 1:
		leg->reads_fail = true;
		break;
	case 2:
		leg->writes_fail = true;
		break;
	case 3:
		leg->flush_fails_once = true;
		break;
	default:
		leg->dead = leg->reads_fail = leg->writes_fail = false;
		break;
	}
	NOTE(sim, "leg fault", at, kind, "mirror %u: leg %u: %s", mirror->index, at,
	     kind == 0 ? "dead" :
	     kind == 1 ? "fails reads" :
	     kind == 2 ? "fails writes" :
	     kind == 3 ? "will fail a flush and lose its cache" :
			 "works again");
}

static void fault_node_crash(struct sim *sim, struct node *node)
{
	/* the legs are shared: they lose power when all nodes do */
	node_crash(sim, node, sim->node_count == 1 && rng_one_in(&sim->rng, 2));
}

static void fault_leg(struct sim *sim, struct node *node)
{
	(void)node;
	leg_fault(sim);
}

static void fault_network(struct sim *sim, struct node *node)
{
	network_cut(sim);
	schedule_in(sim, 1 + rng_below(&sim->rng, sim->profile.cut_ms), ITEM_FAULT, node,
		    &sim->group);
}

static void fault_all_nodes(struct sim *sim, struct node *node)
{
	(void)node;
	fault_all(sim);
}

static void fault_each_node(struct sim *sim, struct node *node)
{
	(void)node;
	fault_each(sim);
}

void fault_ends(struct sim *sim, struct node *node, void *object)
{
	if (object == node)
		node_pause_ends(sim, node);
	else if (object == &sim->group)
		network_heal(sim);
	else if (object == &node->disk_path_failed)
		paths_heal(sim, node);
	else
		disk_heal(sim, object);
}

void fault_next(struct sim *sim)
{
	const struct profile *profile = &sim->profile;
	const struct {
		uint32_t weight;
		void (*begin)(struct sim *sim, struct node *node);
	} faults[] = {
		{ profile->weight_node_crash, fault_node_crash },
		{ profile->weight_daemon_crash, daemon_kill },
		{ profile->weight_disk, disk_fault },
		{ profile->weight_leg, fault_leg },
		{ profile->weight_partition, fault_network },
		{ profile->weight_engine, fault_engine },
		{ profile->weight_pause, fault_pause },
		{ profile->weight_all, fault_all_nodes },
		{ profile->weight_path, fault_path },
		{ 2 * profile->weight_operator, fault_control },
		{ profile->weight_operator, fault_fail },
		{ profile->weight_each, fault_each_node },
	};
	uint32_t total = 0, dice, at = 0;

	for (uint32_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		total += faults[i].weight;
	sim->fault_event = sim->event + 1 + rng_below(&sim->rng, 2 * profile->fault_events);
	if (total == 0)
		return;
	dice = rng_below(&sim->rng, total);
	while (dice >= faults[at].weight)
		dice -= faults[at++].weight;
	faults[at].begin(sim, &sim->nodes[rng_below(&sim->rng, sim->node_count)]);
}

void faults_stop(struct sim *sim)
{
	struct profile *profile = &sim->profile;

	profile->slow_io_one_in = profile->disk_error_one_in = profile->lost_request_one_in = 0;
	profile->try_again_one_in = profile->slow_copy_one_in = 0;
	profile->slow_copy_write_one_in = profile->slow_base_one_in = 0;
	profile->slow_head_one_in = 0;
	network_heal(sim);
	for (uint32_t i = 0; i < sim->node_count; i++) {
		/* Its corosync is back before the watchdog would have bitten: nobody may take it for dead. */
		if (sim->nodes[i].watchdog_ms > sim->now_ms)
			schedule_in(sim, 0, ITEM_ENGINE_START, &sim->nodes[i], NULL);
		sim->nodes[i].paused_ms = sim->nodes[i].daemon_paused_ms = 0;
		sim->nodes[i].watchdog_ms = 0;
		sim->nodes[i].daemon.effects_left = 0;
		paths_heal(sim, &sim->nodes[i]);
		schedule_in(sim, rng_below(&sim->rng, 5000), ITEM_NODE_START, &sim->nodes[i], NULL);
		schedule_in(sim, rng_below(&sim->rng, 5000), ITEM_DAEMON_START, &sim->nodes[i],
			    NULL);
	}
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct mirror *mirror = &sim->mirrors[i];

		for (uint32_t j = 0; j < SIM_DISKS_MAX; j++)
			disk_heal(sim, mirror->disks[j]);
		for (uint32_t j = 0; j < mirror->leg_count; j++) {
			struct leg *leg = &mirror->legs[j];

			leg->dead = leg->reads_fail = leg->writes_fail = false;
			leg->flush_fails_once = false;
		}
	}
}
