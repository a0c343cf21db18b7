/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The images of a log and its device: what is dirty is written, a slot before the base.
 *
 * When a write fails, the FLUSHes that wait fail too, unless a proxy holds for this node, and the device counts as failed
 * until a write succeeds; it is tried again with the next FLUSH, or after RETRY_MS.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

static bool write_next(struct core *core, struct log *log, struct image *image)
{
	struct effect effect = { .type = EFFECT_WRITE };
	uint64_t at;
	uint32_t length;

	if (!image_take(image, CORE_IO_BYTES_MAX, &at, &length))
		return false;
	effect.io = (struct effect_io){
		.log = log->index,
		.offset_bytes = image->offset_bytes + at,
		.length_bytes = length,
		.data = image->sent + at,
	};
	log->io_flying++;
	emit(core, &effect);
	return true;
}

/* Who has the disk role, or opens; and nobody while another one may still write there. */
static bool base_may_be_written(const struct log *log)
{
	if (log->opening.step != OPENING_NONE)
		return log->phase == LOG_OPENING;
	return base_is_ours(log) && (!log->base_frozen || PLANTED(PLANT_BASE_UNPROVEN));
}

/* The slot of before may be another node's by now: until the own one has been placed nothing is written to it. */
static bool slot_may_be_written(const struct log *log)
{
	return log->own_slot != NO_INDEX &&
	       (log->entering == ENTER_NONE || log->entering == ENTER_SLOT_WRITING ||
		log->entering == ENTER_HEADER_WRITING);
}

void device_pump(struct core *core, struct log *log)
{
	if (log->type != LOG_TYPE_DISK || log->device != DEVICE_OPEN || log->opening.failed ||
	    (log->closing.step != CLOSING_NONE && log->closing.failed))
		return;
	if (log->phase == LOG_CLOSED || core->now_ms < log->write_retry_ms) {
		if (log->phase != LOG_CLOSED)
			log_wake_at(log, log->write_retry_ms);
		return;
	}
	while (log->io_flying < CORE_IO_MAX && slot_may_be_written(log) &&
	       write_next(core, log, &log->slot))
		log->slot_writes++;
	while (log->io_flying < CORE_IO_MAX && base_may_be_written(log) &&
	       write_next(core, log, &log->base))
		log->base_writes++;
}

static void write_failed(struct core *core, struct log *log, const struct image *image, int status)
{
	struct effect_event event = { .event = EVENT_DEVICE_FAILED, .status = status };

	if (!log->device_failed)
		emit_event(core, log, &event);
	log->device_failed = true;
	log->write_retry_ms = core->now_ms + RETRY_MS;
	proxy_needed(core, log);
	if (log->live != NO_INDEX && image == &log->slot && !log->by_proxy)
		answer_waiting(core, &core->tables[log->live], REQUEST_FLUSH, -EIO, NULL, 0);
	enter_write_failed(core, log, status);
	if (log->phase == LOG_OPENING)
		opening_fail(core, log, status, "written");
	if (log->closing.step != CLOSING_NONE)
		closing_write_failed(core, log, status);
}

/* JOIN and GONE wait for the last one of a use that has ended. */
static void io_ended(struct core *core, struct log *log)
{
	log->io_flying--;
	core->pump_all = core->pump_all || (log->io_flying == 0 && log->phase == LOG_CLOSED);
}

void device_written(struct core *core, const struct input_io *io)
{
	struct log *log = core->logs[io->log];
	struct image *image;
	struct effect_event event = { .event = EVENT_DEVICE_RECOVERED };

	assert(log != NULL && log->io_flying > 0);
	io_ended(core, log);
	if (log->freeing && io->offset_bytes == log->freeing_bytes) {
		takeover_written(log, io->status);
		if (io->status < 0)
			write_failed(core, log, &log->base, io->status);
		return;
	}
	/* The slot may be ours no more; its image stays where it is while something of it is written. */
	image = log->slot.writing.count > 0 && io->offset_bytes >= log->slot.offset_bytes ?
			&log->slot :
			&log->base;
	image_written(image, io->offset_bytes - image->offset_bytes, io->length_bytes,
		      io->status == 0);
	if (io->status < 0) {
		write_failed(core, log, image, io->status);
	} else if (log->device_failed) {
		log->device_failed = false;
		log->write_retry_ms = 0;
		emit_event(core, log, &event);
	}
}

void device_read(struct core *core, struct log *log, enum read_purpose purpose,
		 uint64_t offset_bytes, uint64_t length_bytes)
{
	struct effect effect = {
		.type = EFFECT_READ,
		.io = {
			.log = log->index,
			.offset_bytes = offset_bytes,
			.length_bytes = (uint32_t)length_bytes,
		},
	};

	assert(length_bytes > 0 && length_bytes <= CORE_IO_BYTES_MAX && log->reads_flying == 0);
	log->io_flying++;
	log->reads_flying++;
	log->read_purpose = purpose;
	emit(core, &effect);
}

void device_was_read(struct core *core, const struct input_io *io)
{
	struct log *log = core->logs[io->log];

	assert(log != NULL && log->io_flying > 0 && log->reads_flying == 1);
	io_ended(core, log);
	log->reads_flying--;
	switch (log->read_purpose) {
	case READ_OPENING:
		opening_read(core, log, io);
		break;
	case READ_ENTER:
		enter_read(core, log, io);
		break;
	case READ_BASE:
		base_read(core, log, io);
		break;
	case READ_TAKEOVER:
		takeover_read(log, io);
		break;
	}
}

void device_put_header(struct log *log, uint64_t nr_regions)
{
	struct disk_header header = { .nr_regions = nr_regions };
	uint8_t bytes[DISK_HEADER_BYTES];

	disk_header_encode(&header, bytes);
	image_put(&log->base, DISK_HEADER_OFFSET_BYTES, bytes, sizeof(bytes));
}

void device_put_superblock(struct log *log)
{
	uint8_t bytes[DISK_SUPERBLOCK_BYTES];

	disk_superblock_encode(&log->superblock, bytes);
	image_put(&log->base, DISK_SUPERBLOCK_OFFSET_BYTES, bytes, sizeof(bytes));
}

void device_put_slot_header(struct core *core, struct log *log, enum disk_slot_state state)
{
	struct disk_slot_header header = {
		.node_id = core->config.node_id,
		.incarnation = core->config.incarnation,
		.generation = log->superblock.generation,
		.state = state,
	};
	uint8_t bytes[DISK_SLOT_HEADER_USED_BYTES];

	memcpy(header.log_id, log->superblock.id, DISK_ID_BYTES);
	memcpy(header.machine_id, core->config.machine_id, sizeof(header.machine_id));
	memcpy(header.boot_id, core->config.boot_id, sizeof(header.boot_id));
	disk_slot_header_encode(&header, bytes);
	image_put(&log->slot, 0, bytes, sizeof(bytes));
}

static void emit_device(struct core *core, enum effect_type type, const struct log *log)
{
	struct effect effect = {
		.type = type,
		.device = { log->index, log->name.log_major, log->name.log_minor },
	};

	emit(core, &effect);
}

void device_lifecycle(struct core *core, struct log *log, bool wanted)
{
	if (log->type != LOG_TYPE_DISK)
		return;
	if (wanted && log->device == DEVICE_CLOSED) {
		log->device = DEVICE_OPENING;
		emit_device(core, EFFECT_OPEN_DEVICE, log);
	} else if (!wanted && log->device == DEVICE_OPEN && log->io_flying == 0) {
		log->device = DEVICE_CLOSING;
		emit_device(core, EFFECT_CLOSE_DEVICE, log);
	}
}
