/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One growing piece of memory with messages from `begin` to `end`: see send_queue.h. */
#include "cluster/send_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 65536

void send_queue_free(struct send_queue *queue)
{
	free(queue->bytes);
	*queue = (struct send_queue){ 0 };
}

void send_queue_clear(struct send_queue *queue)
{
	queue->begin = queue->end = 0;
}

/* Room for a message of any length behind the last one. */
static int make_room(struct send_queue *queue)
{
	size_t waiting = send_queue_waiting(queue);
	size_t size = queue->size_bytes > 0 ? queue->size_bytes : FIRST_BYTES;
	uint8_t *bytes;

	if (waiting + MESSAGE_BYTES_MAX > SEND_QUEUE_BYTES_MAX)
		return -ENOSPC;
	if (queue->size_bytes - queue->end >= MESSAGE_BYTES_MAX)
		return 0;
	/* Moved only when that frees at least as much as is moved. */
	if (queue->begin >= waiting && queue->size_bytes - waiting >= MESSAGE_BYTES_MAX) {
		if (waiting > 0)
			memmove(queue->bytes, queue->bytes + queue->begin, waiting);
		queue->begin = 0;
		queue->end = waiting;
		return 0;
	}
	while (size - queue->end < MESSAGE_BYTES_MAX)
		size *= 2;
	bytes = realloc(queue->bytes, size);
	if (bytes == NULL)
		return -ENOMEM;
	queue->bytes = bytes;
	queue->size_bytes = size;
	return 0;
}

int send_queue_put(struct send_queue *queue, const struct group_message *message)
{
	int r = make_room(queue);

	if (r < 0)
		return r;
	r = group_message_encode(message, queue->bytes + queue->end,
				 queue->size_bytes - queue->end);
	assert(r > 0);
	queue->end += (size_t)r;
	return 0;
}

/* The length that each message begins with. */
static size_t message_bytes(const uint8_t *bytes)
{
	return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
	       (size_t)bytes[3] << 24;
}

size_t send_queue_batch(const struct send_queue *queue, size_t bytes_max, const uint8_t **ret_bytes)
{
	size_t batch = 0;

	assert(bytes_max >= MESSAGE_BYTES_MAX);
	while (queue->begin + batch < queue->end) {
		size_t next = message_bytes(queue->bytes + queue->begin + batch);

		if (batch + next > bytes_max)
			break;
		batch += next;
	}
	if (batch > 0)
		*ret_bytes = queue->bytes + queue->begin;
	return batch;
}

void send_queue_sent(struct send_queue *queue, size_t bytes)
{
	assert(bytes <= send_queue_waiting(queue));
	queue->begin += bytes;
	if (queue->begin == queue->end)
		send_queue_clear(queue);
}
