/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on their way to the group: encoded, in order, taken out in batches of whole messages.
 *
 * What the group is too busy to take stays here; the owner decides what to do when it is full.  Never more than
 * SEND_QUEUE_BYTES_MAX; the memory grows and is kept.
 */
#ifndef DMCLOGD_SEND_QUEUE_H
#define DMCLOGD_SEND_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "group_message.h"

/* The state of the largest logs, sent to a joiner in one go, fits several times. */
#define SEND_QUEUE_BYTES_MAX (UINT32_C(64) << 20)

/* All zero: empty. */
struct send_queue {
	uint8_t *bytes;
	size_t size_bytes;
	size_t begin;
	size_t end;
};

/* Frees the memory; the queue is empty and can be used again. */
void send_queue_free(struct send_queue *queue);

/* Forgets what waits and keeps the memory. */
void send_queue_clear(struct send_queue *queue);

/* Encodes the message behind all others.  Returns 0; -ENOSPC: too much waits; -ENOMEM; the queue is then as before. */
int send_queue_put(struct send_queue *queue, const struct group_message *message);

/*
 * The oldest messages that together have at most `bytes_max` bytes (at least MESSAGE_BYTES_MAX, so that one always fits), as
 * they go on the wire, one behind the other.  Returns their bytes and *ret_bytes, valid until the next put; 0 bytes
 * when nothing waits.
 */
size_t send_queue_batch(const struct send_queue *queue, size_t bytes_max,
			const uint8_t **ret_bytes);

/* The group has taken the first `bytes` bytes, a batch. */
void send_queue_sent(struct send_queue *queue, size_t bytes);

static inline size_t send_queue_waiting(const struct send_queue *queue)
{
	return queue->end - queue->begin;
}

#endif
