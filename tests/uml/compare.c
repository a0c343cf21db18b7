/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a log image and the images of two legs on the host, as they were left by a node that is down: which regions
 * does the log call clean, and which differ?  Says it of its own reading of disk_format.h, not with the core's.
 *
 *   compare check LOG SECTORS REGION LEG LEG   counts; status 1 and the list when a region differs and is clean
 *   compare dirty LOG SECTORS REGION           the regions that are not clean, one a line
 *   compare make LOG SECTORS REGION [FIRST COUNT STEP]
 *                                              a closed log of the kernel; COUNT regions, STEP apart, not in sync
 *
 * SECTORS is the length of the mirror, REGION the region size, both in sectors.  Status 2: it could not be done.
 * Holes in the legs are passed over, so that images of many GiB take no time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk_format.h"

#define LISTED_MAX 64
#define CHUNK_BYTES (1 << 20)

struct mirror {
	uint64_t sectors;
	uint64_t region_sectors;
	uint64_t region_count;
	uint8_t *clean; /* a byte a region */
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fprintf(stderr, "compare: ");
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, "\n");
	va_end(args);
	exit(2);
}

static int image_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/* Fewer bytes only at the end of the image; what lies behind it reads as zeros. */
static void image_read(int fd, uint64_t offset_bytes, uint8_t *bytes, uint64_t length_bytes)
{
	uint64_t done = 0;

	while (done < length_bytes) {
		ssize_t r =
			pread(fd, bytes + done, length_bytes - done, (off_t)(offset_bytes + done));

		if (r < 0)
			die("read: %s", strerror(errno));
		if (r == 0)
			break;
		done += (uint64_t)r;
	}
	memset(bytes + done, 0, length_bytes - done);
}

static bool bit_test(const uint8_t *bytes, uint64_t bit)
{
	return (bytes[bit / 8] >> (bit % 8)) & 1;
}

static uint8_t *bytes_get(uint64_t count)
{
	uint8_t *bytes = calloc(1, count);

	if (bytes == NULL)
		die("no memory");
	return bytes;
}

/* ---- the log ---- */

/* Takes from the clean ones what slot number `slot` has. */
static void slot_apply(int fd, const struct disk_superblock *superblock, uint32_t slot,
		       struct mirror *mirror)
{
	uint64_t offset = superblock->slot_offset_bytes + slot * superblock->slot_bytes;
	uint64_t bytes = disk_slot_bitmap_bytes(superblock->region_count, superblock->granularity);
	uint8_t header_bytes[DISK_SLOT_HEADER_USED_BYTES];
	struct disk_slot_header header;
	uint8_t *bitmap;
	int r;

	image_read(fd, offset, header_bytes, sizeof(header_bytes));
	r = disk_slot_header_decode(header_bytes, &header);
	if (r == -ENODATA)
		return;
	if (r < 0) {
		memset(mirror->clean, 0, mirror->region_count);
		return;
	}
	if (header.state != DISK_SLOT_USED || header.generation != superblock->generation ||
	    memcmp(header.log_id, superblock->id, DISK_ID_BYTES) != 0)
		return;
	bitmap = bytes_get(bytes);
	image_read(fd, offset + DISK_SLOT_HEADER_BYTES, bitmap, bytes);
	for (uint64_t r2 = 0; r2 < mirror->region_count && r2 < superblock->region_count; r2++)
		if (bit_test(bitmap, r2 >> superblock->granularity))
			mirror->clean[r2] = 0;
	free(bitmap);
}

static void log_read(const char *path, struct mirror *mirror)
{
	int fd = image_open(path, O_RDONLY);
	uint8_t head[DISK_BITMAP_OFFSET_BYTES];
	struct disk_superblock superblock = { .state = DISK_CLOSED };
	struct disk_header header;
	uint64_t valid;
	uint8_t *bitmap;
	bool known, in_use;

	image_read(fd, 0, head, sizeof(head));
	mirror->clean = bytes_get(mirror->region_count);
	known = disk_superblock_decode(head + DISK_SUPERBLOCK_OFFSET_BYTES, &superblock) == 0;
	in_use = known && superblock.state == DISK_IN_USE;
	if (disk_header_decode(head + DISK_HEADER_OFFSET_BYTES, &header) < 0 ||
	    (known && superblock.region_sectors != mirror->region_sectors) ||
	    (header.nr_regions == 0 && !in_use)) {
		(void)close(fd);
		return;
	}
	valid = header.nr_regions != 0 ? header.nr_regions : superblock.region_count;
	if (valid > mirror->region_count)
		valid = mirror->region_count;
	bitmap = bytes_get(disk_bitmap_bytes(mirror->region_count));
	image_read(fd, DISK_BITMAP_OFFSET_BYTES, bitmap, disk_bitmap_bytes(mirror->region_count));
	for (uint64_t r = 0; r < valid; r++)
		mirror->clean[r] = bit_test(bitmap, r);
	free(bitmap);
	for (uint32_t s = 0; header.nr_regions == 0 && s < superblock.slot_count; s++)
		slot_apply(fd, &superblock, s, mirror);
	(void)close(fd);
}

/* ---- the legs ---- */

/* The first byte at or after `from` that is no hole, or `end`. */
static uint64_t data_next(int fd, uint64_t from, uint64_t end)
{
	off_t at = lseek(fd, (off_t)from, SEEK_DATA);

	if (at < 0 && errno != ENXIO)
		die("lseek: %s", strerror(errno));
	return at < 0 || (uint64_t)at > end ? end : (uint64_t)at;
}

static bool region_equal(const int legs[2], uint64_t from, uint64_t end)
{
	static uint8_t a[CHUNK_BYTES], b[CHUNK_BYTES];

	for (; from < end; from += CHUNK_BYTES) {
		uint64_t length = end - from < CHUNK_BYTES ? end - from : CHUNK_BYTES;

		image_read(legs[0], from, a, length);
		image_read(legs[1], from, b, length);
		if (memcmp(a, b, length) != 0)
			return false;
	}
	return true;
}

static int check(const struct mirror *mirror, const char *first, const char *second)
{
	const int legs[2] = { image_open(first, O_RDONLY), image_open(second, O_RDONLY) };
	uint64_t region_bytes = mirror->region_sectors * 512;
	uint64_t end = mirror->sectors * 512;
	uint64_t differing = 0, wrong = 0, clean = 0;

	for (uint64_t r = 0; r < mirror->region_count; r++)
		clean += mirror->clean[r];
	for (uint64_t r = 0; r < mirror->region_count; r++) {
		uint64_t from = data_next(legs[0], r * region_bytes, end);
		uint64_t other = data_next(legs[1], r * region_bytes, end);
		uint64_t stop;

		r = (other < from ? other : from) / region_bytes;
		if (r >= mirror->region_count)
			break;
		stop = (r + 1) * region_bytes < end ? (r + 1) * region_bytes : end;
		if (region_equal(legs, r * region_bytes, stop))
			continue;
		differing++;
		if (mirror->clean[r] && wrong++ < LISTED_MAX)
			printf("region %" PRIu64 " differs and is clean\n", r);
	}
	printf("regions %" PRIu64 " unclean %" PRIu64 " differing %" PRIu64 " wrong %" PRIu64 "\n",
	       mirror->region_count, mirror->region_count - clean, differing, wrong);
	return wrong > 0 ? 1 : 0;
}

/* ---- making one ---- */

static void make(const char *path, const struct mirror *mirror, uint64_t first, uint64_t count,
		 uint64_t step)
{
	struct disk_header header = { .nr_regions = mirror->region_count };
	uint64_t bytes = DISK_BITMAP_OFFSET_BYTES + disk_bitmap_bytes(mirror->region_count);
	uint8_t *image = bytes_get(bytes);
	int fd = image_open(path, O_WRONLY);

	disk_header_encode(&header, image);
	for (uint64_t r = 0; r < mirror->region_count; r++)
		if (r < first || (r - first) % step != 0 || (r - first) / step >= count)
			image[DISK_BITMAP_OFFSET_BYTES + r / 8] |= (uint8_t)(1u << (r % 8));
	if (pwrite(fd, image, bytes, 0) != (ssize_t)bytes || close(fd) < 0)
		die("%s: %s", path, strerror(errno));
	free(image);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end != '\0' || end == text)
		die("'%s' is no number", text);
	return value;
}

int main(int argc, char **argv)
{
	struct mirror mirror;

	if (argc < 5)
		die("usage: compare check|dirty|make LOG SECTORS REGION ...");
	mirror.sectors = number(argv[3]);
	mirror.region_sectors = number(argv[4]);
	if (mirror.region_sectors == 0)
		die("regions of no size");
	mirror.region_count = (mirror.sectors + mirror.region_sectors - 1) / mirror.region_sectors;
	if (strcmp(argv[1], "make") == 0 && (argc == 5 || argc == 8)) {
		if (argc == 5)
			make(argv[2], &mirror, 0, 0, 1);
		else
			make(argv[2], &mirror, number(argv[5]), number(argv[6]), number(argv[7]));
		return 0;
	}
	log_read(argv[2], &mirror);
	if (strcmp(argv[1], "check") == 0 && argc == 7)
		return check(&mirror, argv[5], argv[6]);
	if (strcmp(argv[1], "dirty") != 0 || argc != 5)
		die("unknown command %s, or wrong number of words", argv[1]);
	for (uint64_t r = 0; r < mirror.region_count; r++)
		if (!mirror.clean[r])
			printf("%" PRIu64 "\n", r);
	return 0;
}
