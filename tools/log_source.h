/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A log device, or a copy of one in a file, to be read past the page cache. */
#ifndef DMCLOG_LOG_SOURCE_H
#define DMCLOG_LOG_SOURCE_H

#include "tools/log_image.h"

struct log_source {
	struct image_source source;
	int fd;
	uint8_t *buffer;
};

/*
 * Returns 0, -ENOTBLK: neither a block device nor a file; or another negative errno.  The caller ends with log_source_close(),
 * whatever is returned, and does not move *ret_source.
 */
int log_source_open(const char *path, struct log_source *ret_source);
/* The same of a file descriptor, opened for direct reads; it is closed by log_source_close(). */
int log_source_take(int fd, struct log_source *ret_source);
void log_source_close(struct log_source *source);

#endif
