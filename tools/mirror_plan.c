/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices and table of a mirror to be made: see mirror_plan.h. */
#define _GNU_SOURCE 1
#include "tools/mirror_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "constructor.h"
#include "disk_format.h"
#include "tools/examine.h"
#include "tools/log_source.h"

#define SECTOR_BYTES 512
/* Where file systems and their like begin. */
#define LOOKED_AT_BYTES (128u << 10)

/* ---- the line ---- */

int plan_line(const struct mirror_plan *plan, char *line, size_t line_bytes)
{
	const char *sync = plan->nosync ? " nosync" : "";
	int words = plan->nosync ? 1 : 0;
	int used = 0, n;

	switch (plan->log) {
	case PLAN_CLUSTERED_DISK:
		used = snprintf(line, line_bytes,
				"userspace %d %s integrated_flush clustered-disk %" PRIu32
				":%" PRIu32 " %" PRIu32 "%s",
				5 + words, plan->mirror.uuid, plan->log_major, plan->log_minor,
				plan->region_sectors, sync);
		break;
	case PLAN_CLUSTERED_CORE:
		used = snprintf(line, line_bytes,
				"userspace %d %s integrated_flush clustered-core %" PRIu32 "%s",
				4 + words, plan->mirror.uuid, plan->region_sectors, sync);
		break;
	case PLAN_KERNEL_DISK:
		used = snprintf(line, line_bytes, "disk %d %" PRIu32 ":%" PRIu32 " %" PRIu32 "%s",
				2 + words, plan->log_major, plan->log_minor, plan->region_sectors,
				sync);
		break;
	}
	if (used < 0 || (size_t)used >= line_bytes)
		return -E2BIG;
	n = snprintf(line + used, line_bytes - (size_t)used, " %" PRIu32, plan->mirror.leg_count);
	for (uint32_t i = 0;; i++) {
		if (n < 0 || (size_t)n >= line_bytes - (size_t)used)
			return -E2BIG;
		used += n;
		if (i == plan->mirror.leg_count)
			break;
		n = snprintf(line + used, line_bytes - (size_t)used,
			     " %" PRIu32 ":%" PRIu32 " %" PRIu64, plan->mirror.legs[i].major,
			     plan->mirror.legs[i].minor, plan->mirror.legs[i].offset_sectors);
	}
	n = snprintf(line + used, line_bytes - (size_t)used, " 1 handle_errors");
	return n < 0 || (size_t)n >= line_bytes - (size_t)used ? -E2BIG : 0;
}

int plan_log_fits(const struct mirror_plan *plan, uint64_t bytes, uint64_t *ret_needed_bytes)
{
	uint64_t count = (plan->sectors - 1) / plan->region_sectors + 1;
	struct disk_layout layout;

	return disk_layout_compute(count, DISK_SLOTS_DEFAULT, bytes, &layout, ret_needed_bytes);
}

/* ---- devices ---- */

struct looked_at {
	dev_t number;
	uint64_t bytes;
	unsigned int block_bytes;
};

static int say(const char *path, const char *what)
{
	(void)fprintf(stderr, "dmclog: %s %s\n", path, what);
	return -EINVAL;
}

static int say_errno(const char *path, int error)
{
	if (error == -EBUSY)
		(void)fprintf(stderr,
			      "dmclog: %s is in use, mounted or below another device: lsblk %s\n",
			      path, path);
	else if (error == -ENOENT)
		(void)fprintf(stderr, "dmclog: %s is not there: is the storage connected?\n", path);
	else
		(void)fprintf(stderr, "dmclog: %s cannot be opened: %s\n", path, strerror(-error));
	return error;
}

/* Opened as nobody else's: what is mounted, or below another device, is refused by the kernel. */
static int look_at(const char *path, struct looked_at *ret_looked)
{
	uint64_t bytes = 0;
	int block_bytes = 0, r = 0;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return say_errno(path, -errno);
	if (!S_ISBLK(st.st_mode))
		return say(path, "is not a block device");
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return say_errno(path, -errno);
	if (ioctl(fd, BLKGETSIZE64, &bytes) < 0 || ioctl(fd, BLKSSZGET, &block_bytes) < 0)
		r = say_errno(path, -errno);
	(void)close(fd);
	*ret_looked = (struct looked_at){ .number = st.st_rdev,
					  .bytes = bytes,
					  .block_bytes = (unsigned int)block_bytes };
	return r;
}

static int take_legs(const struct tab_entry *entry, struct mirror_plan *plan)
{
	uint64_t shortest = UINT64_MAX;
	struct looked_at leg;

	for (uint32_t i = 0; i < entry->leg_count; i++) {
		int r = look_at(entry->legs[i], &leg);

		if (r < 0)
			return r;
		plan->mirror.legs[i].major = major(leg.number);
		plan->mirror.legs[i].minor = minor(leg.number);
		for (uint32_t k = 0; k < i; k++)
			if (makedev(plan->mirror.legs[k].major, plan->mirror.legs[k].minor) ==
			    leg.number)
				return say(entry->legs[i], "is the same device as another leg");
		if (entry->sectors > leg.bytes / SECTOR_BYTES) {
			(void)fprintf(stderr,
				      "dmclog: leg %s has %" PRIu64 " sectors, the mirror %" PRIu64
				      ": give it a larger one, or size=%" PRIu64 "s\n",
				      entry->legs[i], leg.bytes / SECTOR_BYTES, entry->sectors,
				      leg.bytes / SECTOR_BYTES);
			return -ENOSPC;
		}
		shortest = leg.bytes < shortest ? leg.bytes : shortest;
	}
	plan->mirror.leg_count = entry->leg_count;
	plan->sectors = entry->sectors > 0 ? entry->sectors : shortest / SECTOR_BYTES;
	return plan->sectors > 0 ? 0 : say(entry->legs[0], "has no sectors");
}

static int check_log_size(const struct tab_entry *entry, const struct mirror_plan *plan,
			  const struct looked_at *log)
{
	uint64_t needed_bytes = 0;

	if (log->block_bytes < SECTOR_BYTES || log->block_bytes > DISK_SLOT_ALIGN_BYTES)
		return say(entry->log, "has blocks of another size than 512 to 4096 bytes");
	if (plan_log_fits(plan, log->bytes, &needed_bytes) == 0)
		return 0;
	(void)fprintf(stderr,
		      "dmclog: log device %s has %" PRIu64 " bytes, this mirror needs %" PRIu64
		      ": take a larger one, or larger regions (region-size=)\n",
		      entry->log, log->bytes, needed_bytes);
	return -ENOSPC;
}

/* Has it a file system, a table of partitions, or anything else that is not zero? */
static int check_nothing(const struct tab_entry *entry, const struct log_source *source)
{
	uint64_t bytes = source->source.device_bytes;
	uint8_t *start = calloc(1, LOOKED_AT_BYTES);
	bool empty = true;
	int r = -ENOMEM;

	bytes = bytes < LOOKED_AT_BYTES ? bytes : LOOKED_AT_BYTES;
	if (start != NULL)
		r = source->source.read(source->source.context, 0, start, bytes);
	for (uint64_t i = 0; r == 0 && i < bytes; i++)
		empty = empty && start[i] == 0;
	free(start);
	if (r < 0)
		return say_errno(entry->log, r);
	if (empty)
		return 0;
	(void)fprintf(
		stderr,
		"dmclog: log device %s holds something that is not a log: if nobody needs it, "
		"'blkdiscard -z %s' clears it, or --force takes it as it is\n",
		entry->log, entry->log);
	return -EEXIST;
}

static int check_owner(const struct tab_entry *entry, const struct log_image *image,
		       const char *cluster)
{
	char name[DISK_CLUSTER_NAME_SIZE];

	if (image->superblock_status < 0 || strcmp(image->superblock.cluster_name, cluster) == 0)
		return 0;
	for (uint32_t i = 0; i < image->slot_count; i++) {
		if (!image->slots[i].counts)
			continue;
		examine_cluster_name(image, name);
		(void)fprintf(
			stderr,
			"dmclog: log device %s is in use by node %" PRIu32
			" of cluster \"%s\" (dmclog examine %s): if that is long gone, --force "
			"takes it\n",
			entry->log, image->slots[i].header.node_id, name, entry->log);
		return -EEXIST;
	}
	return 0;
}

/* A log of anybody's, or nothing: what else is there somebody may want to keep. */
static int check_log_content(const struct tab_entry *entry, const char *cluster)
{
	struct log_source source;
	struct log_image image;
	int r = log_source_open(entry->log, &source);

	if (r == 0)
		r = log_image_read(&source.source, &image);
	if (r < 0) {
		log_source_close(&source);
		return say_errno(entry->log, r);
	}
	r = image.verdict == IMAGE_NONE ? check_nothing(entry, &source) :
					  check_owner(entry, &image, cluster);
	log_image_free(&image);
	log_source_close(&source);
	return r;
}

static int take_log(const struct tab_entry *entry, const char *cluster, struct mirror_plan *plan)
{
	struct looked_at log;
	int r = look_at(entry->log, &log);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < plan->mirror.leg_count; i++)
		if (makedev(plan->mirror.legs[i].major, plan->mirror.legs[i].minor) == log.number)
			return say(entry->log, "is the same device as a leg");
	plan->log_major = major(log.number);
	plan->log_minor = minor(log.number);
	r = check_log_size(entry, plan, &log);
	return r == 0 && cluster != NULL ? check_log_content(entry, cluster) : r;
}

int plan_make(const struct tab_entry *entry, const char *cluster, struct mirror_plan *ret_plan)
{
	struct mirror_plan plan = {
		.log = entry->log[0] != '\0' ? PLAN_CLUSTERED_DISK : PLAN_CLUSTERED_CORE,
		.nosync = entry->nosync,
		.region_sectors = entry->region_sectors,
	};
	int r;

	memcpy(plan.mirror.uuid, entry->uuid, sizeof(plan.mirror.uuid));
	r = take_legs(entry, &plan);
	if (r == 0 && (plan.sectors - 1) / plan.region_sectors >= CONSTRUCTOR_REGIONS_MAX) {
		(void)fprintf(stderr,
			      "dmclog: %s has more than 2^32 regions: larger ones are needed "
			      "(region-size=)\n",
			      entry->name);
		r = -E2BIG;
	}
	if (r == 0 && plan.log == PLAN_CLUSTERED_DISK)
		r = take_log(entry, cluster, &plan);
	if (r == 0)
		*ret_plan = plan;
	return r;
}
