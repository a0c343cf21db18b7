/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of the log device in memory: see image.h. */
#include "image.h"

#include <assert.h>
#include <string.h>

#define SMALLEST_BLOCK_BYTES 512

static size_t align64(uint64_t bytes)
{
	return (size_t)((bytes + 63) & ~UINT64_C(63));
}

static uint64_t blocks_for(uint64_t length_bytes)
{
	return (length_bytes + SMALLEST_BLOCK_BYTES - 1) / SMALLEST_BLOCK_BYTES;
}

size_t image_bytes(uint64_t length_bytes)
{
	return 3 * align64(length_bytes) + 2 * bitmap_bytes(blocks_for(length_bytes));
}

void image_init(struct image *image, enum image_caution caution, uint64_t capacity_bytes,
		void *memory)
{
	uint8_t *bytes = memory;
	uint64_t blocks = blocks_for(capacity_bytes);

	image->caution = caution;
	image->wanted = bytes;
	image->sent = bytes + align64(capacity_bytes);
	image->sure = bytes + 2 * align64(capacity_bytes);
	bytes += 3 * align64(capacity_bytes);
	bitmap_init(&image->dirty, blocks, bytes);
	bitmap_init(&image->writing, blocks, bytes + bitmap_bytes(blocks));
}

void image_place(struct image *image, uint64_t offset_bytes, uint64_t length_bytes,
		 uint32_t block_bytes)
{
	assert(image->writing.count == 0);
	assert(length_bytes % block_bytes == 0);
	assert(length_bytes / block_bytes <= image->dirty.bits);
	image->offset_bytes = offset_bytes;
	image->length_bytes = length_bytes;
	image->block_bytes = block_bytes;
	memset(image->wanted, 0, length_bytes);
	memset(image->sent, 0, length_bytes);
	memset(image->sure, 0, length_bytes);
	bitmap_clear_all(&image->dirty);
}

void image_loaded(struct image *image, uint64_t offset_bytes, const uint8_t *data,
		  uint64_t length_bytes)
{
	uint64_t at = offset_bytes - image->offset_bytes;

	assert(offset_bytes >= image->offset_bytes && at + length_bytes <= image->length_bytes);
	memcpy(image->wanted + at, data, length_bytes);
	memcpy(image->sure + at, data, length_bytes);
}

bool image_test(const struct image *image, uint64_t base_bytes, uint64_t bit)
{
	return (image->wanted[base_bytes + bit / 8] >> (bit % 8)) & 1;
}

bool image_sure(const struct image *image, uint64_t base_bytes, uint64_t bit)
{
	return (image->sure[base_bytes + bit / 8] >> (bit % 8)) & 1;
}

void image_set(struct image *image, uint64_t base_bytes, uint64_t bit)
{
	uint64_t at = base_bytes + bit / 8;

	assert(at < image->length_bytes);
	if (image_test(image, base_bytes, bit))
		return;
	image->wanted[at] = (uint8_t)(image->wanted[at] | (1u << (bit % 8)));
	(void)bitmap_set(&image->dirty, at / image->block_bytes);
}

void image_clear(struct image *image, uint64_t base_bytes, uint64_t bit)
{
	uint64_t at = base_bytes + bit / 8;

	assert(at < image->length_bytes);
	if (!image_test(image, base_bytes, bit))
		return;
	image->wanted[at] = (uint8_t)(image->wanted[at] & ~(1u << (bit % 8)));
	(void)bitmap_set(&image->dirty, at / image->block_bytes);
}

void image_put(struct image *image, uint64_t at_bytes, const uint8_t *data, uint64_t length_bytes)
{
	assert(at_bytes + length_bytes <= image->length_bytes);
	for (uint64_t i = 0; i < length_bytes; i++) {
		if (image->wanted[at_bytes + i] == data[i])
			continue;
		image->wanted[at_bytes + i] = data[i];
		(void)bitmap_set(&image->dirty, (at_bytes + i) / image->block_bytes);
	}
}

void image_fill(struct image *image, uint64_t from_bytes, uint64_t length_bytes, uint8_t byte)
{
	uint64_t last = (from_bytes + length_bytes - 1) / image->block_bytes;

	assert(length_bytes > 0 && from_bytes + length_bytes <= image->length_bytes);
	memset(image->wanted + from_bytes, byte, length_bytes);
	for (uint64_t block = from_bytes / image->block_bytes; block <= last; block++)
		(void)bitmap_set(&image->dirty, block);
}

void image_try(struct image *image)
{
	(void)bitmap_set(&image->dirty, 0);
}

bool image_clean(const struct image *image)
{
	return image->dirty.count == 0 && image->writing.count == 0;
}

/* What may be on the device while block contents `sent` are under way. */
static void be_cautious(struct image *image, uint64_t at, uint32_t length)
{
	for (uint64_t i = at; i < at + length; i++) {
		if (image->caution == IMAGE_SURE_SET)
			image->sure[i] &= image->sent[i];
		else
			image->sure[i] |= image->sent[i];
	}
}

bool image_take(struct image *image, uint32_t max_bytes, uint64_t *ret_at_bytes,
		uint32_t *ret_length_bytes)
{
	uint64_t block = bitmap_next(&image->dirty, 0);
	uint64_t first;
	uint32_t length = 0;

	while (block != BITMAP_NONE && bitmap_test(&image->writing, block))
		block = bitmap_next(&image->dirty, block + 1);
	if (block == BITMAP_NONE)
		return false;
	first = block;
	while (length + image->block_bytes <= max_bytes && block < image->dirty.bits &&
	       bitmap_test(&image->dirty, block) && !bitmap_test(&image->writing, block)) {
		(void)bitmap_clear(&image->dirty, block);
		(void)bitmap_set(&image->writing, block);
		length += image->block_bytes;
		block++;
	}
	memcpy(image->sent + first * image->block_bytes, image->wanted + first * image->block_bytes,
	       length);
	be_cautious(image, first * image->block_bytes, length);
	*ret_at_bytes = first * image->block_bytes;
	*ret_length_bytes = length;
	return true;
}

void image_written(struct image *image, uint64_t at_bytes, uint32_t length_bytes, bool durable)
{
	uint64_t block = at_bytes / image->block_bytes;

	assert(at_bytes + length_bytes <= image->length_bytes);
	for (uint32_t done = 0; done < length_bytes; done += image->block_bytes, block++) {
		bool was_writing = bitmap_clear(&image->writing, block);

		assert(was_writing);
		if (!durable)
			(void)bitmap_set(&image->dirty, block);
	}
	if (durable)
		memcpy(image->sure + at_bytes, image->sent + at_bytes, length_bytes);
}

void image_settle(struct image *image, uint64_t from_bytes, uint64_t length_bytes, uint8_t byte)
{
	assert(from_bytes + length_bytes <= image->length_bytes);
	for (uint64_t i = from_bytes; i < from_bytes + length_bytes; i++) {
		if (image->wanted[i] == byte)
			continue;
		image->wanted[i] = byte;
		(void)bitmap_set(&image->dirty, i / image->block_bytes);
	}
}
