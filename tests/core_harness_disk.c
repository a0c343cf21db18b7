/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands on the log device of a core under test, read and written as disk_format.h tells it. */
#include "core_harness.h"

#include <assert.h>
#include <string.h>

uint64_t harness_header(const struct harness *harness)
{
	struct disk_header header = { 0 };
	int r = disk_header_decode(harness->disk + DISK_HEADER_OFFSET_BYTES, &header);

	assert(r == 0);
	return header.nr_regions;
}

int harness_superblock(const struct harness *harness, struct disk_superblock *ret_superblock)
{
	return disk_superblock_decode(harness->disk + DISK_SUPERBLOCK_OFFSET_BYTES, ret_superblock);
}

static const uint8_t *slot_at(const struct harness *harness, uint32_t slot)
{
	struct disk_superblock superblock = { 0 };
	int r = harness_superblock(harness, &superblock);

	assert(r == 0 && slot < superblock.slot_count);
	return harness->disk + superblock.slot_offset_bytes + slot * superblock.slot_bytes;
}

int harness_slot(const struct harness *harness, uint32_t slot, struct disk_slot_header *ret_slot)
{
	return disk_slot_header_decode(slot_at(harness, slot), ret_slot);
}

bool harness_base_bit(const struct harness *harness, uint64_t region)
{
	return (harness->disk[DISK_BITMAP_OFFSET_BYTES + region / 8] >> (region % 8)) & 1;
}

bool harness_slot_bit(const struct harness *harness, uint32_t slot, uint64_t bit)
{
	return (slot_at(harness, slot)[DISK_SLOT_HEADER_BYTES + bit / 8] >> (bit % 8)) & 1;
}

bool harness_disk_clean(const struct harness *harness, uint64_t region)
{
	struct disk_superblock superblock = { 0 };
	struct disk_slot_header slot;

	if (harness_header(harness) != 0)
		return region < harness_header(harness) && harness_base_bit(harness, region);
	if (harness_superblock(harness, &superblock) < 0 || superblock.state != DISK_IN_USE)
		return false;
	for (uint32_t i = 0; i < superblock.slot_count; i++)
		if (harness_slot(harness, i, &slot) == 0 && slot.state == DISK_SLOT_USED &&
		    slot.generation == superblock.generation &&
		    harness_slot_bit(harness, i, region >> superblock.granularity))
			return false;
	return harness_base_bit(harness, region);
}

void harness_put_kernel_log(struct harness *harness, uint64_t nr_regions, uint64_t clean)
{
	struct disk_header header = { .nr_regions = nr_regions };

	memset(harness->disk, 0, harness->disk_bytes);
	disk_header_encode(&header, harness->disk);
	for (uint64_t r = 0; r < clean; r++)
		harness->disk[DISK_BITMAP_OFFSET_BYTES + r / 8] |= (uint8_t)(1u << (r % 8));
}
