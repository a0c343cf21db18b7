/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a log: sync and nosync, kinds, proof that a slot's owner is stopped, and an error or a crash at every step. */
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
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
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

/* The node dies with region 5 held in slot 0, all others in sync; another daemon is to find it so. */
static void crash(void)
{
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	h.config.boot_id[0]++;
	harness_restart(&h);
}

static void open_with(uint64_t luid, const char *constructor)
{
	(void)harness_ctr(&h, luid, constructor);
	(void)harness_ask(&h, REQUEST_RESUME, luid);
	ck_assert(harness_answered(&h, h.seq, 0));
}

/* ---- sync and nosync (F21) ---- */

START_TEST(f21_nosync)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
	open_with(LUID, HARNESS_DISK " nosync");
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert(harness_disk_clean(&h, r));
	ck_assert(!harness_base_bit(&h, HARNESS_REGIONS));
	/* Not when the same luid is resumed again. */
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 5);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	ck_assert_uint_eq(harness_status(&h).lost_count, 1);
}
END_TEST

/* 0/50223: a daemon that is started again knows of no RESUME before; the kernel's loop builds what was. */
START_TEST(f21_nosync_of_the_reconnect_loop)
{
	struct request ctr = { .type = REQUEST_CTR,
			       .luid = LUID,
			       .constructor = HARNESS_DISK " nosync",
			       .constructor_terminated = _i == 0 };

	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
	open_with(LUID, ctr.constructor);
	(void)harness_ask_region(&h, REQUEST_SET_REGION_SYNC, LUID, 5);
	harness_suspend(&h, LUID);
	harness_restart(&h);
	h.keep[EFFECT_OPEN_LEGS] = true; /* no copies */
	(void)harness_ask_request(&h, &ctr);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(sync_count(), _i == 0 ? HARNESS_REGIONS - 1 : HARNESS_REGIONS);
}
END_TEST

START_TEST(f21_sync)
{
	h.keep[EFFECT_OPEN_LEGS] = true;
	open_with(LUID, HARNESS_DISK " sync");
	ck_assert_uint_eq(sync_count(), 0);
	ck_assert(!harness_base_bit(&h, 0) && !harness_base_bit(&h, 63));
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
}
END_TEST

START_TEST(f21_nosync_over_a_slot_in_use)
{
	crash();
	h.keep[EFFECT_OPEN_LEGS] = true;
	open_with(NEW, HARNESS_DISK " nosync");
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

START_TEST(f21_nosync_over_an_unreadable_slot)
{
	crash();
	h.disk[4096 + 100] ^= 1;
	h.keep[EFFECT_OPEN_LEGS] = true;
	open_with(NEW, HARNESS_DISK " nosync");
	ck_assert_uint_eq(sync_count(), 0);
}
END_TEST

/* ---- kinds ---- */

/* The same luid: what its kernel was told in sync is lost, not never (G12); what it was not, is not (G14). */
START_TEST(g12_same_luid_after_closing)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 32);
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	ck_assert_uint_eq(sync_count(), 32);
	harness_suspend(&h, LUID);
	harness_put_kernel_log(&h, HARNESS_REGIONS, 40);
	h.disk[DISK_BITMAP_OFFSET_BYTES] = 0;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(sync_count(), 32);
	ck_assert_uint_eq(harness_status(&h).lost_count, 8);
	ck_assert_uint_eq(harness_number(&h, harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 0)), 1);
	/* And once more: lost stays lost. */
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(harness_status(&h).lost_count, 8);
	/* C1: another luid's kernel was told nothing. */
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_destroy(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(harness_status(&h).lost_count, 0);
	ck_assert_uint_eq(sync_count(), 32);
}
END_TEST

/* H1: a core log belongs to its luid. */
START_TEST(h1_core_log)
{
	open_with(LUID, HARNESS_CORE);
	harness_advance(&h, 5000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	h.keep[EFFECT_OPEN_LEGS] = true;
	(void)harness_ctr(&h, NEW, HARNESS_CORE);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(sync_count(), 0);
	ck_assert_uint_eq(harness_status(&h).lost_count, 0);
	(void)harness_ctr(&h, 0x3000, HARNESS_CORE " nosync");
	(void)harness_ask(&h, REQUEST_PRESUSPEND, NEW);
	h.keep[EFFECT_OPEN_LEGS] = false;
	harness_run(&h);
	(void)harness_ask(&h, REQUEST_POSTSUSPEND, NEW);
	h.keep[EFFECT_OPEN_LEGS] = true;
	(void)harness_ask(&h, REQUEST_RESUME, 0x3000);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS);
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_DEVICE], 0);
}
END_TEST

/* ---- whose slot (H12) ---- */

struct owner {
	const char *cluster_before, *cluster;
	uint32_t node;
	bool other_machine, other_boot;
	bool proven;
};

static const struct owner owners[] = {
	{ "none", "none", 1, false, false, true }, /* our predecessor */
	{ "none", "none", 1, false, true, true },  { "none", "none", 2, false, true, true },
	{ "none", "none", 1, true, true, false }, /* every single node is node 1 */
	{ "none", "c", 1, true, true, false },     { "c", "none", 1, true, true, false },
	{ "c", "d", 1, true, true, false },        { "c", "c", 1, true, true, true },
	{ "c", "c", 1, true, false, false },       { "c", "c", 2, true, true, false },
	{ "c", "c", 2, false, true, true },
};

#define OWNERS ((int)(sizeof(owners) / sizeof(owners[0])))

static uint32_t open_after(const struct owner *owner)
{
	strcpy(h.config.cluster_name, owner->cluster_before);
	harness_restart(&h);
	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 5);
	strcpy(h.config.cluster_name, owner->cluster);
	h.config.node_id = owner->node;
	h.config.machine_id[0] = (uint8_t)(h.config.machine_id[0] + owner->other_machine);
	h.config.boot_id[0] = (uint8_t)(h.config.boot_id[0] + owner->other_boot);
	harness_restart(&h);
	h.keep[EFFECT_OPEN_LEGS] = true;
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	return harness_ask(&h, REQUEST_RESUME, NEW);
}

START_TEST(h12_proof)
{
	const struct owner *owner = &owners[_i];
	uint32_t resume = open_after(owner);

	harness_advance(&h, 3600000);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_int_eq(harness_answer(&h, resume) != NULL, owner->proven);
	ck_assert_uint_eq(h.events[EVENT_WAITING_FOR_SLOT], !owner->proven);
	ck_assert(!harness_disk_clean(&h, 5));
	if (owner->proven)
		ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	else
		ck_assert_uint_eq(h.effects[EFFECT_WRITE], 0);
}
END_TEST

START_TEST(h12_takeover_delay)
{
	uint32_t resume;

	h.config.takeover_delay_ms = 60000;
	resume = open_after(&owners[3]);
	ck_assert_ptr_nonnull(strstr(h.last_text[EVENT_WAITING_FOR_SLOT], "slot 0 of node 1"));
	harness_advance(&h, 59900);
	ck_assert_ptr_null(harness_answer(&h, resume));
	harness_advance(&h, 200);
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	ck_assert(!harness_disk_clean(&h, 5) && harness_disk_clean(&h, 4));
}
END_TEST

/* ---- an error at every step ---- */

/* Lets the n-th job of this type fail, and does all others; returns whether there was an n-th one. */
static bool fail_nth(enum effect_type type, int n)
{
	for (int i = 0; harness_job(&h, type) != NULL; i++) {
		harness_finish(&h, harness_job(&h, type), i == n ? -EIO : 0);
		if (i == n)
			return true;
	}
	return false;
}

static int fail_while_opening(enum effect_type type, int n)
{
	uint32_t resume;

	crash();
	h.keep[type] = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	resume = harness_ask(&h, REQUEST_RESUME, LUID);
	if (!fail_nth(type, n))
		return 0;
	h.keep[type] = false;
	harness_run(&h);
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert_uint_eq(h.events[EVENT_OPEN_FAILED], 1);
	ck_assert_uint_eq(h.events[EVENT_OPENED], 0);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 7), -EIO));
	ck_assert(harness_status(&h).device_failed);
	ck_assert_uint_eq(sync_count(), 0);
	harness_advance(&h, 4000);
	ck_assert_uint_eq(h.copy_count, 0);
	ck_assert(!harness_disk_clean(&h, 5));
	harness_suspend(&h, LUID);
	ck_assert(harness_answered(&h, h.seq, 0));
	ck_assert_uint_eq(h.events[EVENT_CLOSED], 0);
	ck_assert(!harness_disk_clean(&h, 5));
	/* The device is well again: the next RESUME reads it. */
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(h.events[EVENT_OPENED], 1);
	ck_assert_uint_eq(sync_count() + harness_status(&h).lost_count, HARNESS_REGIONS);
	ck_assert(!harness_status(&h).device_failed);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 7), 0));
	ck_assert(!harness_disk_clean(&h, 7));
	return 1;
}

/* A kernel that was told "in sync" is told nothing else: lost, not never. */
START_TEST(unreadable_for_the_same_luid)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 40);
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, LUID);
	harness_suspend(&h, LUID);
	h.status[EFFECT_READ] = -EIO;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert_uint_eq(harness_status(&h).lost_count, 40);
	ck_assert_uint_eq(harness_number(&h, harness_ask_region(&h, REQUEST_IN_SYNC, LUID, 0)), 1);
}
END_TEST

/* It is tried again while the mirror is in use; people hear of it once. */
START_TEST(unreadable_for_a_while)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 40);
	h.status[EFFECT_COPY] = -EIO;
	h.status[EFFECT_READ] = -EIO;
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 7), -EIO));
	harness_advance(&h, 30000);
	ck_assert_uint_eq(h.events[EVENT_OPEN_FAILED], 1);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 8), -EIO));
	h.status[EFFECT_READ] = 0;
	harness_advance(&h, 6000);
	ck_assert_uint_eq(h.events[EVENT_OPENED], 1);
	ck_assert(!harness_status(&h).device_failed);
	ck_assert_uint_eq(sync_count(), 40);
	/* What it had marked meanwhile is held, and may be written. */
	ck_assert(!harness_disk_clean(&h, 7) && !harness_disk_clean(&h, 8));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	harness_suspend(&h, LUID);
	ck_assert_uint_eq(h.events[EVENT_CLOSED], 1);
}
END_TEST

/* Head, base, four slot headers, a slot. */
START_TEST(every_read_fails)
{
	ck_assert_int_eq(fail_while_opening(EFFECT_READ, _i), _i < 6);
}
END_TEST

/* Base, slot bitmap, superblock, slot header; the kernel's header says 0 already. */
START_TEST(every_write_fails)
{
	ck_assert_int_eq(fail_while_opening(EFFECT_WRITE, _i), _i < 4);
}
END_TEST

/* ---- a crash at every step: the device never says more than before ---- */

static void crash_after_writes(int n)
{
	h.keep[EFFECT_WRITE] = true;
	harness_open(&h, NEW);
	for (int i = 0; i < n && harness_job(&h, EFFECT_WRITE) != NULL; i++)
		harness_finish(&h, harness_job(&h, EFFECT_WRITE), 0);
	for (uint64_t r = 0; r < HARNESS_REGIONS; r++)
		ck_assert_int_eq(harness_disk_clean(&h, r), r != 5);
	h.config.boot_id[0]++;
	harness_restart(&h);
	h.keep[EFFECT_WRITE] = false;
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, NEW);
	ck_assert_uint_eq(sync_count(), HARNESS_REGIONS - 1);
	ck_assert(!harness_disk_clean(&h, 5) && harness_disk_clean(&h, 63));
}

START_TEST(crash_during_an_opening_after_a_crash)
{
	crash();
	crash_after_writes(_i);
}
END_TEST

START_TEST(crash_during_an_opening_of_the_kernels_log)
{
	h.disk[DISK_BITMAP_OFFSET_BYTES] = 0xdf;
	crash_after_writes(_i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_opening_rules");
	TCase *tests = tcase_create("opening_rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, f21_nosync);
	tcase_add_loop_test(tests, f21_nosync_of_the_reconnect_loop, 0, 2);
	tcase_add_test(tests, f21_sync);
	tcase_add_test(tests, f21_nosync_over_a_slot_in_use);
	tcase_add_test(tests, f21_nosync_over_an_unreadable_slot);
	tcase_add_test(tests, g12_same_luid_after_closing);
	tcase_add_test(tests, h1_core_log);
	tcase_add_loop_test(tests, h12_proof, 0, OWNERS);
	tcase_add_test(tests, h12_takeover_delay);
	tcase_add_test(tests, unreadable_for_the_same_luid);
	tcase_add_test(tests, unreadable_for_a_while);
	tcase_add_loop_test(tests, every_read_fails, 0, 7);
	tcase_add_loop_test(tests, every_write_fails, 0, 7);
	tcase_add_loop_test(tests, crash_during_an_opening_after_a_crash, 0, 8);
	tcase_add_loop_test(tests, crash_during_an_opening_of_the_kernels_log, 0, 8);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
