/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the decoders of the log device and the layout.  Byte 0 chooses the decoder; the rest is
 * its block.  Unless bit 7 of byte 0 is set the crc is made right first: a fuzzer does not guess it.
 * What decodes must encode to the same bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void try_header(const uint8_t *bytes)
{
	struct disk_header header;
	uint8_t again[DISK_HEADER_BYTES];

	if (disk_header_decode(bytes, &header) < 0)
		return;
	disk_header_encode(&header, again);
	expect(memcmp(again, bytes, sizeof(again)) == 0);
}

static void try_superblock(const uint8_t *bytes)
{
	struct disk_superblock superblock;
	struct disk_layout layout;
	uint8_t again[DISK_SUPERBLOCK_BYTES];

	if (disk_superblock_decode(bytes, &superblock) < 0)
		return;
	disk_superblock_encode(&superblock, again);
	expect(memcmp(again, bytes, sizeof(again)) == 0);

	disk_layout_of(&superblock, &layout);
	expect(layout.slot_offset_bytes >= DISK_BITMAP_OFFSET_BYTES);
	expect(layout.slot_bits >= 1 && layout.slot_bits <= superblock.region_count);
	expect(layout.slot_bits <= (layout.slot_bytes - DISK_SLOT_HEADER_BYTES) * 8);
	expect(layout.slot_offset_bytes + layout.slot_count * layout.slot_bytes <= INT64_MAX);
}

static void try_slot_header(const uint8_t *bytes)
{
	struct disk_slot_header header;
	uint8_t again[DISK_SLOT_HEADER_USED_BYTES];

	if (disk_slot_header_decode(bytes, &header) < 0)
		return;
	disk_slot_header_encode(&header, again);
	expect(memcmp(again, bytes, sizeof(again)) == 0);
}

/* The first 24 bytes are region count, device size and slot count. */
static void try_layout(const uint8_t *bytes)
{
	uint64_t regions, device_bytes, slots, needed_bytes = 0;
	struct disk_layout layout;

	memcpy(&regions, bytes, 8);
	memcpy(&device_bytes, bytes + 8, 8);
	memcpy(&slots, bytes + 16, 8);
	regions = regions % CONSTRUCTOR_REGIONS_MAX + 1;
	slots = slots % DISK_SLOTS_MAX + 1;
	if (disk_layout_compute(regions, (uint32_t)slots, device_bytes, &layout, &needed_bytes) <
	    0) {
		expect(needed_bytes > device_bytes);
		device_bytes = needed_bytes;
		expect(disk_layout_compute(regions, (uint32_t)slots, device_bytes, &layout,
					   &needed_bytes) == 0);
	}
	expect(layout.slot_offset_bytes + layout.slot_count * layout.slot_bytes <= device_bytes);
	expect(layout.slot_bits << layout.granularity >= regions);
	/* A step finer would not have fitted. */
	if (layout.granularity > 0)
		expect(layout.slot_offset_bytes +
			       slots * (DISK_SLOT_HEADER_BYTES +
					disk_slot_bitmap_bytes(regions, layout.granularity - 1)) >
		       device_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *block;

	if (size < 1)
		return 0;
	block = calloc(1, DISK_SUPERBLOCK_BYTES);
	memcpy(block, data + 1,
	       size - 1 < DISK_SUPERBLOCK_BYTES ? size - 1 : DISK_SUPERBLOCK_BYTES);
	if (!(data[0] & 0x80)) {
		uint32_t crc = disk_crc32c(block, DISK_SUPERBLOCK_BYTES - 4);

		for (int i = 0; i < 4; i++)
			block[DISK_SUPERBLOCK_BYTES - 4 + i] = (uint8_t)(crc >> (8 * i));
	}

	switch (data[0] & 3) {
	case 0:
		try_header(block);
		break;
	case 1:
		try_superblock(block);
		break;
	case 2:
		try_slot_header(block);
		break;
	case 3:
		try_layout(block);
		break;
	}
	free(block);
	return 0;
}
