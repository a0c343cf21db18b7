/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member departs: nothing is copied until it is proven stopped, and then its slot is taken over, step by step. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"
#include "words_codec.h"

static uint64_t copies(void)
{
	return harness_status(h(1)).regions_copied + harness_status(h(2)).regions_copied;
}

/* ---- unproven ---- */

/* G15, G26: it may write in every region that it could hold; all others write everywhere, and copy nothing. */
START_TEST(g15_nothing_is_copied)
{
	three_members();
	world_power_off(&w, 3);
	open_legs(1);
	open_legs(2);
	world_advance(&w, 60000);
	ck_assert_uint_eq(copies(), 0);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r += 9) {
		ck_assert(world_answered(&w, 1, world_write(&w, 1, r), 0));
		ck_assert(world_answered(&w, 2, world_write(&w, 2, r), 0));
		world_clear(&w, 1, r);
		world_clear(&w, 2, r);
	}
	ck_assert(slot_used(2));
	ck_assert(!harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 6));
	world_fenced(&w, 1, 3);
	world_advance(&w, 30000);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, HARNESS_REGIONS);
	ck_assert_uint_ge(copies(), 26);
	ck_assert(!slot_used(2));
}
END_TEST

/* A claim that was sent before its sender heard of the departure, and is ordered behind it, is not taken. */
START_TEST(claim_behind_the_view)
{
	three_members();
	w.node[1].held = true;
	world_power_off(&w, 3);
	open_legs(2);
	ck_assert_uint_gt(world_sent(&w, 2, MESSAGE_CLAIM), 0);
	world_hold(&w, 2, false);
	ck_assert_uint_eq(copies(), 0);
	ck_assert_uint_eq(h(1)->core->logs[0]->replicated.windows_used, 0);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 40), 0));
}
END_TEST

/* Never-synced regions are answered at once then, not after a second of waiting. */
START_TEST(in_sync_while_unproven)
{
	uint32_t seq;

	three_members();
	world_power_off(&w, 3);
	open_legs(1);
	world_advance(&w, 5000);
	seq = harness_ask_region(h(1), REQUEST_IN_SYNC, WORLD_LUID + 1, 50);
	world_run(&w);
	ck_assert(!world_waits(&w, 1, seq));
	ck_assert_uint_eq(harness_number(h(1), seq), 1);
	ck_assert_uint_eq(copies(), 0);
}
END_TEST

/* A copy that was under way when it departed does not count: in its own view it may have written there. */
START_TEST(window_open_when_it_departs)
{
	three_members();
	h(1)->keep[EFFECT_COPY] = true;
	open_legs(1);
	ck_assert_ptr_nonnull(harness_job(h(1), EFFECT_COPY));
	world_power_off(&w, 3);
	harness_finish_all(h(1), EFFECT_COPY, 0);
	world_run(&w);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, 40);
	ck_assert_uint_eq(harness_status(h(2)).sync_count, 40);
}
END_TEST

/* Windows of the departed are void: nobody waits for what it copied. */
START_TEST(window_of_the_departed)
{
	uint32_t flush;

	three_members();
	h(3)->keep[EFFECT_COPY] = true;
	open_legs(3);
	ck_assert_ptr_nonnull(harness_job(h(3), EFFECT_COPY));
	flush = world_write(&w, 1, harness_job(h(3), EFFECT_COPY)->effect.copy.region);
	ck_assert(world_waits(&w, 1, flush));
	world_power_off(&w, 3);
	ck_assert(world_answered(&w, 1, flush, 0));
}
END_TEST

/* ---- taking over ---- */

/* Read, LOST, base durable, slot free, MERGED: each before the next. */
START_TEST(order)
{
	three_members();
	world_power_off(&w, 3);
	h(1)->keep[EFFECT_READ] = h(1)->keep[EFFECT_WRITE] = true;
	h(1)->keep[EFFECT_FLUSH_LEGS] = true;
	world_fenced(&w, 1, 3);
	ck_assert(!lost_everywhere(5));
	while (harness_job(h(1), EFFECT_READ) != NULL) {
		ck_assert_uint_eq(harness_job_count(h(1), EFFECT_WRITE), 0);
		harness_finish(h(1), harness_job(h(1), EFFECT_READ), 0);
		world_run(&w);
	}
	ck_assert(lost_everywhere(5) && lost_everywhere(6));
	/* In sync becomes lost, nothing else. */
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 2);
	ck_assert_uint_eq(harness_status(h(2)).sync_count, 38);
	ck_assert_uint_eq(harness_job_count(h(1), EFFECT_WRITE), 1);
	ck_assert_uint_lt(harness_job(h(1), EFFECT_WRITE)->effect.io.offset_bytes, 4096);
	ck_assert(slot_used(2));
	harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), 0);
	world_run(&w);
	ck_assert(!harness_base_bit(h(1), 5) && !harness_base_bit(h(1), 6));
	ck_assert(harness_base_bit(h(1), 7));
	ck_assert(slot_used(2));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_MERGED), 0);
	ck_assert_ptr_nonnull(world_member(&w, 2, 3));
	ck_assert_uint_eq(harness_job_count(h(1), EFFECT_WRITE), 1);
	harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), 0);
	world_run(&w);
	ck_assert(!slot_used(2));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_MERGED), 1);
	ck_assert_ptr_null(world_member(&w, 2, 3));
}
END_TEST

/* A never-synced region under its slot stays never; one that is copied while LOST is on its way becomes lost. */
START_TEST(never_stays_never)
{
	three_members();
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 50), 0));
	world_power_off(&w, 3);
	world_fenced(&w, 1, 3);
	world_advance(&w, 3000);
	ck_assert_uint_eq(harness_status(h(1)).lost_count, 2);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, 38);
	ck_assert(!slot_used(2));
}
END_TEST

/* H5: what was copied, and stands as gained but not yet on the base, is withdrawn. */
START_TEST(h5_gained_but_not_written)
{
	uint32_t flush;

	three_members();
	h(1)->keep[EFFECT_FLUSH_LEGS] = true;
	open_legs(1);
	ck_assert_uint_eq(harness_status(h(3)).sync_count, HARNESS_REGIONS);
	flush = world_write(&w, 3, 50);
	ck_assert(world_answered(&w, 3, flush, 0));
	copies_fail(true);
	ck_assert(!harness_base_bit(h(1), 50));
	world_power_off(&w, 3);
	world_fenced(&w, 1, 3);
	h(1)->keep[EFFECT_FLUSH_LEGS] = false;
	harness_run(h(1));
	world_advance(&w, 10000);
	ck_assert(lost_everywhere(50));
	ck_assert(!slot_used(2));
	ck_assert(!harness_base_bit(h(1), 50));
}
END_TEST

/* Region 9 was lost and copied again before the base could show the loss, and who was to write that has died.  No slot covers the region;
 * the next one lets the base show it until the copy has been flushed. */
START_TEST(lost_and_gained_before_the_role_moved)
{
	uint8_t bytes[64];
	uint64_t words[HARNESS_REGIONS / 64 + 1] = { UINT64_C(1) << 9 }, cursor = 0;
	struct group_message message = harness_message(MESSAGE_LOST, 3);

	open_all(HARNESS_DISK);
	message.data = bytes;
	message.data_bytes = (uint32_t)words_encode_set(words, sizeof(words) / sizeof(words[0]),
							&cursor, bytes, sizeof(bytes));
	h(1)->keep[EFFECT_WRITE] = true;
	h(2)->keep[EFFECT_FLUSH_LEGS] = true;
	world_send(&w, &message);
	world_run(&w);
	ck_assert(lost_everywhere(9));
	open_legs(2);
	ck_assert_uint_eq(harness_status(h(3)).sync_count, HARNESS_REGIONS);
	ck_assert(harness_base_bit(h(1), 9));
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	ck_assert(!harness_base_bit(h(1), 9));
	h(2)->keep[EFFECT_FLUSH_LEGS] = false;
	harness_run(h(2));
	world_advance(&w, 10000);
	ck_assert(harness_base_bit(h(1), 9));
}
END_TEST

/* It cannot be read: everything (F39). */
START_TEST(unreadable_slot)
{
	three_members();
	h(1)->status[EFFECT_READ] = -EIO;
	world_power_off(&w, 3);
	world_fenced(&w, 1, 3);
	world_advance(&w, 3000);
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 40);
	ck_assert(!slot_used(2));
}
END_TEST

/* The write of the base, or of the slot's header, fails: another member that can write goes on, or it tries again. */
START_TEST(write_fails)
{
	bool alone = _i % 2 == 0;

	three_members();
	copies_fail(true);
	open_legs(2);
	if (alone)
		ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	world_power_off(&w, 3);
	h(1)->keep[EFFECT_WRITE] = true;
	world_fenced(&w, 1, 3);
	for (int i = 0; i < _i / 2; i++) {
		harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), 0);
		world_run(&w);
	}
	ck_assert_ptr_nonnull(harness_job(h(1), EFFECT_WRITE));
	harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), -EIO);
	world_run(&w);
	ck_assert(slot_used(2) || !alone);
	ck_assert(!harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 6));
	h(1)->keep[EFFECT_WRITE] = false;
	world_advance(&w, 5000);
	ck_assert(!slot_used(2));
	ck_assert(!harness_base_bit(h(1), 5) && !harness_base_bit(h(1), 6));
	ck_assert_uint_ge(world_all_sent(&w, MESSAGE_MERGED), 1);
	ck_assert_ptr_null(world_member(&w, 1, 3));
}
END_TEST

/* ---- F39: who takes over dies, too ---- */

/* After so many reads and writes of node 1 it is gone; 2 goes on, whatever had been reached. */
static void dies_after(int jobs)
{
	h(1)->keep[EFFECT_READ] = h(1)->keep[EFFECT_WRITE] = true;
	world_power_off(&w, 3);
	world_fenced(&w, 2, 3);
	for (int i = 0; i < jobs; i++) {
		struct harness_job *job = harness_job(h(1), EFFECT_READ);

		if (job == NULL)
			job = harness_job(h(1), EFFECT_WRITE);
		if (job == NULL)
			break;
		harness_finish(h(1), job, 0);
		world_run(&w);
		ck_assert(!harness_disk_clean(h(2), 5) && !harness_disk_clean(h(2), 6));
	}
	world_power_off(&w, 1);
	world_advance(&w, 5000);
	ck_assert_uint_eq(harness_status(h(2)).base_writes, 0);
	world_fenced(&w, 2, 1);
	world_advance(&w, 5000);
}

START_TEST(f39_coordinator_dies)
{
	three_members();
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	dies_after(_i);
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 3);
	ck_assert(!slot_used(0) && slot_used(1) && !slot_used(2));
	for (uint64_t r = 0; r < 40; r++)
		ck_assert_int_eq(harness_base_bit(h(2), r), r != 5 && r != 6 && r != 8);
	ck_assert_ptr_null(world_member(&w, 2, 1));
	ck_assert_ptr_null(world_member(&w, 2, 3));
	open_legs(2);
	world_advance(&w, 60000);
	ck_assert_uint_eq(harness_status(h(2)).sync_count, HARNESS_REGIONS);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_disk_clean(h(2), r));
}
END_TEST

/* It suspends instead: the next one takes its steps from the beginning, and its POSTSUSPEND is answered. */
START_TEST(f39_coordinator_suspends)
{
	uint32_t suspend;

	three_members();
	copies_fail(true);
	open_legs(1);
	open_legs(2);
	h(1)->keep[EFFECT_READ] = h(1)->keep[EFFECT_WRITE] = true;
	world_power_off(&w, 3);
	world_fenced(&w, 2, 3);
	for (int i = 0; i < _i; i++) {
		struct harness_job *job = harness_job(h(1), EFFECT_READ);

		job = job != NULL ? job : harness_job(h(1), EFFECT_WRITE);
		if (job != NULL)
			harness_finish(h(1), job, 0);
		world_run(&w);
	}
	suspend = world_suspend(&w, 1);
	h(1)->keep[EFFECT_READ] = h(1)->keep[EFFECT_WRITE] = false;
	harness_run(h(1));
	world_run(&w);
	world_advance(&w, 5000);
	ck_assert(world_answered(&w, 1, suspend, 0));
	ck_assert(!slot_used(0) && slot_used(1) && !slot_used(2));
	ck_assert_uint_eq(harness_status(h(2)).lost_count, 2);
	ck_assert(!harness_base_bit(h(2), 5) && !harness_base_bit(h(2), 6));
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	ck_assert_uint_eq(harness_header(h(2)), HARNESS_REGIONS);
	ck_assert(!harness_disk_clean(h(2), 5) && harness_disk_clean(h(2), 7));
}
END_TEST

/* All die; a node that comes later opens, and everything that was held is out of sync. */
START_TEST(all_die)
{
	three_members();
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	dies_after(_i);
	world_power_off(&w, 2);
	for (uint32_t id = 1; id <= 3; id++)
		world_power_on(&w, id);
	world_connect(&w, ALL);
	open_on(2);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert_int_eq(harness_disk_clean(h(2), r), r < 40 && r != 5 && r != 6 && r != 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_takeover");
	TCase *tests = tcase_create("takeover");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, g15_nothing_is_copied);
	tcase_add_test(tests, claim_behind_the_view);
	tcase_add_test(tests, in_sync_while_unproven);
	tcase_add_test(tests, window_open_when_it_departs);
	tcase_add_test(tests, window_of_the_departed);
	tcase_add_test(tests, order);
	tcase_add_test(tests, never_stays_never);
	tcase_add_test(tests, h5_gained_but_not_written);
	tcase_add_test(tests, lost_and_gained_before_the_role_moved);
	tcase_add_test(tests, unreadable_slot);
	tcase_add_loop_test(tests, write_fails, 0, 4);
	tcase_add_loop_test(tests, f39_coordinator_dies, 0, 8);
	tcase_add_loop_test(tests, f39_coordinator_suspends, 0, 6);
	tcase_add_loop_test(tests, all_die, 0, 8);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
