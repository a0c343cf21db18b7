/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port to corosync's group: joins it, delivers what it says, sends what the core multicasts, and begins anew whenever
 * it is lost.
 *
 *            | connected        | join asked for | first view      | anything fails
 *   apart    | joining          | -              | -               | apart, later again
 *   joining  | -                | joining        | in the group    | apart
 *   in group | -                | -              | -               | apart; NO_GROUP for the core
 *
 * Whatever fails is only noted where it is found, since the core or a library may be at work there, and acted upon at the
 * end of the turn.  Nothing that waits for corosync sleeps: a timer goes off.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/corosync_connection.h"
#include "cluster/group_views.h"
#include "cluster/send_queue.h"
#include "group_port.h"

/* Corosync was too busy to take a batch. */
#define RETRY_MS 2
/* A join that must wait: corosync is between two rings, or has not noticed yet that our former self has gone. */
#define JOIN_AGAIN_MS 50
/* Back-off of connecting anew. */
#define AGAIN_FIRST_MS 100
#define AGAIN_LAST_MS 2000
/* Events taken before other sources get their turn. */
#define BURST 64
#define NODES_TEXT_BYTES 256

struct corosync_port;

struct service_source {
	struct corosync_port *port;
	enum corosync_service service;
	sd_event_source *source;
};

struct corosync_port {
	struct group_port port;
	struct group_owner owner;
	sd_event *event;
	struct corosync_identity identity;
	struct corosync_connection connection;
	bool connected;
	bool joined; /* asked for */
	struct service_source sources[COROSYNC_SERVICES];
	sd_event_source *timer;
	uint32_t again_ms;
	struct send_queue queue;
	struct group_views views;
	bool lost;        /* to be given up at the end of the turn */
	bool quorum_told; /* the core has been told that there is quorum, or who is in the cluster */
	bool quorate;
	uint64_t dropped;
	uint64_t dropped_told;
	char reason[GROUP_REASON_BYTES]; /* why it is apart, as told last */
};

/* ---- telling ---- */

__attribute__((format(printf, 3, 4))) static void tell(struct corosync_port *port, enum news news,
						       const char *format, ...)
{
	char text[GROUP_REASON_BYTES + 128];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	port->owner.tell(port->owner.context, news, text);
}

static const char *nodes_text(const uint32_t *nodes, uint32_t count, char text[NODES_TEXT_BYTES])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < count && used + 16 < NODES_TEXT_BYTES; i++)
		used += (size_t)snprintf(text + used, NODES_TEXT_BYTES - used, " %" PRIu32,
					 nodes[i]);
	return count > 0 ? text : " none";
}

static void tell_view(struct corosync_port *port, const struct group_view *view)
{
	static const char *const how[] = {
		[VIEW_LEAVE] = "left",
		[VIEW_NODE_DOWN] = "is out of the cluster",
		[VIEW_PROC_DOWN] = "has lost its dmclogd",
	};
	char text[NODES_TEXT_BYTES];

	for (uint32_t i = 0; i < view->left_count; i++)
		tell(port, NEWS_GROUP, "node %" PRIu32 " %s", view->left[i],
		     how[view->left_reasons[i]]);
	tell(port, NEWS_GROUP, "group: nodes%s",
	     nodes_text(view->members, view->member_count, text));
}

/* Why there is no group: once for each reason. */
static void tell_reason(struct corosync_port *port, const char *reason)
{
	if (strcmp(port->reason, reason) == 0)
		return;
	(void)snprintf(port->reason, sizeof(port->reason), "%s", reason);
	tell(port, NEWS_APART, "%s; tried again until then, mirrors wait", reason);
}

/* ---- the timer ---- */

static void set_timer(struct corosync_port *port, uint32_t delay_ms)
{
	/* Cannot fail: the source is ours and the clock is a valid one. */
	(void)sd_event_source_set_time_relative(port->timer, (uint64_t)delay_ms * 1000);
	(void)sd_event_source_set_enabled(port->timer, SD_EVENT_ONESHOT);
}

static void lose(struct corosync_port *port, const char *why)
{
	if (port->lost)
		return;
	port->lost = true;
	tell(port, NEWS_APART, "the connection to corosync is given up: %s; it is made anew", why);
}

/* ---- what comes ---- */

static void give(struct corosync_port *port, struct input *input)
{
	port->owner.input(port->owner.context, input);
}

static void give_view(struct corosync_port *port, const struct group_view *view)
{
	struct input input = { .type = INPUT_VIEW,
			       .view = { .members = view->members,
					 .member_count = view->member_count,
					 .left = view->left,
					 .left_reasons = view->left_reasons,
					 .left_count = view->left_count } };

	tell_view(port, view);
	give(port, &input);
}

static void on_change(void *context, const struct group_change *change)
{
	struct corosync_port *port = context;
	struct group_view view[2];
	int r;

	if (port->lost)
		return;
	r = group_views_change(&port->views, change, view);
	for (int i = 0; i < r; i++)
		give_view(port, &view[i]);
	if (r >= 0)
		port->again_ms = AGAIN_FIRST_MS;
	else if (r == -EEXIST)
		lose(port, "another dmclogd of this node has joined the group: end one of them");
	else if (r == -EAGAIN)
		lose(port, "a node stands twice in the group, its former dmclogd is still leaving");
	else if (r == -E2BIG)
		lose(port, "the group has more nodes than this version supports, 32");
	else
		lose(port, "this process is no member any more");
}

static void drop(struct corosync_port *port, uint32_t node_id, const char *why)
{
	port->dropped++;
	/* Once for each power of two: a flood must not fill the journal. */
	if (port->dropped < port->dropped_told * 2)
		return;
	port->dropped_told = port->dropped;
	tell(port, NEWS_STRANGER,
	     "message of node %" PRIu32 " dropped: %s; %" PRIu64
	     " so far: do all nodes run the same version?",
	     node_id, why, port->dropped);
}

static void on_message(void *context, uint32_t node_id, uint32_t pid, const uint8_t *bytes,
		       size_t length_bytes)
{
	struct corosync_port *port = context;
	struct group_message message;
	struct input input = { .type = INPUT_DELIVERED, .delivered = &message };

	while (length_bytes > 0 && !port->lost && group_views_has(&port->views, node_id, pid)) {
		int r = group_message_decode(bytes, length_bytes, &message);

		if (r < 0) {
			drop(port, node_id, strerror(-r));
			return;
		}
		bytes += r;
		length_bytes -= (size_t)r;
		if (message.sender == node_id)
			give(port, &input);
		else
			drop(port, node_id, "it names another sender");
	}
}

static void on_ring(void *context, const uint32_t *nodes, uint32_t node_count)
{
	struct corosync_port *port = context;
	char text[NODES_TEXT_BYTES];

	tell(port, NEWS_RING, "corosync's ring: nodes%s", nodes_text(nodes, node_count, text));
}

static void give_quorum(struct corosync_port *port, bool quorate, const uint32_t *nodes,
			uint32_t node_count)
{
	struct input input = {
		.type = INPUT_QUORUM,
		.quorum = { .quorate = quorate, .nodes = nodes, .node_count = node_count }
	};

	port->quorum_told = node_count > 0;
	port->quorate = quorate;
	give(port, &input);
}

static void on_quorum(void *context, bool quorate, const uint32_t *nodes, uint32_t node_count)
{
	struct corosync_port *port = context;
	char text[NODES_TEXT_BYTES];

	if (port->lost)
		return;
	if (node_count > CORE_NODES_MAX) {
		lose(port, "the cluster has more nodes than this version supports, 32");
		return;
	}
	(void)nodes_text(nodes, node_count, text);
	if (quorate != port->quorate || !port->quorum_told)
		tell(port, quorate ? NEWS_QUORUM : NEWS_NO_QUORUM,
		     quorate ? "quorum: nodes%s" : "no quorum, mirrors wait: only nodes%s are here",
		     text);
	give_quorum(port, quorate, nodes, node_count);
}

static bool on_shutdown(void *context)
{
	struct corosync_port *port = context;

	if (!port->owner.busy(port->owner.context))
		return true;
	tell(port, NEWS_NOT_ENDING,
	     "corosync was told to end and must not, since mirrors are in use: deactivate them first "
	     "(dmsetup remove)");
	return false;
}

static const struct corosync_events events = {
	.change = on_change,
	.message = on_message,
	.ring = on_ring,
	.quorum = on_quorum,
	.shutdown = on_shutdown,
};

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct service_source *from = context;
	struct corosync_port *port = from->port;
	int r = 1;

	(void)source, (void)fd, (void)revents;
	for (int i = 0; r > 0 && i < BURST && !port->lost; i++)
		r = corosync_connection_dispatch(&port->connection, from->service);
	if (r < 0)
		lose(port, "it does not answer any more");
	return 0;
}

/* ---- coming and going ---- */

static void disconnect(struct corosync_port *port)
{
	struct input input = { .type = INPUT_NO_GROUP };
	bool was_in_group = port->views.in_group;

	for (int i = 0; i < COROSYNC_SERVICES; i++)
		port->sources[i].source = sd_event_source_disable_unref(port->sources[i].source);
	corosync_connection_close(&port->connection);
	send_queue_clear(&port->queue);
	port->connected = port->joined = port->lost = false;
	port->views = (struct group_views){ .own = port->views.own };
	if (was_in_group)
		give(port, &input);
	if (port->quorum_told)
		give_quorum(port, false, NULL, 0);
	set_timer(port, port->again_ms);
	port->again_ms = port->again_ms * 2 < AGAIN_LAST_MS ? port->again_ms * 2 : AGAIN_LAST_MS;
}

static void join(struct corosync_port *port)
{
	int r = corosync_connection_join(&port->connection);

	if (r == -EAGAIN)
		set_timer(port, JOIN_AGAIN_MS);
	else if (r < 0)
		lose(port, "the group cannot be joined");
	else
		port->joined = true;
}

/* The node id cannot change while the core lives: it is in slots and messages. */
static bool same_identity(struct corosync_port *port, char reason[GROUP_REASON_BYTES])
{
	struct corosync_identity now;

	if (corosync_identity_get(&now, reason) < 0)
		return false;
	if (now.node_id == port->identity.node_id &&
	    strcmp(now.cluster_name, port->identity.cluster_name) == 0)
		return true;
	(void)snprintf(reason, GROUP_REASON_BYTES,
		       "this was node %" PRIu32 " of cluster %s, corosync says node %" PRIu32
		       " of %s: deactivate the mirrors and start dmclogd anew",
		       port->identity.node_id, port->identity.cluster_name, now.node_id,
		       now.cluster_name);
	return false;
}

static int watch(struct corosync_port *port)
{
	for (int i = 0; i < COROSYNC_SERVICES; i++) {
		struct service_source *source = &port->sources[i];
		int r;

		source->port = port;
		source->service = (enum corosync_service)i;
		r = sd_event_add_io(port->event, &source->source, port->connection.fd[i], EPOLLIN,
				    on_readable, source);
		if (r < 0)
			return r;
	}
	return 0;
}

static void connect_anew(struct corosync_port *port)
{
	char reason[GROUP_REASON_BYTES];
	bool same = same_identity(port, reason);

	if (!same || corosync_connection_open(&port->connection, &events, port, reason) < 0) {
		tell_reason(port, reason);
		disconnect(port);
		return;
	}
	port->connected = true;
	port->reason[0] = '\0';
	if (watch(port) < 0)
		lose(port, "it cannot be watched");
	else
		join(port);
}

/* ---- what goes ---- */

static int corosync_multicast(struct group_port *group_port, const struct group_message *message)
{
	struct corosync_port *port = (struct corosync_port *)group_port;

	/* Between the loss of the group and its being told, all is in vain. */
	if (!port->views.in_group || port->lost)
		return 0;
	if (send_queue_put(&port->queue, message) < 0)
		lose(port, "it takes no messages, and too many wait");
	else
		group_port->counters.messages++;
	return 0;
}

static void send_waiting(struct corosync_port *port)
{
	const uint8_t *bytes;
	size_t batch;
	int r = 0;

	while (r == 0 && send_queue_waiting(&port->queue) > 0) {
		batch = send_queue_batch(&port->queue, port->connection.message_bytes_max, &bytes);
		r = corosync_connection_multicast(&port->connection, bytes, batch);
		if (r == 0) {
			send_queue_sent(&port->queue, batch);
			port->port.counters.batches++;
		}
	}
	if (r == -EAGAIN) {
		port->port.counters.refused++;
		set_timer(port, RETRY_MS);
	} else if (r < 0) {
		lose(port, "a message cannot be sent");
	}
}

static void corosync_turn(struct group_port *group_port)
{
	struct corosync_port *port = (struct corosync_port *)group_port;

	if (!port->lost && port->views.in_group)
		send_waiting(port);
	if (port->lost)
		disconnect(port);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct corosync_port *port = context;

	(void)source, (void)usec;
	if (!port->connected)
		connect_anew(port);
	else if (!port->joined && !port->lost)
		join(port);
	return 0; /* what waits to be sent goes out at the end of this turn */
}

/* ---- opening and closing ---- */

static void corosync_close(struct group_port *group_port)
{
	struct corosync_port *port = (struct corosync_port *)group_port;

	for (int i = 0; i < COROSYNC_SERVICES; i++)
		sd_event_source_disable_unref(port->sources[i].source);
	sd_event_source_disable_unref(port->timer);
	corosync_connection_close(&port->connection);
	send_queue_free(&port->queue);
	sd_event_unref(port->event);
	free(port);
}

static const struct group_port_operations operations = {
	.multicast = corosync_multicast,
	.turn = corosync_turn,
	.close = corosync_close,
};

int corosync_port_open(struct group_port **ret_port, const struct group_owner *owner,
		       sd_event *event, const struct corosync_identity *identity)
{
	struct corosync_port *port = calloc(1, sizeof(*port));
	int r;

	if (port == NULL)
		return -ENOMEM;
	port->port.operations = &operations;
	port->owner = *owner;
	port->event = sd_event_ref(event);
	port->identity = *identity;
	port->again_ms = AGAIN_FIRST_MS;
	port->views.own.node_id = identity->node_id;
	port->views.own.pid = (uint32_t)getpid();
	r = sd_event_add_time_relative(event, &port->timer, CLOCK_MONOTONIC, 0, 0, on_timer, port);
	if (r < 0) {
		corosync_close(&port->port);
		return r;
	}
	*ret_port = &port->port;
	return 0;
}
