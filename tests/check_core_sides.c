/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sides of the group: whose past counts after a merge, when an epoch begins, life without the group. */
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

/* ---- sides ---- */

/* Splits off `mask`, lets both sides go on for a while, and joins them again. */
static void split_and_heal(uint32_t mask)
{
	world_connect(&w, ALL);
	world_forget_sent(&w);
	world_split(&w, mask);
	world_advance(&w, 1000);
}

START_TEST(winner_by_epoch)
{
	split_and_heal(1);
	ck_assert_uint_eq(world_group(&w, 2)->epoch, 2);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 1);
	ck_assert_uint_eq(world_group(&w, 2)->leader, 2);
	ck_assert(world_same(&w, 6));
	world_split(&w, 0);
	ck_assert(world_same(&w, ALL));
	/* Who was alone fetches, though it is the oldest one and has the lowest id. */
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_DIRECTORY), 0);
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_DIRECTORY), 1);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 2);
	ck_assert(world_active(&w, 1) && world_active(&w, 2) && world_active(&w, 3));
}
END_TEST

/* two_node: both sides have quorum, and equal epochs: the lower leader's counts. */
START_TEST(winner_by_leader)
{
	w.keep_quorum = true;
	world_connect(&w, 3);
	world_tell_quorum(&w, false);
	world_run(&w);
	world_split(&w, 1);
	world_quorate_alone(&w, 1);
	world_quorate_alone(&w, 2);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, world_group(&w, 2)->epoch);
	ck_assert_uint_eq(world_group(&w, 1)->leader, 1);
	ck_assert_uint_eq(world_group(&w, 2)->leader, 2);
	ck_assert(world_active(&w, 1) && world_active(&w, 2));
	world_forget_sent(&w);
	world_split(&w, 0);
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_DIRECTORY), 1);
	ck_assert_uint_eq(world_sent(&w, 2, MESSAGE_DIRECTORY), 0);
	ck_assert(world_same(&w, 3));
}
END_TEST

/* Nodes 2 and 3 have given up what they had for the past of node 1, and lose it before they have read that past.  The one that
 * they begin counts, since they have quorum (simulator, cut-short 1313). */
START_TEST(founders_of_another_past)
{
	uint64_t views;

	w.quorum_nodes = 1;
	world_connect(&w, 1);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 1);
	w.quorum_nodes = 2;
	world_hold(&w, 1, true);
	world_forget_sent(&w);
	world_connect(&w, ALL);
	while (world_sent(&w, 1, MESSAGE_HELLO) == 0) {
		ck_assert(world_deliver(&w, 1));
		world_run(&w);
	}
	ck_assert(!world_same(&w, ALL));
	world_split(&w, 1);
	world_hold(&w, 1, false);
	world_advance(&w, 1000);
	ck_assert(world_active(&w, 2) && world_active(&w, 3));
	views = world_group(&w, 2)->views;
	world_split(&w, 0);
	world_advance(&w, 1000);
	ck_assert(world_same(&w, ALL));
	ck_assert_uint_eq(world_group(&w, 1)->views, views);
}
END_TEST

/* The side without quorum begins no epoch, and answers nothing that carries marks. */
START_TEST(epoch_only_with_quorum)
{
	uint32_t flush;

	world_connect(&w, ALL);
	(void)world_resume(&w, 3, CORE_LOG);
	(void)world_resume(&w, 1, CORE_LOG);
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 4), 0));
	world_forget_sent(&w);
	world_split(&w, 4);
	ck_assert_uint_eq(world_sent(&w, 3, MESSAGE_EPOCH), 0);
	ck_assert(!world_active(&w, 3) && world_active(&w, 1));
	flush = world_write(&w, 3, 4);
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 3, flush));
	ck_assert_uint_gt(world_all_sent(&w, MESSAGE_EPOCH), 0);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 9), 0));
	world_split(&w, 0);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 3, flush, 0));
}
END_TEST

/* What was said of quorum ends with the connection: until it is said again there is none. */
START_TEST(quorum_ends_with_the_group)
{
	uint32_t flush;

	w.keep_quorum = true;
	world_connect(&w, ALL);
	world_tell_quorum(&w, false);
	world_run(&w);
	(void)world_resume(&w, 1, CORE_LOG);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 4), 0));
	world_disconnect(&w, 1);
	world_split(&w, 1);
	world_connect(&w, 1);
	flush = world_write(&w, 1, 4);
	ck_assert(!world_active(&w, 1));
	ck_assert(world_waits(&w, 1, flush));
	world_split(&w, 0);
	world_tell_quorum(&w, false);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 1, flush, 0));
}
END_TEST

/* An epoch begins once, however many ask for it. */
START_TEST(one_epoch_a_view)
{
	world_connect(&w, ALL);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 1);
	ck_assert_uint_gt(world_all_sent(&w, MESSAGE_EPOCH), 1);
	world_power_off(&w, 3);
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 2);
	ck_assert(world_same(&w, 3));
}
END_TEST

/* The view has seen a node fall, and votequorum still counts it: that says nothing about what is left. */
START_TEST(stale_quorum_news)
{
	world_connect(&w, ALL);
	w.keep_quorum = true;
	world_split(&w, 1);
	ck_assert(!world_active(&w, 1) && !world_active(&w, 2));
	world_forget_sent(&w);
	world_tell_quorum(&w, true);
	world_run(&w);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_EPOCH), 0);
	ck_assert(!world_active(&w, 1) && !world_active(&w, 2) && !world_active(&w, 3));
	world_tell_quorum(&w, false);
	world_run(&w);
	ck_assert(!world_active(&w, 1) && world_active(&w, 2) && world_active(&w, 3));
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_EPOCH), 0);
	ck_assert_uint_eq(world_group(&w, 2)->epoch, 2);
}
END_TEST

/* Only its daemon has gone: its node is in the list, and may be. */
START_TEST(quorum_with_a_node_without_a_daemon)
{
	world_connect(&w, ALL);
	world_disconnect(&w, 3);
	ck_assert(world_active(&w, 1) && world_active(&w, 2) && !world_active(&w, 3));
	ck_assert_uint_eq(world_group(&w, 1)->epoch, 2);
}
END_TEST

/* ---- without the group, and back ---- */

START_TEST(no_group_and_back)
{
	uint32_t flush;

	world_connect(&w, ALL);
	(void)world_resume(&w, 2, CORE_LOG);
	(void)world_resume(&w, 1, CORE_LOG);
	world_disconnect(&w, 2);
	ck_assert(!world_active(&w, 2));
	flush = world_write(&w, 2, 3);
	world_advance(&w, 10000);
	ck_assert(world_waits(&w, 2, flush));
	world_connect(&w, 2);
	world_advance(&w, 3000);
	ck_assert(world_same(&w, ALL));
	ck_assert(world_active(&w, 2));
	ck_assert(world_answered(&w, 2, flush, 0));
	ck_assert_uint_eq(world_node(&w, 2)->events[EVENT_REFUSED], 0);
}
END_TEST

/* The slot in use is nobody's that the group knows: proof of its owner must wake who waits for it. */
START_TEST(proof_of_a_node_that_nobody_knows)
{
	uint32_t resume;

	world_two_nodes(&w);
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, HARNESS_DISK), 0));
	world_power_off(&w, 2);
	world_restart_daemon(&w, 1);
	world_connect(&w, 1);
	resume = world_resume(&w, 1, HARNESS_DISK);
	ck_assert(world_waits(&w, 1, resume));
	world_fenced(&w, 1, 2);
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

/* Without the group the mirror is suspended, and the operator ends the wait of its next table, which has another geometry: what
 * this node left of the old one is not in its way. */
START_TEST(another_geometry_without_the_group)
{
	const uint64_t luid = WORLD_LUID + 100;
	struct input fail = { .type = INPUT_FAIL, .fail_uuid = HARNESS_UUID };
	uint32_t resume;

	world_two_nodes(&w);
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_DISK), 0));
	(void)world_write(&w, 1, 3);
	world_disconnect(&w, 1);
	ck_assert(world_answered(&w, 1, world_suspend(&w, 1), 0));
	(void)harness_ctr(world_node(&w, 1), luid, "65536 clustered-disk 254:0 2048");
	resume = harness_ask(world_node(&w, 1), REQUEST_RESUME, luid);
	ck_assert(world_waits(&w, 1, resume));
	harness_input(world_node(&w, 1), &fail);
	ck_assert(world_answered(&w, 1, resume, 0));
	world_connect(&w, 1);
	world_advance(&w, 5000);
	ck_assert(!entry_in_the_way(world_node(&w, 1)->core,
				    &world_node(&w, 1)->core->logs[1]->name));
	ck_assert_uint_eq(world_node(&w, 1)->core->logs[1]->name.region_sectors, 2048);
	ck_assert_uint_eq(world_node(&w, 1)->core->logs[1]->phase, LOG_OPEN);
}
END_TEST

/* corosync is restarted under all of them: what they knew goes on. */
START_TEST(all_without_the_group)
{
	uint32_t flush;

	world_connect(&w, ALL);
	(void)world_resume(&w, 1, CORE_LOG);
	(void)world_resume(&w, 2, CORE_LOG);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 3), 0));
	for (uint32_t id = 1; id <= 3; id++)
		world_disconnect(&w, id);
	ck_assert(!world_active(&w, 1) && !world_active(&w, 2) && !world_active(&w, 3));
	flush = world_write(&w, 1, 4);
	ck_assert(world_waits(&w, 1, flush));
	world_connect(&w, ALL);
	world_advance(&w, 5000);
	ck_assert(world_same(&w, ALL));
	ck_assert(world_answered(&w, 1, flush, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_sides");
	TCase *tests = tcase_create("sides");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, winner_by_epoch);
	tcase_add_test(tests, winner_by_leader);
	tcase_add_test(tests, founders_of_another_past);
	tcase_add_test(tests, epoch_only_with_quorum);
	tcase_add_test(tests, quorum_ends_with_the_group);
	tcase_add_test(tests, one_epoch_a_view);
	tcase_add_test(tests, stale_quorum_news);
	tcase_add_test(tests, quorum_with_a_node_without_a_daemon);
	tcase_add_test(tests, no_group_and_back);
	tcase_add_test(tests, all_without_the_group);
	tcase_add_test(tests, proof_of_a_node_that_nobody_knows);
	tcase_add_test(tests, another_geometry_without_the_group);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
