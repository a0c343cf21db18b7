/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of one seed: everything is freed at its end, also when an oracle or an assertion ended it in the
 * middle of something.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const size_t object_bytes[POOLS] = {
	[POOL_BIO] = sizeof(struct bio),
	[POOL_LEG_IO] = sizeof(struct leg_io),
	[POOL_LEG_FLUSH] = sizeof(struct leg_flush),
	[POOL_COPY] = sizeof(struct copy),
	[POOL_DISK_IO] = sizeof(struct disk_io),
	[POOL_HELPER] = sizeof(struct helper),
};

void *sim_alloc(struct sim *sim, size_t bytes)
{
	void *memory;

	if (sim->chunk_count == sim->chunk_size) {
		sim->chunk_size = sim->chunk_size == 0 ? 64 : 2 * sim->chunk_size;
		sim->chunks = realloc(sim->chunks, sim->chunk_size * sizeof(sim->chunks[0]));
		if (sim->chunks == NULL)
			abort();
	}
	memory = calloc(1, bytes == 0 ? 1 : bytes);
	if (memory == NULL)
		abort();
	sim->chunks[sim->chunk_count++] = memory;
	return memory;
}

/* A free object begins with the pointer to the next one. */
void *pool_get(struct sim *sim, enum pool_kind kind)
{
	void *object = sim->free_objects[kind];

	if (object == NULL)
		return sim_alloc(sim, object_bytes[kind]);
	memcpy(&sim->free_objects[kind], object, sizeof(void *));
	memset(object, 0, object_bytes[kind]);
	return object;
}

void pool_put(struct sim *sim, enum pool_kind kind, void *object)
{
	memcpy(object, &sim->free_objects[kind], sizeof(void *));
	sim->free_objects[kind] = object;
}

void sim_free_all(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->chunk_count; i++)
		free(sim->chunks[i]);
	free(sim->chunks);
	free(sim->scheduler.run);
	free(sim->scheduler.heap);
	sim->chunks = NULL;
	sim->chunk_count = sim->chunk_size = 0;
}
