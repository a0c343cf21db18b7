/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out what a core wants: the simulator's stand-in for the daemon's shell.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static const char *const event_names[] = {
	[EVENT_CTR_REFUSED] = "CTR refused",
	[EVENT_OPENED] = "opened",
	[EVENT_OPEN_FAILED] = "open failed",
	[EVENT_CLOSED] = "closed",
	[EVENT_CLOSE_FAILED] = "close failed",
	[EVENT_WAITING_FOR_SLOT] = "waiting for slot",
	[EVENT_DEVICE_FAILED] = "log device failed",
	[EVENT_DEVICE_RECOVERED] = "log device recovered",
	[EVENT_LEG_FAILED] = "leg failed",
	[EVENT_LEG_FLUSH_FAILED] = "leg flush failed",
	[EVENT_REGION_LOST] = "region lost",
	[EVENT_COPY_FAILED] = "copy failed",
	[EVENT_IN_SYNC] = "in sync",
	[EVENT_LEGS_UNREADABLE] = "legs unreadable",
	[EVENT_CONFLICT] = "conflict",
	[EVENT_REFUSED] = "refused",
	[EVENT_UNKNOWN_PAST] = "unknown past",
	[EVENT_KNOWN_PAST] = "known past",
};

static struct dmdev *dev_of_uuid(struct sim *sim, struct node *node, const char *uuid)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		if (strcmp(sim->mirrors[i].uuid, uuid) == 0)
			return &node->devs[i];
	return NULL;
}

/* INPUT_PROVOKED at once when there is no live table; else a status ioctl, whose end nobody waits for here. */
static void provoked(struct sim *sim, struct node *node, const struct helper *helper)
{
	struct dmdev *dev = dev_of_uuid(sim, node, helper->uuid);
	struct input input = { .type = INPUT_PROVOKED,
			       .provoked = { .luid = helper->luid, .status = -ENODEV } };

	NOTE(sim, "provoke", 0, 0, "node %u: provokes a request of %s", node->index, helper->uuid);
	if (dev == NULL || dev->active == NULL) {
		daemon_step(sim, node, &input);
		return;
	}
	for (uint32_t p = 0; p < PROVOCATIONS_MAX; p++) {
		if (dev->provocations[p].step != 0)
			continue;
		thread_wake(sim, &dev->provocations[p]);
		return;
	}
}

static void helper_begin(struct sim *sim, struct node *node, enum helper_kind kind, uint32_t id,
			 const struct effect *effect)
{
	struct helper *helper = pool_get(sim, POOL_HELPER);

	helper->kind = kind;
	helper->id = id;
	if (kind == HELPER_OPEN_DEVICE) {
		helper->minor = effect->device.minor;
	} else if (kind != HELPER_CLOSE_DEVICE) {
		memcpy(helper->uuid, effect->table.uuid, strlen(effect->table.uuid) + 1);
		helper->luid = effect->table.luid;
	}
	NOTE(sim, "helper", kind, id, "node %u: helper %d for %u", node->index, (int)kind, id);
	schedule_io(sim, ITEM_HELPER, node, helper);
}

static void close_device(struct sim *sim, struct node *node, const struct effect *effect)
{
	struct daemon_log *log = &node->daemon.logs[effect->device.log];

	if (log->disk == NULL || log->io > 0)
		violate(sim, "5", "log %u: device closed, %s", effect->device.log,
			log->disk == NULL ? "was not open" : "I/O is under way");
	log->disk = NULL;
	helper_begin(sim, node, HELPER_CLOSE_DEVICE, effect->device.log, effect);
}

static bool legs_open(struct sim *sim, struct node *node, uint32_t table, const char *what)
{
	if (table < CORE_TABLES_MAX && node->daemon.tables[table].live != NULL)
		return true;
	violate(sim, "3", "%s with table %u, whose legs are not open", what, table);
	return false;
}

static void close_legs(struct sim *sim, struct node *node, const struct effect *effect)
{
	struct daemon_table *table = &node->daemon.tables[effect->table.table];

	if (!legs_open(sim, node, effect->table.table, "close"))
		return;
	if (table->work > 0)
		violate(sim, "3", "legs of table %u closed, %u copies or flushes are under way",
			effect->table.table, table->work);
	table->live = NULL;
	helper_begin(sim, node, HELPER_CLOSE_LEGS, effect->table.table, effect);
}

static void flush_legs(struct sim *sim, struct node *node, const struct effect *effect)
{
	struct daemon_table *table = &node->daemon.tables[effect->table.table];

	if (!legs_open(sim, node, effect->table.table, "flush"))
		return;
	table->work++;
	NOTE(sim, "flush legs", effect->table.table, 0, "node %u: daemon flushes the legs",
	     node->index);
	legs_flush_for_daemon(sim, node, table->live->mirror, effect->table.table);
}

void daemon_schedule_timer(struct sim *sim, struct node *node)
{
	struct daemon_process *daemon = &node->daemon;
	uint64_t deadline_ms = daemon->deadline_ms;

	if (deadline_ms == UINT64_MAX || deadline_ms >= daemon->scheduled_ms)
		return;
	if (deadline_ms < sim->now_ms)
		deadline_ms = sim->now_ms;
	daemon->scheduled_ms = deadline_ms;
	schedule_in(sim, deadline_ms - sim->now_ms, ITEM_CORE_TIMER, node, NULL);
}

static void copy(struct sim *sim, struct node *node, const struct effect *effect)
{
	if (!legs_open(sim, node, effect->copy.table, "copy"))
		return;
	NOTE(sim, "copy", effect->copy.region, effect->copy.table, "node %u: copy region %" PRIu64,
	     node->index, effect->copy.region);
	legs_copy(sim, node, &effect->copy);
}

static void note_unknown(struct dmdev *dev, uint64_t luid)
{
	dev->unknown_past = true;
	dev->unknown_luid = luid;
}

static void carry_out(struct sim *sim, struct node *node, const struct effect *effect)
{
	switch (effect->type) {
	case EFFECT_ANSWER:
		kernel_answer(sim, node, &effect->answer);
		break;
	case EFFECT_MULTICAST:
		group_multicast(sim, node, &effect->message);
		break;
	case EFFECT_OPEN_DEVICE:
		helper_begin(sim, node, HELPER_OPEN_DEVICE, effect->device.log, effect);
		break;
	case EFFECT_CLOSE_DEVICE:
		close_device(sim, node, effect);
		break;
	case EFFECT_READ:
		disk_read(sim, node, &effect->io);
		break;
	case EFFECT_WRITE:
		disk_write(sim, node, &effect->io);
		break;
	case EFFECT_OPEN_LEGS:
		helper_begin(sim, node, HELPER_OPEN_LEGS, effect->table.table, effect);
		break;
	case EFFECT_CLOSE_LEGS:
		close_legs(sim, node, effect);
		break;
	case EFFECT_FLUSH_LEGS:
		flush_legs(sim, node, effect);
		break;
	case EFFECT_READ_HEALTH:
		helper_begin(sim, node, HELPER_READ_HEALTH, effect->table.table, effect);
		break;
	case EFFECT_COPY:
		copy(sim, node, effect);
		break;
	case EFFECT_SET_TIMER:
		node->daemon.deadline_ms = effect->deadline_ms;
		daemon_schedule_timer(sim, node);
		break;
	case EFFECT_RELEASE_MEMORY:
		daemon_release(sim, node, effect->release.memory);
		kept_release(sim, node, effect->release.kept);
		break;
	case EFFECT_PROVOKE:
		helper_begin(sim, node, HELPER_PROVOKE, effect->table.table, effect);
		break;
	case EFFECT_EVENT:
		if (effect->event.event == EVENT_UNKNOWN_PAST)
			note_unknown(dev_of_uuid(sim, node, effect->event.uuid),
				     effect->event.luid);
		NOTE(sim, "event", effect->event.event, effect->event.number,
		     "node %u: event \"%s\" region %" PRIu64 " number %" PRIu64 " status %d %s",
		     node->index, event_names[effect->event.event], effect->event.region,
		     effect->event.number, effect->event.status, effect->event.text);
		break;
	}
}

void daemon_effect(void *context, const struct effect *effect)
{
	struct node *node = context;

	if (node->sim->failed || !kept_before_effect(node))
		return;
	carry_out(node->sim, node, effect);
	kept_after_effect(node);
}

static void open_device_done(struct sim *sim, struct node *node, const struct helper *helper)
{
	struct disk *disk = world_disk(sim, helper->minor);
	struct input input = { .type = INPUT_DEVICE_OPENED, .device = { .log = helper->id } };

	for (uint32_t i = 0; i < DISK_ID_BYTES; i++)
		input.device.random_id[i] = (uint8_t)rng_next(&sim->rng);
	if (disk == NULL || disk_fails(node, disk)) {
		input.device.status = -ENXIO;
	} else if (disk->read_only) {
		input.device.status = -EROFS;
	} else {
		input.device.device_bytes = disk->device_bytes;
		input.device.block_bytes = disk->block_bytes;
		node->daemon.logs[helper->id].disk = disk;
	}
	NOTE(sim, "device opened", helper->minor, (uint64_t)-input.device.status,
	     "node %u: log device %u opened, status %d", node->index, helper->minor,
	     input.device.status);
	daemon_step(sim, node, &input);
}

/* INPUT_LEGS_OPENED and INPUT_HEALTH. */
static void letters_done(struct sim *sim, struct node *node, const struct helper *helper,
			 enum input_type type)
{
	struct dmdev *dev = dev_of_uuid(sim, node, helper->uuid);
	struct input input = { .type = type, .legs = { .table = helper->id } };
	struct table *live = dev == NULL ? NULL : dev->active;

	if (live == NULL) {
		input.legs.status = -ENODEV;
	} else if (rng_one_in(&sim->rng, sim->profile.disk_error_one_in)) {
		input.legs.status = -EIO;
		sim->counts.legs_failed++;
	} else {
		input.legs.suspended = dev->dmf_suspended;
		input.legs.leg_count = live->mirror->leg_count;
		for (uint32_t i = 0; i < input.legs.leg_count; i++)
			live->letters_told |= (input.legs.letters[i] = raid1_letter(live, i)) !=
					      'A';
		if (type == INPUT_LEGS_OPENED)
			node->daemon.tables[helper->id].live = live;
	}
	NOTE(sim, "letters", helper->id, (uint64_t)-input.legs.status,
	     "node %u: %s of table %u: status %d, letters %s", node->index,
	     type == INPUT_HEALTH ? "health" : "legs", helper->id, input.legs.status,
	     input.legs.letters);
	daemon_step(sim, node, &input);
}

void helper_done(struct sim *sim, struct node *node, struct helper *helper)
{
	struct helper done = *helper;
	struct input input = { .type = INPUT_DEVICE_CLOSED };

	pool_put(sim, POOL_HELPER, helper);
	switch (done.kind) {
	case HELPER_OPEN_DEVICE:
		open_device_done(sim, node, &done);
		break;
	case HELPER_CLOSE_DEVICE:
		input.log = done.id;
		NOTE(sim, "device closed", done.id, 0, "node %u: log device of %u closed",
		     node->index, done.id);
		daemon_step(sim, node, &input);
		break;
	case HELPER_OPEN_LEGS:
		letters_done(sim, node, &done, INPUT_LEGS_OPENED);
		break;
	case HELPER_CLOSE_LEGS:
		input.type = INPUT_LEGS_CLOSED;
		input.legs = (struct input_legs){ .table = done.id };
		NOTE(sim, "legs closed", done.id, 0, "node %u: legs of table %u closed",
		     node->index, done.id);
		daemon_step(sim, node, &input);
		break;
	case HELPER_PROVOKE:
		provoked(sim, node, &done);
		break;
	case HELPER_READ_HEALTH:
		letters_done(sim, node, &done, INPUT_HEALTH);
		break;
	}
}
