/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests for a luid that nobody has constructed: a daemon of before served it.
 *
 * -ESRCH makes the kernel build the log again: CTR, RESUME, and the request once more.  But it also takes the
 * caller's answer buffer away (fill_pkg() sets its size to 0), so that the repeated request fails; for IN_SYNC that counts
 * as "not in sync", and the region is written on one leg.  And an error for RESUME ends the reconnect loop with every request
 * that waits in it (F10).  So:
 *
 *   STATUS_INFO, STATUS_TABLE  -ESRCH: they build the log again, and the text that they lose does no harm
 *   GET_SYNC_COUNT             0, always a safe answer; it is asked for tables that are not live, too
 *   GET_RESYNC_WORK, IS_REMOTE_RECOVERING  what they always get
 *   RESUME and all about I/O   wait; a status is provoked, which leads to CTR and RESUME; then the RESUME is
 *                              answered, and the others are told to come again (EAGAIN)
 *   FLUSH, MARK                -EIO, where another luid of this uuid is live
 *   CLEAR                      0, there
 *   RESUME                     0, there: a status would reach the other luid, and whoever waits in the loop asks again
 *   DTR                        0: it is gone, or the first answer came too late
 *   PRESUSPEND, POSTSUSPEND    -ESRCH, which the kernel ignores
 *
 * Where no table is live no I/O waits, and -ESRCH does no harm.
 * Obeys userspace_do_request() of drivers/md/dm-log-userspace-base.c, fill_pkg() of -transfer.c.
 */
#include <errno.h>
#include <string.h>

#include "core_private.h"

/* The kernel repeats a request every 15 s: each time it is tried again. */
#define PROVOKE_MS 10000

static void answer(struct core *core, const struct unknown_request *request, int error,
		   const void *payload, uint32_t payload_bytes)
{
	struct effect effect = {
		.type = EFFECT_ANSWER,
		.answer = {
			.seq = request->seq,
			.luid = request->luid,
			.type = request->type,
			.version = request->version,
			.error = error,
			.payload_bytes = payload_bytes,
		},
	};

	if (payload_bytes > 0)
		memcpy(effect.answer.payload, payload, payload_bytes);
	emit(core, &effect);
}

static bool provoked_lately(struct core *core, uint64_t luid)
{
	for (uint32_t i = 0; i < UNKNOWN_REQUESTS_MAX; i++) {
		const struct unknown_request *entry = &core->unknown_requests[i];

		if (entry->version != 0 && entry->luid == luid && entry->provoked &&
		    core->now_ms < entry->since_ms + PROVOKE_MS)
			return true;
	}
	return false;
}

void unknown_provoke(struct core *core, const char *uuid, uint64_t luid)
{
	struct effect effect = {
		.type = EFFECT_PROVOKE,
		.table = { .table = NO_INDEX, .uuid = uuid, .luid = luid },
	};

	emit(core, &effect);
}

static struct unknown_request entry_of(const struct core *core, const struct request *request)
{
	struct unknown_request entry = {
		.luid = request->luid,
		.type = request->type,
		.seq = request->seq,
		.version = request->version,
		.since_ms = core->now_ms,
	};

	memcpy(entry.uuid, request->uuid, sizeof(entry.uuid));
	return entry;
}

static struct unknown_request *hold(struct core *core, const struct request *request)
{
	struct unknown_request *entry =
		&core->unknown_requests[core->unknown_next++ % UNKNOWN_REQUESTS_MAX];

	/* The oldest makes room: the kernel asks again in 15 s. */
	*entry = entry_of(core, request);
	return entry;
}

void unknown_hold(struct core *core, const struct request *request)
{
	(void)hold(core, request);
}

/* Another luid of this uuid is live, and the kernel says so too: this one is suspended for good. */
static bool other_is_live(struct core *core, const char *uuid)
{
	for (uint32_t i = 0; i < core->tables_end; i++) {
		const struct table *table = &core->tables[i];

		if (table->used && table->phase == TABLE_LIVE && table->legs == LEGS_OPEN &&
		    !table->dm_suspended && strcmp(table_log(core, table)->name.uuid, uuid) == 0)
			return true;
	}
	return false;
}

void unknown_ask(struct core *core, const struct request *request)
{
	struct unknown_request entry = entry_of(core, request);
	int64_t none[2] = { 0, INT64_MAX };
	bool lately;

	if ((request->type == REQUEST_FLUSH || request->type == REQUEST_MARK) &&
	    other_is_live(core, request->uuid)) {
		answer(core, &entry, -EIO, NULL, 0);
		return;
	}
	if ((request->type == REQUEST_RESUME || request->type == REQUEST_CLEAR) &&
	    other_is_live(core, request->uuid)) {
		answer(core, &entry, 0, NULL, 0);
		return;
	}
	switch (request->type) {
	case REQUEST_GET_SYNC_COUNT:
		answer(core, &entry, 0, &none[0], sizeof(none[0]));
		return;
	case REQUEST_GET_RESYNC_WORK:
		none[1] = 0;
		answer(core, &entry, 0, none, sizeof(none));
		return;
	case REQUEST_IS_REMOTE_RECOVERING:
		answer(core, &entry, 0, none, sizeof(none));
		return;
	case REQUEST_DTR:
		answer(core, &entry, 0, NULL, 0);
		return;
	case REQUEST_RESUME:
	case REQUEST_IS_CLEAN:
	case REQUEST_IN_SYNC:
	case REQUEST_FLUSH:
	case REQUEST_MARK:
	case REQUEST_CLEAR:
	case REQUEST_SET_REGION_SYNC:
		lately = provoked_lately(core, request->luid);
		hold(core, request)->provoked = !lately;
		if (!lately)
			unknown_provoke(core, request->uuid, request->luid);
		return;
	case REQUEST_CTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_GET_REGION_SIZE:
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
		answer(core, &entry, -ESRCH, NULL, 0);
		return;
	}
}

static void answer_all(struct core *core, uint64_t luid, int error)
{
	for (uint32_t i = 0; i < UNKNOWN_REQUESTS_MAX; i++) {
		struct unknown_request *entry = &core->unknown_requests[i];

		if (entry->version == 0 || entry->luid != luid)
			continue;
		answer(core, entry, error, NULL, 0);
		*entry = (struct unknown_request){ 0 };
	}
}

void unknown_provoked(struct core *core, const struct input_provoked *provoked)
{
	if (provoked->status == -ENODEV)
		answer_all(core, provoked->luid, -ESRCH);
}

void unknown_adopt(struct core *core, struct table *table)
{
	struct request request = { .type = REQUEST_RESUME, .luid = table->luid };

	for (uint32_t i = 0; i < UNKNOWN_REQUESTS_MAX; i++) {
		struct unknown_request *entry = &core->unknown_requests[i];

		if (entry->version == 0 || entry->luid != table->luid ||
		    entry->type != REQUEST_RESUME)
			continue;
		request.seq = entry->seq;
		request.version = entry->version;
		waiting_note(core, table, &request);
		*entry = (struct unknown_request){ 0 };
	}
}

void unknown_again(struct core *core, const struct table *table)
{
	answer_all(core, table->luid, -EAGAIN);
}

void unknown_live(struct core *core, struct table *table)
{
	const char *uuid = table_log(core, table)->name.uuid;

	answer_all(core, table->luid, -EAGAIN);
	/* Another luid of this uuid is suspended for good, or has no right to write. */
	for (uint32_t i = 0; i < UNKNOWN_REQUESTS_MAX; i++) {
		struct unknown_request *entry = &core->unknown_requests[i];

		if (entry->version == 0 || strcmp(entry->uuid, uuid) != 0 ||
		    (entry->type != REQUEST_FLUSH && entry->type != REQUEST_MARK))
			continue;
		answer(core, entry, -EIO, NULL, 0);
		*entry = (struct unknown_request){ 0 };
	}
}
