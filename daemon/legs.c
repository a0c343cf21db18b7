/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legs of one table: found in the live table, opened, flushed, looked after.
 *
 * Threads: `worker` opens, closes and asks libdevmapper; the copier has its own; a flush is asynchronous in the kernel
 * and is submitted by the event loop, which never waits (aio_fsync only queues work), so that it waits neither for
 * copies nor for a health reading.
 * Invariant: `table`, `devices`, `copier` and `flush_aio` belong to the worker until the opening is done and from the closing
 * on; between, to the event loop, the worker only reading `table`.
 * Memory: 4 MiB of copy buffers, two threads' stacks.
 */
#define _GNU_SOURCE 1
#include "daemon/legs.h"

#include <assert.h>
#include <errno.h>
#include <libaio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/aio_ring.h"
#include "daemon/copier.h"

#define SECTOR_BYTES 512

struct legs {
	struct machine_port *port;
	struct legs **owner;
	uint32_t index; /* the table's number */
	char uuid[REQUEST_UUID_SIZE];
	struct worker *worker;
	struct job open_job;
	struct job close_job;
	int status; /* of opening */
	char letters[CORE_LEGS_MAX];
	bool suspended;
	struct live_table table;
	struct block_device devices[CORE_LEGS_MAX];
	struct copier *copier;
	bool open;
	bool closing;

	io_context_t flush_aio;
	struct watch flush_watch; /* while legs are being flushed */
	struct iocb flush_iocbs[CORE_LEGS_MAX];
	struct job flush_job; /* where the kernel has no asynchronous flush */
	bool flush_by_worker;
	uint32_t flush_pending;   /* legs not done yet */
	uint32_t flush_answering; /* effects that the flush under way answers */
	uint32_t flush_waiting;   /* effects that came after it began */
	int flush_status;
};

static bool close_run(struct job *job);
static void close_done(struct job *job);
static bool flush_run(struct job *job);
static void flush_done(struct job *job);
static void flush_harvest(struct watch *watch);
static void copied(void *context, uint64_t region, int status);

/* ---- opening ---- */

static void release_resources(struct legs *legs)
{
	if (legs->copier != NULL)
		copier_stop(legs->copier);
	if (legs->flush_aio != NULL)
		(void)io_destroy(legs->flush_aio);
	for (uint32_t i = 0; i < CORE_LEGS_MAX; i++) {
		if (legs->devices[i].fd >= 0)
			close(legs->devices[i].fd);
		legs->devices[i].fd = -1;
	}
	legs->flush_aio = NULL;
}

static int open_devices(struct legs *legs)
{
	for (uint32_t i = 0; i < legs->table.mirror.leg_count; i++) {
		const struct table_leg *leg = &legs->table.mirror.legs[i];
		int r = legs->port->backend->open_device(leg->major, leg->minor, &legs->devices[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int start_copier(struct legs *legs)
{
	const struct table_mirror *mirror = &legs->table.mirror;
	struct copier_leg copier_legs[CORE_LEGS_MAX];
	uint32_t block_bytes = 0;
	char name[32];

	for (uint32_t i = 0; i < mirror->leg_count; i++) {
		copier_legs[i].fd = legs->devices[i].fd;
		copier_legs[i].offset_bytes = mirror->legs[i].offset_sectors * SECTOR_BYTES;
		if (legs->devices[i].block_bytes > block_bytes)
			block_bytes = legs->devices[i].block_bytes;
	}
	(void)snprintf(name, sizeof(name), "copier-%u", legs->index);
	return copier_start(&legs->copier, name, legs->port->completions, copier_legs,
			    mirror->leg_count, block_bytes, copied, legs);
}

static int acquire_resources(struct legs *legs)
{
	const struct machine_backend *backend = legs->port->backend;
	int r;

	r = backend->find_table(legs->uuid, &legs->table);
	if (r < 0)
		return r;
	r = backend->read_health(legs->uuid, &legs->table, legs->letters, &legs->suspended);
	if (r < 0)
		return r;
	r = open_devices(legs);
	if (r < 0)
		return r;
	r = io_setup((int)legs->table.mirror.leg_count, &legs->flush_aio);
	if (r < 0)
		return r;
	return start_copier(legs);
}

static bool open_run(struct job *job)
{
	struct legs *legs = CONTAINER_OF(job, struct legs, open_job);

	legs->status = acquire_resources(legs);
	if (legs->status < 0)
		release_resources(legs);
	return true;
}

static void legs_free(struct legs *legs)
{
	*legs->owner = NULL;
	worker_free(legs->worker);
	copier_free(legs->copier);
	free(legs);
}

static void fill_letters(const struct legs *legs, const char *letters, struct input_legs *ret_input)
{
	ret_input->leg_count = legs->table.mirror.leg_count;
	memcpy(ret_input->letters, letters, ret_input->leg_count);
}

static void open_done(struct job *job)
{
	struct legs *legs = CONTAINER_OF(job, struct legs, open_job);
	struct machine_port *port = legs->port;
	struct input input = { .type = INPUT_LEGS_OPENED, .legs = { .table = legs->index } };

	/* The whole port is ending: the closing that is queued already frees it. */
	if (legs->closing)
		return;
	input.legs.status = legs->status;
	if (legs->status == 0) {
		legs->open = true;
		input.legs.suspended = legs->suspended;
		fill_letters(legs, legs->letters, &input.legs);
	} else {
		legs_free(legs);
	}
	machine_port_answer(port, &input);
}

int legs_open(struct legs **owner, struct machine_port *port, const struct effect_table *effect)
{
	struct legs *legs = calloc(1, sizeof(*legs));
	char name[32];
	int r;

	if (legs == NULL)
		return -ENOMEM;
	legs->port = port;
	legs->owner = owner;
	legs->index = effect->table;
	(void)snprintf(legs->uuid, sizeof(legs->uuid), "%s", effect->uuid);
	for (uint32_t i = 0; i < CORE_LEGS_MAX; i++)
		legs->devices[i].fd = -1;
	legs->flush_watch.harvest = flush_harvest;
	(void)snprintf(name, sizeof(name), "table-%u", effect->table);
	r = worker_start(&legs->worker, name, port->completions);
	if (r < 0) {
		free(legs);
		return r;
	}
	legs->open_job = (struct job){ .run = open_run, .done = open_done };
	legs->close_job = (struct job){ .run = close_run, .done = close_done };
	legs->flush_job = (struct job){ .run = flush_run, .done = flush_done };
	*owner = legs;
	worker_push(legs->worker, &legs->open_job);
	return 0;
}

/* ---- closing ---- */

static bool close_run(struct job *job)
{
	release_resources(CONTAINER_OF(job, struct legs, close_job));
	return true;
}

static void close_done(struct job *job)
{
	struct legs *legs = CONTAINER_OF(job, struct legs, close_job);
	struct machine_port *port = legs->port;
	struct input input = { .type = INPUT_LEGS_CLOSED, .legs = { .table = legs->index } };

	legs_free(legs);
	machine_port_answer(port, &input);
}

void legs_end(struct legs *legs)
{
	if (legs->closing)
		return;
	legs->closing = true;
	completions_unwatch(legs->port->completions, &legs->flush_watch);
	worker_push_last(legs->worker, &legs->close_job);
}

void legs_close(struct legs *legs)
{
	assert(legs->open && !legs->closing);
	legs_end(legs);
}

/* ---- copying ---- */

static void copied(void *context, uint64_t region, int status)
{
	struct legs *legs = context;
	struct input input = {
		.type = INPUT_COPIED,
		.copied = { .table = legs->index, .region = region, .status = status },
	};

	machine_port_answer(legs->port, &input);
}

int legs_copy(struct legs *legs, const struct effect_copy *effect)
{
	uint64_t length_sectors = legs->table.length_sectors;

	assert(legs->open && !legs->closing);
	if (effect->offset_sectors > length_sectors ||
	    effect->length_sectors > length_sectors - effect->offset_sectors)
		return -ERANGE;
	return copier_copy(legs->copier, effect->region, effect->offset_sectors * SECTOR_BYTES,
			   (uint64_t)effect->length_sectors * SECTOR_BYTES);
}

/* ---- flushing ---- */

static void flush_fail(struct legs *legs, int status)
{
	if (legs->flush_status == 0)
		legs->flush_status = status;
}

/* Begins a flush of all legs; its end comes through flush_harvest() or flush_done(), never from inside. */
static void flush_start(struct legs *legs)
{
	uint32_t leg_count = legs->table.mirror.leg_count;

	legs->flush_answering = legs->flush_waiting;
	legs->flush_waiting = 0;
	legs->flush_status = 0;
	legs->flush_pending = 0;
	for (uint32_t i = 0; i < leg_count && !legs->flush_by_worker; i++) {
		struct iocb *iocb = &legs->flush_iocbs[i];
		int r;

		io_prep_fdsync(iocb, legs->devices[i].fd);
		io_set_eventfd(iocb, completions_fd(legs->port->completions));
		r = io_submit(legs->flush_aio, 1, &iocb);
		if (r == 1)
			legs->flush_pending++;
		else if (r == -EINVAL)
			legs->flush_by_worker = true; /* no asynchronous flush before Linux 4.18 */
		else
			flush_fail(legs, r < 0 ? r : -EAGAIN);
	}
	if (legs->flush_pending > 0)
		completions_watch(legs->port->completions, &legs->flush_watch);
	else
		worker_push(legs->worker, &legs->flush_job);
}

static void flush_end(struct legs *legs)
{
	uint32_t answers = legs->flush_answering;
	int status = legs->flush_status;

	legs->flush_answering = 0;
	if (legs->flush_waiting > 0)
		flush_start(legs);
	for (uint32_t i = 0; i < answers; i++) {
		struct input input = { .type = INPUT_LEGS_FLUSHED,
				       .legs = { .table = legs->index, .status = status } };

		machine_port_answer(legs->port, &input);
	}
}

static void flush_harvest(struct watch *watch)
{
	struct legs *legs = CONTAINER_OF(watch, struct legs, flush_watch);
	struct io_event events[CORE_LEGS_MAX];

	while (!legs->closing) {
		int n = aio_harvest(legs->flush_aio, events, CORE_LEGS_MAX);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			if ((long)events[i].res < 0)
				flush_fail(legs, (int)(long)events[i].res);
		assert((uint32_t)n <= legs->flush_pending);
		legs->flush_pending -= (uint32_t)n;
		if (legs->flush_pending > 0)
			continue;
		completions_unwatch(legs->port->completions, &legs->flush_watch);
		if (legs->flush_by_worker)
			worker_push(legs->worker, &legs->flush_job);
		else
			flush_end(legs);
	}
}

/* On the worker, one leg after the other: old kernels only, or when nothing could be submitted. */
static bool flush_run(struct job *job)
{
	struct legs *legs = CONTAINER_OF(job, struct legs, flush_job);

	for (uint32_t i = 0; legs->flush_by_worker && i < legs->table.mirror.leg_count; i++)
		if (fdatasync(legs->devices[i].fd) < 0)
			flush_fail(legs, -errno);
	return true;
}

static void flush_done(struct job *job)
{
	struct legs *legs = CONTAINER_OF(job, struct legs, flush_job);

	/* The whole port is ending: what is waiting is not begun any more. */
	if (!legs->closing)
		flush_end(legs);
}

void legs_flush(struct legs *legs)
{
	assert(legs->open && !legs->closing);
	legs->flush_waiting++;
	if (legs->flush_answering == 0)
		flush_start(legs);
}

/* ---- health ---- */

struct health_job {
	struct job job;
	struct legs *legs;
	int status;
	char letters[CORE_LEGS_MAX];
	bool suspended;
};

static bool health_run(struct job *job)
{
	struct health_job *health = CONTAINER_OF(job, struct health_job, job);
	struct legs *legs = health->legs;

	health->status = legs->port->backend->read_health(legs->uuid, &legs->table, health->letters,
							  &health->suspended);
	return true;
}

static void health_done(struct job *job)
{
	struct health_job *health = CONTAINER_OF(job, struct health_job, job);
	struct legs *legs = health->legs;
	struct input input = { .type = INPUT_HEALTH,
			       .legs = { .table = legs->index, .status = health->status } };

	if (health->status == 0) {
		fill_letters(legs, health->letters, &input.legs);
		input.legs.suspended = health->suspended;
	}
	free(health);
	machine_port_answer(legs->port, &input);
}

int legs_read_health(struct legs *legs)
{
	struct health_job *health;

	assert(legs->open && !legs->closing);
	health = calloc(1, sizeof(*health));
	if (health == NULL)
		return -ENOMEM;
	health->job = (struct job){ .run = health_run, .done = health_done };
	health->legs = legs;
	worker_push(legs->worker, &health->job);
	return 0;
}
