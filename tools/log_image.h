/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a log device says, read through a function that the caller gives: no I/O of its own, so that tests read from memory.
 *
 * Judges as an Opening of dmclogd does (daemon/core/opening_read.c), for a table of the superblock's geometry, with every owner
 * of a slot proven stopped.  No byte of the device is believed before it has been checked.
 */
#ifndef DMCLOG_LOG_IMAGE_H
#define DMCLOG_LOG_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "disk_format.h"

struct image_source {
	/* Fills `bytes`; returns 0 or negative errno.  Never asked beyond device_bytes. */
	int (*read)(void *context, uint64_t offset_bytes, uint8_t *bytes, uint64_t length_bytes);
	void *context;
	uint64_t device_bytes;
};

enum image_verdict {
	IMAGE_OURS,      /* a superblock of ours, and all that it names is there */
	IMAGE_KERNEL,    /* a log of the kernel's type "disk", never used by dmclogd */
	IMAGE_NONE,      /* neither */
	IMAGE_TRUNCATED, /* the device ends before what it says of itself */
	IMAGE_DAMAGED,   /* a checksum or a field is wrong */
};

enum region_state {
	REGION_CLEAN,
	REGION_HELD,        /* in sync by the bitmap, held by a slot that counts */
	REGION_OUT_OF_SYNC, /* not in sync by the bitmap */
};

struct image_slot {
	uint32_t number;
	int status; /* of decoding its header: 0, -ENODATA (never used), -EBADMSG, -EPROTONOSUPPORT */
	bool counts;                    /* in use, of this log and generation */
	struct disk_slot_header header; /* when status is 0 */
	uint64_t held_bits;             /* only of one that is in use */
	uint64_t held_regions;          /* that they cover */
};

struct log_image {
	enum image_verdict verdict;
	char why[160];      /* TRUNCATED, DAMAGED, NONE: in words */
	const char *origin; /* how dmclogd calls it when it opens it */
	uint64_t device_bytes;
	int header_status; /* 0 or -EINVAL */
	struct disk_header header;
	int superblock_status; /* as disk_superblock_decode() */
	struct disk_superblock superblock;
	uint64_t region_count; /* 0: nothing tells it */
	uint64_t valid_count;  /* of them the bitmap tells something */
	bool everything;       /* all is copied, whatever the bitmap says */
	bool moving;           /* it was written while it was being read */
	uint32_t slot_count;   /* that were read */
	struct image_slot slots[DISK_SLOTS_MAX];
	uint64_t base_count; /* regions that are in sync by the bitmap */
	uint64_t held_count; /* of those, held */
	uint64_t copy_count; /* regions that the next opening finds out of sync */
	uint8_t *base;       /* bitmaps of region_count bits; NULL without regions */
	uint8_t *covered;
};

/*
 * Returns 0; -ENOMEM; or what the source returned.  On 0 the caller ends with log_image_free().
 */
int log_image_read(const struct image_source *source, struct log_image *ret_image);
void log_image_free(struct log_image *image);

/* Precondition: region < region_count. */
enum region_state log_image_region(const struct log_image *image, uint64_t region);

#endif
