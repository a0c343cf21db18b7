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
	case ITEM_NODE_START:
		return false;
	case ITEM_THREAD:
	case ITEM_SOCKET:
	case ITEM_DELIVERY:
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
	node->listener = false;
	node->socket_count = 0;
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct mirror *mirror = &sim->mirrors[i];

		if (power_cut)
			for (uint32_t leg = 0; leg < mirror->leg_count; leg++)
				leg_cache_lost(sim, mirror, leg);
		application_crash(sim, mirror);
		memset(&node->devs[i], 0, sizeof(node->devs[i]));
		clean_renew(sim, mirror);
		clean_note_may_copy(sim, mirror, false);
	}
	schedule_in(sim, 1 + rng_below(&sim->rng, 60000), ITEM_NODE_START, node, NULL);
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

void faults_next(struct sim *sim, struct node *node, void *object)
{
	const struct profile *profile = &sim->profile;
	uint32_t total = profile->weight_node_crash + profile->weight_daemon_crash +
			 profile->weight_disk + profile->weight_leg;
	uint32_t dice;

	if (object != NULL) {
		disk_heal(sim, object);
		return;
	}
	if (sim->phase != PHASE_RUN || total == 0)
		return;
	schedule_in(sim, 1 + rng_below(&sim->rng, profile->fault_ms), ITEM_FAULT, node, NULL);
	dice = rng_below(&sim->rng, total);
	if (dice < profile->weight_node_crash) {
		node_crash(sim, node, rng_one_in(&sim->rng, 2));
		return;
	}
	dice -= profile->weight_node_crash;
	if (dice < profile->weight_daemon_crash) {
		if (!node->daemon.alive)
			return;
		sim->counts.daemon_crashes++;
		daemon_crash(sim, node);
		schedule_in(sim, rng_below(&sim->rng, 20000), ITEM_DAEMON_START, node, NULL);
		return;
	}
	dice -= profile->weight_daemon_crash;
	if (dice < profile->weight_disk)
		disk_fault(sim, node);
	else
		leg_fault(sim);
}

void faults_stop(struct sim *sim)
{
	struct profile *profile = &sim->profile;

	profile->slow_io_one_in = profile->disk_error_one_in = profile->lost_request_one_in = 0;
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
