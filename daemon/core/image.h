/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of the log device in memory: what is wanted there, and what is sure to be there.
 *
 * Blocks are written when they are dirty; a block has at most one write under way.  Of a block
 * whose write is not known to have ended well, the old and the new contents are both possible, so `sure`
 * keeps the cautious of the two: for a slot a bit counts as set only if it is set in both (IMAGE_SURE_SET), for the
 * base as set if it is set in one (IMAGE_SURE_CLEAR).  Memory is the caller's; private to the core.
 */
#ifndef DMCLOGD_IMAGE_H
#define DMCLOGD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bitmap.h"

enum image_caution {
	IMAGE_SURE_SET,   /* a bit that is 1 in `sure` is 1 on the device */
	IMAGE_SURE_CLEAR, /* a bit that is 0 in `sure` is 0 on the device */
};

struct image {
	enum image_caution caution;
	uint64_t offset_bytes; /* on the device */
	uint64_t length_bytes; /* a multiple of block_bytes */
	uint32_t block_bytes;
	uint8_t *wanted;
	uint8_t *sent; /* contents of the last write of each block */
	uint8_t *sure;
	struct bitmap dirty;   /* blocks to be written */
	struct bitmap writing; /* blocks that are being written */
};

/* Bytes of memory that an image of at most `length_bytes` needs, a multiple of 64. */
size_t image_bytes(uint64_t length_bytes);

/* Makes an image in `memory` (aligned to 64) of `capacity_bytes`; image_place() must follow. */
void image_init(struct image *image, enum image_caution caution, uint64_t capacity_bytes,
		void *memory);

/* Says where the image lies and how large it is, at most its capacity.  All contents become 0, nothing is
 * dirty; no write may be under way. */
void image_place(struct image *image, uint64_t offset_bytes, uint64_t length_bytes,
		 uint32_t block_bytes);

/* Takes in what was read from the device.  The range must lie in the image. */
void image_loaded(struct image *image, uint64_t offset_bytes, const uint8_t *data,
		  uint64_t length_bytes);

/* Bits are counted from the byte `base_bytes` of the image, bit b in byte b / 8.  Setting and clearing makes
 * the block dirty when it changes something. */
bool image_test(const struct image *image, uint64_t base_bytes, uint64_t bit);
void image_set(struct image *image, uint64_t base_bytes, uint64_t bit);
void image_clear(struct image *image, uint64_t base_bytes, uint64_t bit);

/* As image_test, but of what is sure. */
bool image_sure(const struct image *image, uint64_t base_bytes, uint64_t bit);

/* Puts bytes into the image; blocks that change become dirty. */
void image_put(struct image *image, uint64_t at_bytes, const uint8_t *data, uint64_t length_bytes);

/* Fills bytes [from, from + length) of the image with `byte`; all their blocks become dirty, changed or not. */
void image_fill(struct image *image, uint64_t from_bytes, uint64_t length_bytes, uint8_t byte);

/* The same, but only blocks that change become dirty. */
void image_settle(struct image *image, uint64_t from_bytes, uint64_t length_bytes, uint8_t byte);

/* Nothing is dirty and no write is under way: the device has what is wanted. */
/* Writes the first block once more, whatever is in it: does the device take it? */
void image_try(struct image *image);

bool image_clean(const struct image *image);

/* The next run of dirty blocks with no write under way, at most `max_bytes` long, becomes "being written".  Returns
 * false when there is none; else *ret_at_bytes (in the image) and *ret_length_bytes; its contents are in sent[]. */
bool image_take(struct image *image, uint32_t max_bytes, uint64_t *ret_at_bytes,
		uint32_t *ret_length_bytes);

/* The write of a run that image_take() gave has ended, durably or not (then it is dirty again). */
void image_written(struct image *image, uint64_t at_bytes, uint32_t length_bytes, bool durable);

#endif
