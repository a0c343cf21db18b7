/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast a log gets in sync, from samples at times that the test gives. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/resync_speed.h"

#define REGION_BYTES (1024 * 512)

static struct speed_samples samples;
static struct core_log_status log_status;

static void setup(void)
{
	memset(&samples, 0, sizeof(samples));
	log_status = (struct core_log_status){ .uuid = "u",
					       .region_count = 1000,
					       .region_sectors = 1024 };
}

static void sample(uint64_t in_sync, uint64_t now_ms)
{
	log_status.sync_count = in_sync;
	speed_sample(&samples, &log_status, now_ms);
}

static void expect(bool known, uint64_t regions_per_second, uint64_t seconds_left)
{
	struct speed speed = speed_tell(&samples, &log_status);

	ck_assert_int_eq(speed.known, known);
	if (!known)
		return;
	ck_assert_uint_eq(speed.bytes_per_second, regions_per_second * REGION_BYTES);
	ck_assert_uint_eq(speed.seconds_left, seconds_left);
}

START_TEST(test_two_samples)
{
	expect(false, 0, 0);
	sample(100, 5000);
	expect(false, 0, 0);
	sample(100, 5000); /* at the same time */
	expect(false, 0, 0);
	sample(140, 7000);
	expect(true, 20, 43);
	/* What is left is of now. */
	log_status.sync_count = 800;
	expect(true, 20, 10);
}
END_TEST

START_TEST(test_it_stands_still)
{
	sample(10, 0);
	sample(10, 2000);
	expect(true, 0, UINT64_MAX);
}
END_TEST

/* Fast for long, then slow: what is older than the samples is forgotten. */
START_TEST(test_the_last_half_minute)
{
	uint64_t now_ms = 0, in_sync = 0;

	for (int i = 0; i < 20; i++, now_ms += SPEED_PERIOD_MS)
		sample(in_sync += 20, now_ms);
	expect(true, 10, 60);
	for (int i = 0; i < SPEED_SAMPLES; i++, now_ms += SPEED_PERIOD_MS)
		sample(in_sync += 2, now_ms);
	expect(true, 1, 1000 - in_sync);
}
END_TEST

START_TEST(test_it_begins_anew)
{
	sample(10, 0);
	sample(20, 2000);
	/* Regions were lost. */
	sample(5, 4000);
	expect(false, 0, 0);
	sample(9, 6000);
	expect(true, 2, 495);
	/* Another log of the same number. */
	log_status.uuid = "v";
	expect(false, 0, 0);
	sample(500, 8000);
	expect(false, 0, 0);
	sample(508, 10000);
	expect(true, 4, 123);
}
END_TEST

START_TEST(test_nothing_is_looked_at)
{
	struct speed speed = resync_speed_of(NULL, 3, &log_status);

	ck_assert(!speed.known);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resync_speed");
	TCase *tcase = tcase_create("resync_speed");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_two_samples);
	tcase_add_test(tcase, test_it_stands_still);
	tcase_add_test(tcase, test_the_last_half_minute);
	tcase_add_test(tcase, test_it_begins_anew);
	tcase_add_test(tcase, test_nothing_is_looked_at);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
