/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk role: the oldest member that uses a log writes header, superblock and base, and takes over the slots of
 * those who are proven stopped.
 *
 * Who gets the role reads the base from the device: what is out of sync in the state and 1 there is cleared, and what was lost
 * and copied again before the base showed the loss; what is in sync and 0 is gained, behind a flush of the legs.  Nothing is written while a departed member is unproven: it may have had the
 * role, and writes under way (F16).  DURABLE tells all others how many losses stand on the device; a slot bit goes only then
 * (rule b, F15).
 *
 * Taking over a slot, each step repeatable by the next who has the role (F39):
 *   read its header and bitmap --> LOST for all that it covers --> base durable --> slot free on the device --> MERGED
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"
#include "words_codec.h"

bool base_is_ours(const struct log *log)
{
	return log->base_role == BASE_OURS;
}

/* ---- getting the role ---- */

static void settle_base(struct log *log)
{
	const struct replicated *state = &log->replicated;

	log->durable_sent = 0;
	log->settled_sent = false;
	log->base_role = BASE_OURS;
	for (uint64_t r = 0; r < log->region_count; r++) {
		bool set = image_test(&log->base, DISK_BITMAP_OFFSET_BYTES, r);
		bool out = bitmap_test(&state->out, r) || bitmap_test(&log->undurable, r);

		if (set && out && !PLANTED(PLANT_ROLE_KEEPS_BASE))
			image_clear(&log->base, DISK_BITMAP_OFFSET_BYTES, r);
		if (!bitmap_test(&state->out, r) && (out || !set))
			(void)bitmap_set(&log->gained, r);
	}
}

static void base_read_failed(struct core *core, struct log *log, int status)
{
	log->base_role = BASE_NONE;
	log->base_retry_ms = core->now_ms + RETRY_MS;
	log->write_retry_ms = core->now_ms + RETRY_MS;
	log->device_failed = true;
	proxy_needed(core, log);
	if (log->closing.step != CLOSING_NONE)
		closing_write_failed(core, log, status);
}

/* Who could not enter, because the device could not be read then, learns here what the superblock says; of another device it
 * touches nothing. */
void base_read(struct core *core, struct log *log, const struct input_io *io)
{
	if (log->base_role != BASE_READING)
		return;
	if (io->status < 0 || (io->offset_bytes == 0 && !superblock_taken(log, io->data))) {
		base_read_failed(core, log, io->status < 0 ? io->status : -ESTALE);
		return;
	}
	image_loaded(&log->base, io->offset_bytes, io->data, io->length_bytes);
	log->base_cursor += io->length_bytes;
	if (log->base_cursor == log->base.length_bytes)
		settle_base(log);
}

static void get_role(struct core *core, struct log *log)
{
	uint64_t left;

	if (log->base_role == BASE_NONE) {
		if (core->now_ms < log->base_retry_ms) {
			log_wake_at(log, log->base_retry_ms);
			return;
		}
		if (log->base.writing.count > 0 || log->reads_flying > 0)
			return;
		log->layout = log->replicated.layout;
		image_place(&log->base, 0, log->layout.slot_offset_bytes, log->block_bytes);
		log->base_cursor = 0;
		log->base_role = BASE_READING;
	}
	left = log->base.length_bytes - log->base_cursor;
	if (log->base_role == BASE_READING && log->reads_flying == 0)
		device_read(core, log, READ_BASE, log->base_cursor,
			    left < CORE_IO_BYTES_MAX ? left : CORE_IO_BYTES_MAX);
}

/* ---- taking over a slot ---- */

static const struct member *next_to_merge(const struct entry *entry)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0 && entry->member[i].to_merge)
			return &entry->member[i];
	return NULL;
}

static uint64_t slot_offset(const struct log *log)
{
	return log->layout.slot_offset_bytes + log->takeover.slot * log->layout.slot_bytes;
}

static void take_header(struct log *log, const struct input_io *io)
{
	struct takeover *takeover = &log->takeover;
	struct disk_slot_header header;
	int status = disk_slot_header_decode(io->data, &header);

	takeover->cursor = 0;
	takeover->step = TAKEOVER_BITMAP;
	bitmap_clear_all(&log->merging);
	if (status == -ENODATA ||
	    (status == 0 &&
	     (header.state != DISK_SLOT_USED || header.generation != log->superblock.generation)))
		takeover->step = TAKEOVER_TELL; /* it never got so far: it holds nothing */
	else if (status < 0) {
		bitmap_set_all(&log->merging); /* unreadable: everything (F39) */
		takeover->step = TAKEOVER_TELL;
	}
}

static void take_bits(struct log *log, const struct input_io *io)
{
	uint32_t k = log->layout.granularity;
	uint64_t first = log->takeover.cursor * 8;

	for (uint64_t i = 0; i < (uint64_t)io->length_bytes * 8; i++) {
		uint64_t region = (first + i) << k;

		if (!((io->data[i / 8] >> (i % 8)) & 1) || PLANTED(PLANT_TAKEOVER_SKIP))
			continue;
		for (uint64_t r = region; r < region + (UINT64_C(1) << k) && r < log->region_count;
		     r++)
			(void)bitmap_set(&log->merging, r);
	}
	log->takeover.cursor += io->length_bytes;
	if (log->takeover.cursor == log->layout.slot_bytes - DISK_SLOT_HEADER_BYTES)
		log->takeover.step = TAKEOVER_TELL;
}

void takeover_read(struct log *log, const struct input_io *io)
{
	struct takeover *takeover = &log->takeover;

	if (takeover->step != TAKEOVER_HEADER && takeover->step != TAKEOVER_BITMAP)
		return;
	if (io->status < 0) {
		if (!PLANTED(PLANT_UNREADABLE_EMPTY))
			bitmap_set_all(&log->merging);
		takeover->step = TAKEOVER_TELL;
	} else if (takeover->step == TAKEOVER_HEADER) {
		take_header(log, io);
	} else {
		take_bits(log, io);
	}
}

/* LOST for all of `merging`.  What is never stays never: LOST leaves it so. */
void lose_merging(struct core *core, struct log *log)
{
	uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	struct group_message message = { .type = MESSAGE_LOST, .data = bytes };
	uint64_t cursor = 0;

	while (log->merging.count > 0 && cursor < bitmap_words(&log->merging)) {
		message.data_bytes = (uint32_t)words_encode_set(log->merging.words,
								bitmap_words(&log->merging),
								&cursor, bytes, sizeof(bytes));
		if (message.data_bytes == 0)
			break;
		log->takeover.losses_flying++;
		multicast(core, log, &message);
	}
}

void takeover_written(struct log *log, int status)
{
	log->freeing = false;
	if (log->takeover.step != TAKEOVER_FREEING)
		return;
	/* Again, after the retry of all writes. */
	log->takeover.step = status < 0 ? TAKEOVER_FREE : TAKEOVER_MERGED;
}

static void free_slot(struct core *core, struct log *log)
{
	struct effect effect = { .type = EFFECT_WRITE };
	struct disk_slot_header header = {
		.node_id = core->config.node_id,
		.generation = log->superblock.generation,
		.state = DISK_SLOT_FREE,
	};

	if (core->now_ms < log->write_retry_ms) {
		log_wake_at(log, log->write_retry_ms);
		return;
	}
	memcpy(header.log_id, log->superblock.id, DISK_ID_BYTES);
	memset(log->freeing_header, 0, sizeof(log->freeing_header));
	disk_slot_header_encode(&header, log->freeing_header);
	effect.io = (struct effect_io){ .log = log->index,
					.offset_bytes = slot_offset(log),
					.length_bytes = log->block_bytes,
					.data = log->freeing_header };
	log->io_flying++;
	log->freeing = true;
	log->freeing_bytes = effect.io.offset_bytes;
	log->takeover.step = TAKEOVER_FREEING;
	emit(core, &effect);
}

static void tell_merged(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_MERGED,
					 .node = log->takeover.node,
					 .number = log->takeover.slot };

	log->takeover.step = TAKEOVER_NONE;
	log->takeover.merged_sent = true;
	multicast(core, log, &message);
}

static void takeover_begin(struct log *log, const struct entry *entry)
{
	const struct member *member = next_to_merge(entry);

	if (member == NULL || log->takeover.merged_sent)
		return;
	log->takeover = (struct takeover){ .step = TAKEOVER_HEADER,
					   .node = member->node_id,
					   .slot = member->slot };
}

static bool still_to_merge(const struct log *log, const struct entry *entry)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id == log->takeover.node && entry->member[i].to_merge &&
		    entry->member[i].slot == log->takeover.slot)
			return true;
	return false;
}

static void takeover_pump(struct core *core, struct log *log, const struct entry *entry)
{
	struct takeover *takeover = &log->takeover;
	uint64_t bitmap_bytes = log->layout.slot_bytes - DISK_SLOT_HEADER_BYTES;

	if (takeover->step != TAKEOVER_NONE && !still_to_merge(log, entry))
		takeover->step = TAKEOVER_NONE; /* who had the role before has merged it */
	if (takeover->step == TAKEOVER_NONE)
		takeover_begin(log, entry);
	if (log->reads_flying == 0 && takeover->step == TAKEOVER_HEADER)
		device_read(core, log, READ_TAKEOVER, slot_offset(log), DISK_SLOT_HEADER_BYTES);
	else if (log->reads_flying == 0 && takeover->step == TAKEOVER_BITMAP)
		device_read(core, log, READ_TAKEOVER,
			    slot_offset(log) + DISK_SLOT_HEADER_BYTES + takeover->cursor,
			    bitmap_bytes - takeover->cursor < CORE_IO_BYTES_MAX ?
				    bitmap_bytes - takeover->cursor :
				    CORE_IO_BYTES_MAX);
	if (takeover->step == TAKEOVER_TELL) {
		lose_merging(core, log);
		takeover->step = TAKEOVER_DURABLE;
	}
	if (takeover->step == TAKEOVER_DURABLE && takeover->losses_flying == 0 &&
	    (image_clean(&log->base) || PLANTED(PLANT_TAKEOVER_EARLY)))
		takeover->step = TAKEOVER_FREE;
	if (takeover->step == TAKEOVER_FREE && !log->freeing && log->io_flying < CORE_IO_MAX)
		free_slot(core, log);
	if (takeover->step == TAKEOVER_MERGED)
		tell_merged(core, log);
}

static bool reports(const struct group_message *message, uint64_t region)
{
	for (uint32_t i = 0; i < message->region_count; i++)
		if (message->regions[i] == region)
			return true;
	return false;
}

void loss_delivered(struct core *core, struct log *log, const struct group_message *message,
		    bool news)
{
	struct effect_event event = { .event = EVENT_REGION_LOST,
				      .luid = message->luid,
				      .region = message->regions[0] };
	struct table *table;

	if (message->data_bytes > 0 && log->takeover.losses_flying > 0)
		log->takeover.losses_flying--;
	if (!message->reported) {
		log->losing_flying = false;
		return;
	}
	if (news)
		emit_event(core, log, &event);
	log->report_sent = false; /* also of one that the operator has ended meanwhile */
	table = table_find(core, log->name.uuid, message->luid);
	if (table == NULL || !reports(message, table->waiting[REQUEST_SET_REGION_SYNC].region))
		return;
	health_leg_failed(log, table, false);
	answer_waiting(core, table, REQUEST_SET_REGION_SYNC, 0, NULL, 0);
}

/* ---- the pump ---- */

void disk_role_pump(struct core *core, struct log *log)
{
	struct entry *entry = entry_find(core, &log->name);
	const struct member *role = entry == NULL ? NULL : entry_disk_role(entry);
	struct group_message message = { .type = MESSAGE_DURABLE };

	if (role == NULL || role->node_id != core->config.node_id) {
		log->takeover.step = TAKEOVER_NONE;
		log->settled_sent = false;
	}
	if (log->type != LOG_TYPE_DISK || !log_usable(core, log) || log->opening.failed ||
	    (log->closing.step != CLOSING_NONE && log->closing.failed) || role == NULL ||
	    role->node_id != core->config.node_id || log->leave_sent ||
	    log->closing.step == CLOSING_LEAVE)
		return;
	if (log->base_role != BASE_OURS) {
		if (log->role_given_up)
			return;
		if (!log->base_frozen || PLANTED(PLANT_BASE_UNPROVEN))
			get_role(core, log);
		return;
	}
	if (image_clean(&log->base) && ((log->replicated.losses > log->replicated.durable &&
					 log->durable_sent < log->replicated.losses) ||
					(!entry->base_settled && !log->settled_sent))) {
		message.number = log->replicated.losses;
		log->durable_sent = message.number;
		log->settled_sent = true;
		multicast(core, log, &message);
	}
	if (!log->base_frozen)
		takeover_pump(core, log, entry);
}
