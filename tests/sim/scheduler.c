/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens next: a run list from which one item is picked at random, and a heap of items that
 * become runnable at a time.
 *
 * Time creeps by a millisecond now and then while something can run, and jumps to the next timed item
 * when nothing can; rarely it jumps although something can run: that is a slow machine.
 */
#include <stdlib.h>

#include "sim.h"

#define CREEP_ONE_IN 4
#define JUMP_ONE_IN 2000
#define JUMP_MAX_MS 20000

static void *grow(void *array, uint32_t *size, size_t element_bytes)
{
	*size = *size == 0 ? 64 : 2 * *size;
	array = realloc(array, *size * element_bytes);
	if (array == NULL)
		abort();
	return array;
}

void schedule(struct sim *sim, enum item_type type, struct node *node, void *object)
{
	struct scheduler *scheduler = &sim->scheduler;

	if (scheduler->run_count == scheduler->run_size)
		scheduler->run = grow(scheduler->run, &scheduler->run_size, sizeof(struct item));
	scheduler->run[scheduler->run_count++] = (struct item){ type, node, object };
}

static bool earlier(const struct timed_item *a, const struct timed_item *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void sift_down(struct scheduler *scheduler, uint32_t at)
{
	struct timed_item *heap = scheduler->heap;
	struct timed_item moved = heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= scheduler->heap_count)
			break;
		if (child + 1 < scheduler->heap_count && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!earlier(&heap[child], &moved))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

void schedule_in(struct sim *sim, uint64_t delay_ms, enum item_type type, struct node *node,
		 void *object)
{
	struct scheduler *scheduler = &sim->scheduler;
	struct timed_item timed = {
		.due_ms = sim->now_ms + delay_ms,
		.order = scheduler->order++,
		.item = { type, node, object },
	};
	uint32_t at = scheduler->heap_count;

	if (scheduler->heap_count == scheduler->heap_size)
		scheduler->heap =
			grow(scheduler->heap, &scheduler->heap_size, sizeof(struct timed_item));
	scheduler->heap_count++;
	while (at > 0 && earlier(&timed, &scheduler->heap[(at - 1) / 2])) {
		scheduler->heap[at] = scheduler->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	scheduler->heap[at] = timed;
}

void schedule_io(struct sim *sim, enum item_type type, struct node *node, void *object)
{
	if (rng_one_in(&sim->rng, sim->profile.slow_io_one_in))
		schedule_in(sim, 1 + rng_below(&sim->rng, sim->profile.slow_io_ms), type, node,
			    object);
	else
		schedule(sim, type, node, object);
}

/* What is due becomes runnable. */
static void run_due(struct sim *sim)
{
	struct scheduler *scheduler = &sim->scheduler;

	while (scheduler->heap_count > 0 && scheduler->heap[0].due_ms <= sim->now_ms) {
		struct item item = scheduler->heap[0].item;

		scheduler->heap[0] = scheduler->heap[--scheduler->heap_count];
		sift_down(scheduler, 0);
		schedule(sim, item.type, item.node, item.object);
	}
}

void schedule_time(struct sim *sim)
{
	struct scheduler *scheduler = &sim->scheduler;

	if (rng_one_in(&sim->rng, CREEP_ONE_IN))
		sim->now_ms++;
	if (scheduler->heap_count > 0) {
		uint64_t due_ms = scheduler->heap[0].due_ms;

		if (due_ms > sim->now_ms &&
		    (scheduler->run_count == 0 ||
		     (due_ms - sim->now_ms < JUMP_MAX_MS && rng_one_in(&sim->rng, JUMP_ONE_IN))))
			sim->now_ms = due_ms;
		run_due(sim);
	}
}

bool schedule_pick(struct sim *sim, struct item *ret_item)
{
	struct scheduler *scheduler = &sim->scheduler;
	uint32_t at;

	if (scheduler->run_count == 0)
		return false;
	at = rng_below(&sim->rng, scheduler->run_count);
	*ret_item = scheduler->run[at];
	scheduler->run[at] = scheduler->run[--scheduler->run_count];
	return true;
}

void schedule_drop(struct sim *sim, bool (*gone)(const struct item *item, void *context),
		   void *context)
{
	struct scheduler *scheduler = &sim->scheduler;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < scheduler->run_count; i++)
		if (!gone(&scheduler->run[i], context))
			scheduler->run[kept++] = scheduler->run[i];
	scheduler->run_count = kept;
	kept = 0;
	for (uint32_t i = 0; i < scheduler->heap_count; i++)
		if (!gone(&scheduler->heap[i].item, context))
			scheduler->heap[kept++] = scheduler->heap[i];
	scheduler->heap_count = kept;
	for (uint32_t i = kept / 2; i-- > 0;)
		sift_down(scheduler, i);
}
