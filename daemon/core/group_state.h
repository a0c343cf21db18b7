/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all members of the group have in common: who they are, who is proven stopped, and who uses which log.
 *
 * The *directory* has an entry for each log that somebody uses, kept by every member of the group, whether it follows
 * the log or not; the state of the log's regions (struct replicated) is kept by its followers only.  Both change only
 * by delivered messages and views.  All below `struct local_group_state` is about this node alone.
 *
 * A node's life in the group, as the others see it:
 *
 *            | view: joined | HELLO        | last HELLO of the view | DIRECTORY, last | view: left
 *   absent   | joining      | -            | -                      | -               | -
 *   joining  | -            | greeted      | -                      | -               | absent
 *   greeted  | -            | -            | current or lacking     | -               | absent
 *   lacking  | -            | -            | -                      | current         | absent
 *   current  | -            | greeted (*)  | -                      | -               | absent
 *
 *   (*) who was here before says hello in each view with joined members, and stays what it was.  A hello counts only if it
 *   names the last call delivered in this view: what a daemon that lags behind says of an earlier view is late.
 *   Lacking, it asks for the directory by another hello when it gives up a past of its own, and is sent none before that.
 *
 * A member's life in a log:
 *
 *               | JOIN         | LEAVING | LEAVE                 | UNFOLLOW, GONE | view: left           | proof    | MERGED
 *   none        | resumed      | -       | -                     | -              | -                    | -        | -
 *   follows     | resumed      | -       | -                     | none           | none                 | -        | -
 *   resumed     | resumed      | leaving | follows, to merge (2) | to merge       | departed, or none (1) | -       | -
 *   leaving     | resumed      | -       | follows, to merge (2) | to merge       | departed             | -        | -
 *   departed    | resumed (3)  | -       | -                     | to merge       | -                    | to merge | -
 *   to merge    | -            | -       | -                     | -              | -                    | -        | none
 *
 *   (1) none when it cannot have written: no slot, and its first resume.  (2) when its slot could not be freed.
 *   (3) the same boot id comes back: its daemon was restarted, or the partition has healed.
 *   -: nothing changes.  tests/check_core_member_life.c has every cell.
 */
#ifndef DMCLOGD_GROUP_STATE_H
#define DMCLOGD_GROUP_STATE_H

#include "core.h"

#define STOPPED_MAX 64
#define NO_SLOT UINT32_MAX

/* ---- replicated ---- */

struct group_node {
	uint32_t node_id; /* 0: free */
	bool in_view;
	bool of_own_will; /* that is how it left */
	bool greeted;     /* has said hello since the last view with joined members */
	bool current;     /* has the group's state: what it says counts */
	bool will_ask; /* gives up a past of its own: it is sent that state when it asks for it */
	/* see sides.c */
	bool kept_past; /* it had that state when the epoch began, or since */
	bool parted;    /* ... and has left, or lost it, since */
	bool rebooted;  /* ... and has come back as another boot */
	bool astray;    /* it left; nobody here knows whether its side has gone on */
	uint8_t boot_id[MESSAGE_ID_BYTES];
	uint8_t machine_id[MESSAGE_ID_BYTES];
	uint64_t incarnation;
	uint64_t seniority; /* lower is older */
	uint32_t version_lowest, version_highest;
	/* what its last HELLO said of the state it came with */
	bool fresh;
	uint64_t epoch;
	uint32_t leader;
	uint64_t views;
	uint64_t directory;
};

/* A boot that is proven to have ended.  All zero: any boot of that node that nobody has heard of. */
struct stopped_boot {
	uint32_t node_id;
	uint8_t boot_id[MESSAGE_ID_BYTES];
};

enum log_phase { LOG_CLOSED, LOG_OPENING, LOG_OPEN, LOG_CLOSING };

enum member_use {
	MEMBER_NONE,
	MEMBER_FOLLOWS, /* its luids are suspended: it holds nothing and keeps the state */
	MEMBER_RESUMED,
	MEMBER_LEAVING, /* being suspended: it begins no hold any more */
};

struct member {
	uint32_t node_id; /* 0: free */
	uint8_t boot_id[MESSAGE_ID_BYTES];
	enum member_use use;
	bool departed;  /* it left the group while it used the log: it may still write */
	bool unwatched; /* departed: nobody knows whether its side has gone on (core logs: H11) */
	bool to_merge;  /* its slot must be taken over; it does not write any more */
	bool live;      /* its kernel may have been let write */
	bool has_state; /* of the regions */
	bool legs_failed;
	bool device_failed; /* it cannot write its slot, or has none: see proxy.c */
	bool open_failed;   /* OPENING: it could not read or write the log device */
	uint32_t slot;      /* or NO_SLOT */
	uint64_t seniority;
	uint64_t luid; /* the resumed one */
};

struct entry {
	bool used;
	struct log_name name;
	enum log_phase phase;
	uint32_t founder; /* OPENING, CLOSING: node id of who does it */
	uint32_t last_leaving;
	uint32_t role;       /* node id of who has the disk role, or 0 */
	bool base_settled;   /* it has found the base no cleaner than the state, or made it so */
	uint64_t transfer;   /* number of the newest snapshot */
	uint64_t generation; /* of the superblock */
	bool outdated; /* OPEN: another side may have changed the log device since: see sides.c */
	uint64_t renewals; /* a JOIN names their count: what was sent before one does not count behind it */
	uint32_t slot_count;
	bool paused;
	uint64_t bytes_per_second;       /* see input_control */
	uint32_t absent[CORE_NODES_MAX]; /* OPENING: nodes that have no table of it */
	bool gone_sent;                  /* local: GONE is under way */
	struct member member[CORE_NODES_MAX];
};

struct group {
	struct group_node node[CORE_NODES_MAX];
	struct stopped_boot stopped[STOPPED_MAX];
	uint32_t stopped_next;
	uint64_t seniority; /* of the next node or member */
	uint64_t call;      /* that hellos must name; 0: none was delivered in this view */
	bool settled;       /* every node in the view has greeted */
	bool established;   /* the epoch is that of this view */
	bool founded;       /* since the last epoch: members may have known another past */
	uint64_t epoch;
	uint32_t leader;
	uint64_t views; /* all views that members left in, since the group was founded, as a number */
	uint32_t version;
	uint64_t directory; /* number of the newest one that was sent */
	struct entry entry[CORE_LOGS_MAX];
	uint32_t entries_end;
};

/* ---- this node ---- */

#define CATCH_UP_BYTES 131072

/* Messages delivered behind the point of a snapshot, kept until it has been read. */
struct catch_up {
	uint8_t *bytes;
	uint32_t size_bytes;
	uint32_t used_bytes;
	bool overflow;
};

struct gone_node {
	uint32_t node_id;
	bool view_says_down;   /* NODE_DOWN, and it has not come back */
	bool in_cluster;       /* in the node list of the last INPUT_QUORUM */
	uint64_t out_since_ms; /* it is not; UINT64_MAX when it is */
	bool stopped_sent;
};

struct local_group_state {
	bool in_group; /* a view has come since the last INPUT_NO_GROUP */
	bool has_past; /* `group` is a state that others may fetch, or is to be reported */
	bool refused;  /* others say that this boot was stopped, or speak another version */
	bool quorum_heard, quorate;
	uint64_t quorum_since_ms;
	bool epoch_sent;
	uint64_t numbers; /* see group_number() */
	bool fetching;
	bool active; /* in the group, with its state and quorum: see group_pump() */
	struct catch_up catch_up;
	uint8_t catch_up_bytes[CATCH_UP_BYTES];
	struct gone_node nodes[2 * CORE_NODES_MAX]; /* seen in the group or in the cluster */
};

#endif
