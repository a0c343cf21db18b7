/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner state of the core: tables, logs, and what the rooms of daemon/core call of each other.
 *
 * struct replicated holds what all members of a log have in common: only replicated.c writes it.  All else is
 * about this node alone.  Progress is made by log_pump(), which looks at the state after every
 * input and does what has become possible; nothing depends on having been told at the right moment.
 */
#ifndef DMCLOGD_CORE_PRIVATE_H
#define DMCLOGD_CORE_PRIVATE_H

#include "bitmap.h"
#include "core.h"
#include "idle.h"
#include "image.h"

#define NO_INDEX UINT32_MAX
#define MEMBERS_MAX 32
#define WINDOWS_MAX 64
#define OWN_WINDOWS_MAX 3

/* A claim not granted by then is given back; an IN_SYNC waits no longer (H7, G1). */
#define CLAIM_LIMIT_MS 1000
/* A copy that has not ended by then voids its window. */
#define COPY_LIMIT_MS 5000
/* How long a refusal is remembered. */
#define REFUSAL_MS 1000
#define REFUSALS_MAX 64
/* Releases and gains wait that long for company. */
#define RELEASE_DELAY_MS 1000
#define RELEASE_BATCH_MAX 4096
/* The kernel has not ended its resume, or has suspended the table without our knowing. */
#define SUSPENDED_RETRY_MS 20
/* After a failed write, a failed copy or an unreadable table. */
#define RETRY_MS 1000
/* A claim is no larger than what is copied in so long. */
#define WINDOW_TARGET_MS 500
#define WINDOW_BUSY_SHARE 16
/* Requests of the kernel within so long make background copying step back. */
#define BUSY_MS 50
/* While it steps back it rests so many times as long as the last copy took. */
#define BUSY_REST_FACTOR 8

/* ---- replicated ---- */

enum log_phase { LOG_CLOSED, LOG_OPENING, LOG_OPEN };

struct member {
	uint32_t node_id; /* 0: none */
	uint32_t resumed; /* resumed luids */
	bool legs_failed;
};

/* A set of regions that one member may copy and nobody may begin to hold. */
struct window {
	bool used;
	bool granted;
	uint32_t claimer;
	uint32_t number;
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
	uint64_t unanswered; /* bit i: members[i] has not answered the claim */
	uint64_t inside;     /* bit i: region i belongs to the window */
	uint64_t locked;     /* subset of inside: nobody begins to hold it */
	uint64_t refused;    /* bit i: some member refuses region i */
	uint64_t spoiled;    /* bit i: region i was lost after the claim: a copy does not count */
};

struct replicated {
	struct member members[MEMBERS_MAX];
	uint32_t resumed;       /* resumed luids of all members */
	struct bitmap out;      /* not in sync */
	struct bitmap lost;     /* subset of out: was in sync once; the rest was never */
	struct bitmap reported; /* reported out of sync by a kernel that has not forgotten it */
	struct bitmap claimed;  /* in a window */
	struct window windows[WINDOWS_MAX];
	uint32_t windows_used;
};

/* ---- this node ---- */

enum table_phase {
	TABLE_NEW,          /* CTR waits for the log device */
	TABLE_READY,        /* constructed, never resumed, or suspended */
	TABLE_JOINING,      /* RESUME waits */
	TABLE_LIVE,         /* resumed */
	TABLE_PRESUSPENDED, /* I/O drains, nothing is copied any more */
	TABLE_LEAVING,      /* POSTSUSPEND (or DTR) waits */
};

enum legs_state { LEGS_CLOSED, LEGS_OPENING, LEGS_OPEN, LEGS_CLOSING };

#define WAITING_SEQS_MAX 4

/* A request of the kernel that has not been answered, under the last seqs under which it came: a repetition has a new
 * one, and every caller of the kernel's reconnect loop sends a CTR and a RESUME of its own. */
struct waiting {
	bool active;
	uint32_t seqs[WAITING_SEQS_MAX];
	uint32_t seq_count;
	uint32_t no_room; /* bit i: seqs[i] is a CTR of the reconnect loop, which has no room for a payload */
	uint32_t version;
	uint64_t region;
	uint64_t since_ms;
	uint64_t ticket; /* IN_SYNC: the reading of the health letters that its answer waits for, or 0 */
};

struct table {
	bool used;
	bool stale; /* its luid has been given to another table: the kernel will not speak of it again */
	bool conflict; /* resumed while another table has its log or its log device: FLUSH fails */
	bool resumed_once;
	bool join_sent;
	bool deleting; /* DTR came */
	bool io_seen;  /* the kernel asked about I/O since the RESUME */
	enum table_phase phase;
	uint32_t log;
	uint64_t luid;
	enum sync_option sync;
	char constructor[REQUEST_PAYLOAD_MAX_BYTES + 1];
	struct waiting waiting[REQUEST_TYPES];
	bool unheld_marks; /* the kernel marked regions while we took the table for suspended */
	/* The live table and its legs. */
	enum legs_state legs;
	uint64_t legs_retry_ms;
	bool legs_complained;
	uint32_t leg_count;
	char letters[CORE_LEGS_MAX + 1];
	bool told_failed;  /* what the last MESSAGE_HEALTH said */
	bool health_told;  /* MESSAGE_HEALTH is under way */
	bool letters_told; /* EVENT_LEG_FAILED was given */
	bool leg_failed;   /* a leg failed a write or a flush, or had a letter that was not A */
	int health_status;
	bool dm_suspended;      /* as the kernel says, at the last reading */
	uint64_t health_wanted; /* number of the newest reading of the letters that somebody waits for */
	uint64_t health_begun;
	uint64_t health_done;
};

/* The flush of the legs' caches that must come before slot bits go and base bits come. */
enum release_state {
	RELEASE_NONE,
	RELEASE_FLUSHING,
	RELEASE_CHECKING, /* the letters are read after the flush */
	RELEASE_SETTLING, /* every loss must stand in the base on the device first */
};

struct own_window {
	bool used;
	bool touched;  /* an IN_SYNC waits for it */
	bool checking; /* granted; the letters are being read */
	bool copying;  /* granted and checked */
	uint32_t number;
	uint64_t claimed_ms;
	uint64_t ticket;
	bool delivered;  /* the claim has come back in the order */
	uint64_t flying; /* bit i: region i is being copied */
	uint64_t sent;   /* bit i: said to be synced or returned, not yet delivered */
};

struct copy {
	bool used;
	bool overdue; /* its region was voided */
	uint32_t own_window;
	uint32_t index;
	uint64_t region;
	uint64_t begun_ms;
};

struct refusal {
	uint64_t region;
	uint64_t until_ms;
};

struct copier {
	struct own_window windows[OWN_WINDOWS_MAX];
	struct copy copies[CORE_COPIES_MAX];
	uint32_t flying;
	uint32_t number;        /* of the next window */
	uint64_t cursor;        /* background copying goes on here */
	uint64_t copy_ms;       /* mean duration of a copy, times 16 */
	uint64_t not_before_ms; /* no background copy before: rate, rest, failure */
	uint32_t failures;      /* in a row */
	uint64_t fallback_until_ms; /* a claim was not granted: IN_SYNC is answered at once until then */
	uint64_t touched;           /* region that an IN_SYNC waits for, or BITMAP_NONE */
	uint64_t touched_ms;        /* a touched region was copied */
	struct refusal refusals[REFUSALS_MAX];
	uint32_t next_refusal;
	bool announced; /* EVENT_IN_SYNC was given since the last region went out of sync */
};

enum opening_step {
	OPENING_NONE,
	OPENING_READ_HEAD,
	OPENING_READ_BASE,
	OPENING_READ_SLOT_HEADERS,
	OPENING_WAIT_PROOF,
	OPENING_READ_SLOTS,
	OPENING_WRITE_MERGED,
	OPENING_WRITE_BASE,
	OPENING_WRITE_SLOT,
	OPENING_WRITE_SUPERBLOCK,
	OPENING_WRITE_SLOT_HEADER,
	OPENING_WRITE_HEADER,
};

struct opening {
	enum opening_step step;
	bool reading;
	bool failed; /* the log device could not be read or written: the log works without it, and FLUSH fails */
	uint32_t table;
	uint64_t cursor;       /* bytes read so far, or slot number */
	uint64_t valid_count;  /* base bits below this are believed */
	const char *origin;    /* for people: where the state came from */
	bool superblock_valid; /* `old` has been decoded */
	bool slots_valid;      /* slots of `old` count */
	bool waiting_told;
	struct disk_superblock old;
	uint32_t merge[DISK_SLOTS_MAX]; /* slots to be merged */
	uint32_t merge_count;
	uint32_t merge_at;
	uint32_t unproven; /* slots whose owner may be alive; one of them: */
	uint32_t unproven_slot;
	uint32_t unproven_node;
	bool everything_dirty; /* a slot in use cannot be read */
	uint8_t random_id[DISK_ID_BYTES];
};

enum closing_step {
	CLOSING_NONE,
	CLOSING_DRAIN,
	CLOSING_FLUSH,
	CLOSING_LEGS,
	CLOSING_BASE,
	CLOSING_SLOT,
	CLOSING_HEADER,
	CLOSING_SUPERBLOCK,
	CLOSING_LEAVE,
};

struct closing {
	enum closing_step step;
	uint32_t table;
	bool failed;
	bool opened_legs; /* they were not open: it was tried once more, to flush them */
};

enum device_state { DEVICE_CLOSED, DEVICE_OPENING, DEVICE_OPEN, DEVICE_CLOSING };

struct log {
	uint32_t index;
	void *memory;
	struct log_name name;
	enum log_type type;
	uint64_t region_count;
	uint32_t region_sectors;
	enum log_phase phase;
	struct replicated replicated;
	uint32_t tables; /* that refer to it */
	uint32_t live;   /* the table of this node that is resumed, or NO_INDEX */
	uint64_t deadline_ms;
	bool again;            /* a table changed its phase: the pump goes round once more */
	uint64_t active_ms;    /* last request of the kernel that has to do with I/O */
	uint64_t reporter;     /* luid that reported the regions in `reported` */
	uint64_t unknown_luid; /* luid with an unknown past: nothing is copied while it exists */

	/* holds */
	struct bitmap marked; /* by the kernel, not cleared since */
	struct bitmap held;   /* granted: the slot bit is on the device, or all members confirmed */
	struct bitmap pending;   /* marked, hold wanted */
	struct bitmap leaving;   /* let go: the slot bit may go after a flush of the legs */
	struct bitmap releasing; /* the same, and the flush has begun */
	struct bitmap gained;    /* copied: the base bit may come after a flush of the legs */
	struct bitmap gaining;   /* the same, and the flush has begun */
	struct bitmap windowed;  /* in a window: no hold may begin */
	struct idle idle;
	bool everything_held;
	enum release_state release;
	uint64_t release_ticket;
	uint64_t release_due_ms;
	bool losing;        /* what is held is being multicast as lost */
	bool losing_flying; /* one such message is under way */

	/* the log device */
	enum device_state device;
	uint64_t device_bytes;
	uint32_t block_bytes;
	bool device_failed;
	uint64_t write_retry_ms;
	uint32_t io_flying;
	struct disk_superblock superblock;
	struct disk_layout layout;
	uint32_t own_slot; /* or NO_INDEX */
	struct image base; /* header, superblock and base bitmap */
	struct image slot; /* own slot */
	struct opening opening;
	struct closing closing;

	struct copier copier;

	uint64_t slot_writes, base_writes, leg_flushes, regions_copied, requests;
};

#define UNKNOWN_REQUESTS_MAX 64

/* A request of a luid that nobody has constructed yet. */
struct unknown_request {
	char uuid[REQUEST_UUID_SIZE];
	uint64_t luid;
	enum request_type type;
	uint32_t seq;
	uint32_t version; /* 0: free */
	uint64_t since_ms;
};

struct core {
	struct core_config config;
	effect_function *effect;
	void *effect_context;
	uint64_t now_ms;
	uint64_t start_ms;
	uint64_t timer_ms;   /* as last set */
	bool pump_all;       /* a log was closed: others may have waited for it */
	uint32_t tables_end; /* indices in use are below this */
	uint32_t logs_end;
	uint32_t table_count;
	struct table tables[CORE_TABLES_MAX];
	struct log *logs[CORE_LOGS_MAX];
	uint32_t unknown_next;
	struct unknown_request unknown_requests[UNKNOWN_REQUESTS_MAX];
	uint32_t predecessor_count;
	char predecessors[CORE_PREDECESSORS_MAX][REQUEST_UUID_SIZE];
};

/* ---- registry.c ---- */

struct table *table_find(struct core *core, const char *uuid, uint64_t luid);
struct log *table_log(struct core *core, const struct table *table);
uint32_t table_index(const struct core *core, const struct table *table);
struct log *log_find(const struct core *core, const struct log_name *name);
void log_name_of(const char *uuid, const struct constructor *constructor,
		 struct log_name *ret_name);
size_t log_memory_bytes(const struct core_config *config, const struct constructor *constructor);
struct log *log_build(struct core *core, uint32_t index, const struct log_name *name,
		      const struct constructor *constructor, void *memory);
void log_free(struct core *core, struct log *log);

/* ---- core.c ---- */

/* The live table of this uuid has a past that nobody here knows. */
void predecessor_add(struct core *core, const char *uuid);
void emit(struct core *core, const struct effect *effect);
void emit_event(struct core *core, const struct log *log, const struct effect_event *event);
void emit_table(struct core *core, enum effect_type type, const struct table *table);
void multicast(struct core *core, const struct log *log, struct group_message *message);
/* Notes that a request waits.  It goes on with the old one's time when it is a repetition. */
void waiting_note(struct core *core, struct table *table, const struct request *request);
/* Answers a waiting request, if it is still there. */
void answer_waiting(struct core *core, struct table *table, enum request_type type, int error,
		    const void *payload, uint32_t payload_bytes);
void answer_waiting_flag(struct core *core, struct table *table, enum request_type type,
			 int64_t flag);
/* Makes the log's timer go off no later than that. */
void log_wake_at(struct log *log, uint64_t when_ms);
/* Does what has become possible. */
void log_pump(struct core *core, struct log *log);

/* ---- lifecycle.c: CTR, DTR, PRESUSPEND, POSTSUSPEND, RESUME ---- */

void lifecycle_ctr(struct core *core, const struct request *request, void *memory);
void lifecycle_request(struct core *core, struct table *table, const struct request *request);
void lifecycle_device_opened(struct core *core, const struct input_device_opened *device);
void lifecycle_device_closed(struct core *core, uint32_t log);
void lifecycle_pump(struct core *core, struct log *log);
/* The log is open: tables that wait in RESUME go on. */
void table_live(struct core *core, struct table *table);

/* ---- unknown.c ---- */

void unknown_ask(struct core *core, const struct request *request);
/* A request that comes before its table is live: it is told to come again when that is so. */
void unknown_hold(struct core *core, const struct request *request);
/* Makes the kernel ask something of the live table with this uuid. */
void unknown_provoke(struct core *core, const char *uuid, uint64_t luid);
/* The table is live: what waited for that comes again. */
void unknown_live(struct core *core, struct table *table);
/* The table answers now, or is gone: what waited for it comes again. */
void unknown_again(struct core *core, const struct table *table);
void unknown_provoked(struct core *core, const struct input_provoked *provoked);
/* The table has been constructed: what waited for that waits for its RESUME now. */
void unknown_adopt(struct core *core, struct table *table);

/* ---- requests.c: everything else the kernel asks ---- */

void request_answer(struct core *core, struct table *table, const struct request *request);
/* Can a request of this type have made something possible, when it has been answered? */
bool request_changes(enum request_type type);

/* ---- hold.c ---- */

void hold_mark(struct log *log, uint64_t region);
void hold_clear(struct core *core, struct log *log, uint64_t region);
/* Refused by this node in a window: the kernel has it marked. */
bool hold_refuses(const struct log *log, uint64_t region);
/* An idle hold is let go for a window: in memory at once, on the device later. */
/* The hold of a region that has left the idle list ends: at once for a core log, behind a flush of the legs for a
 * disk log. */
void hold_idle_ends(struct log *log, uint64_t region);
void hold_let_go(struct log *log, uint64_t region);
/* Grants what can be granted and answers a FLUSH that has nothing to wait for any more. */
void hold_pump(struct core *core, struct log *log);

/* ---- release.c ---- */

/* Starts and carries on the flush of the legs behind which slot bits go and base bits come. */
void release_pump(struct core *core, struct log *log);
/* Closing: all holds end and all gains go to the base, behind one flush of the legs. */
void release_all(struct core *core, struct log *log, struct table *table);
void release_flushed(struct core *core, struct log *log, int status);
/* The node's I/O has drained: nothing is marked or held any more. */
void hold_forget_marks(struct log *log);
/* Multicasts as lost what is held, or gained and not yet on the base: a leg did not keep it. */
void hold_lose_all(struct core *core, struct log *log, int status);
void hold_lose_pump(struct core *core, struct log *log);

/* ---- device_io.c: the images and the log device ---- */

void device_pump(struct core *core, struct log *log);
void device_written(struct core *core, const struct input_io *io);
void device_read(struct core *core, struct log *log, uint64_t offset_bytes, uint64_t length_bytes);
void device_put_header(struct log *log, uint64_t nr_regions);
void device_put_superblock(struct log *log);
void device_put_slot_header(struct core *core, struct log *log, enum disk_slot_state state);

/* ---- opening.c, opening_read.c, closing.c ---- */

void opening_begin(struct core *core, struct log *log, uint32_t table);
void opening_pump(struct core *core, struct log *log);
void opening_read(struct core *core, struct log *log, const struct input_io *io);
void opening_fail(struct core *core, struct log *log, int status, const char *what);
void opening_next(struct log *log, enum opening_step step);
/* opening_read.c: true when this step has nothing more to read. */
bool opening_read_more(struct core *core, struct log *log);
void closing_begin(struct log *log, uint32_t table);
void closing_pump(struct core *core, struct log *log);
void closing_left(struct core *core, struct log *log, const struct group_message *message);
void closing_write_failed(struct core *core, struct log *log, int status);

/* ---- health.c: live tables and their legs ---- */

void legs_input(struct core *core, const struct input *input);
void table_open_legs(struct core *core, struct table *table);
void table_close_legs(struct core *core, struct table *table);
void legs_pump(struct core *core, struct table *table);
/* Asks for a reading of the letters that begins after this call; it is there when
 * table->health_done >= the ticket returned. */
uint64_t health_ask(struct table *table);
bool health_failed(const struct table *table);
bool health_primary_failed(const struct table *table);
/* A leg failed: it counts as failed as long as the table lives. */
void health_leg_failed(struct table *table);

/* ---- copying.c, touch.c ---- */

void copying_pump(struct core *core, struct log *log);
void copying_copied(struct core *core, const struct input_copied *copied);
/* No copy is under way and no window of ours is left. */
bool copying_idle(const struct log *log);
/* A claim of some member was delivered; `taken` when it has become a window. */
void copying_claimed(struct core *core, struct log *log, const struct group_message *message,
		     bool taken);
/* All members have answered; window->refused is about to leave the window. */
void copying_granted(struct core *core, struct log *log, const struct window *window);
/* May this node copy now?  Not while suspending, with a failed leg, or a table whose past is unknown. */
bool copying_allowed(struct core *core, struct log *log);
void touch_ask(struct core *core, struct table *table, const struct request *request);
void touch_pump(struct core *core, struct log *log);
void touch_refused(struct core *core, struct log *log, uint64_t region);

/* ---- replicated.c ---- */

void replicated_deliver(struct core *core, const struct group_message *message);
struct window *window_find(struct log *log, uint32_t claimer, uint32_t number);
bool replicated_legs_failed(const struct log *log);

#endif
