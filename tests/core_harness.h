/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives one core in a test: collects its effects, delivers its messages, and plays log device, legs and clock.
 *
 * Every effect that wants an answer becomes a job.  A job is done at once, in order, unless its kind is kept back (`keep`): then the
 * test finishes it when and how it likes.  Messages are delivered in the order in which they were sent, before any
 * job is done.  Time moves only in harness_advance().  Limits: HARNESS_* below; to exceed one aborts the test.
 */
#ifndef DMCLOGD_TESTS_CORE_HARNESS_H
#define DMCLOGD_TESTS_CORE_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"

#define HARNESS_JOBS_MAX 256
#define HARNESS_ANSWERS_MAX 4096
#define HARNESS_LOGS_MAX 64
#define HARNESS_TRACE_MAX 65536
#define HARNESS_ASKED_MAX 256 /* requests that can still be sent again */
#define HARNESS_EVENTS (EVENT_KNOWN_PAST + 1)
#define HARNESS_EFFECTS (EFFECT_EVENT + 1)
/* Jobs done without time passing: more is a core that runs in circles. */
#define HARNESS_STEPS_MAX 20000

/* The mirror of most tests: 64 regions of 1024 sectors. */
#define HARNESS_UUID "LVM-abc"
#define HARNESS_DISK "65536 clustered-disk 254:0 1024"
#define HARNESS_CORE "65536 clustered-core 1024"
#define HARNESS_REGIONS 64
#define HARNESS_REGION_SECTORS 1024
#define HARNESS_PEER_LUID 0x7000

struct harness_job {
	bool used;
	struct effect effect; /* io.data is the job's own copy */
	uint8_t *data;
};

struct harness_asked {
	struct request request;
	bool again;        /* answered -EAGAIN */
	uint32_t next_seq; /* sent again as this one, or 0 */
};

struct harness_kept {
	void *memory;
	uint64_t name;
	size_t bytes;
};

struct harness {
	/* To be set before harness_start(), where the zeroes do not fit. */
	struct core_config config;
	uint8_t *disk;
	uint64_t disk_bytes; /* 0: 64 KiB */
	uint32_t block_bytes;
	const char *uuid; /* of harness_ctr() and harness_ask() */
	bool watch_quiet; /* abort when the core, asked again, would still do something */
	/* Takes messages to a group that the test has made; NULL: one of this node alone, which harness_start() begins. */
	void (*send)(void *context, const struct group_message *message);
	void *send_context;

	struct core *core;
	uint64_t now_ms;
	uint64_t timer_ms;
	uint32_t seq;
	bool running;
	bool spun; /* HARNESS_STEPS_MAX jobs were done at one instant: the harness has stopped doing any */

	/* How jobs end, and which are kept back, by effect type. */
	bool keep[HARNESS_EFFECTS];
	int status[HARNESS_EFFECTS];
	bool keep_messages;
	bool peers_grant; /* the other members grant what this one claims */
	char letters[CORE_LEGS_MAX + 1];
	bool suspended; /* as the kernel says with the letters */
	/* As the kernel does: what is answered -EAGAIN is sent again at once, and that answer counts. */
	bool resend;

	struct harness_job jobs[HARNESS_JOBS_MAX];
	uint32_t first_job;
	uint32_t next_job; /* jobs are used in a ring: first_job to next_job */
	struct group_message messages[HARNESS_JOBS_MAX];
	uint8_t *message_data[HARNESS_JOBS_MAX];
	uint32_t first_message;
	uint32_t next_message;
	uint32_t members[CORE_NODES_MAX]; /* of the group, ourselves included; ids rise */
	uint32_t member_count;
	struct group_message hello; /* the last one of this node */

	struct harness_asked asked[HARNESS_ASKED_MAX]; /* by seq */
	uint32_t resend_count;                         /* wait to be sent again */
	struct answer answers[HARNESS_ANSWERS_MAX];
	uint32_t answer_count;
	struct effect_event last_event[HARNESS_EVENTS];
	char last_text[HARNESS_EVENTS][256];
	uint32_t events[HARNESS_EVENTS];       /* how often */
	uint32_t effects[HARNESS_EFFECTS];     /* how often */
	char provoked_uuid[REQUEST_UUID_SIZE]; /* of the last EFFECT_PROVOKE */
	uint64_t provoked_luid;
	uint8_t trace[HARNESS_TRACE_MAX]; /* effect types, oldest first */
	uint32_t trace_count;
	uint64_t copies[HARNESS_ANSWERS_MAX]; /* regions, as EFFECT_COPY came */
	uint32_t copy_count;
	void *memories[HARNESS_LOGS_MAX];           /* given with a CTR and not released */
	struct harness_kept kept[HARNESS_LOGS_MAX]; /* so */
	bool keeps;                                 /* it outlives the daemon */
};

/* A core with `harness->config` (zero fields get defaults: node 1, cluster "none", 16 hot regions, 15 s idle, 4 slots, 4
 * copies) and an empty log device. */
void harness_start(struct harness *harness);
/* The daemon dies and another one starts, in the same boot unless the test changes config.  The disk stays; jobs,
 * messages and everything collected are forgotten. */
void harness_restart(struct harness *harness);
void harness_stop(struct harness *harness);
/* A live table with this uuid was served by a daemon of before. */
void harness_predecessor(struct harness *harness, const char *uuid);

/* Sends a request and lets the core run; returns its seq. */
uint32_t harness_ctr(struct harness *harness, uint64_t luid, const char *constructor);
uint32_t harness_ask(struct harness *harness, enum request_type type, uint64_t luid);
uint32_t harness_ask_region(struct harness *harness, enum request_type type, uint64_t luid,
			    uint64_t region);
uint32_t harness_ask_request(struct harness *harness, const struct request *request);

/* Sends one request again that was answered -EAGAIN; false: none waits for that. */
bool harness_resend_one(struct harness *harness);

/* The answer to that seq, with `resend` to what it was sent again as; or NULL. */
const struct answer *harness_answer(const struct harness *harness, uint32_t seq);
bool harness_answered(const struct harness *harness, uint32_t seq, int error);
/* The int64 or u64 in an answer without error; aborts when it is not there. */
uint64_t harness_number(const struct harness *harness, uint32_t seq);

/* The oldest job of this type that was kept back, or NULL. */
struct harness_job *harness_job(struct harness *harness, enum effect_type type);
uint32_t harness_job_count(struct harness *harness, enum effect_type type);
/* Ends a job, and lets the core run. */
void harness_finish(struct harness *harness, struct harness_job *job, int status);
/* Ends all jobs of this type, those that come of it too if they are kept back. */
void harness_finish_all(struct harness *harness, enum effect_type type, int status);

/* Delivers one message (also one that no core ever sent), or the oldest that is kept back. */
void harness_deliver(struct harness *harness, const struct group_message *message);
bool harness_deliver_next(struct harness *harness);

void harness_input(struct harness *harness, struct input *input);
/* Does all that can be done now. */
void harness_run(struct harness *harness);
/* Lets time pass, timers go off on the way. */
void harness_advance(struct harness *harness, uint64_t ms);

/* CTR and RESUME of a disk log, and all that comes of it. */
void harness_open(struct harness *harness, uint64_t luid);
/* PRESUSPEND, POSTSUSPEND; with the DTR too. */
void harness_suspend(struct harness *harness, uint64_t luid);
void harness_destroy(struct harness *harness, uint64_t luid);
/* MARK and FLUSH of one region; returns the seq of the FLUSH. */
uint32_t harness_write(struct harness *harness, uint64_t luid, uint64_t region);
/* How many logs have memory. */
uint32_t harness_memory_count(const struct harness *harness);
struct core_log_status harness_status(const struct harness *harness);

/* ---- the group, its other members made up by the test: core_harness_group.c ---- */

/* A message about the log of HARNESS_UUID and HARNESS_DISK, as node `sender` sends it. */
struct group_message harness_message(enum group_message_type type, uint32_t sender);
/* What a daemon that has just been started says. */
struct group_message harness_hello(uint32_t node);
/* The first view, of this node alone, and quorum.  Effects until then do not count. */
void harness_group_begin(struct harness *harness);
void harness_quorum(struct harness *harness, bool quorate);
/* It joins the group, and has the group's state when this returns; what is multicast meanwhile is delivered. */
void harness_peer_comes(struct harness *harness, uint32_t node);
/* The same, if need be; and its table of HARNESS_DISK is resumed, with luid HARNESS_PEER_LUID + node. */
void harness_peer_joins(struct harness *harness, uint32_t node);
/* It leaves the group.  The node list stays as it was until harness_quorum(). */
void harness_peer_goes(struct harness *harness, uint32_t node, enum view_reason reason);

/* ---- the log device: core_harness_disk.c ---- */

/* What stands there. */
uint64_t harness_header(const struct harness *harness);
int harness_superblock(const struct harness *harness, struct disk_superblock *ret_superblock);
int harness_slot(const struct harness *harness, uint32_t slot, struct disk_slot_header *ret_slot);
bool harness_base_bit(const struct harness *harness, uint64_t region);
bool harness_slot_bit(const struct harness *harness, uint32_t slot, uint64_t bit);
/* The truth on disk, as disk_format.h tells it. */
bool harness_disk_clean(const struct harness *harness, uint64_t region);

/* Puts a log on the device: the kernel's with nr_regions, all bits below `clean` set. */
void harness_put_kernel_log(struct harness *harness, uint64_t nr_regions, uint64_t clean);

#endif
