/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots of the shared log device from one owner to the next: the next boot, a failed suspend, a node that has nothing left. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"

#define NEW_LUID 0x9000

/* The slot is given to the next one who comes. */
START_TEST(slot_is_used_again)
{
	struct disk_slot_header header;

	three_members();
	world_power_off(&w, 3);
	world_fenced(&w, 1, 3);
	world_advance(&w, 1000);
	world_power_on(&w, 3);
	world_connect(&w, 4);
	open_on(3);
	ck_assert_int_eq(harness_slot(h(1), 2, &header), 0);
	ck_assert_int_eq(header.state, DISK_SLOT_USED);
	ck_assert_mem_eq(header.boot_id, h(3)->config.boot_id, MESSAGE_ID_BYTES);
	ck_assert(!harness_slot_bit(h(1), 2, 5) && !harness_slot_bit(h(1), 2, 6));
	ck_assert_uint_eq(harness_status(h(3)).lost_count, 2);
}
END_TEST

/* Its other boot resumes before the slot of the old one has been taken over: it gets another one. */
START_TEST(f6_next_boot_before_the_takeover)
{
	struct disk_slot_header header;

	three_members();
	h(1)->keep[EFFECT_READ] = true;
	world_power_off(&w, 3);
	world_power_on(&w, 3);
	world_connect(&w, 4);
	ck_assert_ptr_nonnull(harness_job(h(1), EFFECT_READ)); /* the hello was the proof */
	open_on(3);
	ck_assert_int_eq(harness_slot(h(1), 3, &header), 0);
	ck_assert_int_eq(header.state, DISK_SLOT_USED);
	ck_assert_uint_eq(header.node_id, 3);
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	h(1)->keep[EFFECT_READ] = false;
	harness_run(h(1));
	world_run(&w);
	world_advance(&w, 2000);
	ck_assert(!slot_used(2) && slot_used(3));
	ck_assert(!harness_disk_clean(h(1), 7) && harness_disk_clean(h(1), 8));
	ck_assert_uint_eq(harness_status(h(3)).lost_count, 2);
}
END_TEST

/* It could not free its slot, and resumes before that has been taken over: it gets another one, and what the old one says
 * is lost. */
START_TEST(slot_that_could_not_be_freed)
{
	three_members();
	copies_fail(true);
	open_legs(3);
	h(1)->keep[EFFECT_READ] = true;
	h(3)->status[EFFECT_WRITE] = -EIO;
	ck_assert(world_answered(&w, 3, world_suspend(&w, 3), 0));
	ck_assert(slot_used(2));
	ck_assert(!harness_disk_clean(h(1), 5));
	h(3)->status[EFFECT_WRITE] = 0;
	ck_assert(world_answered(&w, 3, world_ask(&w, 3, REQUEST_RESUME), 0));
	ck_assert(slot_used(2) && slot_used(3));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 8), 0));
	ck_assert(harness_slot_bit(h(1), 3, 8) && !harness_slot_bit(h(1), 2, 8));
	h(1)->keep[EFFECT_READ] = false;
	harness_run(h(1));
	world_run(&w);
	world_advance(&w, 2000);
	ck_assert(!slot_used(2) && slot_used(3));
	ck_assert(!harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 8));
	ck_assert(lost_everywhere(5) && !lost_everywhere(8));
}
END_TEST

/* Its daemon was restarted, and no table of the log is left there: it says so, and that is a proof.  A new table gets a slot
 * of its own while the old one is being taken over. */
START_TEST(gone_and_back)
{
	uint32_t resume;

	three_members();
	copies_fail(true);
	h(1)->keep[EFFECT_READ] = true;
	world_restart_daemon(&w, 3);
	world_advance(&w, 1000);
	ck_assert_ptr_null(harness_job(h(1), EFFECT_READ));
	world_connect(&w, 4);
	ck_assert_uint_ge(world_sent(&w, 3, MESSAGE_GONE), 1);
	ck_assert_ptr_nonnull(harness_job(h(1), EFFECT_READ));
	(void)harness_ctr(h(3), NEW_LUID, HARNESS_DISK);
	resume = harness_ask(h(3), REQUEST_RESUME, NEW_LUID);
	world_run(&w);
	ck_assert(world_answered(&w, 3, resume, 0));
	ck_assert(slot_used(2) && slot_used(3));
	ck_assert(world_answered(&w, 3, harness_write(h(3), NEW_LUID, 8), 0));
	ck_assert(harness_slot_bit(h(1), 3, 8) && !harness_slot_bit(h(1), 2, 8));
	h(1)->keep[EFFECT_READ] = false;
	harness_run(h(1));
	world_run(&w);
	ck_assert(!slot_used(2) && slot_used(3));
	ck_assert(lost_everywhere(5) && lost_everywhere(6) && !lost_everywhere(8));
	ck_assert(!harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 8));
}
END_TEST

/*
 * 0/50523: what the kernel reported is NOSYNC in its hash over a suspend; meanwhile all have closed, and somebody else (the
 * kernel's own log) has brought the region in sync.  When RESUME is answered the slot has it, until the base says
 * lost again.
 */
START_TEST(reported_before_the_suspend)
{
	uint32_t reported, resume;

	three_members();
	copies_fail(true);
	for (uint32_t id = 1; id <= 3; id++)
		open_legs(id);
	reported = harness_ask_region(h(3), REQUEST_SET_REGION_SYNC, WORLD_LUID + 3, 5);
	world_run(&w);
	ck_assert(world_answered(&w, 3, reported, 0));
	for (uint32_t id = 3; id >= 1; id--)
		ck_assert(world_answered(&w, id, world_suspend(&w, id), 0));
	harness_put_kernel_log(h(1), HARNESS_REGIONS, HARNESS_REGIONS);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_RESUME), 0));
	h(1)->keep[EFFECT_WRITE] = true; /* of the base */
	h(3)->keep[EFFECT_WRITE] = true;
	resume = world_ask(&w, 3, REQUEST_RESUME);
	world_hold(&w, 3, true); /* it does not hear itself say it again */
	h(3)->keep[EFFECT_WRITE] = false;
	harness_run(h(3));
	ck_assert(world_answered(&w, 3, resume, 0));
	world_advance(&w, 3000);
	ck_assert(!harness_disk_clean(h(1), 5));
	ck_assert(harness_base_bit(h(1), 5));
	world_hold(&w, 3, false);
	h(1)->keep[EFFECT_WRITE] = false;
	harness_run(h(1));
	world_run(&w);
	ck_assert(!harness_base_bit(h(1), 5));
}
END_TEST

/* --nodes 0 29865: the group was lost on all, and who had slot 0 gets another one when the log is opened by the next. */
START_TEST(slot_of_before_is_not_written)
{
	uint32_t writes, flush;

	three_members();
	h(1)->keep[EFFECT_WRITE] = true;
	(void)world_write(&w, 1, 9);
	flush = world_write(&w, 1, 10); /* behind the write that is under way */
	for (uint32_t id = 1; id <= 3; id++)
		world_disconnect(&w, id);
	h(1)->keep[EFFECT_WRITE] = false;
	harness_run(h(1));
	ck_assert(world_waits(&w, 1, flush));
	world_connect(&w, 6);
	h(1)->keep[EFFECT_READ] = true;
	writes = h(1)->effects[EFFECT_WRITE];
	world_connect(&w, 1);
	ck_assert_ptr_nonnull(harness_job(h(1), EFFECT_READ)); /* it is entering */
	ck_assert_uint_eq(h(1)->effects[EFFECT_WRITE], writes);
	h(1)->keep[EFFECT_READ] = false;
	harness_run(h(1));
	world_run(&w);
	ck_assert(world_answered(&w, 1, flush, 0));
	ck_assert(!harness_slot_bit(h(1), 0, 10));
	ck_assert(harness_slot_bit(h(1), h(1)->core->logs[0]->own_slot, 10));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_slots");
	TCase *tests = tcase_create("slots");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, slot_is_used_again);
	tcase_add_test(tests, f6_next_boot_before_the_takeover);
	tcase_add_test(tests, slot_that_could_not_be_freed);
	tcase_add_test(tests, gone_and_back);
	tcase_add_test(tests, slot_of_before_is_not_written);
	tcase_add_test(tests, reported_before_the_suspend);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
