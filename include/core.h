/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core: one node's dirty-region logs, as a pure state machine.
 *
 * It does no I/O, reads no clock, allocates nothing, logs nothing and has no globals.  It is entered by one
 * function, core_step(), with one input; what is to be done comes out as effects, through the function given
 * at core_init(), in the order in which they must be carried out.  The effect function must not
 * call core_step() again before the step that calls it has returned.
 *
 * Replicated state changes only by INPUT_DELIVERED and INPUT_VIEW: every change of a log goes out as EFFECT_MULTICAST
 * and takes effect when the group brings it back, to all members in the same order.  Who loses the group loses the right
 * to say what holds: after INPUT_NO_GROUP its state is fetched, or compared, anew.
 *
 * Names: a *table* is one constructed luid (a dm table's log); a *log* is what tables with the same uuid, geometry
 * and log device share.  Both are small integers, valid from their first effect to EFFECT_RELEASE_MEMORY
 * (log) and the answer to DTR (table).
 */
#ifndef DMCLOGD_CORE_H
#define DMCLOGD_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "constructor.h"
#include "disk_format.h"
#include "group_message.h"
#include "request.h"

#define CORE_TABLES_MAX 1024
#define CORE_LOGS_MAX 1024
/* Live tables of a predecessor that are remembered until they are seen. */
#define CORE_PREDECESSORS_MAX 1024
#define CORE_LEGS_MAX 32
/* No write or read of a log device is longer; at most CORE_IO_MAX of a log are under way at once. */
#define CORE_IO_BYTES_MAX 65536
#define CORE_IO_MAX 8
/* Nodes of a cluster, and so members of a log. */
#define CORE_NODES_MAX 32
/* Copies of one log under way at once, the one for a touched region included. */
#define CORE_COPIES_MAX 8

/* ---- inputs ---- */

enum input_type {
	INPUT_PREDECESSOR, /* at the start: a live table was served by a daemon of before */
	INPUT_REQUEST,     /* the kernel asks */
	INPUT_DELIVERED,   /* the group delivers a message (our own too) */
	INPUT_VIEW,        /* the group has other members than before; the first one contains us */
	INPUT_NO_GROUP, /* the connection to the group is lost: a first view and QUORUM come again */
	INPUT_QUORUM,   /* quorum was gained or lost, or the cluster's membership changed */
	INPUT_FENCED,   /* somebody who must know says that a node has been stopped */
	INPUT_CONTROL,  /* the operator pauses or limits the copying of a log, on all nodes */
	INPUT_FAIL,     /* the operator ends every wait of a uuid's tables on this node */
	INPUT_DEVICE_OPENED, /* answers EFFECT_OPEN_DEVICE */
	INPUT_DEVICE_CLOSED, /* answers EFFECT_CLOSE_DEVICE */
	INPUT_READ,          /* answers EFFECT_READ */
	INPUT_WRITTEN,       /* answers EFFECT_WRITE */
	INPUT_LEGS_OPENED,   /* answers EFFECT_OPEN_LEGS */
	INPUT_LEGS_CLOSED,   /* answers EFFECT_CLOSE_LEGS */
	INPUT_LEGS_FLUSHED,  /* answers EFFECT_FLUSH_LEGS */
	INPUT_HEALTH,        /* answers EFFECT_READ_HEALTH */
	INPUT_COPIED,        /* answers EFFECT_COPY */
	INPUT_PROVOKED,      /* answers EFFECT_PROVOKE */
	INPUT_DM_EVENT, /* some dm device of this node raised an event: health may have changed */
	INPUT_TIME,     /* nothing but time has passed */
};

/* Memory for a log that a CTR may found: see core_ctr_memory_bytes(). */
struct input_request {
	const struct request *request;
	void *memory; /* zeroed, aligned to 64; NULL when core_ctr_memory_bytes() said 0 */
	/* Aligned to 64, NULL when core_ctr_kept_bytes() said 0.  It should outlive this daemon: then it comes as a daemon of
	 * before left it, at whatever instruction that was killed; else zeroed. */
	void *kept;
};

/* Why a member left the group. */
enum view_reason {
	VIEW_LEAVE,     /* of its own will */
	VIEW_NODE_DOWN, /* its node left the cluster */
	VIEW_PROC_DOWN, /* its daemon ended; the node and its kernel may go on */
};

/*
 * A view of the group, in the order of all messages: what was delivered before it was so to all who come from the
 * same view.  Any number of members may have joined and left at once.  Node ids rise; no id stands twice.
 */
struct input_view {
	const uint32_t *members; /* all, us included */
	uint32_t member_count;   /* at most CORE_NODES_MAX */
	const uint32_t *left;
	const enum view_reason *left_reasons;
	uint32_t left_count;
};

/* What votequorum says.  Not ordered with the group's messages. */
struct input_quorum {
	bool quorate;
	const uint32_t *nodes; /* of the cluster, whether a daemon runs on them or not */
	uint32_t node_count;   /* at most CORE_NODES_MAX */
};

/* Counts for the boot of the node that had departed before, and only while the node is out of the cluster (G8). */
struct input_fenced {
	uint32_t node_id;
};

/* Of what nobody waits for, on each member; both are forgotten when nobody uses the log any more.  No more than that in a
 * second: 0 is what the member was started with (core_config.resync_bytes_per_second). */
#define CORE_RATE_UNLIMITED UINT64_MAX
struct input_control {
	const char *uuid;
	bool paused;
	uint64_t bytes_per_second;
};

struct input_device_opened {
	uint32_t log;
	int status; /* 0 or negative errno: not there, not a block device, read-only, ... */
	uint64_t device_bytes;
	uint32_t block_bytes;             /* logical block size: 512 to 4096 */
	uint8_t random_id[DISK_ID_BYTES]; /* fresh randomness, for a new superblock */
};

struct input_io {
	uint32_t log;
	int status; /* 0: all of it was read, or is durable; else negative errno */
	uint64_t offset_bytes;
	uint32_t length_bytes;
	const uint8_t *data; /* INPUT_READ with status 0 only; valid during the step */
};

/* The live table's legs and their health.  letters[i] is the kernel's health letter of leg i ('A' alive; 'F', 'D', 'S', 'R',
 * 'U' failed), leg 0 the primary as the table names it. */
struct input_legs {
	uint32_t table;
	int status;     /* 0; -ENODEV: no live table with this uuid; other negative errno */
	bool suspended; /* LEGS_OPENED, HEALTH: the kernel has the table suspended now */
	uint32_t leg_count;
	char letters[CORE_LEGS_MAX];
};

struct input_copied {
	uint32_t table;
	uint64_t region;
	int status;
};

/* The status of the live table was asked for.  -ENODEV: there is no live table with this uuid. */
struct input_provoked {
	uint64_t luid;
	int status;
};

struct input {
	enum input_type type;
	uint64_t now_ms; /* monotonic; never smaller than before */
	union {
		const char *predecessor; /* PREDECESSOR: the uuid word of a mirror that is live */
		struct input_request request;          /* REQUEST */
		const struct group_message *delivered; /* DELIVERED */
		struct input_view view;                /* VIEW */
		struct input_quorum quorum;            /* QUORUM */
		struct input_fenced fenced;            /* FENCED */
		struct input_control control;          /* CONTROL */
		const char *fail_uuid;                 /* FAIL */
		struct input_device_opened device;     /* DEVICE_OPENED */
		uint32_t log;                          /* DEVICE_CLOSED */
		struct input_io io;                    /* READ, WRITTEN */
		struct input_legs legs;     /* LEGS_OPENED, HEALTH; table and status: LEGS_FLUSHED,
							* LEGS_CLOSED */
		struct input_copied copied; /* COPIED */
		struct input_provoked provoked; /* PROVOKED */
	};
};

/* ---- effects ---- */

enum effect_type {
	EFFECT_ANSWER,       /* send this answer to the kernel */
	EFFECT_MULTICAST,    /* give this message to the group */
	EFFECT_OPEN_DEVICE,  /* open the log device of a log */
	EFFECT_CLOSE_DEVICE, /* close it; no I/O of ours is under way */
	EFFECT_READ,         /* read from the log device */
	EFFECT_WRITE,        /* write to the log device, durably */
	EFFECT_OPEN_LEGS, /* find the live table of a table's uuid, open its legs, read its health */
	EFFECT_CLOSE_LEGS,     /* close them; no copy and no flush is under way */
	EFFECT_FLUSH_LEGS,     /* flush the caches of all legs */
	EFFECT_READ_HEALTH,    /* read the health letters of the live table */
	EFFECT_COPY,           /* copy a region from leg 0 to all others */
	EFFECT_PROVOKE,        /* make the kernel ask something of the live table with this uuid */
	EFFECT_SET_TIMER,      /* step with INPUT_TIME at this time, or soon after */
	EFFECT_RELEASE_MEMORY, /* this memory, given with a CTR, is no longer used */
	EFFECT_EVENT,          /* something happened that people want to know */
};

struct effect_device {
	uint32_t log;
	uint32_t major;
	uint32_t minor;
};

struct effect_io {
	uint32_t log;
	uint64_t offset_bytes; /* a multiple of the logical block size, as is the length */
	uint32_t length_bytes; /* at most CORE_IO_BYTES_MAX */
	const uint8_t *data;   /* EFFECT_WRITE: to be taken before the effect function returns */
};

struct effect_table {
	uint32_t table;   /* not PROVOKE: there is none yet */
	const char *uuid; /* valid while the table is */
	uint64_t luid;
};

/* Region `region` of the mirror begins at offset_sectors of the target on every leg (leg offset to be added by the
 * copier) and is length_sectors long (the last region of a mirror may be shorter). */
struct effect_copy {
	uint32_t table;
	uint64_t region;
	uint64_t offset_sectors;
	uint32_t length_sectors;
};

/* Both may be NULL. */
struct effect_release {
	void *memory;
	void *kept; /* not wanted by a successor either */
};

/* What happened.  The shell words it, once, with its severity. */
enum core_event {
	EVENT_CTR_REFUSED,  /* status, text: why */
	EVENT_OPENED,       /* number: regions out of sync; text: where the state came from */
	EVENT_OPEN_FAILED,  /* status; text: what the log device could not be, as "read" */
	EVENT_CLOSED,       /* number: regions out of sync */
	EVENT_CLOSE_FAILED, /* status: the slot stays in use */
	EVENT_WAITING_FOR_SLOT, /* text: the node, not proven stopped, that an Opening waits for, or (number 1) a FLUSH */
	EVENT_DEVICE_FAILED,    /* status: the log device cannot be written, FLUSH fails */
	EVENT_DEVICE_RECOVERED, /* a write succeeded again */
	EVENT_LEG_FAILED,       /* text: health letters */
	EVENT_LEG_FLUSH_FAILED, /* status; number: regions that count as lost now */
	EVENT_REGION_LOST,      /* region: the kernel reported it out of sync */
	EVENT_COPY_FAILED,      /* region, status */
	EVENT_IN_SYNC,          /* number: regions; the last one has been copied */
	EVENT_LEGS_UNREADABLE,  /* status: the live table cannot be found or read: no copying */
	EVENT_CONFLICT,         /* text: this table's log is in use by another table: FLUSH fails */
	EVENT_REFUSED, /* uuid "": the others take this boot for stopped, or speak another version */
	EVENT_UNKNOWN_PAST, /* an earlier daemon served this table: everything counts as held */
	EVENT_KNOWN_PAST, /* the same, and it left what it knew; number: regions held, region: marked of them */
};

struct effect_event {
	enum core_event event;
	const char *uuid; /* valid during the effect function, as is text */
	uint64_t luid;
	uint64_t region;
	uint64_t number;
	int status;
	const char *text; /* never NULL */
};

struct effect {
	enum effect_type type;
	union {
		struct answer answer;         /* ANSWER */
		struct group_message message; /* MULTICAST */
		struct effect_device device;  /* OPEN_DEVICE, CLOSE_DEVICE */
		struct effect_io io;          /* READ, WRITE */
		struct effect_table
			table; /* OPEN_LEGS, CLOSE_LEGS, FLUSH_LEGS, READ_HEALTH, PROVOKE */
		struct effect_copy copy;       /* COPY */
		uint64_t deadline_ms;          /* SET_TIMER: replaces the one before */
		struct effect_release release; /* RELEASE_MEMORY */
		struct effect_event event;     /* EVENT */
	};
};

typedef void effect_function(void *context, const struct effect *effect);

/* ---- the core ---- */

/* All durations in milliseconds.  Copied at core_init(). */
struct core_config {
	uint32_t node_id; /* 1 and up; --cluster=none: 1 */
	char cluster_name[DISK_CLUSTER_NAME_SIZE];
	uint8_t machine_id[16];
	uint8_t boot_id[16];
	uint64_t incarnation;      /* another for every start of the daemon within a boot */
	uint32_t hot_regions;      /* idle holds kept per log, at least 8 */
	uint32_t idle_ms;          /* an idle hold is let go after so long */
	uint32_t slot_count;       /* for a log device that is set up anew, 1 to DISK_SLOTS_MAX */
	uint32_t copies_in_flight; /* 1 to CORE_COPIES_MAX */
	uint64_t resync_bytes_per_second; /* limit of background copying per log; 0: none */
	uint32_t takeover_delay_ms; /* 0: never take time for a proof that a node is stopped */
};

struct core;

/* Bytes that core_init() needs, for these settings. */
size_t core_bytes(void);

/*
 * Makes a core with no logs in `memory` (core_bytes() zeroed bytes, aligned to 64, owned by the caller, in use until the
 * caller forgets it: there is nothing to tear down).  `effect` is called with `context` during core_step() only.
 * `now_ms` is the time of the start.
 */
struct core *core_init(void *memory, const struct core_config *config, effect_function *effect,
		       void *context, uint64_t now_ms);

/* How many bytes must come with this request as input_request.memory: not 0 only for a CTR that founds a log.  Pure. */
size_t core_ctr_memory_bytes(const struct core *core, const struct request *request);

/*
 * The same for input_request.kept; *ret_name (where it is not 0) is a number that names the log: the same for a successor,
 * another one for other logs (by a hash of 64 bits; what has been mistaken is noticed, and counts as nothing).  Pure.
 */
size_t core_ctr_kept_bytes(const struct core *core, const struct request *request,
			   uint64_t *ret_name);

/* The one entry.  `input` and what it points to belong to the caller and are not kept. */
void core_step(struct core *core, const struct input *input);

/* ---- looking in from outside (status, tests) ---- */

struct core_log_status {
	const char *uuid; /* valid until the next step */
	enum log_type type;
	uint32_t log_major, log_minor;
	uint64_t device_sectors, region_count, region_sectors;
	uint64_t sync_count;     /* regions in sync */
	uint64_t lost_count;     /* was in sync, is not */
	uint64_t held_count;     /* held by this node, idle ones included */
	uint64_t marked_count;   /* marked by the kernel now */
	uint64_t reported_count; /* out of sync, and not copied before the kernel has a new table */
	uint32_t copies;         /* under way on this node */
	bool paused;             /* copying, by INPUT_CONTROL */
	uint64_t bytes_per_second; /* limit of this node's copying; 0: none */
	bool control_rate;         /* it is that of INPUT_CONTROL, not of core_config */
	uint32_t table_count;      /* constructed luids */
	uint32_t resumed_count;    /* of them resumed */
	bool device_failed;
	bool legs_failed;
	bool everything_held; /* see EVENT_UNKNOWN_PAST */
	const char *phase;    /* "closed", "opening", "open", "closing" */
	uint64_t slot_writes; /* writes to the own slot since the log was built */
	uint64_t base_writes; /* writes to header, superblock and base */
	uint64_t leg_flushes;
	uint64_t regions_copied;
	uint64_t requests;
};

/* Fills *ret_status for log number `log` (0 to CORE_LOGS_MAX - 1).  Returns 0, or -ENOENT. */
int core_log_status(const struct core *core, uint32_t log, struct core_log_status *ret_status);

/*
 * What all members at the same point of the order have in common, as a number: of the group, and of log number `log`.
 * 0 while this node does not have that state (it is being fetched).  Obeys the rule that replicated state changes only by
 * a delivered message or a view.
 */
uint64_t core_group_hash(const struct core *core);
uint64_t core_log_hash(const struct core *core, uint32_t log);

/* The number of constructed luids. */
uint32_t core_table_count(const struct core *core);

#endif
