/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Holds by proxy, for who cannot write the log device (F19). */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"

/* Slots for two of the three nodes. */
static void two_slots(void)
{
	world_stop(&w);
	memset(&w, 0, sizeof(w));
	w.quorum_nodes = 1;
	for (uint32_t i = 0; i < 3; i++)
		w.node[i].h.config.slot_count = 2;
	world_start(&w, 3);
	harness_put_kernel_log(h(1), HARNESS_REGIONS, HARNESS_REGIONS);
	world_connect(&w, ALL);
	open_all(HARNESS_DISK);
}

START_TEST(f19_no_slot_is_free)
{
	uint32_t flush;

	two_slots();
	h(1)->keep[EFFECT_WRITE] = h(2)->keep[EFFECT_WRITE] = true;
	flush = world_write(&w, 3, 7);
	/* Not before it stands on the device, in somebody's slot. */
	world_advance(&w, 2000);
	ck_assert(world_waits(&w, 3, flush));
	h(1)->keep[EFFECT_WRITE] = h(2)->keep[EFFECT_WRITE] = false;
	harness_run(h(1));
	harness_run(h(2));
	world_run(&w);
	ck_assert(world_answered(&w, 3, flush, 0));
	ck_assert(!harness_disk_clean(h(1), 7) && harness_disk_clean(h(1), 8));
	ck_assert_uint_eq(h(3)->effects[EFFECT_WRITE], 0);
}
END_TEST

START_TEST(f19_who_is_held_for_dies)
{
	two_slots();
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	world_power_off(&w, 3);
	world_advance(&w, 30000);
	ck_assert(!harness_disk_clean(h(1), 7));
	ck_assert_uint_eq(lost(1), 0);
	world_fenced(&w, 1, 3);
	world_advance(&w, 3000);
	ck_assert_uint_eq(lost(1), 1);
	ck_assert_uint_eq(lost(2), 1);
	ck_assert(!harness_disk_clean(h(1), 7));
}
END_TEST

/* The proxy dies: its slot covers what it held for the other one. */
START_TEST(f19_proxy_dies)
{
	two_slots();
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	world_power_off(&w, 1);
	ck_assert(!harness_disk_clean(h(2), 7));
	world_fenced(&w, 2, 1);
	world_advance(&w, 5000);
	ck_assert(!harness_disk_clean(h(2), 7));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 8), 0));
	ck_assert(!harness_disk_clean(h(2), 8));
	world_power_off(&w, 2);
	ck_assert(!harness_disk_clean(h(3), 7) && !harness_disk_clean(h(3), 8));
}
END_TEST

/* It suspends: what it held for another one is out of sync, or held by the next, before its slot is free.  1: the next one
 * is slow. */
START_TEST(f19_proxy_suspends)
{
	uint32_t suspend;

	two_slots();
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	open_legs(1);
	h(1)->keep[EFFECT_WRITE] = h(2)->keep[EFFECT_WRITE] = true;
	suspend = world_suspend(&w, 1);
	for (int i = 0; i < 20; i++) {
		if (harness_job(h(1), EFFECT_WRITE) != NULL)
			harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), 0);
		if (_i == 0 && harness_job(h(2), EFFECT_WRITE) != NULL)
			harness_finish(h(2), harness_job(h(2), EFFECT_WRITE), 0);
		world_run(&w);
		world_advance(&w, 10);
		ck_assert(!harness_disk_clean(h(2), 7));
	}
	h(2)->keep[EFFECT_WRITE] = false;
	harness_run(h(2));
	world_run(&w);
	ck_assert(world_answered(&w, 1, suspend, 0));
	ck_assert(!harness_disk_clean(h(2), 7));
}
END_TEST

/* It has held the region itself, too, and lets it go: the bit stays, for the other one. */
START_TEST(f19_proxy_lets_go_of_its_own)
{
	two_slots();
	for (uint32_t id = 1; id <= 3; id++) {
		h(id)->status[EFFECT_COPY] = -EIO;
		open_legs(id);
	}
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 7), 0));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 8), 0));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	world_clear(&w, 1, 7);
	world_clear(&w, 1, 8);
	world_advance(&w, h(1)->config.idle_ms + 5000);
	ck_assert(harness_disk_clean(h(1), 8));
	ck_assert(!harness_disk_clean(h(1), 7));
	/* And goes when the other one has let go. */
	world_clear(&w, 3, 7);
	world_advance(&w, h(1)->config.idle_ms + 10000);
	ck_assert(harness_disk_clean(h(1), 7));
}
END_TEST

/* The device fails on one node, and comes back there. */
START_TEST(f19_device_fails_on_one_node)
{
	uint32_t flush;

	open_all(HARNESS_DISK);
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 6), 0));
	h(3)->status[EFFECT_WRITE] = -EIO;
	flush = world_write(&w, 3, 7);
	world_advance(&w, 5000);
	ck_assert(world_answered(&w, 3, flush, 0));
	ck_assert(!harness_disk_clean(h(1), 6) && !harness_disk_clean(h(1), 7));
	h(3)->status[EFFECT_WRITE] = 0;
	world_advance(&w, 5000);
	ck_assert(harness_slot_bit(h(1), 2, 6) && harness_slot_bit(h(1), 2, 7));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 8), 0));
	ck_assert(harness_slot_bit(h(1), 2, 8));
}
END_TEST

/* Who could write is gone.  A slot is to come: FLUSH waits, and it is told for whom. */
START_TEST(f19_slot_of_who_is_gone)
{
	uint32_t flush;

	two_slots();
	world_power_off(&w, 1);
	world_power_off(&w, 2);
	flush = world_write(&w, 3, 7);
	world_advance(&w, 10000);
	ck_assert(world_waits(&w, 3, flush));
	ck_assert_uint_eq(h(3)->events[EVENT_WAITING_FOR_SLOT], 1);
	ck_assert_ptr_nonnull(strstr(h(3)->last_text[EVENT_WAITING_FOR_SLOT], "fenced "));
	world_fenced(&w, 3, 1);
	h(3)->keep[EFFECT_WRITE] = true;
	world_fenced(&w, 3, 2);
	/* While it is merged, allotted and entered. */
	for (int i = 0; i < 20; i++) {
		ck_assert(!world_answered(&w, 3, flush, -EIO));
		if (harness_job(h(3), EFFECT_WRITE) != NULL)
			harness_finish(h(3), harness_job(h(3), EFFECT_WRITE), 0);
		world_run(&w);
		world_advance(&w, 100);
	}
	ck_assert(world_answered(&w, 3, flush, 0));
	ck_assert(!harness_disk_clean(h(3), 7));
}
END_TEST

/* Who could write leaves, and its slot becomes free a moment later. */
START_TEST(f19_slot_of_who_leaves)
{
	uint32_t suspend[2], flush;

	two_slots();
	for (uint32_t id = 1; id <= 2; id++) {
		open_legs(id);
		h(id)->keep[EFFECT_WRITE] = true;
		suspend[id - 1] = world_suspend(&w, id);
	}
	flush = world_write(&w, 3, 7);
	world_advance(&w, 500);
	ck_assert(world_waits(&w, 3, flush));
	for (uint32_t id = 1; id <= 2; id++) {
		h(id)->keep[EFFECT_WRITE] = false;
		harness_run(h(id));
	}
	world_run(&w);
	world_advance(&w, 3000);
	ck_assert(world_answered(&w, 1, suspend[0], 0) && world_answered(&w, 2, suspend[1], 0));
	ck_assert(world_answered(&w, 3, flush, 0));
	ck_assert(!harness_disk_clean(h(3), 7));
}
END_TEST

/* A slot becomes free, and while it is written the proxy confirms one more region: it stands in the slot, too, before the proxy
 * may let it go. */
START_TEST(f19_held_while_a_slot_is_entered)
{
	uint32_t flush;

	two_slots();
	for (uint32_t id = 1; id <= 3; id++) {
		h(id)->status[EFFECT_COPY] = -EIO;
		open_legs(id);
	}
	h(3)->keep[EFFECT_WRITE] = true;
	(void)world_suspend(&w, 2);
	for (int i = 0; i < 50 && harness_job(h(3), EFFECT_WRITE) == NULL; i++)
		world_advance(&w, 100);
	ck_assert_ptr_nonnull(harness_job(h(3), EFFECT_WRITE));
	flush = world_write(&w, 3, 7);
	world_run(&w);
	ck_assert(world_answered(&w, 3, flush, 0));
	ck_assert(!harness_disk_clean(h(1), 7));
	h(3)->keep[EFFECT_WRITE] = false;
	harness_run(h(3));
	world_run(&w);
	for (int i = 0; i < 50; i++) {
		world_advance(&w, 1000);
		ck_assert(!harness_disk_clean(h(1), 7));
	}
}
END_TEST

/* A node holds a region in its slot, cannot enter the log again, and the proxy has not confirmed.  A CLEAR then does not free the
 * bit without a flush of the legs, when the device has come back. */
START_TEST(f19_cleared_before_it_is_held_again)
{
	open_all(HARNESS_DISK);
	for (uint32_t id = 1; id <= 3; id++) {
		h(id)->status[EFFECT_COPY] = -EIO;
		open_legs(id);
	}
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 7), 0));
	h(1)->keep[EFFECT_WRITE] = h(2)->keep[EFFECT_WRITE] = true;
	h(3)->status[EFFECT_READ] = -EIO;
	world_split(&w, 4);
	world_advance(&w, 3000);
	world_split(&w, 0);
	world_advance(&w, 3000);
	ck_assert_uint_eq(h(3)->core->logs[0]->own_slot, NO_INDEX);
	world_clear(&w, 3, 7);
	h(3)->status[EFFECT_READ] = 0;
	for (uint32_t id = 1; id <= 3; id++)
		h(id)->keep[EFFECT_FLUSH_LEGS] = true;
	for (int i = 0; i < 100; i++) {
		world_advance(&w, 100);
		ck_assert(!harness_disk_clean(h(1), 7));
	}
}
END_TEST

/* Nobody can write: FLUSH fails. */
START_TEST(f19_nobody_can_write)
{
	uint32_t flush;

	open_all(HARNESS_DISK);
	for (uint32_t id = 1; id <= 3; id++)
		h(id)->status[EFFECT_WRITE] = -EIO;
	flush = world_write(&w, 3, 7);
	world_advance(&w, 10000);
	ck_assert(world_answered(&w, 3, flush, -EIO));
	for (uint32_t id = 1; id <= 3; id++)
		h(id)->status[EFFECT_WRITE] = 0;
	world_advance(&w, 10000);
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 8), 0));
	ck_assert(!harness_disk_clean(h(1), 8));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_proxy");
	TCase *tests = tcase_create("proxy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, f19_no_slot_is_free);
	tcase_add_test(tests, f19_who_is_held_for_dies);
	tcase_add_test(tests, f19_proxy_dies);
	tcase_add_loop_test(tests, f19_proxy_suspends, 0, 2);
	tcase_add_test(tests, f19_proxy_lets_go_of_its_own);
	tcase_add_test(tests, f19_device_fails_on_one_node);
	tcase_add_test(tests, f19_slot_of_who_is_gone);
	tcase_add_test(tests, f19_slot_of_who_leaves);
	tcase_add_test(tests, f19_held_while_a_slot_is_entered);
	tcase_add_test(tests, f19_cleared_before_it_is_held_again);
	tcase_add_test(tests, f19_nobody_can_write);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
