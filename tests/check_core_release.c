/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Releasing holds and gaining base bits: batches, the flush of the legs before them, and legs that did not keep it. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000
#define IDLE_MS 15000

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

static void write_and_clear(uint64_t region)
{
	ck_assert(harness_answered(&h, harness_write(&h, LUID, region), 0));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, region);
}

/* The place of the first effect of this type in the trace, from `from` on; the trace's end when there is none. */
static uint32_t traced(enum effect_type type, uint32_t from)
{
	while (from < h.trace_count && h.trace[from] != type)
		from++;
	return from;
}

static uint32_t slot_bits(void)
{
	uint32_t count = 0;

	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		count += harness_slot_bit(&h, 0, r);
	return count;
}

/* ---- when ---- */

START_TEST(idle_timeout)
{
	uint32_t from, flush, health, write;

	harness_open(&h, LUID);
	write_and_clear(5);
	harness_advance(&h, IDLE_MS - 100);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 0);
	from = h.trace_count;
	harness_advance(&h, 1500);
	flush = traced(EFFECT_FLUSH_LEGS, from);
	health = traced(EFFECT_READ_HEALTH, flush);
	write = traced(EFFECT_WRITE, from);
	ck_assert(flush < health && health < write && write < h.trace_count);
	ck_assert(harness_disk_clean(&h, 5) && !harness_slot_bit(&h, 0, 5));
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
	ck_assert_uint_eq(harness_status(&h).leg_flushes, 1);
}
END_TEST

/* A region in use is not idle, and each use makes it young again. */
START_TEST(idle_begins_with_the_clear)
{
	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 5);
	write_and_clear(6);
	harness_advance(&h, IDLE_MS - 1000);
	write_and_clear(6);
	harness_advance(&h, IDLE_MS - 1000);
	ck_assert(harness_slot_bit(&h, 0, 5) && harness_slot_bit(&h, 0, 6));
	harness_advance(&h, 60000);
	ck_assert(harness_slot_bit(&h, 0, 5) && !harness_slot_bit(&h, 0, 6));
}
END_TEST

/* 16 hot regions: the oldest ones beyond go, an eighth of them (2) at a time or after a second. */
START_TEST(lru_overflow)
{
	harness_open(&h, LUID);
	for (uint64_t r = 0; r < 16; r++)
		write_and_clear(r);
	ck_assert_uint_eq(slot_bits(), 16);
	write_and_clear(0);
	write_and_clear(16);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 0);
	ck_assert_uint_eq(slot_bits(), 17);
	write_and_clear(17);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 1);
	ck_assert_uint_eq(slot_bits(), 16);
	ck_assert(harness_disk_clean(&h, 1) && harness_disk_clean(&h, 2));
	ck_assert(!harness_disk_clean(&h, 0) && !harness_disk_clean(&h, 3));
	write_and_clear(18);
	harness_advance(&h, 900);
	ck_assert_uint_eq(slot_bits(), 17);
	harness_advance(&h, 200);
	ck_assert_uint_eq(slot_bits(), 16);
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 2);
}
END_TEST

/* What is let go during a flush waits for the next one (G22). */
START_TEST(clear_during_the_flush)
{
	harness_open(&h, LUID);
	write_and_clear(5);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, IDLE_MS + 1100);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	(void)harness_ask_region(&h, REQUEST_MARK, LUID, 6);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 6);
	write_and_clear(7);
	harness_advance(&h, IDLE_MS + 1100);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert(!harness_slot_bit(&h, 0, 5) && harness_slot_bit(&h, 0, 7));
	h.keep[EFFECT_FLUSH_LEGS] = false;
	harness_run(&h);
	harness_advance(&h, 1100);
	ck_assert(!harness_slot_bit(&h, 0, 7));
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 2);
}
END_TEST

START_TEST(mark_during_the_flush)
{
	uint64_t writes;

	harness_open(&h, LUID);
	write_and_clear(5);
	write_and_clear(6);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, IDLE_MS + 1100);
	writes = harness_status(&h).slot_writes;
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	ck_assert_uint_eq(harness_status(&h).slot_writes, writes);
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert(harness_slot_bit(&h, 0, 5) && !harness_slot_bit(&h, 0, 6));
	ck_assert_uint_eq(harness_status(&h).held_count, 1);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 5);
	h.keep[EFFECT_FLUSH_LEGS] = false;
	harness_advance(&h, 60000);
	ck_assert(!harness_slot_bit(&h, 0, 5));
}
END_TEST

/* A slot bit for two regions goes when neither is held. */
START_TEST(slot_bit_of_two_regions)
{
	struct disk_superblock superblock;

	h.disk_bytes = 45056;
	harness_put_kernel_log(&h, 65536, 65536);
	(void)harness_ctr(&h, LUID, "524288 clustered-disk 254:0 8");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_int_eq(harness_superblock(&h, &superblock), 0);
	ck_assert_uint_eq(superblock.granularity, 1);
	(void)harness_write(&h, LUID, 10);
	write_and_clear(11);
	harness_advance(&h, 60000);
	ck_assert(harness_slot_bit(&h, 0, 5));
	ck_assert_uint_eq(harness_status(&h).held_count, 1);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 10);
	harness_advance(&h, 60000);
	ck_assert(!harness_slot_bit(&h, 0, 5));
}
END_TEST

/* ---- gained base bits ---- */

START_TEST(base_bit_after_the_flush)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 63);
	harness_open(&h, LUID);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
	ck_assert(!harness_base_bit(&h, 63));
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, 2000);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	ck_assert(!harness_base_bit(&h, 63));
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert(harness_base_bit(&h, 63));
}
END_TEST

/* A loss while the bit is on its way takes it back. */
START_TEST(loss_before_the_base_bit)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 62);
	harness_open(&h, LUID);
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 62);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, 2000);
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 63);
	harness_finish_all(&h, EFFECT_FLUSH_LEGS, 0);
	harness_advance(&h, 60000);
	ck_assert(!harness_base_bit(&h, 62) && !harness_base_bit(&h, 63));
}
END_TEST

/* A base that cannot be written is not the business of a FLUSH. */
START_TEST(base_write_error)
{
	struct harness_job *base = NULL;
	uint32_t flush;

	harness_put_kernel_log(&h, HARNESS_REGIONS, 63);
	harness_open(&h, LUID);
	h.keep[EFFECT_WRITE] = true;
	flush = harness_write(&h, LUID, 5);
	harness_advance(&h, 2000);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 2);
	for (uint32_t i = h.first_job; i != h.next_job; i++) {
		struct harness_job *job = &h.jobs[i % HARNESS_JOBS_MAX];

		if (job->used && job->effect.io.offset_bytes < 4096)
			base = job;
	}
	harness_finish(&h, base, -EIO);
	ck_assert_ptr_null(harness_answer(&h, flush));
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(harness_answered(&h, flush, 0));
}
END_TEST

/* ---- legs that did not keep what was written (H6, G10, F15) ---- */

START_TEST(failed_flush_of_the_legs)
{
	harness_open(&h, LUID);
	write_and_clear(5);
	(void)harness_write(&h, LUID, 6);
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	h.keep_messages = true;
	harness_advance(&h, IDLE_MS + 1100);
	ck_assert_uint_eq(h.events[EVENT_LEG_FLUSH_FAILED], 1);
	ck_assert_uint_eq(h.last_event[EVENT_LEG_FLUSH_FAILED].number, 2);
	ck_assert(harness_slot_bit(&h, 0, 5) && harness_base_bit(&h, 5));
	/* At the delivery the base goes first, the slot bit when it is durable. */
	h.keep[EFFECT_WRITE] = true;
	while (harness_deliver_next(&h))
		;
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 1);
	ck_assert_uint_lt(harness_job(&h, EFFECT_WRITE)->effect.io.offset_bytes, 4096);
	harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	ck_assert(!harness_base_bit(&h, 5) && !harness_base_bit(&h, 6));
	ck_assert(harness_slot_bit(&h, 0, 5));
	/* What all are told that it is: DURABLE. */
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 0);
	ck_assert_uint_eq(h.next_message, h.first_message + 1);
	ck_assert_int_eq(h.messages[h.first_message % HARNESS_JOBS_MAX].type, MESSAGE_DURABLE);
	(void)harness_deliver_next(&h);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_WRITE), 1);
	ck_assert(harness_slot_bit(&h, 0, 5));
	harness_finish_all(&h, EFFECT_WRITE, 0);
	ck_assert(!harness_slot_bit(&h, 0, 5) && harness_slot_bit(&h, 0, 6));
	ck_assert_uint_eq(harness_status(&h).lost_count, 2);
}
END_TEST

/* Failed by the first flush, the base in a sense too: its write fails, and the slot bit waits for the next one. */
START_TEST(base_write_fails_after_a_failed_flush)
{
	harness_open(&h, LUID);
	write_and_clear(5);
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	h.status[EFFECT_WRITE] = -EIO;
	harness_advance(&h, IDLE_MS + 5000);
	ck_assert(harness_slot_bit(&h, 0, 5) && harness_base_bit(&h, 5));
	h.status[EFFECT_WRITE] = 0;
	harness_advance(&h, 5000);
	ck_assert(!harness_slot_bit(&h, 0, 5) && !harness_base_bit(&h, 5));
}
END_TEST

/* H6: the kernel swallowed the error of its flush; the letter, read after ours, tells it. */
START_TEST(h6_letter_after_a_good_flush)
{
	harness_open(&h, LUID);
	write_and_clear(5);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, IDLE_MS + 1100);
	strcpy(h.letters, "AF");
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	ck_assert(!harness_base_bit(&h, 5) && !harness_slot_bit(&h, 0, 5));
	ck_assert_uint_eq(h.events[EVENT_LEG_FAILED], 1);
	ck_assert(harness_status(&h).legs_failed);
}
END_TEST

/* A reading that began before the flush ended does not count. */
START_TEST(letters_read_too_early)
{
	struct input event = { .type = INPUT_DM_EVENT };

	harness_open(&h, LUID);
	write_and_clear(5);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	h.keep[EFFECT_READ_HEALTH] = true;
	harness_advance(&h, IDLE_MS + 1100);
	harness_input(&h, &event);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_READ_HEALTH), 1);
	harness_finish(&h, harness_job(&h, EFFECT_FLUSH_LEGS), 0);
	harness_finish(&h, harness_job(&h, EFFECT_READ_HEALTH), 0);
	ck_assert(harness_slot_bit(&h, 0, 5));
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_READ_HEALTH), 1);
	strcpy(h.letters, "AD");
	harness_finish(&h, harness_job(&h, EFFECT_READ_HEALTH), 0);
	ck_assert(!harness_slot_bit(&h, 0, 5) && !harness_base_bit(&h, 5));
}
END_TEST

/* do_recovery() makes every letter A again when it hears that all is in sync. */
START_TEST(letter_that_goes_back_to_a)
{
	struct input event = { .type = INPUT_DM_EVENT };

	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
	strcpy(h.letters, "AF");
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_LEG_FAILED], 1);
	strcpy(h.letters, "AA");
	harness_input(&h, &event);
	harness_advance(&h, 10000);
	ck_assert(harness_status(&h).legs_failed);
	ck_assert_uint_eq(h.copy_count, 0);
	write_and_clear(5);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_destroy(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	harness_advance(&h, 10000);
	ck_assert(!harness_status(&h).legs_failed);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
	ck_assert_uint_eq(h.events[EVENT_IN_SYNC], 1);
}
END_TEST

/* More regions than one message carries. */
START_TEST(many_are_lost)
{
	harness_put_kernel_log(&h, 256, 256);
	(void)harness_ctr(&h, LUID, "262144 clustered-disk 254:0 1024");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	for (uint64_t r = 0; r < 200; r++)
		(void)harness_ask_region(&h, REQUEST_MARK, LUID, r);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 150);
	h.status[EFFECT_FLUSH_LEGS] = -EIO;
	harness_advance(&h, IDLE_MS + 1100);
	ck_assert_uint_eq(harness_status(&h).lost_count, 200);
	for (uint64_t r = 0; r < 256; r++)
		ck_assert_int_eq(harness_base_bit(&h, r), r >= 200);
	ck_assert_uint_eq(h.events[EVENT_LEG_FLUSH_FAILED], 1);
}
END_TEST

/* A core log has nothing on a device: its holds end at once, and no leg is flushed. */
START_TEST(core_log)
{
	(void)harness_ctr(&h, LUID, HARNESS_CORE " nosync");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	for (uint64_t r = 0; r < 20; r++)
		write_and_clear(r);
	ck_assert_uint_eq(harness_status(&h).held_count, 16);
	harness_advance(&h, IDLE_MS + 1000);
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
	harness_suspend(&h, LUID);
	ck_assert(harness_answered(&h, h.seq, 0));
	ck_assert_uint_eq(h.effects[EFFECT_FLUSH_LEGS], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_release");
	TCase *tests = tcase_create("release");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, idle_timeout);
	tcase_add_test(tests, idle_begins_with_the_clear);
	tcase_add_test(tests, lru_overflow);
	tcase_add_test(tests, clear_during_the_flush);
	tcase_add_test(tests, mark_during_the_flush);
	tcase_add_test(tests, slot_bit_of_two_regions);
	tcase_add_test(tests, base_bit_after_the_flush);
	tcase_add_test(tests, loss_before_the_base_bit);
	tcase_add_test(tests, base_write_error);
	tcase_add_test(tests, failed_flush_of_the_legs);
	tcase_add_test(tests, base_write_fails_after_a_failed_flush);
	tcase_add_test(tests, h6_letter_after_a_good_flush);
	tcase_add_test(tests, letters_read_too_early);
	tcase_add_test(tests, letter_that_goes_back_to_a);
	tcase_add_test(tests, many_are_lost);
	tcase_add_test(tests, core_log);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
