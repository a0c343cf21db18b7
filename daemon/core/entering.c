/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entering a log that others have open: the superblock is compared, the own slot written, then its header.
 *
 * A node writes its own slot and no other, and the slot counts from its header on: nothing is held in it before.  Another id or
 * generation in the superblock is another device under the same number: it is not written, and FLUSH fails.  A device that
 * has been closed meanwhile is opened again, through a JOIN; so is one that nobody could open, now and then.  Who cannot write, or gets no slot, goes on by proxy (proxy.c)
 * and tries again.
 */
#include <errno.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

static void usable(struct core *core, struct log *log)
{
	struct table *table = table_joining(core, log);

	log->entering = ENTER_NONE;
	log->again = true;
	if (log->phase == LOG_OPEN)
		return; /* it was so by proxy */
	if (log->live == NO_INDEX && proof_other_side(core) != 0) {
		log->phase =
			LOG_CLOSED; /* the group has parted meanwhile: all over again, when that has ended */
		return;
	}
	log->opening.waiting_told = false;
	log->phase = LOG_OPEN;
	log->copier.announced = log->replicated.out.count == 0;
	log->copier.cursor = 0;
	log->copier.not_before_ms = 0;
	log->copier.failures = 0;
	log->again = true;
	if (table != NULL)
		table_live(core, table);
	if (log->live != NO_INDEX)
		unknown_again(core, &core->tables[log->live]);
}

/* It goes on without the log device: the proxy holds for it, or FLUSH fails.  It is tried again, but on a device that is
 * not the others'. */
static void enter_failed(struct core *core, struct log *log, int status, const char *text)
{
	struct effect_event event = { .event = EVENT_OPEN_FAILED, .status = status, .text = text };

	if (!log->by_proxy)
		emit_event(core, log, &event);
	log->own_slot = NO_INDEX;
	log->slot_generation = 0;
	log->enter_retry_ms = core->now_ms + RETRY_MS;
	log->device_bad = status != -ENOSPC && status != -ESTALE;
	if (status == -ESTALE) {
		log->opening.failed = true;
	} else if (!log->by_proxy) {
		log->by_proxy = true;
		log->proxy_node = 0;
	}
	usable(core, log);
}

/* A slot may have become free, or the device may work again. */
void enter_again(struct core *core, struct log *log, const struct member *me)
{
	if (!log->by_proxy || log->entering != ENTER_NONE || log->phase != LOG_OPEN ||
	    log->own_slot != NO_INDEX || me->slot == NO_SLOT || PLANTED(PLANT_PROXY_STAYS))
		return;
	if (core->now_ms < log->enter_retry_ms) {
		log_wake_at(log, log->enter_retry_ms);
		return;
	}
	log->entering = ENTER_READ;
}

void enter_begin(struct core *core, struct log *log)
{
	heard_forget(log);
	log->opening.failed = false;
	log->by_proxy = false;
	log->device_bad = false;
	log->device_told = false;
	if (log->type == LOG_TYPE_CORE) {
		usable(core, log);
		return;
	}
	log->phase = LOG_OPENING;
	log->device_failed = false;
	log->write_retry_ms = 0;
	log->entering = ENTER_READ;
}

/* The device has been closed, by a member whose side did not count: it is to be opened, by us. */
static void reopen(struct core *core, struct log *log)
{
	struct table *table = table_joining(core, log);
	struct group_message message = { .stateless = true,
					 .closed = true,
					 .everything = log->everything_held };

	if (table == NULL)
		table = &core->tables[log->live];
	message.luid = table->luid;
	log->entering = ENTER_NONE;
	log->phase = LOG_CLOSED;
	log->has_state = false;
	membership_join(core, log, &message);
}

/* Nobody could open the device: it is tried again, by each in turn (a JOIN makes the youngest). */
void enter_open_again(struct core *core, struct log *log, struct entry *entry)
{
	const struct member *next = entry_next_founder(entry);

	if (!entry_opening_failed(entry) || entry->phase != LOG_OPEN || log->phase != LOG_OPEN) {
		log->open_retry_ms = 0;
		return;
	}
	if (log->live == NO_INDEX || log->io_flying > 0 || log->copier.flying > 0 || next == NULL ||
	    next->node_id != core->config.node_id)
		return;
	if (log->open_retry_ms == 0)
		log->open_retry_ms = core->now_ms + OPEN_RETRY_MS;
	if (core->now_ms < log->open_retry_ms) {
		log_wake_at(log, log->open_retry_ms);
		return;
	}
	log->open_retry_ms = 0;
	reopen(core, log);
}

void enter_read(struct core *core, struct log *log, const struct input_io *io)
{
	struct disk_superblock superblock;
	struct disk_header header;

	if (log->entering != ENTER_READING)
		return;
	if (io->status < 0) {
		enter_failed(core, log, io->status, "read");
		return;
	}
	if (disk_header_decode(io->data, &header) == 0 && header.nr_regions != 0) {
		reopen(core, log);
		return;
	}
	if (disk_superblock_decode(io->data + DISK_SUPERBLOCK_OFFSET_BYTES, &superblock) < 0 ||
	    memcmp(superblock.id, log->replicated.id, DISK_ID_BYTES) != 0 ||
	    superblock.generation != log->replicated.generation) {
		enter_failed(core, log, -ESTALE,
			     "compared: it is another device than that of the other nodes");
		return;
	}
	log->superblock = superblock;
	log->layout = log->replicated.layout;
	log->entering = ENTER_SLOT;
}

/*
 * What the kernel of this luid reported when it was resumed before it writes on one leg, unmarked, as soon as RESUME is
 * answered; the base may call it clean by then, after a time of the kernel's own log, say.  The slot has it until the
 * base shows that it is lost again: a leg has failed for this table, so what is let go is lost first, behind the report in the order.
 */
static void hold_unsynced(struct log *log, uint64_t luid)
{
	uint64_t region = bitmap_next(&log->unsynced, 0);

	for (; region != BITMAP_NONE && log->unsynced_luid == luid;
	     region = bitmap_next(&log->unsynced, region + 1))
		if (!bitmap_test(&log->held, region) && !bitmap_test(&log->pending, region))
			(void)bitmap_set(&log->leaving, region);
}

static void enter_slot(struct core *core, struct log *log, const struct member *me)
{
	/* What a table that waits had a slot for before has been merged, perhaps, and is free: it had nothing of the log. */
	bool same = log->live != NO_INDEX && log->own_slot == me->slot &&
		    log->slot_generation == log->replicated.generation &&
		    log->layout.slot_offset_bytes == log->replicated.layout.slot_offset_bytes;

	if (me->slot == NO_SLOT && log->live == NO_INDEX &&
	    !entry_slots_allotted(core, entry_look(core, &log->name)))
		return; /* not yet */
	if (me->slot == NO_SLOT) {
		enter_failed(core, log, -ENOSPC, "used: no slot is free on it");
		return;
	}
	if (same) {
		usable(core, log);
		return;
	}
	if (log->slot.writing.count > 0)
		return; /* into the slot of before */
	log->layout = log->replicated.layout;
	hold_unsynced(log, me->luid);
	slot_place(log, me->slot);
	log->entering = ENTER_SLOT_WRITING;
}

void enter_pump(struct core *core, struct log *log, const struct member *me)
{
	switch (log->entering) {
	case ENTER_NONE:
	case ENTER_READING:
		return;
	case ENTER_READ:
		if (log->reads_flying > 0 || log->device != DEVICE_OPEN)
			return;
		log->entering = ENTER_READING;
		device_read(core, log, READ_ENTER, 0, DISK_SLOT_ALIGN_BYTES);
		return;
	case ENTER_SLOT:
		enter_slot(core, log, me);
		return;
	case ENTER_SLOT_WRITING:
		if (!image_clean(&log->slot))
			return;
		device_put_slot_header(core, log, DISK_SLOT_USED);
		log->entering = ENTER_HEADER_WRITING;
		return;
	case ENTER_HEADER_WRITING:
		if (!image_clean(&log->slot))
			return;
		log->slot_generation = log->replicated.generation;
		usable(core, log);
		return;
	}
}

void enter_write_failed(struct core *core, struct log *log, int status)
{
	if (log->entering == ENTER_SLOT_WRITING || log->entering == ENTER_HEADER_WRITING)
		enter_failed(core, log, status, "written");
}
