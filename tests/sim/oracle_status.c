/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 5, of what the operator is told: every wait says for whom.
 *
 * Once in a while `dmclog status` of one node: every request of its kernel that has been with its daemon for a second
 * and has no answer is among the waits, of a node that the core knows.  Looks only, and draws no number: the seeds stay as they are.
 */
#include <string.h>

#include "sim.h"

#define STATUS_EVENTS 64
#define WAIT_TOLD_MS 1000
/* Logs of a core have the lowest numbers that are free. */
#define LOGS_LOOKED_AT 16

static bool wait_told(const struct core *core, const struct table *table, enum request_type type)
{
	struct core_wait waits[CORE_WAITS_MAX];

	for (uint32_t log = 0; log < LOGS_LOOKED_AT; log++) {
		uint32_t count = core_log_waits(core, log, waits);

		if (count == CORE_WAITS_MAX)
			return true; /* there may be more */
		for (uint32_t i = 0; i < count; i++)
			if (waits[i].luid == table->luid && waits[i].request == type)
				return true;
	}
	return false;
}

/* Behind a dead daemon more threads may ask for the same RESUME than the core keeps seqs of: the kernel asks again then. */
static bool crowded(const struct node *node, const struct kthread *thread)
{
	return node->served > 0 && thread->request.type == REQUEST_RESUME;
}

/* The core need not know what a daemon that died took from the socket, nor of what table a luid is before its CTR; nor
 * what was lost before faults stopped, in the same millisecond even (seed 0/55032). */
static void check_thread(struct sim *sim, struct node *node, const struct kthread *thread)
{
	if (thread->call != CALL_SENT || sim->now_ms - thread->sent_ms < WAIT_TOLD_MS ||
	    thread->sent_ms <= node->served || thread->sent_ms <= sim->settle_ms ||
	    !thread->table->known || crowded(node, thread))
		return;
	if (!wait_told(node->daemon.core, thread->table, thread->request.type))
		violate(sim, "5", "node %u: %s waits for %s since %u ms, and no status says why",
			node->index, thread->name, request_type_name(thread->request.type),
			(unsigned int)(sim->now_ms - thread->sent_ms));
}

static void check_group(struct sim *sim, const struct node *node)
{
	struct core_group_status group;
	struct core_member_status members[CORE_NODES_MAX];

	core_group_status(node->daemon.core, &group);
	if (group.node_id != node->daemon.node_id ||
	    memcmp(group.boot_id, node->boot_id, sizeof(group.boot_id)) != 0)
		violate(sim, "5", "node %u: the status is of node %u", node->index, group.node_id);
	for (uint32_t log = 0; log < LOGS_LOOKED_AT; log++) {
		uint32_t roles = 0, count = core_log_members(node->daemon.core, log, members);

		for (uint32_t i = 0; i < count; i++)
			roles += members[i].disk_role;
		if (roles > 1)
			violate(sim, "5", "node %u: log %u: %u members have the disk role",
				node->index, log, roles);
	}
	for (uint32_t i = 0; i < sim->node_count; i++) {
		uint8_t boot_id[MESSAGE_ID_BYTES];

		if (core_fenced_counts(node->daemon.core, i + 1, boot_id) == 0 && i == node->index)
			violate(sim, "5", "node %u may report its own fencing", i);
	}
}

void status_check(struct sim *sim)
{
	struct node *node = &sim->nodes[sim->event / STATUS_EVENTS % sim->node_count];

	if (sim->event % STATUS_EVENTS != 0 || !node->up || !node->daemon.alive)
		return;
	check_group(sim, node);
	if (sim->profile.lost_request_one_in > 0 || node->socket_count > 0 ||
	    node->paused_ms > sim->now_ms || node->daemon_paused_ms > sim->now_ms)
		return;
	for (uint32_t i = 0; i < sim->mirror_count && !sim->failed; i++) {
		check_thread(sim, node, &node->devs[i].admin);
		for (uint32_t j = 0; j < TABLES_MAX && !sim->failed; j++) {
			check_thread(sim, node, &node->devs[i].tables[j].worker);
			check_thread(sim, node, &node->devs[i].tables[j].flusher);
		}
	}
}
