/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live table of a resumed luid: its legs, and whether they are well.
 *
 * Every reading of the health letters has a number, so that who needs one that began after some moment
 * waits for the right one.  A leg that failed once counts as failed until there is a new
 * table, whatever its letter says later: the kernel forgets all errors when it first hears that everything is
 * in sync (do_recovery, reset_ms_flags).
 */
#include <assert.h>
#include <string.h>

#include "core_private.h"
#include "plant.h"

/* DM_RAID1_FLUSH_ERROR, as device_status_char() tells it. */
#define LETTER_FLUSH_ERROR 'F'

uint64_t health_ask(struct table *table)
{
	if (table->health_wanted <= table->health_begun)
		table->health_wanted = table->health_begun + 1;
	return table->health_wanted;
}

bool health_failed(const struct table *table)
{
	return table->leg_failed;
}

bool health_primary_failed(const struct table *table)
{
	return table->letters[0] != '\0' && table->letters[0] != 'A';
}

void health_leg_failed(struct log *log, struct table *table, bool flush)
{
	table->leg_failed = true;
	table->flush_failed = table->flush_failed || flush;
	kept_health(log, table);
}

static void tell_health(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);
	struct group_message message = { .type = MESSAGE_HEALTH,
					 .luid = table->luid,
					 .legs_failed = health_failed(table),
					 .flush_failed = table->flush_failed,
					 .device_failed = log->device_told };

	table->health_told = true;
	table->told_failed = message.legs_failed;
	table->flush_told = message.flush_failed;
	multicast(core, log, &message);
}

/* Takes in what was read.  Letters that could not be read leave the last ones standing: when a mirror is
 * removed, its device is gone from the list before POSTSUSPEND. */
static void take_letters(struct core *core, struct table *table, const struct input_legs *legs)
{
	struct effect_event event = { .event = EVENT_LEG_FAILED, .luid = table->luid };

	table->health_status = legs->status;
	table->dm_suspended = legs->suspended;
	if (legs->status < 0)
		return;
	table->leg_count = legs->leg_count < CORE_LEGS_MAX ? legs->leg_count : CORE_LEGS_MAX;
	memcpy(table->letters, legs->letters, table->leg_count);
	table->letters[table->leg_count] = '\0';
	event.text = table->letters;
	if (table->letters[strspn(table->letters, "A")] == '\0' || PLANTED(PLANT_LETTERS_IGNORED))
		return;
	if (!table->letters_told)
		emit_event(core, table_log(core, table), &event);
	table->letters_told = true;
	health_leg_failed(table_log(core, table), table,
			  strchr(table->letters, LETTER_FLUSH_ERROR) != NULL);
}

void health_delivered(struct core *core, const struct group_message *message)
{
	struct table *table = table_find(core, message->log.uuid, message->luid);
	struct log *log = log_find(core, &message->log);

	if (table != NULL)
		table->health_told = false;
	if (log != NULL && message->device_failed)
		log->role_given_up = false;
}

void health_flush_failed(struct core *core, struct log *log)
{
	struct table *table = log->live == NO_INDEX ? NULL : &core->tables[log->live];

	if (table == NULL || table->flush_failed)
		return;
	health_leg_failed(log, table, true);
	hold_lose_all(core, log, 0);
}

void table_open_legs(struct core *core, struct table *table)
{
	assert(table->legs == LEGS_CLOSED);
	table->legs = LEGS_OPENING;
	table->letters[0] = '\0';
	emit_table(core, EFFECT_OPEN_LEGS, table);
}

void table_close_legs(struct core *core, struct table *table)
{
	assert(table->legs == LEGS_OPEN);
	table->legs = LEGS_CLOSING;
	emit_table(core, EFFECT_CLOSE_LEGS, table);
}

static void legs_opened(struct core *core, struct table *table, const struct input_legs *legs)
{
	struct effect_event event = { .event = EVENT_LEGS_UNREADABLE,
				      .luid = table->luid,
				      .status = legs->status };

	assert(table->legs == LEGS_OPENING);
	if (legs->status == 0) {
		table->legs = LEGS_OPEN;
		table->legs_complained = false;
		take_letters(core, table, legs);
		if (legs->suspended && table->phase == TABLE_LIVE) {
			/* Its resume has not ended, or was an echo: see lifecycle.c. */
			table->legs_retry_ms = core->now_ms + SUSPENDED_RETRY_MS;
			table_close_legs(core, table);
			return;
		}
		return;
	}
	table->legs = LEGS_CLOSED;
	table->legs_retry_ms = core->now_ms + RETRY_MS;
	if (!table->legs_complained)
		emit_event(core, table_log(core, table), &event);
	table->legs_complained = true;
}

void legs_input(struct core *core, const struct input *input)
{
	struct table *table = &core->tables[input->legs.table];
	struct log *log;

	assert(input->legs.table < CORE_TABLES_MAX && table->used);
	log = table_log(core, table);
	switch (input->type) {
	case INPUT_LEGS_OPENED:
		legs_opened(core, table, &input->legs);
		break;
	case INPUT_LEGS_CLOSED:
		assert(table->legs == LEGS_CLOSING);
		table->legs = LEGS_CLOSED;
		break;
	case INPUT_LEGS_FLUSHED:
		release_flushed(core, log, input->legs.status);
		break;
	case INPUT_HEALTH:
		table->health_done = table->health_begun;
		take_letters(core, table, &input->legs);
		break;
	default:
		assert(0);
	}
}

void legs_pump(struct core *core, struct table *table)
{
	struct log *log = table_log(core, table);

	/* The legs are opened while the table is live only: PRESUSPEND comes before other legs may. */
	if (table->phase == TABLE_LIVE && table->legs == LEGS_CLOSED && log->phase == LOG_OPEN) {
		if (core->now_ms >= table->legs_retry_ms) {
			table_open_legs(core, table);
		} else {
			log_wake_at(log, table->legs_retry_ms);
		}
	}
	if (table->legs != LEGS_OPEN)
		return;
	if (table->health_done == table->health_begun &&
	    table->health_wanted > table->health_begun) {
		table->health_begun++;
		emit_table(core, EFFECT_READ_HEALTH, table);
	}
	if ((table->told_failed != health_failed(table) ||
	     table->flush_told != table->flush_failed) &&
	    !table->health_told && log_usable(core, log))
		tell_health(core, table);
}
