/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that is killed, and one that finds what it left: marks, holds and reports go on as they were. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"
#include "daemon/core/bitmap.h"
#include "daemon/core/kept.h"

#define LUID 0x1000
#define NEW 0x2000

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	h.keeps = true;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

static void restart(void)
{
	harness_restart(&h);
	harness_predecessor(&h, HARNESS_UUID);
}

static void clear(uint64_t region)
{
	ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_CLEAR, LUID, region), 0));
}

static void write_region(uint64_t luid, uint64_t region)
{
	ck_assert(harness_answered(&h, harness_write(&h, luid, region), 0));
}

static bool copied(uint64_t region)
{
	for (uint32_t i = 0; i < h.copy_count; i++)
		if (h.copies[i] == region)
			return true;
	return false;
}

static struct kept *kept(void)
{
	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++)
		if (h.kept[i].memory != NULL)
			return h.kept[i].memory;
	abort();
}

enum kept_bitmap { MARKED, HELD, PENDING, LEAVING, RELEASING, UNSYNCED };

/* The word of 64 regions, which are all. */
static uint64_t *kept_word(enum kept_bitmap bitmap)
{
	uint8_t *bytes = (uint8_t *)kept() + ((sizeof(struct kept) + 63) & ~(size_t)63);

	return (void *)(bytes + bitmap * bitmap_words_bytes(HARNESS_REGIONS));
}

static void expect_unknown(void)
{
	ck_assert_uint_eq(h.events[EVENT_KNOWN_PAST], 0);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 1);
	ck_assert(harness_status(&h).everything_held);
}

START_TEST(goes_on)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	write_region(LUID, 7);
	clear(7);
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 0);
	ck_assert_uint_eq(h.events[EVENT_KNOWN_PAST], 1);
	ck_assert_uint_eq(h.last_event[EVENT_KNOWN_PAST].number, 2);
	ck_assert_uint_eq(h.last_event[EVENT_KNOWN_PAST].region, 1);
	ck_assert_uint_eq(harness_status(&h).marked_count, 1);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert_int_eq(harness_slot_bit(&h, 0, r), r == 5 || r == 7);
	/* The opening has merged the slot: what was idle is copied, what is marked is not. */
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 1);
	ck_assert(copied(7) && !copied(5));
	ck_assert(!harness_disk_clean(&h, 5) && harness_disk_clean(&h, 7));
	clear(5);
	harness_advance(&h, 60000);
	ck_assert(harness_disk_clean(&h, 5));
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
}
END_TEST

/* A resync goes on without a new table. */
START_TEST(resync_goes_on)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 32);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	write_region(LUID, 60);
	memset(h.keep, 0, sizeof(h.keep));
	restart();
	harness_open(&h, LUID);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS - 1);
	ck_assert(!copied(60));
	clear(60);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(harness_status(&h).sync_count, HARNESS_REGIONS);
}
END_TEST

/* MARK has been answered, FLUSH not: it comes again, to a daemon that never saw the MARK. */
START_TEST(mark_without_flush)
{
	harness_open(&h, LUID);
	(void)harness_ask_region(&h, REQUEST_MARK, LUID, 9);
	restart();
	h.keep[EFFECT_WRITE] = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	harness_finish_all(&h, EFFECT_WRITE, 0);
	h.keep[EFFECT_WRITE] = false;
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(harness_slot_bit(&h, 0, 9) && !harness_disk_clean(&h, 9));
}
END_TEST

START_TEST(killed_twice)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	restart();
	h.keep[EFFECT_READ] = true;
	harness_open(&h, LUID);
	memset(h.keep, 0, sizeof(h.keep));
	restart();
	harness_open(&h, LUID);
	write_region(LUID, 6);
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 0);
	ck_assert_uint_eq(harness_status(&h).marked_count, 2);
	ck_assert(!harness_disk_clean(&h, 5) && !harness_disk_clean(&h, 6));
}
END_TEST

/* What the kernel reported lost is written on one leg: not copied while its table lives. */
START_TEST(reports)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	ck_assert(
		harness_answered(&h, harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 5), 0));
	clear(5);
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(harness_status(&h).reported_count, 1);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(!harness_disk_clean(&h, 5));
	/* Suspended, killed once more, resumed: its table lives still. */
	harness_suspend(&h, LUID);
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST] + h.events[EVENT_KNOWN_PAST], 0);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_destroy(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	harness_advance(&h, 5000);
	ck_assert(copied(5) && harness_disk_clean(&h, 5));
}
END_TEST

/* Nobody knows what a leg kept whose flush was under way. */
START_TEST(flush_under_way)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	write_region(LUID, 6);
	clear(6);
	h.keep[EFFECT_FLUSH_LEGS] = true;
	harness_advance(&h, 20000);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_FLUSH_LEGS), 1);
	memset(h.keep, 0, sizeof(h.keep));
	restart();
	harness_open(&h, LUID);
	harness_advance(&h, 60000);
	ck_assert(copied(6) && !copied(5));
}
END_TEST

START_TEST(failed_leg)
{
	harness_open(&h, LUID);
	write_region(LUID, 6);
	clear(6);
	h.status[EFFECT_FLUSH_LEGS] = -5;
	harness_advance(&h, 20000);
	ck_assert(harness_status(&h).legs_failed);
	h.status[EFFECT_FLUSH_LEGS] = 0;
	restart();
	harness_open(&h, LUID);
	ck_assert(harness_status(&h).legs_failed);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(!harness_disk_clean(&h, 6));
}
END_TEST

/* ---- what does not count ---- */

START_TEST(nothing_is_left)
{
	h.keeps = false;
	harness_open(&h, LUID);
	restart();
	harness_open(&h, LUID);
	expect_unknown();
}
END_TEST

START_TEST(of_another_boot)
{
	harness_open(&h, LUID);
	h.config.boot_id[3]++;
	restart();
	harness_open(&h, LUID);
	expect_unknown();
}
END_TEST

START_TEST(spoiled)
{
	harness_open(&h, LUID);
	if (_i == 0)
		kept()->magic[KEPT_MAGIC_BYTES - 1]++;
	else
		kept()->name.region_sectors ^= 1;
	restart();
	harness_open(&h, LUID);
	expect_unknown();
}
END_TEST

/* The mirror's table is another one than that which was live: no daemon that left this can have served it. */
START_TEST(of_another_table)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	harness_restart(&h);
	harness_open(&h, NEW);
	expect_unknown();
	harness_suspend(&h, NEW);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
}
END_TEST

/* The kernel's reconnect loop was between CTR and RESUME: without a listener its request, an IN_SYNC, say, has failed. */
START_TEST(in_a_loop)
{
	struct request ctr = { .luid = LUID, .type = REQUEST_CTR, .constructor_terminated = true };

	strcpy(ctr.constructor, HARNESS_DISK);
	harness_open(&h, LUID);
	(void)harness_ask_request(&h, &ctr);
	if (_i == 1)
		(void)harness_ask(&h, REQUEST_RESUME, LUID);
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], _i == 0);
	ck_assert_uint_eq(h.events[EVENT_KNOWN_PAST], _i == 1);
}
END_TEST

/* Two luids during a reload: which of them is live, when the daemon was killed between? */
START_TEST(reload_while_nobody_listens)
{
	struct request ctr = { .luid = NEW, .type = REQUEST_CTR, .constructor_terminated = true };
	uint32_t flush;

	strcpy(ctr.constructor, HARNESS_DISK);
	harness_open(&h, LUID);
	write_region(LUID, 5);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	restart();
	h.resend = true;
	harness_open(&h, LUID);
	(void)harness_ask_request(&h, &ctr);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], 1);
	if (_i == 0) {
		/* The new one asks about I/O: the old one's POSTSUSPEND found nobody. */
		flush = harness_write(&h, NEW, 6);
		harness_advance(&h, 2000);
		ck_assert(harness_answered(&h, flush, 0));
		ck_assert(harness_slot_bit(&h, 0, 6));
		return;
	}
	/* The old one does: it was an echo of the new one's RESUME. */
	write_region(LUID, 7);
	(void)harness_ask_region(&h, REQUEST_GET_RESYNC_WORK, NEW, 0);
	write_region(LUID, 8);
	ck_assert(harness_slot_bit(&h, 0, 8));
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_int_eq(harness_status(&h).everything_held, false);
	write_region(NEW, 9);
}
END_TEST

/* Everything was held: what is left says so. */
START_TEST(unknown_stays_unknown)
{
	harness_predecessor(&h, HARNESS_UUID);
	harness_open(&h, LUID);
	expect_unknown();
	restart();
	harness_open(&h, LUID);
	expect_unknown();
	/* With a new table all is known again. */
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_destroy(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	write_region(NEW, 5);
	restart();
	harness_open(&h, NEW);
	ck_assert_uint_eq(h.events[EVENT_UNKNOWN_PAST], 0);
	ck_assert_uint_eq(harness_status(&h).held_count, 1);
}
END_TEST

/* It was released with its log. */
START_TEST(gone_with_its_log)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	harness_destroy(&h, LUID);
	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++)
		ck_assert_ptr_null(h.kept[i].memory);
}
END_TEST

/* ---- killed between two instructions ---- */

/* Each line: what was there at that moment, and what is held, or on its way out, behind it. */
static const struct {
	uint64_t marked, held, pending, leaving, releasing;
	uint64_t slot, marks;
} moments[] = {
	{ .marked = 1, .slot = 1, .marks = 1 },               /* MARK: held not yet looked at */
	{ .marked = 1, .pending = 1, .slot = 1, .marks = 1 }, /* FLUSH is to come */
	{ .marked = 1, .pending = 1, .held = 1, .slot = 1, .marks = 1 }, /* granted */
	{ .pending = 1, .slot = 1 }, /* CLEAR of what was not held yet */
	{ .pending = 1, .leaving = 1, .slot = 1 },
	{ .held = 1, .slot = 1 },               /* idle */
	{ .held = 1, .leaving = 1, .slot = 1 }, /* idle no more */
	{ .leaving = 1, .slot = 1 },            /* let go for a window */
	{ .held = 1, .leaving = 1, .releasing = 1, .slot = 1 },
	{ .held = 1, .releasing = 1, .slot = 1 }, /* behind a flush */
	{ .releasing = 1, .slot = 1 },
	{ .marked = 1,
	  .held = 1,
	  .releasing = 1,
	  .slot = 1,
	  .marks = 1 }, /* MARK during that flush */
	{ .marked = 1, .held = 1, .leaving = 1, .slot = 1, .marks = 1 },
};

#define MOMENTS ((int)(sizeof(moments) / sizeof(moments[0])))

START_TEST(between_two_instructions)
{
	uint64_t bit = UINT64_C(1) << 20;

	harness_open(&h, LUID);
	*kept_word(MARKED) = moments[_i].marked * bit;
	*kept_word(HELD) = moments[_i].held * bit;
	*kept_word(PENDING) = moments[_i].pending * bit;
	*kept_word(LEAVING) = moments[_i].leaving * bit;
	*kept_word(RELEASING) = moments[_i].releasing * bit;
	restart();
	harness_open(&h, LUID);
	(void)harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert(harness_slot_bit(&h, 0, 20));
	ck_assert_uint_eq(harness_status(&h).marked_count, moments[_i].marks);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(harness_slot_bit(&h, 0, 20), moments[_i].marks);
	if (moments[_i].marks != 0)
		clear(20);
	harness_advance(&h, 60000);
	ck_assert(!harness_slot_bit(&h, 0, 20));
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
}
END_TEST

/* More idle ones than the list takes. */
START_TEST(many_idle)
{
	harness_open(&h, LUID);
	*kept_word(HELD) = UINT64_MAX;
	restart();
	harness_open(&h, LUID);
	ck_assert_uint_eq(h.last_event[EVENT_KNOWN_PAST].number, HARNESS_REGIONS);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(harness_status(&h).held_count, 0);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_disk_clean(&h, r));
}
END_TEST

/* What it held stands nowhere when the device cannot be written. */
START_TEST(unwritable_log_device)
{
	harness_open(&h, LUID);
	write_region(LUID, 5);
	restart();
	h.status[EFFECT_WRITE] = -5;
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), -5));
	h.status[EFFECT_WRITE] = 0;
	harness_advance(&h, 10000);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_kept");
	TCase *tests = tcase_create("kept");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, goes_on);
	tcase_add_test(tests, resync_goes_on);
	tcase_add_test(tests, mark_without_flush);
	tcase_add_test(tests, killed_twice);
	tcase_add_test(tests, reports);
	tcase_add_test(tests, flush_under_way);
	tcase_add_test(tests, failed_leg);
	tcase_add_test(tests, nothing_is_left);
	tcase_add_test(tests, of_another_boot);
	tcase_add_loop_test(tests, spoiled, 0, 2);
	tcase_add_test(tests, of_another_table);
	tcase_add_loop_test(tests, in_a_loop, 0, 2);
	tcase_add_loop_test(tests, reload_while_nobody_listens, 0, 2);
	tcase_add_test(tests, unknown_stays_unknown);
	tcase_add_test(tests, gone_with_its_log);
	tcase_add_loop_test(tests, between_two_instructions, 0, MOMENTS);
	tcase_add_test(tests, many_idle);
	tcase_add_test(tests, unwritable_log_device);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
