/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a log device says: which regions are clean, in every outcome of the writes under way.
 *
 * The rule of disk_format.h, read independently of the core: a region is clean if its base bit is 1 and no slot in use
 * (with the superblock's id and generation) has its bit; while the kernel header says nr_regions != 0 the bitmap
 * alone is the truth, for regions below nr_regions.  Without a header or, with nr_regions 0, without a superblock nothing is clean;
 * nor is anything when a slot is ours by its magic and cannot be read: it may have been in use.
 * Blocks are independent, so for one region it is enough to try the contents of header and superblock one by
 * one, and to take of base blocks the most and of slot blocks the least.
 */
#include <errno.h>
#include <string.h>

#include "sim.h"

#define CANDIDATES_MAX (DISK_WRITES_MAX + 1)

/* The contents that the block at offset_bytes may have: durable first.  Returns how many. */
static uint32_t candidates(const struct disk *disk, uint64_t offset_bytes, const uint8_t **ret)
{
	uint32_t count = 0;

	ret[count++] = disk->bytes + offset_bytes;
	for (uint32_t i = 0; i < disk->write_count; i++) {
		const struct disk_io *write = disk->writes[i];

		if (offset_bytes >= write->offset_bytes &&
		    offset_bytes < write->offset_bytes + write->length_bytes)
			ret[count++] = write->data + (offset_bytes - write->offset_bytes);
	}
	return count;
}

static bool superblock_plausible(const struct mirror *mirror,
				 const struct disk_superblock *superblock)
{
	return superblock->region_sectors >= CELL_SECTORS &&
	       superblock->region_sectors % CELL_SECTORS == 0 && superblock->region_count > 0 &&
	       superblock->region_count <= mirror->cells_max;
}

static bool slots_fit(const struct disk *disk, const struct disk_superblock *superblock)
{
	return superblock->slot_offset_bytes < disk->device_bytes &&
	       (disk->device_bytes - superblock->slot_offset_bytes) / superblock->slot_bytes >=
		       superblock->slot_count;
}

static void geometry_of(const struct mirror *mirror, const struct disk_superblock *superblock,
			struct geometry *geometry)
{
	*geometry = mirror->geometry;
	if (superblock == NULL || (superblock->region_count == geometry->region_count &&
				   superblock->region_sectors == geometry->region_sectors))
		return;
	geometry->region_sectors = superblock->region_sectors;
	geometry->region_count = superblock->region_count;
	geometry->region_cells = superblock->region_sectors / CELL_SECTORS;
}

void disk_truth_geometry(const struct mirror *mirror, struct geometry *ret_geometry)
{
	struct disk_superblock superblock;
	bool valid = disk_superblock_decode(mirror->disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES,
					    &superblock) == 0 &&
		     superblock_plausible(mirror, &superblock);

	geometry_of(mirror, valid ? &superblock : NULL, ret_geometry);
}

static bool slot_counts(const struct disk_superblock *superblock,
			const struct disk_slot_header *header)
{
	return header->state == DISK_SLOT_USED && header->generation == superblock->generation &&
	       memcmp(header->log_id, superblock->id, DISK_ID_BYTES) == 0;
}

/* Decodes the durable slot headers, if they have changed. */
static void slots_parse(struct disk *disk, const struct disk_superblock *superblock)
{
	if (disk->slots_parsed && disk->slots_offset_bytes == superblock->slot_offset_bytes &&
	    disk->slots_bytes == superblock->slot_bytes &&
	    disk->slots_count == superblock->slot_count)
		return;
	disk->slots_parsed = true;
	disk->slots_offset_bytes = superblock->slot_offset_bytes;
	disk->slots_bytes = superblock->slot_bytes;
	disk->slots_count = superblock->slot_count;
	for (uint32_t i = 0; i < superblock->slot_count; i++) {
		int status = disk_slot_header_decode(disk->bytes + disk->slots_offset_bytes +
							     i * disk->slots_bytes,
						     &disk->slot_headers[i]);

		disk->slot_valid[i] = status == 0;
		disk->slot_unreadable[i] = status < 0 && status != -ENODATA;
	}
}

/* The slot counts in every outcome. */
static bool slot_surely_counts(const struct disk *disk, const struct disk_superblock *superblock,
			       uint32_t slot)
{
	const uint8_t *blocks[CANDIDATES_MAX];
	uint32_t count;

	if (!disk->slot_valid[slot] || !slot_counts(superblock, &disk->slot_headers[slot]))
		return false;
	count = candidates(disk, disk->slots_offset_bytes + slot * disk->slots_bytes, blocks);
	for (uint32_t i = 1; i < count; i++) {
		struct disk_slot_header header;

		if (disk_slot_header_decode(blocks[i], &header) < 0 ||
		    !slot_counts(superblock, &header))
			return false;
	}
	return true;
}

static uint64_t load_word(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (uint32_t i = 8; i-- > 0;)
		word = word << 8 | bytes[i];
	return word;
}

/* The word at offset_bytes: bits set in some outcome (any) or in all of them. */
static uint64_t word_of(const struct disk *disk, uint64_t offset_bytes, bool any)
{
	uint64_t in_block = offset_bytes % disk->block_bytes;
	const uint8_t *blocks[CANDIDATES_MAX];
	uint32_t count = candidates(disk, offset_bytes - in_block, blocks);
	uint64_t word = load_word(blocks[0] + in_block);

	for (uint32_t i = 1; i < count; i++) {
		uint64_t other = load_word(blocks[i] + in_block);

		word = any ? word | other : word & other;
	}
	return word;
}

static void slot_subtract(const struct disk *disk, const struct disk_superblock *superblock,
			  uint32_t slot, struct disk_outcome *outcome)
{
	uint64_t bitmap_bytes =
		disk->slots_offset_bytes + slot * disk->slots_bytes + DISK_SLOT_HEADER_BYTES;
	uint64_t regions = outcome->geometry.region_count;
	uint32_t granularity = superblock->granularity;

	if (granularity == 0) {
		for (uint64_t word = 0; word <= (regions - 1) / 64; word++)
			outcome->clean[word] &= ~word_of(disk, bitmap_bytes + 8 * word, false);
		return;
	}
	for (uint64_t region = 0; region < regions; region++) {
		uint64_t bit = region >> granularity;

		if (word_of(disk, bitmap_bytes + bit / 64 * 8, false) >> bit % 64 & 1)
			outcome->clean[region / 64] &= ~(UINT64_C(1) << region % 64);
	}
}

/* One outcome of header and superblock; `head` is the block at 0 when it holds part of the base, too. */
static void outcome_base(const struct disk *disk, const uint8_t *head, uint64_t known,
			 struct disk_outcome *outcome)
{
	uint64_t regions = outcome->geometry.region_count;

	for (uint64_t word = 0; word <= (regions - 1) / 64; word++) {
		uint64_t offset_bytes = DISK_BITMAP_OFFSET_BYTES + 8 * word;
		uint64_t first = word * 64;

		outcome->clean[word] = offset_bytes < disk->block_bytes ?
					       load_word(head + offset_bytes) :
					       word_of(disk, offset_bytes, true);
		if (known <= first)
			outcome->clean[word] = 0;
		else if (known - first < 64)
			outcome->clean[word] &= (UINT64_C(1) << (known - first)) - 1;
	}
}

static void outcome_make(struct mirror *mirror, const uint8_t *head, const uint8_t *second,
			 struct disk_outcome *outcome)
{
	struct disk *disk = mirror->disk;
	struct disk_superblock superblock;
	struct disk_header header;
	bool valid = disk_superblock_decode(second, &superblock) == 0 &&
		     superblock_plausible(mirror, &superblock);
	uint64_t known;

	outcome->nothing_clean = true;
	if (disk_header_decode(head, &header) < 0 || (header.nr_regions == 0 && !valid))
		return;
	outcome->nothing_clean = false;
	geometry_of(mirror, valid ? &superblock : NULL, &outcome->geometry);
	known = outcome->geometry.region_count;
	if (header.nr_regions != 0 && header.nr_regions < known)
		known = header.nr_regions;
	outcome_base(disk, head, known, outcome);
	if (header.nr_regions != 0)
		return;
	outcome->nothing_clean = !slots_fit(disk, &superblock); /* nobody knows what they covered */
	if (outcome->nothing_clean)
		return;
	slots_parse(disk, &superblock);
	for (uint32_t slot = 0; slot < superblock.slot_count; slot++) {
		outcome->nothing_clean |= disk->slot_unreadable[slot];
		if (slot_surely_counts(disk, &superblock, slot))
			slot_subtract(disk, &superblock, slot, outcome);
	}
}

void disk_truth_outcomes(struct sim *sim, struct mirror *mirror,
			 void (*add)(struct sim *, struct mirror *, const struct disk_outcome *))
{
	const struct disk *disk = mirror->disk;
	const uint8_t *heads[CANDIDATES_MAX], *seconds[CANDIDATES_MAX];
	struct disk_outcome outcome = { .clean = mirror->clean.scratch };
	bool apart = disk->block_bytes <= DISK_SUPERBLOCK_OFFSET_BYTES;
	uint32_t head_count = candidates(disk, 0, heads);
	uint32_t second_count = apart ? candidates(disk, DISK_SUPERBLOCK_OFFSET_BYTES, seconds) : 1;

	for (uint32_t i = 0; i < head_count; i++) {
		if (!apart)
			seconds[0] = heads[i] + DISK_SUPERBLOCK_OFFSET_BYTES;
		for (uint32_t j = 0; j < second_count; j++) {
			outcome_make(mirror, heads[i], seconds[j], &outcome);
			add(sim, mirror, &outcome);
		}
	}
}

void disk_structure_changed(struct disk *disk, uint64_t offset_bytes)
{
	if (disk->slots_parsed && offset_bytes >= disk->slots_offset_bytes &&
	    (offset_bytes - disk->slots_offset_bytes) % disk->slots_bytes < DISK_SLOT_HEADER_BYTES)
		disk->slots_parsed = false;
}
