/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helper threads and the way back to the event loop.
 *
 * Invariant: a job is in at most one list at a time.  A worker's lock is held for list operations only, never while a job
 * runs; results are posted without one, since a poster that is preempted would make the event loop wait.
 * Limits: queues are as long as their users make them; each worker is one thread with WORKER_STACK_BYTES of stack.
 */
#define _GNU_SOURCE 1
#include "daemon/worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job_list {
	struct job *head;
	struct job **tail;
};

static void list_clear(struct job_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_push(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->tail = job;
	list->tail = &job->next;
}

static struct job *list_pop(struct job_list *list)
{
	struct job *job = list->head;

	if (job == NULL)
		return NULL;
	list->head = job->next;
	if (list->head == NULL)
		list->tail = &list->head;
	job->next = NULL;
	return job;
}

/* ---- results ---- */

struct completions {
	_Atomic(struct job *) posted; /* the last one first */
	int event_fd;
	sd_event_source *source;
	/* Belong to the event loop. */
	struct watch *watches;
	struct watch *next_watch; /* the one that a run comes to next */
};

int completions_fd(const struct completions *completions)
{
	return completions->event_fd;
}

void completions_watch(struct completions *completions, struct watch *watch)
{
	if (watch->link != NULL)
		return;
	watch->next = completions->watches;
	watch->link = &completions->watches;
	if (watch->next != NULL)
		watch->next->link = &watch->next;
	completions->watches = watch;
}

void completions_unwatch(struct completions *completions, struct watch *watch)
{
	if (watch->link == NULL)
		return;
	if (completions->next_watch == watch)
		completions->next_watch = watch->next;
	*watch->link = watch->next;
	if (watch->next != NULL)
		watch->next->link = watch->link;
	watch->link = NULL;
}

/* What is posted meanwhile waits for the next turn. */
void completions_run(struct completions *completions)
{
	struct job *posted = atomic_exchange(&completions->posted, NULL);
	struct job *due = NULL;
	struct watch *watch;

	while (posted != NULL) {
		struct job *next = posted->next;

		posted->next = due;
		due = posted;
		posted = next;
	}
	while (due != NULL) {
		struct job *job = due;

		due = job->next;
		job->next = NULL;
		job->done(job);
	}
	completions->next_watch = completions->watches;
	while ((watch = completions->next_watch) != NULL) {
		completions->next_watch = watch->next;
		watch->harvest(watch);
	}
}

/* Edge-triggered: the counter of the eventfd is never read by the loop. */
static int on_posted(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	completions_run(userdata);
	return 0;
}

int completions_open(struct completions **ret_completions, sd_event *event)
{
	struct completions *completions = calloc(1, sizeof(*completions));
	int r;

	if (completions == NULL)
		return -ENOMEM;
	completions->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (completions->event_fd < 0) {
		r = -errno;
		goto fail;
	}
	r = event == NULL ? 0 :
			    sd_event_add_io(event, &completions->source, completions->event_fd,
					    EPOLLIN | EPOLLET, on_posted, completions);
	if (r < 0)
		goto fail;
	*ret_completions = completions;
	return 0;
fail:
	completions_close(completions);
	return r;
}

void completions_close(struct completions *completions)
{
	if (completions == NULL)
		return;
	completions_run(completions);
	sd_event_source_disable_unref(completions->source);
	if (completions->event_fd >= 0)
		close(completions->event_fd);
	free(completions);
}

void completions_post(struct completions *completions, struct job *job)
{
	struct job *first = atomic_load(&completions->posted);
	const uint64_t one = 1;

	do
		job->next = first;
	while (!atomic_compare_exchange_weak(&completions->posted, &first, job));
	/* The loop may have run the job by now, but whoever posts is joined before the queue is closed.  Cannot fail:
	 * the counter would need 2^64 posts to overflow. */
	if (first == NULL)
		(void)!write(completions->event_fd, &one, sizeof(one));
}

void completions_wait(struct completions *completions)
{
	struct pollfd pollfd = { .fd = completions->event_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&pollfd, 1, -1) < 0)
		return;
	(void)!read(completions->event_fd, &count, sizeof(count));
	completions_run(completions);
}

/* ---- threads ---- */

int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	char short_name[16];
	int r;

	r = pthread_attr_init(&attributes);
	if (r != 0)
		return -r;
	r = pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
	if (r == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = pthread_create(ret_thread, &attributes, run, argument);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attributes);
	if (r != 0)
		return -r;
	(void)snprintf(short_name, sizeof(short_name), "%s", name);
	(void)pthread_setname_np(*ret_thread, short_name);
	return 0;
}

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list jobs;
	bool ending;
	pthread_t thread;
	struct completions *completions;
};

/* The next job, or NULL when the thread is to end. */
static struct job *worker_take(struct worker *worker)
{
	struct job *job;

	pthread_mutex_lock(&worker->lock);
	while ((job = list_pop(&worker->jobs)) == NULL && !worker->ending)
		pthread_cond_wait(&worker->wake, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	return job;
}

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	struct completions *completions = worker->completions;
	struct job *job;

	while ((job = worker_take(worker)) != NULL)
		if (job->run(job))
			completions_post(completions, job);
	return NULL;
}

int worker_start(struct worker **ret_worker, const char *name, struct completions *completions)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return -ENOMEM;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	list_clear(&worker->jobs);
	worker->completions = completions;
	r = thread_start(&worker->thread, name, worker_run, worker);
	if (r < 0) {
		pthread_cond_destroy(&worker->wake);
		pthread_mutex_destroy(&worker->lock);
		free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

static void worker_give(struct worker *worker, struct job *job, bool ending)
{
	pthread_mutex_lock(&worker->lock);
	assert(!worker->ending);
	if (job != NULL)
		list_push(&worker->jobs, job);
	worker->ending = ending;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void worker_push(struct worker *worker, struct job *job)
{
	worker_give(worker, job, false);
}

void worker_push_last(struct worker *worker, struct job *job)
{
	worker_give(worker, job, true);
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	if (!worker->ending)
		worker_give(worker, NULL, true);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
