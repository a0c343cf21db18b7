/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a log device: header, superblock, slot header, layout.
 *
 * Invariant: integers are put together and taken apart byte by byte, so that the same bytes stand
 * on disk on every machine, and what decodes encodes to the same bytes.  Pure: no state, no owner.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "disk_format.h"

#define BLOCK_MAGIC_BYTES 8
#define SUPERBLOCK_MAGIC "dmclogSB"
#define SLOT_MAGIC "dmclogSL"

/* Superblock and slot header both are one such block, magic and version first, crc last. */
#define BLOCK_BYTES 512
#define BLOCK_VERSION_OFFSET BLOCK_MAGIC_BYTES
#define BLOCK_CRC_OFFSET (BLOCK_BYTES - 4)

/* Of the cluster name in the superblock. */
#define NAME_OFFSET 32

static_assert(DISK_SUPERBLOCK_BYTES == BLOCK_BYTES, "one block");
static_assert(DISK_SLOT_HEADER_USED_BYTES == BLOCK_BYTES, "one block");

/* ---- little-endian integers at a place that moves ---- */

struct writer {
	uint8_t *at;
};

struct reader {
	const uint8_t *at;
};

static void put_le(struct writer *writer, uint64_t value, int size_bytes)
{
	for (int i = 0; i < size_bytes; i++)
		*writer->at++ = (uint8_t)(value >> (8 * i));
}

static void put_u32(struct writer *writer, uint32_t value)
{
	put_le(writer, value, 4);
}

static void put_u64(struct writer *writer, uint64_t value)
{
	put_le(writer, value, 8);
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length_bytes)
{
	memcpy(writer->at, bytes, length_bytes);
	writer->at += length_bytes;
}

static uint64_t get_le(struct reader *reader, int size_bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < size_bytes; i++)
		value |= (uint64_t)*reader->at++ << (8 * i);
	return value;
}

static uint32_t get_u32(struct reader *reader)
{
	return (uint32_t)get_le(reader, 4);
}

static uint64_t get_u64(struct reader *reader)
{
	return get_le(reader, 8);
}

static void get_bytes(struct reader *reader, void *bytes, size_t length_bytes)
{
	memcpy(bytes, reader->at, length_bytes);
	reader->at += length_bytes;
}

static bool all_zero(const uint8_t *from, const uint8_t *to)
{
	while (from < to)
		if (*from++)
			return false;
	return true;
}

uint32_t disk_crc32c(const void *bytes, size_t length_bytes)
{
	/* The polynomial 0x1EDC6F41 reflected, four bits at a time. */
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *at = bytes;
	uint32_t crc = ~UINT32_C(0);

	while (length_bytes--) {
		crc ^= *at++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* ---- the kernel's header ---- */

int disk_header_decode(const uint8_t bytes[DISK_HEADER_BYTES], struct disk_header *ret_header)
{
	struct reader reader = { .at = bytes };

	if (get_u32(&reader) != DISK_HEADER_MAGIC)
		return -EINVAL;
	if (get_u32(&reader) != DISK_HEADER_VERSION)
		return -EINVAL;
	ret_header->nr_regions = get_u64(&reader);
	return 0;
}

void disk_header_encode(const struct disk_header *header, uint8_t bytes[DISK_HEADER_BYTES])
{
	struct writer writer = { .at = bytes };

	put_u32(&writer, DISK_HEADER_MAGIC);
	put_u32(&writer, DISK_HEADER_VERSION);
	put_u64(&writer, header->nr_regions);
}

/* ---- blocks of ours ---- */

/* Zeroes the block and starts it; *ret_writer is behind the version. */
static void block_begin(uint8_t bytes[BLOCK_BYTES], const char *magic, uint32_t version,
			struct writer *ret_writer)
{
	memset(bytes, 0, BLOCK_BYTES);
	ret_writer->at = bytes;
	put_bytes(ret_writer, magic, BLOCK_MAGIC_BYTES);
	put_u32(ret_writer, version);
}

static void block_end(uint8_t bytes[BLOCK_BYTES])
{
	struct writer writer = { .at = bytes + BLOCK_CRC_OFFSET };

	put_u32(&writer, disk_crc32c(bytes, BLOCK_CRC_OFFSET));
}

/* Checks magic, crc, version, in this order; *ret_reader is behind the version. */
static int block_open(const uint8_t bytes[BLOCK_BYTES], const char *magic, uint32_t version,
		      struct reader *ret_reader)
{
	struct reader crc_reader = { .at = bytes + BLOCK_CRC_OFFSET };
	struct reader reader = { .at = bytes + BLOCK_VERSION_OFFSET };

	if (memcmp(bytes, magic, BLOCK_MAGIC_BYTES) != 0)
		return -ENODATA;
	if (get_u32(&crc_reader) != disk_crc32c(bytes, BLOCK_CRC_OFFSET))
		return -EBADMSG;
	if (get_u32(&reader) != version)
		return -EPROTONOSUPPORT;
	*ret_reader = reader;
	return 0;
}

/* ---- our superblock ---- */

static uint64_t align_slot(uint64_t bytes)
{
	return (bytes + DISK_SLOT_ALIGN_BYTES - 1) & ~(uint64_t)(DISK_SLOT_ALIGN_BYTES - 1);
}

/* The first byte behind header, superblock and base bitmap where a slot may start. */
static uint64_t slots_begin(uint64_t region_count)
{
	return align_slot(DISK_BITMAP_OFFSET_BYTES + disk_bitmap_bytes(region_count));
}

static bool superblock_is_sound(const struct disk_superblock *superblock)
{
	const size_t name_bytes =
		strnlen(superblock->cluster_name, sizeof(superblock->cluster_name));
	const uint64_t end_max = INT64_MAX;

	if (superblock->state != DISK_CLOSED && superblock->state != DISK_IN_USE)
		return false;
	if (name_bytes == 0 || name_bytes == sizeof(superblock->cluster_name))
		return false;
	if (superblock->region_count == 0 || superblock->region_count > CONSTRUCTOR_REGIONS_MAX)
		return false;
	if (superblock->region_sectors < CONSTRUCTOR_REGION_SECTORS_MIN ||
	    (superblock->region_sectors & (superblock->region_sectors - 1)))
		return false;
	if (superblock->slot_count == 0 || superblock->slot_count > DISK_SLOTS_MAX ||
	    superblock->granularity > DISK_GRANULARITY_MAX)
		return false;
	if (superblock->slot_offset_bytes % DISK_SLOT_ALIGN_BYTES ||
	    superblock->slot_bytes % DISK_SLOT_ALIGN_BYTES)
		return false;
	if (superblock->slot_offset_bytes < slots_begin(superblock->region_count) ||
	    superblock->slot_bytes <
		    DISK_SLOT_HEADER_BYTES + disk_slot_bitmap_bytes(superblock->region_count,
								    superblock->granularity))
		return false;
	return superblock->slot_offset_bytes <= end_max &&
	       superblock->slot_bytes <=
		       (end_max - superblock->slot_offset_bytes) / superblock->slot_count;
}

int disk_superblock_decode(const uint8_t bytes[DISK_SUPERBLOCK_BYTES],
			   struct disk_superblock *ret_superblock)
{
	struct disk_superblock superblock;
	struct reader reader;
	size_t name_bytes;
	uint32_t zero;
	int r;

	r = block_open(bytes, SUPERBLOCK_MAGIC, DISK_SUPERBLOCK_VERSION, &reader);
	if (r < 0)
		return r;

	superblock.state = (enum disk_superblock_state)get_u32(&reader);
	get_bytes(&reader, superblock.id, sizeof(superblock.id));
	get_bytes(&reader, superblock.cluster_name, sizeof(superblock.cluster_name));
	superblock.region_count = get_u64(&reader);
	superblock.region_sectors = get_u32(&reader);
	superblock.granularity = get_u32(&reader);
	superblock.slot_offset_bytes = get_u64(&reader);
	superblock.slot_bytes = get_u64(&reader);
	superblock.slot_count = get_u32(&reader);
	zero = get_u32(&reader);
	superblock.generation = get_u64(&reader);
	if (zero || !all_zero(reader.at, bytes + BLOCK_CRC_OFFSET) ||
	    !superblock_is_sound(&superblock))
		return -EBADMSG;
	name_bytes = strlen(superblock.cluster_name);
	if (!all_zero(bytes + NAME_OFFSET + name_bytes,
		      bytes + NAME_OFFSET + DISK_CLUSTER_NAME_SIZE))
		return -EBADMSG;

	*ret_superblock = superblock;
	return 0;
}

void disk_superblock_encode(const struct disk_superblock *superblock,
			    uint8_t bytes[DISK_SUPERBLOCK_BYTES])
{
	const size_t name_bytes =
		strnlen(superblock->cluster_name, sizeof(superblock->cluster_name));
	struct writer writer;

	assert(superblock_is_sound(superblock));

	block_begin(bytes, SUPERBLOCK_MAGIC, DISK_SUPERBLOCK_VERSION, &writer);
	put_u32(&writer, superblock->state);
	put_bytes(&writer, superblock->id, sizeof(superblock->id));
	put_bytes(&writer, superblock->cluster_name, name_bytes);
	writer.at += sizeof(superblock->cluster_name) - name_bytes;
	put_u64(&writer, superblock->region_count);
	put_u32(&writer, superblock->region_sectors);
	put_u32(&writer, superblock->granularity);
	put_u64(&writer, superblock->slot_offset_bytes);
	put_u64(&writer, superblock->slot_bytes);
	put_u32(&writer, superblock->slot_count);
	put_u32(&writer, 0);
	put_u64(&writer, superblock->generation);
	block_end(bytes);
}

/* ---- a slot's header ---- */

int disk_slot_header_decode(const uint8_t bytes[DISK_SLOT_HEADER_USED_BYTES],
			    struct disk_slot_header *ret_header)
{
	struct disk_slot_header header;
	struct reader reader;
	uint32_t zero;
	int r;

	r = block_open(bytes, SLOT_MAGIC, DISK_SLOT_VERSION, &reader);
	if (r < 0)
		return r;

	header.state = (enum disk_slot_state)get_u32(&reader);
	get_bytes(&reader, header.log_id, sizeof(header.log_id));
	header.node_id = get_u32(&reader);
	zero = get_u32(&reader);
	get_bytes(&reader, header.machine_id, sizeof(header.machine_id));
	get_bytes(&reader, header.boot_id, sizeof(header.boot_id));
	header.incarnation = get_u64(&reader);
	header.generation = get_u64(&reader);
	if (zero || !all_zero(reader.at, bytes + BLOCK_CRC_OFFSET) ||
	    (header.state != DISK_SLOT_FREE && header.state != DISK_SLOT_USED))
		return -EBADMSG;

	*ret_header = header;
	return 0;
}

void disk_slot_header_encode(const struct disk_slot_header *header,
			     uint8_t bytes[DISK_SLOT_HEADER_USED_BYTES])
{
	struct writer writer;

	assert(header->state == DISK_SLOT_FREE || header->state == DISK_SLOT_USED);

	block_begin(bytes, SLOT_MAGIC, DISK_SLOT_VERSION, &writer);
	put_u32(&writer, header->state);
	put_bytes(&writer, header->log_id, sizeof(header->log_id));
	put_u32(&writer, header->node_id);
	put_u32(&writer, 0);
	put_bytes(&writer, header->machine_id, sizeof(header->machine_id));
	put_bytes(&writer, header->boot_id, sizeof(header->boot_id));
	put_u64(&writer, header->incarnation);
	put_u64(&writer, header->generation);
	block_end(bytes);
}

/* ---- layout ---- */

static uint64_t divide_up(uint64_t dividend, uint64_t divisor)
{
	return dividend / divisor + (dividend % divisor != 0);
}

static uint64_t slot_bits(uint64_t region_count, uint32_t granularity)
{
	return divide_up(region_count, UINT64_C(1) << granularity);
}

uint64_t disk_bitmap_bytes(uint64_t region_count)
{
	return divide_up(region_count, 32) * 4;
}

uint64_t disk_slot_bitmap_bytes(uint64_t region_count, uint32_t granularity)
{
	assert(granularity <= DISK_GRANULARITY_MAX);
	return align_slot(divide_up(slot_bits(region_count, granularity), 8));
}

int disk_layout_compute(uint64_t region_count, uint32_t slot_count, uint64_t device_bytes,
			struct disk_layout *ret_layout, uint64_t *ret_needed_bytes)
{
	uint64_t offset_bytes, bitmap_bytes, slot_bytes = 0;

	assert(region_count >= 1 && region_count <= CONSTRUCTOR_REGIONS_MAX);
	assert(slot_count >= 1 && slot_count <= DISK_SLOTS_MAX);

	offset_bytes = slots_begin(region_count);
	for (uint32_t granularity = 0; granularity <= DISK_GRANULARITY_MAX; granularity++) {
		bitmap_bytes = disk_slot_bitmap_bytes(region_count, granularity);
		slot_bytes = DISK_SLOT_HEADER_BYTES + bitmap_bytes;
		if (offset_bytes + slot_bytes * slot_count <= device_bytes) {
			*ret_layout = (struct disk_layout){
				.slot_offset_bytes = offset_bytes,
				.slot_bytes = slot_bytes,
				.slot_count = slot_count,
				.granularity = granularity,
				.slot_bits = slot_bits(region_count, granularity),
			};
			return 0;
		}
		/* Coarser does not get smaller than one block. */
		if (bitmap_bytes == DISK_SLOT_ALIGN_BYTES)
			break;
	}
	*ret_needed_bytes = offset_bytes + slot_bytes * slot_count;
	return -ENOSPC;
}

void disk_layout_of(const struct disk_superblock *superblock, struct disk_layout *ret_layout)
{
	*ret_layout = (struct disk_layout){
		.slot_offset_bytes = superblock->slot_offset_bytes,
		.slot_bytes = superblock->slot_bytes,
		.slot_count = superblock->slot_count,
		.granularity = superblock->granularity,
		.slot_bits = slot_bits(superblock->region_count, superblock->granularity),
	};
}
