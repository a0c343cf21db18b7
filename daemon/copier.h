/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies regions from the first leg of a mirror to all others: one thread for each table, several regions at once.
 *
 * The data is not durable when a copy is done: flushing the legs' caches is another matter.
 */
#ifndef DMCLOGD_COPIER_H
#define DMCLOGD_COPIER_H

#include <stdint.h>

#include "daemon/worker.h"

/* A region is copied in pieces, this many of them at once: while one is being written the next is being read. */
#define COPIER_PIECE_BYTES (512 * 1024)
#define COPIER_PIECES 1

struct copier_leg {
	int fd;                /* opened past the page cache; stays the caller's */
	uint64_t offset_bytes; /* where the mirror begins on it */
};

/* Event loop's thread.  status: 0 or the first negative errno; when it is called all I/O of the copy has ended. */
typedef void copier_done_function(void *context, uint64_t region, int status);

struct copier;

/*
 * Any thread.  `leg_count` is 1 to CORE_LEGS_MAX; `block_bytes` the largest logical block size of the legs.
 * Allocates CORE_COPIES_MAX * COPIER_PIECES * COPIER_PIECE_BYTES (4 MiB) of buffers.  Returns 0; -EINVAL:
 * a leg's offset is no multiple of block_bytes; -ENOMEM, -EAGAIN (threads, aio-max-nr), other negative errno.
 */
int copier_start(struct copier **ret_copier, const char *name, struct completions *completions,
		 const struct copier_leg *legs, uint32_t leg_count, uint32_t block_bytes,
		 copier_done_function *done, void *context);

/*
 * Event loop's thread.  Copies length_bytes at offset_bytes of the mirror.  Returns 0, and done() follows; -EBUSY:
 * CORE_COPIES_MAX are under way; -EINVAL: not a multiple of block_bytes (a live table has no such region:
 * device-mapper refuses targets that do not end on a logical block of their devices).
 */
int copier_copy(struct copier *copier, uint64_t region, uint64_t offset_bytes,
		uint64_t length_bytes);

/* Any thread but the copier's: waits for the end of what is under way, ends the thread, gives buffers back.  Their
 * done() may still be due. */
void copier_stop(struct copier *copier);

/* Event loop's thread, after copier_stop(), and after the completions of before have been run. */
void copier_free(struct copier *copier);

#endif
