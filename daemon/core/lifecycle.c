/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a table: CTR, RESUME, PRESUSPEND, POSTSUSPEND, DTR, each of them harmless when repeated.
 *
 *              | CTR        | RESUME    | PRESUSPEND  | POSTSUSPEND | DTR
 *  NEW         | waits on   | waits     | answered    | answered    | waits
 *  READY       | answered   | JOINING   | answered    | answered    | deleted
 *  JOINING     | answered   | waits on  | answered    | waits       | waits
 *  LIVE        | answered   | answered  | PRESUSPENDED| LEAVING     | LEAVING
 *  PRESUSPENDED| answered   | LIVE      | answered    | LEAVING     | LEAVING
 *  LEAVING     | answered   | waits     | answered    | waits on    | waits
 *
 * Two luids of one uuid live at the same time during a reload: CTR(new), PRESUSPEND(old), POSTSUSPEND(old),
 * RESUME(new), DTR(old).  Obeys userspace_ctr() ff. of drivers/md/dm-log-userspace-base.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

static void answer_ctr(struct core *core, struct table *table)
{
	const struct log *log = table_log(core, table);
	char device[32];

	if (!table->waiting[REQUEST_CTR].active)
		return;
	if (log->type == LOG_TYPE_CORE) {
		answer_waiting(core, table, REQUEST_CTR, 0, NULL, 0);
		return;
	}
	(void)snprintf(device, sizeof(device), "%u:%u", log->name.log_major, log->name.log_minor);
	answer_waiting(core, table, REQUEST_CTR, 0, device, (uint32_t)strlen(device) + 1);
}

/* A CTR that leads to no table. */
static void refuse_ctr(struct core *core, const struct request *request, int status,
		       const char *text)
{
	struct effect effect = { .type = EFFECT_ANSWER };
	struct effect_event event = { .event = EVENT_CTR_REFUSED,
				      .uuid = request->uuid,
				      .luid = request->luid,
				      .status = status,
				      .text = text };

	emit_event(core, NULL, &event);
	effect.answer.seq = request->seq;
	effect.answer.luid = request->luid;
	effect.answer.type = REQUEST_CTR;
	effect.answer.version = request->version;
	effect.answer.error = status;
	emit(core, &effect);
}

static void release_memory(struct core *core, const struct input_request *input)
{
	struct effect effect = { .type = EFFECT_RELEASE_MEMORY,
				 .release = { input->memory, input->kept } };

	if (input->memory != NULL || input->kept != NULL)
		emit(core, &effect);
}

/* A luid is a kernel pointer.  When it comes again with another log, its old table is gone (DTR was lost). */
static void make_stale(struct core *core, uint64_t luid)
{
	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *table = &core->tables[i];

		if (!table->used || table->stale || table->luid != luid)
			continue;
		table->stale = true;
		table->deleting = true;
		core->pump_all = true;
	}
}

static uint32_t free_table(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_TABLES_MAX; i++)
		if (!core->tables[i].used)
			return i;
	return NO_INDEX;
}

static uint32_t free_log(const struct core *core)
{
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		if (core->logs[i] == NULL)
			return i;
	return NO_INDEX;
}

static void note_ctr(struct core *core, struct table *table, const struct request *request)
{
	waiting_note(core, table, request);
	if (request->constructor_terminated && table->loops < UINT32_MAX)
		table->loops++;
	if (request->seq != 0) /* else what the shell says in the kernel's stead */
		kept_loop(table_log(core, table), table);
}

static void build_table(struct core *core, struct log *log, const struct request *request,
			const struct constructor *constructor)
{
	uint32_t index = free_table(core);
	struct table *table;

	assert(index != NO_INDEX);
	table = &core->tables[index];
	*table = (struct table){
		.used = true,
		.phase = TABLE_NEW,
		.log = log->index,
		.luid = request->luid,
		.sync = constructor->sync,
	};
	memcpy(table->constructor, request->constructor, sizeof(table->constructor));
	/* The reconnect loop builds it again: it was resumed before, perhaps, and regions were lost since (F21). */
	if (request->constructor_terminated && table->sync == SYNC_SKIP &&
	    !PLANTED(PLANT_NOSYNC_ALWAYS))
		table->sync = SYNC_DEFAULT;
	note_ctr(core, table, request);
	if (index >= core->tables_end)
		core->tables_end = index + 1;
	core->table_count++;
	log->tables++;
	unknown_adopt(core, table);
}

void lifecycle_ctr(struct core *core, const struct input_request *input)
{
	const struct request *request = input->request;
	struct table *table = table_find(core, request->uuid, request->luid);
	struct constructor constructor;
	struct log_name name;
	struct log *log;
	char message[160];
	int r;

	if (table != NULL && strcmp(table->constructor, request->constructor) == 0) {
		note_ctr(core, table, request);
		release_memory(core, input);
		return;
	}
	make_stale(core, request->luid);
	r = constructor_parse(request->constructor, &constructor, message, sizeof(message));
	if (r < 0) {
		release_memory(core, input);
		refuse_ctr(core, request, r, message);
		return;
	}
	log_name_of(request->uuid, &constructor, &name);
	log = log_find(core, &name);
	if (free_table(core) == NO_INDEX || (log == NULL && free_log(core) == NO_INDEX)) {
		release_memory(core, input);
		refuse_ctr(core, request, -ENOSPC, "more tables than dmclogd can serve");
		return;
	}
	if (log == NULL) {
		if (input->memory == NULL ||
		    (input->kept == NULL && name.log_type == LOG_TYPE_DISK)) {
			release_memory(core, input);
			refuse_ctr(core, request, -ENOMEM, "no memory for the bitmaps of this log");
			return;
		}
		log = log_build(core, free_log(core), &name, &constructor, input->memory,
				input->kept);
	} else {
		release_memory(core, input);
	}
	build_table(core, log, request, &constructor);
}

void lifecycle_request(struct core *core, struct table *table, const struct request *request)
{
	switch (request->type) {
	case REQUEST_DTR:
		table->deleting = true;
		break;
	case REQUEST_PRESUSPEND:
		if (table->phase == TABLE_LIVE)
			table->phase = TABLE_PRESUSPENDED;
		answer_waiting(core, table, REQUEST_PRESUSPEND, 0, NULL, 0);
		break;
	case REQUEST_RESUME:
		if (table->phase == TABLE_PRESUSPENDED)
			table->phase = TABLE_LIVE;
		table->echo = table->loops > 0 &&
			      (table->echo || table->waiting[REQUEST_RESUME].seq_count == 1);
		if (table->loops > 0)
			table->loops--;
		break;
	case REQUEST_POSTSUSPEND:
		break; /* lifecycle_pump() sees that it waits */
	default:
		assert(0);
	}
}

static void free_table_and_log(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);
	struct group_message unfollow = { .type = MESSAGE_UNFOLLOW };

	answer_waiting(core, table, REQUEST_DTR, 0, NULL, 0);
	/* What came for it meanwhile: the kernel asks again. */
	for (uint32_t type = 1; type < REQUEST_TYPES; type++)
		answer_waiting(core, table, (enum request_type)type, -EAGAIN, NULL, 0);
	unknown_again(core, table);
	table->used = false;
	core->table_count--;
	log->tables--;
	if (log->unknown_luid == table->luid) {
		log->unknown_luid = 0;
		kept_live(core, log);
	}
	if (log->tables == 0) {
		if (member_own(core, log) != NULL && core->local.in_group)
			multicast(core, log, &unfollow);
		log_free(core, log);
	}
	core->pump_all = true;
}

/* Can the log live on its device?  Returns 0, or negative errno and why in `text`. */
static int check_device(struct core *core, struct log *log, char *text, size_t text_bytes)
{
	uint64_t needed_bytes = 0;

	if (log->block_bytes < 512 || log->block_bytes > DISK_SLOT_ALIGN_BYTES) {
		(void)snprintf(text, text_bytes,
			       "log device %u:%u has blocks of %u bytes; 512 to 4096 are supported",
			       log->name.log_major, log->name.log_minor, log->block_bytes);
		return -ENOTSUP;
	}
	if (disk_layout_compute(log->region_count, core->config.slot_count, log->device_bytes,
				&log->layout, &needed_bytes) < 0) {
		(void)snprintf(text, text_bytes,
			       "log device %u:%u has %llu bytes, this mirror needs %llu",
			       log->name.log_major, log->name.log_minor,
			       (unsigned long long)log->device_bytes,
			       (unsigned long long)needed_bytes);
		return -ENOSPC;
	}
	return 0;
}

void lifecycle_device_opened(struct core *core, const struct input_device_opened *device)
{
	struct log *log = core->logs[device->log];
	struct effect_event event = { .event = EVENT_CTR_REFUSED, .status = device->status };
	char text[160];

	assert(log != NULL && log->device == DEVICE_OPENING);
	log->device = device->status == 0 ? DEVICE_OPEN : DEVICE_CLOSED;
	log->device_bytes = device->device_bytes;
	log->block_bytes = device->block_bytes;
	memcpy(log->opening.random_id, device->random_id, DISK_ID_BYTES);
	if (device->status == 0)
		event.status = check_device(core, log, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "log device %u:%u cannot be opened",
			       log->name.log_major, log->name.log_minor);
	if (event.status == 0)
		return;
	event.text = text;
	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *table = &core->tables[i];

		if (!table->used || table->log != log->index || table->phase != TABLE_NEW)
			continue;
		event.luid = table->luid;
		emit_event(core, log, &event);
		answer_waiting(core, table, REQUEST_CTR, event.status, NULL, 0);
		table->deleting = true;
	}
}

void lifecycle_device_closed(struct core *core, uint32_t log)
{
	assert(core->logs[log] != NULL && core->logs[log]->device == DEVICE_CLOSING);
	core->logs[log]->device = DEVICE_CLOSED;
}

void table_live(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);

	assert(table->phase == TABLE_JOINING && log->phase == LOG_OPEN);
	table->phase = TABLE_LIVE;
	table->resumed_once = true;
	table->io_seen = false;
	table->dm_suspended = false;
	table->told_failed = false;
	table->flush_told = false;
	table->unheld_marks = false;
	table->join_sent = false;
	table->legs_retry_ms = 0;
	table->legs_complained = false;
	log->live = table_index(core, table);
	log->goes_on = false;
	if (log->unsynced_luid != table->luid) {
		kept_forget(log);
		bitmap_clear_all(&log->unsynced);
	}
	log->unsynced_luid = table->luid;
	kept_live(core, log);
	log->again = true;
	core->pump_all = true; /* a rival may wait to hear that it is one */
	answer_waiting(core, table, REQUEST_RESUME, 0, NULL, 0);
	unknown_live(core, table);
}

static void table_pump(struct core *core, struct log *log, struct table *table)
{
	if (table->phase == TABLE_NEW && !table->deleting &&
	    (log->type == LOG_TYPE_CORE || log->device == DEVICE_OPEN))
		table->phase = TABLE_READY;
	if (table->phase != TABLE_NEW)
		answer_ctr(core, table);
	if (table->waiting[REQUEST_RESUME].active) {
		if (table->phase == TABLE_READY && !table->deleting)
			table->phase = TABLE_JOINING;
		if (table->phase == TABLE_LIVE || table->phase == TABLE_PRESUSPENDED)
			answer_waiting(core, table, REQUEST_RESUME, 0, NULL, 0);
	}
	if (table->phase == TABLE_LIVE)
		kept_loop(log, table);
	if (table->conflict && !table->deleting && table_rival(core, table) == NULL) {
		/* It has the log for itself now; what its kernel marked meanwhile nobody knows, but for one that the
		 * kernel has not asked for anything: the echo of a new table's, which came too early. */
		table->conflict = false;
		table->phase = TABLE_JOINING;
		table->past_unknown = table->io_seen || log->kept->luid == 0;
	}
	if (table->phase == TABLE_JOINING && !table->join_sent) {
		if (table->deleting)
			table->phase = TABLE_READY;
		else
			table_join(core, table);
	}
	if ((table->phase == TABLE_LIVE || table->phase == TABLE_PRESUSPENDED) &&
	    (table->deleting || table->waiting[REQUEST_POSTSUSPEND].active))
		table_leave(core, table);
	if (table->phase == TABLE_READY || table->phase == TABLE_NEW)
		answer_waiting(core, table, REQUEST_POSTSUSPEND, 0, NULL, 0);
}

void lifecycle_pump(struct core *core, struct log *log)
{
	bool wanted = false;

	for (uint32_t i = 0; i < core->tables_end; i++) {
		struct table *table = &core->tables[i];

		if (!table->used || table->log != log->index)
			continue;
		table_pump(core, log, table);
		if (!table->deleting || (table->phase != TABLE_READY && table->phase != TABLE_NEW))
			wanted = true;
	}
	device_lifecycle(core, log, wanted);
	for (uint32_t i = 0; i < core->tables_end && log->tables > 0; i++) {
		struct table *table = &core->tables[i];
		bool last = log->tables == 1;

		if (!table->used || table->log != log->index || !table->deleting ||
		    (table->phase != TABLE_READY && table->phase != TABLE_NEW))
			continue;
		if (last && log->device != DEVICE_CLOSED)
			continue;
		free_table_and_log(core, table);
		if (last)
			return;
	}
}
