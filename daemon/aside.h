/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of the kernel that end only when this daemon has answered something, made by a process beside it.
 *
 * A thread in such a call does not die with its process: kill -9 takes all others, and this one waits, uninterruptible,
 * for an answer that only the next daemon can give, while lock, netlink socket and connections stay open because of it,
 * so that there can be no next daemon.  The process beside has none of them.  It ends with the daemon, or, when it is
 * in such a call, as soon as that has ended.
 */
#ifndef DMCLOGD_ASIDE_H
#define DMCLOGD_ASIDE_H

#include <stddef.h>

/* Request and reply are plain bytes without pointers. */
struct aside {
	size_t request_bytes; /* 1 to ASIDE_BYTES_MAX, as reply_bytes */
	size_t reply_bytes;
	/* In the process beside, once: before any call. */
	void (*begin)(void);
	/* There, on a thread of its own for each call; may block. */
	void (*call)(const void *request, void *ret_reply);
};

#define ASIDE_BYTES_MAX 65536

/*
 * Once, on the main thread, before any other thread runs.  `what` lives for ever.  `name` is the program's argv[0]: in
 * the process beside its bytes are overwritten, so that nobody who looks for the daemon finds two.
 * Returns 0 or negative errno (calls then return -ENOTCONN).
 */
int aside_start(const struct aside *what, char *name);

/*
 * Any thread.  Makes the call with `request`, waits for it, and writes *ret_reply on success.
 * Returns 0; -ENOTCONN: there is no process beside; -EPIPE: it has died; other negative errno.
 */
int aside_call(const void *request, void *ret_reply);

#endif
