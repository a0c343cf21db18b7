/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine port: who does what, and what lives how long.
 *
 * Invariant: devices[] and legs[] hold what is opening, open or closing, and nothing else; the part itself clears its
 * place.  Every effect taken adds one to port.pending, every answer takes it away.
 */
#include "daemon/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "daemon/block_device.h"
#include "daemon/legs.h"
#include "daemon/live_table.h"
#include "daemon/log_device.h"
#include "daemon/provoke.h"
#include "daemon/machine_port.h"

struct machine {
	struct machine_port port;
	int dm_fd;
	int dm_status;
	sd_event_source *dm_source;
	struct log_device *devices[CORE_LOGS_MAX];
	struct legs *legs[CORE_TABLES_MAX];
};

static const struct machine_backend real_backend = {
	.open_device = block_device_open,
	.find_table = live_table_find,
	.read_health = live_table_health,
};

/* ---- inputs ---- */

static void port_input(struct machine_port *port, struct input *input)
{
	struct timespec now;

	input->now_ms = port->turn_ms;
	if (port->turn_ms == 0 || input->type != INPUT_WRITTEN || input->io.status < 0) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		input->now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	}
	port->input(port->context, input);
}

void machine_port_answer(struct machine_port *port, struct input *input)
{
	if (port->closing)
		return;
	assert(port->pending > 0);
	port->pending--;
	port_input(port, input);
}

/* An answer that is known at once but has to come from the event loop. */
struct late_answer {
	struct job job;
	struct machine_port *port;
	struct input input;
};

static void late_done(struct job *job)
{
	struct late_answer *late = CONTAINER_OF(job, struct late_answer, job);

	machine_port_answer(late->port, &late->input);
	free(late);
}

static int answer_later(struct machine_port *port, const struct input *input)
{
	struct late_answer *late = calloc(1, sizeof(*late));

	if (late == NULL)
		return -ENOMEM;
	late->job.done = late_done;
	late->port = port;
	late->input = *input;
	completions_post(port->completions, &late->job);
	return 0;
}

static int on_dm_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct machine *machine = userdata;
	struct input input = { .type = INPUT_DM_EVENT };
	int r;

	(void)revents;
	/* Before anybody looks: an event that comes meanwhile is then seen again. */
	r = live_table_events_arm(fd);
	if (r < 0) {
		/* It would be readable for ever. */
		machine->dm_status = r;
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	port_input(&machine->port, &input);
	return 0;
}

/* ---- effects ---- */

static int do_device(struct machine *machine, const struct effect *effect)
{
	const struct effect_device *device = &effect->device;
	struct log_device **place = &machine->devices[device->log];
	struct input failed = { .type = INPUT_DEVICE_OPENED, .device = { .log = device->log } };

	if (effect->type == EFFECT_CLOSE_DEVICE) {
		assert(*place != NULL);
		log_device_close(*place);
		return 0;
	}
	assert(*place == NULL);
	failed.device.status = log_device_open(place, &machine->port, device);
	return failed.device.status < 0 ? answer_later(&machine->port, &failed) : 0;
}

static int do_io(struct machine *machine, const struct effect *effect)
{
	assert(effect->io.log < CORE_LOGS_MAX && machine->devices[effect->io.log] != NULL);
	log_device_io(machine->devices[effect->io.log], &effect->io, effect->type == EFFECT_WRITE);
	return 0;
}

static int do_legs(struct machine *machine, const struct effect *effect)
{
	const struct effect_table *table = &effect->table;
	struct legs **place = &machine->legs[table->table];
	struct input failed = { .type = INPUT_LEGS_OPENED, .legs = { .table = table->table } };

	if (effect->type == EFFECT_OPEN_LEGS) {
		assert(*place == NULL);
		failed.legs.status = legs_open(place, &machine->port, table);
	} else if (effect->type == EFFECT_READ_HEALTH) {
		assert(*place != NULL);
		failed.type = INPUT_HEALTH;
		failed.legs.status = legs_read_health(*place);
	} else {
		assert(*place != NULL);
		if (effect->type == EFFECT_FLUSH_LEGS)
			legs_flush(*place);
		else
			legs_close(*place);
	}
	return failed.legs.status < 0 ? answer_later(&machine->port, &failed) : 0;
}

static int do_copy(struct machine *machine, const struct effect_copy *copy)
{
	struct input failed = { .type = INPUT_COPIED,
				.copied = { .table = copy->table, .region = copy->region } };

	assert(copy->table < CORE_TABLES_MAX && machine->legs[copy->table] != NULL);
	failed.copied.status = legs_copy(machine->legs[copy->table], copy);
	return failed.copied.status < 0 ? answer_later(&machine->port, &failed) : 0;
}

int machine_do(struct machine *machine, const struct effect *effect)
{
	int r = -EINVAL;

	assert(!machine->port.closing);
	machine->port.pending++;
	switch (effect->type) {
	case EFFECT_OPEN_DEVICE:
	case EFFECT_CLOSE_DEVICE:
		assert(effect->device.log < CORE_LOGS_MAX);
		r = do_device(machine, effect);
		break;
	case EFFECT_READ:
	case EFFECT_WRITE:
		r = do_io(machine, effect);
		break;
	case EFFECT_OPEN_LEGS:
	case EFFECT_CLOSE_LEGS:
	case EFFECT_FLUSH_LEGS:
	case EFFECT_READ_HEALTH:
		assert(effect->table.table < CORE_TABLES_MAX);
		r = do_legs(machine, effect);
		break;
	case EFFECT_COPY:
		r = do_copy(machine, &effect->copy);
		break;
	case EFFECT_PROVOKE:
		r = provoke(&machine->port, &effect->table);
		break;
	case EFFECT_ANSWER:
	case EFFECT_MULTICAST:
	case EFFECT_SET_TIMER:
	case EFFECT_RELEASE_MEMORY:
	case EFFECT_EVENT:
		assert(0);
		break;
	}
	if (r < 0)
		machine->port.pending--;
	return r;
}

/* ---- lifetime ---- */

static int start_dm_events(struct machine *machine)
{
	int r;

	machine->dm_fd = live_table_events_open();
	if (machine->dm_fd < 0)
		return machine->dm_fd;
	r = sd_event_add_io(machine->port.event, &machine->dm_source, machine->dm_fd, EPOLLIN,
			    on_dm_event, machine);
	return r < 0 ? r : 0;
}

int machine_open(struct machine **ret_machine, sd_event *event, const struct machine_config *config,
		 machine_input_function *input, void *context)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	int r;

	if (machine == NULL)
		return -ENOMEM;
	machine->port.event = event;
	machine->port.backend = config->backend != NULL ? config->backend : &real_backend;
	machine->port.use_nowait = config->use_nowait;
	machine->port.input = input;
	machine->port.context = context;
	r = completions_open(&machine->port.completions, config->caller_watches ? NULL : event);
	if (r < 0) {
		free(machine);
		return r;
	}
	/* Its absence shows in each call, and libdevmapper makes the control node that is opened next. */
	(void)live_table_init();
	machine->dm_status = start_dm_events(machine);
	*ret_machine = machine;
	return 0;
}

static bool anything_left(const struct machine *machine)
{
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		if (machine->devices[i] != NULL)
			return true;
	for (uint32_t i = 0; i < CORE_TABLES_MAX; i++)
		if (machine->legs[i] != NULL)
			return true;
	return false;
}

void machine_close(struct machine *machine)
{
	if (machine == NULL)
		return;
	machine->port.closing = true;
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		if (machine->devices[i] != NULL)
			log_device_end(machine->devices[i]);
	for (uint32_t i = 0; i < CORE_TABLES_MAX; i++)
		if (machine->legs[i] != NULL)
			legs_end(machine->legs[i]);
	while (anything_left(machine))
		completions_wait(machine->port.completions);
	completions_close(machine->port.completions);
	sd_event_source_disable_unref(machine->dm_source);
	if (machine->dm_fd >= 0)
		close(machine->dm_fd);
	free(machine);
}

int machine_fd(const struct machine *machine)
{
	return completions_fd(machine->port.completions);
}

void machine_run(struct machine *machine, uint64_t now_ms)
{
	machine->port.turn_ms = now_ms;
	completions_run(machine->port.completions);
	machine->port.turn_ms = 0;
}

uint64_t machine_pending(const struct machine *machine)
{
	return machine->port.pending;
}

int machine_dm_events_status(const struct machine *machine)
{
	return machine->dm_status;
}

int machine_live_mirrors(void (*found)(void *context, const char *uuid), void *context)
{
	return live_table_list(found, context);
}
