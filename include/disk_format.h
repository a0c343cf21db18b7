/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands on a log device, byte by byte, and the pure codecs for it.  All integers are
 * little-endian on every machine.  No struct is ever laid over the bytes.
 *
 *   offset 0           kernel header (drivers/md/dm-log.c, struct log_header_disk), 16 bytes
 *   offset 512         our superblock, 512 bytes, crc32c in its last 4
 *   offset 1024        base bitmap, region_count bits, bit r % 8 of byte r / 8: region r is in sync
 *   slot_offset_bytes  slots, one a node, slot_bytes apart: a header block of 4096 bytes, then a
 *                      bitmap, bit b = 1: some region of [b << granularity, (b + 1) << granularity)
 *                      is held
 *
 * Alignment: slots start and stay aligned to 4096 bytes, so header, superblock and base share no
 * block with a slot, with logical blocks of 512 as of 4096 bytes.
 *
 * The truth on disk: a region is clean if its base bit is 1 and no slot in use has its bit, a slot
 * counting only if it carries the superblock's random id and generation.  While the kernel header
 * says nr_regions != 0 the bitmap alone is the truth.
 */
#ifndef DMCLOGD_DISK_FORMAT_H
#define DMCLOGD_DISK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constructor.h"

/* ---- the kernel's header ---- */

#define DISK_HEADER_OFFSET_BYTES 0
#define DISK_HEADER_BYTES 16
#define DISK_HEADER_MAGIC 0x4D695272u /* "MiRr" */
#define DISK_HEADER_VERSION 2u

struct disk_header {
	uint64_t nr_regions; /* 0 while we use the log */
};

/*
 * Reads the 16 bytes at `bytes`: u32 magic, u32 version, u64 nr_regions.
 * Returns 0, or -EINVAL when magic or version is another (the kernel then takes nr_regions = 0 or
 * refuses: for us nothing is in sync).
 */
int disk_header_decode(const uint8_t bytes[DISK_HEADER_BYTES], struct disk_header *ret_header);
/* The other way round; version is DISK_HEADER_VERSION. */
void disk_header_encode(const struct disk_header *header, uint8_t bytes[DISK_HEADER_BYTES]);

/* ---- our superblock ---- */

#define DISK_SUPERBLOCK_OFFSET_BYTES 512
#define DISK_SUPERBLOCK_BYTES 512
#define DISK_SUPERBLOCK_VERSION 1u
#define DISK_CLUSTER_NAME_SIZE 64 /* with its NUL */
#define DISK_ID_BYTES 16
#define DISK_BITMAP_OFFSET_BYTES 1024
#define DISK_SLOT_ALIGN_BYTES 4096
#define DISK_SLOTS_MAX 256
#define DISK_SLOTS_DEFAULT 32
#define DISK_GRANULARITY_MAX 32

enum disk_superblock_state {
	DISK_CLOSED = 1,
	DISK_IN_USE = 2,
};

struct disk_superblock {
	uint8_t id[DISK_ID_BYTES];                 /* random: two devices never share it */
	char cluster_name[DISK_CLUSTER_NAME_SIZE]; /* "none" for --cluster=none */
	enum disk_superblock_state state;
	uint64_t region_count;
	uint32_t region_sectors;
	uint64_t slot_offset_bytes;
	uint64_t slot_bytes; /* header block and bitmap, a multiple of 4096 */
	uint32_t slot_count;
	uint32_t granularity; /* a slot bit covers 1 << granularity regions */
	uint64_t generation;  /* +1 whenever the slots of before become void */
};

/*
 * offset size  superblock
 *      0    8  magic "dmclogSB"
 *      8    4  version, DISK_SUPERBLOCK_VERSION
 *     12    4  state, enum disk_superblock_state
 *     16   16  id
 *     32   64  cluster name, NUL-padded, at least one character and one NUL
 *     96    8  region_count
 *    104    4  region_sectors
 *    108    4  granularity
 *    112    8  slot_offset_bytes
 *    120    8  slot_bytes
 *    128    4  slot_count
 *    132    4  zero
 *    136    8  generation
 *    144  364  zero
 *    508    4  crc32c of the 508 bytes before, in every version
 *
 * Reads 512 bytes.  Returns 0, or, with *ret_superblock untouched:
 *   -ENODATA  no superblock of ours (other magic)
 *   -EBADMSG  the crc or a field is wrong: a number out of its range, a slot offset or size that is
 *             not a multiple of DISK_SLOT_ALIGN_BYTES or too small for the bitmaps, slots that end
 *             beyond 2^63, bytes that should be zero and are not
 *   -EPROTONOSUPPORT  another version, under a crc that fits
 * What decodes encodes to the same 512 bytes.  That the slots lie on the device is the caller's to
 * check: the superblock does not know the device's size.
 */
int disk_superblock_decode(const uint8_t bytes[DISK_SUPERBLOCK_BYTES],
			   struct disk_superblock *ret_superblock);
/* The other way round.  Precondition (asserted): every field is as disk_superblock_decode accepts
 * it. */
void disk_superblock_encode(const struct disk_superblock *superblock,
			    uint8_t bytes[DISK_SUPERBLOCK_BYTES]);

/* ---- a slot's header ---- */

#define DISK_SLOT_HEADER_BYTES 4096 /* all of it belongs to the header; what is not used is zero */
#define DISK_SLOT_VERSION 1u

enum disk_slot_state {
	DISK_SLOT_FREE = 1,
	DISK_SLOT_USED = 2,
};

struct disk_slot_header {
	uint8_t log_id[DISK_ID_BYTES]; /* the superblock's id */
	uint32_t node_id;
	uint8_t machine_id[16];
	uint8_t boot_id[16];
	uint64_t incarnation; /* of the daemon: grows at each start within a boot */
	uint64_t generation;  /* the superblock's when the slot was taken */
	enum disk_slot_state state;
};

/* The encoded header fits the first 512 bytes of the header block: one logical block, written at
 * once. */
#define DISK_SLOT_HEADER_USED_BYTES 512

/*
 * offset size  slot header
 *      0    8  magic "dmclogSL"
 *      8    4  version, DISK_SLOT_VERSION
 *     12    4  state, enum disk_slot_state
 *     16   16  log_id
 *     32    4  node_id
 *     36    4  zero
 *     40   16  machine_id
 *     56   16  boot_id
 *     72    8  incarnation
 *     80    8  generation
 *     88  420  zero
 *    508    4  crc32c of the 508 bytes before, in every version
 *
 * Decoding errors as with the superblock: -ENODATA, -EBADMSG, -EPROTONOSUPPORT.  Whether log_id and
 * generation are the superblock's is the caller's to check.  Encoding asserts the state.
 */
int disk_slot_header_decode(const uint8_t bytes[DISK_SLOT_HEADER_USED_BYTES],
			    struct disk_slot_header *ret_header);
void disk_slot_header_encode(const struct disk_slot_header *header,
			     uint8_t bytes[DISK_SLOT_HEADER_USED_BYTES]);

/* ---- layout ---- */

struct disk_layout {
	uint64_t slot_offset_bytes;
	uint64_t slot_bytes;
	uint32_t slot_count;
	uint32_t granularity;
	uint64_t slot_bits; /* bits of a slot's bitmap that mean something */
};

/* Bytes of the base bitmap of region_count regions, rounded up to 4 (the kernel keeps whole 32-bit
 * words). */
uint64_t disk_bitmap_bytes(uint64_t region_count);

/* Bytes of the slot bitmap with that granularity (at most DISK_GRANULARITY_MAX) as it stands on
 * disk: a bit for each 1 << granularity regions, rounded up to DISK_SLOT_ALIGN_BYTES. */
uint64_t disk_slot_bitmap_bytes(uint64_t region_count, uint32_t granularity);

/*
 * The layout for `region_count` regions (1 to CONSTRUCTOR_REGIONS_MAX) and `slot_count` slots (1
 * to DISK_SLOTS_MAX), both asserted, on a device of `device_bytes`: the smallest granularity with
 * which all slots fit.  A slot's bitmap never gets smaller than one block of 4096 bytes.
 * Returns 0, or -ENOSPC when the device is too small even so; *ret_needed_bytes then (and only
 * then) tells the smallest size with which it would fit.
 */
int disk_layout_compute(uint64_t region_count, uint32_t slot_count, uint64_t device_bytes,
			struct disk_layout *ret_layout, uint64_t *ret_needed_bytes);

/* Fills *ret_layout from a superblock that disk_superblock_decode has accepted. */
void disk_layout_of(const struct disk_superblock *superblock, struct disk_layout *ret_layout);

/* crc32c (Castagnoli, reflected, initial and final xor ~0) of `length_bytes` at `bytes`. */
uint32_t disk_crc32c(const void *bytes, size_t length_bytes);

#endif
