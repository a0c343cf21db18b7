/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A log is used, and its device opened, when all nodes know of it: ENTER and HEARD. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"

/* What node 3, which is slow, would have said to this ENTER. */
static void node_3_says(uint32_t node, uint64_t number)
{
	struct group_message heard = {
		.type = MESSAGE_HEARD, .sender = 3, .node = node, .number = number
	};

	world_send(&w, &heard);
	world_run(&w);
}

static uint64_t entered(void)
{
	return w.last[MESSAGE_ENTER].number;
}

/* Also of a node that has no table of the log. */
START_TEST(resume_waits_for_all)
{
	uint32_t resume;

	open_on(1);
	world_hold(&w, 3, true);
	resume = world_resume(&w, 2, HARNESS_DISK);
	ck_assert(world_waits(&w, 2, resume));
	ck_assert_uint_eq(heard_missing(h(2)->core, h(2)->core->logs[0]), 3);
	/* Nothing stands in its slot of the device. */
	ck_assert_uint_eq(h(2)->core->logs[0]->own_slot, NO_INDEX);
	node_3_says(1, entered());
	node_3_says(2, entered() + 1);
	node_3_says(2, 0);
	ck_assert(world_waits(&w, 2, resume));
	node_3_says(2, entered());
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert_uint_ne(h(2)->core->logs[0]->own_slot, NO_INDEX);
}
END_TEST

START_TEST(opening_waits_for_all)
{
	uint32_t resume;
	uint32_t reads = h(1)->effects[EFFECT_READ];

	world_hold(&w, 3, true);
	resume = world_resume(&w, 1, HARNESS_DISK);
	ck_assert(world_waits(&w, 1, resume));
	ck_assert_uint_eq(h(1)->effects[EFFECT_READ], reads);
	node_3_says(1, entered());
	ck_assert(world_answered(&w, 1, resume, 0));
}
END_TEST

/* The last one that was suspended has died; the one before it has a write to the base under way still, which would come behind those of
 * who opens the log (simulator, late-base 1979). */
START_TEST(opening_waits_for_who_is_being_suspended)
{
	uint32_t suspend, resume, reads;

	open_on(1);
	open_on(2);
	h(1)->keep[EFFECT_WRITE] = true;
	(void)harness_ask_region(h(2), REQUEST_SET_REGION_SYNC, WORLD_LUID + 2, 9);
	world_run(&w);
	suspend = world_suspend(&w, 1);
	(void)world_suspend(&w, 2);
	ck_assert(world_waits(&w, 1, suspend));
	world_power_off(&w, 2);
	world_fenced(&w, 1, 2);
	reads = h(3)->effects[EFFECT_READ];
	resume = world_resume(&w, 3, HARNESS_DISK);
	world_advance(&w, 10000);
	ck_assert(world_waits(&w, 1, suspend));
	ck_assert(world_waits(&w, 3, resume));
	ck_assert_uint_eq(h(3)->effects[EFFECT_READ], reads);
	h(1)->keep[EFFECT_WRITE] = false;
	harness_run(h(1));
	world_advance(&w, 10000);
	ck_assert(world_answered(&w, 1, suspend, 0));
	ck_assert(world_answered(&w, 3, resume, 0));
}
END_TEST

/* Who hears late says so, and who left is not waited for: where there is quorum. */
START_TEST(who_is_late_or_leaves)
{
	uint32_t resume;

	open_on(1);
	world_hold(&w, 3, true);
	resume = world_resume(&w, 2, HARNESS_DISK);
	ck_assert(world_waits(&w, 2, resume));
	world_hold(&w, 3, false);
	ck_assert(world_answered(&w, 2, resume, 0));

	(void)world_suspend(&w, 2);
	world_hold(&w, 3, true);
	resume = world_ask(&w, 2, REQUEST_RESUME);
	ck_assert(world_waits(&w, 2, resume));
	world_power_off(&w, 3);
	world_run(&w);
	ck_assert(world_answered(&w, 2, resume, 0));
}
END_TEST

/* Of all nodes that were seen most are here, and nobody is missing; of the cluster they are too few. */
START_TEST(nothing_is_opened_without_quorum)
{
	uint32_t resume, reads;

	w.quorum_nodes = 3;
	world_hold(&w, 3, true);
	resume = world_resume(&w, 1, HARNESS_DISK);
	ck_assert(world_waits(&w, 1, resume));
	reads = h(1)->effects[EFFECT_READ];
	world_split(&w, 3);
	world_run(&w);
	ck_assert(!world_active(&w, 1));
	ck_assert_uint_eq(heard_missing(h(1)->core, h(1)->core->logs[0]), 0);
	ck_assert_uint_eq(h(1)->effects[EFFECT_READ], reads);
	ck_assert(world_waits(&w, 1, resume));
}
END_TEST

/* Another RESUME, another ENTER. */
START_TEST(asked_anew)
{
	uint64_t before;
	uint32_t resume;

	open_on(1);
	open_on(2);
	before = entered();
	(void)world_suspend(&w, 2);
	world_hold(&w, 3, true);
	resume = world_ask(&w, 2, REQUEST_RESUME);
	ck_assert_uint_ne(entered(), before);
	node_3_says(2, before);
	ck_assert(world_waits(&w, 2, resume));
	node_3_says(2, entered());
	ck_assert(world_answered(&w, 2, resume, 0));
}
END_TEST

/* 0/10072: `nosync` at a first RESUME, where another node's kernel has used the core log and its group was lost. */
START_TEST(nosync_over_a_live_member)
{
	struct harness *second = h(2);

	w.quorum_nodes = 2;
	h(1)->keep[EFFECT_OPEN_LEGS] = second->keep[EFFECT_OPEN_LEGS] = true; /* no copies */
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_CORE), 0));
	ck_assert_uint_eq(harness_status(h(1)).sync_count, 0);
	world_split(&w, 1);
	world_run(&w);
	(void)world_resume(&w, 2, HARNESS_CORE " nosync");
	world_split(&w, 0);
	world_advance(&w, 1000);
	ck_assert_uint_eq(second->events[EVENT_OPENED], 1);
	ck_assert_uint_eq(second->last_event[EVENT_OPENED].number, HARNESS_REGIONS);
}
END_TEST

/* H11, 0/99: both daemons died, and one is back: the other's kernel goes on with the core log. */
START_TEST(core_log_waits_for_every_daemon)
{
	uint32_t resume;

	world_disconnect(&w, 3);
	resume = world_resume(&w, 1, HARNESS_CORE);
	ck_assert(world_waits(&w, 1, resume));
	ck_assert_ptr_nonnull(
		strstr(h(1)->last_text[EVENT_WAITING_FOR_SLOT], "node 3 is in the cluster"));
	world_connect(&w, 4);
	ck_assert(world_answered(&w, 1, resume, 0));
	world_power_off(&w, 3);
	(void)world_suspend(&w, 1);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_RESUME), 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_heard");
	TCase *tests = tcase_create("heard");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, resume_waits_for_all);
	tcase_add_test(tests, opening_waits_for_all);
	tcase_add_test(tests, opening_waits_for_who_is_being_suspended);
	tcase_add_test(tests, who_is_late_or_leaves);
	tcase_add_test(tests, nothing_is_opened_without_quorum);
	tcase_add_test(tests, asked_anew);
	tcase_add_test(tests, nosync_over_a_live_member);
	tcase_add_test(tests, core_log_waits_for_every_daemon);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
