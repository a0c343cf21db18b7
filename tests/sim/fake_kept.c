/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that outlives a daemon, as the shell's mapped files do (daemon/marks_file.h), and daemons that are killed within a step.
 *
 * A daemon that is killed leaves the bytes as they were at that moment: here, between any two effects of a step, of which the later
 * ones never happen.  In some seeds nothing is left, and in the others now and then: the file could not be made, or was of another
 * version.  All chance comes from a generator of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* Effects that a daemon may still carry out, at most, when it is to be killed. */
#define EFFECTS_MAX 12

void kept_choose(struct sim *sim)
{
	rng_seed(&sim->kept_rng, sim->options->seed * 2 + 1);
	sim->keeps = !rng_one_in(&sim->kept_rng, 4);
}

static void drop(struct kept_memory *kept)
{
	aligned_free(kept->memory);
	aligned_free(kept->then);
	*kept = (struct kept_memory){ 0 };
}

/* Of a log that the daemon of now has not: the shell removes such files when it starts. */
static struct kept_memory *drop_unused(struct node *node)
{
	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++) {
		if (node->kept[i].used)
			continue;
		drop(&node->kept[i]);
		return &node->kept[i];
	}
	return NULL;
}

void kept_forget_all(struct node *node)
{
	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++)
		drop(&node->kept[i]);
}

void *kept_find(struct sim *sim, struct node *node, uint64_t name, size_t bytes)
{
	struct kept_memory *free_one = NULL;

	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++) {
		struct kept_memory *kept = &node->kept[i];

		if (kept->memory == NULL && free_one == NULL)
			free_one = kept;
		if (kept->memory == NULL || kept->name != name || kept->bytes != bytes)
			continue;
		kept->used = true;
		return kept->memory;
	}
	if (free_one == NULL)
		free_one = drop_unused(node);
	if (free_one == NULL) {
		violate(sim, "5", "kept memory is not released");
		return NULL;
	}
	*free_one = (struct kept_memory){
		.used = true, .name = name, .bytes = bytes, .memory = aligned_zeroed(bytes)
	};
	return free_one->memory;
}

void kept_release(struct sim *sim, struct node *node, const void *memory)
{
	for (uint32_t i = 0; memory != NULL && i < SIM_KEPT_MAX; i++) {
		if (node->kept[i].memory != memory)
			continue;
		drop(&node->kept[i]);
		return;
	}
	if (memory != NULL)
		violate(sim, "5", "released kept memory that was not given");
}

void kept_daemon_starts(struct sim *sim, struct node *node)
{
	node->daemon.effects_left = 0;
	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++)
		node->kept[i].used = false;
	if (!sim->keeps || rng_one_in(&sim->kept_rng, 8))
		kept_forget_all(node);
}

bool kept_kill(struct sim *sim, struct node *node)
{
	if (rng_one_in(&sim->kept_rng, 2))
		return false;
	node->daemon.effects_left = 1 + rng_below(&sim->kept_rng, EFFECTS_MAX);
	node->daemon.dies_before = rng_one_in(&sim->kept_rng, 2);
	return true;
}

static void die(struct node *node)
{
	node->daemon.dying = true;
	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++) {
		struct kept_memory *kept = &node->kept[i];

		if (kept->memory == NULL)
			continue;
		kept->then = aligned_zeroed(kept->bytes);
		memcpy(kept->then, kept->memory, kept->bytes);
	}
}

bool kept_before_effect(struct node *node)
{
	struct daemon_process *daemon = &node->daemon;

	if (!daemon->dying && daemon->effects_left == 1 && daemon->dies_before)
		die(node);
	return !daemon->dying;
}

void kept_after_effect(struct node *node)
{
	struct daemon_process *daemon = &node->daemon;

	if (!daemon->dying && daemon->effects_left > 0 && --daemon->effects_left == 0)
		die(node);
}

void kept_bury(struct sim *sim, struct node *node)
{
	if (!node->daemon.dying)
		return;
	node->daemon.dying = false;
	daemon_end(sim, node);
	for (uint32_t i = 0; i < SIM_KEPT_MAX; i++) {
		struct kept_memory *kept = &node->kept[i];

		if (kept->then == NULL)
			continue;
		aligned_free(kept->memory);
		kept->memory = kept->then;
		kept->then = NULL;
	}
}
