/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log's life: the table of daemon/core/directory.c, every phase against every event.
 *
 * The core under test has no table of the log: it sees what two peers do, as every member of the group does.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/bytes.h"
#include "core_harness.h"
#include "daemon/core/core_private.h"

#define FOUNDER 2
#define OTHER 3

enum event { JOIN, OPENED, NOT_OPENED, LEAVING, LEAVE, LEAVE_CLOSED, UNFOLLOW, LEFT, EVENTS };
#define PHASES (LOG_CLOSING + 1)

static struct harness h;

/* What the log is behind the event, which is the founder's (JOIN: another node's); in brackets who opens or closes it. */
static const char *const life[PHASES][EVENTS] = {
	[LOG_CLOSED] = { "opening (3)", "closed", "closed", "closed", "closed", "closed", "no log",
			 "no log" },
	[LOG_OPENING] = { "opening (2)", "open", "open, failed", "closed", "closed", "closed",
			  "no log", "closed" },
	[LOG_OPEN] = { "open", "open", "open", "closing (2)", "closed", "closed", "closed",
		       "closed" },
	[LOG_CLOSING] = { "closing (2)", "closing (2)", "closing (2)", "closing (2)", "closed",
			  "closed", "closed", "closed" },
};

static const char *const phase_words[PHASES] = { "closed", "opening (2)", "open", "closing (2)" };
static const char *const event_words[EVENTS] = { "JOIN of another",   "OPENED",
						 "OPENED, failed",    "LEAVING",
						 "LEAVE, not closed", "LEAVE, closed",
						 "UNFOLLOW",          "view: left" };

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_peer_comes(&h, FOUNDER);
	harness_peer_comes(&h, OTHER);
}

static void teardown(void)
{
	harness_stop(&h);
}

static const struct entry *entry(void)
{
	struct group_message name = harness_message(MESSAGE_JOIN, FOUNDER);

	return entry_look(h.core, &name.log);
}

static const char *log_is(void)
{
	static const char *const founded[] = { "opening (2)", "opening (3)" };
	const struct entry *log = entry();

	if (log == NULL)
		return "no log";
	switch (log->phase) {
	case LOG_CLOSED:
		return "closed";
	case LOG_OPENING:
		return founded[log->founder - FOUNDER];
	case LOG_OPEN:
		return entry_opening_failed(log) ? "open, failed" : "open";
	case LOG_CLOSING:
		return log->founder == FOUNDER ? "closing (2)" : "closing (?)";
	}
	return "?";
}

static void say(enum group_message_type type, uint32_t sender, bool closed)
{
	struct group_message message = harness_message(type, sender);

	message.fresh = type == MESSAGE_JOIN;
	message.stateless = type == MESSAGE_JOIN;
	message.closed = message.slot_freed = closed;
	harness_deliver(&h, &message);
}

static void say_opened(uint32_t slot_count)
{
	uint8_t bytes[8];
	struct writer writer = { .bytes = bytes, .size = sizeof(bytes) };
	struct group_message message = harness_message(MESSAGE_OPENED, FOUNDER);

	put_number(&writer, slot_count, 4);
	put_number(&writer, slot_count == 0 ? NO_SLOT : 0, 4);
	message.number = 1;
	message.data = bytes;
	message.data_bytes = sizeof(bytes);
	harness_deliver(&h, &message);
}

static void happens(enum event event)
{
	switch (event) {
	case JOIN:
		say(MESSAGE_JOIN, OTHER, false);
		break;
	case OPENED:
	case NOT_OPENED:
		say_opened(event == OPENED ? 4 : 0);
		break;
	case LEAVING:
		say(MESSAGE_LEAVING, FOUNDER, false);
		break;
	case LEAVE:
	case LEAVE_CLOSED:
		say(MESSAGE_LEAVE, FOUNDER, event == LEAVE_CLOSED);
		break;
	case UNFOLLOW:
		say(MESSAGE_UNFOLLOW, FOUNDER, false);
		break;
	case LEFT:
		harness_peer_goes(&h, FOUNDER, VIEW_NODE_DOWN);
		break;
	case EVENTS:
		break;
	}
}

/* The founder's whole way, as far as the phase; closed: once around, and it follows. */
static void become(enum log_phase phase)
{
	say(MESSAGE_JOIN, FOUNDER, false);
	if (phase == LOG_OPENING)
		return;
	say_opened(4);
	if (phase == LOG_OPEN)
		return;
	say(MESSAGE_LEAVING, FOUNDER, false);
	if (phase == LOG_CLOSED)
		say(MESSAGE_LEAVE, FOUNDER, true);
}

START_TEST(cell)
{
	enum log_phase phase = (enum log_phase)(_i / EVENTS);
	enum event event = (enum event)(_i % EVENTS);

	become(phase);
	ck_assert_str_eq(log_is(), phase_words[phase]);
	happens(event);
	ck_assert_msg(strcmp(log_is(), life[phase][event]) == 0, "%s, %s: %s, not %s",
		      phase_words[phase], event_words[event], log_is(), life[phase][event]);
}
END_TEST

/* Who waits has it opened as soon as it is closed, however that came. */
START_TEST(who_waits_opens_next)
{
	const enum event ends[] = { LEAVE, LEAVE_CLOSED, UNFOLLOW, LEFT };

	become(LOG_CLOSING);
	happens(JOIN);
	ck_assert_str_eq(log_is(), "closing (2)");
	happens(ends[_i]);
	ck_assert_str_eq(log_is(), "opening (3)");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_log_life");
	TCase *tests = tcase_create("life");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, cell, 0, PHASES * EVENTS);
	tcase_add_loop_test(tests, who_waits_opens_next, 0, 4);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
