/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The write path: MARK, FLUSH, CLEAR, the slot on the log device, and what a failing one does to them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
}

static void teardown(void)
{
	harness_stop(&h);
}

START_TEST(flush_waits_for_the_slot_write)
{
	uint32_t flush;

	h.keep[EFFECT_WRITE] = true;
	ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_MARK, LUID, 5), 0));
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 1);
	ck_assert_ptr_null(harness_answer(&h, flush));
	ck_assert(!harness_slot_bit(&h, 0, 5));
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 5));
	ck_assert(!harness_disk_clean(&h, 5));
	ck_assert(harness_disk_clean(&h, 4));
}
END_TEST

START_TEST(marks_in_the_flush_count)
{
	struct request request = {
		.type = REQUEST_FLUSH, .luid = LUID, .region_count = 2, .regions = { 7, 8 }
	};
	uint32_t flush;

	h.keep[EFFECT_WRITE] = true;
	flush = harness_ask_request(&h, &request);
	ck_assert_ptr_null(harness_answer(&h, flush));
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 7) && harness_slot_bit(&h, 0, 8));
	ck_assert_uint_eq(harness_status(&h).marked_count, 2);
}
END_TEST

/* Seconds after its last CLEAR an integrated_flush log sends a FLUSH without marks from a thread of its own (do_flush), while
 * one with marks may wait. */
START_TEST(a_delayed_flush_beside_one_with_marks)
{
	struct request request = {
		.type = REQUEST_FLUSH, .luid = LUID, .region_count = 1, .regions = { 7 }
	};
	uint32_t marks, delayed;

	h.keep[EFFECT_WRITE] = true;
	marks = harness_ask_request(&h, &request);
	delayed = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert_ptr_null(harness_answer(&h, marks));
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(harness_answered(&h, marks, 0));
	ck_assert(harness_answered(&h, delayed, 0));
}
END_TEST

/* Holds wanted while a slot write is under way share the next one. */
START_TEST(flushes_during_a_write_share_the_next)
{
	uint64_t writes = harness_status(&h).slot_writes;
	uint32_t first, second;

	h.keep[EFFECT_WRITE] = true;
	first = harness_write(&h, LUID, 1);
	for (uint64_t r = 2; r < 20; r++)
		(void)harness_ask_region(&h, REQUEST_MARK, LUID, r);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 1);
	/* A repetition of the FLUSH is answered together with the first. */
	second = harness_ask(&h, REQUEST_FLUSH, LUID);
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert_ptr_null(harness_answer(&h, second));
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 1);
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(harness_answered(&h, second, 0));
	ck_assert(harness_answered(&h, first, 0));
	ck_assert_uint_eq(harness_status(&h).slot_writes - writes, 2);
}
END_TEST

START_TEST(a_held_region_costs_nothing)
{
	uint32_t effects[HARNESS_EFFECTS];

	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 5);
	ck_assert_uint_eq(harness_status(&h).marked_count, 0);
	ck_assert_uint_eq(harness_status(&h).held_count, 1);
	ck_assert(harness_slot_bit(&h, 0, 5));
	memcpy(effects, h.effects, sizeof(effects));
	for (int i = 0; i < 100; i++) {
		ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
		(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 5);
		harness_advance(&h, 10);
	}
	ck_assert_uint_eq(h.effects[EFFECT_WRITE], effects[EFFECT_WRITE]);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], effects[EFFECT_FLUSH_LEGS]);
	ck_assert_uint_eq(h.effects[EFFECT_MULTICAST], effects[EFFECT_MULTICAST]);
	ck_assert_uint_eq(h.effects[EFFECT_ANSWER], effects[EFFECT_ANSWER] + 300);
}
END_TEST

/* Nothing but MARK and CLEAR before any FLUSH: the region is let go, and a later MARK holds it again. */
START_TEST(clear_before_the_flush)
{
	uint32_t flush;

	h.keep[EFFECT_WRITE] = true;
	(void)harness_ask_region(&h, REQUEST_MARK, LUID, 5);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 5);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	flush = harness_write(&h, LUID, 5);
	ck_assert_ptr_null(harness_answer(&h, flush));
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(harness_answered(&h, flush, 0));
	h.keep[EFFECT_WRITE] = false;
	harness_advance(&h, 60000);
	ck_assert(harness_slot_bit(&h, 0, 5));
}
END_TEST

START_TEST(bad_region_numbers)
{
	static const uint64_t bad[] = { HARNESS_REGIONS, HARNESS_REGIONS + 1, UINT64_C(1) << 32,
					UINT64_MAX - 1, UINT64_MAX };
	struct request request = {
		.type = REQUEST_FLUSH, .luid = LUID, .region_count = 2, .regions = { 3, 64 }
	};

	for (uint32_t i = 0; i < 5; i++) {
		uint64_t r = bad[i];

		ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_MARK, LUID, r),
					   -EINVAL));
		ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_CLEAR, LUID, r),
					   -EINVAL));
		ck_assert_uint_eq(
			harness_number(&h, harness_ask_region(&h, REQUEST_IN_SYNC, LUID, r)), 1);
		ck_assert_uint_eq(
			harness_number(&h, harness_ask_region(&h, REQUEST_IS_CLEAN, LUID, r)), 0);
		ck_assert(harness_answered(
			&h, harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, r), 0));
	}
	ck_assert(harness_answered(&h, harness_ask_request(&h, &request), -EINVAL));
	ck_assert_uint_eq(harness_status(&h).marked_count, 0);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
}
END_TEST

/* ---- a log device that fails ---- */

static char status_letter(void)
{
	const struct answer *answer =
		harness_answer(&h, harness_ask(&h, REQUEST_STATUS_INFO, LUID));

	ck_assert_ptr_nonnull(answer);
	return (char)answer->payload[answer->payload_bytes - 2];
}

START_TEST(slot_write_error)
{
	uint32_t flush;

	ck_assert_int_eq(status_letter(), 'A');
	h.status[EFFECT_WRITE] = -EIO;
	flush = harness_write(&h, LUID, 5);
	ck_assert(harness_answered(&h, flush, -EIO));
	ck_assert_int_eq(status_letter(), 'D');
	ck_assert(harness_status(&h).device_failed);
	ck_assert_uint_eq(h.events[EVENT_DEVICE_FAILED], 1);
	/* The next FLUSH tries at once, and fails as well. */
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert(harness_answered(&h, flush, -EIO));
	ck_assert_uint_eq(h.events[EVENT_DEVICE_FAILED], 1);
	h.status[EFFECT_WRITE] = 0;
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 5));
	ck_assert_int_eq(status_letter(), 'A');
	ck_assert_uint_eq(h.events[EVENT_DEVICE_RECOVERED], 1);
}
END_TEST

/* Without a FLUSH it is tried again after a second. */
START_TEST(slot_write_is_tried_again)
{
	h.status[EFFECT_WRITE] = -EIO;
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), -EIO));
	h.status[EFFECT_WRITE] = 0;
	harness_advance(&h, 900);
	ck_assert(harness_status(&h).device_failed);
	harness_advance(&h, 200);
	ck_assert(!harness_status(&h).device_failed);
	ck_assert(harness_slot_bit(&h, 0, 5));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
}
END_TEST

/* Of a write that failed nothing is known: a bit in it is not held, even if it was set by a good one before it. */
START_TEST(failed_write_is_not_trusted)
{
	uint32_t flush;

	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	h.status[EFFECT_WRITE] = -EIO;
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 6), -EIO));
	/* 5 is held since before: both contents of the block have its bit. */
	h.keep[EFFECT_WRITE] = true;
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert_ptr_null(harness_answer(&h, flush));
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 5) && harness_slot_bit(&h, 0, 6));
}
END_TEST

/* ---- requests of a table that is not resumed ---- */

START_TEST(core_log_holds_at_once)
{
	uint32_t flush;

	(void)harness_ctr(&h, 0x2000, HARNESS_CORE);
	h.uuid = "core";
	(void)harness_ctr(&h, 0x3000, HARNESS_CORE);
	(void)harness_ask(&h, REQUEST_RESUME, 0x3000);
	(void)harness_ask_region(&h, REQUEST_MARK, 0x3000, 5);
	flush = harness_ask(&h, REQUEST_FLUSH, 0x3000);
	ck_assert(harness_answered(&h, flush, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_hold");
	TCase *tests = tcase_create("hold");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, flush_waits_for_the_slot_write);
	tcase_add_test(tests, marks_in_the_flush_count);
	tcase_add_test(tests, a_delayed_flush_beside_one_with_marks);
	tcase_add_test(tests, flushes_during_a_write_share_the_next);
	tcase_add_test(tests, a_held_region_costs_nothing);
	tcase_add_test(tests, clear_before_the_flush);
	tcase_add_test(tests, bad_region_numbers);
	tcase_add_test(tests, slot_write_error);
	tcase_add_test(tests, slot_write_is_tried_again);
	tcase_add_test(tests, failed_write_is_not_trusted);
	tcase_add_test(tests, core_log_holds_at_once);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
