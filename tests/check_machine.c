/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the machine port's log devices, through a real event loop.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/block_device.h"
#include "machine_fixture.h"

static void expect_io(uint32_t i, enum input_type type, uint32_t log, uint64_t offset,
		      uint32_t length, int status)
{
	ck_assert_int_eq(inputs[i].type, type);
	ck_assert_uint_eq(inputs[i].io.log, log);
	ck_assert_uint_eq(inputs[i].io.offset_bytes, offset);
	ck_assert_uint_eq(inputs[i].io.length_bytes, length);
	ck_assert_int_eq(inputs[i].io.status, status);
}

static void expect_data(uint32_t i, uint32_t seed)
{
	ck_assert_ptr_nonnull(inputs_data[i]);
	for (uint32_t j = 0; j < inputs[i].io.length_bytes; j++)
		if (inputs_data[i][j] != pattern(seed, j))
			ck_abort_msg("byte %u of input %u", j, i);
}

/* ---- log devices ---- */

START_TEST(test_device_open_close)
{
	struct input first;
	int descriptors;

	file_make(0, MIB);
	block_bytes = 4096;
	descriptors = open_descriptors();
	device_act(EFFECT_OPEN_DEVICE, 1023, 0);
	ck_assert_uint_eq(machine_pending(machine), 1);
	await(1);
	ck_assert_uint_eq(machine_pending(machine), 0);
	first = inputs[0];
	ck_assert_int_eq(first.type, INPUT_DEVICE_OPENED);
	ck_assert_int_eq(first.device.status, 0);
	ck_assert_uint_eq(first.device.log, 1023);
	ck_assert_uint_eq(first.device.device_bytes, MIB);
	ck_assert_uint_eq(first.device.block_bytes, 4096);
	device_act(EFFECT_CLOSE_DEVICE, 1023, 0);
	await(2);
	ck_assert_int_eq(inputs[1].type, INPUT_DEVICE_CLOSED);
	ck_assert_uint_eq(inputs[1].log, 1023);
	ck_assert_int_eq(open_descriptors(), descriptors);
	device_act(EFFECT_OPEN_DEVICE, 1023, 0);
	await(3);
	ck_assert_int_eq(inputs[2].device.status, 0);
	ck_assert_mem_ne(inputs[2].device.random_id, first.device.random_id, DISK_ID_BYTES);
}
END_TEST

START_TEST(test_device_missing)
{
	int descriptors = open_descriptors();

	for (uint32_t i = 0; i < 3; i++) {
		device_act(EFFECT_OPEN_DEVICE, 5, 3);
		await(i + 1);
		ck_assert_int_eq(inputs[i].type, INPUT_DEVICE_OPENED);
		ck_assert_int_eq(inputs[i].device.status, -ENODEV);
		ck_assert_uint_eq(inputs[i].device.log, 5);
	}
	ck_assert_int_eq(open_descriptors(), descriptors);
}
END_TEST

/* _i: without and with RWF_NOWAIT */
START_TEST(test_write_and_read)
{
	machine_close(machine);
	sd_event_unref(event);
	machine_start(_i == 1);
	file_make(0, MIB);
	file_fill(0, 9, 0, MIB);
	device_open(2, 0);
	io_act(EFFECT_WRITE, 2, 128 * KIB, CORE_IO_BYTES_MAX, 1);
	await(1);
	expect_io(0, INPUT_WRITTEN, 2, 128 * KIB, CORE_IO_BYTES_MAX, 0);
	io_act(EFFECT_WRITE, 2, 4096, 512, 2);
	await(2);
	file_expect(0, 128 * KIB, 1, 0, CORE_IO_BYTES_MAX);
	file_expect(0, 4096, 2, 0, 512);
	file_expect(0, 4608, 9, 4608, 128 * KIB - 4608);
	file_expect(0, 192 * KIB, 9, 192 * KIB, MIB - 192 * KIB);
	io_act(EFFECT_READ, 2, 128 * KIB, CORE_IO_BYTES_MAX, 0);
	await(3);
	expect_io(2, INPUT_READ, 2, 128 * KIB, CORE_IO_BYTES_MAX, 0);
	expect_data(2, 1);
	if (_i == 1) {
		ck_assert_int_eq(nowait_submits, 3);
		ck_assert_int_eq(loop_submits, 3);
	} else {
		ck_assert_int_eq(nowait_submits, 0);
		ck_assert_int_eq(thread_submits, 3);
		ck_assert_int_eq(dsync_submits, 2);
	}
	ck_assert_int_ge(dsync_submits, 2);
}
END_TEST

static void read_again(const struct input *input)
{
	ck_assert_int_eq(input->type, INPUT_READ);
	io_act(EFFECT_READ, 0, 15 * 4096, 4096, 0);
	/* The data of this input is still its own. */
	for (uint32_t j = 0; j < input->io.length_bytes; j++)
		if (input->io.data[j] != pattern(3, input->io.offset_bytes + j))
			ck_abort_msg("byte %u changed", j);
}

START_TEST(test_all_at_once)
{
	bool seen[16] = { false };

	file_make(0, MIB);
	file_fill(0, 3, 0, MIB);
	device_open(0, 0);
	on_next_input = read_again;
	for (uint32_t i = 0; i < CORE_IO_MAX; i++)
		io_act(EFFECT_READ, 0, i * 4096, 4096, 0);
	ck_assert_uint_eq(machine_pending(machine), CORE_IO_MAX);
	await(CORE_IO_MAX + 1);
	for (uint32_t i = 0; i <= CORE_IO_MAX; i++) {
		uint64_t at = inputs[i].io.offset_bytes;

		ck_assert_int_eq(inputs[i].io.status, 0);
		ck_assert(!seen[at / 4096]);
		seen[at / 4096] = true;
		for (uint32_t j = 0; j < 4096; j++)
			if (inputs_data[i][j] != pattern(3, at + j))
				ck_abort_msg("byte %u of input %u", j, i);
	}
	ck_assert(seen[15]);
}
END_TEST

START_TEST(test_short_transfers)
{
	file_make(0, MIB);
	file_fill(0, 9, 0, MIB);
	device_open(0, 0);
	cut_submits = 3;
	io_act(EFFECT_WRITE, 0, 8192, CORE_IO_BYTES_MAX, 1);
	await(1);
	expect_io(0, INPUT_WRITTEN, 0, 8192, CORE_IO_BYTES_MAX, 0);
	ck_assert_int_eq(cut_submits, 0);
	/* A part that RWF_NOWAIT refused may have taken one of the three. */
	ck_assert_int_le(last_submit_bytes, CORE_IO_BYTES_MAX - 2 * 4096);
	ck_assert_int_ge(loop_submits + thread_submits, 4);
	file_expect(0, 8192, 1, 0, CORE_IO_BYTES_MAX);
	file_expect(0, 8192 + CORE_IO_BYTES_MAX, 9, 8192 + CORE_IO_BYTES_MAX, 64 * KIB);
	cut_submits = 2;
	io_act(EFFECT_READ, 0, 8192, CORE_IO_BYTES_MAX, 0);
	await(2);
	expect_io(1, INPUT_READ, 0, 8192, CORE_IO_BYTES_MAX, 0);
	expect_data(1, 1);
	/* The slot forgets: all of the next is read. */
	file_fill(0, 4, 0, 128 * KIB);
	io_act(EFFECT_READ, 0, 0, CORE_IO_BYTES_MAX, 0);
	await(3);
	expect_data(2, 4);
}
END_TEST

START_TEST(test_read_beyond_the_end)
{
	file_make(0, 64 * KIB);
	device_open(0, 0);
	/* Beyond the end: a part, then nothing. */
	io_act(EFFECT_READ, 0, 60 * KIB, 8192, 0);
	await(1);
	expect_io(0, INPUT_READ, 0, 60 * KIB, 8192, -EIO);
	ck_assert_ptr_null(inputs[0].io.data);
	io_act(EFFECT_READ, 0, 64 * KIB, 4096, 0);
	await(2);
	expect_io(1, INPUT_READ, 0, 64 * KIB, 4096, -EIO);
}
END_TEST

START_TEST(test_failed_io)
{
	file_make(0, MIB);
	device_open(0, 0);
	failing_results = 2;
	failing_with = -EREMOTEIO;
	io_act(EFFECT_WRITE, 0, 0, 4096, 1);
	await(1);
	expect_io(0, INPUT_WRITTEN, 0, 0, 4096, -EREMOTEIO);
	io_act(EFFECT_READ, 0, 0, 4096, 0);
	await(2);
	expect_io(1, INPUT_READ, 0, 0, 4096, -EREMOTEIO);
	/* Unaligned: the kernel refuses it. */
	io_act(EFFECT_WRITE, 0, 100, 4096, 1);
	await(3);
	expect_io(2, INPUT_WRITTEN, 0, 100, 4096, -EINVAL);
	/* More than was asked for is no success. */
	failing_results = 1;
	failing_with = 8192;
	io_act(EFFECT_READ, 0, 0, 4096, 0);
	await(4);
	expect_io(3, INPUT_READ, 0, 0, 4096, -EIO);
	io_act(EFFECT_WRITE, 0, 0, 4096, 1);
	await(5);
	expect_io(4, INPUT_WRITTEN, 0, 0, 4096, 0);
}
END_TEST

static void nowait_fails(int *where, int with, bool never_again)
{
	file_make(0, MIB);
	file_fill(0, 9, 0, MIB);
	device_open(0, 0);
	*where = with;
	io_act(EFFECT_WRITE, 0, 0, 4096, 1);
	await(1);
	expect_io(0, INPUT_WRITTEN, 0, 0, 4096, 0);
	ck_assert_int_eq(nowait_submits, 1);
	ck_assert_int_eq(thread_submits, 1);
	io_act(EFFECT_WRITE, 0, 4096, 4096, 2);
	await(2);
	expect_io(1, INPUT_WRITTEN, 0, 4096, 4096, 0);
	ck_assert_int_eq(nowait_submits, never_again ? 1 : 2);
	ck_assert_int_eq(thread_submits, 2);
	file_expect(0, 0, 1, 0, 4096);
	file_expect(0, 4096, 2, 0, 4096);
}

START_TEST(test_nowait_would_wait)
{
	nowait_fails(&nowait_submit_error, -EAGAIN, false);
}
END_TEST

START_TEST(test_nowait_result_would_wait)
{
	nowait_fails(&nowait_result, -EAGAIN, false);
}
END_TEST

START_TEST(test_nowait_unsupported)
{
	nowait_fails(&nowait_submit_error, -EOPNOTSUPP, true);
}
END_TEST

START_TEST(test_nowait_result_unsupported)
{
	nowait_fails(&nowait_result, -EOPNOTSUPP, true);
}
END_TEST

/* A device whose submission hangs delays neither the loop nor another device. */
START_TEST(test_slow_device)
{
	file_make(0, MIB);
	file_make(1, MIB);
	device_open(0, 0);
	device_open(1, 1);
	nowait_submit_error = -EAGAIN;
	wait_file = 0;
	io_act(EFFECT_WRITE, 0, 0, 4096, 1);
	sem_wait(&wait_entered);
	io_act(EFFECT_WRITE, 1, 0, 4096, 2);
	await(1);
	expect_io(0, INPUT_WRITTEN, 1, 0, 4096, 0);
	expect_silence();
	ck_assert_uint_eq(machine_pending(machine), 1);
	wait_file = -1;
	sem_post(&wait_gate);
	await(2);
	expect_io(1, INPUT_WRITTEN, 0, 0, 4096, 0);
}
END_TEST

START_TEST(test_device_names)
{
	char name[8];

	ck_assert_int_eq(block_device_name("MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n", name,
					   sizeof(name)),
			 0);
	ck_assert_str_eq(name, "sda");
	ck_assert_int_eq(block_device_name("DEVNAME=a/b", name, sizeof(name)), 0);
	ck_assert_str_eq(name, "a/b");
	ck_assert_int_eq(block_device_name("", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("XDEVNAME=sda\n", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("DEVNAME=\n", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("DEVNAME=/etc\n", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("DEVNAME=a/../b\n", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("DEVNAME=sdabcdef\n", name, sizeof(name)), -ENODATA);
	ck_assert_int_eq(block_device_name("DEVNAME=sdabcde\n", name, sizeof(name)), 0);
	ck_assert_str_eq(name, "sdabcde");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("machine");
	TCase *tc = tcase_create("log devices");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
	tcase_add_test(tc, test_device_open_close);
	tcase_add_test(tc, test_device_missing);
	tcase_add_loop_test(tc, test_write_and_read, 0, 2);
	tcase_add_test(tc, test_all_at_once);
	tcase_add_test(tc, test_short_transfers);
	tcase_add_test(tc, test_read_beyond_the_end);
	tcase_add_test(tc, test_failed_io);
	tcase_add_test(tc, test_nowait_would_wait);
	tcase_add_test(tc, test_nowait_result_would_wait);
	tcase_add_test(tc, test_nowait_unsupported);
	tcase_add_test(tc, test_nowait_result_unsupported);
	tcase_add_test(tc, test_slow_device);
	tcase_add_test(tc, test_device_names);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
