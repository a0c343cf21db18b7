/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator: cores, kernels, disks and legs in one process; one seed decides everything.
 *
 * What may happen next stands in the run list; the scheduler picks one item of it at random, so every
 * order that the real machines allow can come up.  Time is simulated: it creeps while something can run and jumps when
 * nothing can.  Mirrors (legs, log device) are shared; nodes[] have kernels, daemons and a corosync of their own, one to
 * SIM_NODES_MAX of them.  All memory of a seed is freed at its end.
 */
#ifndef SIM_H
#define SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core.h"

#define SIM_NODES_MAX 32
#define SIM_MIRRORS_MAX 2
#define SIM_LEGS_MAX 3
#define SIM_DISKS_MAX 2 /* log devices of a mirror: a reload may change over */
#define CELL_SECTORS 8  /* contents are modelled in cells of that size */
#define CACHED_MAX 4    /* contents of a cell in a volatile cache, oldest first */
#define INFLIGHT_MAX 4  /* writes to a cell of one leg under way at once */
#define DISK_WRITES_MAX (2 * CORE_IO_MAX)
#define SOCKET_MAX 128
#define COPIES_MAX 64
#define BIO_CELLS_MAX 4
#define TABLES_MAX 4 /* luids of one dm device alive at once */
/* Contents that nobody wrote: below FIRST_VERSION, and leg i has SCRAMBLED + i. */
#define SCRAMBLED 1
#define FIRST_VERSION 16
#define SLOW_COPY_MS 15000
#define SLOW_BASE_MS 15000
#define KERNEL_RESEND_MS 15000 /* DM_ULOG_RETRY_TIMEOUT of dm-log-userspace-transfer.c */
#define RESYNC_BYTES_PER_SECOND_MIN (1u << 20)
#define KERNEL_RECONNECT_MS 2000 /* userspace_do_request */

struct sim;
struct node;
struct mirror;
struct table;
struct dmdev;
struct disk_io;
struct copy;

/* ---- rng.c: xoshiro256**, seeded by splitmix64 ---- */

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);                    /* [0, n), n > 0 */
bool rng_one_in(struct rng *rng, uint32_t n);                       /* 0: never */
uint32_t rng_between(struct rng *rng, uint32_t low, uint32_t high); /* both included */

/* ---- scheduler.c ---- */

enum item_type {
	ITEM_THREAD,       /* a kernel thread goes on (object: struct kthread) */
	ITEM_SOCKET,       /* the daemon takes the next request */
	ITEM_DELIVERY,     /* the group delivers the next message or view */
	ITEM_SEND,         /* the group takes what a daemon wants to multicast */
	ITEM_MEMBERS,      /* daemons that came or went become known to the group */
	ITEM_REFORM,       /* corosync forms its rings anew, after a loss or a merge */
	ITEM_QUORUM,       /* a daemon hears of quorum and of the nodes of the cluster */
	ITEM_ENGINE_START, /* corosync starts */
	ITEM_FENCE,        /* a node fences another one (object: struct node) */
	ITEM_FENCED,       /* a daemon hears that a node was fenced (object: struct node) */
	ITEM_DISK,         /* an I/O of a log device completes (struct disk_io) */
	ITEM_LEG,          /* an I/O of a leg makes its next step (struct leg_io) */
	ITEM_HELPER,       /* a helper of the daemon has done its call (struct helper) */
	ITEM_CORE_TIMER,   /* the core's timer */
	ITEM_TICK,         /* the kernel looks for requests to resend */
	ITEM_WORKER_WAKE,  /* delayed_wake of kmirrord (struct table) */
	ITEM_FLUSHER_WAKE, /* delayed FLUSH of an integrated_flush log (struct table) */
	ITEM_APPLICATION,  /* the next read or write (struct dmdev) */
	ITEM_ADMIN,        /* the next table change (struct dmdev) */
	ITEM_STATUS,       /* the next status ioctl (struct dmdev) */
	ITEM_DM_EVENT,     /* a dm event reaches the daemon */
	ITEM_FAULT,        /* the end of a fault (what it was about) */
	ITEM_DAEMON_START,
	ITEM_NODE_START,
};

struct item {
	enum item_type type;
	struct node *node;
	void *object;
};

struct timed_item {
	uint64_t due_ms;
	uint64_t order; /* equal times: first come, first served */
	struct item item;
};

struct scheduler {
	struct item *run;
	uint32_t run_count, run_size;
	struct timed_item *heap;
	uint32_t heap_count, heap_size;
	uint64_t order;
};

void schedule(struct sim *sim, enum item_type type, struct node *node, void *object);
void schedule_in(struct sim *sim, uint64_t delay_ms, enum item_type type, struct node *node,
		 void *object);
/* Completion of an I/O: at once as a rule, slow by the seed's rate. */
void schedule_io(struct sim *sim, enum item_type type, struct node *node, void *object);
/* Time passes. */
void schedule_time(struct sim *sim);
/* Takes the next item; false when there is none. */
bool schedule_pick(struct sim *sim, struct item *ret_item);
/* Drops the items for which `gone` says true. */
void schedule_drop(struct sim *sim, bool (*gone)(const struct item *item, void *context),
		   void *context);

/* ---- memory.c ---- */

/* Zeroed; freed at the end of the seed. */
void *sim_alloc(struct sim *sim, size_t bytes);
/* Fixed-size objects that come and go; zeroed. */
enum pool_kind {
	POOL_BIO,
	POOL_LEG_IO,
	POOL_LEG_FLUSH,
	POOL_COPY,
	POOL_DISK_IO,
	POOL_HELPER,
	POOLS
};
void *pool_get(struct sim *sim, enum pool_kind kind);
void pool_put(struct sim *sim, enum pool_kind kind, void *object);
void sim_free_all(struct sim *sim);

/* ---- shared: legs ---- */

/* One cell on one leg.  After a power cut it holds `durable` or any of the others. */
struct cell {
	uint32_t durable;
	uint32_t cached[CACHED_MAX];    /* versions completed, not flushed, oldest first */
	uint32_t cached_at[CACHED_MAX]; /* when, in the leg's count of completions */
	uint32_t inflight[INFLIGHT_MAX];
	uint8_t cached_count;
	uint8_t inflight_count;
	bool listed; /* in the leg's list of cells with cached contents */
};

struct leg {
	struct cell *cells;
	uint32_t *listed; /* cells with cached contents */
	uint32_t listed_count;
	uint32_t completions;
	bool dead; /* fails everything */
	bool reads_fail;
	bool writes_fail;
	bool flush_fails_once; /* and what the cache held is lost */
	uint32_t flush_errors; /* bit i: node i has not been told of that yet */
	bool suspect;          /* has lost acknowledged data: only a new leg repairs it */
};

struct geometry {
	uint64_t device_sectors;
	uint32_t region_sectors;
	uint64_t region_count;
	uint32_t cell_count;
	uint32_t region_cells; /* cells of a region; the last may have fewer */
};

/* ---- shared: log devices ---- */

struct disk {
	uint32_t minor;
	uint64_t device_bytes;
	uint32_t block_bytes;
	uint8_t *bytes;
	struct disk_io *writes[DISK_WRITES_MAX]; /* under way */
	uint32_t write_count;
	bool broken; /* every I/O fails */
	bool read_only;
	uint64_t last_error_ms; /* when an I/O last failed, or UINT64_MAX */
	/* disk_truth.c: the durable slot headers, decoded */
	bool slots_parsed;
	uint64_t slots_offset_bytes, slots_bytes;
	uint32_t slots_count;
	bool slot_valid[DISK_SLOTS_MAX];
	bool slot_unreadable[DISK_SLOTS_MAX]; /* ours by its magic, and nothing else fits */
	struct disk_slot_header slot_headers[DISK_SLOTS_MAX];
};

enum truth { TRUTH_DISK, TRUTH_CORE };

/* What oracle 1 keeps of a mirror: see oracle_clean.c. */
struct clean_oracle {
	struct geometry geometry; /* as the log device has it */
	uint64_t words;
	uint64_t *differ;   /* bit r: the legs may differ in region r */
	uint64_t *possible; /* bit r: clean in some outcome of the writes under way */
	uint64_t *scratch;
};

struct acknowledged {
	uint32_t cell, version;
};

/* What is done to a mirror on all nodes together: see admin_cluster.c. */
enum change_phase { CHANGE_NONE, CHANGE_LOAD, CHANGE_SUSPEND, CHANGE_RESUME, CHANGE_CLEAR };

struct change {
	enum change_phase phase;
	bool loads;
	bool rolling;   /* no barrier: each resumes as soon as it has suspended (F22) */
	uint32_t nodes; /* bit i: node i takes part */
	uint32_t done;  /* ... and has done this phase */
	uint32_t ahead; /* rolling: resumes in the phase of suspending */
	uint32_t begun;
	struct geometry geometry;
	enum log_type type;
	struct disk *disk;
	enum sync_option sync;
};

struct mirror {
	struct sim *sim;
	uint32_t index;
	char uuid[REQUEST_UUID_SIZE];
	uint32_t leg_count;
	struct leg legs[SIM_LEGS_MAX];
	struct disk *disks[SIM_DISKS_MAX];
	struct disk *disk; /* the one in use */
	enum truth truth;  /* which log knows what is clean */
	struct geometry geometry;
	uint32_t cells_max;
	uint32_t version; /* of the last write */
	/* per cell */
	uint32_t *done_floor;    /* newest version whose write has been acknowledged */
	uint32_t *flushed_floor; /* ... and flushed by the application since */
	uint8_t *busy;           /* an application writes it: 1 + index of the node */
	struct change change;
	struct dmdev *creator; /* activates it, with changes: nobody else may */
	/* per cell: leg writes and copies under way (oracle 3) */
	uint16_t *cell_writes;
	uint16_t *cell_copies;
	bool swallowed;        /* see raid1_reset_flags() */
	uint64_t cleaner_ms;   /* since when the log device is cleaner than the state, or 0 */
	bool last_could_write; /* ... who used it last, and was not about to leave */
	bool was_held_for;     /* some node has had no slot that it could write */
	bool was_reclaimed;    /* a node has told what a state that did not count had out of sync */
	uint64_t *may_copy;    /* bit r: not clean at the last cut or since */
	struct copy *copies[COPIES_MAX]; /* under way */
	uint32_t copy_count;
	/* writes acknowledged since the last flush of the application, oldest first */
	struct acknowledged *acknowledged;
	uint32_t acknowledged_count, acknowledged_size;
	uint64_t acknowledged_dropped; /* entries that stood before the first */
	struct clean_oracle clean;
};

#include "sim_kernel.h"

#include "sim_group.h"

/* ---- a node's daemon ---- */

enum helper_kind {
	HELPER_OPEN_DEVICE,
	HELPER_CLOSE_DEVICE,
	HELPER_OPEN_LEGS,
	HELPER_CLOSE_LEGS,
	HELPER_READ_HEALTH,
	HELPER_PROVOKE,
};

struct helper {
	enum helper_kind kind;
	uint32_t id; /* log or table */
	uint32_t major, minor;
	char uuid[REQUEST_UUID_SIZE];
	uint64_t luid;
};

struct disk_io {
	struct disk *disk;
	uint8_t *data; /* NULL: a read */
	uint32_t log;
	uint64_t offset_bytes;
	uint32_t length_bytes;
};

/* A log of the core, as the shell around it sees it. */
struct daemon_log {
	struct disk *disk; /* open */
	void *memory;
	uint32_t io; /* under way */
};

/* A table of the core whose legs are open. */
struct daemon_table {
	struct table *live;
	uint32_t work; /* copies and flushes under way */
};

struct daemon_process {
	bool alive;
	uint64_t incarnation;
	void *memory;
	struct core *core;
	uint64_t deadline_ms, scheduled_ms;
	struct daemon_log logs[CORE_LOGS_MAX];
	struct daemon_table tables[CORE_TABLES_MAX];
	void *allocated[CORE_LOGS_MAX];
	uint32_t allocated_count;
	uint32_t node_id;
	bool socket_scheduled;
	uint32_t effects_left; /* it is killed behind so many more, or 0: not so */
	bool dies_before;      /* ... or just before the last one of them */
	bool dying;            /* so it was: what the step does after that never happens */
};

struct node {
	struct sim *sim;
	uint32_t index;
	bool up;
	uint8_t boot_id[16], machine_id[16];
	uint32_t seq;
	uint64_t next_luid;
	uint64_t remote_limit_ms; /* `limit` of userspace_is_remote_recovering: one for all mirrors */
	bool listener;            /* the netlink socket exists */
	struct request socket[SOCKET_MAX];
	uint32_t socket_head, socket_count;
	struct dmdev devs[SIM_MIRRORS_MAX];
	struct daemon_process daemon;
	struct kept_memory kept[SIM_KEPT_MAX];
	/* the cluster */
	bool engine;        /* corosync runs */
	uint32_t component; /* of the network: nodes of the same one hear each other */
	struct ring *ring;  /* that corosync is part of, or NULL */
	struct membership group;
	bool seen_all; /* wait_for_all has been satisfied */
	bool quorum_scheduled;
	uint32_t told_nodes;                  /* of the cluster, as the daemon has heard */
	bool told_quorate;                    /* ... and of quorum */
	struct node *fencer;                  /* who is about to fence it */
	bool fenced;                          /* since it was last part of a ring */
	bool known;                           /* has been part of a ring */
	bool was_quorate;                     /* since it booted */
	uint64_t watchdog_ms;                 /* when it is crashed for want of quorum, or 0 */
	uint64_t daemon_paused_ms, paused_ms; /* until then */
	uint32_t failed;          /* bit i: `dmclog fail` for mirror i: its FLUSHes may fail */
	bool disk_path_failed;    /* no log device can be reached from here */
	uint32_t leg_path_failed; /* bit i: nor leg i of any mirror */
	uint64_t fault_ms;        /* when something last happened that excuses a late answer */
	uint64_t served;          /* when a daemon of this boot last died, or 0 */
};

/* ---- the whole ---- */

/* How it becomes known that a node has stopped, apart from its coming back. */
enum proof {
	PROOF_NONE,
	PROOF_FENCING,
	PROOF_TIME, /* takeover_delay_ms; nodes without quorum are crashed by their watchdogs */
};

/* What one seed is like; chosen from it. */
struct profile {
	uint32_t nodes, mirrors;
	uint32_t think_ms, depth, read_percent, flush_percent, hot_percent;
	uint32_t admin_ms, status_ms, fault_events;
	uint32_t weight_node_crash, weight_daemon_crash, weight_disk, weight_leg, weight_lost;
	uint32_t weight_partition, weight_engine, weight_pause, weight_all, weight_path,
		weight_operator, weight_each;
	uint32_t boot_ms, down_ms, token_ms, fence_ms, cut_ms, try_again_one_in;
	enum proof proof;
	bool two_node;
	uint32_t slow_io_one_in, slow_io_ms;
	uint32_t disk_error_one_in, lost_request_one_in, destage_one_in;
	uint32_t slow_copy_one_in;       /* copies that take long while nothing else does */
	uint32_t slow_copy_write_one_in; /* ... between their read and their writes */
	uint32_t slow_base_one_in;       /* writes of the base */
	uint32_t slow_head_one_in;       /* reads of the first block, and so of the base */
	bool few_hot;                    /* hot are two regions */
	bool own_hot;                    /* ... or one for each node */
	bool few_regions;                /* a mirror has at most 12 */
	bool core_logs;                  /* nothing else */
	bool fd_store;
	bool punctual; /* nothing is lost or slow: no answer may take 15 s */
	bool log_types_change;
	bool together;      /* changes on all nodes at once */
	bool rolls;         /* ... of them many to another log device, one node after the other */
	uint32_t change_ms; /* between its steps */
	bool few_slots;     /* fewer than nodes and former boots may need at once */
	struct core_config config;
};

struct options {
	uint64_t seed, seeds, events;
	uint32_t nodes;
	uint64_t cut_at;  /* --crash-every: a power cut at that event, no other fault; else 0 */
	uint32_t without; /* bit i: without feature i */
	bool foreign;     /* --foreign */
	uint32_t mood;    /* --mood: 1 + its number, or 0 */
	bool trace, verbose;
};

/* What became of a seed. */
struct seed_result {
	bool failed;
	const char *oracle; /* a constant */
	uint64_t event, hash;
	uint32_t nodes;
	char message[512];
};

struct counts {
	uint64_t events, requests, copies, copied_voided, node_crashes, daemon_crashes, reads,
		writes;
	uint64_t stale_excused, swallowed, reloads, takeovers, legs_failed, disk_errors, cache_lost,
		eio, views, partitions, fenced, watchdogs, pauses, engine_restarts, changes,
		foreign;
};

#define FOREIGN_KEPT 16

/* See foreign.c. */
struct foreign {
	struct rng rng;
	uint64_t next_event;
	struct parcel *kept[FOREIGN_KEPT]; /* messages of members that may come again */
	uint32_t kept_next;
	/* the request that a core is being given */
	const struct node *asker; /* or NULL */
	uint32_t seq;
	bool wild; /* names a region that is not there */
};

enum phase { PHASE_RUN, PHASE_SETTLE, PHASE_CLOSE };

struct sim {
	const struct options *options;
	struct profile profile;
	struct rng rng;
	struct scheduler scheduler;
	uint64_t now_ms, event, settle_ms, fault_event;
	enum phase phase;
	struct node *nodes; /* SIM_NODES_MAX */
	uint32_t node_count;
	struct mirror mirrors[SIM_MIRRORS_MAX];
	uint32_t mirror_count;
	struct group group;
	struct counts counts;
	struct foreign foreign;
	struct rng kept_rng;
	bool keeps; /* marks and holds outlive a daemon */
	uint64_t hash;
	bool failed;
	const char *oracle;
	char message[512];
	jmp_buf abort_point;
	void **chunks;
	uint32_t chunk_count, chunk_size;
	void *free_objects[POOLS];
	uint8_t *spare_data[DISK_WRITES_MAX];
	uint32_t spare_count;
};

/* ---- trace.c ---- */

/* Every note goes into the hash; with --trace it is printed, too. */
void note(struct sim *sim, const char *what, uint64_t a, uint64_t b);
void note_text(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define NOTE(sim, what, a, b, ...)                   \
	do {                                         \
		note(sim, what, a, b);               \
		if ((sim)->options->trace)           \
			note_text(sim, __VA_ARGS__); \
	} while (0)
/* An oracle has found something: the first one counts, the seed ends. */
void violate(struct sim *sim, const char *oracle, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A check of the simulator's own. */
#define INVARIANT(sim, condition)                                                               \
	do {                                                                                    \
		if (!(condition))                                                               \
			violate(sim, "simulator", "%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

#include "sim_parts.h"

#endif
