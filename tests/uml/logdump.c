/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the image of a log device on the host and says what stands in it; with images of legs, which regions differ.
 *
 * Lines "name value", one fact each, for scripts and people.  The last question is the one that matters: is a region
 * whose legs differ called clean by the log?  Exit status: 0 no, 1 yes, 2 something cannot be read.
 * Never writes.  Limits: what disk_format.h knows; legs begin at offset 0 of their images.
 *
 * usage: logdump [--regions COUNT] LOG [LEG LEG]
 *   --regions  the bitmap's length where no superblock of ours tells it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_format.h"

#define SECTOR_BYTES 512

struct dump {
	const uint8_t *bytes; /* the whole device */
	uint64_t byte_count;
	uint64_t region_count;
	uint64_t region_bytes; /* 0: unknown */
	uint8_t *clean;        /* one byte a region: the log calls it clean */
	bool closed; /* nr_regions is set: the bitmap alone is the truth, slots are void */
};

static const void *image_read(const char *path, uint64_t *ret_bytes)
{
	struct stat st;
	uint8_t *bytes;
	off_t done = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || !(bytes = malloc((size_t)st.st_size + 1))) {
		perror(path);
		exit(2);
	}
	while (done < st.st_size) {
		ssize_t count = pread(fd, bytes + done, (size_t)(st.st_size - done), done);

		if (count <= 0) {
			perror(path);
			exit(2);
		}
		done += count;
	}
	(void)close(fd);
	*ret_bytes = (uint64_t)st.st_size;
	return bytes;
}

static bool bit_get(const uint8_t *bitmap, uint64_t bit)
{
	return (bitmap[bit / 8] >> bit % 8 & 1) != 0;
}

static uint64_t clean_count(const struct dump *dump)
{
	uint64_t count = 0;

	for (uint64_t r = 0; r < dump->region_count; r++)
		count += dump->clean[r];
	return count;
}

/* A slot in use takes what it covers away from the clean regions, if it is of this log and generation. */
static void slot_apply(struct dump *dump, const struct disk_superblock *superblock, uint32_t slot)
{
	const uint8_t *at =
		dump->bytes + superblock->slot_offset_bytes + slot * superblock->slot_bytes;
	struct disk_slot_header header;
	uint64_t covered = 0;
	bool valid;
	int r = disk_slot_header_decode(at, &header);

	if (r == -ENODATA)
		return;
	if (r < 0) {
		printf("slot %" PRIu32 " unreadable: %s\n", slot, strerror(-r));
		return;
	}
	valid = !dump->closed &&
		memcmp(header.log_id, superblock->id, sizeof(header.log_id)) == 0 &&
		header.generation == superblock->generation;
	if (header.state == DISK_SLOT_USED)
		for (uint64_t region = 0; region < dump->region_count; region++)
			if (bit_get(at + DISK_SLOT_HEADER_BYTES,
				    region >> superblock->granularity)) {
				covered++;
				if (valid)
					dump->clean[region] = 0;
			}
	printf("slot %" PRIu32 " %s: node %" PRIu32 ", generation %" PRIu64 "%s, %" PRIu64
	       " regions held\n",
	       slot, header.state == DISK_SLOT_USED ? "in-use" : "free", header.node_id,
	       header.generation, valid ? "" : " (void)", covered);
}

static bool superblock_read(struct dump *dump, struct disk_superblock *superblock)
{
	int r = disk_superblock_decode(dump->bytes + DISK_SUPERBLOCK_OFFSET_BYTES, superblock);

	if (r < 0) {
		printf("superblock none: %s\n", strerror(-r));
		return false;
	}
	printf("superblock %s: %" PRIu64 " regions of %" PRIu32 " sectors, %" PRIu32
	       " slots, granularity %" PRIu32 ", generation %" PRIu64 ", cluster %s\n",
	       superblock->state == DISK_IN_USE ? "in-use" : "closed", superblock->region_count,
	       superblock->region_sectors, superblock->slot_count, superblock->granularity,
	       superblock->generation, superblock->cluster_name);
	if (superblock->slot_offset_bytes + superblock->slot_count * superblock->slot_bytes >
	    dump->byte_count) {
		printf("superblock slots lie beyond the end of the image\n");
		return false;
	}
	if (dump->region_count == 0)
		dump->region_count = superblock->region_count;
	dump->region_bytes = (uint64_t)superblock->region_sectors * SECTOR_BYTES;
	return true;
}

/* The truth on disk, as disk_format.h tells it. */
static void log_read(struct dump *dump)
{
	struct disk_superblock superblock;
	struct disk_header header = { 0 };
	bool ours;
	int r;

	if (dump->byte_count < DISK_BITMAP_OFFSET_BYTES) {
		printf("header none: the image is too small\n");
		exit(2);
	}
	r = disk_header_decode(dump->bytes, &header);
	if (r < 0)
		printf("header none\n");
	else
		printf("header nr_regions %" PRIu64 "\n", header.nr_regions);
	ours = superblock_read(dump, &superblock);
	if (dump->region_count == 0)
		dump->region_count = header.nr_regions;
	if (DISK_BITMAP_OFFSET_BYTES + disk_bitmap_bytes(dump->region_count) > dump->byte_count) {
		printf("bitmap none: %" PRIu64 " regions do not fit\n", dump->region_count);
		exit(2);
	}
	dump->clean = calloc(1, dump->region_count + 1);
	if (!dump->clean)
		exit(2);
	dump->closed = header.nr_regions != 0;
	for (uint64_t region = 0; region < dump->region_count; region++)
		dump->clean[region] = bit_get(dump->bytes + DISK_BITMAP_OFFSET_BYTES, region) &&
				      (dump->closed || ours);
	if (dump->closed)
		for (uint64_t region = header.nr_regions; region < dump->region_count; region++)
			dump->clean[region] = 0;
	printf("base %" PRIu64 "\n", clean_count(dump));
	if (ours)
		for (uint32_t slot = 0; slot < superblock.slot_count; slot++)
			slot_apply(dump, &superblock, slot);
	printf("regions %" PRIu64 "\nclean %" PRIu64 "\n", dump->region_count, clean_count(dump));
}

/* Returns how many regions differ although the log calls them clean. */
static uint64_t legs_compare(const struct dump *dump, const char *const paths[2])
{
	uint64_t bytes[2], differing = 0, wrong = 0;
	const uint8_t *legs[2] = { image_read(paths[0], &bytes[0]),
				   image_read(paths[1], &bytes[1]) };
	uint64_t end = bytes[0] < bytes[1] ? bytes[0] : bytes[1];

	if (dump->region_bytes == 0) {
		printf("legs not compared: no superblock tells the size of a region\n");
		exit(2);
	}
	for (uint64_t region = 0; region < dump->region_count; region++) {
		uint64_t from = region * dump->region_bytes;
		uint64_t length = dump->region_bytes;

		if (from >= end)
			break;
		if (length > end - from)
			length = end - from;
		if (memcmp(legs[0] + from, legs[1] + from, length) == 0)
			continue;
		differing++;
		wrong += dump->clean[region];
	}
	printf("differing %" PRIu64 "\ndiffering-but-clean %" PRIu64 "\n", differing, wrong);
	return wrong;
}

int main(int argc, char **argv)
{
	struct dump dump = { 0 };
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "--regions") == 0) {
		dump.region_count = strtoull(argv[2], NULL, 10);
		i = 3;
	}
	if (argc != i + 1 && argc != i + 3) {
		fprintf(stderr, "usage: %s [--regions COUNT] LOG [LEG LEG]\n", argv[0]);
		return 2;
	}
	dump.bytes = image_read(argv[i], &dump.byte_count);
	log_read(&dump);
	if (argc == i + 3)
		return legs_compare(&dump, (const char *const[2]){ argv[i + 1], argv[i + 2] }) != 0;
	return 0;
}
