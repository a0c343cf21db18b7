/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a kernel asks: dm_consult_userspace (dm-log-userspace-transfer.c) and userspace_do_request
 * (dm-log-userspace-base.c).
 *
 * One seq for the whole kernel, +1 per request; 15 s without an answer and it is sent again under a new seq; an answer to
 * a seq that nobody waits for is dropped; -EAGAIN sends again at once; -ESRCH, from a daemon or for want of one,
 * starts the reconnect loop: 2 s, CTR until it succeeds, RESUME, then the request again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "sim.h"

static void kernel_result(struct sim *sim, struct kthread *thread, const struct answer *answer);

void thread_wake(struct sim *sim, struct kthread *thread)
{
	if (thread->runnable)
		return;
	thread->runnable = true;
	schedule(sim, ITEM_THREAD, thread->node, thread);
}

void thread_sleep(struct sim *sim, struct kthread *thread, uint64_t delay_ms)
{
	if (thread->runnable)
		return;
	thread->runnable = true;
	schedule_in(sim, delay_ms, ITEM_THREAD, thread->node, thread);
}

static void request_fill(struct request *request, const struct table *table, enum request_type type)
{
	request->luid = table->luid;
	memcpy(request->uuid, table->mirror->uuid, strlen(table->mirror->uuid) + 1);
	request->type = type;
	request->version = REQUEST_VERSION_MAX;
	request->region_count = 0;
	request->regions[0] = 0;
	request->in_sync = 0;
	request->constructor[0] = '\0';
	if (type == REQUEST_CTR)
		memcpy(request->constructor, table->constructor, strlen(table->constructor) + 1);
}

struct request *kernel_request(struct kthread *thread, struct table *table, enum request_type type)
{
	thread->table = table;
	request_fill(&thread->request, table, type);
	return &thread->request;
}

static struct request *socket_slot(struct node *node)
{
	return &node->socket[(node->socket_head + node->socket_count) % SOCKET_MAX];
}

/* dm_consult_userspace(): the thread's request, or CTR or RESUME of the reconnect loop. */
static void kernel_send(struct sim *sim, struct kthread *thread)
{
	struct node *node = thread->node;
	struct answer nobody = { .error = -ESRCH };
	struct request *slot;

	thread->seq = ++node->seq;
	thread->sent_ms = sim->now_ms;
	if (!node->listener) {
		kernel_result(sim, thread, &nobody);
		return;
	}
	if (node->socket_count == SOCKET_MAX ||
	    rng_one_in(&sim->rng, sim->profile.lost_request_one_in)) {
		NOTE(sim, "lost", thread->seq, 0, "node %u: request seq %u is lost", node->index,
		     thread->seq);
		return;
	}
	slot = socket_slot(node);
	if (thread->call == CALL_SENT) {
		memcpy(slot, &thread->request, offsetof(struct request, constructor));
		memcpy(slot->constructor, thread->request.constructor,
		       strlen(thread->request.constructor) + 1);
	} else {
		request_fill(slot, thread->table,
			     thread->call == CALL_CTR ? REQUEST_CTR : REQUEST_RESUME);
	}
	slot->constructor_terminated = thread->call == CALL_CTR;
	slot->seq = thread->seq;
	node->socket_count++;
	if (node->daemon.alive && !node->daemon.socket_scheduled) {
		node->daemon.socket_scheduled = true;
		schedule(sim, ITEM_SOCKET, node, NULL);
	}
}

void kernel_call(struct sim *sim, struct kthread *thread, bool loops)
{
	thread->call = CALL_SENT;
	thread->loops = loops;
	thread->asked_ms = sim->now_ms;
	thread->no_room = false;
	if (thread->request.type == REQUEST_RESUME) {
		thread->table->suspended_answered = false;
		thread->table->resume_asked = true;
	}
	kernel_send(sim, thread);
}

static void kernel_done(struct sim *sim, struct kthread *thread, const struct answer *answer)
{
	thread->call = CALL_NONE;
	thread->error = answer->error;
	thread->payload_bytes = answer->error == 0 ? answer->payload_bytes : 0;
	memcpy(thread->payload, answer->payload, thread->payload_bytes);
	thread_wake(sim, thread);
}

/* userspace_do_request() */
static void kernel_result(struct sim *sim, struct kthread *thread, const struct answer *answer)
{
	struct answer failed = { .error = -ESRCH };
	struct answer no_room = { .error = -ENOSPC };

	switch (thread->call) {
	case CALL_SENT:
		if (thread->no_room && answer->error == 0 && answer->payload_bytes > 0)
			answer = &no_room;
		thread->no_room = answer->error == -ESRCH && answer->seq != 0;
		if (answer->error != -ESRCH || !thread->loops) {
			kernel_done(sim, thread, answer);
			break;
		}
		thread->call = CALL_SLEEPING;
		thread->sent_ms = sim->now_ms;
		break;
	case CALL_CTR:
		/* no buffer comes with this CTR: any payload is too large */
		if (answer->error == 0 && answer->payload_bytes > 0)
			answer = &no_room;
		thread->call = answer->error == 0 ? CALL_RESUME : CALL_SLEEPING;
		thread->table->resume_asked |= answer->error == 0;
		thread->sent_ms = sim->now_ms;
		if (thread->call != CALL_RESUME)
			break;
		/* a log built again knows only what its device says, perhaps of another table */
		clean_note_may_copy(sim, thread->table->mirror, true);
		kernel_send(sim, thread);
		break;
	case CALL_RESUME:
		if (answer->error == 0) {
			thread->call = CALL_SENT;
			kernel_send(sim, thread);
		} else {
			kernel_done(sim, thread, &failed);
		}
		break;
	case CALL_NONE:
	case CALL_SLEEPING:
		INVARIANT(sim, false);
		break;
	}
}

static bool thread_waits_for(const struct kthread *thread, uint32_t seq)
{
	return thread->seq == seq && thread->call != CALL_NONE && thread->call != CALL_SLEEPING;
}

/* Threads of a device, by number; NULL beyond the last. */
static struct kthread *dev_thread(struct dmdev *dev, uint32_t number)
{
	struct table *table;

	if (number == 0)
		return &dev->admin;
	if (number == 1)
		return &dev->status;
	number -= 2;
	if (number < PROVOCATIONS_MAX)
		return &dev->provocations[number];
	number -= PROVOCATIONS_MAX;
	if (number / 2 >= TABLES_MAX)
		return NULL;
	table = &dev->tables[number / 2];
	return number % 2 == 0 ? &table->worker : &table->flusher;
}

static struct kthread *thread_of_seq(struct sim *sim, struct node *node, uint32_t seq)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct kthread *thread;

		for (uint32_t j = 0; (thread = dev_thread(&node->devs[i], j)) != NULL; j++)
			if (thread_waits_for(thread, seq))
				return thread;
	}
	return NULL;
}

/* What the answer means to the table, whoever asked. */
static void kernel_note_answer(struct table *table, enum request_type type, int error)
{
	if (error != 0)
		return;
	if (type == REQUEST_CTR)
		table->known = true;
	if (type == REQUEST_DTR)
		table->known = false;
	if (type == REQUEST_RESUME)
		table->resumed_once = true;
	if (type == REQUEST_POSTSUSPEND)
		table->suspended_answered = true;
}

void kernel_answer(struct sim *sim, struct node *node, const struct answer *answer)
{
	struct kthread *thread = thread_of_seq(sim, node, answer->seq);
	enum request_type type;

	if (answer->seq == 0 || answer->seq > node->seq) {
		violate(sim, "5", "answer to seq %u, which was never sent", answer->seq);
		return;
	}
	NOTE(sim, "answer", answer->seq, (uint64_t)(int64_t)answer->error,
	     "node %u: answer to %s seq %u: %d, %u bytes, first %d%s", node->index,
	     request_type_name(answer->type), answer->seq, answer->error, answer->payload_bytes,
	     answer->payload_bytes > 0 ? answer->payload[0] : 0,
	     thread == NULL ? ", nobody waits for it" : "");
	foreign_answered(sim, node, answer);
	if (thread == NULL) {
		answer_late(sim, node, answer);
		return;
	}
	type = thread->call == CALL_SENT ? thread->request.type :
	       thread->call == CALL_CTR  ? REQUEST_CTR :
					   REQUEST_RESUME;
	answer_check(sim, thread, thread->table, type, answer);
	if (answer->error == -EAGAIN) {
		kernel_send(sim, thread);
		return;
	}
	kernel_note_answer(thread->table, type, answer->error);
	kernel_result(sim, thread, answer);
}

void kernel_tick(struct sim *sim, struct node *node)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct kthread *thread;

		for (uint32_t j = 0; (thread = dev_thread(&node->devs[i], j)) != NULL; j++) {
			uint64_t waited_ms = sim->now_ms - thread->sent_ms;

			if (thread->call == CALL_NONE)
				continue;
			if (thread->call == CALL_SLEEPING && waited_ms >= KERNEL_RECONNECT_MS) {
				thread->call = CALL_CTR;
				kernel_send(sim, thread);
			} else if (thread->call != CALL_SLEEPING && waited_ms >= KERNEL_RESEND_MS) {
				NOTE(sim, "resend", thread->seq, 0,
				     "node %u: %s seq %u timed out, sent again", node->index,
				     thread->name, thread->seq);
				resend_check(sim, thread);
				kernel_send(sim, thread);
			}
		}
	}
	liveness_check(sim, node);
	schedule_in(sim, 1000, ITEM_TICK, node, NULL);
}

void kernel_listener_gone(struct sim *sim, struct node *node)
{
	(void)sim;
	node->listener = false;
	node->socket_count = 0;
}
