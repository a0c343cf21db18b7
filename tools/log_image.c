/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and judging a log device: see log_image.h. */
#include "tools/log_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 4096
#define PIECE_BYTES (1u << 20)
/* A log in use changes; so often is it read again when its superblock did. */
#define ATTEMPTS 4

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool bit_test(const uint8_t *bits, uint64_t bit)
{
	return (bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static void bit_set(uint8_t *bits, uint64_t bit)
{
	bits[bit / 8] = (uint8_t)(bits[bit / 8] | 1u << (bit % 8));
}

/* The worst that is found is told. */
__attribute__((format(printf, 3, 4))) static void
judge(struct log_image *image, enum image_verdict verdict, const char *format, ...)
{
	va_list arguments;

	if (verdict <= image->verdict)
		return;
	image->verdict = verdict;
	va_start(arguments, format);
	(void)vsnprintf(image->why, sizeof(image->why), format, arguments);
	va_end(arguments);
}

/* ---- the head ---- */

static void judge_superblock(struct log_image *image)
{
	switch (image->superblock_status) {
	case 0:
		if (image->header_status < 0)
			judge(image, IMAGE_DAMAGED,
			      "the superblock is whole, the kernel's header before it is not");
		break;
	case -ENODATA:
		judge(image, image->header_status < 0 ? IMAGE_NONE : IMAGE_KERNEL,
		      "neither a header of the kernel nor a superblock of dmclogd is there");
		break;
	case -EPROTONOSUPPORT:
		judge(image, IMAGE_DAMAGED,
		      "the superblock is of another version: a newer dmclog can read it");
		break;
	default:
		judge(image, IMAGE_DAMAGED, "the superblock's checksum or a field of it is wrong");
		break;
	}
}

/* Slots that do not fit were cut off: what they held is unknown. */
static bool slots_fit(const struct log_image *image)
{
	const struct disk_superblock *superblock = &image->superblock;

	return superblock->slot_offset_bytes < image->device_bytes &&
	       (image->device_bytes - superblock->slot_offset_bytes) / superblock->slot_bytes >=
		       superblock->slot_count;
}

static bool bitmap_fits(const struct log_image *image, uint64_t region_count)
{
	return region_count <= CONSTRUCTOR_REGIONS_MAX &&
	       disk_bitmap_bytes(region_count) <= image->device_bytes - DISK_BITMAP_OFFSET_BYTES;
}

/* How many regions there are, and of how many the bitmap tells: the table at the top of opening_read.c. */
static void judge_regions(struct log_image *image)
{
	bool ours = image->superblock_status == 0;
	bool in_use = ours && image->superblock.state == DISK_IN_USE;
	uint64_t nr_regions = image->header_status == 0 ? image->header.nr_regions : 0;

	if (image->header_status < 0)
		image->origin = "a device without a log";
	else if (nr_regions != 0)
		image->origin = in_use ? "a log that was taken over" :
				ours   ? "a closed log" :
					 "a log of the kernel";
	else
		image->origin = in_use ? "a log that was left in use" : "an empty log";
	if (ours)
		image->region_count = image->superblock.region_count;
	else if (bitmap_fits(image, nr_regions))
		image->region_count = nr_regions;
	else if (nr_regions != UINT64_MAX) /* which LVM writes to mean: all that the mirror has */
		judge(image, IMAGE_TRUNCATED,
		      "its header tells of %" PRIu64 " regions, the bitmap of which does not fit",
		      nr_regions);
	if (!bitmap_fits(image, image->region_count)) {
		judge(image, IMAGE_TRUNCATED, "the device ends within the bitmap");
		image->region_count = 0;
		image->everything = true;
		return;
	}
	image->valid_count = minimum(nr_regions, image->region_count);
	if (image->header_status == 0 && nr_regions == 0 && in_use)
		image->valid_count = image->region_count;
	if (ours && !slots_fit(image)) {
		judge(image, IMAGE_TRUNCATED, "the device ends before the last slot");
		image->everything = in_use && nr_regions == 0;
	}
}

static int read_head(const struct image_source *source, uint8_t head[HEAD_BYTES])
{
	memset(head, 0, HEAD_BYTES);
	return source->read(source->context, 0, head, minimum(HEAD_BYTES, source->device_bytes));
}

static void take_head(struct log_image *image, const uint8_t head[HEAD_BYTES])
{
	image->header_status = disk_header_decode(head + DISK_HEADER_OFFSET_BYTES, &image->header);
	image->superblock_status =
		disk_superblock_decode(head + DISK_SUPERBLOCK_OFFSET_BYTES, &image->superblock);
	if (image->device_bytes <= DISK_BITMAP_OFFSET_BYTES) {
		image->superblock_status = -ENODATA;
		image->everything = true;
		image->origin = "a device that is too small";
		if (image->header_status < 0)
			judge(image, IMAGE_NONE, "it has %" PRIu64 " bytes, too few for any log",
			      image->device_bytes);
		else
			judge(image, IMAGE_TRUNCATED,
			      "it has %" PRIu64 " bytes, and ends before the bitmap",
			      image->device_bytes);
		return;
	}
	judge_superblock(image);
	judge_regions(image);
}

/* ---- bitmaps ---- */

static int read_pieces(const struct image_source *source, uint64_t offset_bytes, uint8_t *bytes,
		       uint64_t length_bytes)
{
	int r = 0;

	for (uint64_t done = 0; done < length_bytes && r == 0; done += PIECE_BYTES)
		r = source->read(source->context, offset_bytes + done, bytes + done,
				 minimum(PIECE_BYTES, length_bytes - done));
	return r;
}

static int read_base(const struct image_source *source, struct log_image *image)
{
	uint64_t bytes = disk_bitmap_bytes(image->region_count);

	if (image->region_count == 0)
		return 0;
	image->base = calloc(1, bytes);
	image->covered = calloc(1, bytes);
	if (image->base == NULL || image->covered == NULL)
		return -ENOMEM;
	return read_pieces(source, DISK_BITMAP_OFFSET_BYTES, image->base, bytes);
}

static void slot_covers(struct log_image *image, struct image_slot *slot, const uint8_t *bits,
			uint64_t bit_count)
{
	uint32_t k = image->superblock.granularity;

	for (uint64_t bit = 0; bit < bit_count; bit++) {
		uint64_t region = bit << k;
		uint64_t end = minimum(region + (UINT64_C(1) << k), image->region_count);

		if (bit % 8 == 0 && bits[bit / 8] == 0) {
			bit += 7;
			continue;
		}
		if (!bit_test(bits, bit))
			continue;
		slot->held_bits++;
		slot->held_regions += end - region;
		for (; slot->counts && region < end; region++)
			bit_set(image->covered, region);
	}
}

static int read_slot_bits(const struct image_source *source, struct log_image *image,
			  struct image_slot *slot, uint64_t offset_bytes)
{
	uint64_t bytes = disk_slot_bitmap_bytes(image->region_count, image->superblock.granularity);
	struct disk_layout layout;
	uint8_t *bits = malloc(bytes);
	int r;

	if (bits == NULL)
		return -ENOMEM;
	disk_layout_of(&image->superblock, &layout);
	r = read_pieces(source, offset_bytes + DISK_SLOT_HEADER_BYTES, bits, bytes);
	if (r == 0)
		slot_covers(image, slot, bits, layout.slot_bits);
	free(bits);
	return r;
}

static int read_slot(const struct image_source *source, struct log_image *image, uint32_t number)
{
	const struct disk_superblock *superblock = &image->superblock;
	uint64_t offset_bytes = superblock->slot_offset_bytes + number * superblock->slot_bytes;
	struct image_slot *slot = &image->slots[number];
	uint8_t block[DISK_SLOT_HEADER_USED_BYTES];
	bool slots_count = image->header_status == 0 && image->header.nr_regions == 0 &&
			   superblock->state == DISK_IN_USE;
	int r = source->read(source->context, offset_bytes, block, sizeof(block));

	if (r < 0)
		return r;
	slot->number = number;
	slot->status = disk_slot_header_decode(block, &slot->header);
	if (slot->status == -ENODATA)
		return 0;
	if (slot->status < 0) {
		judge(image, IMAGE_DAMAGED, "the header of slot %" PRIu32 " cannot be read: %s",
		      number,
		      slot->status == -EPROTONOSUPPORT ? "another version" : "wrong checksum");
		image->everything = image->everything || slots_count;
		return 0;
	}
	slot->counts = slots_count && slot->header.state == DISK_SLOT_USED &&
		       slot->header.generation == superblock->generation &&
		       memcmp(slot->header.log_id, superblock->id, DISK_ID_BYTES) == 0;
	return slot->header.state == DISK_SLOT_USED ?
		       read_slot_bits(source, image, slot, offset_bytes) :
		       0;
}

static int read_slots(const struct image_source *source, struct log_image *image)
{
	int r = 0;

	if (image->superblock_status < 0 || image->region_count == 0 || !slots_fit(image))
		return 0;
	for (uint32_t i = 0; i < image->superblock.slot_count && r == 0; i++)
		r = read_slot(source, image, i);
	image->slot_count = image->superblock.slot_count;
	return r;
}

/* ---- the sum ---- */

enum region_state log_image_region(const struct log_image *image, uint64_t region)
{
	if (image->everything || region >= image->valid_count || !bit_test(image->base, region))
		return REGION_OUT_OF_SYNC;
	return bit_test(image->covered, region) ? REGION_HELD : REGION_CLEAN;
}

static void count_regions(struct log_image *image)
{
	for (uint64_t r = 0; r < image->region_count; r++) {
		enum region_state state = log_image_region(image, r);

		image->base_count += r < image->valid_count && bit_test(image->base, r);
		image->held_count += state == REGION_HELD;
		image->copy_count += state != REGION_CLEAN;
	}
}

/* *ret_image is good for log_image_free() whatever is returned. */
static int read_once(const struct image_source *source, struct log_image *ret_image)
{
	uint8_t head[HEAD_BYTES], after[HEAD_BYTES];
	int r = read_head(source, head);

	memset(ret_image, 0, sizeof(*ret_image));
	ret_image->device_bytes = source->device_bytes;
	if (r < 0)
		return r;
	take_head(ret_image, head);
	r = read_base(source, ret_image);
	if (r == 0)
		r = read_slots(source, ret_image);
	if (r == 0)
		r = read_head(source, after);
	if (r < 0)
		return r;
	ret_image->moving = memcmp(head, after, DISK_BITMAP_OFFSET_BYTES) != 0;
	count_regions(ret_image);
	return 0;
}

int log_image_read(const struct image_source *source, struct log_image *ret_image)
{
	int r = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		r = read_once(source, ret_image);
		if (r < 0)
			log_image_free(ret_image);
		if (r < 0 || !ret_image->moving)
			return r;
		if (i + 1 < ATTEMPTS)
			log_image_free(ret_image);
	}
	return r;
}

void log_image_free(struct log_image *image)
{
	free(image->base);
	free(image->covered);
	image->base = image->covered = NULL;
}
