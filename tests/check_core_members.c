/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member's life in a log that several nodes share: joining, leaving, closing, and who writes what on the log device. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

#define ALL 7

static struct world w;

static struct harness *h(uint32_t id)
{
	return world_node(&w, id);
}

/* Three nodes in the group, and the kernel's log, all in sync, on the device. */
static void setup(void)
{
	memset(&w, 0, sizeof(w));
	world_start(&w, 3);
	harness_put_kernel_log(h(1), HARNESS_REGIONS, HARNESS_REGIONS);
	world_connect(&w, ALL);
}

static void teardown(void)
{
	world_stop(&w);
}

static void open_on(uint32_t id)
{
	ck_assert(world_answered(&w, id, world_resume(&w, id, HARNESS_DISK), 0));
}

static bool slot_used(uint32_t slot, uint32_t by)
{
	struct disk_slot_header header;

	if (harness_slot(h(1), slot, &header) < 0 || header.state != DISK_SLOT_USED)
		return false;
	ck_assert_uint_eq(header.node_id, by);
	ck_assert_mem_eq(header.boot_id, h(by)->config.boot_id, sizeof(header.boot_id));
	return true;
}

static enum disk_superblock_state superblock_state(void)
{
	struct disk_superblock superblock;

	ck_assert_int_eq(harness_superblock(h(1), &superblock), 0);
	return superblock.state;
}

static uint64_t generation(void)
{
	struct disk_superblock superblock;

	ck_assert_int_eq(harness_superblock(h(1), &superblock), 0);
	return superblock.generation;
}

/* ---- joining ---- */

START_TEST(founder_and_joiner)
{
	open_on(1);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_OPENED), 1);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_SNAPSHOT), 0);
	ck_assert(slot_used(0, 1));
	open_on(2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_OPENED), 1);
	ck_assert_uint_gt(world_sent(&w, 1, MESSAGE_SNAPSHOT), 0);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_SNAPSHOT),
			  world_sent(&w, 1, MESSAGE_SNAPSHOT));
	ck_assert(slot_used(0, 1) && slot_used(1, 2));
	ck_assert_uint_eq(core_log_hash(h(2)->core, 0), core_log_hash(h(1)->core, 0));
	ck_assert_uint_ne(core_log_hash(h(2)->core, 0), 0);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 5), 0));
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 6), 0));
	ck_assert(harness_slot_bit(h(1), 0, 5) && !harness_slot_bit(h(1), 0, 6));
	ck_assert(harness_slot_bit(h(1), 1, 6) && !harness_slot_bit(h(1), 1, 5));
	ck_assert(!harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 6));
	ck_assert(harness_disk_clean(h(1), 7));
}
END_TEST

/* Its slot is in use on the device before its kernel hears of it. */
START_TEST(resume_waits_for_the_own_slot)
{
	uint32_t resume;

	open_on(1);
	h(2)->keep[EFFECT_WRITE] = true;
	resume = world_resume(&w, 2, HARNESS_DISK);
	ck_assert(!slot_used(1, 2));
	while (harness_job(h(2), EFFECT_WRITE) != NULL) {
		ck_assert(world_waits(&w, 2, resume));
		harness_finish(h(2), harness_job(h(2), EFFECT_WRITE), 0);
		world_run(&w);
	}
	ck_assert(world_answered(&w, 2, resume, 0));
	ck_assert(slot_used(1, 2));
}
END_TEST

START_TEST(join_during_the_opening)
{
	uint32_t first, second;

	h(1)->keep[EFFECT_READ] = true;
	first = world_resume(&w, 1, HARNESS_DISK);
	second = world_resume(&w, 2, HARNESS_DISK);
	world_advance(&w, 10000);
	ck_assert(world_waits(&w, 1, first) && world_waits(&w, 2, second));
	ck_assert_uint_eq(h(2)->effects[EFFECT_READ] + h(2)->effects[EFFECT_WRITE], 0);
	h(1)->keep[EFFECT_READ] = false;
	harness_run(h(1));
	world_run(&w);
	ck_assert(world_answered(&w, 1, first, 0) && world_answered(&w, 2, second, 0));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_OPENED), 1);
	ck_assert(slot_used(0, 1) && slot_used(1, 2));
}
END_TEST

/* The founder dies before it has opened: the next one does, when it is known to be stopped (it may write still). */
START_TEST(founder_dies_while_it_opens)
{
	uint32_t second;

	h(1)->keep[EFFECT_WRITE] = true;
	(void)world_resume(&w, 1, HARNESS_DISK);
	second = world_resume(&w, 2, HARNESS_DISK);
	harness_finish(h(1), harness_job(h(1), EFFECT_WRITE), 0);
	world_power_off(&w, 1);
	world_fenced(&w, 2, 1);
	ck_assert(world_answered(&w, 2, second, 0));
	ck_assert_uint_eq(harness_status(h(2)).sync_count, HARNESS_REGIONS);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 5), 0));
	ck_assert(!harness_disk_clean(h(2), 5) && harness_disk_clean(h(2), 6));
}
END_TEST

/* Another device under the same name: nothing that is written there would be known to the others. */
START_TEST(another_device_under_the_same_number)
{
	struct disk_superblock superblock;
	uint8_t *other = malloc(h(2)->disk_bytes);

	open_on(1);
	/* A log of the same kind and age. */
	memcpy(other, w.disk, h(2)->disk_bytes);
	ck_assert_int_eq(harness_superblock(h(1), &superblock), 0);
	superblock.id[3]++;
	disk_superblock_encode(&superblock, other + DISK_SUPERBLOCK_OFFSET_BYTES);
	h(2)->disk = other;
	ck_assert(world_answered(&w, 2, world_resume(&w, 2, HARNESS_DISK), 0));
	ck_assert_uint_eq(h(2)->events[EVENT_OPEN_FAILED], 1);
	ck_assert_uint_eq(h(2)->effects[EFFECT_WRITE], 0);
	h(2)->disk = w.disk;
	free(other);
}
END_TEST

/* The role stays with the oldest one when its JOIN is delivered twice. */
START_TEST(join_that_comes_twice)
{
	struct group_message join = harness_message(MESSAGE_JOIN, 1);
	uint64_t before;

	open_on(1);
	open_on(2);
	before = core_group_hash(h(3)->core);
	join.luid = WORLD_LUID + 1;
	world_send(&w, &join);
	world_run(&w);
	ck_assert_uint_eq(core_group_hash(h(3)->core), before);
}
END_TEST

/* F22: it waits until every luid of the old one is suspended. */
static void another_log(const char *constructor)
{
	uint32_t resume;

	open_on(1);
	open_on(2);
	resume = world_resume(&w, 3, constructor);
	world_advance(&w, 5000);
	ck_assert(world_waits(&w, 3, resume));
	ck_assert(world_answered(&w, 1, world_suspend(&w, 1), 0));
	world_advance(&w, 5000);
	ck_assert(world_waits(&w, 3, resume));
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	world_advance(&w, 5000);
	ck_assert(world_answered(&w, 3, resume, 0));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 9), 0));
}

START_TEST(f22_another_geometry)
{
	another_log("131072 clustered-disk 254:0 1024");
	ck_assert_uint_eq(harness_status(h(3)).region_count, 128);
	ck_assert(!harness_disk_clean(h(1), 9));
}
END_TEST

START_TEST(f22_another_region_size)
{
	another_log("65536 clustered-disk 254:0 512");
}
END_TEST

START_TEST(f22_another_log_device)
{
	another_log("65536 clustered-disk 254:1 1024");
}
END_TEST

START_TEST(f22_core_log)
{
	another_log("65536 clustered-core 1024 nosync");
}
END_TEST

/* ---- leaving ---- */

START_TEST(last_one_closes)
{
	open_on(1);
	open_on(2);
	(void)world_write(&w, 1, 5);
	(void)world_write(&w, 2, 6);
	ck_assert(world_answered(&w, 1, world_suspend(&w, 1), 0));
	ck_assert(!slot_used(0, 1) && slot_used(1, 2));
	ck_assert_uint_eq(harness_header(h(1)), 0);
	ck_assert(harness_disk_clean(h(1), 5) && !harness_disk_clean(h(1), 6));
	ck_assert_uint_eq(h(1)->events[EVENT_CLOSED], 0);
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	ck_assert_uint_eq(h(2)->events[EVENT_CLOSED], 1);
	ck_assert_uint_eq(harness_header(h(1)), HARNESS_REGIONS);
	ck_assert_int_eq(superblock_state(), DISK_CLOSED);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_base_bit(h(1), r));
}
END_TEST

/* Both at once: who says LEAVING last closes, when the other one has left; whichever has the disk role. */
START_TEST(both_leave_at_once)
{
	uint32_t slow = _i == 0 ? 1 : 2, last = 3 - slow;
	uint32_t first, second;

	open_on(1);
	open_on(2);
	(void)world_write(&w, slow, 5);
	h(slow)->keep[EFFECT_FLUSH_LEGS] = true;
	first = world_suspend(&w, slow);
	second = world_suspend(&w, last);
	world_advance(&w, 5000);
	ck_assert(world_waits(&w, slow, first) && world_waits(&w, last, second));
	ck_assert_uint_eq(harness_header(h(1)), 0);
	harness_finish(h(slow), harness_job(h(slow), EFFECT_FLUSH_LEGS), 0);
	world_run(&w);
	ck_assert(world_answered(&w, slow, first, 0));
	ck_assert(world_answered(&w, last, second, 0));
	ck_assert_uint_eq(h(slow)->events[EVENT_CLOSED], 0);
	ck_assert_uint_eq(h(last)->events[EVENT_CLOSED], 1);
	ck_assert_uint_eq(harness_header(h(1)), HARNESS_REGIONS);
	ck_assert(harness_disk_clean(h(1), 5));
}
END_TEST

/* The one that is waited for dies: its slot is in use, and the device is not closed over it. */
START_TEST(leaver_dies_while_the_last_one_waits)
{
	uint32_t last;

	open_on(1);
	open_on(2);
	(void)world_write(&w, 1, 5);
	h(1)->keep[EFFECT_FLUSH_LEGS] = true;
	(void)world_suspend(&w, 1);
	last = world_suspend(&w, 2);
	ck_assert(world_waits(&w, 2, last));
	world_power_off(&w, 1);
	world_advance(&w, 2000);
	ck_assert(world_answered(&w, 2, last, 0));
	ck_assert_uint_eq(harness_header(h(2)), 0);
	ck_assert(slot_used(0, 1));
	ck_assert(!harness_disk_clean(h(2), 5));
}
END_TEST

/* F7, G4: a JOIN ordered before "closed" waits until the device is closed, at whatever write that is. */
START_TEST(f7_join_before_closed)
{
	uint64_t before;
	uint32_t suspend, resume;

	open_on(1);
	open_on(2);
	(void)world_suspend(&w, 1);
	before = generation();
	(void)world_write(&w, 2, 5);
	h(2)->keep[EFFECT_WRITE] = true;
	suspend = world_suspend(&w, 2);
	for (int i = 0; i < _i; i++)
		harness_finish(h(2), harness_job(h(2), EFFECT_WRITE), 0);
	ck_assert_ptr_nonnull(harness_job(h(2), EFFECT_WRITE));
	h(1)->effects[EFFECT_WRITE] = h(1)->effects[EFFECT_READ] = 0;
	resume = world_ask(&w, 1, REQUEST_RESUME);
	world_advance(&w, 5000);
	ck_assert(world_waits(&w, 1, resume) && world_waits(&w, 2, suspend));
	ck_assert_uint_eq(h(1)->effects[EFFECT_WRITE] + h(1)->effects[EFFECT_READ], 0);
	harness_finish_all(h(2), EFFECT_WRITE, 0);
	world_run(&w);
	ck_assert(world_answered(&w, 1, resume, 0) && world_answered(&w, 2, suspend, 0));
	ck_assert_uint_eq(harness_header(h(1)), 0);
	ck_assert_uint_eq(generation(), before + 1);
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 5), 0));
	ck_assert(!harness_disk_clean(h(1), 5));
}
END_TEST

/* The kernel of a suspended node forgets nothing; it needs no state transfer to go on. */
START_TEST(suspended_member_follows)
{
	open_on(1);
	open_on(2);
	(void)world_suspend(&w, 1);
	(void)harness_ask_region(h(2), REQUEST_SET_REGION_SYNC, WORLD_LUID + 2, 9);
	world_run(&w);
	ck_assert_uint_eq(harness_status(h(1)).lost_count, 1);
	world_forget_sent(&w);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_RESUME), 0));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_SNAPSHOT), 0);
	ck_assert(slot_used(0, 1));
}
END_TEST

/* C7: it had suspended, in the order: it counts as nothing, and nobody waits for proof. */
START_TEST(c7_suspended_member_departs)
{
	open_on(1);
	open_on(2);
	(void)world_suspend(&w, 1);
	world_power_off(&w, 1);
	ck_assert_ptr_null(world_member(&w, 2, 1));
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	ck_assert_uint_eq(harness_header(h(2)), HARNESS_REGIONS);
}
END_TEST

/* Who departed without proof may still write: the last one who suspends does not close. */
START_TEST(not_closed_over_a_departed_member)
{
	open_on(1);
	open_on(2);
	(void)world_write(&w, 1, 5);
	world_power_off(&w, 1);
	ck_assert(world_answered(&w, 2, world_suspend(&w, 2), 0));
	ck_assert_uint_eq(harness_header(h(2)), 0);
	ck_assert(slot_used(0, 1));
	ck_assert(!slot_used(1, 2));
	ck_assert(!harness_disk_clean(h(2), 5));
}
END_TEST

START_TEST(dtr_ends_it)
{
	open_on(1);
	open_on(2);
	(void)world_suspend(&w, 1);
	ck_assert(world_answered(&w, 1, world_ask(&w, 1, REQUEST_DTR), 0));
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_UNFOLLOW), 1);
	ck_assert_ptr_null(world_member(&w, 2, 1));
	ck_assert_ptr_null(world_member(&w, 3, 1));
	(void)world_suspend(&w, 2);
	ck_assert(world_answered(&w, 2, world_ask(&w, 2, REQUEST_DTR), 0));
	ck_assert_ptr_null(world_entry(&w, 3));
	ck_assert_uint_eq(harness_memory_count(h(1)) + harness_memory_count(h(2)), 0);
}
END_TEST

/* ---- the disk role ---- */

static uint64_t base_writes(uint32_t id)
{
	return harness_status(h(id)).base_writes;
}

static void report_lost(uint32_t by, uint64_t region)
{
	uint32_t seq = harness_ask_region(h(by), REQUEST_SET_REGION_SYNC, WORLD_LUID + by, region);

	world_run(&w);
	ck_assert(world_answered(&w, by, seq, 0));
}

/* F16: it stays with the oldest one that uses the log, whatever the ids of those who join. */
START_TEST(f16_role_does_not_move_by_a_join)
{
	uint64_t before;

	open_on(3);
	open_on(1);
	before = base_writes(3);
	report_lost(1, 9);
	ck_assert_uint_eq(base_writes(1), 0);
	ck_assert_uint_gt(base_writes(3), before);
	ck_assert(!harness_base_bit(h(1), 9));
	open_on(2);
	report_lost(2, 10);
	ck_assert_uint_eq(base_writes(1) + base_writes(2), 0);
	ck_assert(!harness_base_bit(h(1), 10));
	/* It moves when its owner suspends, and does not come back with it. */
	(void)world_suspend(&w, 3);
	report_lost(2, 11);
	ck_assert_uint_gt(base_writes(1), 0);
	ck_assert(!harness_base_bit(h(1), 11));
	(void)world_ask(&w, 3, REQUEST_RESUME);
	before = base_writes(3);
	report_lost(3, 12);
	ck_assert_uint_eq(base_writes(3), before);
	ck_assert(!harness_base_bit(h(1), 12));
}
END_TEST

/* Who gets the role finds on the device less than is known: a loss that was never written. */
START_TEST(new_role_clears_what_the_old_one_did_not)
{
	open_on(1);
	open_on(2);
	h(1)->keep[EFFECT_WRITE] = true;
	report_lost(2, 9);
	ck_assert(harness_base_bit(h(1), 9));
	h(2)->effects[EFFECT_READ] = 0;
	world_power_off(&w, 1);
	world_advance(&w, 3000);
	/* Writes of its own may be under way: not before it is proven stopped, nor is the base read. */
	ck_assert_uint_eq(base_writes(2), 0);
	ck_assert_uint_eq(h(2)->effects[EFFECT_READ], 0);
	world_fenced(&w, 2, 1);
	world_advance(&w, 3000);
	ck_assert_uint_gt(base_writes(2), 0);
	ck_assert(!harness_base_bit(h(2), 9) && harness_base_bit(h(2), 8));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_members");
	TCase *tests = tcase_create("members");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, founder_and_joiner);
	tcase_add_test(tests, resume_waits_for_the_own_slot);
	tcase_add_test(tests, join_during_the_opening);
	tcase_add_test(tests, founder_dies_while_it_opens);
	tcase_add_test(tests, another_device_under_the_same_number);
	tcase_add_test(tests, join_that_comes_twice);
	tcase_add_test(tests, f22_another_geometry);
	tcase_add_test(tests, f22_another_region_size);
	tcase_add_test(tests, f22_another_log_device);
	tcase_add_test(tests, f22_core_log);
	tcase_add_test(tests, last_one_closes);
	tcase_add_loop_test(tests, both_leave_at_once, 0, 2);
	tcase_add_test(tests, leaver_dies_while_the_last_one_waits);
	tcase_add_loop_test(tests, f7_join_before_closed, 0, 4);
	tcase_add_test(tests, suspended_member_follows);
	tcase_add_test(tests, c7_suspended_member_departs);
	tcase_add_test(tests, not_closed_over_a_departed_member);
	tcase_add_test(tests, dtr_ends_it);
	tcase_add_test(tests, f16_role_does_not_move_by_a_join);
	tcase_add_test(tests, new_role_clears_what_the_old_one_did_not);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
