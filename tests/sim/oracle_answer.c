/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 5, first half: every answer is one that the kernel can live with.
 *
 * Exactly 0 or 1, payloads of the right size, no error but where the log device failed (FLUSH, CTR), -ESRCH
 * only for a luid that this daemon has not been told of; the kernel never gets work, never hears of recovering.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

static void wrong(struct sim *sim, const struct answer *answer, const char *why)
{
	violate(sim, "5", "answer to %s seq %u: %s (error %d, %u bytes)",
		request_type_name(answer->type), answer->seq, why, answer->error,
		answer->payload_bytes);
}

static uint64_t payload_u64(const struct answer *answer, uint32_t at_bytes)
{
	uint64_t value;

	memcpy(&value, answer->payload + at_bytes, sizeof(value));
	return value;
}

static bool operator_excuses(const struct table *table)
{
	return (table->node->failed >> table->mirror->index & 1) != 0;
}

/* The log device has failed at some time, or is about to. */
static bool disk_excuses(const struct sim *sim, const struct table *table)
{
	return table->log_type == LOG_TYPE_DISK &&
	       (table->disk->broken || table->disk->read_only ||
		table->disk->last_error_ms != UINT64_MAX || sim->profile.weight_disk > 0 ||
		sim->profile.weight_path > 0 || operator_excuses(table));
}

/* Nobody can write what this FLUSH wants to hold; or the table has no right to write at all. */
static bool flush_may_fail(const struct sim *sim, const struct table *table)
{
	struct core_view view;

	if (operator_excuses(table) || table->node->served > 0 || table != table->dev->active)
		return true;
	if (view_of_mirror(table->node, table->mirror, &view) &&
	    (view.refused || !view.resumed || view.closing))
		return true;
	return (disk_excuses(sim, table) || sim->profile.few_slots) &&
	       table->log_type == LOG_TYPE_DISK && !writer_known(sim, table->node, table->mirror);
}

static bool error_allowed(const struct sim *sim, const struct table *table, enum request_type type,
			  int error)
{
	if (error == -EAGAIN)
		return true;
	if (error == -ESRCH)
		return !table->known && type != REQUEST_CTR;
	if (type == REQUEST_CTR)
		return disk_excuses(sim, table);
	if (type == REQUEST_FLUSH)
		return flush_may_fail(sim, table);
	return false;
}

static void check_ctr(struct sim *sim, const struct kthread *thread, const struct table *table,
		      const struct answer *answer)
{
	char device[32];
	int length;

	if (thread->call == CALL_CTR) {
		if (answer->payload_bytes != 0)
			wrong(sim, answer, "the reconnect loop's CTR has no room for a device");
		return;
	}
	if (table->log_type == LOG_TYPE_CORE) {
		if (answer->payload_bytes != 0)
			wrong(sim, answer, "a core log has no device");
		return;
	}
	length = snprintf(device, sizeof(device), "254:%u", table->disk->minor);
	if (answer->payload_bytes != (uint32_t)length + 1 ||
	    memcmp(answer->payload, device, answer->payload_bytes) != 0)
		wrong(sim, answer, "not the log device with its NUL");
}

static void check_in_sync(struct sim *sim, const struct table *table, const struct answer *answer)
{
	uint64_t value;

	if (answer->payload_bytes != 8) {
		wrong(sim, answer, "not 8 bytes");
		return;
	}
	value = payload_u64(answer, 0);
	if (value > 1)
		wrong(sim, answer, "neither 0 nor 1");
	if (value == 0 && answer->type == REQUEST_IN_SYNC && !table->primary_failed)
		wrong(sim, answer, "not in sync, and the primary leg has not failed");
}

static void check_sync_count(struct sim *sim, struct table *table, const struct answer *answer)
{
	struct core_view view;
	uint64_t count;

	if (answer->payload_bytes != 8) {
		wrong(sim, answer, "not 8 bytes");
		return;
	}
	count = payload_u64(answer, 0);
	if (count > table->geometry.region_count)
		wrong(sim, answer, "more than all regions");
	if (!table->resume_asked && count != 0)
		wrong(sim, answer, "not 0 before the first RESUME");
	if (table->resumed_once && table == table->dev->active &&
	    (table->node->failed >> table->mirror->index & 1) == 0 &&
	    view_of_mirror(table->node, table->mirror, &view) && view.open &&
	    /* a daemon that has just begun may take another table for the live one, and says 0, which is always safe */
	    (count != 0 || table->node->served == 0) && count != view.region_count - view.out_count)
		violate(sim, "6", "GET_SYNC_COUNT says %" PRIu64 ", %" PRIu64 " are in sync", count,
			view.region_count - view.out_count);
}

static void check_status(struct sim *sim, const struct table *table, const struct answer *answer)
{
	char text[40];
	const char *got = (const char *)answer->payload;
	uint32_t length = answer->payload_bytes;
	int expected;

	if (table->log_type == LOG_TYPE_CORE)
		expected = snprintf(text, sizeof(text), "1 clustered-core");
	else
		expected = snprintf(text, sizeof(text), "3 clustered-disk 254:%u ",
				    table->disk->minor);
	if (length < (uint32_t)expected || memcmp(got, text, (size_t)expected) != 0) {
		wrong(sim, answer, "not the status words");
		return;
	}
	if (table->log_type == LOG_TYPE_CORE)
		return;
	if (length < (uint32_t)expected + 1 || (got[expected] != 'A' && got[expected] != 'D') ||
	    (got[expected] == 'D' && !flush_may_fail(sim, table)))
		wrong(sim, answer, "the log device's letter is wrong");
}

static void check_pair(struct sim *sim, const struct table *table, const struct answer *answer)
{
	if (answer->payload_bytes != 16) {
		wrong(sim, answer, "not 16 bytes");
		return;
	}
	if (payload_u64(answer, 0) != 0)
		wrong(sim, answer, "not 0");
	if (answer->type == REQUEST_IS_REMOTE_RECOVERING &&
	    payload_u64(answer, 8) < table->geometry.region_count)
		wrong(sim, answer, "the hint is below the number of regions");
}

static void check_payload(struct sim *sim, const struct kthread *thread, struct table *table,
			  enum request_type type, const struct answer *answer)
{
	switch (type) {
	case REQUEST_CTR:
		check_ctr(sim, thread, table, answer);
		break;
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
	case REQUEST_FLUSH:
	case REQUEST_MARK:
	case REQUEST_CLEAR:
	case REQUEST_SET_REGION_SYNC:
		if (answer->payload_bytes != 0)
			wrong(sim, answer, "a payload");
		break;
	case REQUEST_GET_REGION_SIZE:
		if (answer->payload_bytes != 8 ||
		    payload_u64(answer, 0) != table->geometry.region_sectors)
			wrong(sim, answer, "not the region size");
		break;
	case REQUEST_IS_CLEAN:
	case REQUEST_IN_SYNC:
		check_in_sync(sim, table, answer);
		break;
	case REQUEST_GET_SYNC_COUNT:
		check_sync_count(sim, table, answer);
		break;
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
		check_status(sim, table, answer);
		break;
	case REQUEST_GET_RESYNC_WORK:
	case REQUEST_IS_REMOTE_RECOVERING:
		check_pair(sim, table, answer);
		break;
	}
}

/* What this node holds may be taken over by others: without them nothing that carries marks is answered. */
static void check_marks(struct sim *sim, const struct kthread *thread, struct table *table,
			enum request_type type)
{
	const struct node *node = table->node;

	if (type == REQUEST_MARK)
		table->unflushed_marks = true;
	if (type != REQUEST_FLUSH)
		return;
	if ((table->unflushed_marks || thread->request.region_count > 0) &&
	    (!node->told_quorate || !node->group.viewed))
		violate(sim, "5", "FLUSH with marks is answered without group or quorum");
	table->unflushed_marks = false;
}

void answer_late(struct sim *sim, struct node *node, const struct answer *answer)
{
	if (answer->type != REQUEST_FLUSH || answer->error != 0 || !node->told_quorate ||
	    !node->group.viewed)
		return;
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		for (uint32_t j = 0; j < TABLES_MAX; j++)
			if (node->devs[i].tables[j].luid == answer->luid)
				node->devs[i].tables[j].unflushed_marks = false;
}

void answer_check(struct sim *sim, struct kthread *thread, struct table *table,
		  enum request_type type, const struct answer *answer)
{
	if (answer->type != type || answer->luid != table->luid ||
	    answer->version != REQUEST_VERSION_MAX) {
		wrong(sim, answer, "type, luid or version of another request");
		return;
	}
	if (type == REQUEST_POSTSUSPEND || answer->error == -EIO)
		table->unflushed_marks = false;
	if (answer->error != 0) {
		if (!error_allowed(sim, table, type, answer->error))
			wrong(sim, answer, "an error that the kernel must not get");
		return;
	}
	check_marks(sim, thread, table, type);
	check_payload(sim, thread, table, type, answer);
}
