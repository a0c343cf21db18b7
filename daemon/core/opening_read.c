/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, first half: reading the log device and deciding what it says.
 *
 *   kernel header      | superblock | what holds
 *   bad magic          | any        | nothing is in sync
 *   nr_regions != 0    | none       | the kernel's log: its bitmap, below nr_regions
 *   nr_regions != 0    | closed     | the same: we, or the kernel since, closed it
 *   nr_regions != 0    | in use     | somebody took the log over while we had it: its bitmap; our slots are void (F20)
 *   nr_regions == 0    | in use     | we had it and died: bitmap and slots
 *   nr_regions == 0    | other      | nothing is in sync
 *
 * Another region size in the superblock: nothing is in sync.  LVM's nr_regions of 2^64-1 is a valid number.
 * Slots are merged when their owner is proven stopped: our own, or of another boot of this machine, or of another boot of the
 * same node of the same cluster (H12), or what the group has as proof (proof.c).  A single node is a cluster of its own: there
 * only the machine counts, and --takeover-delay since our own start.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

#define HEAD_BYTES 4096

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The superblock does not know the size of its device, which may have shrunk since. */
static bool slots_fit(const struct log *log)
{
	const struct disk_superblock *old = &log->opening.old;

	return old->slot_offset_bytes < log->device_bytes &&
	       (log->device_bytes - old->slot_offset_bytes) / old->slot_bytes >= old->slot_count;
}

static void decide(struct log *log)
{
	struct opening *opening = &log->opening;
	const uint8_t *head = log->base.wanted;
	struct disk_header header = { .nr_regions = 0 };
	int header_status = disk_header_decode(head + DISK_HEADER_OFFSET_BYTES, &header);
	int superblock_status =
		disk_superblock_decode(head + DISK_SUPERBLOCK_OFFSET_BYTES, &opening->old);
	bool in_use = superblock_status == 0 && opening->old.state == DISK_IN_USE;

	opening->superblock_valid = superblock_status == 0;
	opening->valid_count = minimum(header.nr_regions, log->region_count);
	if (header_status < 0) {
		opening->valid_count = 0;
		opening->origin = "a device without a log";
	} else if (header.nr_regions != 0) {
		opening->slots_valid = PLANTED(PLANT_TAKEN_OVER_SLOTS) && in_use && slots_fit(log);
		opening->origin = in_use                 ? "a log that was taken over" :
				  superblock_status == 0 ? "a closed log" :
							   "a log of the kernel";
	} else if (in_use) {
		opening->valid_count = minimum(opening->old.region_count, log->region_count);
		opening->slots_valid = slots_fit(log);
		opening->everything_dirty = !opening->slots_valid && !PLANTED(PLANT_SLOTS_UNFIT);
		opening->origin = "a log that was left in use";
	} else {
		if (PLANTED(PLANT_SUPERBLOCK_GUESSED))
			opening->valid_count = log->region_count;
		opening->origin = "an empty log";
	}
	if (superblock_status == 0 && opening->old.region_sectors != log->region_sectors) {
		opening->valid_count = 0;
		opening->origin = "a log with another region size";
	}
}

/* ---- slots ---- */

static bool is_own_boot(const struct core *core, const struct disk_slot_header *slot)
{
	return memcmp(slot->machine_id, core->config.machine_id, 16) == 0 &&
	       memcmp(slot->boot_id, core->config.boot_id, 16) == 0;
}

/* Its daemon has joined this log, or has nothing of it: it has written there all that it will. */
static bool owner_is_here(struct core *core, const struct log *log,
			  const struct disk_slot_header *slot)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *member = member_find(entry, slot->node_id);
	const struct group_node *node = group_node_find(core, slot->node_id);

	if (node == NULL || memcmp(node->machine_id, slot->machine_id, MESSAGE_ID_BYTES) != 0)
		return false;
	if (member != NULL && memcmp(member->boot_id, slot->boot_id, MESSAGE_ID_BYTES) == 0)
		return true;
	member = member_departed(entry, slot->node_id, slot->boot_id);
	if (member != NULL && member->to_merge)
		return true; /* it has said that it is gone, or others have proven it */
	return node != NULL && node->in_view && node->current &&
	       memcmp(node->boot_id, slot->boot_id, MESSAGE_ID_BYTES) == 0 &&
	       entry_absent(entry, slot->node_id);
}

static bool waited_for(struct core *core, struct log *log, uint64_t delay_ms)
{
	if (core->now_ms >= core->start_ms + delay_ms)
		return true;
	log_wake_at(log, core->start_ms + delay_ms);
	return false;
}

/* takeover-delay for a node that nobody has seen begins with our own quorum (H9). */
static bool waited_out(struct core *core, struct log *log, uint32_t node_id)
{
	uint64_t delay_ms = core->config.takeover_delay_ms;

	if (proof_out_of_cluster(core, node_id, delay_ms))
		return true;
	log_wake_at(log, core->now_ms + delay_ms / 8 + 1);
	return false;
}

bool slot_owner_proven(struct core *core, struct log *log, const struct disk_slot_header *slot)
{
	const struct core_config *config = &core->config;
	bool same_cluster = strcmp(log->opening.old.cluster_name, config->cluster_name) == 0 &&
			    strcmp(config->cluster_name, "none") != 0;
	const struct group_node *node = group_node_find(core, slot->node_id);

	if (is_own_boot(core, slot) || PLANTED(PLANT_SLOT_UNPROVEN))
		return true; /* what a predecessor left: see opening_begin() */
	if (memcmp(slot->machine_id, config->machine_id, 16) == 0)
		return true;
	if (!same_cluster)
		/* Another cluster's: only time can tell, counted from when we could first look. */
		return config->takeover_delay_ms > 0 &&
		       waited_for(core, log, config->takeover_delay_ms);
	if ((slot->node_id == config->node_id && memcmp(slot->boot_id, config->boot_id, 16) != 0) ||
	    owner_is_here(core, log, slot) || proof_is_stopped(core, slot->node_id, slot->boot_id))
		return true;
	if (node != NULL && node->in_view && node->greeted)
		return memcmp(node->boot_id, slot->boot_id, MESSAGE_ID_BYTES) != 0;
	return config->takeover_delay_ms > 0 && waited_out(core, log, slot->node_id);
}

static void take_slot_header(struct log *log, const uint8_t *data)
{
	struct opening *opening = &log->opening;
	struct disk_slot_header slot;
	int status = disk_slot_header_decode(data, &slot);

	if (status == -ENODATA)
		return;
	if (status < 0) {
		/* it may have been in use */
		opening->everything_dirty = !PLANTED(PLANT_UNREADABLE_EMPTY);
		return;
	}
	if (slot.state != DISK_SLOT_USED || slot.generation != opening->old.generation ||
	    memcmp(slot.log_id, opening->old.id, DISK_ID_BYTES) != 0)
		return;
	opening->owner[opening->merge_count] = slot;
	opening->merge[opening->merge_count++] = (uint32_t)opening->cursor;
}

static uint64_t old_slot_offset(const struct opening *opening, uint32_t slot)
{
	return opening->old.slot_offset_bytes + slot * opening->old.slot_bytes;
}

void opening_loses(struct log *log, uint64_t region)
{
	/* A kernel that goes on from before was told that this one is in sync. */
	if ((log->everything_held || log->goes_on || log->live != NO_INDEX) &&
	    image_test(&log->base, DISK_BITMAP_OFFSET_BYTES, region))
		(void)bitmap_set(&log->replicated.lost, region);
	image_clear(&log->base, DISK_BITMAP_OFFSET_BYTES, region);
}

/* A piece of a dead slot's bitmap: what it covers is not in sync. */
static void merge_piece(struct log *log, uint64_t first_bit, const uint8_t *data,
			uint64_t length_bytes)
{
	const struct opening *opening = &log->opening;
	uint32_t k = opening->old.granularity;

	for (uint64_t i = 0; i < length_bytes * 8; i++) {
		uint64_t region = (first_bit + i) << k;
		uint64_t end = minimum(region + (UINT64_C(1) << k), opening->valid_count);

		if (!((data[i / 8] >> (i % 8)) & 1) || PLANTED(PLANT_MERGE_SKIP))
			continue;
		for (; region < end; region++)
			opening_loses(log, region);
	}
}

/* ---- one read after the other ---- */

static bool read_base_more(struct core *core, struct log *log)
{
	uint64_t left = log->base.length_bytes - log->opening.cursor;

	if (left == 0)
		return true;
	device_read(core, log, READ_OPENING, log->opening.cursor, minimum(left, CORE_IO_BYTES_MAX));
	return false;
}

static bool read_slots_more(struct core *core, struct log *log)
{
	struct opening *opening = &log->opening;
	uint64_t bytes =
		disk_slot_bitmap_bytes(opening->old.region_count, opening->old.granularity);

	if (opening->cursor == bytes) {
		opening->merge_at++;
		opening->cursor = 0;
	}
	if (opening->merge_at >= opening->merge_count)
		return true;
	device_read(core, log, READ_OPENING,
		    old_slot_offset(opening, opening->merge[opening->merge_at]) +
			    DISK_SLOT_HEADER_BYTES + opening->cursor,
		    minimum(bytes - opening->cursor, CORE_IO_BYTES_MAX));
	return false;
}

bool opening_read_more(struct core *core, struct log *log)
{
	struct opening *opening = &log->opening;
	bool done;

	if (opening->reading || log->reads_flying > 0)
		return false;
	switch (opening->step) {
	case OPENING_READ_HEAD:
		done = opening->cursor > 0;
		if (!done)
			device_read(core, log, READ_OPENING, 0, HEAD_BYTES);
		break;
	case OPENING_READ_BASE:
		done = read_base_more(core, log);
		break;
	case OPENING_READ_SLOT_HEADERS:
		done = !opening->slots_valid || opening->cursor >= opening->old.slot_count;
		if (!done)
			device_read(core, log, READ_OPENING,
				    old_slot_offset(opening, (uint32_t)opening->cursor),
				    DISK_SLOT_HEADER_BYTES);
		break;
	case OPENING_READ_SLOTS:
		done = read_slots_more(core, log);
		break;
	default:
		return true;
	}
	opening->reading = !done;
	return done;
}

void opening_read(struct core *core, struct log *log, const struct input_io *io)
{
	struct opening *opening;

	opening = &log->opening;
	opening->reading = false;
	if (opening->step == OPENING_NONE || opening->step == OPENING_FAILED)
		return;
	if (io->status < 0) {
		opening_fail(core, log, io->status, "read");
		return;
	}
	switch (opening->step) {
	case OPENING_READ_HEAD:
		image_loaded(&log->base, 0, io->data, HEAD_BYTES);
		decide(log);
		opening->cursor = HEAD_BYTES;
		break;
	case OPENING_READ_BASE:
		image_loaded(&log->base, io->offset_bytes, io->data, io->length_bytes);
		opening->cursor += io->length_bytes;
		break;
	case OPENING_READ_SLOT_HEADERS:
		take_slot_header(log, io->data);
		opening->cursor++;
		break;
	case OPENING_READ_SLOTS:
		merge_piece(log, opening->cursor * 8, io->data, io->length_bytes);
		opening->cursor += io->length_bytes;
		break;
	default:
		break;
	}
}
