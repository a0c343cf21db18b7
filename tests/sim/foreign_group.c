/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that should not be: of a stranger, who is in no view; a member's, of yesterday; a piece of a state that
 * does not decode; bytes that are no message at all.
 *
 * A stranger's message must not change the state of any member; the hashes before and after are compared (oracle 2).
 * Repeated are messages that say what they are about: a call, a window, a wish, a transfer.  A spoiled piece comes before the good
 * one: who takes it must notice, and fetch again.
 */
#include <string.h>

#include "sim.h"

#define STRANGER_INDEX (SIM_NODES_MAX - 1) /* no node has it: see may_intrude() */
#define STRANGER_ID 77

static bool may_intrude(const struct sim *sim)
{
	return sim->node_count > 1 && sim->node_count < SIM_NODES_MAX;
}

struct node *foreign_speaker(struct sim *sim)
{
	struct node *node = &sim->nodes[rng_below(&sim->foreign.rng, sim->node_count)];

	if (!node->up || node->group.state != MEMBER_IN || node->ring == NULL ||
	    node->ring->broken || node->ring->forming)
		return NULL;
	return node;
}

static void order(struct sim *sim, struct node *node, struct parcel *parcel, bool stranger)
{
	parcel->foreign = stranger ? PARCEL_STRANGER : PARCEL_REPEATED;
	ring_order(sim, node->ring, parcel);
}

/* ---- strangers ---- */

void foreign_name(struct sim *sim, struct log_name *name)
{
	struct rng *rng = &sim->foreign.rng;
	const struct mirror *mirror = &sim->mirrors[rng_below(rng, sim->mirror_count)];

	memcpy(name->uuid, mirror->uuid, sizeof(mirror->uuid));
	name->log_type = (uint32_t)(rng_one_in(rng, 4) ? LOG_TYPE_CORE : LOG_TYPE_DISK);
	name->region_sectors = mirror->geometry.region_sectors;
	name->device_sectors = mirror->geometry.device_sectors;
	name->log_major = name->log_type == LOG_TYPE_DISK ? 254 : 0;
	name->log_minor = name->log_type == LOG_TYPE_DISK ? mirror->disk->minor : 0;
}

static void stranger_says(struct sim *sim, struct group_message *message)
{
	struct rng *rng = &sim->foreign.rng;
	const struct node *node = &sim->nodes[rng_below(rng, sim->node_count)];

	*message = (struct group_message){
		.type = (enum group_message_type)(1 + rng_below(rng, MESSAGE_TYPES - 1)),
		.sender = STRANGER_ID,
		.luid = 1 + rng_below(rng, 4),
		.number = rng_below(rng, 4),
		.node = 1 + node->index,
		.window = rng_below(rng, 8),
		.claimer = 1 + rng_below(rng, sim->node_count),
		.mask = rng_next(rng),
		.last = rng_one_in(rng, 2),
		.fresh = rng_one_in(rng, 2),
		.closed = rng_one_in(rng, 2),
		.version_lowest = 1 + rng_below(rng, 2),
		.version_highest = 1 + rng_below(rng, 2),
		.epoch = rng_below(rng, 4),
		.region_count = 1 + rng_below(rng, WINDOW_REGIONS_MAX),
	};
	foreign_name(sim, &message->log);
	memcpy(message->boot_id, node->boot_id, sizeof(message->boot_id));
	for (uint32_t i = 0; i < message->region_count; i++)
		message->regions[i] = rng_below(rng, 64);
}

void foreign_stranger(struct sim *sim)
{
	struct node *node = foreign_speaker(sim);
	struct group_message message;
	struct parcel *parcel;

	if (node == NULL || !may_intrude(sim))
		return;
	stranger_says(sim, &message);
	parcel = parcel_pack(sim, node, &message);
	if (parcel == NULL)
		return;
	if (rng_one_in(&sim->foreign.rng, 4)) /* no message at all: the port drops it */
		parcel->bytes[rng_below(&sim->foreign.rng, parcel->length_bytes)] ^= 0x80;
	parcel->sender = STRANGER_INDEX;
	NOTE(sim, "stranger", message.type, 0, "ring %u: a stranger says %s", node->ring->number,
	     message_name(message.type));
	order(sim, node, parcel, true);
}

/* ---- members: yesterday's ---- */

static bool says_what_of(const struct group_message *message)
{
	switch (message->type) {
	case MESSAGE_HELLO:
		return message->number != UINT64_MAX; /* that one asks for the state again */
	case MESSAGE_EPOCH:
	case MESSAGE_DIRECTORY:
	case MESSAGE_SNAPSHOT:
	case MESSAGE_CALL:
	case MESSAGE_CLAIM_ANSWER:
	case MESSAGE_SYNCED:
	case MESSAGE_RETURN:
	case MESSAGE_VOID:
	case MESSAGE_CONFIRM:
		return true;
	default:
		return false;
	}
}

/* A record, or a section, that no member writes. */
static uint32_t bad_piece(struct sim *sim, enum group_message_type type, uint8_t *at)
{
	static const uint8_t records[][8] = {
		{ 1, 2, 255, 0, 0, 0 }, /* short: a stopped boot, place 255 */
		{ 1, 9 },               /* no such record */
		{ 1, 0 },               /* ... */
		{ 2, 4, 0 },            /* a log without a name */
		{ 2, 4, 200 },          /* ... with too long a one */
		{ 2, 5, 99 },           /* a member, place 99 */
		{ 3, 3, 1, 0 },         /* short: a node */
		{ 3, 1, 1, 1 },         /* short: the group */
	};
	static const uint8_t sections[][8] = {
		{ 1, 0 },         /* no such section */
		{ 1, 77 },        /* ... */
		{ 2, 6, 200 },    /* holds of member 200 */
		{ 3, 1, 0, 0 },   /* short: the head */
		{ 3, 2, 1, 0 },   /* short: a window */
		{ 3, 3, 255, 9 }, /* words that do not decode */
		{ 3, 6, 1, 255 }, /* ... */
		{ 3, 4, 255, 9 }, /* ... */
	};
	const uint8_t *piece =
		(type == MESSAGE_DIRECTORY ? records : sections)[rng_below(&sim->foreign.rng, 8)];

	memcpy(at, piece + 1, piece[0]);
	return piece[0];
}

/* Numbers out of their range in an entry that is whole otherwise: see directory_codec.c. */
static uint32_t bad_entry(struct sim *sim, uint8_t *at)
{
	bool phase = rng_one_in(&sim->foreign.rng, 2);
	uint8_t *begin = at;

	*at++ = 4;
	*at++ = 3;
	memcpy(at, "bad", 3);
	at += 3;
	memset(at, 0, 74);
	at[24] = phase ? 9 : 0;
	if (!phase)
		memset(at + 54, 0xff, 4); /* slots */
	return (uint32_t)(at + 67 - begin);
}

static void spoiled_piece(struct sim *sim, struct node *node, const struct group_message *message)
{
	uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	struct group_message bad = *message;
	struct parcel *parcel;

	if (message->data_bytes > sizeof(bytes) - 128 || !rng_one_in(&sim->foreign.rng, 4))
		return;
	memcpy(bytes, message->data, message->data_bytes);
	bad.data = bytes;
	bad.last = false;
	if (message->type == MESSAGE_SNAPSHOT)
		bad.data_bytes = bad_piece(sim, message->type, bytes);
	else if (rng_one_in(&sim->foreign.rng, 2))
		bad.data_bytes = message->data_bytes + bad_entry(sim, bytes + message->data_bytes);
	else
		bad.data_bytes = message->data_bytes +
				 bad_piece(sim, message->type, bytes + message->data_bytes);
	parcel = parcel_pack(sim, node, &bad);
	if (parcel == NULL)
		return;
	NOTE(sim, "spoiled piece", message->type, 0, "node %u: a piece of %s is spoiled",
	     node->index, message_name(message->type));
	order(sim, node, parcel, false);
}

void foreign_note_sent(struct sim *sim, struct node *node, const struct group_message *message)
{
	struct foreign *foreign = &sim->foreign;
	struct parcel *parcel;

	if (!sim->options->foreign || sim->phase != PHASE_RUN || !may_intrude(sim))
		return;
	if ((message->type == MESSAGE_DIRECTORY || message->type == MESSAGE_SNAPSHOT) &&
	    node->group.outbox == NULL && node->ring != NULL && !node->ring->broken)
		spoiled_piece(sim, node, message);
	if (!says_what_of(message) || !rng_one_in(&foreign->rng, 4))
		return;
	parcel = parcel_pack(sim, node, message);
	if (parcel == NULL)
		return;
	if (foreign->kept[foreign->kept_next] != NULL)
		parcel_put(sim, foreign->kept[foreign->kept_next]);
	foreign->kept[foreign->kept_next] = parcel;
	foreign->kept_next = (foreign->kept_next + 1) % FOREIGN_KEPT;
}

void foreign_replay(struct sim *sim)
{
	struct parcel **kept = &sim->foreign.kept[rng_below(&sim->foreign.rng, FOREIGN_KEPT)];
	struct parcel *parcel = *kept;
	struct node *node;

	if (parcel == NULL)
		return;
	node = &sim->nodes[parcel->sender];
	if (node->group.under_way > 0)
		return; /* it may be about to come for the first time */
	*kept = NULL;
	if (!node->up || node->group.state != MEMBER_IN || node->ring == NULL ||
	    node->ring->broken || node->ring->forming || node->group.id != parcel->membership) {
		parcel_put(sim, parcel);
		return;
	}
	NOTE(sim, "repeated", node->index, 0, "node %u: a message of before comes again",
	     node->index);
	order(sim, node, parcel, false);
}

/* ---- delivery ---- */

uint64_t foreign_state(const struct node *node)
{
	const struct core *core = node->daemon.core;
	uint64_t hash = core_group_hash(core);

	for (uint32_t log = 0; log < HASHED_LOGS_MAX; log++)
		hash = hash * UINT64_C(0x9e3779b97f4a7c15) + core_log_hash(core, log);
	return hash;
}

bool foreign_dropped(struct sim *sim, struct node *node, const struct parcel *parcel)
{
	struct group_message message;
	int length = group_message_decode(parcel->bytes, parcel->length_bytes, &message);

	/* The port drops what does not decode, and what is not in the name of who sent it. */
	if (parcel->foreign != PARCEL_STRANGER ||
	    (length == (int)parcel->length_bytes && message.sender == STRANGER_ID))
		return false;
	NOTE(sim, "dropped", node->index, 0, "node %u: drops what is no message", node->index);
	return true;
}
