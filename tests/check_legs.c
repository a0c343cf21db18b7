/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the machine port's legs: opening, copying, flushing, health, and its end in the middle of all that.
 */
#include <check.h>
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine_fixture.h"

/* ---- legs ---- */

static void table_make(uint32_t leg_count, uint64_t leg_bytes, uint64_t length_sectors)
{
	memset(&fake_table, 0, sizeof(fake_table));
	strcpy(fake_table.mirror.uuid, "LVM-the-uuid");
	fake_table.length_sectors = length_sectors;
	fake_table.mirror.leg_count = leg_count;
	for (uint32_t i = 0; i < leg_count; i++) {
		fake_table.mirror.legs[i] =
			(struct table_leg){ .major = 7, .minor = i, .offset_sectors = i * 8 };
		fake_letters[i] = 'A';
		file_make((int)i, leg_bytes);
	}
}

static void table_act(enum effect_type type, uint32_t table)
{
	static const char uuid[] = "LVM-the-uuid";

	act(&(struct effect){ .type = type,
			      .table = { .table = table, .uuid = uuid, .luid = 77 } });
}

static void legs_start(uint32_t table)
{
	table_act(EFFECT_OPEN_LEGS, table);
	await(1);
	ck_assert_int_eq(inputs[0].type, INPUT_LEGS_OPENED);
	ck_assert_int_eq(inputs[0].legs.status, 0);
	forget_inputs();
}

static void copy_act(uint32_t table, uint64_t region, uint64_t offset_sectors,
		     uint32_t length_sectors)
{
	act(&(struct effect){ .type = EFFECT_COPY,
			      .copy = { .table = table,
					.region = region,
					.offset_sectors = offset_sectors,
					.length_sectors = length_sectors } });
}

static void expect_copied(uint32_t i, uint32_t table, uint64_t region, int status)
{
	ck_assert_int_eq(inputs[i].type, INPUT_COPIED);
	ck_assert_uint_eq(inputs[i].copied.table, table);
	ck_assert_uint_eq(inputs[i].copied.region, region);
	ck_assert_int_eq(inputs[i].copied.status, status);
}

static void expect_flushed(uint32_t i, int status)
{
	ck_assert_int_eq(inputs[i].type, INPUT_LEGS_FLUSHED);
	ck_assert_uint_eq(inputs[i].legs.table, 4);
	ck_assert_int_eq(inputs[i].legs.status, status);
}

START_TEST(test_legs_open_close)
{
	int descriptors;

	table_make(2, MIB, 1024);
	fake_letters[1] = 'D';
	descriptors = open_descriptors();
	for (uint32_t i = 0; i < 3; i++) {
		table_act(EFFECT_OPEN_LEGS, 1023);
		await(1);
		ck_assert_int_eq(inputs[0].type, INPUT_LEGS_OPENED);
		ck_assert_int_eq(inputs[0].legs.status, 0);
		ck_assert_uint_eq(inputs[0].legs.table, 1023);
		ck_assert_uint_eq(inputs[0].legs.leg_count, 2);
		ck_assert_mem_eq(inputs[0].legs.letters, "AD", 2);
		table_act(EFFECT_CLOSE_LEGS, 1023);
		await(2);
		ck_assert_int_eq(inputs[1].type, INPUT_LEGS_CLOSED);
		ck_assert_uint_eq(inputs[1].legs.table, 1023);
		ck_assert_int_eq(open_descriptors(), descriptors);
		forget_inputs();
	}
}
END_TEST

/* _i: what is missing */
START_TEST(test_legs_that_do_not_open)
{
	static const int statuses[] = { -ENODEV, -E2BIG, -ENODEV, -ESTALE, -EINVAL };
	int descriptors;

	table_make(2, MIB, 1024);
	if (_i == 0)
		strcpy(fake_table.mirror.uuid, "another");
	if (_i == 1)
		fake_find_status = -E2BIG;
	if (_i == 2)
		fake_table.mirror.legs[1].minor = 5;
	if (_i == 3)
		fake_health_status = -ESTALE;
	if (_i == 4) {
		block_bytes = 4096;
		fake_table.mirror.legs[1].offset_sectors = 1;
	}
	descriptors = open_descriptors();
	table_act(EFFECT_OPEN_LEGS, 0);
	await(1);
	ck_assert_int_eq(inputs[0].type, INPUT_LEGS_OPENED);
	ck_assert_int_eq(inputs[0].legs.status, statuses[_i]);
	ck_assert_int_eq(open_descriptors(), descriptors);
	if (_i < 4) {
		strcpy(fake_table.mirror.uuid, "LVM-the-uuid");
		fake_find_status = 0;
		fake_table.mirror.legs[1].minor = 1;
		fake_health_status = 0;
		forget_inputs();
		legs_start(0);
	}
}
END_TEST

/* _i: with results cut short too */
START_TEST(test_copy)
{
	const uint64_t region_bytes = 768 * KIB;

	table_make(3, 4 * MIB, 3 * 1536 + 8);
	file_fill(0, 5, 0, 4 * MIB);
	legs_start(4);
	cut_submits = _i * 20;
	copy_act(4, 1, 1536, 1536);
	await(1);
	expect_copied(0, 4, 1, 0);
	/* The last region is shorter. */
	copy_act(4, 3, 3 * 1536, 8);
	await(2);
	expect_copied(1, 4, 3, 0);
	for (int leg = 1; leg < 3; leg++) {
		uint64_t base = (uint64_t)leg * 4096;

		file_expect_zero(leg, 0, base + region_bytes);
		file_expect(leg, base + region_bytes, 5, region_bytes, region_bytes);
		file_expect_zero(leg, base + 2 * region_bytes, region_bytes);
		file_expect(leg, base + 3 * region_bytes, 5, 3 * region_bytes, 4096);
		file_expect_zero(leg, base + 3 * region_bytes + 4096, 64 * KIB);
	}
	file_expect(0, 0, 5, 0, 4 * MIB);
	ck_assert_int_eq(loop_submits, 0);
}
END_TEST

START_TEST(test_copies_at_once)
{
	uint32_t seen = 0;

	table_make(2, 16 * MIB, 9 * 2048);
	file_fill(0, 5, 0, 9 * MIB);
	legs_start(4);
	for (uint32_t i = 0; i < CORE_COPIES_MAX + 1; i++)
		copy_act(4, i, i * 2048, 2048);
	await(CORE_COPIES_MAX + 1);
	for (uint32_t i = 0; i < CORE_COPIES_MAX + 1; i++) {
		bool refused = inputs[i].copied.region == CORE_COPIES_MAX;

		expect_copied(i, 4, inputs[i].copied.region, refused ? -EBUSY : 0);
		seen |= 1u << inputs[i].copied.region;
	}
	ck_assert_uint_eq(seen, (1u << (CORE_COPIES_MAX + 1)) - 1);
	file_expect(1, 4096, 5, 0, 8 * MIB);
	file_expect_zero(1, 4096 + 8 * MIB, MIB);
	/* All places are free again. */
	forget_inputs();
	for (uint32_t i = 0; i < CORE_COPIES_MAX; i++)
		copy_act(4, i, i * 2048, 2048);
	await(CORE_COPIES_MAX);
	for (uint32_t i = 0; i < CORE_COPIES_MAX; i++)
		ck_assert_int_eq(inputs[i].copied.status, 0);
}
END_TEST

START_TEST(test_copy_refused)
{
	block_bytes = 4096;
	table_make(2, MIB, 1024);
	legs_start(4);
	copy_act(4, 0, 1024, 8);
	copy_act(4, 1, 1016, 16);
	copy_act(4, 2, UINT64_MAX, 8);
	copy_act(4, 3, 4, 8);
	copy_act(4, 4, 8, 4);
	copy_act(4, 5, 8, 0);
	await(6);
	for (uint32_t i = 0; i < 6; i++)
		expect_copied(i, 4, i, i < 3 ? -ERANGE : -EINVAL);
	ck_assert_int_eq(thread_submits, 0);
}
END_TEST

/* _i: reading fails, writing fails, the leg is too short to be read, is a success too long */
START_TEST(test_copy_fails)
{
	static const int statuses[] = { -EREMOTEIO, -EREMOTEIO, -EIO, -EIO };

	table_make(3, MIB, 8192);
	ck_assert_int_eq(ftruncate(file_fds[0], _i == 2 ? 512 * KIB : 4 * MIB), 0);
	legs_start(4);
	if (_i != 2) {
		failing_results = 1;
		failing_with = _i == 3 ? 1 << 22 : -EREMOTEIO;
		failing_opcode = _i == 1 ? IO_CMD_PWRITE : IO_CMD_PREAD;
	}
	copy_act(4, 0, 0, 8192);
	await(1);
	expect_copied(0, 4, 0, statuses[_i]);
	/* Nothing is begun after a failure: not all sixteen pieces. */
	ck_assert_int_le(thread_submits, 12);
	ck_assert_int_eq(ftruncate(file_fds[0], 4 * MIB), 0);
	copy_act(4, 0, 0, 8192);
	await(2);
	expect_copied(1, 4, 0, 0);
}
END_TEST

/* A copy that failed on one leg is not answered before its write to the other has ended. */
START_TEST(test_copy_failure_waits)
{
	table_make(3, MIB, 1024);
	legs_start(4);
	failing_results = 1;
	failing_with = -EREMOTEIO;
	failing_opcode = IO_CMD_PWRITE;
	hold_file = 2;
	copy_act(4, 0, 0, 8);
	sem_wait(&held);
	expect_silence();
	hold_end();
	await(1);
	expect_copied(0, 4, 0, -EREMOTEIO);
}
END_TEST

START_TEST(test_flush)
{
	table_make(3, MIB, 1024);
	legs_start(4);
	table_act(EFFECT_FLUSH_LEGS, 4);
	ck_assert_int_eq(flush_submits, 3);
	await(1);
	expect_flushed(0, 0);
	failing_results = 1;
	failing_with = -EREMOTEIO;
	failing_opcode = IO_CMD_FDSYNC;
	table_act(EFFECT_FLUSH_LEGS, 4);
	await(2);
	expect_flushed(1, -EREMOTEIO);
	flush_submit_error = -ENOMEM;
	table_act(EFFECT_FLUSH_LEGS, 4);
	await(3);
	expect_flushed(2, -ENOMEM);
}
END_TEST

/* Flushes asked for during a flush are answered by one that begins later. */
START_TEST(test_flush_again)
{
	table_make(2, MIB, 1024);
	legs_start(4);
	for (int i = 0; i < 4; i++)
		table_act(EFFECT_FLUSH_LEGS, 4);
	ck_assert_int_eq(flush_submits, 2);
	await(4);
	ck_assert_int_eq(flush_submits, 4);
	for (uint32_t i = 0; i < 4; i++)
		expect_flushed(i, 0);
	ck_assert_uint_eq(machine_pending(machine), 0);
}
END_TEST

/* A kernel without asynchronous flush. */
START_TEST(test_flush_by_worker)
{
	table_make(2, MIB, 1024);
	legs_start(4);
	flush_submit_error = -EINVAL;
	table_act(EFFECT_FLUSH_LEGS, 4);
	await(1);
	expect_flushed(0, 0);
	table_act(EFFECT_FLUSH_LEGS, 4);
	table_act(EFFECT_FLUSH_LEGS, 4);
	await(3);
	expect_flushed(1, 0);
	expect_flushed(2, 0);
	ck_assert_int_eq(flush_submits, 1);
}
END_TEST

/* Neither a copier that hangs nor a health reading that hangs holds a flush up, nor each other. */
START_TEST(test_purposes_do_not_wait)
{
	table_make(2, MIB, 1024);
	legs_start(4);
	wait_file = 1;
	copy_act(4, 0, 0, 8);
	sem_wait(&wait_entered);
	health_waits = true;
	table_act(EFFECT_READ_HEALTH, 4);
	sem_wait(&health_entered);
	table_act(EFFECT_FLUSH_LEGS, 4);
	await(1);
	expect_flushed(0, 0);
	expect_silence();
	wait_file = -1;
	sem_post(&wait_gate);
	await(2);
	expect_copied(1, 4, 0, 0);
	sem_post(&health_gate);
	await(3);
	ck_assert_int_eq(inputs[2].type, INPUT_HEALTH);
}
END_TEST

START_TEST(test_health)
{
	table_make(2, MIB, 1024);
	legs_start(4);
	fake_letters[0] = 'F';
	table_act(EFFECT_READ_HEALTH, 4);
	await(1);
	ck_assert_int_eq(inputs[0].type, INPUT_HEALTH);
	ck_assert_int_eq(inputs[0].legs.status, 0);
	ck_assert_uint_eq(inputs[0].legs.table, 4);
	ck_assert_uint_eq(inputs[0].legs.leg_count, 2);
	ck_assert_mem_eq(inputs[0].legs.letters, "FA", 2);
	fake_health_status = -ENODEV;
	table_act(EFFECT_READ_HEALTH, 4);
	/* Closed meanwhile: both are answered, in that order. */
	table_act(EFFECT_CLOSE_LEGS, 4);
	await(3);
	ck_assert_int_eq(inputs[1].type, INPUT_HEALTH);
	ck_assert_int_eq(inputs[1].legs.status, -ENODEV);
	ck_assert_int_eq(inputs[2].type, INPUT_LEGS_CLOSED);
}
END_TEST

/* ---- the end ---- */

/* Closing the port with everything open, opening and under way: no input, no leak (the address sanitizer looks). */
START_TEST(test_close_in_the_middle)
{
	table_make(2, 4 * MIB, 4096);
	file_make(4, MIB);
	file_make(5, MIB);
	legs_start(4);
	device_open(0, 4);
	io_act(EFFECT_WRITE, 0, 0, 4096, 1);
	nowait_submit_error = -EAGAIN;
	io_act(EFFECT_WRITE, 0, 4096, 4096, 1);
	copy_act(4, 0, 0, 2048);
	copy_act(4, 1, 1 << 20, 2048);
	table_act(EFFECT_FLUSH_LEGS, 4);
	table_act(EFFECT_FLUSH_LEGS, 4);
	table_act(EFFECT_READ_HEALTH, 4);
	device_act(EFFECT_OPEN_DEVICE, 1, 5);
	device_act(EFFECT_OPEN_DEVICE, 2, 3);
	table_act(EFFECT_OPEN_LEGS, 5);
	act(&(struct effect){ .type = EFFECT_OPEN_LEGS,
			      .table = { .table = 6, .uuid = "another" } });
	machine_close(machine);
	ck_assert_uint_eq(input_count, 0);
	sd_event_unref(event);
	machine_start(true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("legs");
	TCase *tc = tcase_create("legs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
	tcase_add_test(tc, test_legs_open_close);
	tcase_add_loop_test(tc, test_legs_that_do_not_open, 0, 5);
	tcase_add_loop_test(tc, test_copy, 0, 2);
	tcase_add_test(tc, test_copies_at_once);
	tcase_add_test(tc, test_copy_refused);
	tcase_add_loop_test(tc, test_copy_fails, 0, 4);
	tcase_add_test(tc, test_copy_failure_waits);
	tcase_add_test(tc, test_flush);
	tcase_add_test(tc, test_flush_again);
	tcase_add_test(tc, test_flush_by_worker);
	tcase_add_test(tc, test_purposes_do_not_wait);
	tcase_add_test(tc, test_health);
	tcase_add_test(tc, test_close_in_the_middle);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
