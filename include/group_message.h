/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages by which the members of the group change a log, in one order for all.
 *
 * A port that delivers to itself (--cluster=none) passes the struct through as it is.
 */
#ifndef DMCLOGD_GROUP_MESSAGE_H
#define DMCLOGD_GROUP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/* A window has at most as many regions as a mask has bits. */
#define WINDOW_REGIONS_MAX 64

enum group_message_type {
	MESSAGE_JOIN,   /* a luid resumed: its node follows the log from here on */
	MESSAGE_OPENED, /* the log device has been read and set in use by the member that opens */
	MESSAGE_LEAVE,  /* a luid was suspended, its I/O has drained, its slot is free */
	MESSAGE_LOST,   /* `regions` are out of sync */
	MESSAGE_CLAIM,  /* the sender wants to copy `regions` */
	MESSAGE_CLAIM_ANSWER, /* bit i of `mask`: the sender refuses region i of window `window` */
	MESSAGE_SYNCED,       /* bit i of `mask`: region i of the window has been copied */
	MESSAGE_RETURN,       /* bit i of `mask`: region i leaves the window as it is */
	MESSAGE_VOID,   /* bit i of `mask`: may be written again, but a copy is still under way */
	MESSAGE_HEALTH, /* `legs_failed` at the sender */
};

/* Names a log in the group: what two tables must have in common to share one. */
struct log_name {
	char uuid[REQUEST_UUID_SIZE];
	uint32_t log_type; /* enum log_type */
	uint32_t region_sectors;
	uint64_t device_sectors;
	uint32_t log_major;
	uint32_t log_minor;
};

struct group_message {
	enum group_message_type type;
	uint32_t sender; /* node id; filled in by the core, checked by the port */
	struct log_name log;
	uint64_t luid;         /* JOIN, LEAVE; LOST by a kernel's report: of the reporting table */
	uint32_t window;       /* number of a window, counted by its claimer */
	uint32_t claimer;      /* CLAIM_ANSWER: node id of the window's owner */
	uint64_t mask;         /* CLAIM_ANSWER, SYNCED, RETURN, VOID */
	bool reported;         /* LOST: by the sender's kernel (SET_REGION_SYNC 0) */
	bool legs_failed;      /* HEALTH */
	uint32_t region_count; /* LOST, CLAIM */
	uint64_t regions[WINDOW_REGIONS_MAX];
};

#endif
