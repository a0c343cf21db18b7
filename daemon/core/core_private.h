/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner state of the core: tables, logs, and what the rooms of daemon/core call of each other.
 *
 * struct group (group_state.h) and struct replicated hold what all members have in common.  The first is written by
 * group.c, views.c, proof.c, directory.c, directory_codec.c, members.c and opened_take() of opening.c; the second by
 * replicated.c, windows.c, core_hold.c and snapshot.c, by opening.c while nobody else has it, and by membership.c, which
 * forgets it.  All else is about this node alone.  Progress is made by log_pump(), which looks at the state after every
 * input and does what has become possible; nothing depends on having been told at the right moment.
 *
 * A letter and a number in a comment (F19, H2) name a case of tests/sim/cases.tsv, which tells what covers it.
 */
#ifndef DMCLOGD_CORE_PRIVATE_H
#define DMCLOGD_CORE_PRIVATE_H

#include "bitmap.h"
#include "core.h"
#include "group_state.h"
#include "idle.h"
#include "image.h"
#include "kept.h"

#define NO_INDEX UINT32_MAX
#define WINDOWS_MAX 64
/* Daemons of one node number their windows from different places. */
#define WINDOW_NUMBER_BITS 16
#define OWN_WINDOWS_MAX 3

/* A claim not granted by then is given back; an IN_SYNC waits no longer (H7, G1). */
#define CLAIM_LIMIT_MS 1000
/* Background copying rests longer each time, at most 1 << this times as long. */
#define LATE_CLAIMS_MAX 5
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
/* A suspend waits no longer for the group to go on. */
#define INACTIVE_LIMIT_MS 1000
/* After a failed write, a failed copy or an unreadable table. */
#define RETRY_MS 1000
/* After an Opening that failed on all nodes. */
#define OPEN_RETRY_MS 5000
/* A claim is no larger than what is copied in so long. */
#define WINDOW_TARGET_MS 500
#define WINDOW_BUSY_SHARE 16
/* Requests of the kernel within so long make background copying step back. */
#define BUSY_MS 50
/* While it steps back it rests so many times as long as the last copy took. */
#define BUSY_REST_FACTOR 8

/* ---- replicated ---- */

/* A set of regions that one member may copy and nobody may begin to hold. */
struct window {
	bool used;
	bool granted;
	uint32_t claimer;
	uint32_t number;
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
	uint64_t unanswered; /* bit i: member i has not answered the claim */
	uint64_t inside;     /* bit i: region i belongs to the window */
	uint64_t locked;     /* subset of inside: nobody begins to hold it */
	uint64_t refused;    /* bit i: some member refuses region i */
	uint64_t spoiled;    /* bit i: region i was lost after the claim: a copy does not count */
};

/* What all followers of a log have in common, but for who they are: struct entry. */
struct replicated {
	struct bitmap out;      /* not in sync */
	struct bitmap lost;     /* subset of out: was in sync once; the rest was never */
	struct bitmap reported; /* reported out of sync by a kernel that has not forgotten it */
	struct bitmap claimed;  /* in a window */
	struct window windows[WINDOWS_MAX];
	uint32_t windows_used;
	uint64_t losses;  /* messages that made regions lost */
	uint64_t durable; /* the base on the device shows so many of them */
	/* of the superblock */
	uint8_t id[DISK_ID_BYTES];
	uint64_t generation;
	struct disk_layout layout;
	uint64_t reporter
		[CORE_NODES_MAX]; /* by member: the luid that reported regions in `reported`, or 0 */
	struct bitmap holds[CORE_NODES_MAX]; /* by member: see core_hold.c, proxy.c */
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
	bool past_unknown; /* that has ended: nobody knows what its kernel marked meanwhile */
	bool resumed_once;
	bool join_sent;
	bool deleting; /* DTR came */
	bool io_seen;  /* the kernel asked about I/O since the RESUME */
	bool was_live; /* ... when an earlier daemon was killed, and nothing of it since that only a live table asks */
	uint32_t loops; /* CTRs of the kernel's reconnect loop whose RESUME has not come yet */
	bool echo;      /* the RESUMEs that wait are all of that loop: see is_echo() */
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
	bool flush_failed; /* a leg lost what its cache held; so says this node, or another */
	bool flush_told;
	bool leg_failed; /* a leg failed a write or a flush, or had a letter that was not A */
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
	bool stale;    /* claimed before the operator changed the pace: goes back as it is */
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
	uint64_t cursor;        /* background copying goes on here */
	uint64_t copy_ms;       /* mean duration of a copy, times 16 */
	uint64_t not_before_ms; /* no background copy before: rate, rest, failure */
	uint32_t failures;      /* in a row */
	uint32_t late_claims;   /* not granted in time, in a row */
	uint64_t fallback_until_ms; /* a claim was not granted: IN_SYNC is answered at once until then */
	uint64_t touched;           /* region that an IN_SYNC waits for, or BITMAP_NONE */
	uint64_t touched_ms;        /* a touched region was copied */
	struct refusal refusals[REFUSALS_MAX];
	uint32_t next_refusal;
	uint64_t refusals_until_ms; /* the newest one's */
	bool announced; /* EVENT_IN_SYNC was given since the last region went out of sync */
};

enum opening_step {
	OPENING_NONE,
	OPENING_WAIT_MEMBERS,
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
	OPENING_FAILED, /* what is under way must end first */
};

struct opening {
	enum opening_step step;
	bool reading;
	bool kept; /* core log: the state that this node has is what all had until now */
	bool failed; /* the log device could not be read or written: the log works without it, and FLUSH fails */
	uint32_t table;
	uint64_t cursor;       /* bytes read so far, or slot number */
	uint64_t valid_count;  /* base bits below this are believed */
	const char *origin;    /* for people: where the state came from */
	bool superblock_valid; /* `old` has been decoded */
	bool slots_valid;      /* slots of `old` count */
	bool waiting_told;
	bool read_again; /* the owner of a slot was not proven at once */
	struct disk_superblock old;
	uint32_t merge[DISK_SLOTS_MAX];                /* slots to be merged */
	struct disk_slot_header owner[DISK_SLOTS_MAX]; /* of slot merge[i] */
	uint32_t merge_count;
	uint32_t merge_at;
	uint32_t unproven;     /* WAIT_PROOF: the owner of slot merge[i] is not proven stopped */
	bool everything_dirty; /* a slot in use cannot be read */
	uint8_t random_id[DISK_ID_BYTES];
};

enum closing_step {
	CLOSING_NONE,
	CLOSING_DRAIN,
	CLOSING_LEAVING,
	CLOSING_OTHERS,
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
	bool alone;           /* the group was lost: nothing is said to it */
	uint64_t inactive_ms; /* since when there is no epoch, or 0 */
	bool opened_legs;     /* they were not open: it was tried once more, to flush them */
};

/* The base image: whose is it? */
enum base_role { BASE_NONE, BASE_READING, BASE_OURS };

enum takeover_step {
	TAKEOVER_NONE,
	TAKEOVER_HEADER,
	TAKEOVER_BITMAP,
	TAKEOVER_TELL,
	TAKEOVER_DURABLE,
	TAKEOVER_FREE,
	TAKEOVER_FREEING,
	TAKEOVER_MERGED,
};

/* The slot of a node that is proven stopped, on its way into the base: see disk_role.c. */
struct takeover {
	enum takeover_step step;
	uint32_t node;
	uint32_t slot;
	uint64_t cursor;
	uint32_t losses_flying;
	bool merged_sent; /* MERGED has not come back */
};

enum enter_step {
	ENTER_NONE,
	ENTER_READ,
	ENTER_READING,
	ENTER_SLOT,
	ENTER_SLOT_WRITING,
	ENTER_HEADER_WRITING,
};

/* What is read from the log device, and for whom. */
enum read_purpose { READ_OPENING, READ_ENTER, READ_BASE, READ_TAKEOVER };

/* A wish of this node to hold regions of a core log. */
struct wish {
	bool asked, delivered;
	uint64_t number;
	uint64_t confirmed; /* bit i: by member i */
	uint32_t needed
		[CORE_NODES_MAX]; /* by member: who followed the log when it was delivered, or 0 */
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
};

enum device_state { DEVICE_CLOSED, DEVICE_OPENING, DEVICE_OPEN, DEVICE_CLOSING };

/* What a member asks this node to hold for it: see proxy.c. */
struct proxied {
	bool wanted;
	uint32_t node;
	uint64_t number;
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
};

/* ENTER, and who has not answered it: see heard.c. */
struct heard {
	uint64_t number; /* 0: it was not said */
	bool delivered;
	uint32_t missing[CORE_NODES_MAX]; /* node ids, or 0 */
};

struct log {
	uint32_t index;
	void *memory;
	void *kept_memory;
	struct kept *kept; /* see kept.h; of a core log it is not kept */
	bool kept_found;   /* a daemon of before left it, and no table has joined since */
	bool kept_looped; /* kept->looping, as it was found: any region may have been written on one leg */
	bool goes_on; /* for a table that joins, which that daemon served; false as soon as it is live */
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
	uint64_t unknown_luid; /* luid with an unknown past: nothing is copied while it exists */

	/* its part in the log */
	bool has_state; /* `replicated` is what all followers have */
	bool importing; /* a snapshot is being read */
	bool import_failed;
	bool rejoin_wanted; /* it must be fetched once more */
	bool rejoin_sent;
	bool leave_sent;
	bool left_alone; /* a suspend was answered without the group: what it held stands in the slot */
	bool report_sent; /* the LOST that SET_REGION_SYNC waits for is under way */
	bool reclaiming;
	struct bitmap
		unsynced; /* reported by the kernel: its table writes them on one leg, unmarked */
	uint64_t unsynced_luid; /* ... of this luid */
	bool unsynced_told;     /* to the group, whose state lacked it */
	struct bitmap reclaim;  /* out of sync in a state that did not count */
	struct catch_up catch_up;
	struct heard heard;
	enum enter_step entering;
	uint64_t slot_generation; /* of the superblock when the own slot was written */

	/* holds */
	bool unflushed_marks; /* the kernel marked something since a FLUSH was last answered */
	struct wish wish;
	uint32_t hold_granularity;
	bool by_proxy;   /* this node cannot write its slot, or has none */
	bool device_bad; /* by_proxy, and not just for want of a slot */
	bool role_given_up; /* by a HEALTH that is on its way: the disk role is another one's from there on */
	bool device_told;
	uint32_t proxy_node; /* that was asked last */
	uint64_t enter_retry_ms;
	uint64_t open_retry_ms;
	bool open_failed_told;
	struct proxied proxied[CORE_NODES_MAX]; /* by member */
	struct bitmap marked;                   /* by the kernel, not cleared since */
	struct bitmap held; /* granted: the slot bit is on the device, or all members confirmed */
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
	uint64_t release_losses; /* so many must stand on the device before slot bits go */
	bool losing;             /* what is held is being multicast as lost */
	bool losing_flying;      /* one such message is under way */

	/* the log device */
	enum device_state device;
	uint64_t device_bytes;
	uint32_t block_bytes;
	bool device_failed;
	uint64_t write_retry_ms;
	uint32_t io_flying;
	uint32_t reads_flying;
	enum read_purpose read_purpose;
	enum base_role base_role;
	bool base_frozen; /* header, superblock, base and slots of others are not to be written */
	uint64_t base_cursor;
	uint64_t base_retry_ms;
	uint64_t durable_sent;
	bool slot_wait_told; /* EVENT_WAITING_FOR_SLOT for a FLUSH */
	bool settled_sent;   /* DURABLE for the base as it was found */
	struct takeover takeover;
	bool freeing; /* the header of another node's slot is being written, at: */
	uint64_t freeing_bytes;
	uint8_t freeing_header[DISK_SLOT_HEADER_BYTES];
	struct bitmap
		undurable; /* lost, and nobody has said yet that the base shows it; may be too many */
	struct bitmap merging; /* what the slot that is taken over covers */
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
	bool provoked;    /* a status, when it came */
	uint64_t since_ms;
};

struct core {
	struct core_config config;
	effect_function *effect;
	void *effect_context;
	uint64_t now_ms;
	uint64_t start_ms;
	uint64_t timer_ms;    /* as last set */
	uint64_t deadline_ms; /* of the core itself, beside its logs */
	bool pump_all;        /* what concerns all logs has changed */
	struct group group;
	struct local_group_state local;
	uint32_t tables_end; /* indices in use are below this */
	uint32_t logs_end;
	uint32_t table_count;
	uint32_t windows; /* number of the next one; a late answer to one of before must not count for it */
	struct table tables[CORE_TABLES_MAX];
	struct log *logs[CORE_LOGS_MAX];
	uint32_t unknown_next;
	struct unknown_request unknown_requests[UNKNOWN_REQUESTS_MAX];
	uint32_t predecessor_count;
	char predecessors[CORE_PREDECESSORS_MAX][REQUEST_UUID_SIZE];
};

#include "rooms.h"

#endif
