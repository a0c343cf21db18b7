/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helper threads, which decide nothing, and the way by which their results, and those of asynchronous I/O, come back to
 * the event loop: one descriptor for all of them.
 *
 * A job or a watch belongs to its creator, who embeds it in something of his own: nothing is allocated to queue it.
 */
#ifndef DMCLOGD_WORKER_H
#define DMCLOGD_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

struct job {
	struct job *next;
	/* On the worker's thread.  true: then done() is called; false: the job is not touched again by the worker, as it
	 * may already belong to somebody else. */
	bool (*run)(struct job *job);
	/* On the event loop's thread, once; may free the job. */
	void (*done)(struct job *job);
};

/* The struct that embeds a job. */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- results ---- */

/* Somebody who has asynchronous I/O under way whose end makes completions_fd() readable. */
struct watch {
	struct watch *next;
	struct watch **link; /* what points here; NULL: not watched */
	/* On the event loop's thread: something may have ended.  May end this watch, or any other. */
	void (*harvest)(struct watch *watch);
};

/* Jobs whose done() is due, in the order in which they were posted. */
struct completions;

/* Attaches a new queue to `event`, or to none if `event` is NULL: then the caller watches completions_fd(),
 * edge-triggered, and calls completions_run().  Returns 0 or negative errno (of eventfd or sd-event). */
int completions_open(struct completions **ret_completions, sd_event *event);

/* An eventfd, whose counter nobody needs to read; for io_set_eventfd() too. */
int completions_fd(const struct completions *completions);

/* Event loop's thread: done() of all that was posted before, harvest() of all who watch. */
void completions_run(struct completions *completions);

/* Event loop's thread: from here on, or no more, harvest() is called; to be watched while I/O is under way only,
 * so that a turn costs nothing for those who do nothing.  Both may be called again. */
void completions_watch(struct completions *completions, struct watch *watch);
void completions_unwatch(struct completions *completions, struct watch *watch);

/* Call on the event loop's thread, when nobody posts any more; jobs still queued have their done() called. */
void completions_close(struct completions *completions);

/* Any thread: has job->done() called by the event loop, never from inside this call. */
void completions_post(struct completions *completions, struct job *job);

/* Event loop's thread, instead of the event loop itself: waits until something was posted, then calls its done(). */
void completions_wait(struct completions *completions);

/* ---- threads ---- */

#define WORKER_STACK_BYTES (256 * 1024)

/* Starts a thread with a small stack and all signals blocked, named `name` (at most 15 characters, cut off behind them).
 * Returns 0 or negative errno. */
int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *argument);

/* One thread and a queue of jobs, run one after the other. */
struct worker;

/* Returns 0 or negative errno (-EAGAIN: no more threads; -ENOMEM). */
int worker_start(struct worker **ret_worker, const char *name, struct completions *completions);

/* Event loop's thread: queues `job`.  Unbounded; the creators of jobs are bounded. */
void worker_push(struct worker *worker, struct job *job);

/* Event loop's thread: as worker_push(), and the thread ends after this job; nothing may be pushed any more.  Its
 * done() must call worker_free(). */
void worker_push_last(struct worker *worker, struct job *job);

/* Event loop's thread: ends the thread, which must be idle or have had its last job, joins and frees.  NULL is
 * harmless. */
void worker_free(struct worker *worker);

#endif
