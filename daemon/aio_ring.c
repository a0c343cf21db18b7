/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the ring that the kernel shares with the owner of an aio context: fs/aio.c, struct aio_ring.
 *
 * The context's id is the address of the ring.  The kernel moves `tail` behind an event that it has written; who takes
 * events moves `head`, the kernel in io_getevents() or, as here, the owner (user_refill_reqs_available() counts on that).
 * A ring that is not known to be of that form (its magic and its incompatible features say so) is asked by io_getevents().
 */
#include "daemon/aio_ring.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RING_MAGIC 0xa10a10a1

struct ring {
	uint32_t id;
	uint32_t event_count;
	uint32_t head;
	uint32_t tail;
	uint32_t magic;
	uint32_t compatible_features;
	uint32_t incompatible_features;
	uint32_t header_bytes;
	struct io_event events[];
};
_Static_assert(offsetof(struct ring, events) == 32, "struct ring is the kernel's layout");

int aio_harvest(io_context_t aio, struct io_event *events, unsigned most)
{
	struct ring *ring = (struct ring *)(void *)aio;
	struct timespec no_wait = { 0 };
	uint32_t head, tail;
	unsigned taken = 0;

	if (ring->magic != RING_MAGIC || ring->incompatible_features != 0)
		return io_getevents(aio, 0, most, events, &no_wait);
	head = ring->head;
	/* What stands before the tail that we see has been written. */
	tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	while (head != tail && taken < most) {
		events[taken++] = ring->events[head];
		head = head + 1 == ring->event_count ? 0 : head + 1;
	}
	/* What stands before our head may be overwritten from here on. */
	if (taken > 0)
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	return (int)taken;
}
