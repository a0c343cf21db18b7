/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of idle holds: order, hash, and a fixed size. */
#include <check.h>
#include <stdlib.h>

#include "daemon/core/idle.h"

#define LIMIT 100

static struct idle idle;
static void *memory;

static void setup(void)
{
	memory = malloc(idle_bytes(LIMIT));
	ck_assert_ptr_nonnull(memory);
	idle_init(&idle, LIMIT, memory);
}

static void teardown(void)
{
	free(memory);
}

START_TEST(oldest_first)
{
	ck_assert_uint_eq(idle_oldest_ms(&idle), UINT64_MAX);
	for (uint64_t r = 0; r < LIMIT; r++)
		idle_push(&idle, r * 1000, r + 5);
	ck_assert_uint_eq(idle.count, LIMIT);
	for (uint64_t r = 0; r < LIMIT; r++) {
		ck_assert_uint_eq(idle_oldest_ms(&idle), r + 5);
		ck_assert_uint_eq(idle_pop(&idle), r * 1000);
	}
	ck_assert_uint_eq(idle.count, 0);
	ck_assert_uint_eq(idle_oldest_ms(&idle), UINT64_MAX);
}
END_TEST

START_TEST(remove_anywhere)
{
	for (uint64_t r = 0; r < 5; r++)
		idle_push(&idle, r, r);
	ck_assert(!idle_remove(&idle, 5));
	ck_assert(idle_remove(&idle, 2)); /* in the middle */
	ck_assert(idle_remove(&idle, 0)); /* the oldest */
	ck_assert(idle_remove(&idle, 4)); /* the newest */
	ck_assert(!idle_remove(&idle, 4));
	ck_assert_uint_eq(idle_oldest_ms(&idle), 1);
	idle_push(&idle, 9, 9);
	ck_assert_uint_eq(idle_pop(&idle), 1);
	ck_assert_uint_eq(idle_pop(&idle), 3);
	ck_assert_uint_eq(idle_pop(&idle), 9);
}
END_TEST

START_TEST(clear_gives_all_back)
{
	for (int round = 0; round < 3; round++) {
		for (uint64_t r = 0; r < LIMIT; r++)
			idle_push(&idle, r, 1);
		idle_clear(&idle);
		ck_assert_uint_eq(idle.count, 0);
		ck_assert(!idle_remove(&idle, 7));
	}
}
END_TEST

START_TEST(one_entry)
{
	void *small = malloc(idle_bytes(1));

	idle_init(&idle, 1, small);
	for (uint64_t r = 0; r < 10; r++) {
		idle_push(&idle, r, r);
		ck_assert_uint_eq(idle_pop(&idle), r);
	}
	free(small);
}
END_TEST

/* Against an array in order of age; region numbers that fall into the same bucket, too. */
START_TEST(against_an_array)
{
	uint64_t model[LIMIT];
	uint32_t count = 0;
	uint32_t random = 4711;

	for (int i = 0; i < 100000; i++) {
		uint64_t region;
		uint32_t at = 0;

		random = random * 1664525u + 1013904223u;
		region = (uint64_t)(random >> 24) << (random >> 20 & 31);
		while (at < count && model[at] != region)
			at++;
		if (at < count) {
			ck_assert(idle_remove(&idle, region));
			for (count--; at < count; at++)
				model[at] = model[at + 1];
		} else {
			ck_assert(!idle_remove(&idle, region));
			if (count == LIMIT) {
				ck_assert_uint_eq(idle_pop(&idle), model[0]);
				for (count--, at = 0; at < count; at++)
					model[at] = model[at + 1];
			}
			idle_push(&idle, region, (uint64_t)i);
			model[count++] = region;
		}
		ck_assert_uint_eq(idle.count, count);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idle");
	TCase *tests = tcase_create("idle");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, oldest_first);
	tcase_add_test(tests, remove_anywhere);
	tcase_add_test(tests, clear_gives_all_back);
	tcase_add_test(tests, one_entry);
	tcase_add_test(tests, against_an_array);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
