/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to the corosync of this node: libcpg, libquorum, libcfg and libcmap, and nothing but these.
 *
 * No other file includes a header of corosync.  A connection that fails once is of no use any more and is closed by its
 * owner.  One thread; calls wait for corosync no longer than it takes to answer a request of its own process.
 */
#ifndef DMCLOGD_COROSYNC_CONNECTION_H
#define DMCLOGD_COROSYNC_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/group_views.h"
#include "group_port.h"

/* What corosync says, in the order in which it says it; called by corosync_connection_dispatch() only, and not to close. */
struct corosync_events {
	void (*change)(void *context, const struct group_change *change);
	void (*message)(void *context, uint32_t node_id, uint32_t pid, const uint8_t *bytes,
			size_t length_bytes);
	/* The nodes that corosync's ring is made of, before the change of the group that comes of it. */
	void (*ring)(void *context, const uint32_t *nodes, uint32_t node_count);
	/* Not ordered with the others. */
	void (*quorum)(void *context, bool quorate, const uint32_t *nodes, uint32_t node_count);
	/* May corosync end?  Returns the answer. */
	bool (*shutdown)(void *context);
};

enum corosync_service { COROSYNC_CPG, COROSYNC_QUORUM, COROSYNC_CFG, COROSYNC_SERVICES };

struct corosync_connection {
	const struct corosync_events *events;
	void *context;
	uint64_t handle[COROSYNC_SERVICES];
	bool open[COROSYNC_SERVICES];
	int fd[COROSYNC_SERVICES];
	size_t message_bytes_max; /* what corosync_connection_multicast() takes at once */
};

/* Connects to all three; changes of the quorum are told from now on.  Returns 0; or negative errno and why, and what to do, in
 * `reason`. */
int corosync_connection_open(struct corosync_connection *connection,
			     const struct corosync_events *events, void *context,
			     char reason[GROUP_REASON_BYTES]);
/* Leaves the group, if it was joined, and closes. */
void corosync_connection_close(struct corosync_connection *connection);

/* Returns 0: asked for, the first change says when it is so; -EAGAIN: to be tried again; other errno: failed. */
int corosync_connection_join(struct corosync_connection *connection);

/* Returns 0, -EAGAIN (corosync is too busy) or another negative errno: failed. */
int corosync_connection_multicast(struct corosync_connection *connection, const uint8_t *bytes,
				  size_t length_bytes);

/* Takes one event of that service.  Returns 1; 0: there was none; negative errno: failed. */
int corosync_connection_dispatch(struct corosync_connection *connection,
				 enum corosync_service service);

#endif
