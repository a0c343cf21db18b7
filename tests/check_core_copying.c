/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copying in windows: what is chosen, what ends a window, and what a FLUSH inside waits for. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000
#define PEER 2

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

static uint64_t sync_count(void)
{
	return harness_status(&h).sync_count;
}

static void report_lost(uint64_t luid, uint64_t region)
{
	uint32_t seq = harness_ask_region(&h, REQUEST_SET_REGION_SYNC, luid, region);

	ck_assert(harness_answered(&h, seq, 0));
}

static void peer_health(bool failed)
{
	struct group_message health = harness_message(MESSAGE_HEALTH, PEER);

	health.legs_failed = failed;
	harness_deliver(&h, &health);
}

static void peer_loses(uint64_t region)
{
	struct group_message lost = harness_message(MESSAGE_LOST, PEER);

	lost.region_count = 1;
	lost.regions[0] = region;
	harness_deliver(&h, &lost);
}

/* ---- what is copied ---- */

START_TEST(everything_once)
{
	bool seen[HARNESS_REGIONS] = { false };

	harness_open(&h, LUID);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	ck_assert_uint_eq(h.copy_count, HARNESS_REGIONS);
	for (uint32_t i = 0; i < h.copy_count; i++) {
		ck_assert(!seen[h.copies[i]]);
		seen[h.copies[i]] = true;
	}
	ck_assert_uint_eq(h.events[EVENT_IN_SYNC], 1);
	ck_assert_uint_eq(h.last_event[EVENT_IN_SYNC].number, HARNESS_REGIONS);
	ck_assert_uint_eq(harness_status(&h).regions_copied, HARNESS_REGIONS);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_disk_clean(&h, r));
}
END_TEST

START_TEST(lengths_and_offsets)
{
	const struct effect_copy *copy;

	harness_put_kernel_log(&h, 3, 1);
	h.keep[EFFECT_COPY] = true;
	(void)harness_ctr(&h, LUID, "2500 clustered-disk 254:0 1024");
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	copy = &harness_job(&h, EFFECT_COPY)->effect.copy;
	ck_assert_uint_eq(copy->region, 1);
	ck_assert_uint_eq(copy->offset_sectors, 1024);
	ck_assert_uint_eq(copy->length_sectors, 1024);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	copy = &harness_job(&h, EFFECT_COPY)->effect.copy;
	ck_assert_uint_eq(copy->region, 2);
	ck_assert_uint_eq(copy->offset_sectors, 2048);
	ck_assert_uint_eq(copy->length_sectors, 452);
}
END_TEST

START_TEST(copies_in_flight)
{
	h.config.resync_bytes_per_second = UINT64_MAX;
	harness_restart(&h);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_COPY), 4);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_COPY), 4);
}
END_TEST

/* 512 KiB regions, 2 of them a second. */
START_TEST(rate_limit)
{
	h.config.resync_bytes_per_second = 1024 * 1024;
	harness_restart(&h);
	harness_open(&h, LUID);
	harness_advance(&h, 10000);
	ck_assert_uint_ge(sync_count(), 18);
	ck_assert_uint_le(sync_count(), 22);
}
END_TEST

START_TEST(lost_before_never)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	memset(h.disk + DISK_BITMAP_OFFSET_BYTES, 0, 4);
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	ck_assert_uint_eq(sync_count(), 32);
	h.peers_grant = true;
	harness_peer_joins(&h, PEER);
	peer_loses(60);
	ck_assert_uint_eq(harness_status(&h).lost_count, 1);
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(h.copies[0], 60);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

/* ---- whether ---- */

START_TEST(not_with_a_failed_leg_of_another_member)
{
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	h.peers_grant = true;
	harness_peer_joins(&h, PEER);
	peer_health(true);
	h.copy_count = 0;
	h.status[EFFECT_COPY] = 0;
	harness_advance(&h, 10000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(harness_status(&h).legs_failed);
	peer_health(false);
	ck_assert(!harness_status(&h).legs_failed);
	harness_advance(&h, 10000);
	ck_assert_uint_eq(h.copy_count, HARNESS_REGIONS);
}
END_TEST

/* The letters are read after the grant; a leg that has failed by then is not copied to. */
START_TEST(letters_after_the_grant)
{
	h.keep[EFFECT_READ_HEALTH] = true;
	harness_open(&h, LUID);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_READ_HEALTH), 1);
	ck_assert_uint_eq(h.copy_count, 0);
	strcpy(h.letters, "AS");
	harness_finish_all(&h, EFFECT_READ_HEALTH, 0);
	harness_advance(&h, 10000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 0), 0));
}
END_TEST

START_TEST(unreadable_letters)
{
	h.status[EFFECT_READ_HEALTH] = -ENODEV;
	harness_open(&h, LUID);
	ck_assert(!h.spun);
	harness_advance(&h, 10000);
	ck_assert_uint_le(h.effects[EFFECT_READ_HEALTH], 12);
	ck_assert_uint_eq(h.copy_count, 0);
	h.status[EFFECT_READ_HEALTH] = 0;
	harness_advance(&h, 2000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

START_TEST(suspended_after_the_grant)
{
	h.keep[EFFECT_READ_HEALTH] = true;
	harness_open(&h, LUID);
	h.suspended = true;
	harness_finish_all(&h, EFFECT_READ_HEALTH, 0);
	ck_assert_uint_eq(h.copy_count, 0);
	h.suspended = false;
	h.keep[EFFECT_READ_HEALTH] = false;
	harness_advance(&h, 100);
	ck_assert_uint_gt(h.copy_count, 0);
}
END_TEST

/* ---- what a kernel reported ---- */

/* F17: its hash has an entry that makes it write on one leg; not before another table has taken its place. */
START_TEST(reported_loss)
{
	uint32_t seq;

	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
	h.keep_messages = true;
	seq = harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 9);
	ck_assert_ptr_null(harness_answer(&h, seq));
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	h.keep_messages = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert_uint_eq(harness_status(&h).lost_count, 1);
	ck_assert(!harness_base_bit(&h, 9));
	ck_assert_uint_eq(h.events[EVENT_REGION_LOST], 1);
	report_lost(LUID, 9);
	ck_assert_uint_eq(h.events[EVENT_REGION_LOST], 1);
	harness_advance(&h, 60000);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 0);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(h.copy_count, 1);
	ck_assert_uint_eq(h.copies[0], 9);
}
END_TEST

START_TEST(set_region_sync_1_means_nothing)
{
	struct request request = { .type = REQUEST_SET_REGION_SYNC,
				   .luid = LUID,
				   .region_count = 1,
				   .regions = { 9 },
				   .in_sync = 1 };

	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_ask_request(&h, &request), 0));
	ck_assert_uint_eq(sync_count(), 0);
}
END_TEST

/* POSTSUSPEND is on its way; the report still gets its answer. */
START_TEST(loss_reported_while_leaving)
{
	uint32_t seq;

	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	h.keep_messages = true;
	(void)harness_ask(&h, REQUEST_POSTSUSPEND, LUID);
	seq = harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 5);
	while (harness_deliver_next(&h))
		;
	ck_assert(harness_answered(&h, seq, 0));
}
END_TEST

/* A loss ordered after the claim wins over the copy (G6). */
START_TEST(g6_loss_during_a_window)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS - 2);
	h.keep[EFFECT_COPY] = true;
	h.peers_grant = true;
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	harness_peer_joins(&h, PEER);
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	ck_assert_uint_eq(h.copy_count, 2);
	peer_loses(62);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	harness_advance(&h, 2000);
	ck_assert(!harness_base_bit(&h, 62) && harness_base_bit(&h, 63));
	/* It is copied again. */
	ck_assert_uint_eq(h.copy_count, 3);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

/* ---- windows and writes ---- */

START_TEST(flush_waits_for_the_window)
{
	uint32_t flush;

	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	flush = harness_write(&h, LUID, 2);
	ck_assert_ptr_null(harness_answer(&h, flush));
	ck_assert(!harness_slot_bit(&h, 0, 2));
	while (harness_job(&h, EFFECT_COPY)->effect.copy.region != 2)
		harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 2));
}
END_TEST

/* A marked region is not claimed; an idle one is let go. */
START_TEST(marked_and_idle_regions)
{
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 20);
	(void)harness_write(&h, LUID, 21);
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 21);
	h.status[EFFECT_COPY] = 0;
	harness_advance(&h, 10000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	ck_assert_uint_eq(harness_status(&h).held_count, 1);
	ck_assert(!harness_disk_clean(&h, 20) && harness_disk_clean(&h, 21));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 20);
	harness_advance(&h, 10000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

START_TEST(failed_copy_keeps_no_window)
{
	uint64_t begun;
	uint32_t flush;

	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	begun = h.now_ms;
	for (uint64_t r = 0; r < 8; r++)
		(void)harness_ask_region(&h, REQUEST_MARK, LUID, r);
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	while (harness_answer(&h, flush) == NULL && h.now_ms < begun + 600000)
		harness_advance(&h, 100);
	ck_assert_uint_le(h.now_ms - begun, 5500);
	ck_assert_uint_ge(h.events[EVENT_COPY_FAILED], 1);
}
END_TEST

/* Each failure in a row makes the rest longer. */
START_TEST(failed_copies_back_off)
{
	h.status[EFFECT_COPY] = -EIO;
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS - 1);
	harness_open(&h, LUID);
	harness_advance(&h, 200000);
	ck_assert_uint_ge(h.copy_count, 6);
	ck_assert_uint_le(h.copy_count, 12);
}
END_TEST

/* H7: after five seconds the window is void: a FLUSH inside goes on, and the region is copied again only when the
 * first copy has ended, more and more seldom. */
START_TEST(h7_copy_that_hangs)
{
	uint32_t flush;

	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS - 1);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	flush = harness_write(&h, LUID, 63);
	harness_advance(&h, 4900);
	ck_assert_ptr_null(harness_answer(&h, flush));
	harness_advance(&h, 200);
	ck_assert(harness_answered(&h, flush, 0));
	ck_assert(harness_slot_bit(&h, 0, 63));
	(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, 63);
	harness_advance(&h, 60000);
	ck_assert_uint_eq(h.copy_count, 1);
	harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	for (int i = 0; i < 1800; i++) {
		harness_advance(&h, 1000);
		if (i % 6 == 5 && harness_job(&h, EFFECT_COPY) != NULL)
			harness_finish(&h, harness_job(&h, EFFECT_COPY), 0);
	}
	ck_assert_uint_le(h.copy_count, 100);
}
END_TEST

/* A claim that another member does not answer does not hold up a FLUSH for more than a second (H7). */
START_TEST(h7_claim_not_granted)
{
	uint32_t flush;

	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	harness_peer_joins(&h, PEER);
	h.status[EFFECT_COPY] = 0;
	while (h.effects[EFFECT_MULTICAST] < 20)
		harness_advance(&h, 10);
	flush = harness_write(&h, LUID, 8);
	harness_advance(&h, 1100);
	ck_assert(harness_answered(&h, flush, 0));
}
END_TEST

/* One disk that copies a region in 100 ms, and a kernel that writes all the time. */
START_TEST(writes_during_the_resync)
{
	uint64_t worst = 0, begun = 0, region = 0, asked = 0;
	uint32_t flush = 0;

	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	for (int tick = 0; tick < 6000; tick++) {
		struct harness_job *copy = harness_job(&h, EFFECT_COPY);

		harness_advance(&h, 10);
		begun = copy != NULL && begun == 0 ? h.now_ms : begun;
		if (copy != NULL && h.now_ms >= begun + 100) {
			begun = 0;
			harness_finish(&h, copy, 0);
		}
		if (flush == 0) {
			region = (region + 13) % HARNESS_REGIONS;
			asked = h.now_ms;
			flush = harness_write(&h, LUID, region);
		}
		if (harness_answer(&h, flush) != NULL) {
			worst = h.now_ms - asked > worst ? h.now_ms - asked : worst;
			(void)harness_ask_region(&h, REQUEST_CLEAR, LUID, region);
			flush = 0;
		}
		h.answer_count = flush == 0 ? 0 : h.answer_count;
		h.trace_count = 0;
	}
	ck_assert_uint_le(worst, 1500);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_copying");
	TCase *tests = tcase_create("copying");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, everything_once);
	tcase_add_test(tests, lengths_and_offsets);
	tcase_add_test(tests, copies_in_flight);
	tcase_add_test(tests, rate_limit);
	tcase_add_test(tests, lost_before_never);
	tcase_add_test(tests, not_with_a_failed_leg_of_another_member);
	tcase_add_test(tests, letters_after_the_grant);
	tcase_add_test(tests, unreadable_letters);
	tcase_add_test(tests, suspended_after_the_grant);
	tcase_add_test(tests, reported_loss);
	tcase_add_test(tests, set_region_sync_1_means_nothing);
	tcase_add_test(tests, loss_reported_while_leaving);
	tcase_add_test(tests, g6_loss_during_a_window);
	tcase_add_test(tests, flush_waits_for_the_window);
	tcase_add_test(tests, marked_and_idle_regions);
	tcase_add_test(tests, failed_copy_keeps_no_window);
	tcase_add_test(tests, failed_copies_back_off);
	tcase_add_test(tests, h7_copy_that_hangs);
	tcase_add_test(tests, h7_claim_not_granted);
	tcase_add_test(tests, writes_during_the_resync);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
