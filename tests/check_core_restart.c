/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that follows another one: tables with an unknown past, repeated requests, early ones, echoes of RESUME. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

/* The daemon dies with region 5 held, and the next one is told so. */
static void restart(void)
{
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	harness_restart(&h);
	harness_predecessor(&h, HARNESS_UUID);
}

static bool in_sync_at_once(uint64_t luid, uint64_t region)
{
	uint32_t seq = harness_ask_region(&h, REQUEST_IN_SYNC, luid, region);

	return harness_answer(&h, seq) != NULL && harness_number(&h, seq) == 1;
}

/* ---- an unknown past: everything counts as held ---- */

START_TEST(everything_is_held)
{
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 1);
	ck_assert(harness_status(&h).everything_held);
	ck_assert_uint_eq(harness_status(&h).held_count, HARNESS_REGIONS);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++) {
		ck_assert(harness_slot_bit(&h, 0, r));
		ck_assert(!harness_disk_clean(&h, r));
		ck_assert_uint_eq(
			harness_number(&h, harness_ask_region(&h, REQUEST_IS_CLEAN, LUID, r)), 0);
		/* Lost, not never: the kernel was told that it is in sync. */
		ck_assert(in_sync_at_once(LUID, r));
	}
	/* Also reported: where a reconnect loop failed the kernel writes on one leg (simulator, 0/23083). */
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
	ck_assert_uint_eq(harness_status(&h).lost_count, HARNESS_REGIONS);
	/* Nothing is copied, and a CLEAR lets nothing go. */
	(void)harness_write(&h, LUID, 7);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 7);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(harness_slot_bit(&h, 0, 7) && harness_slot_bit(&h, 0, 63));
}
END_TEST

/* A suspend ends the holds; what its kernel has reported, which may be everything, is copied when its table is gone. */
START_TEST(suspend_ends_it)
{
	restart();
	harness_open(&h, LUID);
	harness_suspend(&h, LUID);
	ck_assert_uint_eq(harness_header(&h), HARNESS_REGIONS);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 1);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(!harness_disk_clean(&h, r));
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 1);
	ck_assert(!harness_status(&h).everything_held);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_destroy(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(h.copy_count, HARNESS_REGIONS);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_disk_clean(&h, r));
}
END_TEST

START_TEST(leg_flush_fails_at_the_end_of_it)
{
	restart();
	harness_open(&h, LUID);
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	harness_suspend(&h, LUID);
	ck_assert(harness_answered(&h, h.seq, 0));
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(!harness_disk_clean(&h, r));
}
END_TEST

/* A FLUSH of marks that the daemon of before has answered: they stand nowhere, and this one does not know of them. */
START_TEST(unwritable_log_device)
{
	restart();
	h.status[EFFECT_WRITE] = -EIO;
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_OPEN_FAILED], 1);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), -EIO));
	h.status[EFFECT_WRITE] = 0;
	harness_advance(&h, 10000);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(!harness_disk_clean(&h, r));
}
END_TEST

START_TEST(unreadable_log_device)
{
	uint32_t flush;

	restart();
	h.status[EFFECT_READ] = -EIO;
	harness_open(&h, LUID);
	flush = harness_write(&h, LUID, 5);
	ck_assert(harness_answered(&h, flush, -EIO));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

START_TEST(flush_while_opening)
{
	uint32_t flush;

	restart();
	h.resend = true;
	h.keep[EFFECT_READ] = true;
	harness_open(&h, LUID);
	flush = harness_write(&h, LUID, 8);
	ck_assert_ptr_null(harness_answer(&h, flush));
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(!harness_disk_clean(&h, 8));
}
END_TEST

/* A failed primary does not make "lost" a "not in sync". */
START_TEST(failed_primary)
{
	restart();
	strcpy(h.letters, "DA");
	harness_open(&h, LUID);
	ck_assert(in_sync_at_once(LUID, 5));
}
END_TEST

START_TEST(predecessors_are_told_apart)
{
	harness_predecessor(&h, "a-very-long-uuid-of-some-mirror");
	h.uuid = "a-very-long-uuid-of-some-mirror";
	(void)harness_ctr(&h, 7, HARNESS_CORE);
	(void)harness_ask(&h, REQUEST_RESUME, 7);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 1);
	harness_predecessor(&h, "short");
	h.uuid = "other";
	(void)harness_ctr(&h, 8, HARNESS_CORE);
	(void)harness_ask(&h, REQUEST_RESUME, 8);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 1);
	h.uuid = "short";
	(void)harness_ctr(&h, 9, HARNESS_CORE);
	(void)harness_ask(&h, REQUEST_RESUME, 9);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 2);
}
END_TEST

/* A core log of an unknown past: nothing is known to be in sync, `nosync` or not (F21). */
START_TEST(core_log)
{
	harness_predecessor(&h, HARNESS_UUID);
	(void)harness_ctr(&h, LUID, HARNESS_CORE " nosync");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	harness_advance(&h, 5000);
	ck_assert_uint_eq(h.copy_count, 0);
}
END_TEST

/* ---- requests that come more than once ---- */

/* The kernel's loop sends a CTR and a RESUME for every request that waits: all of them are answered. */
START_TEST(repeated_requests)
{
	uint32_t ctr[3], resume[3], postsuspend[2];

	h.keep[EFFECT_OPEN_DEVICE] = true;
	h.keep[EFFECT_READ] = true;
	for (int i = 0; i < 3; i++) {
		ctr[i] = harness_ctr(&h, LUID, HARNESS_DISK);
		resume[i] = harness_ask(&h, REQUEST_RESUME, LUID);
	}
	h.keep[EFFECT_OPEN_DEVICE] = false;
	harness_run(&h);
	for (int i = 0; i < 3; i++) {
		ck_assert(harness_answered(&h, ctr[i], 0));
		ck_assert_ptr_null(harness_answer(&h, resume[i]));
	}
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	for (int i = 0; i < 3; i++)
		ck_assert(harness_answered(&h, resume[i], 0));
	ck_assert_uint_eq(harness_answer(&h, resume[0])->version, REQUEST_VERSION_MAX);
	ck_assert_uint_eq(harness_answer(&h, resume[0])->luid, LUID);
	h.keep[EFFECT_CLOSE_LEGS] = true;
	for (int i = 0; i < 2; i++)
		postsuspend[i] = harness_ask(&h, REQUEST_POSTSUSPEND, LUID);
	h.keep[EFFECT_CLOSE_LEGS] = false;
	harness_run(&h);
	for (int i = 0; i < 2; i++)
		ck_assert(harness_answered(&h, postsuspend[i], 0));
}
END_TEST

/* With more of them than are remembered, the newest are answered. */
START_TEST(many_repeated_requests)
{
	uint32_t seqs[20];

	h.keep[EFFECT_READ] = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	for (int i = 0; i < 20; i++)
		seqs[i] = harness_ask(&h, REQUEST_RESUME, LUID);
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	for (int i = 16; i < 20; i++)
		ck_assert(harness_answered(&h, seqs[i], 0));
}
END_TEST

/* ---- requests that come early ---- */

START_TEST(early_requests)
{
	static const enum request_type types[] = { REQUEST_FLUSH,    REQUEST_MARK,
						   REQUEST_CLEAR,    REQUEST_IN_SYNC,
						   REQUEST_IS_CLEAN, REQUEST_SET_REGION_SYNC };
	uint32_t seq;

	h.resend = true;
	for (uint64_t i = 0; i < 6; i++) {
		harness_restart(&h);
		memset(&h.keep, 0, sizeof(h.keep));
		h.keep[EFFECT_OPEN_DEVICE] = true;
		h.keep[EFFECT_READ] = true;
		(void)harness_ctr(&h, LUID, HARNESS_DISK);
		seq = harness_ask_region(&h, types[i], LUID, 5);
		h.keep[EFFECT_OPEN_DEVICE] = false;
		harness_run(&h);
		ck_assert_ptr_null(harness_answer(&h, seq));
		(void)harness_ask(&h, REQUEST_RESUME, LUID);
		ck_assert_ptr_null(harness_answer(&h, seq));
		h.keep[EFFECT_READ] = false;
		harness_run(&h);
		ck_assert(harness_answered(&h, seq, 0));
	}
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

START_TEST(loss_reported_while_opening)
{
	uint32_t seq;

	h.resend = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	h.keep[EFFECT_READ] = true;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	seq = harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 5);
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert(!harness_disk_clean(&h, 5));
	ck_assert_uint_eq(harness_status(&h).lost_count, 1);
}
END_TEST

/* The table goes before it was ever live: what the kernel repeats (after 15 s) is told that nobody knows it. */
START_TEST(early_request_of_a_table_that_goes)
{
	struct input provoked = { .type = INPUT_PROVOKED,
				  .provoked = { .luid = LUID, .status = -ENODEV } };
	uint32_t seq;

	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	seq = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	ck_assert(!harness_answered(&h, seq, 0));
	harness_advance(&h, 15000);
	seq = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 1);
	harness_input(&h, &provoked);
	ck_assert(harness_answered(&h, seq, -ESRCH));
}
END_TEST

/* ---- echoes of RESUME: they come after the POSTSUSPEND, the kernel has the table suspended ---- */

static void echo(void)
{
	harness_open(&h, LUID);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_suspend(&h, LUID);
	h.suspended = true;
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), 0));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_RESUME, LUID), 0));
}

START_TEST(echo_keeps_no_legs_open)
{
	uint32_t copied;

	harness_put_kernel_log(&h, HARNESS_REGIONS, 60);
	h.status[EFFECT_COPY] = -EIO;
	echo();
	copied = h.copy_count;
	h.status[EFFECT_COPY] = 0;
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_LEGS], 2);
	harness_advance(&h, 2000);
	ck_assert_uint_gt(h.effects[EFFECT_OPEN_LEGS], 10);
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], h.effects[EFFECT_OPEN_LEGS]);
	ck_assert_uint_eq(h.copy_count, copied);
	/* It was no echo: the kernel resumed the table, and all goes on. */
	h.suspended = false;
	harness_advance(&h, 2000);
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS] + 1, h.effects[EFFECT_OPEN_LEGS]);
	ck_assert_uint_gt(h.copy_count, copied);
}
END_TEST

START_TEST(echo_does_not_stand_in_the_way)
{
	uint32_t resume;

	echo();
	resume = harness_ask(&h, REQUEST_RESUME, NEW);
	h.suspended = false;
	harness_advance(&h, 2000);
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], 0);
	ck_assert(harness_answered(&h, harness_write(&h, NEW, 5), 0));
	ck_assert(!harness_disk_clean(&h, 5));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	ck_assert_uint_eq(harness_status(&h).resumed_count, 1);
}
END_TEST

/* Legs that cannot be opened do not make it an echo, when its kernel asks about I/O. */
START_TEST(no_echo)
{
	static const enum request_type types[] = { REQUEST_MARK, REQUEST_IN_SYNC, REQUEST_CLEAR,
						   REQUEST_GET_SYNC_COUNT };

	h.status[EFFECT_OPEN_LEGS] = -ENODEV;
	harness_open(&h, LUID);
	(void)harness_ask_region(&h, types[_i], LUID, 3);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], types[_i] != REQUEST_GET_SYNC_COUNT);
}
END_TEST

/* The kernel says "suspended" while its resume ends: no copy before it has. */
START_TEST(resume_that_has_not_ended)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 60);
	h.suspended = true;
	harness_open(&h, LUID);
	harness_advance(&h, 100);
	ck_assert_uint_eq(h.copy_count, 0);
	h.suspended = false;
	harness_advance(&h, 50);
	ck_assert_uint_gt(h.copy_count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_restart");
	TCase *tests = tcase_create("restart");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, everything_is_held);
	tcase_add_test(tests, suspend_ends_it);
	tcase_add_test(tests, leg_flush_fails_at_the_end_of_it);
	tcase_add_test(tests, unwritable_log_device);
	tcase_add_test(tests, unreadable_log_device);
	tcase_add_test(tests, flush_while_opening);
	tcase_add_test(tests, failed_primary);
	tcase_add_test(tests, predecessors_are_told_apart);
	tcase_add_test(tests, core_log);
	tcase_add_test(tests, repeated_requests);
	tcase_add_test(tests, many_repeated_requests);
	tcase_add_test(tests, early_requests);
	tcase_add_test(tests, loss_reported_while_opening);
	tcase_add_test(tests, early_request_of_a_table_that_goes);
	tcase_add_test(tests, echo_keeps_no_legs_open);
	tcase_add_test(tests, echo_does_not_stand_in_the_way);
	tcase_add_loop_test(tests, no_echo, 0, 4);
	tcase_add_test(tests, resume_that_has_not_ended);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
