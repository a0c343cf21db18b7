/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group, as the service has it: one of two ports, local (a group of one) or corosync.
 *
 * What comes from the group (views, quorum, messages, the loss of it) reaches the owner as inputs for the core, one
 * call each, and never from within group_port_multicast(): the core may be in a step then.  Used by one thread.
 */
#ifndef DMCLOGD_GROUP_PORT_H
#define DMCLOGD_GROUP_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "core.h"
#include "news.h"

struct group_port;

/* What a port may ask of its owner. */
struct group_owner {
	/* Takes one input; now_ms is for the owner to fill in. */
	void (*input)(void *context, struct input *input);
	/* Tells people one line. */
	void (*tell)(void *context, enum news news, const char *text);
	/* Do mirrors need the group now?  A shutdown of corosync is vetoed then. */
	bool (*busy)(void *context);
	void *context;
};

struct group_port_operations {
	int (*multicast)(struct group_port *port, const struct group_message *message);
	void (*turn)(struct group_port *port);
	void (*close)(struct group_port *port);
};

/* What a port has done since it was opened. */
struct group_counters {
	uint64_t messages; /* multicast by this node's core */
	uint64_t batches;  /* of messages, that the group has taken */
	uint64_t refused;  /* times it was too busy to take one, which then waited */
};

/* The first member of each port's own struct. */
struct group_port {
	const struct group_port_operations *operations;
	struct group_counters counters;
};

/* Takes a copy of the message and its data, to be sent with the next turn.  Returns 0, or -ENOMEM from the local port
 * only: the corosync port gives up the group instead. */
static inline int group_port_multicast(struct group_port *port, const struct group_message *message)
{
	return port->operations->multicast(port, message);
}

/* At the end of each turn of the loop: what was multicast goes out, together. */
static inline void group_port_turn(struct group_port *port)
{
	port->operations->turn(port);
}

/* Leaves the group and frees; NULL is fine.  No input comes any more. */
static inline void group_port_close(struct group_port *port)
{
	if (port != NULL)
		port->operations->close(port);
}

/* ---- the group of one: cluster/local_port.c ---- */

/* The first view and quorum are given at the first turn.  Returns 0 and *ret_port, or -ENOMEM. */
int local_port_open(struct group_port **ret_port, const struct group_owner *owner,
		    uint32_t node_id);

/* ---- corosync: cluster/corosync_port.c ---- */

/* What corosync knows of this node before anything is joined. */
struct corosync_identity {
	uint32_t node_id;
	char cluster_name[DISK_CLUSTER_NAME_SIZE];
};

#define GROUP_REASON_BYTES 256

/*
 * Asks the corosync of this node who it is.  Returns 0 and *ret_identity; or negative errno and why not, and what to do, in
 * `reason`: it is worth another try later in any case.  Does not wait for corosync.
 */
int corosync_identity_get(struct corosync_identity *ret_identity, char reason[GROUP_REASON_BYTES]);

/*
 * Joins the group, now or as soon as corosync runs and lets it; again whenever it is lost.  The descriptors of corosync
 * are watched by `event`.  Returns 0 and *ret_port, or negative errno (memory, the event loop).
 */
int corosync_port_open(struct group_port **ret_port, const struct group_owner *owner,
		       sd_event *event, const struct corosync_identity *identity);

#endif
