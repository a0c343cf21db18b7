/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before this node uses a log, or opens its device, all others know of it.
 *
 * The group delivers in one order, but what has come back may have reached nobody else yet; when the ring breaks then, the
 * others go on without it.  They would close the device over a slot they know nothing of, give that slot to
 * another node, or open a log that is being opened here.  So this node says ENTER behind all that makes it a user of
 * the log, and goes on when every node has answered, HEARD, and thus has what came before, or has
 * left the view while this side kept its quorum.  Who leaves then finds this node among the members, departed.
 *
 * Who has not got the group's state yet is waited for, and asked when it has: it may have a past of its own still, with which it
 * goes on if the ring breaks before it has heard that another one counts.
 */
#include "core_private.h"
#include "plant.h"

void heard_forget(struct log *log)
{
	log->heard = (struct heard){ 0 };
}

bool heard_by_all(struct core *core, struct log *log)
{
	struct group_message message = { .type = MESSAGE_ENTER };

	if (PLANTED(PLANT_ENTERS_UNHEARD))
		return true;
	if (log->heard.number == 0 && group_lacking(core) == 0) {
		log->heard.number = group_number(core);
		message.number = log->heard.number;
		multicast_group(core, &message);
		return false;
	}
	/* Before all have said hello in this view some may be elsewhere yet, with a past that counts more than ours. */
	return log->heard.delivered && core->local.active && core->group.settled &&
	       heard_missing(core, log) == 0;
}

uint32_t heard_missing(const struct core *core, const struct log *log)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (log->heard.missing[i] != 0)
			return log->heard.missing[i];
	return group_lacking(core);
}

static struct log *log_that_enters(struct core *core, uint64_t number)
{
	for (uint32_t i = 0; number != 0 && i < core->logs_end; i++)
		if (core->logs[i] != NULL && core->logs[i]->heard.number == number)
			return core->logs[i];
	return NULL;
}

static void no_longer_missing(struct log *log, uint32_t node_id)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (log->heard.missing[i] == node_id)
			log->heard.missing[i] = 0;
	log->again = true;
}

void heard_enter_delivered(struct core *core, const struct group_message *message)
{
	struct group_message answer = { .type = MESSAGE_HEARD,
					.node = message->sender,
					.number = message->number };
	struct log *log;
	uint32_t count = 0;

	if (message->sender != core->config.node_id) {
		multicast_group(core, &answer);
		return;
	}
	log = log_that_enters(core, message->number);
	if (log == NULL)
		return; /* it has been given up meanwhile */
	log->heard.delivered = true;
	log->again = true;
	core->pump_all = true;
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &core->group.node[i];

		if (node->node_id != 0 && node->node_id != core->config.node_id && node->in_view &&
		    node->current)
			log->heard.missing[count++] = node->node_id;
	}
}

void heard_delivered(struct core *core, const struct group_message *message)
{
	struct log *log = log_that_enters(core, message->number);

	if (message->node != core->config.node_id || log == NULL)
		return;
	no_longer_missing(log, message->sender);
	core->pump_all = true;
}

void heard_newcomers(struct core *core)
{
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL)
			heard_forget(core->logs[i]);
	core->pump_all = true;
}

void heard_no_state(struct core *core, uint32_t node_id)
{
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL)
			no_longer_missing(core->logs[i], node_id);
}
