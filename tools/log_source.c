/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct reads of a log device: see log_source.h. */
#define _GNU_SOURCE 1
#include "tools/log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGN_BYTES 4096
#define BUFFER_BYTES ((1u << 20) + 2 * ALIGN_BYTES)

static int fill(const struct log_source *source, uint64_t offset_bytes, uint64_t length_bytes,
		uint64_t needed_bytes)
{
	uint64_t done = 0;

	while (done < needed_bytes) {
		ssize_t n = pread(source->fd, source->buffer + done, length_bytes - done,
				  (off_t)(offset_bytes + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || (n % 512 != 0 && done + (uint64_t)n < needed_bytes))
			return -EIO; /* it has become shorter */
		done += (uint64_t)n;
	}
	return 0;
}

/* Direct reads: whole blocks into aligned memory. */
static int source_read(void *context, uint64_t offset_bytes, uint8_t *bytes, uint64_t length_bytes)
{
	const struct log_source *source = context;
	const uint64_t mask = ALIGN_BYTES - 1;

	while (length_bytes > 0) {
		uint64_t from = offset_bytes & ~mask, skip = offset_bytes & mask, part;
		uint64_t length = (skip + length_bytes + mask) & ~mask;
		int r;

		if (length > BUFFER_BYTES)
			length = BUFFER_BYTES;
		part = length - skip < length_bytes ? length - skip : length_bytes;
		if (length > source->source.device_bytes - from)
			length = source->source.device_bytes - from;
		r = fill(source, from, length, skip + part);
		if (r < 0)
			return r;
		memcpy(bytes, source->buffer + skip, part);
		bytes += part;
		offset_bytes += part;
		length_bytes -= part;
	}
	return 0;
}

static int source_size(struct log_source *source)
{
	struct stat st;

	if (fstat(source->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		source->source.device_bytes = (uint64_t)st.st_size;
	else if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	else if (ioctl(source->fd, BLKGETSIZE64, &source->source.device_bytes) < 0)
		return -errno;
	return 0;
}

int log_source_take(int fd, struct log_source *source)
{
	int r;

	*source = (struct log_source){ .source = { .read = source_read }, .fd = fd };
	source->source.context = source;
	r = source_size(source);
	if (r == 0 && (source->buffer = aligned_alloc(ALIGN_BYTES, BUFFER_BYTES)) == NULL)
		r = -ENOMEM;
	return r;
}

int log_source_open(const char *path, struct log_source *source)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);

	*source = (struct log_source){ .fd = -1 };
	/* A copy in a file system that knows no direct reads. */
	if (fd < 0 && errno == EINVAL && stat(path, &st) == 0 && !S_ISBLK(st.st_mode))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : log_source_take(fd, source);
}

void log_source_close(struct log_source *source)
{
	if (source->fd >= 0)
		(void)close(source->fd);
	free(source->buffer);
}
