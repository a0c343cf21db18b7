/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmirrord, the one worker of a mirror: do_mirror() of dm-raid1.c, in turn updates, recovery, reads, writes, failures.
 *
 * Written as steps, since it may wait for an answer anywhere; while it waits nothing else of the mirror is served.
 */
#include <string.h>

#include "sim.h"

enum worker_step {
	WORKER_IDLE,
	WORKER_UPDATE_FLUSH, /* dm_rh_update_states(), its flush */
	WORKER_RECOVERY,     /* do_recovery(), dm_rh_recovery_prepare() */
	WORKER_RECOVERY_ANSWER,
	WORKER_SYNC_COUNT,
	WORKER_SYNC_COUNT_ANSWER,
	WORKER_READS, /* do_reads() */
	WORKER_READ_ANSWER,
	WORKER_WRITES, /* do_writes() */
	WORKER_REMOTE_ANSWER,
	WORKER_STATE, /* dm_rh_get_state() */
	WORKER_STATE_ANSWER,
	WORKER_WRITES_END,
	WORKER_PENDING, /* dm_rh_inc_pending(), of the sync writes, then of the nosync ones */
	WORKER_PENDING_ANSWER,
	WORKER_FLUSH,    /* dm_rh_flush() */
	WORKER_FAILURES, /* do_failures() */
	WORKER_FAILURE_ANSWER,
	WORKER_END,
	WORKER_WAITS, /* returned by a step that has asked something */
};

#define REMOTE_LIMIT_MS 250
#define DELAYED_WAKE_MS 200

/* queue_work() */
void worker_wake(struct sim *sim, struct table *table)
{
	table->work_queued = true;
	if (!table->work_running)
		thread_wake(sim, &table->worker);
}

static uint64_t payload_u64(const struct kthread *thread, uint32_t at_bytes)
{
	uint64_t value = 0;

	if (thread->payload_bytes >= at_bytes + sizeof(value))
		memcpy(&value, thread->payload + at_bytes, sizeof(value));
	return value;
}

static enum worker_step ask(struct sim *sim, struct table *table, enum request_type type,
			    const struct bio *bio, enum worker_step then)
{
	struct request *request = kernel_request(&table->worker, table, type);

	if (bio != NULL) {
		request->region_count = 1;
		request->regions[0] = bio->region;
	}
	table->worker.step = then;
	kernel_call(sim, &table->worker, true);
	return WORKER_WAITS;
}

/* userspace_in_sync(): any error is "no". */
static bool answer_in_sync(const struct kthread *thread)
{
	return thread->error == 0 && payload_u64(thread, 0) != 0;
}

static enum worker_step begin(struct sim *sim, struct table *table)
{
	table->work_queued = false;
	table->work_running = true;
	bio_list_merge(&table->w_reads, &table->reads);
	bio_list_merge(&table->w_writes, &table->writes);
	bio_list_merge(&table->w_failures, &table->failures);
	region_update_states(sim, table);
	log_flush_begin(table);
	return WORKER_UPDATE_FLUSH;
}

/* userspace_get_resync_work() behind down_trylock(&rh->recovery_count) */
static enum worker_step recovery(struct sim *sim, struct table *table)
{
	if (table->recovery_count == 0 || table->in_sync_hint >= table->geometry.region_count)
		return WORKER_SYNC_COUNT;
	table->recovery_count--;
	return ask(sim, table, REQUEST_GET_RESYNC_WORK, NULL, WORKER_RECOVERY_ANSWER);
}

static enum worker_step recovery_answer(struct sim *sim, struct table *table)
{
	table->recovery_count++;
	if (table->worker.error == 0 && payload_u64(&table->worker, 0) != 0)
		violate(sim, "5", "GET_RESYNC_WORK was answered with work");
	dm_poke(sim, table->dev);
	return WORKER_SYNC_COUNT;
}

static enum worker_step sync_count_answer(struct sim *sim, struct table *table)
{
	uint64_t count = table->worker.error == 0 ? payload_u64(&table->worker, 0) : 0;

	if (count >= table->geometry.region_count)
		table->in_sync_hint = table->geometry.region_count;
	if (count == table->geometry.region_count) {
		raid1_event(sim, table->dev);
		table->in_sync = true;
		raid1_reset_flags(sim, table);
	}
	return WORKER_READS;
}

static void read_dispatch(struct sim *sim, struct table *table, struct bio *bio, bool in_sync)
{
	int leg = (int)table->default_leg;

	if (in_sync)
		leg = raid1_choose_leg(table);
	else if (table->leg_errors[leg] > 0)
		leg = -1;
	raid1_read(sim, table, bio, leg);
}

static enum worker_step reads(struct sim *sim, struct table *table)
{
	struct bio *bio = bio_list_pop(&table->w_reads);
	uint8_t state;

	if (bio == NULL)
		return WORKER_WRITES;
	state = table->state[bio->region];
	if (state == REGION_ABSENT) {
		table->w_bio = bio;
		return ask(sim, table, REQUEST_IN_SYNC, bio, WORKER_READ_ANSWER);
	}
	read_dispatch(sim, table, bio, state == REGION_CLEAN || state == REGION_DIRTY);
	return WORKER_READS;
}

static enum worker_step read_answer(struct sim *sim, struct table *table)
{
	read_dispatch(sim, table, table->w_bio, answer_in_sync(&table->worker));
	return WORKER_READS;
}

/* userspace_is_remote_recovering() */
static enum worker_step writes(struct sim *sim, struct table *table)
{
	struct bio *bio = bio_list_pop(&table->w_writes);

	table->w_bio = bio;
	if (bio == NULL)
		return WORKER_WRITES_END;
	if (bio->op == BIO_FLUSH) {
		bio_list_add(&table->w_sync, bio);
		return WORKER_WRITES;
	}
	if (bio->region < table->in_sync_hint)
		return WORKER_STATE;
	if (table->node->remote_limit_ms > sim->now_ms) {
		bio_list_add(&table->w_requeue, bio);
		return WORKER_WRITES;
	}
	table->node->remote_limit_ms = sim->now_ms + REMOTE_LIMIT_MS;
	return ask(sim, table, REQUEST_IS_REMOTE_RECOVERING, bio, WORKER_REMOTE_ANSWER);
}

static enum worker_step remote_answer(struct table *table)
{
	const struct kthread *thread = &table->worker;

	if (thread->error == 0)
		table->in_sync_hint = payload_u64(thread, 8);
	if (thread->error == 0 && payload_u64(thread, 0) == 0)
		return WORKER_STATE;
	bio_list_add(&table->w_requeue, table->w_bio);
	return WORKER_WRITES;
}

static enum worker_step state(struct sim *sim, struct table *table)
{
	struct bio *bio = table->w_bio;
	uint8_t now = table->state[bio->region];

	if (now == REGION_ABSENT)
		return ask(sim, table, REQUEST_IN_SYNC, bio, WORKER_STATE_ANSWER);
	bio_list_add(now == REGION_NOSYNC ? &table->w_nosync : &table->w_sync, bio);
	return WORKER_WRITES;
}

static enum worker_step state_answer(struct table *table)
{
	bio_list_add(answer_in_sync(&table->worker) ? &table->w_sync : &table->w_nosync,
		     table->w_bio);
	return WORKER_WRITES;
}

static enum worker_step writes_end(struct sim *sim, struct table *table)
{
	if (table->w_requeue.head != NULL) {
		bio_list_merge(&table->writes, &table->w_requeue);
		if (!table->timer_pending) {
			table->timer_pending = true;
			schedule_in(sim, DELAYED_WAKE_MS, ITEM_WORKER_WAKE, table->node, table);
		}
	}
	table->w_bio = table->w_sync.head;
	table->w_nosync_begun = false;
	return WORKER_PENDING;
}

/* The next write that is not an empty flush, of the two lists. */
static struct bio *pending_bio(struct table *table)
{
	for (;;) {
		if (table->w_bio == NULL) {
			if (table->w_nosync_begun)
				return NULL;
			table->w_nosync_begun = true;
			table->w_bio = table->w_nosync.head;
			continue;
		}
		if (table->w_bio->op != BIO_FLUSH)
			return table->w_bio;
		table->w_bio = table->w_bio->next;
	}
}

static enum worker_step pending(struct sim *sim, struct table *table)
{
	struct bio *bio = pending_bio(table);

	if (bio == NULL) {
		log_flush_begin(table);
		return WORKER_FLUSH;
	}
	if (table->state[bio->region] == REGION_ABSENT)
		return ask(sim, table, REQUEST_IN_SYNC, bio, WORKER_PENDING_ANSWER);
	region_inc(table, bio->region);
	table->w_bio = bio->next;
	return WORKER_PENDING;
}

static void dispatch(struct sim *sim, struct table *table)
{
	struct bio *bio;

	if (table->flush_result != 0)
		table->log_failure = true;
	if (table->log_failure && table->handle_errors) {
		if (table->w_sync.head != NULL) {
			bio_list_merge(&table->failures, &table->w_sync);
			worker_wake(sim, table);
		}
	} else {
		while ((bio = bio_list_pop(&table->w_sync)) != NULL)
			raid1_write(sim, table, bio);
	}
	while ((bio = bio_list_pop(&table->w_nosync)) != NULL) {
		if (table->leg_failure && table->handle_errors) {
			bio_list_add(&table->failures, bio);
			worker_wake(sim, table);
		} else {
			raid1_write_single(sim, table, bio);
		}
	}
}

static void failure_end(struct sim *sim, struct table *table, struct bio *bio)
{
	if (!raid1_any_leg(table))
		raid1_end(sim, bio, -5);
	else if (table->handle_errors)
		raid1_hold(sim, table, bio);
	else
		raid1_end(sim, bio, 0);
}

static enum worker_step failures(struct sim *sim, struct table *table)
{
	struct bio *bio = bio_list_pop(&table->w_failures);
	struct request *request;

	if (bio == NULL)
		return WORKER_END;
	table->w_bio = bio;
	if (!table->log_failure) {
		table->in_sync = false;
		if (bio->op == BIO_FLUSH) {
			table->flush_failure = true;
		} else {
			request = kernel_request(&table->worker, table, REQUEST_SET_REGION_SYNC);
			request->region_count = 1;
			request->regions[0] = bio->region;
			table->worker.step = WORKER_FAILURE_ANSWER;
			kernel_call(sim, &table->worker, true);
			return WORKER_WAITS;
		}
	}
	failure_end(sim, table, bio);
	return WORKER_FAILURES;
}

static enum worker_step failure_answer(struct sim *sim, struct table *table)
{
	region_mark_nosync(table, table->w_bio->region);
	failure_end(sim, table, table->w_bio);
	return WORKER_FAILURES;
}

static void end(struct sim *sim, struct table *table)
{
	table->work_running = false;
	table->passes++;
	table->worker.step = WORKER_IDLE;
	if (table->work_queued)
		thread_wake(sim, &table->worker);
	dm_poke(sim, table->dev);
}

static enum worker_step step(struct sim *sim, struct table *table, enum worker_step now)
{
	switch (now) {
	case WORKER_IDLE:
		return begin(sim, table);
	case WORKER_UPDATE_FLUSH:
		table->worker.step = now;
		return log_flush_run(sim, table) ? WORKER_RECOVERY : WORKER_WAITS;
	case WORKER_RECOVERY:
		return recovery(sim, table);
	case WORKER_RECOVERY_ANSWER:
		return recovery_answer(sim, table);
	case WORKER_SYNC_COUNT:
		if (table->in_sync)
			return WORKER_READS;
		return ask(sim, table, REQUEST_GET_SYNC_COUNT, NULL, WORKER_SYNC_COUNT_ANSWER);
	case WORKER_SYNC_COUNT_ANSWER:
		return sync_count_answer(sim, table);
	case WORKER_READS:
		return reads(sim, table);
	case WORKER_READ_ANSWER:
		return read_answer(sim, table);
	case WORKER_WRITES:
		return writes(sim, table);
	case WORKER_REMOTE_ANSWER:
		return remote_answer(table);
	case WORKER_STATE:
		return state(sim, table);
	case WORKER_STATE_ANSWER:
		return state_answer(table);
	case WORKER_WRITES_END:
		return writes_end(sim, table);
	case WORKER_PENDING:
		return pending(sim, table);
	case WORKER_PENDING_ANSWER:
		region_insert(table, table->w_bio->region, answer_in_sync(&table->worker));
		return WORKER_PENDING;
	case WORKER_FLUSH:
		table->worker.step = now;
		if (!log_flush_run(sim, table))
			return WORKER_WAITS;
		dispatch(sim, table);
		return WORKER_FAILURES;
	case WORKER_FAILURES:
		return failures(sim, table);
	case WORKER_FAILURE_ANSWER:
		return failure_answer(sim, table);
	case WORKER_END:
		end(sim, table);
		return WORKER_WAITS;
	case WORKER_WAITS:
		break;
	}
	return WORKER_WAITS;
}

void worker_run(struct sim *sim, struct kthread *thread)
{
	struct table *table = thread->table;
	enum worker_step now = (enum worker_step)thread->step;

	if (now == WORKER_IDLE && !table->work_queued)
		return;
	while (now != WORKER_WAITS && !sim->failed)
		now = step(sim, table, now);
}
