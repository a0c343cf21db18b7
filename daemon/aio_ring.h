/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes the results of finished I/O out of an aio context without a system call.
 *
 * The end of a log device write stands between the kernel's FLUSH and its answer, and a system call costs more there
 * than all that we decide.
 */
#ifndef DMCLOGD_AIO_RING_H
#define DMCLOGD_AIO_RING_H

#include <libaio.h>

/* Fills events[0 .. result-1] with what has ended, in the order in which it ended; never waits.  `most` is at least 1.
 * Precondition: one thread at a time, and nobody calls io_getevents() on the same context.  Returns how many, or
 * negative errno. */
int aio_harvest(io_context_t aio, struct io_event *events, unsigned most);

#endif
