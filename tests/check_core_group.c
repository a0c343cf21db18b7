/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coming into the group: views, hellos, and the state that is fetched. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

#define CORE_LOG HARNESS_CORE " nosync"
#define ALL 7

static struct world w;

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	world_start(&w, 3);
}

static void teardown(void)
{
	world_stop(&w);
}

START_TEST(first_view)
{
	uint32_t seq = world_resume(&w, 1, CORE_LOG);

	ck_assert(!world_active(&w, 1));
	ck_assert_uint_eq(core_group_hash(world_node(&w, 1)->core), 0);
	world_connect(&w, 7);
	ck_assert(world_same(&w, ALL));
	ck_assert(world_active(&w, 1) && world_active(&w, 2) && world_active(&w, 3));
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 1);
	ck_assert_uint_eq(world_group(&w, 1)->leader, 1);
	ck_assert(world_answered(&w, 1, seq, 0));
}
END_TEST

/* absent, joining, greeted, lacking, current: seen from both nodes. */
START_TEST(states_of_a_node)
{
	ck_assert_str_eq(world_state(&w, 1, 2), "absent");
	w.node[0].held = w.node[1].held = true;
	world_connect(&w, 3);
	(void)world_deliver(&w, 1);
	ck_assert_str_eq(world_state(&w, 1, 1), "joining");
	ck_assert_str_eq(world_state(&w, 1, 2), "joining");
	/* The lowest one calls, and all say hello when they hear it. */
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_CALL), 1);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HELLO), 0);
	(void)world_deliver(&w, 1);
	(void)world_deliver(&w, 1);
	ck_assert_str_eq(world_state(&w, 1, 1), "greeted");
	ck_assert_str_eq(world_state(&w, 1, 2), "joining");
	(void)world_deliver(&w, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HELLO), 1);
	(void)world_deliver(&w, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HELLO), 2);
	(void)world_deliver(&w, 1);
	/* Both are fresh: the one with the lower id founds, the other one fetches. */
	ck_assert_str_eq(world_state(&w, 1, 1), "current");
	ck_assert_str_eq(world_state(&w, 1, 2), "lacking");
	(void)world_deliver(&w, 2);
	(void)world_deliver(&w, 2);
	ck_assert_str_eq(world_state(&w, 2, 1), "current");
	ck_assert_str_eq(world_state(&w, 2, 2), "lacking");
	ck_assert_uint_eq(core_group_hash(world_node(&w, 2)->core), 0);
	world_hold(&w, 2, false);
	ck_assert_str_eq(world_state(&w, 2, 2), "current");
	ck_assert_str_eq(world_state(&w, 1, 2), "lacking");
	world_hold(&w, 1, false);
	ck_assert_str_eq(world_state(&w, 1, 2), "current");
	ck_assert(world_same(&w, 3));
	world_disconnect(&w, 2);
	ck_assert_str_eq(world_state(&w, 1, 2), "absent");
}
END_TEST

/* Whoever was here before stays what it was while a new one is greeted. */
START_TEST(current_while_another_joins)
{
	uint32_t seq;

	world_connect(&w, 1);
	ck_assert(!world_active(&w, 1) || world_group(&w, 1)->established);
	world_connect(&w, 3);
	seq = world_resume(&w, 1, HARNESS_DISK);
	ck_assert(world_answered(&w, 1, seq, 0));
	world_forget_sent(&w);
	w.node[2].held = true;
	world_connect(&w, 4);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HELLO), 2);
	ck_assert_str_eq(world_state(&w, 1, 1), "current");
	ck_assert_str_eq(world_state(&w, 1, 2), "current");
	ck_assert_str_eq(world_state(&w, 2, 1), "current");
	ck_assert(world_active(&w, 1) && world_active(&w, 2));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 5), 0));
	world_hold(&w, 3, false);
	ck_assert(world_same(&w, ALL));
	/* One sends the state, and the epoch goes on. */
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_DIRECTORY), 1);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_DIRECTORY), 1);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_EPOCH), 0);
	ck_assert(world_active(&w, 3));
}
END_TEST

/* Nothing is decided before the last one of the view has said hello. */
START_TEST(hello_waits_for_all)
{
	w.node[2].held = true;
	world_connect(&w, ALL);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HELLO), 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_DIRECTORY) + world_all_sent(&w, MESSAGE_EPOCH),
			  0);
	ck_assert_str_eq(world_state(&w, 1, 1), "greeted");
	ck_assert_str_eq(world_state(&w, 2, 3), "joining");
	ck_assert_uint_eq(core_group_hash(world_node(&w, 1)->core), 0);
	world_hold(&w, 3, false);
	ck_assert(world_same(&w, ALL));
	ck_assert(world_active(&w, 1) && world_active(&w, 2) && world_active(&w, 3));
}
END_TEST

/* A daemon that lags behind says hello in a view that is over for the others: that one is late (F-7). */
START_TEST(hello_of_an_earlier_view)
{
	w.node[2].held = true;
	world_connect(&w, ALL);
	world_power_off(&w, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_CALL), 2);
	(void)world_deliver(&w, 3);
	(void)world_deliver(&w, 3);
	ck_assert_uint_eq(world_sent(&w, 3, MESSAGE_HELLO), 1);
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 1, 3), "joining");
	ck_assert_uint_eq(core_group_hash(world_node(&w, 1)->core), 0);
	world_hold(&w, 3, false);
	ck_assert_uint_ge(world_sent(&w, 3, MESSAGE_HELLO), 2);
	ck_assert(world_same(&w, 5));
}
END_TEST

/* It goes without having said anything: the others do not wait for it. */
START_TEST(silent_one_goes)
{
	w.node[2].held = true;
	world_connect(&w, ALL);
	world_power_off(&w, 3);
	ck_assert(world_same(&w, 3));
	ck_assert(world_active(&w, 1) && world_active(&w, 2));
}
END_TEST

/* Many logs: more than one piece. */
START_TEST(large_directory)
{
	struct request request = { .luid = WORLD_LUID };

	world_power_off(&w, 3);
	world_connect(&w, 3);
	memset(request.uuid, 'a', REQUEST_UUID_SIZE - 1);
	strcpy(request.constructor, HARNESS_CORE);
	for (uint32_t i = 0; i < 120; i++) {
		struct harness *h = world_node(&w, 1 + i % 2);

		request.uuid[0] = (char)('0' + i / 2);
		request.luid++;
		request.type = REQUEST_CTR;
		(void)harness_ask_request(h, &request);
		request.type = REQUEST_RESUME;
		(void)harness_ask_request(h, &request);
		world_run(&w);
		ck_assert(harness_answered(h, h->seq, 0));
	}
	world_forget_sent(&w);
	world_power_on(&w, 3);
	world_connect(&w, 4);
	ck_assert_uint_gt(world_sent(&w, 1, MESSAGE_DIRECTORY), 1);
	ck_assert(world_same(&w, ALL));
	ck_assert_uint_eq(world_group(&w, 3)->entries_end, 60);
}
END_TEST

/* What is ordered between the last HELLO and the directory is kept; too much of it: the node fetches once more. */
static void catch_up(uint32_t messages)
{
	static uint8_t data[MESSAGE_DATA_MAX_BYTES];
	struct group_message lost = harness_message(MESSAGE_LOST, 2);

	lost.data = data;
	lost.data_bytes = sizeof(data);
	world_connect(&w, 3);
	(void)world_resume(&w, 2, CORE_LOG);
	world_forget_sent(&w);
	w.node[2].held = true;
	world_connect(&w, 4);
	w.node[0].held = true;
	world_hold(&w, 3, false); /* it says hello; who would send the directory has not heard it */
	ck_assert_str_eq(world_state(&w, 3, 3), "lacking");
	for (uint32_t i = 0; i < messages; i++)
		world_send(&w, &lost);
	(void)world_resume(&w, 2, CORE_LOG);
	(void)harness_ask(world_node(&w, 2), REQUEST_PRESUSPEND, WORLD_LUID + 2);
	(void)harness_ask(world_node(&w, 2), REQUEST_POSTSUSPEND, WORLD_LUID + 2);
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 3, 3), "lacking");
	world_hold(&w, 1, false);
	ck_assert(world_same(&w, ALL));
	ck_assert(world_active(&w, 3));
	ck_assert_str_eq(world_state(&w, 1, 3), "current");
}

START_TEST(catch_up_behind_the_hello)
{
	catch_up(3);
	ck_assert_uint_eq(world_sent(&w, 3, MESSAGE_HELLO), 1);
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_DIRECTORY), 1);
}
END_TEST

START_TEST(catch_up_that_is_too_long)
{
	catch_up(10);
	ck_assert_uint_eq(world_sent(&w, 3, MESSAGE_HELLO), 2);
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_DIRECTORY), 2);
}
END_TEST

/* The next oldest sends it. */
START_TEST(sender_of_the_directory_dies)
{
	world_connect(&w, 3);
	w.node[0].held = true;
	world_connect(&w, 4);
	(void)world_deliver(&w, 1);
	(void)world_deliver(&w, 1); /* it says hello, and never hears the others */
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 3, 3), "lacking");
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_DIRECTORY), 0);
	world_power_off(&w, 1);
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_DIRECTORY), 1);
	ck_assert(world_same(&w, 6));
	ck_assert(world_active(&w, 2) && world_active(&w, 3));
}
END_TEST

/* Nobody is left who has it: those who lack it begin anew. */
START_TEST(only_owner_of_the_state_dies)
{
	world_connect(&w, 1);
	w.node[0].held = true;
	world_connect(&w, 6);
	(void)world_deliver(&w, 1);
	(void)world_deliver(&w, 1);
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 2, 2), "lacking");
	world_power_off(&w, 1);
	ck_assert(world_same(&w, 6));
	ck_assert_str_eq(world_state(&w, 3, 2), "current");
	ck_assert(world_active(&w, 2) && world_active(&w, 3));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_group");
	TCase *tests = tcase_create("group");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, first_view);
	tcase_add_test(tests, states_of_a_node);
	tcase_add_test(tests, current_while_another_joins);
	tcase_add_test(tests, hello_waits_for_all);
	tcase_add_test(tests, hello_of_an_earlier_view);
	tcase_add_test(tests, silent_one_goes);
	tcase_add_test(tests, large_directory);
	tcase_add_test(tests, catch_up_behind_the_hello);
	tcase_add_test(tests, catch_up_that_is_too_long);
	tcase_add_test(tests, sender_of_the_directory_dies);
	tcase_add_test(tests, only_owner_of_the_state_dies);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
