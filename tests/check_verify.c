/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing legs while somebody writes: legs and log are memory, and a test writes between any two reads, in the order that a
 * mirror has: held on the device, leg by leg, let go on the device.  A region that differs for good is found, one that was only
 * being written never is, at whichever read the write begins and however long it takes.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/verify.h"

#define REGIONS 600
#define REGION_SECTORS 8
#define REGION_BYTES (REGION_SECTORS * 512)
#define LEGS 3
/* The last region has a sector only. */
#define SECTORS ((REGIONS - 1) * REGION_SECTORS + 1)

static uint8_t legs[LEGS][REGIONS * REGION_BYTES];
static uint8_t base[REGIONS / 8 + 1], covered[REGIONS / 8 + 1];
static int call, fails_at;
static void (*before)(int number);
static uint64_t paused_ms, told[REGIONS], told_leg, told_byte;
static uint32_t told_count;
static struct verify_result result;

static void bit(uint8_t *bits, uint64_t number, bool set)
{
	uint8_t mask = (uint8_t)(1u << (number % 8));

	bits[number / 8] = (uint8_t)(set ? bits[number / 8] | mask : bits[number / 8] & ~mask);
}

static int step(void)
{
	call++;
	if (before != NULL)
		before(call);
	return call == fails_at ? -EIO : 0;
}

static int read_leg(void *context, uint32_t leg, uint64_t offset_bytes, uint8_t *bytes,
		    uint64_t length_bytes)
{
	int r = step();

	(void)context;
	ck_assert_uint_le(length_bytes, VERIFY_PIECE_BYTES);
	ck_assert_uint_le(offset_bytes + length_bytes, SECTORS * 512);
	memcpy(bytes, legs[leg] + offset_bytes, length_bytes);
	return r;
}

static int read_log(void *context, struct log_image *ret_image)
{
	int r = step();

	(void)context;
	if (r < 0)
		return r;
	memset(ret_image, 0, sizeof(*ret_image));
	ret_image->region_count = ret_image->valid_count = REGIONS;
	ret_image->base = malloc(sizeof(base));
	ret_image->covered = malloc(sizeof(covered));
	memcpy(ret_image->base, base, sizeof(base));
	memcpy(ret_image->covered, covered, sizeof(covered));
	return 0;
}

static void pause_ms(void *context, uint64_t delay_ms)
{
	(void)context;
	paused_ms += delay_ms;
	(void)step();
}

static int progress(void *context, uint64_t region)
{
	(void)context;
	(void)region;
	return 0;
}

static void differs(void *context, uint64_t region, uint32_t leg, uint64_t offset_bytes)
{
	(void)context;
	told[told_count++] = region;
	told_leg = leg;
	told_byte = offset_bytes;
}

static int run(void)
{
	const struct verify_port port = { .read_leg = read_leg,
					  .read_log = read_log,
					  .pause = pause_ms,
					  .progress = progress,
					  .differs = differs };

	call = 0;
	paused_ms = 0;
	told_count = 0;
	return verify(&port, SECTORS, REGION_SECTORS, LEGS, &result);
}

static void setup(void)
{
	for (size_t i = 0; i < sizeof(legs[0]); i++)
		legs[0][i] = legs[1][i] = legs[2][i] = (uint8_t)(i * 7 + i / 256);
	memset(base, 0xff, sizeof(base));
	memset(covered, 0, sizeof(covered));
	before = NULL;
	fails_at = 0;
}

START_TEST(test_equal)
{
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(result.regions, REGIONS);
	ck_assert_uint_eq(result.differing + result.busy, 0);
	ck_assert_uint_eq(paused_ms, 0);
	/* Behind the mirror's end nothing is compared. */
	legs[1][SECTORS * 512] ^= 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(result.differing, 0);
}
END_TEST

START_TEST(test_differing)
{
	legs[2][17 * REGION_BYTES + 4095] ^= 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(result.differing, 1);
	ck_assert_uint_eq(told[0], 17);
	ck_assert_uint_eq(told_leg, 2);
	ck_assert_uint_eq(told_byte, 17 * REGION_BYTES + 4095);
	ck_assert_uint_gt(paused_ms, 1000);
	/* The last byte of the mirror, and many. */
	setup();
	legs[1][SECTORS * 512 - 1] ^= 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(told[0], REGIONS - 1);
	for (uint64_t r = 0; r < REGIONS - 1; r++)
		legs[1][r * REGION_BYTES] ^= 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(result.differing, REGIONS);
	ck_assert_uint_eq(told_count, REGIONS);
}
END_TEST

START_TEST(test_not_clean)
{
	legs[1][3 * REGION_BYTES] ^= 1;
	legs[1][4 * REGION_BYTES] ^= 1;
	bit(base, 3, false);
	bit(covered, 4, true);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(result.differing, 0);
	ck_assert_uint_eq(result.busy, 2);
}
END_TEST

/* A write of region 5: at calls begin, begin + pace, ... its steps happen. */
static int begin, pace;

static void write_meanwhile(int number)
{
	int n = number - begin;

	if (n < 0 || n % pace != 0)
		return;
	n /= pace;
	if (n == 0)
		bit(covered, 5, true);
	else if (n <= LEGS)
		memset(legs[n - 1] + 5 * REGION_BYTES, begin, 512);
	else if (n == LEGS + 1)
		bit(covered, 5, false);
}

/* All at once, between two calls. */
static void write_at_once(int number)
{
	if (number != begin)
		return;
	for (int leg = 0; leg < LEGS; leg++)
		memset(legs[leg] + 5 * REGION_BYTES, begin, 512);
}

START_TEST(test_written_meanwhile)
{
	int calls;

	legs[1][9 * REGION_BYTES] ^= 1;
	ck_assert_int_eq(run(), 0);
	calls = call;
	for (pace = 1; pace <= 8; pace++)
		for (begin = 1; begin <= 40; begin++) {
			setup();
			legs[1][9 * REGION_BYTES] ^= 1;
			before = write_meanwhile;
			ck_assert_int_eq(run(), 0);
			ck_assert_uint_eq(told_count, 1);
			ck_assert_uint_eq(told[0], 9);
		}
	/* While the suspects are looked at again: region 9 is one all the time. */
	for (pace = 1; pace <= 3; pace++)
		for (begin = calls - 14; begin <= calls; begin++) {
			setup();
			legs[1][9 * REGION_BYTES] ^= 1;
			before = write_meanwhile;
			ck_assert_int_eq(run(), 0);
			ck_assert_uint_eq(told_count, 1);
		}
}
END_TEST

/* Region 5 is a suspect, since it was being written at the first look, and is written again at each of the later calls. */
static int again;

static void write_twice(int number)
{
	if (number == 5 * LEGS + 2) /* leg 0 of region 5 has been read */
		for (int leg = 0; leg < LEGS; leg++)
			legs[leg][5 * REGION_BYTES] ^= 1;
	begin = again;
	write_meanwhile(number);
}

static void write_twice_at_once(int number)
{
	if (number == 5 * LEGS + 2)
		for (int leg = 0; leg < LEGS; leg++)
			legs[leg][5 * REGION_BYTES] ^= 1;
	begin = again;
	write_at_once(number);
}

START_TEST(test_written_again)
{
	for (pace = 1; pace <= 3; pace++)
		for (again = REGIONS * LEGS; again < REGIONS * LEGS + 20; again++) {
			setup();
			before = write_twice;
			ck_assert_int_eq(run(), 0);
			ck_assert_msg(result.differing == 0, "pace %d, call %d", pace, again);
			setup();
			before = write_twice_at_once;
			ck_assert_int_eq(run(), 0);
			ck_assert_msg(result.differing == 0, "at once, call %d", again);
		}
}
END_TEST

/* A write that takes so long that both looks find it half done: only the log tells. */
START_TEST(test_slow_write)
{
	for (pace = 20; pace <= 60; pace += 20)
		for (again = REGIONS * LEGS - 2 * pace; again <= REGIONS * LEGS + 4; again += 3) {
			setup();
			before = write_twice;
			ck_assert_int_eq(run(), 0);
			ck_assert_msg(result.differing == 0, "pace %d, call %d", pace, again);
		}
}
END_TEST

START_TEST(test_errors)
{
	int calls;

	legs[1][9 * REGION_BYTES] ^= 1;
	ck_assert_int_eq(run(), 0);
	calls = call;
	for (fails_at = 1; fails_at <= calls; fails_at++)
		ck_assert(run() == -EIO || fails_at == calls - LEGS - 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *tcase = tcase_create("verify");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_equal);
	tcase_add_test(tcase, test_differing);
	tcase_add_test(tcase, test_not_clean);
	tcase_add_test(tcase, test_written_meanwhile);
	tcase_add_test(tcase, test_written_again);
	tcase_add_test(tcase, test_slow_write);
	tcase_add_test(tcase, test_errors);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
