/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel asks while a mirror works.  Everything here is answered at once, except a FLUSH
 * that needs a hold, an IN_SYNC of a region that was never in sync, and a SET_REGION_SYNC that reports a loss.
 *
 * The kernel never resynchronises: it is told "no work", "nobody is recovering", "hint = region_count".
 * A kernel that was once told "not in sync" would write that region on one leg, unmarked, until the table is
 * gone.  Obeys drivers/md/dm-log-userspace-base.c and dm-raid1.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

static bool regions_valid(const struct log *log, const struct request *request)
{
	for (uint32_t i = 0; i < request->region_count; i++)
		if (request->regions[i] >= log->region_count && !PLANTED(PLANT_REGION_UNCHECKED))
			return false;
	return true;
}

static uint64_t sync_count(const struct log *log)
{
	uint64_t count = log_sync_count(log);

	return PLANTED(PLANT_SYNC_COUNT_OFF) ? count + 1 : count;
}

static void answer(struct core *core, struct table *table, enum request_type type, int error)
{
	answer_waiting(core, table, type, error, NULL, 0);
}

/* Nobody can write to it that holds for this node.  While it has not entered the log, for the first time or again, that is
 * not known, and FLUSH waits. */
static bool device_dead(struct core *core, struct log *log)
{
	return log->phase == LOG_OPEN &&
	       (log->opening.failed ||
		((log->device_failed || log->by_proxy) && proxy_hopeless(core, log)));
}

static void status_info(struct core *core, struct table *table, struct log *log)
{
	char text[64];

	if (log->type == LOG_TYPE_CORE)
		(void)snprintf(text, sizeof(text), "1 clustered-core");
	else
		(void)snprintf(text, sizeof(text), "3 clustered-disk %u:%u %c", log->name.log_major,
			       log->name.log_minor, device_dead(core, log) ? 'D' : 'A');
	answer_waiting(core, table, REQUEST_STATUS_INFO, 0, text, (uint32_t)strlen(text) + 1);
}

static void status_table(struct core *core, struct table *table, const struct log *log)
{
	static const char *const sync_words[] = { "", " sync", " nosync" };
	int words = (log->type == LOG_TYPE_DISK ? 3 : 2) + (table->sync != SYNC_DEFAULT);
	char text[REQUEST_UUID_SIZE + 96];

	if (log->type == LOG_TYPE_CORE)
		(void)snprintf(text, sizeof(text), "clustered-core %d %s %u%s", words,
			       log->name.uuid, log->region_sectors, sync_words[table->sync]);
	else
		(void)snprintf(text, sizeof(text), "clustered-disk %d %s %u:%u %u%s", words,
			       log->name.uuid, log->name.log_major, log->name.log_minor,
			       log->region_sectors, sync_words[table->sync]);
	answer_waiting(core, table, REQUEST_STATUS_TABLE, 0, text, (uint32_t)strlen(text) + 1);
}

static bool is_live(const struct core *core, const struct table *table, const struct log *log)
{
	return log->live == table_index(core, table);
}

static void mark_or_clear(struct core *core, struct table *table, struct log *log,
			  const struct request *request)
{
	if (!regions_valid(log, request)) {
		answer(core, table, request->type, -EINVAL);
		return;
	}
	log->active_ms = core->now_ms;
	table->io_seen = true;
	if (PLANTED(PLANT_MARK_KEPT_LATE) && request->type == REQUEST_MARK)
		answer(core, table, REQUEST_MARK, 0);
	/* Only the resumed table's kernel can write; a rival's FLUSH fails instead. */
	for (uint32_t i = 0; i < request->region_count && is_live(core, table, log); i++) {
		if (request->type == REQUEST_CLEAR)
			hold_clear(core, log, request->regions[i]);
		else
			hold_mark(log, request->regions[i]);
	}
	if (request->type != REQUEST_CLEAR && request->region_count > 0 &&
	    !is_live(core, table, log)) {
		table->unheld_marks = true; /* its FLUSH fails */
		kept_forget(log);           /* nor does the next daemon know of them */
	}
	if (request->type != REQUEST_FLUSH)
		answer(core, table, request->type, 0);
}

/* FLUSH: hold_pump() answers it when nothing is pending any more.  */
static void flush(struct core *core, struct table *table, struct log *log,
		  const struct request *request)
{
	mark_or_clear(core, table, log, request);
	if (!table->waiting[REQUEST_FLUSH].active)
		return;
	if (!is_live(core, table, log))
		answer(core, table, REQUEST_FLUSH,
		       table->unheld_marks || table->conflict ? -EIO : 0);
	else if (PLANTED(PLANT_FLUSH_EARLY))
		answer(core, table, REQUEST_FLUSH, 0);
	else
		log->write_retry_ms = 0; /* a device that failed is tried again */
}

static void in_sync(struct core *core, struct table *table, struct log *log,
		    const struct request *request)
{
	uint64_t region = request->regions[0];

	table->io_seen = true;
	/* An error would count as "not in sync": a number that is wrong is told 1 (G25). */
	if (PLANTED(PLANT_LOST_TOLD_OUT) && region < log->region_count &&
	    bitmap_test(&log->replicated.lost, region))
		answer_waiting_flag(core, table, REQUEST_IN_SYNC, 0);
	else if (PLANTED(PLANT_IN_SYNC_WILD) && region >= log->region_count)
		answer_waiting_flag(core, table, REQUEST_IN_SYNC, 0);
	else if (region >= log->region_count || table->conflict || touch_needless(log, region))
		answer_waiting_flag(core, table, REQUEST_IN_SYNC, 1);
	else
		touch_ask(core, table, request);
}

static void is_clean(struct core *core, struct table *table, struct log *log,
		     const struct request *request)
{
	uint64_t region = request->regions[0];
	bool clean = region < log->region_count && log->has_state &&
		     !bitmap_test(&log->replicated.out, region) &&
		     !bitmap_test(&log->marked, region) && !log->everything_held;

	answer_waiting_flag(core, table, REQUEST_IS_CLEAN, clean ? 1 : 0);
}

/*
 * A write failed on one leg (in_sync 0): the loss goes through the order, and the answer waits for its own delivery.
 * The slot bit stays until the base on the device shows the loss (F15).  in_sync 1 means nothing to us: kernels
 * do not recover.
 */
static void set_region_sync(struct core *core, struct table *table, struct log *log,
			    const struct request *request)
{
	if (request->in_sync != 0 || table->conflict || PLANTED(PLANT_REPORT_FORGOTTEN) ||
	    !is_live(core, table, log) || !regions_valid(log, request))
		answer(core, table, REQUEST_SET_REGION_SYNC, 0);
	else
		(void)bitmap_set(&log->unsynced, request->regions[0]);
}

/* What this table has reported stays so, also in a state that does not know of it: of another side, or opened anew. */
static void report_again(struct core *core, struct log *log)
{
	const struct table *table = &core->tables[log->live];
	struct group_message message = { .type = MESSAGE_LOST,
					 .reported = true,
					 .luid = table->luid };
	uint64_t region = bitmap_next(&log->unsynced, 0);

	if (log->unsynced_told || !log_usable(core, log))
		return;
	log->unsynced_told = true;
	for (; region != BITMAP_NONE; region = bitmap_next(&log->unsynced, region + 1)) {
		message.regions[message.region_count++] = region;
		if (message.region_count < WINDOW_REGIONS_MAX)
			continue;
		multicast(core, log, &message);
		message.region_count = 0;
	}
	if (message.region_count > 0)
		multicast(core, log, &message);
}

/* Waits for the group, and goes out again when the state that it was told to did not count. */
void report_pump(struct core *core, struct log *log)
{
	struct table *table = log->live == NO_INDEX ? NULL : &core->tables[log->live];
	struct group_message message = { .type = MESSAGE_LOST,
					 .reported = true,
					 .region_count = 1 };

	if (table != NULL)
		report_again(core, log);
	if (table == NULL || !table->waiting[REQUEST_SET_REGION_SYNC].active || log->report_sent ||
	    !log_usable(core, log))
		return;
	log->report_sent = true;
	message.luid = table->luid;
	message.regions[0] = table->waiting[REQUEST_SET_REGION_SYNC].region;
	multicast(core, log, &message);
}

/* About I/O, so only a kernel whose table is live sends it. */
static bool is_about_io(enum request_type type)
{
	return type == REQUEST_IS_CLEAN || type == REQUEST_IN_SYNC || type == REQUEST_FLUSH ||
	       type == REQUEST_MARK || type == REQUEST_CLEAR || type == REQUEST_SET_REGION_SYNC;
}

/* A daemon that has just begun may hear of I/O before it has answered CTR and RESUME (the kernel repeats what its
 * predecessor left unanswered): it comes again then. */
static bool comes_too_early(const struct table *table, enum request_type type)
{
	return is_about_io(type) && (table->phase == TABLE_NEW || table->phase == TABLE_JOINING ||
				     (table->phase == TABLE_READY && !table->resumed_once));
}

/* So ask only tables that are live: a CLEAR may come late. */
static bool shows_life(const struct request *request)
{
	return request->type == REQUEST_IN_SYNC || request->type == REQUEST_MARK ||
	       request->type == REQUEST_GET_RESYNC_WORK ||
	       (request->type == REQUEST_FLUSH && request->region_count > 0);
}

bool request_changes(enum request_type type)
{
	return type == REQUEST_MARK || type == REQUEST_CLEAR || type == REQUEST_FLUSH ||
	       type == REQUEST_SET_REGION_SYNC;
}

void request_answer(struct core *core, struct table *table, const struct request *request)
{
	struct log *log = table_log(core, table);
	int64_t none[2] = { 0, 0 };
	uint64_t number;

	if (shows_life(request))
		(void)table_outlived(core, table);
	if (shows_life(request) && table->phase != TABLE_JOINING)
		table->was_live = false;
	if (comes_too_early(table, request->type)) {
		table->waiting[request->type].active = false;
		unknown_hold(core, request);
		return;
	}
	switch (request->type) {
	case REQUEST_GET_REGION_SIZE:
		number = log->region_sectors;
		answer_waiting(core, table, request->type, 0, &number, sizeof(number));
		break;
	case REQUEST_IS_CLEAN:
		is_clean(core, table, log, request);
		break;
	case REQUEST_IN_SYNC:
		in_sync(core, table, log, request);
		break;
	case REQUEST_FLUSH:
		flush(core, table, log, request);
		break;
	case REQUEST_MARK:
	case REQUEST_CLEAR:
		mark_or_clear(core, table, log, request);
		break;
	case REQUEST_GET_RESYNC_WORK:
		answer_waiting(core, table, request->type, 0, none, sizeof(none));
		break;
	case REQUEST_SET_REGION_SYNC:
		set_region_sync(core, table, log, request);
		break;
	case REQUEST_GET_SYNC_COUNT:
		/* A full count before the first RESUME would mark the new table in sync for good. */
		number = table->resumed_once || PLANTED(PLANT_COUNT_BEFORE_RESUME) ?
				 sync_count(log) :
				 0;
		answer_waiting(core, table, request->type, 0, &number, sizeof(number));
		break;
	case REQUEST_STATUS_INFO:
		status_info(core, table, log);
		break;
	case REQUEST_STATUS_TABLE:
		status_table(core, table, log);
		break;
	case REQUEST_IS_REMOTE_RECOVERING:
		none[1] = (int64_t)log->region_count - PLANTED(PLANT_HINT_SHORT);
		answer_waiting(core, table, request->type, 0, none, sizeof(none));
		break;
	case REQUEST_CTR:
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
		assert(0);
	}
}
