/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log devices that somebody else has written to: torn, of another version, with numbers out of their range.
 *
 * While a log may be in use only what can be told is spoiled: magic, checksum, a field that does not fit.  A forger who
 * writes a good superblock over slots in use, or bits of the bitmap, is beyond what any log could notice.
 */
#include <errno.h>
#include <string.h>

#include "sim.h"

/* A field of the superblock: see disk_format.h. */
struct edit {
	uint32_t offset, size;
	bool add; /* to what is there */
	uint64_t value;
};

static const struct edit edits[] = {
	{ 8, 4, true, 1 },                     /* version */
	{ 12, 4, false, 0 },                   /* state */
	{ 12, 4, false, 3 },                   /* ... */
	{ 32, 1, false, 0 },                   /* an empty cluster name */
	{ 95, 1, false, 'x' },                 /* something behind its NUL */
	{ 96, 8, false, 0 },                   /* regions */
	{ 96, 8, false, 1 },                   /* ... */
	{ 96, 8, false, UINT64_MAX },          /* ... */
	{ 96, 8, false, UINT64_C(1) << 30 },   /* ... more than the bitmap has room for */
	{ 104, 4, false, 0 },                  /* sectors of a region */
	{ 104, 4, true, 1 },                   /* ... no power of two */
	{ 108, 4, false, 33 },                 /* granularity */
	{ 108, 4, true, 1 },                   /* ... */
	{ 112, 8, true, 1 },                   /* where the slots begin */
	{ 112, 8, true, 4096 },                /* ... */
	{ 112, 8, false, 0 },                  /* ... within the bitmap */
	{ 112, 8, false, UINT64_C(1) << 62 },  /* ... */
	{ 112, 8, false, UINT64_C(1) << 63 },  /* ... */
	{ 120, 8, true, 1 },                   /* bytes of a slot */
	{ 120, 8, true, 4096 },                /* ... */
	{ 120, 8, false, 4096 },               /* ... without a bitmap */
	{ 120, 8, false, UINT64_C(1) << 60 },  /* ... */
	{ 128, 4, false, 0 },                  /* slots */
	{ 128, 4, false, DISK_SLOTS_MAX },     /* ... more than the device has room for */
	{ 128, 4, false, DISK_SLOTS_MAX + 1 }, /* ... */
	{ 132, 4, false, 1 },                  /* what must be zero */
	{ 500, 1, false, 1 },                  /* ... */
	{ 136, 8, true, 1 },                   /* generation */
	{ 136, 8, false, 0 },                  /* ... */
	{ 16, 8, true, 1 },                    /* another log's id */
};

static void put(uint8_t *at, uint64_t value, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void crc_renew(uint8_t block[DISK_SUPERBLOCK_BYTES])
{
	put(block + DISK_SUPERBLOCK_BYTES - 4, disk_crc32c(block, DISK_SUPERBLOCK_BYTES - 4), 4);
}

static void edit_make(uint8_t *block, const struct edit *edit)
{
	uint64_t value = 0;

	for (uint32_t i = edit->size; i-- > 0 && edit->add;)
		value = value << 8 | block[edit->offset + i];
	put(block + edit->offset, value + edit->value, edit->size);
	crc_renew(block);
}

/* Still a log in use, as whoever opens it will see it. */
static bool counts_in_use(const struct disk *disk, const uint8_t *block)
{
	struct disk_superblock superblock;

	return disk_superblock_decode(block, &superblock) == 0 && superblock.state == DISK_IN_USE &&
	       superblock.slot_offset_bytes < disk->device_bytes &&
	       (disk->device_bytes - superblock.slot_offset_bytes) / superblock.slot_bytes >=
		       superblock.slot_count;
}

static bool is_closed(const struct disk *disk)
{
	struct disk_header header;

	return disk_header_decode(disk->bytes, &header) == 0 && header.nr_regions != 0;
}

/* Closed, a superblock that cannot be read takes the knowledge with it of which regions the bitmap is about. */
static bool geometry_would_go(const struct mirror *mirror)
{
	struct disk_superblock superblock;

	return is_closed(mirror->disk) &&
	       disk_superblock_decode(mirror->disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES,
				      &superblock) == 0 &&
	       (superblock.region_count != mirror->geometry.region_count ||
		superblock.region_sectors != mirror->geometry.region_sectors);
}

static void spoiled(struct sim *sim, struct mirror *mirror, const char *what, uint64_t where)
{
	NOTE(sim, "spoiled", mirror->index, where, "mirror %u: log device spoiled: %s, %u",
	     mirror->index, what, (unsigned int)where);
	clean_renew(sim, mirror);
	clean_add_may_copy(mirror, true);
}

/* Nobody has it open: a superblock that is wrong under a checksum that is right. */
void foreign_disk_unused(struct sim *sim, struct mirror *mirror)
{
	struct rng *rng = &sim->foreign.rng;
	const struct edit *edit;
	uint8_t block[DISK_SUPERBLOCK_BYTES];
	uint8_t *superblock = mirror->disk->bytes + DISK_SUPERBLOCK_OFFSET_BYTES;
	struct disk_superblock old;

	if (!sim->options->foreign || mirror->truth != TRUTH_DISK || rng_one_in(rng, 2) ||
	    geometry_would_go(mirror) || disk_superblock_decode(superblock, &old) < 0)
		return;
	edit = &edits[rng_below(rng, sizeof(edits) / sizeof(edits[0]))];
	memcpy(block, superblock, sizeof(block));
	if (rng_one_in(rng, 16))
		memset(block + 32, 'x', DISK_CLUSTER_NAME_SIZE);
	edit_make(block, edit);
	if (old.state == DISK_IN_USE && counts_in_use(mirror->disk, block))
		return;
	memcpy(superblock, block, sizeof(block));
	spoiled(sim, mirror, "superblock, field at", edit->offset);
}

/* Who reads it sees that something is wrong; magic 0: not even that it was a slot. */
static void spoil_slot(struct sim *sim, struct mirror *mirror,
		       const struct disk_superblock *superblock)
{
	struct rng *rng = &sim->foreign.rng;
	uint32_t slot = rng_below(rng, superblock->slot_count);
	uint8_t *at =
		mirror->disk->bytes + superblock->slot_offset_bytes + slot * superblock->slot_bytes;
	struct disk_slot_header header;
	int status = disk_slot_header_decode(at, &header);
	bool counts = status == 0 && header.state == DISK_SLOT_USED;

	if (status < 0 && status != -ENODATA)
		return; /* it may be in use, and should not look as if it were not */
	switch (rng_below(rng, counts ? 4 : 6)) {
	case 0: /* torn */
		at[8 + rng_below(rng, DISK_SLOT_HEADER_USED_BYTES - 8)] ^=
			(uint8_t)(1 + rng_below(rng, 255));
		break;
	case 1: /* another version */
		put(at + 8, 2, 4);
		crc_renew(at);
		break;
	case 2: /* no such state */
		put(at + 12, rng_below(rng, 2) * 3, 4);
		crc_renew(at);
		break;
	case 3: /* what must be zero is not */
		put(at + (rng_one_in(rng, 2) ? 36 : 100), 1, 4);
		crc_renew(at);
		break;
	case 4: /* another log's, in use there */
		header = (struct disk_slot_header){ .node_id = 1 + slot,
						    .generation = superblock->generation,
						    .state = DISK_SLOT_USED };
		disk_slot_header_encode(&header, at);
		break;
	default: /* garbage in a slot that nobody uses */
		for (uint32_t i = 0; i < DISK_SLOT_HEADER_USED_BYTES; i++)
			at[i] = (uint8_t)rng_next(rng);
		break;
	}
	spoiled(sim, mirror, "slot", slot);
}

void foreign_disk_spoil(struct sim *sim)
{
	struct rng *rng = &sim->foreign.rng;
	struct mirror *mirror = &sim->mirrors[rng_below(rng, sim->mirror_count)];
	uint8_t *bytes = mirror->disk->bytes;
	struct disk_superblock superblock;
	uint32_t at;

	if (mirror->truth != TRUTH_DISK || mirror->disk->write_count > 0 || !rng_one_in(rng, 8))
		return;
	if (counts_in_use(mirror->disk, bytes + DISK_SUPERBLOCK_OFFSET_BYTES) &&
	    !rng_one_in(rng, 3)) {
		(void)disk_superblock_decode(bytes + DISK_SUPERBLOCK_OFFSET_BYTES, &superblock);
		spoil_slot(sim, mirror, &superblock);
		return;
	}
	/* Whoever joins now compares the superblock, and takes another one for another device. */
	if (admin_disk_open(sim, mirror->disk))
		return;
	if (rng_one_in(rng, 2) || is_closed(mirror->disk)) { /* the kernel's header */
		at = rng_below(rng, 8);
		bytes[at] ^= (uint8_t)(1 + rng_below(rng, 255));
		spoiled(sim, mirror, "header, byte", at);
	} else { /* a torn superblock */
		at = rng_below(rng, DISK_SUPERBLOCK_BYTES);
		bytes[DISK_SUPERBLOCK_OFFSET_BYTES + at] ^= (uint8_t)(1 + rng_below(rng, 255));
		spoiled(sim, mirror, "superblock, byte", at);
	}
}
