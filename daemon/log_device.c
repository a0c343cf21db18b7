/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log device I/O by libaio, O_DIRECT, writes durable on completion (RWF_DSYNC).
 *
 * The hot path of a write is one io_submit() on the event loop's thread, told not to wait (RWF_NOWAIT); what would have
 * to wait is submitted by the device's own thread, so that a slow device delays nobody else.  Nothing is allocated
 * after the open.
 *
 * Invariant: a slot is busy from the effect to the end of its input, and is known either to the kernel or to
 * the worker, never to both.
 * Memory: IO_SLOTS * CORE_IO_BYTES_MAX (576 KiB) and a thread's stack for each open log device.
 */
#define _GNU_SOURCE 1
#include "daemon/log_device.h"

#include <assert.h>
#include <errno.h>
#include <libaio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/aio_ring.h"

/* One more than may be under way: the data of a read stays valid while the core, in that same step, asks for the next. */
#define IO_SLOTS (CORE_IO_MAX + 1)
#define BUFFER_ALIGN_BYTES 4096

struct io_slot {
	struct iocb iocb;
	struct job job; /* submits it, waiting if need be */
	struct log_device *device;
	uint8_t *buffer;
	bool busy;
	bool write;
	bool may_wait; /* submitted by the worker */
	int submit_status;
	uint64_t offset_bytes;
	uint32_t length_bytes;
	uint32_t done_bytes;
};

struct log_device {
	struct machine_port *port;
	struct log_device **owner;
	struct effect_device effect;
	struct worker *worker;
	struct job open_job;
	struct job close_job;
	int status; /* of opening */
	struct block_device block;
	uint8_t random_id[DISK_ID_BYTES];
	io_context_t aio;
	struct watch watch; /* of `aio`, while a slot is busy */
	uint32_t busy_slots;
	uint8_t *buffers;
	bool nowait;
	bool open;
	bool closing;
	struct io_slot slots[IO_SLOTS];
};

/* ---- opening and closing ---- */

/* Any thread; what is not there is passed over. */
static void release_resources(struct log_device *device)
{
	/* Waits for what the kernel still has of ours. */
	if (device->aio != NULL)
		(void)io_destroy(device->aio);
	if (device->block.fd >= 0)
		close(device->block.fd);
	free(device->buffers);
	device->aio = NULL;
	device->block.fd = -1;
	device->buffers = NULL;
}

static int acquire_resources(struct log_device *device)
{
	const struct machine_backend *backend = device->port->backend;
	int r;

	r = backend->open_device(device->effect.major, device->effect.minor, &device->block);
	if (r < 0)
		return r;
	if (getrandom(device->random_id, sizeof(device->random_id), 0) !=
	    (ssize_t)sizeof(device->random_id))
		return -EIO;
	device->buffers = aligned_alloc(BUFFER_ALIGN_BYTES, IO_SLOTS * (size_t)CORE_IO_BYTES_MAX);
	if (device->buffers == NULL)
		return -ENOMEM;
	return io_setup(IO_SLOTS, &device->aio);
}

static bool open_run(struct job *job)
{
	struct log_device *device = CONTAINER_OF(job, struct log_device, open_job);

	device->status = acquire_resources(device);
	if (device->status < 0)
		release_resources(device);
	return true;
}

static void device_free(struct log_device *device)
{
	*device->owner = NULL;
	worker_free(device->worker);
	free(device);
}

static void open_done(struct job *job)
{
	struct log_device *device = CONTAINER_OF(job, struct log_device, open_job);
	struct machine_port *port = device->port;
	struct input input = { .type = INPUT_DEVICE_OPENED,
			       .device = { .log = device->effect.log } };

	/* The whole port is ending: the closing that is queued already frees it. */
	if (device->closing)
		return;
	input.device.status = device->status;
	if (device->status == 0) {
		device->open = true;
		input.device.device_bytes = device->block.device_bytes;
		input.device.block_bytes = device->block.block_bytes;
		memcpy(input.device.random_id, device->random_id, sizeof(device->random_id));
	} else {
		device_free(device);
	}
	machine_port_answer(port, &input);
}

static bool close_run(struct job *job);
static void close_done(struct job *job);
static bool submit_run(struct job *job);
static void submit_done(struct job *job);
static void harvest(struct watch *watch);

int log_device_open(struct log_device **owner, struct machine_port *port,
		    const struct effect_device *effect)
{
	struct log_device *device = calloc(1, sizeof(*device));
	char name[32];
	int r;

	if (device == NULL)
		return -ENOMEM;
	device->port = port;
	device->owner = owner;
	device->effect = *effect;
	device->block.fd = -1;
	device->watch.harvest = harvest;
	device->nowait = port->use_nowait;
	(void)snprintf(name, sizeof(name), "logdev-%u:%u", effect->major, effect->minor);
	r = worker_start(&device->worker, name, port->completions);
	if (r < 0) {
		free(device);
		return r;
	}
	for (unsigned i = 0; i < IO_SLOTS; i++) {
		device->slots[i].device = device;
		device->slots[i].job.run = submit_run;
		device->slots[i].job.done = submit_done;
	}
	*owner = device;
	device->open_job.run = open_run;
	device->open_job.done = open_done;
	device->close_job.run = close_run;
	device->close_job.done = close_done;
	worker_push(device->worker, &device->open_job);
	return 0;
}

static bool close_run(struct job *job)
{
	struct log_device *device = CONTAINER_OF(job, struct log_device, close_job);

	release_resources(device);
	return true;
}

static void close_done(struct job *job)
{
	struct log_device *device = CONTAINER_OF(job, struct log_device, close_job);
	struct machine_port *port = device->port;
	struct input input = { .type = INPUT_DEVICE_CLOSED, .log = device->effect.log };

	device_free(device);
	machine_port_answer(port, &input);
}

void log_device_end(struct log_device *device)
{
	if (device->closing)
		return;
	device->closing = true;
	completions_unwatch(device->port->completions, &device->watch);
	worker_push_last(device->worker, &device->close_job);
}

void log_device_close(struct log_device *device)
{
	assert(device->open && !device->closing);
	log_device_end(device);
}

/* ---- reading and writing ---- */

static void slot_answer(struct io_slot *slot, int status)
{
	struct log_device *device = slot->device;
	struct input input = { .type = slot->write ? INPUT_WRITTEN : INPUT_READ,
			       .io = {
				       .log = device->effect.log,
				       .status = status,
				       .offset_bytes = slot->offset_bytes,
				       .length_bytes = slot->length_bytes,
			       } };

	if (!slot->write && status == 0)
		input.io.data = slot->buffer;
	/* The slot stays busy during the input: its buffer is what was read. */
	machine_port_answer(device->port, &input);
	slot->busy = false;
	if (--device->busy_slots == 0)
		completions_unwatch(device->port->completions, &device->watch);
}

static int slot_submit(struct io_slot *slot, bool nowait)
{
	struct log_device *device = slot->device;
	struct iocb *iocb = &slot->iocb;
	uint8_t *at = slot->buffer + slot->done_bytes;
	uint32_t length_bytes = slot->length_bytes - slot->done_bytes;
	long long offset_bytes = (long long)(slot->offset_bytes + slot->done_bytes);

	if (slot->write) {
		io_prep_pwrite(iocb, device->block.fd, at, length_bytes, offset_bytes);
		iocb->aio_rw_flags = RWF_DSYNC;
	} else {
		io_prep_pread(iocb, device->block.fd, at, length_bytes, offset_bytes);
	}
	if (nowait)
		iocb->aio_rw_flags |= RWF_NOWAIT;
	iocb->data = slot;
	io_set_eventfd(iocb, completions_fd(device->port->completions));
	return io_submit(device->aio, 1, &iocb);
}

/* On the worker.  Once submitted the slot is the event loop's: it may be in use for something else already. */
static bool submit_run(struct job *job)
{
	struct io_slot *slot = CONTAINER_OF(job, struct io_slot, job);
	int r;

	r = slot_submit(slot, false);
	if (r == 1)
		return false;
	slot->submit_status = r < 0 ? r : -EAGAIN;
	return true;
}

static void submit_done(struct job *job)
{
	struct io_slot *slot = CONTAINER_OF(job, struct io_slot, job);

	slot_answer(slot, slot->submit_status);
}

static void slot_start(struct io_slot *slot)
{
	struct log_device *device = slot->device;

	slot->may_wait = !device->nowait;
	if (!slot->may_wait) {
		int r = slot_submit(slot, true);

		if (r == 1)
			return;
		if (r == -EOPNOTSUPP)
			device->nowait = false;
		/* Whatever it was: the worker tries again, and its error counts. */
		slot->may_wait = true;
	}
	worker_push(device->worker, &slot->job);
}

static void slot_completed(struct io_slot *slot, long result)
{
	uint32_t left_bytes = slot->length_bytes - slot->done_bytes;

	if (!slot->may_wait && (result == -EAGAIN || result == -EOPNOTSUPP)) {
		if (result == -EOPNOTSUPP)
			slot->device->nowait = false;
		slot->may_wait = true;
		worker_push(slot->device->worker, &slot->job);
	} else if (result < 0) {
		slot_answer(slot, (int)result);
	} else if (result == 0 || result > (long)left_bytes) {
		slot_answer(slot, -EIO);
	} else if ((uint32_t)result < left_bytes) {
		slot->done_bytes += (uint32_t)result;
		slot_start(slot);
	} else {
		slot_answer(slot, 0);
	}
}

static void harvest(struct watch *watch)
{
	struct log_device *device = CONTAINER_OF(watch, struct log_device, watch);
	struct io_event events[IO_SLOTS];

	/* An input may begin the closing, but only the last one: then nothing is left in `events`. */
	while (!device->closing) {
		int n = aio_harvest(device->aio, events, IO_SLOTS);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			slot_completed(events[i].data, (long)events[i].res);
	}
}

void log_device_io(struct log_device *device, const struct effect_io *effect, bool write)
{
	struct io_slot *slot = NULL;

	assert(device->open && !device->closing);
	assert(effect->length_bytes > 0 && effect->length_bytes <= CORE_IO_BYTES_MAX);
	for (unsigned i = 0; i < IO_SLOTS && slot == NULL; i++)
		if (!device->slots[i].busy) {
			slot = &device->slots[i];
			slot->buffer = device->buffers + (size_t)i * CORE_IO_BYTES_MAX;
		}
	assert(slot != NULL);
	slot->busy = true;
	device->busy_slots++;
	completions_watch(device->port->completions, &device->watch);
	slot->write = write;
	slot->offset_bytes = effect->offset_bytes;
	slot->length_bytes = effect->length_bytes;
	slot->done_bytes = 0;
	if (write)
		memcpy(slot->buffer, effect->data, effect->length_bytes);
	slot_start(slot);
}
