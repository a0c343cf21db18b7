/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several cores wired together: one order of messages and views for each side of the group, one shared log device.
 *
 * Each node is a struct harness of its own (its kernel, its jobs); what it multicasts stands at once in the inbox of every
 * member of its side, its own included, and views stand there in their place.  A node takes what is in its inbox one by one, unless it is
 * held back: so tests choose how far each node has come.  The node list (quorum) is not ordered and is told at once,
 * unless the test does it itself.  Whenever all inboxes are empty, those who have a state are found to have the same one.
 * Node ids are 1 and up; place i of `node` is node i + 1.
 */
#ifndef DMCLOGD_TESTS_GROUP_HARNESS_H
#define DMCLOGD_TESTS_GROUP_HARNESS_H

#include "core_harness.h"

#define WORLD_NODES_MAX 4
#define WORLD_INBOX_MAX 2048
#define WORLD_LUID 0x1000

struct entry;
struct group;
struct member;

struct world_event {
	enum input_type type; /* DELIVERED or VIEW */
	struct group_message message;
	uint8_t *data;
	uint32_t members[WORLD_NODES_MAX];
	uint32_t member_count;
	uint32_t left[WORLD_NODES_MAX];
	enum view_reason reasons[WORLD_NODES_MAX];
	uint32_t left_count;
};

struct world_node {
	struct harness h;
	struct world *world;
	uint32_t id;
	uint32_t part;  /* of the network; 0: the node is down */
	bool daemon;    /* it is connected to the group */
	bool held;      /* its inbox is not emptied */
	bool last_view; /* it has been in a view since it connected */
	uint32_t seen;  /* bit i: node i is in the last view that was put into its inbox */
	uint64_t sent_bytes[MESSAGE_TYPES];
	uint32_t sent[MESSAGE_TYPES]; /* how many of each type it has multicast */
	enum view_reason reason;      /* how it went last */
	struct world_event *inbox[WORLD_INBOX_MAX];
	uint32_t first, next;
};

struct world {
	struct world_node node[WORLD_NODES_MAX];
	uint32_t count;
	uint32_t quorum_nodes; /* so many nodes have quorum; 0: more than half */
	uint8_t *disk;
	bool keep_quorum; /* the node list is told by world_tell_quorum() only */
	bool no_check;    /* states may differ: a test makes up messages */
	struct group_message last[MESSAGE_TYPES]; /* multicast, by type; without data */
};

/* `count` nodes, up and in the cluster, no daemon connected yet.  config of each node may be set before, where zeroes do
 * not fit; all of *world else is zero. */
void world_start(struct world *world, uint32_t count);
void world_stop(struct world *world);
struct harness *world_node(struct world *world, uint32_t id);

/* The daemons of these nodes (a mask: bit i is node i + 1) connect, all in one view. */
void world_connect(struct world *world, uint32_t mask);
/* The daemon loses its connection (NO_GROUP); the others see PROC_DOWN. */
void world_disconnect(struct world *world, uint32_t id);
/* Its daemon ends and another one starts, not connected yet; the tables of its kernel are not asked about. */
void world_restart_daemon(struct world *world, uint32_t id);
/* The node is down, and up again with another boot id (its daemon not connected yet). */
void world_power_off(struct world *world, uint32_t id);
/* Its daemon ends of its own will, and then the node. */
void world_shut_down(struct world *world, uint32_t id);
void world_power_on(struct world *world, uint32_t id);
/* The network falls apart: these nodes can speak with each other, and all others with each other; 0: all with all. */
void world_split(struct world *world, uint32_t mask);

/* Tells every node the node list and whether its part is the larger one; `stale`: those who have gone are still in it. */
void world_tell_quorum(struct world *world, bool stale);
/* This node alone has quorum, as it hears; keep_quorum is set. */
void world_quorate_alone(struct world *world, uint32_t id);
/* Nodes 1 and 2 are connected, with two_node quorum; there is no third. */
void world_two_nodes(struct world *world);
void world_fenced(struct world *world, uint32_t by, uint32_t id);

/* One event of this node's inbox; false when there is none. */
bool world_deliver(struct world *world, uint32_t id);
/* All events of all nodes that are not held back, and what comes of them. */
void world_run(struct world *world);
void world_hold(struct world *world, uint32_t id, bool held);
void world_advance(struct world *world, uint64_t ms);
/* Puts a message into the order that no core has sent. */
void world_send(struct world *world, const struct group_message *message);

/* ---- looking at it: group_harness_look.c ---- */

uint32_t world_sent(const struct world *world, uint32_t id, enum group_message_type type);
uint32_t world_all_sent(const struct world *world, enum group_message_type type);
void world_forget_sent(struct world *world);
bool world_together(const struct world_node *a, const struct world_node *b);
/* All who are on the same side, have come equally far and have a state have the same one; else aborts. */
void world_check_equal(const struct world *world);
/* Do these nodes have the group's state, all the same? */
bool world_same(const struct world *world, uint32_t mask);
/* What `id` is in the group, as `by` sees it: a word of the table in group_state.h. */
const char *world_state(struct world *world, uint32_t by, uint32_t id);
/* In the group, with its state and quorum: a log can be used. */
bool world_active(struct world *world, uint32_t id);
const struct group *world_group(struct world *world, uint32_t id);
/* The first log of the directory, and the first record of a node there; NULL: there is none. */
const struct entry *world_entry(struct world *world, uint32_t by);
const struct member *world_member(struct world *world, uint32_t by, uint32_t id);

/* What the kernel of a node asks about its one table, of luid WORLD_LUID + id; returns the seq. */
uint32_t world_resume(struct world *world, uint32_t id, const char *constructor); /* and CTR */
uint32_t world_ask(struct world *world, uint32_t id, enum request_type type);
uint32_t world_suspend(struct world *world, uint32_t id); /* PRESUSPEND, POSTSUSPEND */
uint32_t world_write(struct world *world, uint32_t id, uint64_t region); /* MARK, FLUSH */
void world_clear(struct world *world, uint32_t id, uint64_t region);
bool world_answered(struct world *world, uint32_t id, uint32_t seq, int error);
bool world_waits(struct world *world, uint32_t id, uint32_t seq);

#endif
