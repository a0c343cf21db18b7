/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that no kernel of ours sends: regions that are not there, luids that nobody knows, spoiled datagrams.
 *
 * They come as datagrams and through the codec.  What would be an order (to build, to suspend, to hold) is not sent for a luid
 * that is known, nor what a thread of the kernel waits for at the moment: all else must leave no trace but an answer.
 */
#include <errno.h>
#include <string.h>

#include "constructor.h"
#include "sim.h"

/* The simulator's kernels do not come so far. */
#define NOBODYS_LUID UINT64_C(0x70000000)

static struct table *random_table(struct sim *sim, struct node *node)
{
	struct rng *rng = &sim->foreign.rng;
	struct dmdev *dev = &node->devs[rng_below(rng, sim->mirror_count)];
	struct table *table = &dev->tables[rng_below(rng, TABLES_MAX)];

	return rng_one_in(rng, 2) && dev->active != NULL ? dev->active :
	       table->used && !table->dying              ? table :
							   NULL;
}

static struct table *table_of_luid(const struct sim *sim, struct node *node, uint64_t luid)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		for (uint32_t j = 0; j < TABLES_MAX; j++)
			if (node->devs[i].tables[j].used && node->devs[i].tables[j].luid == luid)
				return &node->devs[i].tables[j];
	return NULL;
}

static bool waits(const struct kthread *thread, const struct table *table, enum request_type type)
{
	return thread->call != CALL_NONE && thread->table == table && thread->request.type == type;
}

static bool somebody_waits(struct table *table, enum request_type type)
{
	struct dmdev *dev = table->dev;
	bool any = waits(&table->worker, table, type) || waits(&table->flusher, table, type) ||
		   waits(&dev->admin, table, type) || waits(&dev->status, table, type);

	for (uint32_t p = 0; p < PROVOCATIONS_MAX; p++)
		any = any || waits(&dev->provocations[p], table, type);
	return any;
}

static bool is_wild(const struct table *table, const struct request *request)
{
	for (uint32_t i = 0; i < request->region_count; i++)
		if (request->regions[i] >= table->geometry.region_count)
			return true;
	return false;
}

/* It asks for nothing that the simulator's kernel and oracles would have to know of. */
static bool is_harmless(const struct sim *sim, struct node *node, const struct request *request)
{
	struct table *table = table_of_luid(sim, node, request->luid);
	struct constructor constructor;
	char message[160];

	if (table == NULL)
		return request->type != REQUEST_CTR ||
		       constructor_parse(request->constructor, &constructor, message,
					 sizeof(message)) < 0;
	if (!table->known || somebody_waits(table, request->type) ||
	    strcmp(request->uuid, table->mirror->uuid) != 0)
		return false;
	switch (request->type) {
	case REQUEST_MARK:
	case REQUEST_CLEAR:
	case REQUEST_FLUSH:
	case REQUEST_IN_SYNC:
		return is_wild(table, request);
	case REQUEST_SET_REGION_SYNC:
		return is_wild(table, request) || request->in_sync != 0;
	case REQUEST_IS_CLEAN:
	case REQUEST_GET_REGION_SIZE:
	case REQUEST_GET_RESYNC_WORK:
	case REQUEST_GET_SYNC_COUNT:
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
	case REQUEST_IS_REMOTE_RECOVERING:
		return true;
	case REQUEST_CTR:
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
		break;
	}
	return false;
}

static void fill(struct sim *sim, const struct table *table, struct request *request)
{
	static const char *const constructors[] = {
		"",
		"1",
		"512 clustered-disk",
		"512 clustered-disk 8:1 7",
		"0 clustered-disk 8:1 8",
		"512 clustered-tape 8:1 8",
		"512 clustered-core x",
		"512 clustered-disk 8:1 8 sink",
	};
	struct rng *rng = &sim->foreign.rng;
	uint64_t regions = table == NULL ? 1 : table->geometry.region_count;

	*request = (struct request){
		.luid = table != NULL ? table->luid : NOBODYS_LUID + rng_below(rng, 5),
		.type = (enum request_type)(1 + rng_below(rng, REQUEST_TYPES - 1)),
		.version = 1 + rng_below(rng, REQUEST_VERSION_MAX),
		.region_count = 1,
		.in_sync = rng_below(rng, 2),
	};
	memcpy(request->uuid, sim->mirrors[0].uuid, sizeof(request->uuid));
	if (table != NULL)
		memcpy(request->uuid, table->mirror->uuid, sizeof(request->uuid));
	else if (rng_one_in(rng, 2))
		request->uuid[0] = 'x';
	if (request->type == REQUEST_MARK || request->type == REQUEST_CLEAR ||
	    request->type == REQUEST_FLUSH)
		request->region_count = 1 + rng_below(rng, REQUEST_REGIONS_MAX);
	if (request->type == REQUEST_FLUSH)
		request->version = REQUEST_VERSION_MAX;
	for (uint32_t i = 0; i < request->region_count; i++)
		request->regions[i] = rng_one_in(rng, 2) ? rng_below(rng, (uint32_t)regions) :
							   regions + rng_below(rng, 2);
	if (rng_one_in(rng, 4))
		request->regions[0] = UINT64_MAX - rng_below(rng, 2);
	if (request->type == REQUEST_CTR) {
		const char *text = constructors[rng_below(rng, 8)];

		memcpy(request->constructor, text, strlen(text) + 1);
	}
}

/* As a datagram, spoiled in one of four; false when the codec refuses it. */
static bool arrives(struct sim *sim, struct request *request)
{
	struct rng *rng = &sim->foreign.rng;
	uint8_t bytes[REQUEST_DATAGRAM_MAX_BYTES];
	int length = request_encode(request, bytes, sizeof(bytes));

	if (length <= 0)
		return false;
	if (rng_one_in(rng, 4))
		bytes[rng_below(rng, (uint32_t)length)] ^= (uint8_t)(1u << rng_below(rng, 8));
	else if (rng_one_in(rng, 8))
		length -= (int)rng_below(rng, (uint32_t)length);
	return request_decode(bytes, (size_t)length, request) == 0;
}

static void submit(struct sim *sim, struct node *node, const struct request *request)
{
	struct foreign *foreign = &sim->foreign;
	struct table *table = table_of_luid(sim, node, request->luid);
	struct input input = { .type = INPUT_REQUEST, .request = { .request = request } };

	NOTE(sim, "foreign request", request->type, request->regions[0],
	     "node %u: foreign %s luid %u seq %u, %u regions, first %u", node->index,
	     request_type_name(request->type), (unsigned int)request->luid, request->seq,
	     request->region_count, (unsigned int)request->regions[0]);
	foreign->asker = node;
	foreign->seq = request->seq;
	foreign->wild = table != NULL && is_wild(table, request);
	daemon_allocate(sim, node, &input.request);
	daemon_step(sim, node, &input);
	foreign->asker = NULL;
}

void foreign_request(struct sim *sim)
{
	struct node *node = &sim->nodes[rng_below(&sim->foreign.rng, sim->node_count)];
	struct table *table;
	struct request request;

	if (!node->up || !node->daemon.alive || node->paused_ms > sim->now_ms ||
	    node->daemon_paused_ms > sim->now_ms)
		return;
	table = rng_one_in(&sim->foreign.rng, 3) ? NULL : random_table(sim, node);
	fill(sim, table, &request);
	if (!arrives(sim, &request) || !is_harmless(sim, node, &request))
		return;
	request.seq = ++node->seq;
	submit(sim, node, &request);
}

/* An answer at once to what names a region that is not there; what waits is answered as the kernel's own would be. */
void foreign_answered(struct sim *sim, const struct node *node, const struct answer *answer)
{
	bool flag = answer->payload_bytes == sizeof(int64_t) && answer->payload[0] == 1;
	bool right = true;

	if (sim->foreign.asker != node || sim->foreign.seq != answer->seq || !sim->foreign.wild ||
	    answer->error == -EAGAIN)
		return;
	if (answer->type == REQUEST_MARK || answer->type == REQUEST_CLEAR ||
	    answer->type == REQUEST_FLUSH)
		right = answer->error == -EINVAL;
	else if (answer->type == REQUEST_IN_SYNC)
		right = answer->error == 0 && flag; /* an error would count as not in sync (G25) */
	else if (answer->type == REQUEST_IS_CLEAN)
		right = answer->error == 0 && !flag;
	else
		right = answer->error == 0;
	if (!right)
		violate(sim, "5", "%s of a region that is not there is answered %d, %u bytes",
			request_type_name(answer->type), answer->error, answer->payload_bytes);
}
