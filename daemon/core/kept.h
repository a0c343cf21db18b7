/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk log must not forget when its daemon is killed, in memory that outlives it: see kept.c.
 */
#ifndef DMCLOGD_KEPT_H
#define DMCLOGD_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "disk_format.h"
#include "group_message.h"

/* marked, held, pending, leaving, releasing, unsynced */
#define KEPT_BITMAPS 6
#define KEPT_MAGIC_BYTES 8

/* The bitmaps follow, each aligned to 64, in the order above. */
struct kept {
	char magic[KEPT_MAGIC_BYTES]; /* written last; the last digit is the version */
	uint64_t bytes;               /* of all */
	uint8_t boot_id[16];
	struct log_name name;
	uint32_t crc; /* crc32c of all before */
	/* Of the table that was live last: what the bitmaps are about.  0: nobody knows. */
	volatile uint64_t luid;
	volatile uint8_t live;     /* it is so, and its kernel may have regions marked */
	volatile uint8_t flushing; /* a flush of the legs may have failed without consequences yet */
	volatile uint8_t leg_failed;   /* as struct table has it */
	volatile uint8_t flush_failed; /* so */
	volatile uint8_t
		looping; /* the kernel's reconnect loop has had a CTR answered, and its RESUME not */
};

/* What is known of a table that joins. */
enum kept_past {
	KEPT_NOTHING,    /* and nobody says that there was anything */
	KEPT_OF_ANOTHER, /* another table was live when its daemon was killed */
	KEPT_SUSPENDED,  /* it was suspended: nothing was marked or held */
	KEPT_TAKEN,      /* it joins once more: what was there has been told already */
	KEPT_LIVE,       /* the bitmaps have all that its kernel marked, and that was held for it */
};

struct core;
struct log;
struct table;

size_t kept_bytes(uint64_t region_count);
uint64_t kept_name(const struct log_name *name);
/* Lays marks, holds and reports out in `memory`, as they are there when that is of this log and boot, else empty. */
void kept_place(const struct core *core, struct log *log, void *memory, void *summaries);
/* What was kept no longer tells all; nothing does until kept_live(). */
void kept_forget(struct log *log);
/* The log's live table is what it is about, from here on; or nobody knows all of it. */
void kept_live(struct core *core, struct log *log);
/* Its I/O has drained: to be said before the bits go. */
void kept_suspended(struct log *log);
/* A CTR or RESUME of the table has come, or RESUME been answered. */
void kept_loop(struct log *log, const struct table *table);
void kept_health(struct log *log, const struct table *table);
/* A release, or what is to be lost, has begun or ended. */
void kept_flush(struct log *log);
/* A table joins: what a daemon of before left counts if it is about this one, and is forgotten else. */
enum kept_past kept_take(struct core *core, struct log *log, struct table *table);

#endif
