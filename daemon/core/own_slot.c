/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slots' place on the log device, and the own one among them.
 *
 * A slot that is placed begins with everything that this node holds, wants to hold or has not yet let go, so that no hold is
 * without its bit.  The layout of an old superblock is kept only where it fits the device and the log: it is bytes from a disk.
 */
#include <string.h>

#include "core_private.h"
#include "plant.h"

/* Can the slots stay where they are?  The superblock is bytes from a disk: nothing of it is taken on trust. */
static bool same_layout(const struct log *log)
{
	const struct disk_superblock *old = &log->opening.old;

	if (PLANTED(PLANT_LAYOUT_TRUSTED))
		return log->opening.superblock_valid && old->region_count == log->region_count;
	return log->opening.superblock_valid && old->region_count == log->region_count &&
	       old->slot_offset_bytes == log->layout.slot_offset_bytes &&
	       old->slot_bytes ==
		       DISK_SLOT_HEADER_BYTES +
			       disk_slot_bitmap_bytes(log->region_count, old->granularity) &&
	       old->slot_offset_bytes + old->slot_count * old->slot_bytes <= log->device_bytes;
}

static void set_slot_bits(struct log *log, const struct bitmap *regions)
{
	uint64_t region = bitmap_next(regions, 0);

	while (region != BITMAP_NONE) {
		image_set(&log->slot, DISK_SLOT_HEADER_BYTES, region >> log->layout.granularity);
		region = bitmap_next(regions, region + 1);
	}
}

void slot_place(struct log *log, uint32_t slot)
{
	uint8_t fill = log->everything_held ? 0xff : 0;

	log->own_slot = slot;
	image_place(&log->slot, log->layout.slot_offset_bytes + slot * log->layout.slot_bytes,
		    log->layout.slot_bytes, log->block_bytes);
	image_fill(&log->slot, DISK_SLOT_HEADER_BYTES,
		   log->layout.slot_bytes - DISK_SLOT_HEADER_BYTES, fill);
	(void)slot_covers_holds(log);
	set_slot_bits(log, &log->pending);
}

bool slot_covers_holds(struct log *log)
{
	set_slot_bits(log, &log->held);
	set_slot_bits(log, &log->leaving);
	set_slot_bits(log, &log->releasing);
	return image_clean(&log->slot);
}

bool layout_fits(const struct log *log, const struct disk_layout *layout)
{
	return layout->granularity <= DISK_GRANULARITY_MAX && layout->slot_count > 0 &&
	       layout->slot_count <= DISK_SLOTS_MAX &&
	       layout->slot_offset_bytes % DISK_SLOT_ALIGN_BYTES == 0 &&
	       layout->slot_offset_bytes == log->layout.slot_offset_bytes &&
	       layout->slot_bytes ==
		       DISK_SLOT_HEADER_BYTES +
			       disk_slot_bitmap_bytes(log->region_count, layout->granularity) &&
	       layout->slot_offset_bytes + layout->slot_count * layout->slot_bytes <=
		       log->device_bytes;
}

void slot_place_first(struct log *log)
{
	if (same_layout(log))
		disk_layout_of(&log->opening.old, &log->layout);
	slot_place(log, 0);
}

void superblock_renew(struct core *core, struct log *log)
{
	const struct opening *opening = &log->opening;
	struct disk_superblock *superblock = &log->superblock;

	*superblock = (struct disk_superblock){
		.state = DISK_IN_USE,
		.region_count = log->region_count,
		.region_sectors = log->region_sectors,
		.slot_offset_bytes = log->layout.slot_offset_bytes,
		.slot_bytes = log->layout.slot_bytes,
		.slot_count = log->layout.slot_count,
		.granularity = log->layout.granularity,
		.generation = opening->superblock_valid ?
				      opening->old.generation + !PLANTED(PLANT_GENERATION_KEPT) :
				      1,
	};
	memcpy(superblock->id, opening->superblock_valid ? opening->old.id : opening->random_id,
	       DISK_ID_BYTES);
	memcpy(superblock->cluster_name, core->config.cluster_name, DISK_CLUSTER_NAME_SIZE);
	device_put_superblock(log);
}
