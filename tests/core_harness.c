/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One core, its effects, and a world that does what the test says: see core_harness.h. */
#include "core_harness.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"

static void collect(struct harness *harness, const struct effect *effect)
{
	struct harness_job *job = &harness->jobs[harness->next_job % HARNESS_JOBS_MAX];

	assert(!job->used);
	harness->next_job++;
	job->used = true;
	job->effect = *effect;
	if (effect->type == EFFECT_WRITE) {
		job->data = malloc(effect->io.length_bytes);
		assert(job->data != NULL);
		memcpy(job->data, effect->io.data, effect->io.length_bytes);
		job->effect.io.data = job->data;
	}
	if (effect->type == EFFECT_COPY) {
		assert(harness->copy_count < HARNESS_ANSWERS_MAX);
		harness->copies[harness->copy_count++] = effect->copy.region;
	}
}

static void collect_event(struct harness *harness, const struct effect_event *event)
{
	harness->events[event->event]++;
	harness->last_event[event->event] = *event;
	strncpy(harness->last_text[event->event], event->text, sizeof(harness->last_text[0]) - 1);
	harness->last_event[event->event].text = harness->last_text[event->event];
	harness->last_event[event->event].uuid = NULL;
}

/* All of it when `memory` is NULL. */
static void forget_kept(struct harness *harness, const void *memory)
{
	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++) {
		if (memory != NULL && harness->kept[i].memory != memory)
			continue;
		free(harness->kept[i].memory);
		harness->kept[i].memory = NULL;
	}
}

static void forget_memory(struct harness *harness, void *memory)
{
	uint32_t i = 0;

	while (i < HARNESS_LOGS_MAX && (memory == NULL || harness->memories[i] != memory))
		i++;
	assert(i < HARNESS_LOGS_MAX); /* not ours, or released twice */
	harness->memories[i] = NULL;
	free(memory);
}

static void collect_answer(struct harness *harness, const struct answer *answer)
{
	struct harness_asked *asked = &harness->asked[answer->seq % HARNESS_ASKED_MAX];

	assert(harness->answer_count < HARNESS_ANSWERS_MAX);
	harness->answers[harness->answer_count++] = *answer;
	if (!harness->resend || answer->error != -EAGAIN)
		return;
	assert(asked->request.seq == answer->seq && !asked->again);
	asked->again = true;
	harness->resend_count++;
}

static void collect_message(struct harness *harness, const struct group_message *message)
{
	uint32_t i = harness->next_message++ % HARNESS_JOBS_MAX;

	assert(harness->next_message - harness->first_message <= HARNESS_JOBS_MAX);
	if (message->type == MESSAGE_HELLO)
		harness->hello = *message;
	harness->messages[i] = *message;
	free(harness->message_data[i]);
	harness->message_data[i] = NULL;
	if (message->data_bytes == 0)
		return;
	harness->message_data[i] = malloc(message->data_bytes);
	assert(harness->message_data[i] != NULL);
	memcpy(harness->message_data[i], message->data, message->data_bytes);
	harness->messages[i].data = harness->message_data[i];
}

/* Every other member grants it, right behind it in the order. */
static void grant_claim(struct harness *harness, const struct group_message *claim)
{
	struct group_message answer = { .type = MESSAGE_CLAIM_ANSWER,
					.log = claim->log,
					.window = claim->window,
					.claimer = claim->sender };

	for (uint32_t i = 0; i < harness->member_count; i++) {
		answer.sender = harness->members[i];
		if (answer.sender != claim->sender)
			collect_message(harness, &answer);
	}
}

/* And knows of an ENTER. */
static void hear(struct harness *harness, const struct group_message *enter)
{
	struct group_message answer = { .type = MESSAGE_HEARD,
					.number = enter->number,
					.node = enter->sender };

	for (uint32_t i = 0; i < harness->member_count; i++) {
		answer.sender = harness->members[i];
		if (answer.sender != enter->sender)
			collect_message(harness, &answer);
	}
}

static void take_effect(void *context, const struct effect *effect)
{
	struct harness *harness = context;

	assert(harness->trace_count < HARNESS_TRACE_MAX);
	harness->trace[harness->trace_count++] = (uint8_t)effect->type;
	harness->effects[effect->type]++;
	switch (effect->type) {
	case EFFECT_ANSWER:
		collect_answer(harness, &effect->answer);
		break;
	case EFFECT_MULTICAST:
		if (harness->send != NULL)
			harness->send(harness->send_context, &effect->message);
		else
			collect_message(harness, &effect->message);
		if (harness->send == NULL && effect->message.type == MESSAGE_ENTER)
			hear(harness, &effect->message);
		if (harness->peers_grant && effect->message.type == MESSAGE_CLAIM)
			grant_claim(harness, &effect->message);
		break;
	case EFFECT_SET_TIMER:
		harness->timer_ms = effect->deadline_ms;
		break;
	case EFFECT_RELEASE_MEMORY:
		forget_memory(harness, effect->release.memory);
		if (effect->release.kept != NULL)
			forget_kept(harness, effect->release.kept);
		break;
	case EFFECT_PROVOKE:
		memset(harness->provoked_uuid, 0, sizeof(harness->provoked_uuid));
		strncpy(harness->provoked_uuid, effect->table.uuid, REQUEST_UUID_SIZE - 1);
		harness->provoked_luid = effect->table.luid;
		break;
	case EFFECT_EVENT:
		collect_event(harness, &effect->event);
		break;
	case EFFECT_OPEN_DEVICE:
	case EFFECT_CLOSE_DEVICE:
	case EFFECT_READ:
	case EFFECT_WRITE:
	case EFFECT_OPEN_LEGS:
	case EFFECT_CLOSE_LEGS:
	case EFFECT_FLUSH_LEGS:
	case EFFECT_READ_HEALTH:
	case EFFECT_COPY:
		collect(harness, effect);
		break;
	}
}

/* ---- start and stop ---- */

static void make_core(struct harness *harness)
{
	size_t bytes = (core_bytes() + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, bytes);

	assert(memory != NULL);
	memset(memory, 0, bytes);
	harness->timer_ms = UINT64_MAX;
	harness->core = core_init(memory, &harness->config, take_effect, harness, harness->now_ms);
	if (harness->send == NULL)
		harness_group_begin(harness);
}

void harness_start(struct harness *harness)
{
	struct core_config *config = &harness->config;

	config->node_id = config->node_id != 0 ? config->node_id : 1;
	if (config->cluster_name[0] == '\0')
		strcpy(config->cluster_name, "none");
	if (config->machine_id[0] == 0)
		memset(config->machine_id, 'm', sizeof(config->machine_id));
	if (config->boot_id[0] == 0)
		memset(config->boot_id, 'b', sizeof(config->boot_id));
	config->hot_regions = config->hot_regions != 0 ? config->hot_regions : 16;
	config->idle_ms = config->idle_ms != 0 ? config->idle_ms : 15000;
	config->slot_count = config->slot_count != 0 ? config->slot_count : 4;
	config->copies_in_flight = config->copies_in_flight != 0 ? config->copies_in_flight : 4;
	harness->disk_bytes = harness->disk_bytes != 0 ? harness->disk_bytes : 65536;
	harness->block_bytes = harness->block_bytes != 0 ? harness->block_bytes : 512;
	harness->uuid = harness->uuid != NULL ? harness->uuid : HARNESS_UUID;
	if (harness->letters[0] == '\0')
		strcpy(harness->letters, "AA");
	harness->disk = calloc(1, harness->disk_bytes);
	harness->now_ms = 1000;
	harness->seq = 100;
	assert(harness->disk != NULL);
	make_core(harness);
}

static void forget_core(struct harness *harness)
{
	free(harness->core);
	for (uint32_t i = 0; i < HARNESS_JOBS_MAX; i++) {
		free(harness->message_data[i]);
		harness->message_data[i] = NULL;
		free(harness->jobs[i].data);
		harness->jobs[i] = (struct harness_job){ 0 };
	}
	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++) {
		free(harness->memories[i]);
		harness->memories[i] = NULL;
	}
	harness->first_job = harness->next_job = harness->first_message = harness->next_message = 0;
}

void harness_restart(struct harness *harness)
{
	forget_core(harness);
	if (!harness->keeps)
		forget_kept(harness, NULL);
	harness->answer_count = 0;
	harness->resend_count = 0;
	memset(harness->asked, 0, sizeof(harness->asked));
	harness->copy_count = 0;
	harness->trace_count = 0;
	memset(harness->events, 0, sizeof(harness->events));
	memset(harness->effects, 0, sizeof(harness->effects));
	harness->config.incarnation++;
	make_core(harness);
}

void harness_stop(struct harness *harness)
{
	forget_core(harness);
	forget_kept(harness, NULL);
	free(harness->disk);
}

/* ---- jobs ---- */

struct harness_job *harness_job(struct harness *harness, enum effect_type type)
{
	for (uint32_t i = harness->first_job; i != harness->next_job; i++) {
		struct harness_job *job = &harness->jobs[i % HARNESS_JOBS_MAX];

		if (job->used && job->effect.type == type)
			return job;
	}
	return NULL;
}

uint32_t harness_job_count(struct harness *harness, enum effect_type type)
{
	uint32_t count = 0;

	for (uint32_t i = harness->first_job; i != harness->next_job; i++) {
		const struct harness_job *job = &harness->jobs[i % HARNESS_JOBS_MAX];

		if (job->used && job->effect.type == type)
			count++;
	}
	return count;
}

static void fill_legs(struct harness *harness, struct input *input, uint32_t table, int status)
{
	input->legs.table = table;
	input->legs.status = status;
	input->legs.suspended = harness->suspended;
	input->legs.leg_count = (uint32_t)strlen(harness->letters);
	memcpy(input->legs.letters, harness->letters, input->legs.leg_count);
}

static void fill_io(struct harness *harness, struct input *input, const struct effect_io *io,
		    int status)
{
	input->io = (struct input_io){ .log = io->log,
				       .status = status,
				       .offset_bytes = io->offset_bytes,
				       .length_bytes = io->length_bytes };
	assert(io->offset_bytes + io->length_bytes <= harness->disk_bytes);
	assert(io->offset_bytes % harness->block_bytes == 0);
	assert(io->length_bytes % harness->block_bytes == 0 && io->length_bytes > 0);
	if (status < 0)
		return;
	if (input->type == INPUT_WRITTEN)
		memcpy(harness->disk + io->offset_bytes, io->data, io->length_bytes);
	else
		input->io.data = harness->disk + io->offset_bytes;
}

/* Takes the job's answer into *input; the job is free then. */
static void answer_of(struct harness *harness, struct harness_job *job, int status,
		      struct input *input)
{
	const struct effect *effect = &job->effect;

	switch (effect->type) {
	case EFFECT_OPEN_DEVICE:
		input->type = INPUT_DEVICE_OPENED;
		input->device = (struct input_device_opened){ .log = effect->device.log,
							      .status = status,
							      .device_bytes = harness->disk_bytes,
							      .block_bytes = harness->block_bytes };
		memset(input->device.random_id, 'r', DISK_ID_BYTES);
		break;
	case EFFECT_CLOSE_DEVICE:
		input->type = INPUT_DEVICE_CLOSED;
		input->log = effect->device.log;
		break;
	case EFFECT_READ:
	case EFFECT_WRITE:
		input->type = effect->type == EFFECT_READ ? INPUT_READ : INPUT_WRITTEN;
		fill_io(harness, input, &effect->io, status);
		break;
	case EFFECT_OPEN_LEGS:
		input->type = INPUT_LEGS_OPENED;
		fill_legs(harness, input, effect->table.table, status);
		break;
	case EFFECT_CLOSE_LEGS:
		input->type = INPUT_LEGS_CLOSED;
		fill_legs(harness, input, effect->table.table, status);
		break;
	case EFFECT_FLUSH_LEGS:
		input->type = INPUT_LEGS_FLUSHED;
		fill_legs(harness, input, effect->table.table, status);
		break;
	case EFFECT_READ_HEALTH:
		input->type = INPUT_HEALTH;
		fill_legs(harness, input, effect->table.table, status);
		break;
	case EFFECT_COPY:
		input->type = INPUT_COPIED;
		input->copied = (struct input_copied){ .table = effect->copy.table,
						       .region = effect->copy.region,
						       .status = status };
		break;
	case EFFECT_ANSWER:
	case EFFECT_MULTICAST:
	case EFFECT_SET_TIMER:
	case EFFECT_RELEASE_MEMORY:
	case EFFECT_PROVOKE:
	case EFFECT_EVENT:
		assert(0);
	}
	free(job->data);
	*job = (struct harness_job){ 0 };
}

static void step(struct harness *harness, struct input *input)
{
	input->now_ms = harness->now_ms;
	core_step(harness->core, input);
}

void harness_finish(struct harness *harness, struct harness_job *job, int status)
{
	struct input input = { 0 };

	assert(job != NULL && job->used);
	answer_of(harness, job, status, &input);
	step(harness, &input);
	harness_run(harness);
}

void harness_finish_all(struct harness *harness, enum effect_type type, int status)
{
	struct harness_job *job;

	while ((job = harness_job(harness, type)) != NULL)
		harness_finish(harness, job, status);
}

/* ---- running ---- */

void harness_deliver(struct harness *harness, const struct group_message *message)
{
	struct input input = { .type = INPUT_DELIVERED, .delivered = message };

	step(harness, &input);
	harness_run(harness);
}

static bool deliver_one(struct harness *harness)
{
	struct group_message message;
	struct input input = { .type = INPUT_DELIVERED, .delivered = &message };

	if (harness->first_message == harness->next_message)
		return false;
	message = harness->messages[harness->first_message++ % HARNESS_JOBS_MAX];
	step(harness, &input);
	return true;
}

bool harness_deliver_next(struct harness *harness)
{
	bool delivered = deliver_one(harness);

	harness_run(harness);
	return delivered;
}

static bool job_one(struct harness *harness)
{
	while (harness->first_job != harness->next_job &&
	       !harness->jobs[harness->first_job % HARNESS_JOBS_MAX].used)
		harness->first_job++;
	for (uint32_t i = harness->first_job; i != harness->next_job; i++) {
		struct harness_job *job = &harness->jobs[i % HARNESS_JOBS_MAX];
		struct input input = { 0 };

		if (!job->used || harness->keep[job->effect.type])
			continue;
		answer_of(harness, job, harness->status[job->effect.type], &input);
		step(harness, &input);
		return true;
	}
	return false;
}

/* A core that has come to rest has done all that its state allows: another round of the pumps does nothing. */
static void check_quiet(struct harness *harness)
{
	uint32_t before = harness->trace_count;

	for (uint32_t i = 0; i < harness->core->logs_end; i++)
		if (harness->core->logs[i] != NULL)
			log_pump(harness->core, harness->core->logs[i]);
	assert(harness->trace_count == before);
}

void harness_run(struct harness *harness)
{
	if (harness->running)
		return;
	harness->running = true;
	for (uint32_t steps = 0; !harness->spun; steps++) {
		if (steps == HARNESS_STEPS_MAX)
			harness->spun = true;
		if (harness_resend_one(harness))
			continue;
		if (!harness->keep_messages && deliver_one(harness))
			continue;
		if (!job_one(harness))
			break;
	}
	harness->running = false;
	if (harness->watch_quiet && !harness->spun)
		check_quiet(harness);
}

void harness_input(struct harness *harness, struct input *input)
{
	step(harness, input);
	harness_run(harness);
}

void harness_advance(struct harness *harness, uint64_t ms)
{
	uint64_t end_ms = harness->now_ms + ms;
	uint32_t at_once = 0;

	while (harness->timer_ms <= end_ms && !harness->spun) {
		struct input input = { .type = INPUT_TIME };

		if (harness->timer_ms > harness->now_ms)
			at_once = 0;
		else if (++at_once > HARNESS_STEPS_MAX)
			harness->spun = true;
		if (harness->timer_ms > harness->now_ms)
			harness->now_ms = harness->timer_ms;
		harness->timer_ms = UINT64_MAX;
		harness_input(harness, &input);
	}
	harness->now_ms = end_ms;
}

void harness_predecessor(struct harness *harness, const char *uuid)
{
	struct input input = { .type = INPUT_PREDECESSOR, .predecessor = uuid };

	harness_input(harness, &input);
}
