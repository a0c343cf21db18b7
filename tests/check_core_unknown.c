/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests for a luid that nobody has constructed, and the way from there to a live table: see unknown.c. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define OTHER 0x2000
/* A device number with its NUL: the answer to a CTR. */
#define DEVICE_BYTES 6

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	h.watch_quiet = true;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

static bool unanswered(uint32_t seq)
{
	return harness_answer(&h, seq) == NULL;
}

static void provoked(uint64_t luid, int status)
{
	struct input input = { .type = INPUT_PROVOKED,
			       .provoked = { .luid = luid, .status = status } };

	harness_input(&h, &input);
}

/* ---- what is answered at once ---- */

static const enum request_type not_found[] = {
	REQUEST_STATUS_INFO, REQUEST_STATUS_TABLE,    REQUEST_PRESUSPEND,
	REQUEST_POSTSUSPEND, REQUEST_GET_REGION_SIZE,
};

START_TEST(nobody_knows_it)
{
	ck_assert(harness_answered(&h, harness_ask(&h, not_found[_i], LUID), -ESRCH));
	ck_assert_uint_eq(harness_answer(&h, h.seq)->payload_bytes, 0);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 0);
}
END_TEST

/* Gone, or its first answer came too late. */
START_TEST(dtr)
{
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 0);
}
END_TEST

START_TEST(sync_count)
{
	uint32_t seq = harness_ask(&h, REQUEST_GET_SYNC_COUNT, LUID);

	ck_assert_uint_eq(harness_number(&h, seq), 0);
	ck_assert_uint_eq(harness_answer(&h, seq)->payload_bytes, 8);
	ck_assert_uint_eq(harness_answer(&h, seq)->luid, LUID);
	ck_assert_uint_eq(harness_answer(&h, seq)->type, REQUEST_GET_SYNC_COUNT);
	ck_assert_uint_eq(harness_answer(&h, seq)->version, REQUEST_VERSION_MAX);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 0);
}
END_TEST

static void check_pair(uint32_t seq, int64_t first, int64_t second)
{
	const struct answer *answer = harness_answer(&h, seq);
	int64_t pair[2];

	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(answer->payload_bytes, sizeof(pair));
	memcpy(pair, answer->payload, sizeof(pair));
	ck_assert_int_eq(pair[0], first);
	ck_assert_int_eq(pair[1], second);
}

START_TEST(nothing_recovers)
{
	check_pair(harness_ask(&h, REQUEST_GET_RESYNC_WORK, LUID), 0, 0);
	check_pair(harness_ask_region(&h, REQUEST_IS_REMOTE_RECOVERING, LUID, 5), 0, INT64_MAX);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 0);
}
END_TEST

/* ---- what waits ---- */

/* Those that come while nobody provokes do not put the next provocation off. */
START_TEST(provokes_again)
{
	for (int i = 0; i < 6; i++) {
		(void)harness_ask_region(&h, REQUEST_MARK, LUID, 5);
		harness_advance(&h, 4000);
	}
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 2);
}
END_TEST

static const enum request_type waits[] = {
	REQUEST_IS_CLEAN, REQUEST_IN_SYNC,         REQUEST_FLUSH,  REQUEST_MARK,
	REQUEST_CLEAR,    REQUEST_SET_REGION_SYNC, REQUEST_RESUME,
};

#define WAITS ((int)(sizeof(waits) / sizeof(waits[0])))

START_TEST(waits_and_provokes)
{
	uint32_t seq = harness_ask_region(&h, waits[_i], LUID, 5);

	ck_assert(unanswered(seq));
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 1);
	ck_assert_str_eq(h.provoked_uuid, HARNESS_UUID);
	ck_assert_uint_eq(h.provoked_luid, LUID);
	harness_advance(&h, 60000);
	ck_assert(unanswered(seq));
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 1);
}
END_TEST

START_TEST(provokes_once_in_ten_seconds)
{
	for (int i = 0; i < WAITS; i++)
		(void)harness_ask_region(&h, waits[i], LUID, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 1);
	/* Each luid for itself. */
	(void)harness_ask_region(&h, REQUEST_IN_SYNC, OTHER, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 2);
	ck_assert_uint_eq(h.provoked_luid, OTHER);
	harness_advance(&h, 9999);
	(void)harness_ask_region(&h, REQUEST_IN_SYNC, OTHER, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 2);
	harness_advance(&h, 1);
	(void)harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 3);
	ck_assert_uint_eq(h.provoked_luid, LUID);
}
END_TEST

/* Where nothing is live nothing is lost by -ESRCH. */
START_TEST(nothing_is_live)
{
	uint32_t seqs[WAITS], other;

	for (int i = 0; i < WAITS; i++)
		seqs[i] = harness_ask_region(&h, waits[i], LUID, 5);
	other = harness_ask_region(&h, REQUEST_IN_SYNC, OTHER, 5);
	provoked(LUID, 0);
	provoked(LUID, -EIO);
	for (int i = 0; i < WAITS; i++)
		ck_assert(unanswered(seqs[i]));
	provoked(LUID, -ENODEV);
	provoked(LUID, -ENODEV);
	for (int i = 0; i < WAITS; i++)
		ck_assert(harness_answered(&h, seqs[i], -ESRCH));
	ck_assert(unanswered(other));
}
END_TEST

/* ---- the way to a live table ---- */

START_TEST(live_at_last)
{
	uint32_t seqs[WAITS], other;

	for (int i = 0; i < WAITS; i++)
		seqs[i] = harness_ask_region(&h, waits[i], LUID, 5);
	h.uuid = "other";
	other = harness_ask_region(&h, REQUEST_FLUSH, OTHER, 5);
	h.uuid = HARNESS_UUID;
	h.keep[EFFECT_READ] = true;
	/* The RESUME that waited counts. */
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), 0));
	ck_assert_str_eq(harness_status(&h).phase, "opening");
	for (int i = 0; i < WAITS; i++)
		ck_assert(unanswered(seqs[i]));
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	for (int i = 0; i < WAITS; i++)
		ck_assert(harness_answered(&h, seqs[i], waits[i] == REQUEST_RESUME ? 0 : -EAGAIN));
	ck_assert(unanswered(other));
	/* Nothing of it has been done. */
	ck_assert_uint_eq(harness_status(&h).marked_count, 0);
	ck_assert_uint_eq(harness_status(&h).lost_count, 0);
	/* Each is answered once, also when the table is resumed again (harness_answer() sees to that). */
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	for (int i = 0; i < WAITS; i++)
		ck_assert(!unanswered(seqs[i]));
}
END_TEST

/* What has come again is answered as if it had come only now. */
START_TEST(comes_again)
{
	uint32_t mark, flush, in_sync;

	h.resend = true;
	mark = harness_ask_region(&h, REQUEST_MARK, LUID, 5);
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	in_sync = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, mark, 0));
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert_uint_eq(harness_number(&h, in_sync), 1);
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

START_TEST(too_early)
{
	uint32_t seq, twice;

	h.keep[EFFECT_OPEN_DEVICE] = _i == 0;
	h.keep[EFFECT_READ] = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	if (_i == 2)
		(void)harness_ask(&h, REQUEST_RESUME, LUID);
	seq = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	twice = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	h.keep[EFFECT_OPEN_DEVICE] = false;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert(unanswered(seq));
	h.keep[EFFECT_READ] = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, seq, -EAGAIN));
	ck_assert(harness_answered(&h, twice, -EAGAIN));
	/* Its table is known: nothing is provoked. */
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 0);
	ck_assert_uint_eq(harness_number(&h, harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5)), 1);
}
END_TEST

START_TEST(another_luid_of_the_uuid)
{
	uint32_t flush = harness_ask(&h, REQUEST_FLUSH, OTHER);
	uint32_t mark = harness_ask_region(&h, REQUEST_MARK, OTHER, 5);
	uint32_t in_sync = harness_ask_region(&h, REQUEST_IN_SYNC, OTHER, 5);
	uint32_t resume = harness_ask(&h, REQUEST_RESUME, OTHER);
	uint32_t own = harness_ask(&h, REQUEST_FLUSH, LUID);

	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, flush, -EIO));
	ck_assert(harness_answered(&h, mark, -EIO));
	ck_assert(harness_answered(&h, own, -EAGAIN));
	ck_assert(unanswered(in_sync));
	ck_assert(unanswered(resume));
	/* The legs are open by now: that luid is suspended for good, and no status leads to a CTR of it. */
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_RESUME, OTHER), 0));
}
END_TEST

/* The oldest make room. */
START_TEST(more_than_are_remembered)
{
	uint32_t first = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 0);
	uint32_t seqs[64];

	for (int i = 0; i < 64; i++)
		seqs[i] = harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 0);
	provoked(LUID, -ENODEV);
	ck_assert(unanswered(first));
	for (int i = 0; i < 64; i++)
		ck_assert(harness_answered(&h, seqs[i], -ESRCH));
}
END_TEST

/* ---- CTR: the loop that builds a log again has no room for a device name ---- */

static uint32_t ctr(bool terminated)
{
	struct request request = { .type = REQUEST_CTR,
				   .luid = LUID,
				   .constructor = HARNESS_DISK,
				   .constructor_terminated = terminated };

	return harness_ask_request(&h, &request);
}

START_TEST(ctr_with_and_without_room)
{
	static const bool terminated[4] = { false, true, true, false };
	uint32_t seqs[4];

	/* All at once, or each for itself. */
	h.keep[EFFECT_OPEN_DEVICE] = _i == 0;
	for (int i = 0; i < 4; i++)
		seqs[i] = ctr(terminated[i]);
	h.keep[EFFECT_OPEN_DEVICE] = false;
	harness_run(&h);
	for (int i = 0; i < 4; i++) {
		const struct answer *answer = harness_answer(&h, seqs[i]);

		ck_assert(harness_answered(&h, seqs[i], 0));
		ck_assert_uint_eq(answer->payload_bytes, terminated[i] ? 0 : DEVICE_BYTES);
		if (!terminated[i])
			ck_assert_str_eq((const char *)answer->payload, "254:0");
	}
}
END_TEST

/* ---- a daemon that follows another one ---- */

START_TEST(predecessor)
{
	harness_predecessor(&h, HARNESS_UUID);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 1);
	ck_assert_str_eq(h.provoked_uuid, HARNESS_UUID);
	ck_assert_uint_eq(h.provoked_luid, 0);
	/* No luid is known yet: a request for one provokes for itself. */
	(void)harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 5);
	ck_assert_uint_eq(h.effects[EFFECT_PROVOKE], 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_unknown");
	TCase *tests = tcase_create("unknown");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, nobody_knows_it, 0,
			    (int)(sizeof(not_found) / sizeof(not_found[0])));
	tcase_add_test(tests, dtr);
	tcase_add_test(tests, sync_count);
	tcase_add_test(tests, nothing_recovers);
	tcase_add_test(tests, provokes_again);
	tcase_add_loop_test(tests, waits_and_provokes, 0, WAITS);
	tcase_add_test(tests, provokes_once_in_ten_seconds);
	tcase_add_test(tests, nothing_is_live);
	tcase_add_test(tests, live_at_last);
	tcase_add_test(tests, comes_again);
	tcase_add_loop_test(tests, too_early, 0, 3);
	tcase_add_test(tests, another_luid_of_the_uuid);
	tcase_add_test(tests, more_than_are_remembered);
	tcase_add_loop_test(tests, ctr_with_and_without_room, 0, 2);
	tcase_add_test(tests, predecessor);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
