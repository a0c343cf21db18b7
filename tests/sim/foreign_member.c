/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member says about nothing: a log that nobody uses, a window, a wish, a slot or a transfer that there is not, regions beyond the
 * last one.  A daemon with a bug may say so, and one that has given up what it speaks of.
 *
 * The state of no member may change by it (oracle 2).
 */
#include <string.h>

#include "sim.h"

#define NO_MINOR 99
#define NOTHING UINT64_C(0x6e6f7468696e67)

/* About any log, as long as nobody uses it. */
static const enum group_message_type of_a_log[] = {
	MESSAGE_OPENED,       MESSAGE_LEAVING, MESSAGE_LEAVE,   MESSAGE_UNFOLLOW, MESSAGE_GONE,
	MESSAGE_MERGED,       MESSAGE_HEALTH,  MESSAGE_CONTROL, MESSAGE_DURABLE,  MESSAGE_LOST,
	MESSAGE_SNAPSHOT,     MESSAGE_CLAIM,   MESSAGE_SYNCED,  MESSAGE_RETURN,   MESSAGE_VOID,
	MESSAGE_CLAIM_ANSWER, MESSAGE_HOLD,    MESSAGE_CONFIRM, MESSAGE_RELEASE,
};

/* About a log that is used, when what it speaks of is not there. */
static const enum group_message_type of_a_part[] = {
	MESSAGE_MERGED, MESSAGE_SNAPSHOT, MESSAGE_SYNCED,       MESSAGE_RETURN,
	MESSAGE_VOID,   MESSAGE_CONFIRM,  MESSAGE_CLAIM_ANSWER, MESSAGE_RELEASE,
};

/* About no log. */
static const enum group_message_type of_the_group[] = { MESSAGE_HEARD, MESSAGE_EPOCH };

static enum group_message_type pick(struct sim *sim, const enum group_message_type *types,
				    size_t count)
{
	return types[rng_below(&sim->foreign.rng, (uint32_t)count)];
}

static void name_nothing(struct sim *sim, struct group_message *message)
{
	struct rng *rng = &sim->foreign.rng;

	switch (rng_below(rng, 4)) {
	case 0:
		message->type = pick(sim, of_a_log, sizeof(of_a_log) / sizeof(of_a_log[0]));
		foreign_name(sim, &message->log);
		message->log.log_minor = NO_MINOR;
		break;
	case 1:
		message->type = pick(sim, of_a_log, sizeof(of_a_log) / sizeof(of_a_log[0]));
		foreign_name(sim, &message->log);
		memcpy(message->log.uuid, "nothing", sizeof("nothing"));
		break;
	case 2:
		message->type = pick(sim, of_a_part, sizeof(of_a_part) / sizeof(of_a_part[0]));
		foreign_name(sim, &message->log);
		break;
	default:
		message->type =
			pick(sim, of_the_group, sizeof(of_the_group) / sizeof(of_the_group[0]));
	}
}

void foreign_member(struct sim *sim)
{
	struct rng *rng = &sim->foreign.rng;
	struct node *node = foreign_speaker(sim);
	struct group_message message = { .number = NOTHING,
					 .luid = NOTHING,
					 .node = NOTHING & UINT32_MAX,
					 .epoch = NOTHING,
					 .window = NOTHING & UINT32_MAX,
					 .claimer = 1 + rng_below(rng, sim->node_count),
					 .mask = rng_next(rng),
					 .last = true };
	struct parcel *parcel;

	if (node == NULL)
		return;
	message.sender = node->index + 1;
	name_nothing(sim, &message);
	message.region_count = message.type == MESSAGE_RELEASE || message.type == MESSAGE_CLAIM ||
			       message.type == MESSAGE_HOLD || message.type == MESSAGE_LOST;
	message.regions[0] = NOTHING;
	parcel = parcel_pack(sim, node, &message);
	if (parcel == NULL)
		return;
	NOTE(sim, "about nothing", message.type, 0, "node %u: says %s about nothing", node->index,
	     message_name(message.type));
	parcel->foreign = PARCEL_ABOUT_NOTHING;
	ring_order(sim, node->ring, parcel);
}
