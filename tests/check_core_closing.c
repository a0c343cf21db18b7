/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Closing a log: the order of its steps, and an error or a crash at each of them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	h.watch_quiet = true;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

/* Live, region 5 held and marked, 6 idle. */
static void open_and_write(void)
{
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 6), 0));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 6);
}

static uint32_t postsuspend(void)
{
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	return harness_ask(&h, REQUEST_POSTSUSPEND, LUID);
}

static enum disk_slot_state slot_state(void)
{
	struct disk_slot_header slot;

	ck_assert_int_eq(harness_slot(&h, 0, &slot), 0);
	return slot.state;
}

static enum disk_superblock_state superblock_state(void)
{
	struct disk_superblock superblock;

	ck_assert_int_eq(harness_superblock(&h, &superblock), 0);
	return superblock.state;
}

/* ---- the order ---- */

static uint32_t all_jobs(void)
{
	uint32_t count = 0;

	for (uint32_t type = 0; type < HARNESS_EFFECTS; type++)
		count += harness_job_count(&h, (enum effect_type)type);
	return count;
}

static void only(enum effect_type type)
{
	ck_assert_uint_eq(all_jobs(), 1);
	harness_finish(&h, harness_job(&h, type), 0);
}

/* Delivers the only message that is under way; returns its type. */
static enum group_message_type next_message(void)
{
	enum group_message_type type = h.messages[h.first_message % HARNESS_JOBS_MAX].type;

	ck_assert_uint_eq(h.next_message, h.first_message + 1);
	ck_assert(harness_deliver_next(&h));
	return type;
}

/* Each step has been done before the next one begins; the legs are closed while the slot's bits are written. */
START_TEST(order)
{
	uint32_t seq;

	open_and_write();
	memset(h.keep, true, sizeof(h.keep));
	h.keep_messages = true;
	seq = postsuspend();
	/* Nothing before the group knows that this node begins no hold any more. */
	ck_assert_uint_eq(all_jobs(), 0);
	ck_assert_int_eq(next_message(), MESSAGE_LEAVING);
	only(EFFECT_FLUSH_LEGS);
	only(EFFECT_READ_HEALTH);
	ck_assert_uint_eq(all_jobs(), 2);
	ck_assert(harness_slot_bit(&h, 0, 5));
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(!harness_slot_bit(&h, 0, 5));
	only(EFFECT_CLOSE_LEGS);
	ck_assert_int_eq(slot_state(), DISK_SLOT_USED);
	only(EFFECT_WRITE);
	ck_assert_int_eq(slot_state(), DISK_SLOT_FREE);
	ck_assert_uint_eq(harness_header(&h), 0);
	only(EFFECT_WRITE);
	ck_assert_uint_eq(harness_header(&h), HARNESS_REGIONS);
	ck_assert_int_eq(superblock_state(), DISK_IN_USE);
	only(EFFECT_WRITE);
	ck_assert_int_eq(superblock_state(), DISK_CLOSED);
	ck_assert_uint_eq(all_jobs(), 0);
	ck_assert_ptr_null(harness_answer(&h, seq));
	ck_assert_int_eq(h.messages[h.first_message % HARNESS_JOBS_MAX].type, MESSAGE_LEAVE);
	ck_assert_str_eq(harness_status(&h).phase, "closing");
	h.keep_messages = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_str_eq(harness_status(&h).phase, "closed");
	ck_assert_uint_eq(harness_status(&h).resumed_count, 0);
	ck_assert_uint_eq(h.events[EVENT_CLOSED], 1);
}
END_TEST

START_TEST(at_once)
{
	uint32_t seq;

	harness_open(&h, LUID);
	seq = postsuspend();
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(h.last_event[EVENT_CLOSED].number, 0);
	ck_assert_uint_eq(harness_memory_count(&h), 1);
}
END_TEST

/* No write to the log device is under way when POSTSUSPEND is answered, nor comes later: LVM suspends it next. */
START_TEST(nothing_comes_later)
{
	uint32_t writes;

	harness_put_kernel_log(&h, HARNESS_REGIONS, 60);
	h.status[EFFECT_COPY] = -EIO;
	open_and_write();
	ck_assert(harness_answered(&h, postsuspend(), 0));
	writes = h.effects[EFFECT_WRITE];
	h.effects[EFFECT_COPY] = h.effects[EFFECT_OPEN_LEGS] = h.effects[EFFECT_READ_HEALTH] = 0;
	harness_advance(&h, 100000);
	ck_assert_uint_eq(h.effects[EFFECT_WRITE], writes);
	ck_assert_uint_eq(h.effects[EFFECT_COPY], 0);
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_LEGS], 0);
	ck_assert_uint_eq(h.effects[EFFECT_READ_HEALTH], 0);
	ck_assert_uint_eq(harness_status(&h).held_count + harness_status(&h).marked_count, 0);
}
END_TEST

/* A copy under way is waited for, and what it gained is on the base (G4). */
START_TEST(g4_copy_under_way)
{
	uint32_t seq;

	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS - 2);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	seq = postsuspend();
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	harness_advance(&h, 10000);
	ck_assert_ptr_null(harness_answer(&h, seq));
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], 0);
	ck_assert_uint_eq(harness_header(&h), 0);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], 1);
	ck_assert(harness_base_bit(&h, 62));
}
END_TEST

/* A flush of the legs that was under way is waited for; there is another one, for what was held then. */
START_TEST(leg_flush_under_way)
{
	uint32_t seq;

	open_and_write();
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, 17000);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	seq = postsuspend();
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	ck_assert(harness_slot_bit(&h, 0, 5));
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert(harness_disk_clean(&h, 5) && harness_disk_clean(&h, 6));
}
END_TEST

START_TEST(legs_being_opened)
{
	uint32_t seq;

	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 5);
	seq = postsuspend();
	ck_assert_ptr_null(harness_answer(&h, seq));
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], 1);
	ck_assert(harness_disk_clean(&h, 5));
}
END_TEST

START_TEST(core_log)
{
	(void)harness_ctr(&h, LUID, HARNESS_CORE " nosync");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	(void)harness_write(&h, LUID, 5);
	ck_assert(harness_answered(&h, postsuspend(), 0));
	ck_assert_uint_eq(h.effects[EFFECT_WRITE] + h.effects[EFFECT_FLUSH_LEGS], 0);
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], 1);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	ck_assert_uint_eq(harness_memory_count(&h), 0);
}
END_TEST

/* ---- legs ---- */

static void check_lost(void)
{
	ck_assert_uint_eq(harness_header(&h), HARNESS_REGIONS);
	ck_assert_int_eq(slot_state(), DISK_SLOT_FREE);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert_int_eq(harness_disk_clean(&h, r), r != 5 && r != 6);
	ck_assert_uint_eq(h.events[EVENT_LEG_FLUSH_FAILED], 1);
	ck_assert_uint_eq(h.last_event[EVENT_CLOSED].number, 2);
}

/* G10: not an end of waiting: what was held is lost. */
START_TEST(g10_failed_flush_of_the_legs)
{
	open_and_write();
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	ck_assert(harness_answered(&h, postsuspend(), 0));
	check_lost();
}
END_TEST

START_TEST(h6_letter_after_a_good_flush)
{
	open_and_write();
	strcpy(h.letters, "AF");
	ck_assert(harness_answered(&h, postsuspend(), 0));
	check_lost();
}
END_TEST

/* They were not open: it is tried once more. */
START_TEST(legs_opened_for_the_flush)
{
	h.status[EFFECT_OPEN_LEGS] = -ENODEV;
	open_and_write();
	h.status[EFFECT_OPEN_LEGS] = 0;
	ck_assert(harness_answered(&h, postsuspend(), 0));
	ck_assert(harness_disk_clean(&h, 5) && harness_disk_clean(&h, 6));
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 1);
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_LEGS], 1);
}
END_TEST

START_TEST(legs_that_cannot_be_opened)
{
	h.status[EFFECT_OPEN_LEGS] = -ENODEV;
	open_and_write();
	ck_assert(harness_answered(&h, postsuspend(), 0));
	check_lost();
}
END_TEST

/* Nothing was held: nobody needs the legs. */
START_TEST(legs_that_are_not_needed)
{
	h.status[EFFECT_OPEN_LEGS] = -ENODEV;
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, postsuspend(), 0));
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_LEGS], 1);
	ck_assert_uint_eq(h.last_event[EVENT_CLOSED].number, 0);
}
END_TEST

/* ---- an error or a crash at every write ---- */

/* Slot bits, slot header, kernel header, superblock. */
START_TEST(every_write_fails)
{
	uint32_t seq;
	int i;

	open_and_write();
	h.keep[EFFECT_WRITE] = true;
	seq = postsuspend();
	for (i = 0; i < _i && harness_job(&h, EFFECT_WRITE) != NULL; i++)
		harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert_int_eq(harness_answer(&h, seq) != NULL, _i == 4);
	if (_i == 4)
		return;
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), -EIO);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 0);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(h.events[EVENT_CLOSE_FAILED], 1);
	ck_assert_uint_eq(h.events[EVENT_CLOSED], 0);
	/* What the device says, the next RESUME believes. */
	h.keep[EFFECT_WRITE] = false;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert(harness_answered(&h, h.seq, 0));
	ck_assert_uint_eq(harness_status(&h).sync_count + harness_status(&h).lost_count,
			  HARNESS_REGIONS);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

/* Nothing of a failed Closing is under way when POSTSUSPEND is answered. */
START_TEST(several_writes_under_way)
{
	uint32_t seq;

	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS - 1);
	open_and_write();
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
	h.keep[EFFECT_WRITE] = true;
	seq = postsuspend();
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 2);
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), -EIO);
	ck_assert_ptr_null(harness_answer(&h, seq));
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 0);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(harness_answered(&h, h.seq, 0));
}
END_TEST

/* A leg did not keep what was held, and the base cannot be written: the slot bits stay. */
START_TEST(loss_that_cannot_be_written)
{
	open_and_write();
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	h.status[EFFECT_WRITE] = -EIO;
	ck_assert(harness_answered(&h, postsuspend(), 0));
	ck_assert_int_eq(slot_state(), DISK_SLOT_USED);
	ck_assert(!harness_disk_clean(&h, 5) && !harness_disk_clean(&h, 6));
	h.status[EFFECT_WRITE] = 0;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(h.events[EVENT_OPENED], 2);
	ck_assert(!harness_disk_clean(&h, 5) || harness_status(&h).regions_copied > 0);
}
END_TEST

START_TEST(crash_at_every_write)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	open_and_write();
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	h.keep[EFFECT_WRITE] = true;
	(void)postsuspend();
	for (int i = 0; i < _i && harness_job(&h, EFFECT_WRITE) != NULL; i++) {
		harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
		ck_assert(!harness_disk_clean(&h, 5) && !harness_disk_clean(&h, 6));
		ck_assert(harness_disk_clean(&h, 7));
	}
	h.config.boot_id[0]++;
	harness_restart(&h);
	h.keep[EFFECT_WRITE] = false;
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, NEW);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS - 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_closing");
	TCase *tests = tcase_create("closing");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, order);
	tcase_add_test(tests, at_once);
	tcase_add_test(tests, nothing_comes_later);
	tcase_add_test(tests, g4_copy_under_way);
	tcase_add_test(tests, leg_flush_under_way);
	tcase_add_test(tests, legs_being_opened);
	tcase_add_test(tests, core_log);
	tcase_add_test(tests, g10_failed_flush_of_the_legs);
	tcase_add_test(tests, h6_letter_after_a_good_flush);
	tcase_add_test(tests, legs_opened_for_the_flush);
	tcase_add_test(tests, legs_that_cannot_be_opened);
	tcase_add_test(tests, legs_that_are_not_needed);
	tcase_add_loop_test(tests, every_write_fails, 0, 5);
	tcase_add_test(tests, several_writes_under_way);
	tcase_add_test(tests, loss_that_cannot_be_written);
	tcase_add_loop_test(tests, crash_at_every_write, 0, 6);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
