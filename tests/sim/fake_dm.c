/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper ioctls on a mirror: load, suspend, resume, remove, clear (drivers/md/dm.c, dm-ioctl.c,
 * and the target functions of dm-raid1.c that they call), as one thread that carries out a plan.
 *
 * A status ioctl is a thread of its own and may come at any time.
 */
#include <errno.h>
#include <string.h>

#include "sim.h"

enum dm_step {
	STEP_NEXT, /* the next operation of the plan */
	STEP_LOAD_CTR,
	STEP_LOAD_REGION_SIZE,
	STEP_STOP_RECOVERY, /* mirror_presuspend() */
	STEP_PRESUSPENDED,
	STEP_FLUSH_WORKER, /* flush_workqueue() */
	STEP_DRAIN,        /* dm_wait_for_completion() */
	STEP_SUSPEND_FLUSHER,
	STEP_SUSPENDED, /* mirror_postsuspend() */
	STEP_SWAP,
	STEP_RESUMED, /* mirror_resume() */
	STEP_DTR_WORKER,
	STEP_DTR_FLUSHER,
	STEP_DTR_DONE,
	STEP_BLOCKED, /* returned by a step that waits */
};

bool dm_idle(const struct dmdev *dev)
{
	return dev->plan == NULL;
}

void dm_begin(struct sim *sim, struct dmdev *dev, const uint8_t *plan)
{
	dev->plan = plan;
	dev->admin.step = STEP_NEXT;
	thread_wake(sim, &dev->admin);
}

void dm_poke(struct sim *sim, struct dmdev *dev)
{
	if (dev->plan != NULL && dev->waits_condition)
		thread_wake(sim, &dev->admin);
}

/* dm_submit_bio(): while blocked, I/O is put off. */
void dm_submit(struct sim *sim, struct dmdev *dev, struct bio *bio)
{
	const struct geometry *geometry;
	uint32_t last = bio->first_cell + bio->cell_count - 1;

	if (dev->blocked) {
		bio_list_add(&dev->deferred, bio);
		return;
	}
	geometry = &dev->active->geometry;
	if (last >= geometry->cell_count ||
	    region_of_cell(geometry, last) != region_of_cell(geometry, bio->first_cell)) {
		application_done(sim, bio, -EIO); /* put off while the table changed under it */
		return;
	}
	raid1_map(sim, bio);
}

static enum dm_step ask(struct sim *sim, struct dmdev *dev, struct table *table,
			enum request_type type, enum dm_step then)
{
	NOTE(sim, "ioctl", type, table->luid, "node %u: dm asks %s", dev->node->index,
	     request_type_name(type));
	(void)kernel_request(&dev->admin, table, type);
	dev->admin.step = then;
	kernel_call(sim, &dev->admin, false);
	return STEP_BLOCKED;
}

static enum dm_step wait_for(struct dmdev *dev, enum dm_step same)
{
	dev->admin.step = same;
	dev->waits_condition = true;
	return STEP_BLOCKED;
}

/* flush_workqueue(): what runs or is queued now has run. */
static uint64_t flush_target(const struct table *table)
{
	return table->passes + table->work_running + table->work_queued;
}

static enum dm_step presuspend(struct sim *sim, struct dmdev *dev)
{
	struct table *table = dev->active;
	struct bio_list holds = table->holds;
	struct bio *bio;

	NOTE(sim, "suspend", dev->mirror->index, dev->noflush, "node %u: suspend%s",
	     dev->node->index, dev->noflush ? " --noflush" : "");
	table->suspend = true;
	table->holds = (struct bio_list){ NULL, NULL };
	while ((bio = bio_list_pop(&holds)) != NULL)
		raid1_hold(sim, table, bio);
	return STEP_STOP_RECOVERY;
}

/* dm_rh_stop_recovery() */
static enum dm_step stop_recovery(struct sim *sim, struct dmdev *dev)
{
	if (dev->active->recovery_count == 0)
		return wait_for(dev, STEP_STOP_RECOVERY);
	dev->active->recovery_count = 0;
	return ask(sim, dev, dev->active, REQUEST_PRESUSPEND, STEP_PRESUSPENDED);
}

static enum dm_step suspend_flusher(struct sim *sim, struct dmdev *dev)
{
	struct table *table = dev->active;

	if (table->sched_flush)
		flusher_wake(sim, table);
	if (table->flusher.step != 0 || table->flusher.runnable)
		return wait_for(dev, STEP_SUSPEND_FLUSHER);
	return ask(sim, dev, table, REQUEST_POSTSUSPEND, STEP_SUSPENDED);
}

/* dm_swap_table() and mirror_resume() */
/* Is a status ioctl under way for this table (NULL: any)? */
static bool status_of(const struct dmdev *dev, const struct table *table)
{
	if (dev->status.step != 0 && (table == NULL || dev->status.table == table))
		return true;
	for (uint32_t p = 0; p < PROVOCATIONS_MAX; p++)
		if (dev->provocations[p].step != 0 &&
		    (table == NULL || dev->provocations[p].table == table))
			return true;
	return false;
}

static enum dm_step resume(struct sim *sim, struct dmdev *dev)
{
	struct table *table = dev->inactive != NULL ? dev->inactive : dev->active;

	if (table == NULL)
		return STEP_NEXT;
	if (dev->inactive != NULL && dev->active != NULL && status_of(dev, NULL))
		return wait_for(dev, STEP_SWAP); /* dm_sync_table(): the status ioctl reads it */
	if (dev->inactive != NULL) {
		dev->dying = dev->active;
		dev->active = dev->inactive;
		dev->inactive = NULL;
		admin_table_swapped(sim, dev);
	}
	table->suspend = false;
	table->in_sync_hint = 0; /* userspace_resume() */
	clean_note_may_copy(sim, dev->mirror, admin_all_may_be_copied(dev));
	return ask(sim, dev, table, REQUEST_RESUME, STEP_RESUMED);
}

/* mirror_dtr(): flush_workqueue(), then userspace_dtr() */
static enum dm_step destroy(struct dmdev *dev, struct table *table)
{
	dev->dying = table;
	table->dying = true;
	dev->flush_target = flush_target(table);
	return STEP_DTR_WORKER;
}

static enum dm_step resumed(struct sim *sim, struct dmdev *dev)
{
	struct bio_list deferred = dev->deferred;
	struct bio *bio;

	dev->active->recovery_count = 1; /* dm_rh_start_recovery() */
	worker_wake(sim, dev->active);
	dev->suspended = dev->blocked = dev->noflush = dev->dmf_suspended = false;
	dev->deferred = (struct bio_list){ NULL, NULL };
	while ((bio = bio_list_pop(&deferred)) != NULL)
		dm_submit(sim, dev, bio);
	NOTE(sim, "resumed", dev->mirror->index, 0, "node %u: resumed", dev->node->index);
	return dev->dying != NULL ? destroy(dev, dev->dying) : STEP_NEXT;
}

static enum dm_step destroy_flusher(struct sim *sim, struct dmdev *dev)
{
	struct table *table = dev->dying;

	if (table->sched_flush)
		flusher_wake(sim, table);
	if (table->flusher.step != 0 || table->flusher.runnable)
		return wait_for(dev, STEP_DTR_FLUSHER);
	return ask(sim, dev, table, REQUEST_DTR, STEP_DTR_DONE);
}

static enum dm_step next(struct sim *sim, struct dmdev *dev)
{
	struct table *table;

	switch ((enum dm_op) * dev->plan++) {
	case DM_END:
		dev->plan = NULL;
		return STEP_BLOCKED;
	case DM_LOAD:
		if (dev->inactive != NULL || (table = table_new(sim, dev)) == NULL)
			return STEP_NEXT;
		dev->inactive = table;
		return ask(sim, dev, table, REQUEST_CTR, STEP_LOAD_CTR);
	case DM_SUSPEND:
		if (dev->active == NULL || dev->suspended)
			return STEP_NEXT;
		dev->noflush = rng_one_in(&sim->rng, 2);
		return presuspend(sim, dev);
	case DM_RESUME:
		if (dev->inactive != NULL && dev->active != NULL && !dev->suspended) {
			dev->plan--; /* do_resume() suspends first */
			return presuspend(sim, dev);
		}
		return resume(sim, dev);
	case DM_REMOVE:
		table = dev->active;
		if (table == NULL)
			return STEP_NEXT;
		admin_removed(sim, dev);
		dev->active = NULL;
		return destroy(dev, table);
	case DM_CLEAR:
		table = dev->inactive;
		if (table == NULL)
			return STEP_NEXT;
		dev->inactive = NULL;
		return destroy(dev, table);
	case DM_WAIT:
		dev->admin.step = STEP_NEXT;
		thread_sleep(sim, &dev->admin, rng_below(&sim->rng, 3000));
		return STEP_BLOCKED;
	}
	return STEP_NEXT;
}

static enum dm_step load_answer(struct sim *sim, struct dmdev *dev, enum dm_step now)
{
	struct table *table = dev->inactive;

	if (dev->admin.error == 0 && now == STEP_LOAD_CTR)
		return ask(sim, dev, table, REQUEST_GET_REGION_SIZE, STEP_LOAD_REGION_SIZE);
	if (dev->admin.error != 0) {
		/* userspace_ctr() fails; dmclogd may know the luid if GET_REGION_SIZE failed: no DTR */
		NOTE(sim, "load failed", (uint64_t)-dev->admin.error, 0, "node %u: load failed: %d",
		     dev->node->index, dev->admin.error);
		table->used = false;
		dev->inactive = NULL;
		dev->plan = plan_nothing;
		return STEP_NEXT;
	}
	worker_wake(sim, table); /* the end of mirror_ctr() */
	return STEP_NEXT;
}

static enum dm_step dm_step(struct sim *sim, struct dmdev *dev, enum dm_step now)
{
	dev->waits_condition = false;
	switch (now) {
	case STEP_NEXT:
		return next(sim, dev);
	case STEP_LOAD_CTR:
	case STEP_LOAD_REGION_SIZE:
		return load_answer(sim, dev, now);
	case STEP_STOP_RECOVERY:
		return stop_recovery(sim, dev);
	case STEP_PRESUSPENDED:
		dev->flush_target = flush_target(dev->active);
		return STEP_FLUSH_WORKER;
	case STEP_FLUSH_WORKER:
		if (dev->active->passes < dev->flush_target)
			return wait_for(dev, now);
		dev->blocked = true;
		return STEP_DRAIN;
	case STEP_DRAIN:
		if (dev->inflight > 0)
			return wait_for(dev, now);
		dev->dmf_suspended = true;
		return STEP_SUSPEND_FLUSHER;
	case STEP_SUSPEND_FLUSHER:
		return suspend_flusher(sim, dev);
	case STEP_SUSPENDED:
		dev->suspended = true;
		return STEP_NEXT;
	case STEP_SWAP:
		return resume(sim, dev);
	case STEP_RESUMED:
		return resumed(sim, dev);
	case STEP_DTR_WORKER:
		if (status_of(dev, dev->dying))
			return wait_for(dev, now);
		return dev->dying->passes < dev->flush_target ? wait_for(dev, now) :
								STEP_DTR_FLUSHER;
	case STEP_DTR_FLUSHER:
		return destroy_flusher(sim, dev);
	case STEP_DTR_DONE:
		dev->dying->used = false;
		dev->dying = NULL;
		return STEP_NEXT;
	case STEP_BLOCKED:
		break;
	}
	return STEP_BLOCKED;
}

void dm_run(struct sim *sim, struct kthread *thread)
{
	struct dmdev *dev = thread->dev;
	enum dm_step now = (enum dm_step)thread->step;

	if (dev->plan == NULL || thread->call != CALL_NONE)
		return;
	while (now != STEP_BLOCKED && !sim->failed)
		now = dm_step(sim, dev, now);
}

/* dmsetup status: mirror_status() asks the count, then the log's words. */
void status_run(struct sim *sim, struct kthread *thread)
{
	struct dmdev *dev = thread->dev;
	enum request_type type = REQUEST_STATUS_INFO;

	if (thread->call != CALL_NONE)
		return;
	if (thread->step == 2) {
		thread->step = 0;
		dm_poke(sim, dev);
		return;
	}
	if (thread->step == 0) {
		if (dev->active == NULL)
			return;
		thread->table = dev->active;
		type = REQUEST_GET_SYNC_COUNT;
	}
	thread->step++;
	(void)kernel_request(thread, thread->table, type);
	kernel_call(sim, thread, true);
}
