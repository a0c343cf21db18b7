/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port of --cluster=none: this node is all of the group, always with quorum. */
#include <errno.h>
#include <stdlib.h>

#include "group_port.h"
#include "local_group.h"

struct local_port {
	struct group_port port;
	struct group_owner owner;
	struct local_group *group;
	uint32_t node_id;
	bool joined;
};

static int local_multicast(struct group_port *port, const struct group_message *message)
{
	port->counters.messages++;
	port->counters.batches++;
	return local_group_multicast(((struct local_port *)port)->group, message);
}

static void join(struct local_port *local)
{
	struct input view = { .type = INPUT_VIEW,
			      .view = { .members = &local->node_id, .member_count = 1 } };
	struct input quorum = {
		.type = INPUT_QUORUM,
		.quorum = { .quorate = true, .nodes = &local->node_id, .node_count = 1 }
	};

	local->joined = true;
	local->owner.input(local->owner.context, &view);
	local->owner.input(local->owner.context, &quorum);
}

static void local_turn(struct group_port *port)
{
	struct local_port *local = (struct local_port *)port;
	struct group_message message;
	struct input delivered = { .type = INPUT_DELIVERED, .delivered = &message };

	if (!local->joined)
		join(local);
	while (local_group_deliver(local->group, &message))
		local->owner.input(local->owner.context, &delivered);
}

static void local_close(struct group_port *port)
{
	struct local_port *local = (struct local_port *)port;

	local_group_close(local->group);
	free(local);
}

static const struct group_port_operations operations = {
	.multicast = local_multicast,
	.turn = local_turn,
	.close = local_close,
};

int local_port_open(struct group_port **ret_port, const struct group_owner *owner, uint32_t node_id)
{
	struct local_port *local = calloc(1, sizeof(*local));

	if (local == NULL)
		return -ENOMEM;
	if (local_group_open(&local->group) < 0) {
		free(local);
		return -ENOMEM;
	}
	local->port.operations = &operations;
	local->owner = *owner;
	local->node_id = node_id;
	*ret_port = &local->port;
	return 0;
}
