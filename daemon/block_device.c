/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a device number to an open file, without udev if need be.
 *
 * Invariant: what is returned is a block device with exactly the number that was asked for, writable, opened past the
 * page cache.  A node of that number is believed and its error returned; any other file is passed over.
 */
#define _GNU_SOURCE 1
#include "daemon/block_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/live_table.h"

#define PRIVATE_DIRECTORY "/run/dmclogd"
#define PATH_BYTES 320

int block_device_name(const char *uevent, char *ret_name, size_t name_bytes)
{
	static const char key[] = "DEVNAME=";
	const char *line = uevent;

	while (line != NULL && strncmp(line, key, sizeof(key) - 1) != 0) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line != NULL) {
		const char *name = line + sizeof(key) - 1;
		size_t length = strcspn(name, "\n");

		if (length == 0 || length >= name_bytes || *name == '/' ||
		    memmem(name, length, "..", 2) != NULL)
			return -ENODATA;
		memcpy(ret_name, name, length);
		ret_name[length] = '\0';
		return 0;
	}
	return -ENODATA;
}

static bool is_device(const struct stat *st, dev_t device)
{
	return S_ISBLK(st->st_mode) && st->st_rdev == device;
}

/* Returns a file descriptor, -ENOENT when `path` is something else, or the errno of opening the right node. */
static int try_path(const char *path, dev_t device)
{
	struct stat st;
	int fd;

	/* Looked at before it is opened: opening some devices does something. */
	if (stat(path, &st) < 0 || !is_device(&st, device))
		return -ENOENT;
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !is_device(&st, device)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int try_kernel_name(dev_t device)
{
	char path[PATH_BYTES], uevent[4096], name[256];
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(device),
		       minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	length = read(fd, uevent, sizeof(uevent) - 1);
	close(fd);
	if (length < 0)
		return -ENOENT;
	uevent[length] = '\0';
	if (block_device_name(uevent, name, sizeof(name)) < 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "/dev/%s", name);
	return try_path(path, device);
}

static int try_mapper_name(dev_t device)
{
	char path[PATH_BYTES], name[256];

	if (live_table_device_name(major(device), minor(device), name, sizeof(name)) < 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	return try_path(path, device);
}

/* Two threads may want the same device at once: the thread is in the name. */
static int try_private_node(dev_t device)
{
	char path[PATH_BYTES];
	int fd;

	if (mkdir(PRIVATE_DIRECTORY, 0700) < 0 && errno != EEXIST)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), PRIVATE_DIRECTORY "/block-%u-%u.%d", major(device),
		       minor(device), gettid());
	(void)unlink(path);
	if (mknod(path, S_IFBLK | 0600, device) < 0)
		return -ENOENT;
	fd = try_path(path, device);
	(void)unlink(path);
	return fd;
}

static int open_number(dev_t device)
{
	char path[PATH_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device), minor(device));
	fd = try_path(path, device);
	if (fd == -ENOENT)
		fd = try_kernel_name(device);
	if (fd == -ENOENT)
		fd = try_mapper_name(device);
	if (fd == -ENOENT)
		fd = try_private_node(device);
	/* ENXIO: a node without a driver behind it. */
	return fd == -ENOENT || fd == -ENXIO ? -ENODEV : fd;
}

static int examine(int fd, struct block_device *ret_device)
{
	int read_only = 0, block_bytes = 0;
	uint64_t device_bytes = 0;

	if (ioctl(fd, BLKROGET, &read_only) < 0 || ioctl(fd, BLKGETSIZE64, &device_bytes) < 0 ||
	    ioctl(fd, BLKSSZGET, &block_bytes) < 0)
		return -errno;
	if (read_only)
		return -EROFS;
	if (block_bytes < 512 || block_bytes > 4096 || (block_bytes & (block_bytes - 1)) != 0)
		return -EINVAL;
	*ret_device = (struct block_device){ .fd = fd,
					     .device_bytes = device_bytes,
					     .block_bytes = (uint32_t)block_bytes };
	return 0;
}

int block_device_open(uint32_t major_number, uint32_t minor_number, struct block_device *ret_device)
{
	int fd, r;

	fd = open_number(makedev(major_number, minor_number));
	if (fd < 0)
		return fd;
	r = examine(fd, ret_device);
	if (r < 0)
		close(fd);
	return r;
}
