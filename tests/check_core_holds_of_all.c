/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core logs: holds that all members keep, and what a merge does to them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"

#define CORE_LOG HARNESS_CORE " nosync"

/* ---- core logs ---- */

START_TEST(core_confirmed_by_all)
{
	uint32_t flush;

	open_all(CORE_LOG);
	w.node[1].held = true;
	flush = world_write(&w, 1, 7);
	world_advance(&w, 10000);
	ck_assert(world_waits(&w, 1, flush));
	w.node[2].held = true;
	world_hold(&w, 2, false);
	/* Its own delivery and one answer are not all. */
	flush = world_ask(&w, 1, REQUEST_FLUSH);
	world_hold(&w, 3, false);
	ck_assert(world_answered(&w, 1, flush, 0));
	/* What is held costs nothing when it is marked again. */
	world_clear(&w, 1, 7);
	world_forget_sent(&w);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_HOLD), 0);
}
END_TEST

/* A suspended one, too: it keeps the state, and may be the only one who is left. */
START_TEST(core_confirmed_by_the_suspended)
{
	uint32_t flush;

	open_all(CORE_LOG);
	open_legs(3);
	ck_assert(world_answered(&w, 3, world_suspend(&w, 3), 0));
	w.node[2].held = true;
	flush = world_write(&w, 1, 7);
	ck_assert(world_waits(&w, 1, flush));
	world_hold(&w, 3, false);
	ck_assert(world_answered(&w, 1, flush, 0));
	world_power_off(&w, 1);
	world_fenced(&w, 3, 1);
	ck_assert_uint_eq(lost(3), 1);
	/* What this one did when node 3 had no majority, nobody has seen: it may have had company. */
	world_power_off(&w, 2);
	world_fenced(&w, 3, 2);
	ck_assert_uint_eq(lost(3), harness_status(h(3)).region_count);
}
END_TEST

/* Who departs is not waited for. */
START_TEST(core_confirmer_departs)
{
	uint32_t flush;

	open_all(CORE_LOG);
	w.node[2].held = true;
	flush = world_write(&w, 1, 7);
	ck_assert(world_waits(&w, 1, flush));
	world_power_off(&w, 3);
	ck_assert(world_answered(&w, 1, flush, 0));
}
END_TEST

/* What the holder held is lost when it is proven stopped, and not before: it may write. */
START_TEST(core_holder_dies)
{
	open_all(CORE_LOG);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	world_clear(&w, 1, 8);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 9), 0));
	world_power_off(&w, 1);
	open_legs(2);
	open_legs(3);
	world_advance(&w, 60000);
	ck_assert_uint_eq(lost(2) + lost(3), 0);
	ck_assert_uint_eq(h(2)->copy_count + h(3)->copy_count, 0);
	h(2)->status[EFFECT_COPY] = h(3)->status[EFFECT_COPY] = -EIO;
	world_fenced(&w, 2, 1);
	ck_assert_uint_eq(lost(2), 2);
	ck_assert_uint_eq(lost(3), 2);
	h(2)->status[EFFECT_COPY] = h(3)->status[EFFECT_COPY] = 0;
	world_advance(&w, 60000);
	ck_assert_uint_eq(harness_status(h(3)).sync_count, HARNESS_REGIONS);
}
END_TEST

/* What has been released is not lost. */
START_TEST(core_released)
{
	open_all(CORE_LOG);
	(void)world_write(&w, 1, 7);
	world_clear(&w, 1, 7);
	world_advance(&w, h(1)->config.idle_ms + 5000);
	ck_assert_uint_gt(world_sent(&w, 1, MESSAGE_RELEASE), 0);
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	ck_assert_uint_eq(lost(2), 0);
}
END_TEST

/* What a suspended one held before is forgotten, by all. */
START_TEST(core_holder_suspends)
{
	open_all(CORE_LOG);
	open_legs(1);
	(void)world_write(&w, 1, 7);
	(void)world_suspend(&w, 1);
	world_power_off(&w, 1);
	ck_assert_ptr_null(world_member(&w, 2, 1));
	ck_assert_uint_eq(lost(2) + lost(3), 0);
}
END_TEST

/* Nor does it count when it resumes, and dies then. */
START_TEST(core_holder_suspends_and_resumes)
{
	open_all(CORE_LOG);
	open_legs(1);
	(void)world_write(&w, 1, 7);
	(void)world_suspend(&w, 1);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_RESUME), 0));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	ck_assert_uint_eq(lost(2), 1);
}
END_TEST

/* A joiner knows what others hold: it may be the only one who is left. */
START_TEST(core_joiner_knows_holds)
{
	ck_assert(world_answered(&w, 1, world_resume(&w, 1, CORE_LOG), 0));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	h(3)->keep[EFFECT_OPEN_LEGS] = true;
	ck_assert(world_answered(&w, 3, world_resume(&w, 3, CORE_LOG), 0));
	world_power_off(&w, 1);
	world_fenced(&w, 3, 1);
	ck_assert_uint_eq(lost(3), 1);
}
END_TEST

/* It joins right behind a HOLD: whoever must confirm it can (F-10). */
START_TEST(core_join_behind_a_hold)
{
	uint32_t flush, resume;

	ck_assert(world_answered(&w, 1, world_resume(&w, 1, CORE_LOG), 0));
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, CORE_LOG), 0));
	w.node[0].held = w.node[1].held = true;
	flush = world_write(&w, 1, 7);
	resume = world_resume(&w, 3, CORE_LOG);
	world_hold(&w, 2, false);
	world_hold(&w, 1, false);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 1, flush, 0));
	ck_assert(world_answered(&w, 3, resume, 0));
	world_power_off(&w, 1);
	h(2)->status[EFFECT_COPY] = h(3)->status[EFFECT_COPY] = -EIO;
	world_fenced(&w, 3, 1);
	ck_assert_uint_eq(lost(3), 1);
}
END_TEST

/* The first RESUME of a new luid while nobody is resumed founds it anew; the same luid goes on (F23, H1). */
START_TEST(f23_core_state_lives_with_its_members)
{
	open_all(CORE_LOG);
	for (uint32_t id = 1; id <= 3; id++)
		open_legs(id);
	(void)harness_ask_region(h(2), REQUEST_SET_REGION_SYNC, WORLD_LUID + 2, 9);
	world_run(&w);
	for (uint32_t id = 1; id <= 3; id++)
		(void)world_suspend(&w, id);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_RESUME), 0));
	ck_assert_uint_eq(lost(1), 1);
	ck_assert(world_answered(&w, 3, world_ask(&w, 3, REQUEST_RESUME), 0));
	ck_assert_uint_eq(lost(3), 1);
}
END_TEST

/* ---- merges ---- */

/* H2: what the side that loses had out of sync is out of sync for all, afterwards. */
START_TEST(h2_losses_of_the_losing_side)
{
	uint32_t report;

	w.quorum_nodes = 0;
	open_all(CORE_LOG);
	world_split(&w, 1);
	report = harness_ask_region(h(1), REQUEST_SET_REGION_SYNC, WORLD_LUID + 1, 9);
	world_run(&w);
	(void)harness_ask_region(h(2), REQUEST_SET_REGION_SYNC, WORLD_LUID + 2, 10);
	world_advance(&w, 5000);
	ck_assert_uint_eq(lost(3), 1);
	world_split(&w, 0);
	world_advance(&w, 5000);
	ck_assert(world_answered(&w, 1, report, 0));
	for (uint32_t id = 1; id <= 3; id++)
		ck_assert_uint_eq(lost(id), 2);
}
END_TEST

/* Its loss was sent before it knew that the others had gone, and stands in the order of its side only. */
START_TEST(h2_loss_that_only_the_losing_side_has)
{
	uint32_t report;

	w.quorum_nodes = 0;
	open_all(CORE_LOG);
	w.keep_quorum = true;
	w.node[0].held = true;
	world_split(&w, 1);
	report = harness_ask_region(h(1), REQUEST_SET_REGION_SYNC, WORLD_LUID + 1, 9);
	world_hold(&w, 1, false);
	w.keep_quorum = false;
	world_tell_quorum(&w, false);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 1, report, 0));
	ck_assert_uint_eq(lost(1), 1);
	ck_assert_uint_eq(lost(2), 0);
	world_split(&w, 0);
	world_advance(&w, 5000);
	for (uint32_t id = 1; id <= 3; id++)
		ck_assert_uint_eq(lost(id), 1);
}
END_TEST

/* G9: marks and holds of a live luid are not dropped by a merge. */
START_TEST(g9_holds_survive_a_merge)
{
	w.quorum_nodes = 0;
	open_all(CORE_LOG);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	world_split(&w, 1);
	world_advance(&w, 5000);
	world_split(&w, 0);
	world_advance(&w, 5000);
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	ck_assert_uint_eq(lost(2), 1);
	ck_assert_uint_eq(lost(3), 1);
}
END_TEST

/* The same on disk: the slot stays in use throughout. */
START_TEST(g9_slot_survives_a_merge)
{
	w.quorum_nodes = 0;
	open_all(HARNESS_DISK);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	world_split(&w, 1);
	for (int i = 0; i < 50; i++) {
		world_advance(&w, 100);
		ck_assert(!harness_disk_clean(h(1), 7));
	}
	world_split(&w, 0);
	for (int i = 0; i < 50; i++) {
		world_advance(&w, 100);
		ck_assert(!harness_disk_clean(h(1), 7));
	}
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	ck_assert(!harness_disk_clean(h(1), 8));
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	world_advance(&w, 3000);
	ck_assert_uint_eq(lost(2), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_holds_of_all");
	TCase *tests = tcase_create("holds_of_all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, core_confirmed_by_all);
	tcase_add_test(tests, core_confirmed_by_the_suspended);
	tcase_add_test(tests, core_confirmer_departs);
	tcase_add_test(tests, core_holder_dies);
	tcase_add_test(tests, core_released);
	tcase_add_test(tests, core_holder_suspends);
	tcase_add_test(tests, core_holder_suspends_and_resumes);
	tcase_add_test(tests, core_joiner_knows_holds);
	tcase_add_test(tests, core_join_behind_a_hold);
	tcase_add_test(tests, f23_core_state_lives_with_its_members);
	tcase_add_test(tests, h2_losses_of_the_losing_side);
	tcase_add_test(tests, h2_loss_that_only_the_losing_side_has);
	tcase_add_test(tests, g9_holds_survive_a_merge);
	tcase_add_test(tests, g9_slot_survives_a_merge);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
