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
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core.h"

#define BUFFER_ALIGN_BYTES 4096
#define EVENTS_AT_ONCE 32

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
	int wake_fd;       /* something is wanted, or the end */
	int completion_fd; /* transfers have ended */
	pthread_t thread;
	pthread_mutex_t lock; /* wanted, ending */
	struct copy *wanted;
	bool ending;
	uint32_t copying; /* the thread's */
	struct copy copies[CORE_COPIES_MAX];
};

/* ---- on the copier's thread ---- */

static int transfer_submit(struct transfer *transfer)
{
	struct piece *piece = transfer->piece;
	struct copier *copier = piece->copy->copier;
	const struct copier_leg *leg = &copier->legs[transfer->leg];
	struct iocb *iocb = &transfer->iocb;
	uint8_t *at = piece->buffer + transfer->done_bytes;
	uint32_t length_bytes = piece->length_bytes - transfer->done_bytes;
	long long offset_bytes =
		(long long)(leg->offset_bytes + piece->offset_bytes + transfer->done_bytes);
	int r;

	if (piece->stage == PIECE_READING)
		io_prep_pread(iocb, leg->fd, at, length_bytes, offset_bytes);
	else
		io_prep_pwrite(iocb, leg->fd, at, length_bytes, offset_bytes);
	iocb->data = transfer;
	io_set_eventfd(iocb, copier->completion_fd);
	r = io_submit(copier->aio, 1, &iocb);
	if (r == 1)
		return 0;
	return r < 0 ? r : -EAGAIN;
}

static void copy_fail(struct copy *copy, int status)
{
	if (copy->status == 0)
		copy->status = status;
}

static void transfer_start(struct piece *piece, uint32_t leg)
{
	struct transfer *transfer = &piece->transfers[leg];
	int r;

	transfer->piece = piece;
	transfer->leg = leg;
	transfer->done_bytes = 0;
	r = transfer_submit(transfer);
	if (r < 0)
		copy_fail(piece->copy, r);
	else
		piece->pending++;
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
	/* Held up by one until all pieces have begun: the first may end at once. */
	copy->running = COPIER_PIECES + 1;
	for (uint32_t i = 0; i < COPIER_PIECES; i++)
		piece_advance(&copy->pieces[i]);
	if (--copy->running == 0)
		copy_end(copy);
}

static void transfer_ended(struct transfer *transfer, long result)
{
	struct piece *piece = transfer->piece;
	struct copy *copy = piece->copy;
	uint32_t left_bytes = piece->length_bytes - transfer->done_bytes;
	int r;

	if (result < 0) {
		copy_fail(copy, (int)result);
	} else if (result == 0 || result > (long)left_bytes) {
		copy_fail(copy, -EIO);
	} else if ((uint32_t)result < left_bytes && copy->status == 0) {
		transfer->done_bytes += (uint32_t)result;
		r = transfer_submit(transfer);
		if (r == 0)
			return;
		copy_fail(copy, r);
	}
	piece->pending--;
	piece_advance(piece);
	if (copy->running == 0)
		copy_end(copy);
}

static void reap(struct copier *copier)
{
	struct io_event events[EVENTS_AT_ONCE];
	uint64_t count;

	(void)!read(copier->completion_fd, &count, sizeof(count));
	for (;;) {
		struct timespec no_wait = { 0 };
		int n = io_getevents(copier->aio, 0, EVENTS_AT_ONCE, events, &no_wait);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return;
		for (int i = 0; i < n; i++)
			transfer_ended(events[i].data, (long)events[i].res);
	}
}

/* Begins what is wanted; false when the end is wanted. */
static bool take_wanted(struct copier *copier)
{
	struct copy *copy;
	uint64_t count;
	bool ending;

	(void)!read(copier->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&copier->lock);
	copy = copier->wanted;
	copier->wanted = NULL;
	ending = copier->ending;
	pthread_mutex_unlock(&copier->lock);
	while (copy != NULL) {
		struct copy *next = copy->next_wanted;

		copy_start(copy);
		copy = next;
	}
	return !ending;
}

static void *copier_run(void *argument)
{
	struct copier *copier = argument;
	struct pollfd fds[2] = { { .fd = copier->wake_fd, .events = POLLIN },
				 { .fd = copier->completion_fd, .events = POLLIN } };
	bool go_on = true;

	while (go_on || copier->copying > 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents != 0)
			reap(copier);
		if (fds[0].revents != 0)
			go_on = take_wanted(copier);
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
	struct copy **tail;

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
	copy->next_wanted = NULL;
	pthread_mutex_lock(&copier->lock);
	assert(!copier->ending);
	for (tail = &copier->wanted; *tail != NULL; tail = &(*tail)->next_wanted)
		;
	*tail = copy;
	pthread_mutex_unlock(&copier->lock);
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
	if (copier->completion_fd >= 0)
		close(copier->completion_fd);
	free(copier->buffers);
	copier->buffers = NULL;
	pthread_mutex_destroy(&copier->lock);
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
	copier->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	copier->completion_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (copier->wake_fd < 0 || copier->completion_fd < 0)
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
	copier->completion_fd = -1;
	pthread_mutex_init(&copier->lock, NULL);
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
	pthread_mutex_lock(&copier->lock);
	copier->ending = true;
	pthread_mutex_unlock(&copier->lock);
	wake(copier);
	pthread_join(copier->thread, NULL);
	release_resources(copier);
}

void copier_free(struct copier *copier)
{
	free(copier);
}
