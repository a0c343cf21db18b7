/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a fake kernel: bios, threads, tables, mapped devices; included by sim.h, which it needs.
 *
 * Names follow drivers/md where there is a counterpart.
 */
#ifndef SIM_H
#include "sim.h" /* includes this file where it belongs */
#elif !defined(SIM_KERNEL_H)
#define SIM_KERNEL_H

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct bio {
	struct bio *next;
	enum bio_op op;
	struct dmdev *dev;
	struct table *table;
	uint32_t first_cell, cell_count;
	uint32_t version;
	uint32_t floor[BIO_CELLS_MAX]; /* reads: what must at least be seen */
	uint64_t flush_until;          /* flushes: covers the entries of `acknowledged` before */
	uint64_t region;               /* in the table's geometry */
	uint32_t legs_left;
	uint32_t error_bits;
	uint32_t leg;    /* reads and NOSYNC writes */
	bool single;     /* NOSYNC write: one leg only */
	bool unpromised; /* ... of a region that is NOSYNC since an empty flush failed */
};

struct bio_list {
	struct bio *head, *tail;
};

enum call_state { CALL_NONE, CALL_SENT, CALL_SLEEPING, CALL_CTR, CALL_RESUME };

/* A context of the kernel that may wait for one answer. */
struct kthread {
	bool no_room; /* an -ESRCH of a daemon took the caller's buffer: fill_pkg() */
	struct node *node;
	struct dmdev *dev; /* of ioctls */
	struct table *table;
	void (*run)(struct sim *sim, struct kthread *thread);
	const char *name;
	uint32_t step;
	bool runnable;
	enum call_state call;
	bool loops; /* userspace_do_request's reconnect loop */
	uint64_t sent_ms, asked_ms;
	struct request request;
	uint32_t seq; /* of what is under way: the request, or CTR or RESUME of the reconnect loop */
	int error;
	uint32_t payload_bytes;
	uint8_t payload[REQUEST_PAYLOAD_MAX_BYTES];
};

/* dm-region-hash.c */
enum region_state { REGION_ABSENT, REGION_CLEAN, REGION_DIRTY, REGION_NOSYNC };

enum leg_error { LEG_WRITE_ERROR, LEG_FLUSH_ERROR, LEG_SYNC_ERROR, LEG_READ_ERROR };

/* A table of dm-raid1 with its userspace log: struct mirror_set, struct dm_region_hash and struct log_c. */
struct table {
	bool used, dying;
	struct node *node;
	struct dmdev *dev;
	struct mirror *mirror;
	uint64_t luid;
	char constructor[REQUEST_PAYLOAD_MAX_BYTES + 1];
	enum log_type log_type;
	struct geometry geometry;
	struct disk *disk;
	enum sync_option sync;
	bool integrated, handle_errors;
	bool known;        /* to the daemon of now: CTR answered with 0 */
	bool resumed_once; /* a RESUME was answered */
	bool resume_asked;
	bool suspended_answered; /* POSTSUSPEND answered, no RESUME sent since */
	/* region hash */
	uint8_t *state;
	uint16_t *pending;
	uint64_t *clean_list;
	uint8_t *on_clean_list;
	uint8_t *clear_lost; /* its CLEAR never reached the log */
	uint32_t clean_count;
	bool flush_failure;
	uint32_t recovery_count; /* the semaphore: 0 or 1 */
	/* log_c */
	uint64_t in_sync_hint;
	uint64_t *marks, *clears; /* lists, newest first */
	uint32_t mark_count, clear_count;
	uint32_t flush_step, group_at, group_size;
	int flush_result;
	bool unflushed_marks; /* told to the daemon since a FLUSH was last answered */
	bool sched_flush;
	uint64_t flush_due_ms;
	/* mirror_set */
	struct bio_list reads, writes, failures, holds;
	bool in_sync, log_failure, leg_failure, suspend;
	bool primary_failed; /* leg 0, ever */
	bool letters_told;   /* the daemon has read a letter other than A */
	uint32_t default_leg;
	uint32_t leg_errors[SIM_LEGS_MAX];
	uint8_t leg_error_types[SIM_LEGS_MAX];
	bool timer_pending;
	/* kmirrord */
	struct kthread worker;
	bool work_queued, work_running;
	uint64_t passes;
	struct bio_list w_reads, w_writes, w_failures, w_sync, w_nosync, w_requeue;
	struct bio *w_bio;
	bool w_nosync_begun;
	struct kthread flusher; /* dmlogd: do_flush */
};

/* A mapped device: at most one live and one inactive table. */
/* A daemon that dies leaves its threads in the kernel until they are answered. */
#define PROVOCATIONS_MAX 64

struct dmdev {
	struct node *node;
	struct mirror *mirror;
	struct table tables[TABLES_MAX];
	struct table *active, *inactive, *dying;
	bool suspended, blocked; /* blocked: new I/O is put off */
	bool dmf_suspended; /* DMF_SUSPENDED, set by __dm_suspend() before POSTSUSPEND is asked */
	bool noflush;
	bool event_pending;
	bool unknown_past; /* the core said so, and no new table has been loaded since */
	uint64_t unknown_luid; /* ... of this one, which may be new already: it was taken for live too early */
	struct bio_list deferred;
	uint32_t inflight;
	uint32_t outstanding; /* of the application, put off ones included */
	struct kthread admin;
	const uint8_t *plan; /* what the admin is about to do: see fake_dm.c */
	bool waits_condition;
	uint64_t flush_target;
	/* the next table */
	struct geometry next_geometry;
	enum log_type next_type;
	enum sync_option next_sync;
	bool next_integrated;
	struct disk *next_disk;
	struct kthread status;
	struct kthread provocations[PROVOCATIONS_MAX]; /* the daemons' own status ioctls */
};

#define SIM_KEPT_MAX 64

/* Memory that outlives the daemon. */
struct kept_memory {
	bool used; /* by the daemon of now */
	uint64_t name;
	size_t bytes;
	void *memory;
	void *then; /* as it was when the daemon was killed, in the middle of a step */
};

#endif
