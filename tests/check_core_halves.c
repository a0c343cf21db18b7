/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two nodes with two_node quorum that have parted: what each half may do, and how they meet. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

#define CORE_LOG HARNESS_CORE " nosync"

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

/* two_node, parted: each half has quorum, and knows it. */
static void two_halves(void)
{
	w.keep_quorum = true;
	world_split(&w, 1);
	world_quorate_alone(&w, 1);
	world_quorate_alone(&w, 2);
	ck_assert(world_active(&w, 1) && world_active(&w, 2));
}

static void heal(void)
{
	w.keep_quorum = false;
	world_split(&w, 0);
	world_advance(&w, 3000);
}

/* Nobody had the log open when they parted: neither half opens it, since the other may. */
START_TEST(half_opens_nothing)
{
	uint32_t resume[2];

	world_two_nodes(&w);
	two_halves();
	resume[0] = world_resume(&w, 1, _i == 0 ? HARNESS_DISK : CORE_LOG);
	resume[1] = world_resume(&w, 2, _i == 0 ? HARNESS_DISK : CORE_LOG);
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 1, resume[0]) && world_waits(&w, 2, resume[1]));
	ck_assert_uint_eq(world_node(&w, 1)->events[EVENT_WAITING_FOR_SLOT], 1);
	ck_assert_ptr_nonnull(
		strstr(world_node(&w, 1)->last_text[EVENT_WAITING_FOR_SLOT], "fenced 2"));
	heal();
	ck_assert(world_answered(&w, 1, resume[0], 0) && world_answered(&w, 2, resume[1], 0));
}
END_TEST

/* They part before either has said hello: each begins the group's past alone, and so may the other (simulator, 0/2949). */
START_TEST(half_founds)
{
	uint32_t resume;

	world_hold(&w, 1, true);
	world_hold(&w, 2, true);
	world_two_nodes(&w);
	world_split(&w, 1);
	world_hold(&w, 1, false);
	world_hold(&w, 2, false);
	two_halves();
	resume = world_resume(&w, 1, HARNESS_DISK);
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 1, resume));
	ck_assert_ptr_nonnull(
		strstr(world_node(&w, 1)->last_text[EVENT_WAITING_FOR_SLOT], "fenced 2"));
	world_fenced(&w, 1, 2);
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

/* The halves meet: each hears that the other is back in the cluster, and says ENTER, before it has heard the other's past.  The log
 * device is not read before that is settled: only one of them opens it. */
START_TEST(halves_meet)
{
	struct input input = { .type = INPUT_QUORUM,
			       .quorum = { .quorate = true, .node_count = 2 } };
	uint32_t both[2] = { 1, 2 };
	uint32_t resume[2], entered;

	world_two_nodes(&w);
	two_halves();
	resume[0] = world_resume(&w, 1, HARNESS_DISK);
	resume[1] = world_resume(&w, 2, HARNESS_DISK);
	world_hold(&w, 1, true);
	world_hold(&w, 2, true);
	w.keep_quorum = true;
	world_split(&w, 0);
	input.quorum.nodes = both;
	entered = world_all_sent(&w, MESSAGE_ENTER);
	harness_input(world_node(&w, 1), &input);
	harness_input(world_node(&w, 2), &input);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_ENTER), entered + 2);
	/* The view, and both ENTER. */
	for (int i = 0; i < 3; i++)
		ck_assert(world_deliver(&w, 1) && world_deliver(&w, 2));
	ck_assert_uint_eq(world_node(&w, 1)->effects[EFFECT_READ], 0);
	ck_assert_uint_eq(world_node(&w, 2)->effects[EFFECT_READ], 0);
	world_hold(&w, 1, false);
	world_hold(&w, 2, false);
	heal();
	ck_assert(world_answered(&w, 1, resume[0], 0) && world_answered(&w, 2, resume[1], 0));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_OPENED), 1);
}
END_TEST

/* They are back in one view, and node 2, whose past will not count, has said hello and has not heard so yet. */
static void greeted_by_2(void)
{
	world_hold(&w, 2, true);
	w.keep_quorum = false;
	world_split(&w, 0);
	world_forget_sent(&w);
	while (world_sent(&w, 2, MESSAGE_HELLO) == 0) {
		world_run(&w);
		ck_assert(world_deliver(&w, 2));
	}
	world_run(&w);
}

/* If the ring broke now, node 2 would go on with its own past, in which nobody uses the log (simulator, halves-meet 420). */
START_TEST(half_that_has_not_heard)
{
	uint32_t resume;

	world_two_nodes(&w);
	two_halves();
	resume = world_resume(&w, 1, CORE_LOG);
	ck_assert(world_waits(&w, 1, resume));
	greeted_by_2();
	ck_assert(world_waits(&w, 1, resume));
	world_hold(&w, 2, false);
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

/* What it says before it has given up that past counts nowhere: the JOIN here, which the next thing it said would have made void
 * again (halves-meet 743). */
START_TEST(half_that_speaks_too_late)
{
	uint32_t resume;

	world_two_nodes(&w);
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_DISK), 0));
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, HARNESS_DISK), 0));
	two_halves();
	(void)world_suspend(&w, 2);
	greeted_by_2();
	resume = world_ask(&w, 2, REQUEST_RESUME);
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_JOIN), 1);
	ck_assert(world_member(&w, 1, 2)->departed);
	world_hold(&w, 2, false);
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_JOIN), 2);
}
END_TEST

/* The other half uses the log already; it copies, and knows nothing of who begins to use it here. */
START_TEST(half_joins_nothing)
{
	uint32_t resume;

	world_two_nodes(&w);
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, _i == 0 ? HARNESS_DISK : CORE_LOG), 0));
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, _i == 0 ? HARNESS_DISK : CORE_LOG), 0));
	ck_assert(world_answered(&w, 1, world_suspend(&w, 1), 0));
	two_halves();
	resume = world_ask(&w, 1, REQUEST_RESUME);
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 1, resume));
	ck_assert(world_node(&w, 1)->events[EVENT_WAITING_FOR_SLOT] > 0);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 3), 0)); /* who uses it goes on */
	heal();
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

/* Proof ends it, and so does a departure that was no accident. */
START_TEST(half_goes_on_when_the_other_has_ended)
{
	uint32_t resume;

	world_two_nodes(&w);
	if (_i == 0) {
		w.keep_quorum = true;
		world_power_off(&w, 2);
		world_quorate_alone(&w, 1);
		resume = world_resume(&w, 1, HARNESS_DISK);
		world_advance(&w, 100000);
		ck_assert(world_waits(&w, 1, resume));
		world_fenced(&w, 1, 2);
	} else {
		world_shut_down(&w, 2);
		resume = world_resume(&w, 1, HARNESS_DISK);
	}
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_halves");
	TCase *tests = tcase_create("halves");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, half_opens_nothing, 0, 2);
	tcase_add_test(tests, half_founds);
	tcase_add_test(tests, halves_meet);
	tcase_add_test(tests, half_that_has_not_heard);
	tcase_add_test(tests, half_that_speaks_too_late);
	tcase_add_loop_test(tests, half_joins_nothing, 0, 2);
	tcase_add_loop_test(tests, half_goes_on_when_the_other_has_ended, 0, 2);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
