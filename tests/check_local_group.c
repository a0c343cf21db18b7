/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group of one: what is sent comes back, whole and in order. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "local_group.h"

static struct local_group *group;

static void setup(void)
{
	ck_assert_int_eq(local_group_open(&group), 0);
}

static void teardown(void)
{
	local_group_close(group);
}

static void send(uint32_t number)
{
	struct group_message message = { .type = MESSAGE_LOST, .window = number };

	message.regions[WINDOW_REGIONS_MAX - 1] = number;
	ck_assert_int_eq(local_group_multicast(group, &message), 0);
}

static void expect(uint32_t number)
{
	struct group_message message;

	ck_assert(local_group_deliver(group, &message));
	ck_assert_uint_eq(message.window, number);
	ck_assert_uint_eq(message.regions[WINDOW_REGIONS_MAX - 1], number);
	ck_assert_int_eq(message.type, MESSAGE_LOST);
}

static void expect_nothing(void)
{
	struct group_message message = { .window = 77 };

	ck_assert(!local_group_deliver(group, &message));
	ck_assert_uint_eq(message.window, 77);
}

START_TEST(in_order)
{
	expect_nothing();
	for (uint32_t i = 0; i < 3; i++)
		send(i);
	for (uint32_t i = 0; i < 3; i++)
		expect(i);
	expect_nothing();
}
END_TEST

/* The ring turns, and grows while its oldest message lies in the middle. */
START_TEST(ring_turns_and_grows)
{
	uint32_t sent = 0, received = 0;

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 47; i++)
			send(sent++);
		for (int i = 0; i < 40; i++)
			expect(received++);
	}
	while (received < sent)
		expect(received++);
	expect_nothing();
}
END_TEST

START_TEST(closing_with_messages)
{
	for (uint32_t i = 0; i < 1000; i++)
		send(i);
	local_group_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("local_group");
	TCase *tests = tcase_create("local_group");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, in_order);
	tcase_add_test(tests, ring_turns_and_grows);
	tcase_add_test(tests, closing_with_messages);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
