/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A past that counts because there is no other, and what another side may have done since: sides.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

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

/* 2 is cut off; 1 and 3 go on, 3 gets a slot and holds region 7; both lose power.  1 boots, has no past, and meets 2. */
static void past_of_before(void)
{
	world_connect(&w, ALL);
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_DISK " nosync"), 0));
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, HARNESS_DISK " nosync"), 0));
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 3), 0));
	world_split(&w, 2);
	ck_assert(world_answered(&w, 3, world_resume(&w, 3, HARNESS_DISK " nosync"), 0));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	world_power_off(&w, 1);
	world_power_off(&w, 3);
	world_power_on(&w, 1);
	world_connect(&w, 3);
	world_split(&w, 0);
	world_advance(&w, 3000);
	ck_assert(world_active(&w, 1) && world_active(&w, 2));
}

static bool clean(uint64_t region)
{
	return harness_disk_clean(world_node(&w, 2), region);
}

/* What 2 remembers counts, but 3 has a slot since that nobody here knows of: it is found, and taken over, when 3 is proven. */
START_TEST(past_of_before_is_renewed)
{
	uint32_t resume;

	past_of_before();
	ck_assert(world_entry(&w, 2)->outdated);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 20), 0));
	resume = world_resume(&w, 1, HARNESS_DISK " nosync");
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 1, resume));
	ck_assert_ptr_nonnull(
		strstr(world_node(&w, 1)->last_text[EVENT_WAITING_FOR_SLOT], "fenced 3"));
	ck_assert(!clean(7) && !clean(20) && !clean(3));
	world_node(&w, 1)->keep[EFFECT_COPY] = world_node(&w, 2)->keep[EFFECT_COPY] = true;
	world_fenced(&w, 2, 3);
	world_advance(&w, 3000);
	ck_assert(!world_entry(&w, 2)->outdated);
	ck_assert_uint_eq(world_entry(&w, 2)->renewals, 1);
	ck_assert(world_answered(&w, 1, resume, 0));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 30), 0));
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 31), 0));
	for (uint64_t r = 0; r < 40; r++)
		ck_assert_msg(clean(r) == (r != 7 && r != 20 && r != 3 && r != 30 && r != 31),
			      "region %d", (int)r);
	ck_assert_uint_eq(harness_status(world_node(&w, 2)).lost_count, 3);
	world_check_equal(&w);
}
END_TEST

/* A JOIN that was sent before the renewal is refused: something of its sender's may be under way. */
START_TEST(join_of_before_the_renewal)
{
	struct group_message join = {
		.type = MESSAGE_JOIN, .sender = 1, .luid = WORLD_LUID + 1, .stateless = true
	};

	past_of_before();
	world_fenced(&w, 2, 3);
	world_advance(&w, 3000);
	ck_assert_uint_eq(world_entry(&w, 2)->renewals, 1);
	join.log = world_entry(&w, 2)->name;
	world_hold(&w, 1, true); /* else it says at once that it has no such table */
	world_send(&w, &join);
	world_run(&w);
	ck_assert_ptr_null(world_member(&w, 2, 1));
	join.number = 1;
	world_send(&w, &join);
	world_run(&w);
	ck_assert_ptr_nonnull(world_member(&w, 2, 1));
}
END_TEST

/* They part and meet again before either side had quorum: nobody has been anywhere, and nothing is opened anew. */
START_TEST(nobody_was_elsewhere)
{
	world_connect(&w, ALL);
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, HARNESS_DISK " nosync"), 0));
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, HARNESS_DISK " nosync"), 0));
	w.keep_quorum = true;
	world_split(&w, 1);
	ck_assert(!world_active(&w, 1) && !world_active(&w, 2) && !world_active(&w, 3));
	w.keep_quorum = false;
	world_split(&w, 0);
	world_advance(&w, 3000);
	ck_assert(world_active(&w, 1) && world_active(&w, 2) && world_active(&w, 3));
	ck_assert_uint_eq(world_entry(&w, 2)->renewals, 0);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_OPENED), 1);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 3), 0));
}
END_TEST

/* It left in the middle of an Opening: nothing of it is on the device, but its writes may be under way. */
START_TEST(who_was_opening_is_waited_for)
{
	uint32_t resume;

	world_connect(&w, ALL);
	world_node(&w, 1)->keep[EFFECT_WRITE] = true;
	(void)world_resume(&w, 1, HARNESS_DISK);
	ck_assert_uint_gt(world_node(&w, 1)->effects[EFFECT_WRITE], 0);
	world_power_off(&w, 1);
	resume = world_resume(&w, 2, HARNESS_DISK);
	world_advance(&w, 100000);
	ck_assert(world_waits(&w, 2, resume));
	ck_assert_uint_eq(world_node(&w, 2)->effects[EFFECT_READ], 0);
	world_fenced(&w, 2, 1);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 2, resume, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_past");
	TCase *tests = tcase_create("past");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, past_of_before_is_renewed);
	tcase_add_test(tests, join_of_before_the_renewal);
	tcase_add_test(tests, nobody_was_elsewhere);
	tcase_add_test(tests, who_was_opening_is_waited_for);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
