/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status ioctl whose only purpose is the request that it causes: see provoke.h. */
#include "daemon/provoke.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct provocation {
	struct job job;
	struct worker *worker;
	struct machine_port *port;
	uint64_t luid;
	int status;
	char uuid[REQUEST_UUID_SIZE];
};

static bool provoke_run(struct job *job)
{
	struct provocation *provocation = CONTAINER_OF(job, struct provocation, job);
	const struct machine_backend *backend = provocation->port->backend;
	struct live_table table = { 0 };
	char letters[CORE_LEGS_MAX];
	bool suspended;

	provocation->status = backend->find_table(provocation->uuid, &table);
	if (provocation->status == 0)
		provocation->status =
			backend->read_health(provocation->uuid, &table, letters, &suspended);
	return true;
}

static void provoke_done(struct job *job)
{
	struct provocation *provocation = CONTAINER_OF(job, struct provocation, job);
	struct input input = {
		.type = INPUT_PROVOKED,
		.provoked = { .luid = provocation->luid, .status = provocation->status },
	};

	worker_free(provocation->worker);
	machine_port_answer(provocation->port, &input);
	free(provocation);
}

int provoke(struct machine_port *port, const struct effect_table *effect)
{
	struct provocation *provocation = calloc(1, sizeof(*provocation));
	int r;

	if (provocation == NULL)
		return -ENOMEM;
	provocation->job = (struct job){ .run = provoke_run, .done = provoke_done };
	provocation->port = port;
	provocation->luid = effect->luid;
	memcpy(provocation->uuid, effect->uuid, strnlen(effect->uuid, REQUEST_UUID_SIZE - 1));
	r = worker_start(&provocation->worker, "provoke", port->completions);
	if (r < 0) {
		free(provocation);
		return r;
	}
	worker_push_last(provocation->worker, &provocation->job);
	return 0;
}
