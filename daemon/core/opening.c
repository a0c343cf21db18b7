/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a log: from RESUME of the first luid to its answer.
 *
 * Disk log: read (opening_read.c), wait for proof that the owners of slots in use are stopped, merge their
 * slots into the base, then in this order, each durable before the next: base, own slot's bitmap, superblock "in use" with a
 * new generation (all older slots are void from here), own slot's header, kernel header 0.  A crash between any two
 * leaves a device that says no more than before.
 *
 * Kinds: base 1 is in sync.  Base 0 is never, but for a luid that was resumed before: what it knew as in sync or lost is
 * lost (G12, C1).  A core log keeps its state for such a luid and starts anew for any other (H1).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

void opening_next(struct log *log, enum opening_step step)
{
	log->opening.step = step;
	log->opening.cursor = 0;
}

/* A daemon of before served this uuid's live table: nobody knows what its kernel has marked. */
static bool had_predecessor(struct core *core, const struct log *log)
{
	for (uint32_t i = 0; i < core->predecessor_count; i++) {
		char *uuid = core->predecessors[i];

		if (strcmp(uuid, log->name.uuid) != 0)
			continue;
		memmove(uuid, core->predecessors[--core->predecessor_count], REQUEST_UUID_SIZE);
		return true;
	}
	return false;
}

static void said_opened(struct core *core, struct log *log)
{
	struct table *table = &core->tables[log->opening.table];
	struct group_message message = { .type = MESSAGE_OPENED, .luid = table->luid };
	struct effect_event event = { .event = EVENT_OPENED,
				      .luid = table->luid,
				      .number = log->replicated.out.count,
				      .text = log->opening.origin };

	log->opening.step = OPENING_NONE;
	log->copier.announced = log->replicated.out.count == 0;
	log->copier.cursor = 0;
	log->copier.not_before_ms = 0;
	log->copier.failures = 0;
	if (!log->opening.failed)
		emit_event(core, log, &event);
	multicast(core, log, &message);
}

static void open_core_log(struct core *core, struct log *log, const struct table *table)
{
	log->opening.origin = "memory";
	if (!table->resumed_once) {
		bitmap_clear_all(&log->replicated.lost);
		if (table->sync == SYNC_SKIP && !log->everything_held)
			bitmap_clear_all(&log->replicated.out);
		else
			bitmap_set_all(&log->replicated.out);
	}
	said_opened(core, log);
}

void opening_begin(struct core *core, struct log *log, uint32_t table_number)
{
	struct table *table = &core->tables[table_number];
	struct effect_event event = { .event = EVENT_UNKNOWN_PAST, .luid = table->luid };
	struct opening fresh = { .table = table_number };

	assert(log->phase == LOG_CLOSED && log->io_flying == 0);
	memcpy(fresh.random_id, log->opening.random_id, DISK_ID_BYTES);
	log->opening = fresh;
	log->phase = LOG_OPENING;
	log->device_failed = false;
	log->write_retry_ms = 0;
	if (had_predecessor(core, log)) {
		log->everything_held = true;
		log->unknown_luid = table->luid;
		emit_event(core, log, &event);
	}
	if (log->type == LOG_TYPE_CORE) {
		open_core_log(core, log, table);
		return;
	}
	if (!table->resumed_once)
		bitmap_clear_all(&log->replicated.lost);
	log->own_slot = NO_INDEX;
	image_place(&log->base, 0, log->layout.slot_offset_bytes, log->block_bytes);
	opening_next(log, OPENING_READ_HEAD);
}

void opening_fail(struct core *core, struct log *log, int status, const char *what)
{
	const struct table *table = &core->tables[log->opening.table];
	struct effect_event event = {
		.event = EVENT_OPEN_FAILED, .luid = table->luid, .status = status, .text = what
	};

	if (log->opening.step == OPENING_NONE)
		return;
	emit_event(core, log, &event);
	log->opening.failed = true;
	for (uint64_t r = 0; table->resumed_once && r < log->region_count; r++)
		if (!bitmap_test(&log->replicated.out, r))
			(void)bitmap_set(&log->replicated.lost, r);
	bitmap_set_all(&log->replicated.out);
	said_opened(core, log);
}

/* ---- waiting for proof ---- */

static bool proof_complete(struct core *core, struct log *log)
{
	struct opening *opening = &log->opening;
	uint64_t delay_end = core->start_ms + core->config.takeover_delay_ms;
	struct effect_event event = { .event = EVENT_WAITING_FOR_SLOT };
	char text[192];

	if (opening->unproven == 0)
		return true;
	if (core->config.takeover_delay_ms > 0 && core->now_ms >= delay_end)
		return true;
	if (core->config.takeover_delay_ms > 0)
		log_wake_at(log, delay_end);
	if (!opening->waiting_told) {
		opening->waiting_told = true;
		(void)snprintf(
			text, sizeof(text),
			"slot %u of node %u in cluster \"%.63s\" is in use and that node is not proven "
			"to be stopped",
			opening->unproven_slot, opening->unproven_node, opening->old.cluster_name);
		event.text = text;
		emit_event(core, log, &event);
	}
	return false;
}

/* ---- base ---- */

/* `sync` and `nosync` count at a luid's first RESUME only, and never over slots in use (F21). */
static enum sync_option sync_applies(struct core *core, const struct log *log)
{
	const struct table *table = &core->tables[log->opening.table];

	if (table->resumed_once || log->opening.merge_count > 0 || log->opening.everything_dirty ||
	    log->everything_held)
		return SYNC_DEFAULT;
	return table->sync;
}

static void settle_base(struct core *core, struct log *log)
{
	enum sync_option sync = sync_applies(core, log);
	uint64_t valid = log->opening.valid_count;
	uint64_t bitmap_end = log->base.length_bytes - DISK_BITMAP_OFFSET_BYTES;
	uint64_t bytes;

	if (sync == SYNC_FORCE || log->opening.everything_dirty)
		valid = 0;
	if (sync == SYNC_SKIP) {
		valid = log->region_count;
		image_settle(&log->base, DISK_BITMAP_OFFSET_BYTES, (valid + 7) / 8, 0xff);
	}
	/* No bit beyond the last valid one is set. */
	for (uint64_t bit = valid; bit % 8 != 0; bit++)
		image_clear(&log->base, DISK_BITMAP_OFFSET_BYTES, bit);
	bytes = (valid + 7) / 8;
	image_settle(&log->base, DISK_BITMAP_OFFSET_BYTES + bytes, bitmap_end - bytes, 0);
}

static void settle_kinds(struct core *core, struct log *log)
{
	const struct table *table = &core->tables[log->opening.table];
	struct replicated *replicated = &log->replicated;

	for (uint64_t r = 0; r < log->region_count; r++) {
		if (image_test(&log->base, DISK_BITMAP_OFFSET_BYTES, r)) {
			(void)bitmap_clear(&replicated->out, r);
			(void)bitmap_clear(&replicated->lost, r);
		} else if (!table->resumed_once) {
			(void)bitmap_set(&replicated->out, r);
		} else if (!bitmap_set(&replicated->out, r)) {
			(void)bitmap_set(&replicated->lost, r);
		}
	}
}

/* ---- slot and superblock ---- */

/* Can the slots stay where they are?  The superblock is bytes from a disk: nothing of it is taken on trust. */
static bool same_layout(const struct log *log)
{
	const struct disk_superblock *old = &log->opening.old;

	return log->opening.superblock_valid && old->region_count == log->region_count &&
	       old->slot_offset_bytes == log->layout.slot_offset_bytes &&
	       old->slot_bytes ==
		       DISK_SLOT_HEADER_BYTES +
			       disk_slot_bitmap_bytes(log->region_count, old->granularity) &&
	       old->slot_offset_bytes + old->slot_count * old->slot_bytes <= log->device_bytes;
}

static void place_slot(struct log *log)
{
	uint8_t fill = log->everything_held ? 0xff : 0;

	if (same_layout(log))
		disk_layout_of(&log->opening.old, &log->layout);
	log->own_slot = 0;
	image_place(&log->slot, log->layout.slot_offset_bytes, log->layout.slot_bytes,
		    log->block_bytes);
	image_fill(&log->slot, DISK_SLOT_HEADER_BYTES,
		   log->layout.slot_bytes - DISK_SLOT_HEADER_BYTES, fill);
}

static void renew_superblock(struct core *core, struct log *log)
{
	const struct opening *opening = &log->opening;
	struct disk_superblock *superblock = &log->superblock;

	*superblock = (struct disk_superblock){
		.state = DISK_IN_USE,
		.region_count = log->region_count,
		.region_sectors = log->region_sectors,
		.slot_offset_bytes = log->layout.slot_offset_bytes,
		.slot_bytes = log->layout.slot_bytes,
		.slot_count = log->layout.slot_count,
		.granularity = log->layout.granularity,
		.generation = opening->superblock_valid ? opening->old.generation + 1 : 1,
	};
	memcpy(superblock->id, opening->superblock_valid ? opening->old.id : opening->random_id,
	       DISK_ID_BYTES);
	memcpy(superblock->cluster_name, core->config.cluster_name, DISK_CLUSTER_NAME_SIZE);
	device_put_superblock(log);
}

/* Does the step's work once its turn has come; the images must be clean before the next one. */
static void enter(struct core *core, struct log *log, enum opening_step step)
{
	opening_next(log, step);
	switch (step) {
	case OPENING_WRITE_BASE:
		settle_base(core, log);
		settle_kinds(core, log);
		break;
	case OPENING_WRITE_SLOT:
		place_slot(log);
		break;
	case OPENING_WRITE_SUPERBLOCK:
		renew_superblock(core, log);
		break;
	case OPENING_WRITE_SLOT_HEADER:
		device_put_slot_header(core, log, DISK_SLOT_USED);
		break;
	case OPENING_WRITE_HEADER:
		device_put_header(log, 0);
		break;
	case OPENING_NONE:
	case OPENING_READ_HEAD:
	case OPENING_READ_BASE:
	case OPENING_READ_SLOT_HEADERS:
	case OPENING_WAIT_PROOF:
	case OPENING_READ_SLOTS:
	case OPENING_WRITE_MERGED:
		break;
	}
}

static bool step_done(struct core *core, struct log *log)
{
	switch (log->opening.step) {
	case OPENING_READ_HEAD:
	case OPENING_READ_BASE:
	case OPENING_READ_SLOT_HEADERS:
	case OPENING_READ_SLOTS:
		return opening_read_more(core, log);
	case OPENING_WAIT_PROOF:
		return proof_complete(core, log);
	case OPENING_WRITE_MERGED:
	case OPENING_WRITE_BASE:
	case OPENING_WRITE_SLOT:
		if (PLANTED(PLANT_MERGE_FREE_EARLY))
			return true;
		/* fall through */
	case OPENING_WRITE_SUPERBLOCK:
	case OPENING_WRITE_SLOT_HEADER:
	case OPENING_WRITE_HEADER:
		return image_clean(&log->base) &&
		       (log->own_slot == NO_INDEX || image_clean(&log->slot));
	case OPENING_NONE:
		return false;
	}
	return false;
}

void opening_pump(struct core *core, struct log *log)
{
	if (log->phase != LOG_OPENING)
		return;
	while (step_done(core, log)) {
		if (log->opening.step == OPENING_WRITE_HEADER ||
		    (PLANTED(PLANT_OPEN_HEADER_LATE) &&
		     log->opening.step == OPENING_WRITE_SLOT_HEADER)) {
			said_opened(core, log);
			return;
		}
		enter(core, log, (enum opening_step)(log->opening.step + 1));
		if (log->opening.step == OPENING_READ_BASE)
			log->opening.cursor = DISK_SLOT_ALIGN_BYTES; /* the head has been read */
	}
}
