/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one entry of the core: takes an input, hands it to its room, lets the logs it touched go on, and
 * sets the timer.
 *
 * Nothing is decided here.  What all members have in common changes behind group_delivered(), group_view() and group_lost()
 * only; a request, a completion or a timer may do no more than multicast, or change what is about this node alone.  (An Opening
 * fills in a state that nobody else has before its OPENED.)
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core_private.h"

size_t core_bytes(void)
{
	return (sizeof(struct core) + 63) & ~(size_t)63;
}

struct core *core_init(void *memory, const struct core_config *config, effect_function *effect,
		       void *context, uint64_t now_ms)
{
	struct core *core = memory;

	assert(config->node_id > 0 && config->hot_regions > 0);
	assert(config->copies_in_flight > 0 && config->copies_in_flight <= CORE_COPIES_MAX);
	assert(config->slot_count > 0 && config->slot_count <= DISK_SLOTS_MAX);
	core->config = *config;
	core->effect = effect;
	core->effect_context = context;
	core->now_ms = now_ms;
	core->deadline_ms = UINT64_MAX;
	core->start_ms = now_ms;
	core->windows = (uint32_t)config->incarnation << WINDOW_NUMBER_BITS;
	core->timer_ms = UINT64_MAX;
	return core;
}

size_t core_ctr_memory_bytes(const struct core *core, const struct request *request)
{
	struct constructor constructor;
	struct log_name name;
	char message[8];

	if (request->type != REQUEST_CTR ||
	    constructor_parse(request->constructor, &constructor, message, sizeof(message)) < 0)
		return 0;
	log_name_of(request->uuid, &constructor, &name);
	if (log_find(core, &name) != NULL)
		return 0;
	return log_memory_bytes(&core->config, &constructor);
}

size_t core_ctr_kept_bytes(const struct core *core, const struct request *request,
			   uint64_t *ret_name)
{
	struct constructor constructor;
	struct log_name name;
	char message[8];

	if (core_ctr_memory_bytes(core, request) == 0 ||
	    constructor_parse(request->constructor, &constructor, message, sizeof(message)) < 0 ||
	    constructor.type != LOG_TYPE_DISK)
		return 0;
	log_name_of(request->uuid, &constructor, &name);
	*ret_name = kept_name(&name);
	return kept_bytes(constructor.region_count);
}

void emit(struct core *core, const struct effect *effect)
{
	core->effect(core->effect_context, effect);
}

void emit_event(struct core *core, const struct log *log, const struct effect_event *event)
{
	struct effect effect = { .type = EFFECT_EVENT, .event = *event };

	if (log != NULL) {
		effect.event.uuid = log->name.uuid;
		if (log->live != NO_INDEX && event->luid == 0)
			effect.event.luid = core->tables[log->live].luid;
	}
	if (effect.event.text == NULL)
		effect.event.text = "";
	emit(core, &effect);
}

void emit_table(struct core *core, enum effect_type type, const struct table *table)
{
	struct effect effect = {
		.type = type,
		.table = {
			.table = table_index(core, table),
			.uuid = table_log(core, table)->name.uuid,
			.luid = table->luid,
		},
	};

	emit(core, &effect);
}

void multicast(struct core *core, const struct log *log, struct group_message *message)
{
	multicast_named(core, &log->name, message);
}

void multicast_named(struct core *core, const struct log_name *name, struct group_message *message)
{
	message->log = *name;
	multicast_group(core, message);
}

void multicast_group(struct core *core, struct group_message *message)
{
	struct effect effect = { .type = EFFECT_MULTICAST };

	if (!core->local.in_group)
		return; /* nobody is there to hear it; what waits for it is said again */
	message->sender = core->config.node_id;
	effect.message = *message;
	emit(core, &effect);
}

void waiting_note(struct core *core, struct table *table, const struct request *request)
{
	struct waiting *waiting = &table->waiting[request->type];
	/* The marks of a FLUSH are noted already: all that wait are answered together. */
	uint64_t region = request->region_count > 0 && request->type != REQUEST_FLUSH ?
				  request->regions[0] :
				  0;
	uint32_t i;

	if (!waiting->active || waiting->region != region)
		*waiting = (struct waiting){ .region = region, .since_ms = core->now_ms };
	waiting->active = true;
	waiting->version = request->version;
	waiting->ticket = 0;
	i = waiting->seq_count++ % WAITING_SEQS_MAX;
	waiting->seqs[i] = request->seq;
	/* It is the one with a NUL behind the constructor string. */
	waiting->no_room &= ~(UINT32_C(1) << i);
	if (request->type == REQUEST_CTR && request->constructor_terminated)
		waiting->no_room |= UINT32_C(1) << i;
}

void answer_waiting(struct core *core, struct table *table, enum request_type type, int error,
		    const void *payload, uint32_t payload_bytes)
{
	struct waiting *waiting = &table->waiting[type];
	struct effect effect = { .type = EFFECT_ANSWER };

	if (!waiting->active)
		return;
	assert(payload_bytes <= sizeof(effect.answer.payload));
	waiting->active = false;
	effect.answer.luid = table->luid;
	effect.answer.type = type;
	effect.answer.version = waiting->version;
	effect.answer.error = error;
	if (payload_bytes > 0)
		memcpy(effect.answer.payload, payload, payload_bytes);
	for (uint32_t i = 0; i < waiting->seq_count && i < WAITING_SEQS_MAX; i++) {
		effect.answer.seq = waiting->seqs[i];
		effect.answer.payload_bytes = (waiting->no_room >> i) & 1 ? 0 : payload_bytes;
		emit(core, &effect);
	}
}

void answer_waiting_flag(struct core *core, struct table *table, enum request_type type,
			 int64_t flag)
{
	assert(flag == 0 || flag == 1);
	answer_waiting(core, table, type, 0, &flag, sizeof(flag));
}

void core_wake_at(struct core *core, uint64_t when_ms)
{
	if (when_ms < core->deadline_ms)
		core->deadline_ms = when_ms;
}

void log_wake_at(struct log *log, uint64_t when_ms)
{
	if (when_ms < log->deadline_ms)
		log->deadline_ms = when_ms;
}

/* Every part once.  What a part makes possible for one before it needs another round: see log->again. */
static void pump_round(struct core *core, struct log *log)
{
	log->deadline_ms = UINT64_MAX;
	membership_pump(core, log);
	opening_pump(core, log);
	disk_role_pump(core, log);
	proxy_pump(core, log);
	report_pump(core, log);
	hold_lose_pump(core, log);
	copying_pump(core, log);
	touch_pump(core, log);
	hold_pump(core, log);
	release_pump(core, log);
	closing_pump(core, log);
	device_pump(core, log);
	if (log->live != NO_INDEX)
		legs_pump(core, &core->tables[log->live]);
}

void log_pump(struct core *core, struct log *log)
{
	uint32_t index = log->index;

	do {
		log->again = false;
		pump_round(core, log);
		lifecycle_pump(core, log); /* may free the log */
	} while (core->logs[index] == log && log->again);
}

static struct log *step_request(struct core *core, const struct input_request *input)
{
	const struct request *request = input->request;
	struct table *table;
	struct log *log;

	if (request->type == REQUEST_CTR) {
		lifecycle_ctr(core, input);
		table = table_find(core, request->uuid, request->luid);
		return table == NULL ? NULL : table_log(core, table);
	}
	table = table_find(core, request->uuid, request->luid);
	if (table == NULL) {
		unknown_ask(core, request);
		return NULL;
	}
	log = table_log(core, table);
	log->requests++;
	waiting_note(core, table, request);
	switch (request->type) {
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
		lifecycle_request(core, table, request);
		break;
	case REQUEST_CTR:
	case REQUEST_GET_REGION_SIZE:
	case REQUEST_IS_CLEAN:
	case REQUEST_IN_SYNC:
	case REQUEST_FLUSH:
	case REQUEST_MARK:
	case REQUEST_CLEAR:
	case REQUEST_GET_RESYNC_WORK:
	case REQUEST_SET_REGION_SYNC:
	case REQUEST_GET_SYNC_COUNT:
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
	case REQUEST_IS_REMOTE_RECOVERING:
		request_answer(core, table, request);
		/* What has been answered and changes nothing needs no pump: IN_SYNC comes for every read. */
		if (!table->waiting[request->type].active && !request_changes(request->type))
			return NULL;
		break;
	}
	return log;
}

static void step_dm_event(struct core *core)
{
	for (uint32_t i = 0; i < core->tables_end; i++)
		if (core->tables[i].used && core->tables[i].legs == LEGS_OPEN)
			(void)health_ask(&core->tables[i]);
	core->pump_all = true;
}

/* The live table of this uuid has a past that nobody here knows. */
static void predecessor_add(struct core *core, const char *uuid)
{
	char *slot;

	if (core->predecessor_count == CORE_PREDECESSORS_MAX)
		return;
	slot = core->predecessors[core->predecessor_count++];
	memset(slot, 0, REQUEST_UUID_SIZE);
	memcpy(slot, uuid, strnlen(uuid, REQUEST_UUID_SIZE - 1));
}

static void pump_due(struct core *core, bool all)
{
	for (uint32_t i = 0; i < core->logs_end; i++) {
		struct log *log = core->logs[i];

		if (log != NULL && (all || log->deadline_ms <= core->now_ms))
			log_pump(core, log);
	}
}

static void set_timer(struct core *core)
{
	struct effect effect = { .type = EFFECT_SET_TIMER, .deadline_ms = UINT64_MAX };

	if (core->deadline_ms < effect.deadline_ms)
		effect.deadline_ms = core->deadline_ms;
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL && core->logs[i]->deadline_ms < effect.deadline_ms)
			effect.deadline_ms = core->logs[i]->deadline_ms;
	/* A timer that goes off too early costs one step; moving it with every request would cost more. */
	if (effect.deadline_ms >= core->timer_ms)
		return;
	core->timer_ms = effect.deadline_ms;
	emit(core, &effect);
}

static struct log *log_of_table(struct core *core, uint32_t table)
{
	assert(table < CORE_TABLES_MAX);
	return core->tables[table].used ? table_log(core, &core->tables[table]) : NULL;
}

/* Returns the log that the input is about, or NULL. */
static struct log *step_input(struct core *core, const struct input *input)
{
	struct log *log = NULL;

	switch (input->type) {
	case INPUT_PREDECESSOR:
		predecessor_add(core, input->predecessor);
		unknown_provoke(core, input->predecessor, 0);
		break;
	case INPUT_REQUEST:
		return step_request(core, &input->request);
	case INPUT_DELIVERED:
		group_delivered(core, input->delivered);
		group_pump(core);
		return log_find(core, &input->delivered->log);
	case INPUT_VIEW:
		group_view(core, &input->view);
		group_pump(core);
		break;
	case INPUT_NO_GROUP:
		group_lost(core);
		group_pump(core);
		break;
	case INPUT_QUORUM:
		proof_quorum(core, &input->quorum);
		group_pump(core);
		break;
	case INPUT_FENCED:
		proof_fenced(core, input->fenced.node_id);
		break;
	case INPUT_CONTROL:
		operator_control(core, &input->control);
		break;
	case INPUT_FAIL:
		operator_fail(core, input->fail_uuid);
		break;
	case INPUT_DEVICE_OPENED:
		lifecycle_device_opened(core, &input->device);
		return core->logs[input->device.log];
	case INPUT_DEVICE_CLOSED:
		lifecycle_device_closed(core, input->log);
		return core->logs[input->log];
	case INPUT_READ:
		device_was_read(core, &input->io);
		return core->logs[input->io.log];
	case INPUT_WRITTEN:
		device_written(core, &input->io);
		return core->logs[input->io.log];
	case INPUT_LEGS_OPENED:
	case INPUT_LEGS_CLOSED:
	case INPUT_LEGS_FLUSHED:
	case INPUT_HEALTH:
		legs_input(core, input);
		return log_of_table(core, input->legs.table);
	case INPUT_COPIED:
		log = log_of_table(core, input->copied.table);
		copying_copied(core, &input->copied);
		return log;
	case INPUT_PROVOKED:
		unknown_provoked(core, &input->provoked);
		break;
	case INPUT_DM_EVENT:
		step_dm_event(core);
		break;
	case INPUT_TIME:
		core->timer_ms = UINT64_MAX;
		core->deadline_ms = UINT64_MAX;
		group_pump(core);
		pump_due(core, false);
		break;
	}
	return NULL;
}

void core_step(struct core *core, const struct input *input)
{
	struct log *log;

	if (input->now_ms > core->now_ms)
		core->now_ms = input->now_ms;
	log = step_input(core, input);
	if (log != NULL)
		log_pump(core, log);
	while (core->pump_all) {
		core->pump_all = false;
		membership_say_absent(core);
		pump_due(core, true);
	}
	set_timer(core);
}
