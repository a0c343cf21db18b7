/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several cores, their group and their log device: see group_harness.h. */
#include "group_harness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct harness *world_node(struct world *world, uint32_t id)
{
	assert(id > 0 && id <= world->count);
	return &world->node[id - 1].h;
}

/* ---- the order ---- */

static void put(struct world_node *node, const struct world_event *event)
{
	struct world_event *copy = malloc(sizeof(*copy));

	assert(copy != NULL && node->next - node->first < WORLD_INBOX_MAX);
	*copy = *event;
	if (event->type == INPUT_DELIVERED && event->message.data_bytes > 0) {
		copy->data = malloc(event->message.data_bytes);
		assert(copy->data != NULL);
		memcpy(copy->data, event->message.data, event->message.data_bytes);
		copy->message.data = copy->data;
	}
	node->inbox[node->next++ % WORLD_INBOX_MAX] = copy;
}

static void forget_inbox(struct world_node *node)
{
	for (; node->first != node->next; node->first++) {
		free(node->inbox[node->first % WORLD_INBOX_MAX]->data);
		free(node->inbox[node->first % WORLD_INBOX_MAX]);
	}
}

bool world_together(const struct world_node *a, const struct world_node *b)
{
	return a->part != 0 && a->part == b->part && a->daemon && b->daemon;
}

static void send_from(struct world_node *sender, const struct group_message *message)
{
	struct world *world = sender->world;
	struct world_event event = { .type = INPUT_DELIVERED, .message = *message };
	uint8_t bytes[MESSAGE_BYTES_MAX];
	int length = group_message_encode(message, bytes, sizeof(bytes));

	assert(length > 0);
	sender->sent[message->type]++;
	sender->sent_bytes[message->type] += (uint64_t)length;
	world->last[message->type] = *message;
	for (uint32_t i = 0; i < world->count; i++)
		if (world_together(sender, &world->node[i]))
			put(&world->node[i], &event);
}

static void core_sends(void *context, const struct group_message *message)
{
	struct world_node *sender = context;

	/* The queue of a connection that is lost goes with it. */
	if (sender->daemon && sender->part != 0)
		send_from(sender, message);
}

void world_send(struct world *world, const struct group_message *message)
{
	send_from(&world->node[message->sender - 1], message);
}

/* A view for everybody whose view is not what it was. */
static void give_views(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++) {
		struct world_node *node = &world->node[i];
		struct world_event event = { .type = INPUT_VIEW };
		uint32_t now = 0;

		for (uint32_t k = 0; k < world->count; k++) {
			const struct world_node *other = &world->node[k];

			if (world_together(node, other)) {
				now |= UINT32_C(1) << k;
				event.members[event.member_count++] = other->id;
			} else if ((node->seen >> k) & 1) {
				event.left[event.left_count] = other->id;
				event.reasons[event.left_count++] =
					other->part != node->part ? VIEW_NODE_DOWN : other->reason;
			}
		}
		if (now == 0 || now == node->seen)
			continue;
		node->seen = now;
		put(node, &event);
	}
}

void world_tell_quorum(struct world *world, bool stale)
{
	for (uint32_t i = 0; i < world->count; i++) {
		struct world_node *node = &world->node[i];
		uint32_t nodes[WORLD_NODES_MAX];
		struct input input = { .type = INPUT_QUORUM, .quorum = { .nodes = nodes } };

		for (uint32_t k = 0; k < world->count; k++)
			if (stale || world->node[k].part == node->part)
				nodes[input.quorum.node_count++] = k + 1;
		input.quorum.quorate = world->quorum_nodes > 0 ?
					       input.quorum.node_count >= world->quorum_nodes :
					       input.quorum.node_count * 2 > world->count;
		if (node->part != 0)
			harness_input(&node->h, &input);
	}
}

static void change(struct world *world)
{
	give_views(world);
	if (!world->keep_quorum)
		world_tell_quorum(world, false);
	world_run(world);
}

/* ---- what happens to nodes ---- */

void world_start(struct world *world, uint32_t count)
{
	assert(count <= WORLD_NODES_MAX);
	world->count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct world_node *node = &world->node[i];
		struct core_config *config = &node->h.config;

		node->world = world;
		node->id = i + 1;
		node->part = 1;
		config->node_id = node->id;
		strcpy(config->cluster_name, "c");
		memset(config->machine_id, 'm', sizeof(config->machine_id));
		memset(config->boot_id, 'b', sizeof(config->boot_id));
		config->machine_id[0] = config->boot_id[0] = (uint8_t)node->id;
		node->h.send = core_sends;
		node->h.send_context = node;
		harness_start(&node->h);
		if (i == 0) {
			world->disk = node->h.disk;
			continue;
		}
		assert(node->h.disk_bytes == world->node[0].h.disk_bytes);
		free(node->h.disk);
		node->h.disk = world->disk;
	}
	world_tell_quorum(world, false);
}

void world_stop(struct world *world)
{
	for (uint32_t i = 0; i < world->count; i++) {
		forget_inbox(&world->node[i]);
		if (i > 0)
			world->node[i].h.disk = NULL;
		harness_stop(&world->node[i].h);
	}
}

void world_connect(struct world *world, uint32_t mask)
{
	for (uint32_t i = 0; i < world->count; i++)
		if ((mask >> i) & 1)
			world->node[i].daemon = true;
	change(world);
}

static void leave(struct world_node *node)
{
	node->daemon = false;
	node->seen = 0;
	node->reason = VIEW_PROC_DOWN;
	forget_inbox(node);
}

void world_disconnect(struct world *world, uint32_t id)
{
	struct input input = { .type = INPUT_NO_GROUP };

	leave(&world->node[id - 1]);
	harness_input(world_node(world, id), &input);
	change(world);
}

void world_restart_daemon(struct world *world, uint32_t id)
{
	leave(&world->node[id - 1]);
	harness_restart(world_node(world, id));
	change(world);
}

void world_power_off(struct world *world, uint32_t id)
{
	leave(&world->node[id - 1]);
	world->node[id - 1].part = 0;
	change(world);
}

void world_shut_down(struct world *world, uint32_t id)
{
	leave(&world->node[id - 1]);
	world->node[id - 1].reason = VIEW_LEAVE;
	change(world);
	world->node[id - 1].part = 0;
	change(world);
}

void world_power_on(struct world *world, uint32_t id)
{
	struct harness *h = world_node(world, id);

	world->node[id - 1].part = 1;
	h->config.boot_id[1]++;
	h->now_ms = world_node(world, id == 1 ? 2 : 1)->now_ms;
	harness_restart(h);
	change(world);
}

void world_split(struct world *world, uint32_t mask)
{
	for (uint32_t i = 0; i < world->count; i++)
		if (world->node[i].part != 0)
			world->node[i].part = (mask >> i) & 1 ? 2 : 1;
	change(world);
}

void world_quorate_alone(struct world *world, uint32_t id)
{
	struct input input = { .type = INPUT_QUORUM,
			       .quorum = { .quorate = true, .nodes = &id, .node_count = 1 } };

	harness_input(world_node(world, id), &input);
	world_run(world);
}

void world_two_nodes(struct world *world)
{
	world_power_off(world, 3);
	world->quorum_nodes = 1;
	world_connect(world, 3);
}

void world_fenced(struct world *world, uint32_t by, uint32_t id)
{
	struct input input = { .type = INPUT_FENCED, .fenced = { .node_id = id } };

	harness_input(world_node(world, by), &input);
	world_run(world);
}

/* ---- running ---- */

bool world_deliver(struct world *world, uint32_t id)
{
	struct world_node *node = &world->node[id - 1];
	struct world_event *event;
	struct input input = { 0 };

	if (node->first == node->next)
		return false;
	event = node->inbox[node->first++ % WORLD_INBOX_MAX];
	input.type = event->type;
	if (event->type == INPUT_DELIVERED)
		input.delivered = &event->message;
	else
		input.view = (struct input_view){ .members = event->members,
						  .member_count = event->member_count,
						  .left = event->left,
						  .left_reasons = event->reasons,
						  .left_count = event->left_count };
	harness_input(&node->h, &input);
	free(event->data);
	free(event);
	return true;
}

void world_run(struct world *world)
{
	bool more = true;

	for (uint32_t steps = 0; more; steps++) {
		assert(steps < HARNESS_STEPS_MAX);
		more = false;
		for (uint32_t id = 1; id <= world->count; id++)
			if (!world->node[id - 1].held && world_deliver(world, id))
				more = true;
	}
	if (!world->no_check)
		world_check_equal(world);
}

void world_hold(struct world *world, uint32_t id, bool held)
{
	world->node[id - 1].held = held;
	world_run(world);
}

void world_advance(struct world *world, uint64_t ms)
{
	uint64_t end_ms = world_node(world, 1)->now_ms + ms;
	uint64_t now_ms = end_ms - ms;

	while (now_ms < end_ms) {
		uint64_t next_ms = end_ms;

		/* Not beyond the next timer: what goes off there may concern the others. */
		for (uint32_t i = 0; i < world->count; i++)
			if (world->node[i].part != 0 && world->node[i].h.timer_ms < next_ms)
				next_ms = world->node[i].h.timer_ms;
		now_ms = next_ms > now_ms ? next_ms : now_ms + 1;
		for (uint32_t i = 0; i < world->count; i++)
			if (world->node[i].part != 0)
				harness_advance(&world->node[i].h,
						now_ms - world->node[i].h.now_ms);
			else
				world->node[i].h.now_ms = now_ms;
		world_run(world);
	}
}
