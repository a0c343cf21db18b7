/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 5, second half: when faults have stopped, every request is answered, every suspend ends, the resync
 * ends with all regions in sync and equal legs, and what is removed leaves a log device that the kernel understands.
 */
#include <inttypes.h>

#include "sim.h"

/* Of one question, when nothing fails: the reconnect loop and a resend are in it. */
#define ANSWER_LIMIT_MS 120000

static void check_thread(struct sim *sim, const struct kthread *thread)
{
	uint64_t since_ms = thread->asked_ms > sim->settle_ms ? thread->asked_ms : sim->settle_ms;

	if (thread->call != CALL_NONE && sim->now_ms - since_ms > ANSWER_LIMIT_MS)
		violate(sim, "5", "%s waits for the answer to %s since %" PRIu64 " ms",
			thread->name, request_type_name(thread->request.type),
			sim->now_ms - thread->asked_ms);
}

/* No answer for 15 s stalls the mirror: where nothing is lost and nothing is slow it must not come up. */
void resend_check(struct sim *sim, const struct kthread *thread)
{
	if (!sim->profile.punctual)
		return;
	violate(sim, "5", "no answer to %s seq %u of %s for 15 s",
		request_type_name(thread->request.type), thread->seq, thread->name);
}

void liveness_check(struct sim *sim, struct node *node)
{
	if (sim->phase == PHASE_RUN)
		return;
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct dmdev *dev = &node->devs[i];

		check_thread(sim, &dev->admin);
		check_thread(sim, &dev->status);
		for (uint32_t p = 0; p < PROVOCATIONS_MAX; p++)
			check_thread(sim, &dev->provocations[p]);
		for (uint32_t j = 0; j < TABLES_MAX; j++) {
			check_thread(sim, &dev->tables[j].worker);
			check_thread(sim, &dev->tables[j].flusher);
		}
	}
}

/* More nodes are without a slot than slots are missing. */
static bool slot_is_free(const struct sim *sim, const struct mirror *mirror)
{
	uint32_t with = 0;

	for (uint32_t i = 0; i < sim->node_count; i++) {
		struct core_view view;

		if (view_of_mirror(&sim->nodes[i], mirror, &view) && !view.by_proxy)
			with++;
	}
	return with < sim->profile.config.slot_count;
}

/* NULL, or what this device still has to do. */
static const char *dev_unsettled(const struct dmdev *dev, uint64_t *ret_number)
{
	const struct table *table = dev->active;
	struct core_log_status status;
	struct core_view view;

	*ret_number = 0; /* a device of a node that is down is all zero */
	if (dev->node == NULL || !dev->node->up || !dev->node->daemon.alive)
		return "node or daemon is down";
	if (member_has_news(&dev->node->group))
		return "what the group has ordered is not delivered"; /* the daemon was paused */
	if (table == NULL || dev->suspended || dev->inactive != NULL)
		return "no live table";
	*ret_number = dev->admin.step;
	if (!dm_idle(dev))
		return "an ioctl is under way, step";
	*ret_number = dev->outstanding;
	if (dev->outstanding > 0)
		return "I/O of the application is outstanding";
	if (table->work_running || table->work_queued)
		return "kmirrord is at work";
	if (dev->status.step != 0)
		return "a status ioctl is at work";
	if (!view_of_mirror(dev->node, dev->mirror, &view) || !view.open || view.failed)
		return "the core's log is not open";
	if (view.by_proxy && slot_is_free(dev->node->sim, dev->mirror))
		return "another node holds for it, and a slot is free";
	if (core_log_status(dev->node->daemon.core, view.index, &status) == 0 && status.legs_failed)
		return "a leg counts as failed";
	/* What it held may be lost yet: a slow log device lets it be read long after all has been copied that was known. */
	if (view.unmerged)
		return "the slot of a member that left is not merged";
	*ret_number = view.out_count;
	if (view.out_count > 0)
		return "regions are out of sync";
	if (view.everything_held)
		return "everything is held";
	return NULL;
}

static void legs_check(struct sim *sim, const struct mirror *mirror)
{
	for (uint32_t cell = 0; cell < mirror->geometry.cell_count; cell++)
		if (!cell_equal(mirror, cell, false)) {
			violate(sim, "5", "all in sync, and the legs differ in cell %u", cell);
			return;
		}
}

bool settle_check(struct sim *sim, char *reason, size_t reason_bytes)
{
	for (uint32_t i = 0; i < sim->node_count; i++) {
		for (uint32_t j = 0; j < sim->mirror_count; j++) {
			uint64_t number;
			const char *why = dev_unsettled(&sim->nodes[i].devs[j], &number);

			if (why == NULL)
				continue;
			snprintf(reason, reason_bytes, "node %u mirror %u: %s (%" PRIu64 ")", i, j,
				 why, number);
			return false;
		}
	}
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		legs_check(sim, &sim->mirrors[i]);
	return true;
}

static void check_closed_disk(struct sim *sim, struct mirror *mirror)
{
	const struct disk *disk = mirror->disk;
	const struct geometry *geometry = &mirror->geometry;
	struct disk_superblock superblock;
	struct disk_header header = { 0 };

	if (disk_header_decode(disk->bytes, &header) < 0 ||
	    header.nr_regions != geometry->region_count)
		violate(sim, "5", "closed, and the kernel's header says %" PRIu64 " regions",
			header.nr_regions);
	for (uint64_t region = 0; region < disk_bitmap_bytes(geometry->region_count) * 8;
	     region++) {
		bool set = disk->bytes[DISK_BITMAP_OFFSET_BYTES + region / 8] >> region % 8 & 1;

		/* A proxy that leaves makes lost what it held for others, and who closes last copies no more. */
		if (set != (region < geometry->region_count) && (set || !mirror->was_held_for))
			violate(sim, "5", "closed, and bit %" PRIu64 " of the bitmap is %d", region,
				set);
	}
	if (disk_superblock_decode(disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES, &superblock) < 0 ||
	    superblock.state != DISK_CLOSED)
		violate(sim, "5", "closed, and the superblock does not say so");
}

void close_check(struct sim *sim, struct mirror *mirror)
{
	for (uint32_t i = 0; i < sim->node_count; i++)
		if (sim->nodes[i].daemon.alive && core_table_count(sim->nodes[i].daemon.core) != 0)
			violate(sim, "5", "all mirrors are removed, the core has %u tables",
				core_table_count(sim->nodes[i].daemon.core));
	/* Who has no slot and comes last cannot close: the next opening finds a log in use. */
	if (mirror->truth == TRUTH_DISK && mirror->last_could_write)
		check_closed_disk(sim, mirror);
}
