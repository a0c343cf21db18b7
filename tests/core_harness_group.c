/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group of a core under test: its first view, and members that exist only in the messages a test makes up. */
#include "core_harness.h"

#include <assert.h>
#include <string.h>

static void give_view(struct harness *harness, uint32_t left, enum view_reason reason)
{
	struct input input = { .type = INPUT_VIEW,
			       .view = { .members = harness->members,
					 .member_count = harness->member_count,
					 .left = &left,
					 .left_reasons = &reason,
					 .left_count = left != 0 } };

	harness_input(harness, &input);
}

void harness_quorum(struct harness *harness, bool quorate)
{
	struct input input = { .type = INPUT_QUORUM,
			       .quorum = { .quorate = quorate,
					   .nodes = harness->members,
					   .node_count = harness->member_count } };

	harness_input(harness, &input);
}

void harness_group_begin(struct harness *harness)
{
	bool keep = harness->keep_messages;

	harness->keep_messages = false;
	harness->members[0] = harness->config.node_id;
	harness->member_count = 1;
	give_view(harness, 0, VIEW_LEAVE);
	harness_quorum(harness, true);
	harness->keep_messages = keep;
	harness->trace_count = 0;
	memset(harness->effects, 0, sizeof(harness->effects));
}

struct group_message harness_hello(uint32_t node)
{
	struct group_message hello = { .type = MESSAGE_HELLO,
				       .sender = node,
				       .version_lowest = MESSAGE_VERSION_LOWEST,
				       .version_highest = MESSAGE_VERSION_HIGHEST,
				       .incarnation = 1,
				       .fresh = true };

	memset(hello.boot_id, 'B', sizeof(hello.boot_id));
	hello.boot_id[0] = (uint8_t)node;
	memset(hello.machine_id, 'M', sizeof(hello.machine_id));
	hello.machine_id[0] = (uint8_t)node;
	return hello;
}

static void member_add(struct harness *harness, uint32_t node)
{
	uint32_t at = harness->member_count++;

	assert(harness->member_count <= CORE_NODES_MAX);
	for (; at > 0 && harness->members[at - 1] > node; at--)
		harness->members[at] = harness->members[at - 1];
	harness->members[at] = node;
}

void harness_peer_comes(struct harness *harness, uint32_t node)
{
	struct group_message hello = harness_hello(node);
	bool keep = harness->keep_messages;

	harness->keep_messages = false;
	member_add(harness, node);
	give_view(harness, 0, VIEW_LEAVE);
	harness_quorum(harness, true);
	/* The last one: what the group has in common is sent, and delivered. */
	for (uint32_t i = 0; i < harness->member_count; i++) {
		hello = harness_hello(harness->members[i]);
		/* It answers the call that this node, the lowest one, has answered too. */
		hello.mask = harness->hello.mask;
		if (harness->members[i] != node) {
			/* It has been here before: its past is that of this node. */
			hello.fresh = harness->hello.fresh;
			hello.number = harness->hello.number;
			hello.epoch = harness->hello.epoch;
			hello.leader = harness->hello.leader;
			hello.views = harness->hello.views;
		}
		if (harness->members[i] != harness->config.node_id)
			harness_deliver(harness, &hello);
	}
	harness->keep_messages = keep;
}

void harness_peer_joins(struct harness *harness, uint32_t node)
{
	struct group_message join = harness_message(MESSAGE_JOIN, node);
	bool keep = harness->keep_messages;
	bool here = false;

	for (uint32_t i = 0; i < harness->member_count; i++)
		here = here || harness->members[i] == node;
	if (!here)
		harness_peer_comes(harness, node);
	join.fresh = true;
	join.stateless = true;
	harness->keep_messages = false;
	harness_deliver(harness, &join);
	harness->keep_messages = keep;
}

void harness_peer_goes(struct harness *harness, uint32_t node, enum view_reason reason)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < harness->member_count; i++)
		if (harness->members[i] != node)
			harness->members[kept++] = harness->members[i];
	assert(kept + 1 == harness->member_count);
	harness->member_count = kept;
	give_view(harness, node, reason);
}

struct group_message harness_message(enum group_message_type type, uint32_t sender)
{
	struct group_message message = { .type = type,
					 .sender = sender,
					 .luid = HARNESS_PEER_LUID + sender };

	message.log = (struct log_name){ .uuid = HARNESS_UUID,
					 .log_type = LOG_TYPE_DISK,
					 .region_sectors = HARNESS_REGION_SECTORS,
					 .device_sectors = HARNESS_REGIONS * HARNESS_REGION_SECTORS,
					 .log_major = 254 };
	return message;
}
