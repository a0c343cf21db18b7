/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service sleeps on, in one epoll set beside the event loop's: what comes with every request or every copy does
 * not go through sd-event, whose turn takes a dozen system calls.
 */
#ifndef DMCLOGD_WAKERS_H
#define DMCLOGD_WAKERS_H

#include <stdint.h>

enum waker {
	WAKER_REQUEST = 1,
	WAKER_MACHINE = 2,
	WAKER_TIMER = 4,
	WAKER_TICK = 8,
	WAKER_LOOP = 16, /* the event loop: all the rest */
};

struct wakers {
	int epoll_fd;
	int timer_fd;
	int tick_fd;
};

/* Watches the two timers, which are not set.  Returns 0 or negative errno; wakers_close() is due in either case. */
int wakers_open(struct wakers *wakers);
void wakers_close(struct wakers *wakers);

/* Watches `fd` too, which stays the caller's.  WAKER_MACHINE by its edges, since nobody empties it.  Returns 0 or
 * negative errno. */
int wakers_watch(struct wakers *wakers, int fd, enum waker waker);

/* WAKER_TIMER or WAKER_TICK, by CLOCK_MONOTONIC; UINT64_MAX: never; a time that is past goes off at once. */
void wakers_set(struct wakers *wakers, enum waker waker, uint64_t deadline_ms);

/* Sleeps.  Returns a mask of enum waker, or negative errno; 0 after a signal. */
int wakers_wait(struct wakers *wakers);

#endif
