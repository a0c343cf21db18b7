/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the fake group: rings of corosync, orders of messages and views, members; included by sim.h,
 * which it needs.
 */
#ifndef SIM_H
#include "sim.h" /* includes this file where it belongs */
#elif !defined(SIM_GROUP_H)
#define SIM_GROUP_H

#define GROUP_MAX 4096    /* messages of one sender under way */
#define SEGMENTS_MAX 64   /* changes of the order that a node may lag behind */
#define HASHED_LOGS_MAX 8 /* logs of a node whose state is compared */
#define CLAIMS_MAX 4096

/* Sent by a daemon; by nobody that is in a view; or a daemon's, once more or spoiled (foreign_group.c), or about what there is
 * not (foreign_member.c). */
enum parcel_foreign { PARCEL_OWN, PARCEL_STRANGER, PARCEL_REPEATED, PARCEL_ABOUT_NOTHING };

/* A message on its way: what is on the wire. */
struct parcel {
	struct parcel *next;
	uint32_t sender;     /* node index */
	uint32_t membership; /* of the daemon that sent it */
	uint32_t length_bytes;
	uint32_t refs;
	uint32_t size_class;
	enum parcel_foreign foreign;
	uint8_t bytes[]; /* group_message_encode() */
};

struct hashed_log {
	uint64_t name, hash;
};

/* A place of an order. */
struct group_event {
	struct parcel *parcel; /* NULL: a view */
	bool delivered;        /* to somebody */
	uint32_t members;      /* a view: bit i: node i is a member */
	uint32_t present;      /* ... is in the cluster: if it left, only its daemon did */
	uint32_t willing;      /* ... if it left, then of its own will */
	/* what the first member with state had here: oracle 2 */
	uint64_t group_hash;
	uint32_t hashed_by, log_count;
	struct hashed_log logs[HASHED_LOGS_MAX];
};

/* A ring of corosync: nodes that hear each other, and one order of messages and views. */
struct ring {
	struct ring *next; /* free */
	uint32_t number;
	uint32_t nodes;   /* bit i: corosync of node i */
	uint32_t members; /* bit i: its daemon, at the end of the order */
	uint32_t ever;    /* members of any view of this order */
	bool forming;     /* its members have not been moved to it: nothing may be dropped */
	bool broken;      /* the token is lost: nothing is ordered until it is formed anew */
	uint32_t refs;
	uint64_t first, end; /* events kept */
	uint64_t delivered; /* the furthest place that anybody has come to, who may have ended since */
	struct group_event *events;
	uint32_t size; /* a power of two */
};

/* What a member delivers of an order. */
struct segment {
	struct ring *ring;
	uint64_t at, limit;
};

enum membership_state { MEMBER_OUT, MEMBER_JOINING, MEMBER_IN };

struct membership {
	enum membership_state state;
	uint32_t id;   /* no two daemons, and no two connections of one, have the same */
	bool viewed;   /* the first view has been delivered */
	bool willing;  /* what looked like a death was a leave */
	uint32_t view; /* members, as delivered */
	struct segment path[SEGMENTS_MAX];
	uint32_t path_count;
	struct parcel *outbox, *outbox_tail;
	uint32_t under_way; /* own messages that have not come back */
	bool delivery_scheduled, send_scheduled;
};

struct claim {
	uint32_t sender, window; /* node id, its number */
	uint32_t log;            /* a number made of the log's name */
	uint32_t mirror;
	bool used;
	bool departed;   /* its owner left somebody's view */
	bool spoiled;    /* somebody has left: a copy need not count */
	uint32_t view;   /* bit i: node i was in the group when it was delivered first */
	uint64_t voided; /* bit i: region i may be written */
	uint64_t synced; /* bit i: so was said of region i, and all have heard it */
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
};

struct group {
	struct ring *free_rings;
	struct parcel *free_parcels[2];
	uint32_t rings; /* ever formed */
	uint32_t memberships;
	uint32_t components; /* of the network, ever */
	bool reform_scheduled, members_scheduled;
	bool departures; /* somebody has left or may have */
	struct claim claims[CLAIMS_MAX];
	uint32_t next_claim;
};

#endif
