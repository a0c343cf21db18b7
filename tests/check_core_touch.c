/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IN_SYNC of a region that was never in sync: the copy that it waits for, and every end of the wait without one. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define PEER 2
/* Far from where background copying begins. */
#define TOUCHED 50

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

/* Opens with all copies kept back, and lets those of the background fail, so that they rest. */
static void open_resting(void)
{
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	h.status[EFFECT_COPY] = 0;
	h.keep[EFFECT_COPY] = true;
	h.copy_count = 0;
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
}

static uint32_t in_sync(uint64_t region)
{
	return harness_ask_region(&h, REQUEST_IN_SYNC, LUID, region);
}

static bool waits(uint32_t seq)
{
	return harness_answer(&h, seq) == NULL;
}

static bool told(uint32_t seq, uint64_t answer)
{
	return harness_answer(&h, seq) != NULL && harness_number(&h, seq) == answer;
}

static struct harness_job *copy_of(uint64_t region)
{
	for (uint32_t i = h.first_job; i != h.next_job; i++) {
		struct harness_job *job = &h.jobs[i % HARNESS_JOBS_MAX];

		if (job->used && job->effect.type == EFFECT_COPY &&
		    job->effect.copy.region == region)
			return job;
	}
	return NULL;
}

/* ---- with the copy ---- */

START_TEST(waits_for_the_copy)
{
	uint32_t seq;

	open_resting();
	seq = in_sync(TOUCHED);
	ck_assert(waits(seq));
	ck_assert_uint_eq(h.copy_count, 1);
	ck_assert_uint_eq(h.copies[0], TOUCHED);
	harness_finish(&h, copy_of(TOUCHED), 0);
	ck_assert(told(seq, 1));
	ck_assert_uint_eq(harness_status(&h).sync_count, 1);
	/* The second one of the same write is answered at once (F29). */
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert_uint_eq(h.copy_count, 1);
}
END_TEST

/* The background's window has it already: it is the next one copied. */
START_TEST(region_of_a_background_window)
{
	uint32_t seq;

	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.copy_count, 4);
	seq = in_sync(7);
	ck_assert_uint_eq(h.copy_count, 5);
	ck_assert_uint_eq(h.copies[4], 7);
	harness_finish(&h, copy_of(7), 0);
	ck_assert(told(seq, 1));
}
END_TEST

/* Neither a rate limit nor a place taken by the background delays it. */
START_TEST(touched_comes_first)
{
	h.config.resync_bytes_per_second = 1;
	h.config.copies_in_flight = CORE_COPIES_MAX;
	harness_restart(&h);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	ck_assert_uint_le(h.copy_count, CORE_COPIES_MAX - 1);
	h.copy_count = 0;
	(void)in_sync(TOUCHED);
	ck_assert_uint_eq(h.copy_count, 1);
	ck_assert_uint_eq(h.copies[0], TOUCHED);
}
END_TEST

START_TEST(copies_of_a_slow_device)
{
	h.config.copies_in_flight = CORE_COPIES_MAX;
	harness_restart(&h);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	harness_advance(&h, 100);
	ck_assert_uint_eq(h.copy_count, CORE_COPIES_MAX - 1);
	(void)in_sync(TOUCHED);
	ck_assert_uint_eq(h.copy_count, CORE_COPIES_MAX);
}
END_TEST

START_TEST(waits_for_the_legs)
{
	uint32_t seq;

	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	seq = in_sync(TOUCHED);
	ck_assert(waits(seq));
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	ck_assert(told(seq, 1));
	ck_assert_uint_eq(h.copies[0], TOUCHED);
}
END_TEST

START_TEST(core_log)
{
	h.uuid = "core";
	h.keep[EFFECT_COPY] = true;
	(void)harness_ctr(&h, LUID, HARNESS_CORE);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	h.copy_count = 0;
	(void)in_sync(TOUCHED);
	ck_assert_uint_eq(h.copies[0], TOUCHED);
	harness_finish(&h, copy_of(TOUCHED), 0);
	ck_assert(told(in_sync(TOUCHED), 1));
}
END_TEST

/* ---- without ---- */

/* Marked here (after an answer without a copy): this node refuses it to itself. */
START_TEST(marked_region)
{
	open_resting();
	(void)harness_write(&h, LUID, TOUCHED);
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
}
END_TEST

START_TEST(refused_by_another_member)
{
	struct group_message answer = harness_message(MESSAGE_CLAIM_ANSWER, PEER);
	uint32_t seq;

	open_resting();
	harness_peer_joins(&h, PEER);
	h.keep_messages = true;
	seq = in_sync(TOUCHED);
	answer.claimer = 1;
	answer.window = h.messages[h.first_message % HARNESS_JOBS_MAX].window;
	answer.mask = 1;
	h.keep_messages = false;
	harness_run(&h);
	ck_assert(waits(seq));
	harness_deliver(&h, &answer);
	ck_assert(told(seq, 1));
	ck_assert_uint_eq(h.copy_count, 0);
	/* H8: for a second it is answered at once, without a message; another region is asked for. */
	h.effects[EFFECT_MULTICAST] = 0;
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert_uint_eq(h.effects[EFFECT_MULTICAST], 0);
	ck_assert(waits(in_sync(TOUCHED + 1)));
	ck_assert_uint_gt(h.effects[EFFECT_MULTICAST], 0);
}
END_TEST

/* H7, H8: a claim that nobody answers is given back after a second, and the whole log is answered at once then. */
START_TEST(h7_claim_not_granted)
{
	uint32_t seq;

	open_resting();
	harness_peer_joins(&h, PEER);
	seq = in_sync(TOUCHED);
	harness_advance(&h, 900);
	ck_assert(waits(seq));
	harness_advance(&h, 200);
	ck_assert(told(seq, 1));
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert(told(in_sync(TOUCHED + 1), 1));
	/* Its window is gone: a FLUSH does not wait. */
	ck_assert(harness_answered(&h, harness_write(&h, LUID, TOUCHED), 0));
	harness_advance(&h, 1100);
	ck_assert(waits(in_sync(TOUCHED + 2)));
}
END_TEST

START_TEST(failed_copy)
{
	uint32_t seq;

	open_resting();
	seq = in_sync(TOUCHED);
	harness_finish(&h, copy_of(TOUCHED), -EIO);
	ck_assert(told(seq, 1));
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, TOUCHED), 0));
}
END_TEST

/* H7: five seconds for the copy; the FLUSH that follows goes on too. */
START_TEST(h7_copy_that_hangs)
{
	uint32_t seq;

	open_resting();
	seq = in_sync(TOUCHED);
	harness_advance(&h, 4900);
	ck_assert(waits(seq));
	harness_advance(&h, 200);
	ck_assert(told(seq, 1));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, TOUCHED), 0));
	harness_finish(&h, copy_of(TOUCHED), 0);
	ck_assert_uint_eq(harness_status(&h).sync_count, 0);
}
END_TEST

/* Another thread of the kernel sends PRESUSPEND while kmirrord sits in IN_SYNC (G1). */
START_TEST(presuspend)
{
	uint32_t seq;

	open_resting();
	seq = in_sync(TOUCHED);
	ck_assert(waits(seq));
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	ck_assert(told(seq, 1));
	ck_assert(told(in_sync(TOUCHED + 1), 1));
	ck_assert_uint_eq(h.copy_count, 1);
	harness_finish(&h, copy_of(TOUCHED), 0);
	/* The copy had ended well before the table was suspended. */
	(void)harness_ask(&h, REQUEST_POSTSUSPEND, LUID);
	ck_assert(harness_answered(&h, h.seq, 0));
}
END_TEST

/* The wait for the letters does not outlive the legs. */
START_TEST(suspend_while_the_letters_are_read)
{
	uint32_t seq;

	open_resting();
	h.keep[EFFECT_READ_HEALTH] = true;
	seq = in_sync(TOUCHED);
	ck_assert(waits(seq));
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	ck_assert(waits(seq));
	harness_finish_all(&h, EFFECT_READ_HEALTH, 0);
	ck_assert(told(seq, 1));
}
END_TEST

static void failed_leg(const char *letters, uint64_t answer)
{
	uint32_t seq;

	strcpy(h.letters, letters);
	harness_open(&h, LUID);
	seq = in_sync(TOUCHED);
	ck_assert(told(seq, answer));
	ck_assert_uint_eq(h.copy_count, 0);
}

/* G13: only a failed primary makes it 0. */
START_TEST(failed_primary)
{
	failed_leg("DA", 0);
}
END_TEST

START_TEST(failed_secondary)
{
	failed_leg("AD", 1);
}
END_TEST

/* The letter that was read for the answer counts, not that of before. */
START_TEST(primary_fails_meanwhile)
{
	uint32_t seq;

	open_resting();
	seq = in_sync(TOUCHED);
	strcpy(h.letters, "FA");
	harness_finish(&h, copy_of(TOUCHED), -EIO);
	ck_assert(told(seq, 0));
}
END_TEST

/* The device may call the region clean: a 0 would have it written on one leg, unmarked. */
START_TEST(unreadable_log_with_a_failed_primary)
{
	uint32_t seq;

	strcpy(h.letters, "FA");
	h.status[EFFECT_READ] = -EIO;
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_OPEN_FAILED], 1);
	seq = in_sync(TOUCHED);
	harness_advance(&h, 20000);
	ck_assert(waits(seq));
	/* The kernel asks in vain for all of it, until the table is suspended: what is written then fails. */
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	ck_assert(told(seq, 1));
	ck_assert(told(in_sync(TOUCHED + 1), 1));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, TOUCHED), -EIO));
}
END_TEST

START_TEST(lost_region_with_a_failed_primary)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, TOUCHED);
	strcpy(h.letters, "DA");
	harness_input(&h, &(struct input){ .type = INPUT_DM_EVENT });
	ck_assert(told(in_sync(TOUCHED), 1));
}
END_TEST

START_TEST(legs_that_cannot_be_opened)
{
	h.status[EFFECT_OPEN_LEGS] = -ENODEV;
	harness_open(&h, LUID);
	ck_assert(told(in_sync(TOUCHED), 1));
	ck_assert_uint_eq(h.events[EVENT_LEGS_UNREADABLE], 1);
	harness_advance(&h, 3000);
	ck_assert_uint_eq(h.events[EVENT_LEGS_UNREADABLE], 1);
	h.status[EFFECT_OPEN_LEGS] = 0;
	harness_advance(&h, 1100);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
}
END_TEST

/* C9: in another member's window it waits for that window, within its second. */
START_TEST(c9_window_of_another_member)
{
	struct group_message claim = harness_message(MESSAGE_CLAIM, PEER);
	struct group_message answer = harness_message(MESSAGE_CLAIM_ANSWER, PEER);
	struct group_message synced = harness_message(MESSAGE_SYNCED, PEER);
	uint32_t seq;

	open_resting();
	harness_peer_joins(&h, PEER);
	claim.region_count = 1;
	claim.regions[0] = TOUCHED;
	claim.window = answer.window = synced.window = 77;
	answer.claimer = PEER;
	synced.mask = 1;
	harness_deliver(&h, &claim);
	seq = in_sync(TOUCHED);
	ck_assert(waits(seq));
	harness_deliver(&h, &answer);
	ck_assert(waits(seq));
	harness_deliver(&h, &synced);
	ck_assert(told(seq, 1));
	ck_assert_uint_eq(h.copy_count, 0);
}
END_TEST

/* G25: never an error, never "not in sync". */
START_TEST(g25_bad_region_number)
{
	open_resting();
	ck_assert(told(in_sync(HARNESS_REGIONS), 1));
	ck_assert(told(in_sync(UINT64_MAX), 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_touch");
	TCase *tests = tcase_create("touch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, waits_for_the_copy);
	tcase_add_test(tests, region_of_a_background_window);
	tcase_add_test(tests, touched_comes_first);
	tcase_add_test(tests, copies_of_a_slow_device);
	tcase_add_test(tests, waits_for_the_legs);
	tcase_add_test(tests, core_log);
	tcase_add_test(tests, marked_region);
	tcase_add_test(tests, refused_by_another_member);
	tcase_add_test(tests, h7_claim_not_granted);
	tcase_add_test(tests, failed_copy);
	tcase_add_test(tests, h7_copy_that_hangs);
	tcase_add_test(tests, presuspend);
	tcase_add_test(tests, suspend_while_the_letters_are_read);
	tcase_add_test(tests, failed_primary);
	tcase_add_test(tests, failed_secondary);
	tcase_add_test(tests, primary_fails_meanwhile);
	tcase_add_test(tests, unreadable_log_with_a_failed_primary);
	tcase_add_test(tests, lost_region_with_a_failed_primary);
	tcase_add_test(tests, legs_that_cannot_be_opened);
	tcase_add_test(tests, c9_window_of_another_member);
	tcase_add_test(tests, g25_bad_region_number);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
