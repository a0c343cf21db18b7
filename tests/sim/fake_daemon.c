/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon around a core: starts it, feeds it, and loses it in a crash.
 *
 * What a daemon has in hand when it dies is lost; its I/O lands or does not.  With an fd store the netlink socket and
 * the requests in it stay, else the kernel finds nobody listening.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define ALIGN_BYTES 64

/* A core is large and little of it is used: large memory comes from mmap, whose pages are zero already. */
void *aligned_zeroed(size_t bytes)
{
	char *memory = calloc(1, bytes + 2 * ALIGN_BYTES);
	size_t skip;

	if (memory == NULL)
		abort();
	skip = ALIGN_BYTES + (size_t)(-(uintptr_t)memory % ALIGN_BYTES);
	memcpy(memory + skip - sizeof(skip), &skip, sizeof(skip));
	return memory + skip;
}

void aligned_free(void *memory)
{
	size_t skip;

	if (memory == NULL)
		return;
	memcpy(&skip, (char *)memory - sizeof(skip), sizeof(skip));
	free((char *)memory - skip);
}

void daemon_allocate(struct sim *sim, struct node *node, struct input_request *input)
{
	struct daemon_process *daemon = &node->daemon;
	size_t bytes = core_ctr_memory_bytes(daemon->core, input->request);
	uint64_t name;

	if (bytes == 0)
		return;
	if (daemon->allocated_count == CORE_LOGS_MAX) {
		violate(sim, "5", "logs are not released");
		return;
	}
	input->memory = aligned_zeroed(bytes);
	daemon->allocated[daemon->allocated_count++] = input->memory;
	bytes = core_ctr_kept_bytes(daemon->core, input->request, &name);
	if (bytes > 0)
		input->kept = kept_find(sim, node, name, bytes);
}

void daemon_release(struct sim *sim, struct node *node, void *memory)
{
	struct daemon_process *daemon = &node->daemon;

	for (uint32_t i = 0; i < daemon->allocated_count; i++) {
		if (daemon->allocated[i] != memory)
			continue;
		aligned_free(memory);
		daemon->allocated[i] = daemon->allocated[--daemon->allocated_count];
		return;
	}
	violate(sim, "5", "released memory that was not given");
}

/* Everything of a daemon that the process takes with it. */
void daemon_free(struct node *node)
{
	struct daemon_process *daemon = &node->daemon;

	while (daemon->allocated_count > 0)
		aligned_free(daemon->allocated[--daemon->allocated_count]);
	aligned_free(daemon->memory);
	daemon->memory = NULL;
	daemon->core = NULL;
}

/* A live table whose log an earlier daemon served: the shell finds it by libdevmapper. */
static void daemon_tell_predecessors(struct sim *sim, struct node *node)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct input input = { .type = INPUT_PREDECESSOR };

		if (node->devs[i].active == NULL)
			continue;
		input.predecessor = sim->mirrors[i].uuid;
		daemon_step(sim, node, &input);
	}
}

void daemon_start(struct sim *sim, struct node *node)
{
	struct daemon_process *daemon = &node->daemon;
	struct core_config config = sim->profile.config;

	assert(!daemon->alive && daemon->memory == NULL);
	memset(daemon->logs, 0, sizeof(daemon->logs));
	memset(daemon->tables, 0, sizeof(daemon->tables));
	daemon->node_id = node->index + 1;
	config.node_id = daemon->node_id;
	memcpy(config.machine_id, node->machine_id, sizeof(config.machine_id));
	memcpy(config.boot_id, node->boot_id, sizeof(config.boot_id));
	config.incarnation = ++daemon->incarnation;
	daemon->memory = aligned_zeroed(core_bytes());
	daemon->deadline_ms = daemon->scheduled_ms = UINT64_MAX;
	daemon->core = core_init(daemon->memory, &config, daemon_effect, node, sim->now_ms);
	daemon->alive = true;
	kept_daemon_starts(sim, node);
	NOTE(sim, "daemon start", node->index, 0, "node %u: daemon starts", node->index);
	daemon_tell_predecessors(sim, node);
	cluster_daemon_started(sim, node);
	node->listener = true;
	daemon->socket_scheduled = node->socket_count > 0;
	if (daemon->socket_scheduled)
		schedule(sim, ITEM_SOCKET, node, NULL);
}

/* Items that end with the daemon. */
static bool daemon_owns(const struct item *item, void *context)
{
	struct node *node = context;
	struct sim *sim = node->sim;
	struct leg_io *io = item->object;

	if (item->node != node)
		return false;
	switch (item->type) {
	case ITEM_SOCKET:
	case ITEM_DELIVERY:
	case ITEM_SEND:
	case ITEM_QUORUM:
	case ITEM_FENCED:
	case ITEM_CORE_TIMER:
	case ITEM_DM_EVENT:
		return true;
	case ITEM_HELPER:
		pool_put(sim, POOL_HELPER, item->object);
		return true;
	case ITEM_DISK:
		disk_abandon(sim, item->object, node->up);
		return true;
	case ITEM_LEG:
		if (io->copy == NULL && io->flush == NULL)
			return false;
		leg_io_abandon(sim, io);
		return true;
	case ITEM_THREAD:
	case ITEM_TICK:
	case ITEM_WORKER_WAKE:
	case ITEM_FLUSHER_WAKE:
	case ITEM_APPLICATION:
	case ITEM_ADMIN:
	case ITEM_STATUS:
	case ITEM_FAULT:
	case ITEM_MEMBERS:
	case ITEM_REFORM:
	case ITEM_ENGINE_START:
	case ITEM_FENCE:
	case ITEM_DAEMON_START:
	case ITEM_NODE_START:
		break;
	}
	return false;
}

void daemon_crash(struct sim *sim, struct node *node)
{
	struct daemon_process *daemon = &node->daemon;

	if (!daemon->alive)
		return;
	NOTE(sim, "daemon crash", node->index, 0, "node %u: daemon dies", node->index);
	daemon->alive = false;
	schedule_drop(sim, daemon_owns, node);
	node->group.delivery_scheduled = node->group.send_scheduled = false;
	group_leave(sim, node);
	daemon_free(node);
	if (!node->up || !sim->profile.fd_store)
		kernel_listener_gone(sim, node);
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		node->devs[i].event_pending = false;
		for (uint32_t j = 0; j < TABLES_MAX; j++) {
			node->devs[i].tables[j].known = false;
			node->devs[i].tables[j].letters_told = false;
		}
	}
	node->served = sim->now_ms;
}

void daemon_kill(struct sim *sim, struct node *node)
{
	if (node->daemon.alive && !kept_kill(sim, node))
		daemon_end(sim, node);
}

void daemon_end(struct sim *sim, struct node *node)
{
	if (!node->daemon.alive)
		return;
	sim->counts.daemon_crashes++;
	daemon_crash(sim, node);
	schedule_in(sim, rng_below(&sim->rng, sim->profile.down_ms), ITEM_DAEMON_START, node, NULL);
}

void daemon_step(struct sim *sim, struct node *node, struct input *input)
{
	if (sim->failed || !node->daemon.alive || node->daemon.dying)
		return;
	input->now_ms = sim->now_ms;
	core_step(node->daemon.core, input);
	if (sim->failed || node->daemon.dying)
		return;
	clean_check_core(sim, node);
	count_check(sim, node);
}

void daemon_take_request(struct sim *sim, struct node *node)
{
	struct daemon_process *daemon = &node->daemon;
	struct request *request = &node->socket[node->socket_head];
	struct input input = { .type = INPUT_REQUEST, .request = { .request = request } };

	node->socket_head = (node->socket_head + 1) % SOCKET_MAX;
	node->socket_count--;
	daemon->socket_scheduled = node->socket_count > 0;
	if (daemon->socket_scheduled)
		schedule(sim, ITEM_SOCKET, node, NULL);
	sim->counts.requests++;
	NOTE(sim, "request", request->type, request->regions[0],
	     "node %u: %s luid %u seq %u, %u regions, first %u", node->index,
	     request_type_name(request->type), (unsigned int)request->luid, request->seq,
	     request->region_count,
	     request->region_count > 0 ? (unsigned int)request->regions[0] : 0);
	daemon_allocate(sim, node, &input.request);
	daemon_step(sim, node, &input);
}

void daemon_timer(struct sim *sim, struct node *node)
{
	struct daemon_process *daemon = &node->daemon;
	struct input input = { .type = INPUT_TIME };

	daemon->scheduled_ms = UINT64_MAX;
	if (daemon->deadline_ms <= sim->now_ms) {
		daemon->deadline_ms = UINT64_MAX;
		NOTE(sim, "timer", node->index, 0, "node %u: timer", node->index);
		daemon_step(sim, node, &input);
	} else {
		daemon_schedule_timer(sim, node);
	}
}
