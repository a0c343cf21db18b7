/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a log on its way to a joiner: its point in the order, open windows, what comes behind it, and its size. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"
#include "words_codec.h"

#define ALL 7
/* 16 Mi regions (acceptance 6). */
#define LARGE_REGIONS (UINT64_C(1) << 24)
#define CORE_LOG HARNESS_CORE " nosync"
#define LARGE_CORE "17179869184 clustered-core 1024 nosync"
#define LARGE_SECTORS (LARGE_REGIONS * 1024)

static struct world w;

static struct harness *h(uint32_t id)
{
	return world_node(&w, id);
}

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	world_start(&w, 3);
	harness_put_kernel_log(h(1), HARNESS_REGIONS, 40);
	world_connect(&w, ALL);
}

static void teardown(void)
{
	world_stop(&w);
}

/* Opened or joined; its copier waits for the legs. */
static void open_on(uint32_t id)
{
	h(id)->keep[EFFECT_OPEN_LEGS] = true;
	ck_assert(world_answered(&w, id, world_resume(&w, id, HARNESS_DISK), 0));
}

static void open_legs(uint32_t id)
{
	h(id)->keep[EFFECT_OPEN_LEGS] = false;
	harness_run(h(id));
	world_run(&w);
}

static bool same_log(uint32_t a, uint32_t b)
{
	uint64_t hash = core_log_hash(h(a)->core, 0);

	return hash != 0 && hash == core_log_hash(h(b)->core, 0);
}

static uint64_t sync_count(uint32_t by)
{
	return harness_number(h(by), world_ask(&w, by, REQUEST_GET_SYNC_COUNT));
}

static void report_lost(uint32_t by, uint64_t region)
{
	(void)harness_ask_region(h(by), REQUEST_SET_REGION_SYNC, WORLD_LUID + by, region);
	world_run(&w);
}

/* ---- windows ---- */

/* G24: a joiner respects windows that were open before it came. */
START_TEST(g24_open_windows)
{
	uint32_t inside, outside;
	uint64_t region;

	open_on(1);
	h(1)->keep[EFFECT_COPY] = true;
	open_legs(1);
	region = harness_job(h(1), EFFECT_COPY)->effect.copy.region;
	open_on(2);
	ck_assert(same_log(1, 2));
	outside = world_write(&w, 2, 3);
	ck_assert(world_answered(&w, 2, outside, 0));
	inside = world_write(&w, 2, region);
	ck_assert(world_waits(&w, 2, inside));
	ck_assert(!harness_slot_bit(h(1), 1, region));
	harness_finish_all(h(1), EFFECT_COPY, 0);
	world_run(&w);
	world_advance(&w, 2000);
	ck_assert(world_answered(&w, 2, inside, 0));
	ck_assert(harness_slot_bit(h(1), 1, region));
	ck_assert(same_log(1, 2));
}
END_TEST

/* The same of a window that has been claimed and not answered by all: the joiner need not answer it, and respects it. */
START_TEST(claimed_before_the_join)
{
	struct group_message heard = { .type = MESSAGE_HEARD, .sender = 2, .node = 3 };
	uint32_t inside, resume;

	open_on(1);
	open_on(2);
	w.node[1].held = true; /* it answers no claim */
	open_legs(1);
	ck_assert_uint_eq(h(1)->copy_count, 0);
	h(3)->keep[EFFECT_OPEN_LEGS] = true;
	resume = world_resume(&w, 3, HARNESS_DISK);
	ck_assert(world_waits(&w, 3, resume));
	heard.number = w.last[MESSAGE_ENTER].number; /* just this */
	world_send(&w, &heard);
	world_run(&w);
	ck_assert(world_answered(&w, 3, resume, 0));
	ck_assert(same_log(1, 3));
	inside = world_write(&w, 3, 40);
	ck_assert(world_waits(&w, 3, inside));
	world_hold(&w, 2, false);
	ck_assert(world_answered(&w, 3, inside, 0));
	ck_assert_uint_eq(harness_status(h(3)).sync_count, HARNESS_REGIONS);
}
END_TEST

/* What a member holds busy is not copied by another one; what it holds idle it lets go. */
START_TEST(window_refused_by_a_holder)
{
	open_on(1);
	open_on(2);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 50), 0));
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 51), 0));
	world_clear(&w, 2, 51);
	open_legs(1);
	world_advance(&w, 3000);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, HARNESS_REGIONS - 1);
	ck_assert(!bitmap_test(&h(1)->core->logs[0]->replicated.out, 51));
	world_clear(&w, 2, 50);
	world_advance(&w, 5000);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, HARNESS_REGIONS);
}
END_TEST

/* H7: where a copy has failed, its window's other regions are not kept from the others while the copier rests. */
START_TEST(h7_window_of_a_copier_that_rests)
{
	uint32_t flush;
	uint64_t begun;

	open_on(1);
	open_on(2);
	h(1)->status[EFFECT_COPY] = -EIO;
	open_legs(1);
	world_advance(&w, 20000);
	for (uint64_t r = 40; r < HARNESS_REGIONS; r++)
		(void)harness_ask_region(h(2), REQUEST_MARK, WORLD_LUID + 2, r);
	begun = h(2)->now_ms;
	flush = world_ask(&w, 2, REQUEST_FLUSH);
	while (world_waits(&w, 2, flush) && h(2)->now_ms < begun + 600000)
		world_advance(&w, 100);
	ck_assert_uint_le(h(2)->now_ms - begun, 5500);
}
END_TEST

/* A copy that a joiner's claim would overlap: windows are found in what was imported. */
START_TEST(joiner_claims)
{
	open_on(1);
	h(1)->keep[EFFECT_COPY] = true;
	open_legs(1);
	open_on(2);
	h(2)->keep[EFFECT_COPY] = true;
	open_legs(2);
	world_advance(&w, 500);
	ck_assert_uint_gt(h(1)->copy_count, 0);
	ck_assert_uint_gt(h(2)->copy_count, 0);
	for (uint32_t i = 0; i < h(1)->copy_count; i++)
		for (uint32_t k = 0; k < h(2)->copy_count; k++)
			ck_assert_uint_ne(h(1)->copies[i], h(2)->copies[k]);
}
END_TEST

/* ---- behind the point of the snapshot ---- */

/* The sender has not come to the JOIN yet; others go on, and the joiner keeps what they say. */
static uint32_t join_held_back(void)
{
	uint32_t resume;

	open_on(1);
	open_on(3);
	w.node[0].held = true;
	h(2)->keep[EFFECT_OPEN_LEGS] = true;
	resume = world_resume(&w, 2, HARNESS_DISK);
	ck_assert(world_waits(&w, 2, resume));
	ck_assert(h(2)->core->logs[0]->importing);
	world_forget_sent(&w);
	return resume;
}

START_TEST(catch_up)
{
	uint32_t resume = join_held_back();

	open_legs(3);
	ck_assert_uint_gt(world_sent(&w, 3, MESSAGE_CLAIM), 0);
	/* By 2 at once, though it has no state; by 1 later. */
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_CLAIM_ANSWER),
			  world_sent(&w, 3, MESSAGE_CLAIM));
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_CLAIM_ANSWER), 0);
	report_lost(3, 9);
	report_lost(3, 10);
	world_hold(&w, 1, false);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(same_log(1, 2) && same_log(2, 3));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 2);
	ck_assert_uint_eq(h(2)->core->logs[0]->replicated.reported.count, 2);
}
END_TEST

/* A core log that 3 holds 7 of; 2 joins, and who sends the state has not come to that. */
static uint32_t core_join_held_back(void)
{
	h(3)->keep[EFFECT_OPEN_LEGS] = false;
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, CORE_LOG), 0));
	ck_assert(world_answered(&w, 3, world_resume(&w, 3, CORE_LOG), 0));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	w.node[0].held = true;
	return world_resume(&w, 2, CORE_LOG);
}

/* News of the directory have their place among the messages: a member that leaves holds nothing any more ... */
START_TEST(catch_up_of_a_leave)
{
	uint32_t resume = core_join_held_back();

	ck_assert(world_answered(&w, 3, world_suspend(&w, 3), 0));
	world_hold(&w, 1, false);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(same_log(1, 2) && same_log(2, 3));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 0);
}
END_TEST

/* ... and what a departed one held is lost when the proof comes. */
START_TEST(catch_up_of_a_proof)
{
	uint32_t resume;

	h(1)->status[EFFECT_COPY] = h(2)->status[EFFECT_COPY] = -EIO;
	w.quorum_nodes = 1;
	resume = core_join_held_back();
	world_hold(&w, 1, false);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	ck_assert(world_answered(&w, 2, world_ask(&w, 2, REQUEST_DTR), 0));
	world_power_off(&w, 3);
	w.node[0].held = true;
	resume = world_resume(&w, 2, CORE_LOG);
	ck_assert(h(2)->core->logs[0]->importing);
	world_fenced(&w, 2, 3);
	world_hold(&w, 1, false);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(same_log(1, 2));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 1);
}
END_TEST

START_TEST(member_departs_during_the_import)
{
	uint32_t resume = join_held_back();

	report_lost(3, 9);
	world_power_off(&w, 3);
	world_hold(&w, 1, false);
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(same_log(1, 2));
	world_fenced(&w, 1, 3);
	world_advance(&w, 3000);
	ck_assert(same_log(1, 2));
	ck_assert_ptr_null(world_member(&w, 2, 3));
}
END_TEST

/* More than is kept: it joins once more. */
START_TEST(catch_up_that_is_too_long)
{
	static uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	uint64_t words[HARNESS_REGIONS / 64] = { 0x8000 };
	uint64_t cursor = 0;
	uint32_t resume = join_held_back();
	struct group_message lost = harness_message(MESSAGE_LOST, 3);

	lost.data = bytes;
	lost.data_bytes =
		(uint32_t)words_encode(words, HARNESS_REGIONS / 64, &cursor, bytes, sizeof(bytes));
	for (uint32_t i = 0; i < 1800; i++) {
		world_send(&w, &lost);
		world_run(&w);
	}
	ck_assert(h(2)->core->logs[0]->catch_up.overflow);
	world_hold(&w, 1, false);
	world_advance(&w, 2000);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_JOIN), 1); /* one more */
	ck_assert(same_log(1, 2) && same_log(2, 3));
}
END_TEST

/* The sender dies before its pieces; the next oldest sends a snapshot of a new point. */
START_TEST(sender_dies)
{
	uint32_t resume = join_held_back();

	report_lost(3, 9);
	world_power_off(&w, 1);
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert_uint_gt(world_sent(&w, 3, MESSAGE_SNAPSHOT), 0);
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_SNAPSHOT), 0);
	ck_assert(same_log(2, 3));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 1);
}
END_TEST

/* Nobody could open the log, another member has opened it since, and its state is on its way: until it is here nothing is known
 * to be in sync, and with a failed primary IN_SYNC waits (simulator, 0/25591). */
START_TEST(no_state_yet)
{
	uint32_t seq;

	harness_put_kernel_log(h(1), HARNESS_REGIONS, 0);
	strcpy(h(1)->letters, "FA");
	h(1)->status[EFFECT_READ] = -EIO;
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_DISK), 0));
	ck_assert_uint_eq(h(1)->events[EVENT_OPEN_FAILED], 1);
	seq = harness_ask_region(h(1), REQUEST_IN_SYNC, WORLD_LUID + 1, 5);
	h(1)->status[EFFECT_READ] = 0;
	world_hold(&w, 1, true);
	(void)world_resume(&w, 2, HARNESS_DISK);
	while (h(1)->core->logs[0]->has_state) {
		ck_assert(world_deliver(&w, 1));
		world_run(&w);
	}
	ck_assert(world_waits(&w, 1, seq));
	ck_assert_uint_eq(sync_count(1), 0);
	world_hold(&w, 1, false);
	world_advance(&w, 2000);
	ck_assert(harness_answer(h(1), seq) != NULL);
	ck_assert_uint_eq(harness_number(h(1), seq), 0);
}
END_TEST

/* Two join in one event, and while the first one imports another one comes. */
START_TEST(two_joiners)
{
	uint32_t second, third;

	open_on(1);
	report_lost(1, 9);
	w.node[0].held = true;
	second = world_resume(&w, 2, HARNESS_DISK);
	third = world_resume(&w, 3, HARNESS_DISK);
	world_hold(&w, 1, false);
	ck_assert(world_answered(&w, 2, second, 0) && world_answered(&w, 3, third, 0));
	ck_assert(same_log(1, 2) && same_log(2, 3));
}
END_TEST

/* ---- size (acceptance 6) ---- */

static void open_large(uint32_t id)
{
	h(id)->keep[EFFECT_OPEN_LEGS] = true;
	ck_assert(world_answered(&w, id, world_resume(&w, id, LARGE_CORE), 0));
}

START_TEST(large_and_in_sync)
{
	open_large(1);
	ck_assert_uint_eq(harness_status(h(1)).region_count, LARGE_REGIONS);
	open_large(2);
	ck_assert(same_log(1, 2));
	ck_assert_uint_gt(w.node[0].sent_bytes[MESSAGE_SNAPSHOT], 0);
	ck_assert_uint_lt(w.node[0].sent_bytes[MESSAGE_SNAPSHOT], 4096);
}
END_TEST

/* All out of sync: as small. */
START_TEST(large_and_out_of_sync)
{
	h(1)->keep[EFFECT_OPEN_LEGS] = h(2)->keep[EFFECT_OPEN_LEGS] = true;
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, "17179869184 clustered-core 1024"), 0));
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, "17179869184 clustered-core 1024"), 0));
	ck_assert_uint_eq(harness_status(h(2)).sync_count, 0);
	ck_assert(same_log(1, 2));
	ck_assert_uint_lt(w.node[0].sent_bytes[MESSAGE_SNAPSHOT], 4096);
}
END_TEST

/* A random half is lost: 2 MiB, twice, in bounded pieces. */
START_TEST(large_and_random)
{
	static uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	uint64_t *words = malloc(LARGE_REGIONS / 8);
	struct group_message lost = harness_message(MESSAGE_LOST, 1);
	uint64_t random = 88172645463325252, cursor = 0;
	uint32_t pieces;

	for (uint64_t i = 0; i < LARGE_REGIONS / 64; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i] = random;
	}
	open_large(1);
	lost.log.log_type = LOG_TYPE_CORE;
	lost.log.log_major = 0;
	lost.log.device_sectors = LARGE_SECTORS;
	lost.data = bytes;
	while (cursor < LARGE_REGIONS / 64) {
		lost.data_bytes = (uint32_t)words_encode_set(words, LARGE_REGIONS / 64, &cursor,
							     bytes, sizeof(bytes));
		world_send(&w, &lost);
		world_run(&w);
	}
	free(words);
	ck_assert_uint_gt(harness_status(h(1)).lost_count, LARGE_REGIONS / 2 - 100000);
	ck_assert_uint_lt(harness_status(h(1)).lost_count, LARGE_REGIONS / 2 + 100000);
	open_large(2);
	ck_assert(same_log(1, 2));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, harness_status(h(1)).lost_count);
	pieces = world_sent(&w, 1, MESSAGE_SNAPSHOT);
	ck_assert_uint_ge(pieces, 2 * LARGE_REGIONS / 8 / MESSAGE_DATA_MAX_BYTES);
	ck_assert_uint_le(pieces, 2 * LARGE_REGIONS / 8 / MESSAGE_DATA_MAX_BYTES + 8);
	ck_assert_uint_le(w.node[0].sent_bytes[MESSAGE_SNAPSHOT],
			  2 * LARGE_REGIONS / 8 + pieces * UINT64_C(256));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_snapshot");
	TCase *tests = tcase_create("snapshot");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, g24_open_windows);
	tcase_add_test(tests, claimed_before_the_join);
	tcase_add_test(tests, window_refused_by_a_holder);
	tcase_add_test(tests, h7_window_of_a_copier_that_rests);
	tcase_add_test(tests, joiner_claims);
	tcase_add_test(tests, catch_up);
	tcase_add_test(tests, catch_up_of_a_leave);
	tcase_add_test(tests, catch_up_of_a_proof);
	tcase_add_test(tests, member_departs_during_the_import);
	tcase_add_test(tests, catch_up_that_is_too_long);
	tcase_add_test(tests, sender_dies);
	tcase_add_test(tests, no_state_yet);
	tcase_add_test(tests, two_joiners);
	tcase_add_test(tests, large_and_in_sync);
	tcase_add_test(tests, large_and_out_of_sync);
	tcase_add_test(tests, large_and_random);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
