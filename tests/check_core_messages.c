/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the group that do not fit the state: late, mistaken, or about nothing we have.  None may hurt. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define PEER 2
#define STRANGER 3 /* not in the group */
#define TYPES MESSAGE_TYPES

static struct harness h;

/* Live, regions 0 to 7 never in sync and at rest, 20 held; PEER is in the group, and has nothing of the log. */
static void setup(void)
{
	memset(&h, 0, sizeof(h));
	h.watch_quiet = true;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	memset(h.disk + DISK_BITMAP_OFFSET_BYTES, 0, 1);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	harness_finish_all(&h, EFFECT_COPY, -EIO);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 20), 0));
	harness_peer_comes(&h, PEER);
	ck_assert_uint_ne(core_group_hash(h.core), 0);
	ck_assert_uint_ne(core_log_hash(h.core, 0), 0);
}

static void teardown(void)
{
	harness_stop(&h);
}

/* Delivers it, and sees that nothing has come of it. */
static void deliver_in_vain(const struct group_message *message)
{
	struct core_log_status before = harness_status(&h);
	struct core_log_status after;
	uint64_t group_before = core_group_hash(h.core);
	uint64_t log_before = core_log_hash(h.core, 0);
	uint32_t effects = h.trace_count;

	harness_deliver(&h, message);
	after = harness_status(&h);
	ck_assert_mem_eq(&before, &after, sizeof(after));
	ck_assert_msg(h.trace_count == effects, "message %d: effect %d", (int)message->type,
		      h.trace[effects]);
	ck_assert_uint_eq(core_group_hash(h.core), group_before);
	ck_assert_uint_eq(core_log_hash(h.core, 0), log_before);
}

static struct group_message claim_of(uint64_t region)
{
	struct group_message claim = harness_message(MESSAGE_CLAIM, PEER);

	claim.window = 7;
	claim.region_count = 1;
	claim.regions[0] = region;
	return claim;
}

/* A JOIN makes a log known, but not while another one of this uuid is in use (F22). */
START_TEST(unknown_log)
{
	struct group_message message = harness_message((enum group_message_type)_i, PEER);

	message.region_count = 1;
	message.mask = UINT64_MAX;
	message.legs_failed = true;
	message.flush_failed = true;
	message.last = true;
	message.closed = true;
	message.slot_freed = true;
	message.log.uuid[0] = 'x';
	if (_i == MESSAGE_ENTER)
		return; /* it names no log, and is answered */
	if (_i != MESSAGE_JOIN)
		deliver_in_vain(&message);
	message.log.uuid[0] = 'L';
	message.log.device_sectors++;
	deliver_in_vain(&message);
	message.log.device_sectors--;
	message.log.log_minor++;
	deliver_in_vain(&message);
	message.log.log_minor--;
	message.log.log_type = LOG_TYPE_CORE;
	deliver_in_vain(&message);
}
END_TEST

START_TEST(unknown_type)
{
	struct group_message message = harness_message((enum group_message_type)99, PEER);

	deliver_in_vain(&message);
}
END_TEST

static void full_message(struct group_message *message)
{
	message->window = 3;
	message->claimer = 1;
	message->mask = UINT64_MAX;
	message->legs_failed = true;
	message->flush_failed = true;
	message->slot_freed = true;
	message->closed = true;
	message->last = true;
	message->number = 1;
	message->node = 1;
	message->region_count = 1;
	message->regions[0] = 3;
}

/* Whatever it is, a node that is not in the group, or not yet, has nothing to say. */
START_TEST(unknown_sender)
{
	struct group_message message = harness_message((enum group_message_type)_i, STRANGER);

	full_message(&message);
	deliver_in_vain(&message);
}
END_TEST

/* It has said hello, but not all have: it does not count yet. */
START_TEST(sender_without_the_state)
{
	struct group_message message = harness_message((enum group_message_type)_i, STRANGER);
	struct group_message hello = harness_hello(STRANGER);
	struct input view = { .type = INPUT_VIEW,
			      .view = { .members = (const uint32_t[]){ 1, PEER, STRANGER },
					.member_count = 3 } };

	harness_input(&h, &view);
	hello.mask = h.hello.mask;
	harness_deliver(&h, &hello);
	full_message(&message);
	if (_i != MESSAGE_HELLO && _i != MESSAGE_CALL)
		deliver_in_vain(&message);
}
END_TEST

/* Of those who are in the group, but do not use the log. */
START_TEST(sender_without_the_log)
{
	struct group_message message = harness_message((enum group_message_type)_i, PEER);

	full_message(&message);
	if (_i != MESSAGE_JOIN && _i != MESSAGE_CONTROL && _i != MESSAGE_ENTER)
		deliver_in_vain(&message);
}
END_TEST

START_TEST(too_many_regions)
{
	struct group_message message = harness_message((enum group_message_type)_i, PEER);

	message.region_count = WINDOW_REGIONS_MAX + 1;
	deliver_in_vain(&message);
	message.region_count = UINT32_MAX;
	deliver_in_vain(&message);
}
END_TEST

START_TEST(regions_beyond_the_end)
{
	struct group_message lost = harness_message(MESSAGE_LOST, PEER);
	struct group_message claim = claim_of(HARNESS_REGIONS);

	harness_peer_joins(&h, PEER);
	lost.region_count = 2;
	lost.regions[0] = HARNESS_REGIONS;
	lost.regions[1] = UINT64_MAX;
	harness_deliver(&h, &lost);
	ck_assert_uint_eq(harness_status(&h).lost_count, 0);
	ck_assert_uint_eq(harness_status(&h).sync_count, 56);
	deliver_in_vain(&claim);
	claim.regions[0] = UINT64_MAX;
	deliver_in_vain(&claim);
	/* What is good in a message counts. */
	lost.regions[1] = 30;
	harness_deliver(&h, &lost);
	ck_assert_uint_eq(harness_status(&h).lost_count, 1);
}
END_TEST

/* In sync, claimed already, or reported by a kernel. */
START_TEST(claim_of_what_cannot_be_claimed)
{
	struct group_message claim = claim_of(40);

	harness_peer_joins(&h, PEER);
	deliver_in_vain(&claim);
	claim.region_count = 0;
	deliver_in_vain(&claim);
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 41);
	claim = claim_of(41);
	deliver_in_vain(&claim);
	claim = claim_of(3);
	harness_deliver(&h, &claim);
	claim.window++;
	deliver_in_vain(&claim);
}
END_TEST

START_TEST(region_twice_in_a_claim)
{
	struct group_message claim = claim_of(3);
	struct group_message answer = harness_message(MESSAGE_CLAIM_ANSWER, PEER);
	struct group_message synced = harness_message(MESSAGE_SYNCED, PEER);

	harness_peer_joins(&h, PEER);
	claim.region_count = 2;
	claim.regions[1] = 3;
	harness_deliver(&h, &claim);
	answer.claimer = PEER;
	answer.window = synced.window = claim.window;
	harness_deliver(&h, &answer);
	synced.mask = UINT64_MAX;
	harness_deliver(&h, &synced);
	ck_assert_uint_eq(harness_status(&h).sync_count, 57);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 3), 0));
}
END_TEST

START_TEST(unknown_window)
{
	static const enum group_message_type types[] = { MESSAGE_CLAIM_ANSWER, MESSAGE_SYNCED,
							 MESSAGE_RETURN, MESSAGE_VOID };

	harness_peer_joins(&h, PEER);
	for (int i = 0; i < 4; i++) {
		struct group_message message = harness_message(types[i], PEER);

		message.window = 3;
		message.claimer = 1;
		message.mask = UINT64_MAX;
		deliver_in_vain(&message);
		message.claimer = PEER;
		deliver_in_vain(&message);
	}
}
END_TEST

/* "in sync" before the grant, after a RETURN, after a VOID. */
START_TEST(synced_without_a_lock)
{
	struct group_message claim = claim_of(3);
	struct group_message synced = harness_message(MESSAGE_SYNCED, PEER);
	struct group_message answer = harness_message(MESSAGE_CLAIM_ANSWER, PEER);
	struct group_message voided = harness_message(MESSAGE_VOID, PEER);
	struct group_message returned = harness_message(MESSAGE_RETURN, PEER);
	uint32_t flush;

	harness_peer_joins(&h, PEER);
	claim.region_count = 2;
	claim.regions[1] = 4;
	answer.claimer = PEER;
	answer.window = synced.window = voided.window = returned.window = claim.window;
	harness_deliver(&h, &claim);
	synced.mask = 3;
	deliver_in_vain(&synced);
	harness_deliver(&h, &answer);
	deliver_in_vain(&answer);
	flush = harness_write(&h, LUID, 3);
	ck_assert_ptr_null(harness_answer(&h, flush));
	voided.mask = 1;
	harness_deliver(&h, &voided);
	ck_assert(harness_answered(&h, flush, 0));
	returned.mask = 2;
	harness_deliver(&h, &returned);
	harness_deliver(&h, &synced);
	ck_assert_uint_eq(harness_status(&h).sync_count, 56);
	deliver_in_vain(&returned);
}
END_TEST

/* A refusal of a region that is not in the window, or comes again. */
START_TEST(refusals_of_what_was_not_asked)
{
	struct group_message claim = claim_of(3);
	struct group_message answer = harness_message(MESSAGE_CLAIM_ANSWER, PEER);

	harness_peer_joins(&h, PEER);
	claim.region_count = 3;
	claim.regions[1] = UINT64_MAX;
	claim.regions[2] = 40;
	harness_deliver(&h, &claim);
	answer.claimer = PEER;
	answer.window = claim.window;
	answer.mask = UINT64_MAX;
	harness_deliver(&h, &answer);
	deliver_in_vain(&answer);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 3), 0));
}
END_TEST

START_TEST(leave_of_nobody)
{
	struct group_message leave = harness_message(MESSAGE_LEAVE, PEER);
	uint64_t before;

	leave.slot_freed = true;
	deliver_in_vain(&leave);
	harness_peer_joins(&h, PEER);
	before = core_group_hash(h.core);
	harness_deliver(&h, &leave);
	ck_assert_uint_ne(core_group_hash(h.core), before);
	deliver_in_vain(&leave);
	ck_assert_str_eq(harness_status(&h).phase, "open");
}
END_TEST

/* Members that departed without proof keep their places. */
START_TEST(more_members_than_there_can_be)
{
	struct group_message join;

	for (uint32_t node = PEER; node <= CORE_NODES_MAX; node++) {
		join = harness_message(MESSAGE_JOIN, node);
		if (node != PEER)
			harness_peer_comes(&h, node);
		harness_deliver(&h, &join);
	}
	for (uint32_t node = PEER; node <= CORE_NODES_MAX; node++)
		harness_peer_goes(&h, node, VIEW_NODE_DOWN);
	harness_quorum(&h, true);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 30), 0));
	for (uint32_t node = 40; node < 44; node++) {
		join = harness_message(MESSAGE_JOIN, node);
		harness_peer_comes(&h, node);
		deliver_in_vain(&join);
	}
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 31), 0));
}
END_TEST

START_TEST(more_windows_than_there_can_be)
{
	struct group_message claim = claim_of(0);
	struct group_message join = harness_message(MESSAGE_JOIN, PEER);

	harness_destroy(&h, LUID);
	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
	(void)harness_ctr(&h, LUID, "262144 clustered-disk 254:0 1024");
	h.keep[EFFECT_OPEN_LEGS] = true;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(harness_status(&h).region_count, 256);
	join.log.device_sectors = 262144;
	harness_deliver(&h, &join);
	for (uint64_t r = 0; r < 256; r++) {
		claim = claim_of(r);
		claim.log.device_sectors = 262144;
		claim.window = (uint32_t)r;
		harness_deliver(&h, &claim);
	}
	(void)harness_ask_region(&h, REQUEST_MARK, LUID, 63);
	ck_assert_ptr_null(harness_answer(&h, harness_ask(&h, REQUEST_FLUSH, LUID)));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 63);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 64), 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_messages");
	TCase *tests = tcase_create("messages");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, unknown_log, 0, TYPES);
	tcase_add_test(tests, unknown_type);
	tcase_add_loop_test(tests, unknown_sender, 0, TYPES);
	tcase_add_loop_test(tests, sender_without_the_state, 0, TYPES);
	tcase_add_loop_test(tests, sender_without_the_log, 0, TYPES);
	tcase_add_loop_test(tests, too_many_regions, 0, TYPES);
	tcase_add_test(tests, regions_beyond_the_end);
	tcase_add_test(tests, claim_of_what_cannot_be_claimed);
	tcase_add_test(tests, region_twice_in_a_claim);
	tcase_add_test(tests, unknown_window);
	tcase_add_test(tests, synced_without_a_lock);
	tcase_add_test(tests, refusals_of_what_was_not_asked);
	tcase_add_test(tests, leave_of_nobody);
	tcase_add_test(tests, more_members_than_there_can_be);
	tcase_add_test(tests, more_windows_than_there_can_be);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
