/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk log must not forget when its daemon is killed: the kernel's marks, the holds, and what the kernel reported out of sync.
 *
 * These bitmaps of struct log lie in memory that the shell hands over with the CTR and that outlives the process.  So there
 * is no moment at which they are written: a bit is set before the effect that answers the kernel, and what moves from
 * one bitmap to another is set in the second before it is cleared in the first.  A process that is killed between any two
 * instructions leaves more held than is true, never less.  All else (idle list, counts, what flies) is made anew out of the bits.
 *
 * The bitmaps count for one luid, the table that was live last, and only where no daemon in between has served it without this memory
 * (the shell's part: tables_file.h).  A flush of the legs that was under way, or had failed, when the daemon was killed:
 * nobody knows what the legs kept, and all that was held is lost then.
 *
 * Where the kernel found nobody between a CTR and a RESUME of its reconnect loop, the request that waited for them has failed; of an
 * IN_SYNC that means that the region is written on one leg from then on, and nobody knows of it.  Then nothing counts either, and every
 * region counts as reported, until another table is live.
 *
 * Core logs: their holds count only united with those of all other followers (H11), who may be dead; they are not kept.
 */
#include "kept.h"

#include <stddef.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

#define MAGIC "dmclogm1"

static size_t header_bytes(void)
{
	return (sizeof(struct kept) + 63) & ~(size_t)63;
}

size_t kept_bytes(uint64_t region_count)
{
	return header_bytes() + KEPT_BITMAPS * bitmap_words_bytes(region_count);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length_bytes)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length_bytes; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t kept_name(const struct log_name *name)
{
	uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), name->uuid, strlen(name->uuid));

	hash = hash_bytes(hash, &name->log_type, sizeof(name->log_type));
	hash = hash_bytes(hash, &name->region_sectors, sizeof(name->region_sectors));
	hash = hash_bytes(hash, &name->device_sectors, sizeof(name->device_sectors));
	hash = hash_bytes(hash, &name->log_major, sizeof(name->log_major));
	return hash_bytes(hash, &name->log_minor, sizeof(name->log_minor));
}

static bool fits(const struct core *core, const struct log *log, const struct kept *kept)
{
	return memcmp(kept->magic, MAGIC, KEPT_MAGIC_BYTES) == 0 &&
	       kept->crc == disk_crc32c(kept, offsetof(struct kept, crc)) &&
	       kept->bytes == kept_bytes(log->region_count) &&
	       memcmp(kept->boot_id, core->config.boot_id, sizeof(kept->boot_id)) == 0 &&
	       kept->name.uuid[REQUEST_UUID_SIZE - 1] == '\0' &&
	       log_name_same(&kept->name, &log->name);
}

/* Nothing is live yet: half a beginning is none, and does no harm. */
static void begin(const struct core *core, const struct log *log, struct kept *kept)
{
	memset(kept, 0, kept_bytes(log->region_count));
	kept->bytes = kept_bytes(log->region_count);
	memcpy(kept->boot_id, core->config.boot_id, sizeof(kept->boot_id));
	kept->name = log->name;
	memcpy(kept->magic, MAGIC, KEPT_MAGIC_BYTES);
	kept->crc = disk_crc32c(kept, offsetof(struct kept, crc));
}

void kept_place(const struct core *core, struct log *log, void *memory, void *summaries)
{
	struct bitmap *bitmaps[KEPT_BITMAPS] = { &log->marked,  &log->held,      &log->pending,
						 &log->leaving, &log->releasing, &log->unsynced };
	uint8_t *words = (uint8_t *)memory + header_bytes();
	uint8_t *summary = summaries;

	log->kept = memory;
	log->kept_found = fits(core, log, memory);
	if (!log->kept_found)
		begin(core, log, memory);
	log->kept_looped = log->kept->looping != 0;
	for (uint32_t i = 0; i < KEPT_BITMAPS; i++) {
		bitmap_adopt(bitmaps[i], log->region_count, words, summary);
		words += bitmap_words_bytes(log->region_count);
		summary += bitmap_summary_bytes(log->region_count);
	}
	log->unsynced_luid = log->kept->luid;
}

/* ---- noting ---- */

void kept_forget(struct log *log)
{
	log->kept->luid = 0;
	log->kept->live = 0;
}

void kept_live(struct core *core, struct log *log)
{
	const struct table *table = log->live == NO_INDEX ? NULL : &core->tables[log->live];

	if (table == NULL || log->everything_held || log->unknown_luid != 0) {
		kept_forget(log);
		return;
	}
	if (log->kept->luid != table->luid) {
		kept_forget(log);
		log->kept->looping = table->loops > 0;
	}
	kept_health(log, table);
	log->kept->luid = table->luid;
	log->kept->live = 1;
}

void kept_suspended(struct log *log)
{
	log->kept->live = 0;
	log->kept->flushing = 0;
}

void kept_health(struct log *log, const struct table *table)
{
	if (log->live == NO_INDEX || log->kept->luid != table->luid)
		return;
	log->kept->leg_failed = table->leg_failed;
	log->kept->flush_failed = table->flush_failed;
}

void kept_loop(struct log *log, const struct table *table)
{
	if (log->kept->luid == table->luid)
		log->kept->looping = table->loops > 0 || table->waiting[REQUEST_RESUME].active;
}

void kept_flush(struct log *log)
{
	log->kept->flushing = log->losing || log->release != RELEASE_NONE;
}

/* ---- taking over ---- */

/* A region that the step which the daemon was killed in had not ended with yet. */
static void settle(struct core *core, struct log *log, uint64_t region)
{
	bool marked = bitmap_test(&log->marked, region);

	if (bitmap_test(&log->releasing, region) && PLANTED(PLANT_RELEASING_UNKEPT) && !marked) {
		(void)bitmap_clear(&log->held, region);
		return;
	}
	if (bitmap_test(&log->releasing, region))
		(void)bitmap_set(&log->leaving, region);
	if (bitmap_test(&log->held, region)) {
		(void)bitmap_clear(&log->pending, region);
	} else if (marked) {
		(void)bitmap_set(&log->pending, region);
		return;
	} else if (bitmap_test(&log->pending, region)) {
		(void)bitmap_set(&log->leaving, region);
		(void)bitmap_clear(&log->pending, region);
		return;
	} else {
		return;
	}
	if (marked)
		(void)bitmap_clear(&log->leaving, region);
	else if (bitmap_test(&log->leaving, region))
		return;
	else if (PLANTED(PLANT_IDLE_UNKEPT))
		(void)bitmap_clear(&log->held, region);
	else if (log->idle.count < log->idle.limit)
		idle_push(&log->idle, region, core->now_ms);
	else
		hold_idle_ends(log, region);
}

static void settle_all(struct core *core, struct log *log)
{
	const struct bitmap *bitmaps[] = { &log->marked, &log->held, &log->pending,
					   &log->releasing };

	/* Who comes twice is the same the second time. */
	for (uint32_t i = 0; i < sizeof(bitmaps) / sizeof(bitmaps[0]); i++)
		for (uint64_t region = bitmap_next(bitmaps[i], 0); region != BITMAP_NONE;
		     region = bitmap_next(bitmaps[i], region + 1))
			if (!idle_has(&log->idle, region))
				settle(core, log, region);
	bitmap_clear_all(&log->releasing);
}

enum kept_past kept_take(struct core *core, struct log *log, struct table *table)
{
	const struct kept *kept = log->kept;
	bool live = kept->live != 0;

	if (!log->kept_found && !log->goes_on)
		return KEPT_NOTHING;
	log->kept_found = false;
	if (kept->luid == 0 || kept->luid != table->luid || (log->kept_looped && !log->goes_on)) {
		log->goes_on = false;
		kept_forget(log);
		hold_forget_marks(log);
		bitmap_clear_all(&log->unsynced);
		return live ? KEPT_OF_ANOTHER : KEPT_NOTHING;
	}
	if (log->goes_on)
		return KEPT_TAKEN;
	log->goes_on = true;
	table->resumed_once = true;
	table->leg_failed = kept->leg_failed != 0;
	table->flush_failed = kept->flush_failed != 0;
	if (!live) {
		hold_forget_marks(log);
		return KEPT_SUSPENDED;
	}
	table->was_live = true;
	settle_all(core, log);
	log->losing = kept->flushing != 0;
	log->unflushed_marks = true;
	return KEPT_LIVE;
}
