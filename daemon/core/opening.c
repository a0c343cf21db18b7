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
 * lost (G12, C1).  A core log keeps its state for such a luid, when it is still that of the group, and starts anew for any other (H1).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "core_private.h"
#include "plant.h"

void opening_next(struct log *log, enum opening_step step)
{
	log->opening.step = step;
	log->opening.cursor = 0;
}

bool predecessor_known(const struct core *core, const char *uuid)
{
	for (uint32_t i = 0; i < core->predecessor_count; i++)
		if (strcmp(core->predecessors[i], uuid) == 0)
			return true;
	return false;
}

/* A daemon of before served this uuid's live table: nobody knows what its kernel has marked. */
bool predecessor_take(struct core *core, const struct log *log)
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
	uint8_t bytes[8];
	struct writer writer = { .bytes = bytes, .size = sizeof(bytes) };
	struct group_message message = { .type = MESSAGE_OPENED,
					 .number = log->superblock.generation,
					 .data = bytes,
					 .data_bytes = sizeof(bytes) };
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
	put_number(&writer, log->opening.failed ? 0 : log->layout.slot_count, 4);
	put_number(&writer,
		   log->type == LOG_TYPE_DISK && !log->opening.failed ? log->own_slot : NO_SLOT, 4);
	multicast(core, log, &message);
}

int opened_take(struct core *core, struct entry *entry, const struct group_message *message)
{
	struct reader reader = { .bytes = message->data, .size = message->data_bytes };
	uint64_t slot_count = get_number(&reader, 4);
	uint64_t founder_slot = get_number(&reader, 4);

	if (reader.short_of || slot_count > DISK_SLOTS_MAX ||
	    (founder_slot >= slot_count && founder_slot != NO_SLOT))
		return -EBADMSG;
	entry->slot_count = (uint32_t)slot_count;
	memset(entry->absent, 0, sizeof(entry->absent));
	entry->gone_sent = false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		struct member *member = &entry->member[i];

		if (member->node_id == 0)
			continue;
		member->slot = NO_SLOT; /* all slots in use have been merged */
		if (member->node_id == message->sender && !member->departed)
			member->slot = (uint32_t)founder_slot;
		if (member->to_merge && member->departed) {
			state_member_gone(core, entry, i);
			*member = (struct member){ 0 };
		}
		member->to_merge = false;
	}
	return 0;
}

void opening_delivered(struct core *core, struct log *log)
{
	struct table *table = &core->tables[log->opening.table];
	struct replicated *state = &log->replicated;

	memcpy(state->id, log->superblock.id, DISK_ID_BYTES);
	state->generation = log->superblock.generation;
	state->layout = log->layout;
	log->slot_generation = state->generation;
	log->base_role = log->type == LOG_TYPE_DISK && !log->opening.failed ? BASE_OURS : BASE_NONE;
	log->open_failed_told = log->opening.failed;
	log->phase = LOG_OPEN;
	log->again = true;
	core->pump_all = true;
	if (table->phase == TABLE_JOINING)
		table_live(core, table);
	else
		unknown_again(core, table);
}

/* `sync` and `nosync` count at a luid's first RESUME only, and never over what others may have written (F21). */
static enum sync_option sync_applies(struct core *core, const struct log *log)
{
	const struct table *table = &core->tables[log->opening.table];

	if ((table->resumed_once || log->opening.merge_count > 0 || log->opening.everything_dirty ||
	     log->everything_held || entry_lived(entry_find(core, &log->name))) &&
	    !PLANTED(PLANT_NOSYNC_ALWAYS))
		return SYNC_DEFAULT;
	return table->sync;
}

/* When the group's state is gone, nobody knows what other members may have held. */
static void open_core_log_again(struct log *log)
{
	for (uint64_t r = 0; r < log->region_count; r++)
		if (!bitmap_set(&log->replicated.out, r))
			(void)bitmap_set(&log->replicated.lost, r);
}

static void open_core_log(struct core *core, struct log *log, const struct table *table)
{
	log->opening.origin = "memory";
	if (log->live != NO_INDEX) {
		open_core_log_again(log);
		hold_all_again(log);
	} else if (!table->resumed_once) {
		bitmap_clear_all(&log->replicated.lost);
		if (sync_applies(core, log) == SYNC_SKIP)
			bitmap_clear_all(&log->replicated.out);
		else
			bitmap_set_all(&log->replicated.out);
	} else if (!log->opening.kept) {
		open_core_log_again(log);
	}
	said_opened(core, log);
}

/* The table that the log is opened for: one that waits in RESUME, or a live one whose group is gone. */
static uint32_t opening_table(struct core *core, const struct log *log)
{
	for (uint32_t i = 0; i < core->tables_end && log->live == NO_INDEX; i++)
		if (core->tables[i].used && core->tables[i].log == log->index &&
		    core->tables[i].phase == TABLE_JOINING && core->tables[i].join_sent)
			return i;
	return log->live;
}

/* What the members' windows, losses and counts of before were is void. */
static void forget_state(struct log *log)
{
	struct replicated *state = &log->replicated;

	bitmap_clear_all(&state->claimed);
	bitmap_clear_all(&state->reported); /* who has reported something says so again */
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		state->reporter[i] = 0;
	log->unsynced_told = false;
	bitmap_clear_all(&log->windowed);
	bitmap_clear_all(&log->gained);
	bitmap_clear_all(&log->gaining);
	bitmap_clear_all(&log->undurable);
	for (uint32_t i = 0; i < WINDOWS_MAX; i++)
		state->windows[i].used = false;
	state->windows_used = 0;
	state->losses = 0;
	state->durable = 0;
	if (!PLANTED(PLANT_DURABLE_STALE))
		log->durable_sent = 0;
	log->release_losses = UINT64_MAX;
}

/* Whoever still holds it has not said so in the state that begins. */
static void held_is_lost(struct log *log, const struct bitmap *holds)
{
	uint64_t bit = bitmap_next(holds, 0);

	for (; bit != BITMAP_NONE; bit = bitmap_next(holds, bit + 1))
		for (uint64_t r = bit << log->hold_granularity;
		     r < (bit + 1) << log->hold_granularity && r < log->region_count; r++)
			if (!bitmap_set(&log->replicated.out, r))
				(void)bitmap_set(&log->replicated.lost, r);
}

void opening_begin(struct core *core, struct log *log)
{
	struct opening fresh = { .table = opening_table(core, log), .kept = log->has_state };
	const struct table *table = &core->tables[fresh.table];

	assert(log->phase == LOG_CLOSED && log->io_flying == 0);
	memcpy(fresh.random_id, log->opening.random_id, DISK_ID_BYTES);
	log->opening = fresh;
	log->phase = LOG_OPENING;
	log->entering = ENTER_NONE;
	heard_forget(log);
	log->has_state = false; /* until OPENED says what it is */
	log->device_failed = false;
	log->write_retry_ms = 0;
	forget_state(log);
	log->by_proxy = false;
	log->device_bad = false;
	log->device_told = false;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		if (log->type == LOG_TYPE_CORE)
			held_is_lost(log, &log->replicated.holds[i]);
		bitmap_clear_all(&log->replicated.holds[i]);
	}
	if (!table->resumed_once && log->live == NO_INDEX)
		bitmap_clear_all(&log->replicated.lost);
	if (log->type == LOG_TYPE_DISK) {
		log->own_slot = NO_INDEX;
		image_place(&log->base, 0, log->layout.slot_offset_bytes, log->block_bytes);
	}
	opening_next(log, OPENING_WAIT_MEMBERS);
}

void opening_fail(struct core *core, struct log *log, int status, const char *what)
{
	const struct table *table = &core->tables[log->opening.table];
	struct effect_event event = {
		.event = EVENT_OPEN_FAILED, .luid = table->luid, .status = status, .text = what
	};

	if (log->opening.step == OPENING_NONE || log->opening.step == OPENING_FAILED)
		return;
	if (!log->open_failed_told || log->live == NO_INDEX)
		emit_event(core, log, &event);
	log->open_failed_told = true;
	log->opening.failed = true;
	opening_next(log, OPENING_FAILED);
}

/* Nothing of ours is under way to the device any more: another member may open it, or the log works without. */
static void opening_failed(struct core *core, struct log *log)
{
	const struct table *table = &core->tables[log->opening.table];

	log->own_slot = NO_INDEX;
	log->slot_generation = 0;
	for (uint64_t r = 0; table->resumed_once && r < log->region_count; r++)
		if (!bitmap_test(&log->replicated.out, r))
			(void)bitmap_set(&log->replicated.lost, r);
	bitmap_set_all(&log->replicated.out);
	said_opened(core, log);
}

/* ---- base ---- */

/* What this kernel has reported stays out of sync, whatever the device says: it writes that on one leg. */
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
	if (log->unsynced_luid == core->tables[log->opening.table].luid)
		for (uint64_t r = bitmap_next(&log->unsynced, 0); r != BITMAP_NONE;
		     r = bitmap_next(&log->unsynced, r + 1))
			opening_loses(log, r);
	bytes = (valid + 7) / 8;
	image_settle(&log->base, DISK_BITMAP_OFFSET_BYTES + bytes, bitmap_end - bytes, 0);
}

static void settle_kinds(struct core *core, struct log *log)
{
	const struct table *table = &core->tables[log->opening.table];
	struct replicated *replicated = &log->replicated;

	for (uint64_t r = 0; r < log->region_count; r++) {
		if (image_test(&log->base, DISK_BITMAP_OFFSET_BYTES, r) ||
		    (PLANTED(PLANT_REOPEN_MEMORY) && table->resumed_once &&
		     !bitmap_test(&replicated->out, r))) {
			(void)bitmap_clear(&replicated->out, r);
			(void)bitmap_clear(&replicated->lost, r);
		} else if (!table->resumed_once) {
			(void)bitmap_set(&replicated->out, r);
		} else if (!bitmap_set(&replicated->out, r)) {
			(void)bitmap_set(&replicated->lost, r);
		}
	}
}

/* ---- the steps ---- */

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
		slot_place_first(log);
		break;
	case OPENING_WRITE_SUPERBLOCK:
		superblock_renew(core, log);
		break;
	case OPENING_WRITE_SLOT_HEADER:
		device_put_slot_header(core, log, DISK_SLOT_USED);
		break;
	case OPENING_WRITE_HEADER:
		device_put_header(log, 0);
		break;
	case OPENING_NONE:
	case OPENING_FAILED:
	case OPENING_WAIT_MEMBERS:
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
	case OPENING_WAIT_MEMBERS:
		return opening_side_known(core, log) && opening_members_proven(core, log) &&
		       heard_by_all(core, log) && opening_all_asked(core, log);
	case OPENING_READ_HEAD:
	case OPENING_READ_BASE:
	case OPENING_READ_SLOT_HEADERS:
	case OPENING_READ_SLOTS:
		return opening_read_more(core, log);
	case OPENING_WAIT_PROOF:
		return opening_owners_proven(core, log);
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
	case OPENING_FAILED:
		return false;
	}
	return false;
}

void opening_pump(struct core *core, struct log *log)
{
	if (log->phase != LOG_OPENING || log->entering != ENTER_NONE)
		return;
	if (log->opening.step == OPENING_FAILED) {
		if (log->io_flying == 0)
			opening_failed(core, log);
		return;
	}
	while (log->opening.step != OPENING_NONE && step_done(core, log)) {
		if (log->type == LOG_TYPE_CORE) {
			open_core_log(core, log, &core->tables[log->opening.table]);
			return;
		}
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
