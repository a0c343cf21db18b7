/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copying by libaio: a region is cut into pieces, each of which is read from leg 0 and then written to all other
 * legs at once; the pieces of all regions under way run beside each other.
 *
 * Invariant: a copy is answered once, after the last of its transfers has ended, so that nothing of it can reach a leg
 * after its answer.  The first error wins and no further piece is begun.
 * Threads: `busy` belongs to the event loop, everything else of a copy to the copier's thread from copier_copy() to
 * its completion.  Owned by legs.c.
 */
#define _GNU_SOURCE 1
#include "daemon/copier.h"

#include <assert.h>
#include <errno.h>
#include <libaio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core.h"
#include "daemon/aio_ring.h"

#define BUFFER_ALIGN_BYTES 4096
#define EVENTS_AT_ONCE 32
#define TRANSFERS_MAX (CORE_COPIES_MAX * COPIER_PIECES * CORE_LEGS_MAX)

struct piece;

/* One read or write of a piece. */
struct transfer {
	struct iocb iocb;
	struct piece *piece;
	uint32_t leg;
	uint32_t done_bytes;
};

enum piece_stage { PIECE_IDLE, PIECE_READING, PIECE_WRITING };

struct piece {
	struct copy *copy;
	uint8_t *buffer;
	enum piece_stage stage;
	uint64_t offset_bytes; /* in the mirror */
	uint32_t length_bytes;
	uint32_t pending; /* transfers under way */
	struct transfer transfers[CORE_LEGS_MAX];
};

struct copy {
	struct job job; /* its completion */
	struct copy *next_wanted;
	struct copier *copier;
	bool busy;
	uint64_t region;
	uint64_t next_bytes; /* where the next piece begins */
	uint64_t end_bytes;
	int status;
	uint32_t running; /* pieces that are not idle */
	struct piece pieces[COPIER_PIECES];
};

struct copier {
	struct completions *completions;
	copier_done_function *done;
	void *context;
	struct copier_leg legs[CORE_LEGS_MAX];
	uint32_t leg_count;
	uint32_t block_bytes;
	uint8_t *buffers;
	io_context_t aio;
	int wake_fd; /* transfers have ended, something is wanted, or the end: what the thread sleeps on */
	struct iocb
		*batch[TRANSFERS_MAX]; /* prepared in this turn of the thread, not submitted yet */
	uint32_t batch_count;
	pthread_t thread;
	_Atomic(struct copy *) wanted; /* the last one first */
	atomic_bool ending;
	uint32_t copying; /* the thread's */
	struct copy copies[CORE_COPIES_MAX];
};

/* ---- on the copier's thread ---- */

/* It goes to the kernel with all others of this turn. */
static void transfer_prepare(struct transfer *transfer)
{
	struct piece *piece = transfer->piece;
	struct copier *copier = piece->copy->copier;
	const struct copier_leg *leg = &copier->legs[transfer->leg];
	struct iocb *iocb = &transfer->iocb;
	uint8_t *at = piece->buffer + transfer->done_bytes;
	uint32_t length_bytes = piece->length_bytes - transfer->done_bytes;
	long long offset_bytes =
		(long long)(leg->offset_bytes + piece->offset_bytes + transfer->done_bytes);

	if (piece->stage == PIECE_READING)
		io_prep_pread(iocb, leg->fd, at, length_bytes, offset_bytes);
	else
		io_prep_pwrite(iocb, leg->fd, at, length_bytes, offset_bytes);
	iocb->data = transfer;
	io_set_eventfd(iocb, copier->wake_fd);
	assert(copier->batch_count < TRANSFERS_MAX);
	copier->batch[copier->batch_count++] = iocb;
}

static void copy_fail(struct copy *copy, int status)
{
	if (copy->status == 0)
		copy->status = status;
}

static void transfer_start(struct piece *piece, uint32_t leg)
{
	struct transfer *transfer = &piece->transfers[leg];

	transfer->piece = piece;
	transfer->leg = leg;
	transfer->done_bytes = 0;
	piece->pending++;
	transfer_prepare(transfer);
}

/* Gives the piece the next part of its region; false when there is none, or none is wanted any more. */
static bool piece_take(struct piece *piece)
{
	struct copy *copy = piece->copy;
	uint64_t left_bytes = copy->end_bytes - copy->next_bytes;

	if (copy->status < 0 || left_bytes == 0)
		return false;
	piece->offset_bytes = copy->next_bytes;
	piece->length_bytes = left_bytes < COPIER_PIECE_BYTES ? (uint32_t)left_bytes :
								COPIER_PIECE_BYTES;
	copy->next_bytes += piece->length_bytes;
	return true;
}

/* Goes on with a piece of which nothing is under way, until something is or it has become idle. */
static void piece_advance(struct piece *piece)
{
	struct copy *copy = piece->copy;

	while (piece->pending == 0) {
		if (piece->stage == PIECE_READING && copy->status == 0) {
			piece->stage = PIECE_WRITING;
			for (uint32_t leg = 1; leg < copy->copier->leg_count; leg++)
				transfer_start(piece, leg);
		} else if (piece_take(piece)) {
			piece->stage = PIECE_READING;
			transfer_start(piece, 0);
		} else {
			piece->stage = PIECE_IDLE;
			copy->running--;
			return;
		}
	}
}

static void copy_end(struct copy *copy)
{
	copy->copier->copying--;
	completions_post(copy->copier->completions, &copy->job);
}

static void copy_start(struct copy *copy)
{
	copy->copier->copying++;
	copy->running = COPIER_PIECES;
	for (uint32_t i = 0; i < COPIER_PIECES; i++)
		piece_advance(&copy->pieces[i]);
	assert(copy->running > 0);
}

static void transfer_ended(struct transfer *transfer, long result)
{
	struct piece *piece = transfer->piece;
	struct copy *copy = piece->copy;
	uint32_t left_bytes = piece->length_bytes - transfer->done_bytes;

	if (result < 0) {
		copy_fail(copy, (int)result);
	} else if (result == 0 || result > (long)left_bytes) {
		copy_fail(copy, -EIO);
	} else if ((uint32_t)result < left_bytes && copy->status == 0) {
		transfer->done_bytes += (uint32_t)result;
		transfer_prepare(transfer);
		return;
	}
	piece->pending--;
	piece_advance(piece);
	if (copy->running == 0)
		copy_end(copy);
}

static void reap(struct copier *copier)
{
	struct io_event events[EVENTS_AT_ONCE];

	for (;;) {
		int n = aio_harvest(copier->aio, events, EVENTS_AT_ONCE);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		for (int i = 0; i < n; i++)
			transfer_ended(events[i].data, (long)events[i].res);
	}
}

/* What cannot be submitted has failed; a copy that fails prepares nothing any more. */
static void submit_batch(struct copier *copier)
{
	uint32_t done = 0;

	while (done < copier->batch_count) {
		int r = io_submit(copier->aio, (long)(copier->batch_count - done),
				  &copier->batch[done]);

		if (r > 0)
			done += (uint32_t)r;
		else
			transfer_ended(copier->batch[done++]->data, r < 0 ? r : -EAGAIN);
	}
	copier->batch_count = 0;
}

/* Begins what is wanted; false when the end is wanted. */
static bool take_wanted(struct copier *copier)
{
	/* In this order: nothing is wanted after the end. */
	bool ending = atomic_load(&copier->ending);
	struct copy *wanted = atomic_exchange(&copier->wanted, NULL);
	struct copy *due = NULL;

	while (wanted != NULL) {
		struct copy *next = wanted->next_wanted;

		wanted->next_wanted = due;
		due = wanted;
		wanted = next;
	}
	for (; due != NULL; due = due->next_wanted)
		copy_start(due);
	return !ending;
}

static void *copier_run(void *argument)
{
	struct copier *copier = argument;
	bool go_on = true;

	/* A turn costs two system calls: to sleep, and to submit. */
	while (go_on || copier->copying > 0) {
		uint64_t count;

		(void)!read(copier->wake_fd, &count, sizeof(count));
		reap(copier);
		go_on = take_wanted(copier);
		submit_batch(copier);
	}
	return NULL;
}

/* ---- on the event loop's thread ---- */

static void copy_done(struct job *job)
{
	struct copy *copy = CONTAINER_OF(job, struct copy, job);
	struct copier *copier = copy->copier;

	/* First: done() may ask for the next copy. */
	copy->busy = false;
	copier->done(copier->context, copy->region, copy->status);
}

static void wake(struct copier *copier)
{
	const uint64_t one = 1;

	(void)!write(copier->wake_fd, &one, sizeof(one));
}

int copier_copy(struct copier *copier, uint64_t region, uint64_t offset_bytes,
		uint64_t length_bytes)
{
	struct copy *copy = NULL;
	struct copy *first = NULL;

	if (length_bytes == 0 || offset_bytes % copier->block_bytes != 0 ||
	    length_bytes % copier->block_bytes != 0)
		return -EINVAL;
	for (uint32_t i = 0; i < CORE_COPIES_MAX && copy == NULL; i++)
		if (!copier->copies[i].busy)
			copy = &copier->copies[i];
	if (copy == NULL)
		return -EBUSY;
	copy->busy = true;
	copy->region = region;
	copy->next_bytes = offset_bytes;
	copy->end_bytes = offset_bytes + length_bytes;
	copy->status = 0;
	assert(!atomic_load(&copier->ending));
	do
		copy->next_wanted = first;
	while (!atomic_compare_exchange_weak(&copier->wanted, &first, copy));
	if (first == NULL)
		wake(copier);
	return 0;
}

/* ---- starting and stopping ---- */

static void release_resources(struct copier *copier)
{
	if (copier->aio != NULL)
		(void)io_destroy(copier->aio);
	if (copier->wake_fd >= 0)
		close(copier->wake_fd);
	free(copier->buffers);
	copier->buffers = NULL;
}

static int acquire_resources(struct copier *copier)
{
	uint32_t writers = copier->leg_count > 1 ? copier->leg_count - 1 : 1;
	uint8_t *buffer;

	copier->buffers = aligned_alloc(
		BUFFER_ALIGN_BYTES, (size_t)CORE_COPIES_MAX * COPIER_PIECES * COPIER_PIECE_BYTES);
	if (copier->buffers == NULL)
		return -ENOMEM;
	buffer = copier->buffers;
	for (uint32_t i = 0; i < CORE_COPIES_MAX; i++) {
		copier->copies[i].copier = copier;
		copier->copies[i].job.done = copy_done;
		for (uint32_t j = 0; j < COPIER_PIECES; j++) {
			copier->copies[i].pieces[j].copy = &copier->copies[i];
			copier->copies[i].pieces[j].buffer = buffer;
			buffer += COPIER_PIECE_BYTES;
		}
	}
	copier->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (copier->wake_fd < 0)
		return -errno;
	return io_setup((int)(CORE_COPIES_MAX * COPIER_PIECES * writers), &copier->aio);
}

int copier_start(struct copier **ret_copier, const char *name, struct completions *completions,
		 const struct copier_leg *legs, uint32_t leg_count, uint32_t block_bytes,
		 copier_done_function *done, void *context)
{
	struct copier *copier;
	int r;

	assert(leg_count >= 1 && leg_count <= CORE_LEGS_MAX && block_bytes > 0);
	for (uint32_t i = 0; i < leg_count; i++)
		if (legs[i].offset_bytes % block_bytes != 0)
			return -EINVAL;
	copier = calloc(1, sizeof(*copier));
	if (copier == NULL)
		return -ENOMEM;
	copier->completions = completions;
	copier->done = done;
	copier->context = context;
	copier->leg_count = leg_count;
	copier->block_bytes = block_bytes;
	for (uint32_t i = 0; i < leg_count; i++)
		copier->legs[i] = legs[i];
	copier->wake_fd = -1;
	r = acquire_resources(copier);
	if (r == 0)
		r = thread_start(&copier->thread, name, copier_run, copier);
	if (r < 0) {
		release_resources(copier);
		free(copier);
		return r;
	}
	*ret_copier = copier;
	return 0;
}

void copier_stop(struct copier *copier)
{
	atomic_store(&copier->ending, true);
	wake(copier);
	pthread_join(copier->thread, NULL);
	release_resources(copier);
}

void copier_free(struct copier *copier)
{
	free(copier);
}
