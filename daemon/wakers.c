/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The epoll set of the service: see wakers.h. */
#include "daemon/wakers.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WAKERS_MAX 5

int wakers_watch(struct wakers *wakers, int fd, enum waker waker)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = waker };

	if (waker != WAKER_REQUEST && waker != WAKER_LOOP)
		event.events |= EPOLLET;
	return epoll_ctl(wakers->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int wakers_open(struct wakers *wakers)
{
	int r;

	wakers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	wakers->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	wakers->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (wakers->epoll_fd < 0 || wakers->timer_fd < 0 || wakers->tick_fd < 0)
		return -errno;
	r = wakers_watch(wakers, wakers->timer_fd, WAKER_TIMER);
	return r < 0 ? r : wakers_watch(wakers, wakers->tick_fd, WAKER_TICK);
}

void wakers_close(struct wakers *wakers)
{
	if (wakers->tick_fd >= 0)
		close(wakers->tick_fd);
	if (wakers->timer_fd >= 0)
		close(wakers->timer_fd);
	if (wakers->epoll_fd >= 0)
		close(wakers->epoll_fd);
}

void wakers_set(struct wakers *wakers, enum waker waker, uint64_t deadline_ms)
{
	struct itimerspec when = { 0 };

	if (deadline_ms != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(deadline_ms / 1000);
		/* All zero would mean never. */
		when.it_value.tv_nsec = (long)(deadline_ms % 1000 * 1000000) + 1;
	}
	/* Cannot fail: the descriptor is ours, and the time is a valid one. */
	(void)timerfd_settime(waker == WAKER_TICK ? wakers->tick_fd : wakers->timer_fd,
			      TFD_TIMER_ABSTIME, &when, NULL);
}

int wakers_wait(struct wakers *wakers)
{
	struct epoll_event events[WAKERS_MAX];
	int mask = 0;
	int n = epoll_wait(wakers->epoll_fd, events, WAKERS_MAX, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		mask |= (int)events[i].data.u32;
	return mask;
}
