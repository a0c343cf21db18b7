/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator is told: the group, the members of a log, and who waits for whom.
 *
 * All functions are pure, allocate nothing, and fill structs that belong to the caller.  What they tell is what this
 * node knows; of other nodes that is as old as their last message.
 */
#ifndef DMCLOGD_CORE_STATUS_H
#define DMCLOGD_CORE_STATUS_H

#include "core.h"

#define CORE_NO_SLOT UINT32_MAX
/* Nodes that have been seen, in the group or only in the cluster. */
#define CORE_KNOWN_NODES_MAX (3 * CORE_NODES_MAX)
/* core_log_waits() tells no more. */
#define CORE_WAITS_MAX 64

struct core_node_status {
	uint32_t node_id;
	bool in_cluster; /* in the node list of the last INPUT_QUORUM */
	bool in_group;   /* its daemon is in the last view */
	bool has_state;  /* in_group, and has the group's state: what it says counts */
	bool boot_known; /* boot_id is that of its last hello, else zero */
	bool stopped;    /* that boot (or any, before it was seen) is proven stopped */
	uint8_t boot_id[MESSAGE_ID_BYTES];
};

struct core_group_status {
	uint32_t node_id; /* this node */
	uint8_t boot_id[MESSAGE_ID_BYTES];
	uint8_t machine_id[MESSAGE_ID_BYTES];
	const char *cluster_name; /* valid as long as the core */
	bool in_group;            /* a view has come since the group was lost */
	bool quorate;             /* this side has quorum, as far as this node knows */
	bool has_state;           /* of the group: else it is being fetched, or nobody has it yet */
	bool refused;   /* the others take this boot for stopped, or speak another version */
	bool active;    /* all of it: logs can be used */
	uint64_t epoch; /* of the state that this node has */
	uint32_t leader;
	uint32_t node_count;
	struct core_node_status nodes[CORE_KNOWN_NODES_MAX];
};

void core_group_status(const struct core *core, struct core_group_status *ret_status);

/*
 * Would INPUT_FENCED of this node count now?  Returns 0, and in *ret_boot_id the boot that it counts for (zero: any, the node
 * was never seen); -ENOTSUP: the core is a group of one for good (cluster "none"); -EINVAL: it is this node; -ENOTCONN: this
 * node is not active; -EBUSY: the node is in the cluster or in the group, so the report must be about an earlier boot.
 */
int core_fenced_counts(const struct core *core, uint32_t node_id, uint8_t *ret_boot_id);

enum core_member_state {
	CORE_MEMBER_FOLLOWS,  /* its tables are suspended: it holds nothing and keeps the state */
	CORE_MEMBER_RESUMED,  /* it uses the log */
	CORE_MEMBER_LEAVING,  /* it is being suspended */
	CORE_MEMBER_DEPARTED, /* it left while it used the log, and may still write */
	CORE_MEMBER_STOPPED,  /* proven stopped: what its slot covers is being taken over */
};

struct core_member_status {
	uint32_t node_id;
	uint8_t boot_id[MESSAGE_ID_BYTES];
	enum core_member_state state;
	bool has_state;     /* of the log's regions */
	bool disk_role;     /* it writes header, superblock and base */
	bool legs_failed;   /* it cannot read or write a leg */
	bool device_failed; /* it cannot write its slot, or has none: another one holds for it */
	uint32_t slot;      /* or CORE_NO_SLOT */
	uint64_t luid;      /* the resumed table's, or 0 */
};

/* The members of log number `log`, this node included; returns how many (0 as well when there is no such log). */
uint32_t core_log_members(const struct core *core, uint32_t log,
			  struct core_member_status ret_members[CORE_NODES_MAX]);

/* For whom, or what, somebody waits. */
enum core_wait_reason {
	CORE_WAIT_GROUP,     /* the connection to the group, or its state */
	CORE_WAIT_QUORUM,    /* quorum */
	CORE_WAIT_REFUSED,   /* a reboot of this node: its boot counts as stopped */
	CORE_WAIT_PROOF,     /* proof that `node_id`, of `boot_id`, is stopped, or its return */
	CORE_WAIT_SLOT,      /* the same of the owner of `slot`, which is of another cluster */
	CORE_WAIT_OTHER_LOG, /* `node_id` uses a log of this uuid with another geometry or device */
	CORE_WAIT_TABLE,     /* another table of this node, which is not suspended yet */
	CORE_WAIT_MEMBER,    /* `node_id` is to answer, or to do its part */
	CORE_WAIT_WINDOW,    /* `region` is being copied by `node_id` */
	CORE_WAIT_DEVICE,    /* the log device */
	CORE_WAIT_LEGS,      /* I/O to the legs, copies included */
	/* of copying only */
	CORE_WAIT_PAUSED,   /* the operator */
	CORE_WAIT_LEG,      /* a table with good legs: one failed on `node_id` */
	CORE_WAIT_RELOAD,   /* a new table: nobody knows what an earlier daemon's table wrote */
	CORE_WAIT_REPORTED, /* a new table: the kernel writes what is left on one leg */
};

struct core_wait {
	enum core_wait_reason reason;
	enum request_type request;         /* of the kernel, that waits; 0: copying does */
	uint64_t luid;                     /* of its table; 0 for copying */
	uint64_t since_ms;                 /* as input.now_ms; 0 for copying */
	uint32_t node_id;                  /* or 0 */
	uint8_t boot_id[MESSAGE_ID_BYTES]; /* of node_id, as far as it is known */
	uint32_t slot;                     /* SLOT; else CORE_NO_SLOT */
	uint64_t region;                   /* WINDOW */
	const char *cluster_name;          /* SLOT: valid until the next step; else NULL */
};

/* Whoever waits in log number `log`, in no order; one that waits for several nodes is told for each.  Returns how many. */
uint32_t core_log_waits(const struct core *core, uint32_t log,
			struct core_wait ret_waits[CORE_WAITS_MAX]);

#endif
