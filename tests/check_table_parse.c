/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the parsers for dm-mirror's table and status lines: lines as a real 6.1 kernel printed them, and lines that
 * no kernel should print.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/table_parse.h"

static struct table_mirror mirror;
static struct table_status status;

/* An exact copy on the heap, so that the address sanitizer sees a read behind its end. */
static int parse_mirror(const char *text)
{
	char *copy = strdup(text);
	int r;

	memset(&mirror, 0x5a, sizeof(mirror));
	r = table_parse_mirror(copy, &mirror);
	free(copy);
	return r;
}

static int parse_status(const char *text)
{
	char *copy = strdup(text);
	int r;

	memset(&status, 0x5a, sizeof(status));
	r = table_parse_status(copy, &status);
	free(copy);
	return r;
}

START_TEST(test_mirror_of_the_kernel)
{
	ck_assert_int_eq(parse_mirror(
				 "userspace 4 LVM-abc clustered-disk 98:0 1024 2 98:16 0 98:32 8 "
				 "1 handle_errors"),
			 0);
	ck_assert_str_eq(mirror.uuid, "LVM-abc");
	ck_assert_uint_eq(mirror.leg_count, 2);
	ck_assert_uint_eq(mirror.legs[0].major, 98);
	ck_assert_uint_eq(mirror.legs[0].minor, 16);
	ck_assert_uint_eq(mirror.legs[0].offset_sectors, 0);
	ck_assert_uint_eq(mirror.legs[1].minor, 32);
	ck_assert_uint_eq(mirror.legs[1].offset_sectors, 8);
}
END_TEST

START_TEST(test_mirror_forms)
{
	/* integrated_flush counts as a word, as does nosync; a core log has no device. */
	ck_assert_int_eq(parse_mirror(
				 "userspace 6 U integrated_flush clustered-disk 254:0 1024 nosync "
				 "2 1:2 3 4:5 6"),
			 0);
	ck_assert_uint_eq(mirror.legs[1].major, 4);
	ck_assert_int_eq(parse_mirror("userspace 3 U clustered-core 1024  3 1:2 3 4:5 6 7:8 9"), 0);
	ck_assert_uint_eq(mirror.leg_count, 3);
	ck_assert_uint_eq(mirror.legs[2].offset_sectors, 9);
	/* Words that look like a leg list do not confuse: they are counted. */
	ck_assert_int_eq(parse_mirror("userspace 5 U x 2 1:1 1 1 254:3 77"), 0);
	ck_assert_uint_eq(mirror.legs[0].minor, 3);
	ck_assert_int_eq(parse_mirror("userspace 1 U 1 4294967295:4294967295 18014398509481983"),
			 0);
	ck_assert_uint_eq(mirror.legs[0].major, UINT32_MAX);
	ck_assert_uint_eq(mirror.legs[0].offset_sectors, INT64_MAX / 512);
}
END_TEST

START_TEST(test_mirror_limits)
{
	char line[4096] = "userspace 1 ";
	char uuid[REQUEST_UUID_SIZE + 1];

	memset(uuid, 'u', sizeof(uuid));
	uuid[REQUEST_UUID_SIZE - 1] = '\0';
	strcat(strcat(line, uuid), " 1 1:1 0");
	ck_assert_int_eq(parse_mirror(line), 0);
	ck_assert_str_eq(mirror.uuid, uuid);

	uuid[REQUEST_UUID_SIZE - 1] = 'u';
	uuid[REQUEST_UUID_SIZE] = '\0';
	strcpy(line, "userspace 1 ");
	strcat(strcat(line, uuid), " 1 1:1 0");
	ck_assert_int_eq(parse_mirror(line), -EINVAL);

	strcpy(line, "userspace 1 U 32");
	for (int i = 0; i < 32; i++)
		strcat(line, " 1:1 0");
	ck_assert_int_eq(parse_mirror(line), 0);
	ck_assert_uint_eq(mirror.leg_count, CORE_LEGS_MAX);
	ck_assert_int_eq(parse_mirror("userspace 1 U 33 1:1 0"), -E2BIG);
}
END_TEST

static const char *const bad_mirrors[] = {
	"",
	" ",
	"userspace",
	"userspace ",
	"userspace 0 U 1 1:1 0",
	"userspace -1 U 1 1:1 0",
	"userspace 99999999999999999999 U 1 1:1 0",
	"userspace 4294967295 U 1 1:1 0",
	"userspace 4 U clustered-disk 98:0",
	"userspace 4 U clustered-disk 98:0 1024",
	"userspace 4 U clustered-disk 98:0 1024 ",
	"userspace 4 U clustered-disk 98:0 1024 2",
	"userspace 4 U clustered-disk 98:0 1024 2 98:16 0",
	"userspace 4 U clustered-disk 98:0 1024 2 98:16 0 98:32",
	"userspace 1 U 0",
	"userspace 1 U 1 1:1",
	"userspace 1 U 1 11 0",
	"userspace 1 U 1 : 0",
	"userspace 1 U 1 1: 0",
	"userspace 1 U 1 :1 0",
	"userspace 1 U 1 1:1:1 0",
	"userspace 1 U 1 4294967296:1 0",
	"userspace 1 U 1 1:4294967296 0",
	"userspace 1 U 1 1:1 18014398509481984",
	"userspace 1 U 1 1:1 0x10",
	"userspace 1 U 1 1:1 +1",
	"userspace 1 U 1 /dev/sda 0",
	"userspace 1 U 1\t1:1 0",
};

START_TEST(test_mirror_hostile)
{
	static const struct table_mirror untouched;

	ck_assert_int_eq(parse_mirror(bad_mirrors[_i]), -EINVAL);
	memset(&mirror, 0, sizeof(mirror));
	(void)table_parse_mirror(bad_mirrors[_i], &mirror);
	ck_assert_mem_eq(&mirror, &untouched, sizeof(mirror));
}
END_TEST

START_TEST(test_mirror_of_other_logs)
{
	ck_assert_int_eq(parse_mirror("core 1 1024 2 98:16 0 98:32 0"), -ENOMSG);
	ck_assert_int_eq(parse_mirror("disk 2 98:0 1024 2 98:16 0 98:32 0"), -ENOMSG);
	ck_assert_int_eq(parse_mirror("userspac"), -ENOMSG);
	ck_assert_int_eq(parse_mirror("userspacex 1 U 1 1:1 0"), -ENOMSG);
	ck_assert_int_eq(parse_mirror("user_pace 1 U 1 1:1 0"), -ENOMSG);
}
END_TEST

START_TEST(test_status_of_the_kernel)
{
	ck_assert_int_eq(parse_status("2 98:16 98:32 128/128 1 AA 3 clustered-disk 98:0 A"), 0);
	ck_assert_uint_eq(status.leg_count, 2);
	ck_assert_uint_eq(status.legs[0].major, 98);
	ck_assert_uint_eq(status.legs[1].minor, 32);
	ck_assert_mem_eq(status.letters, "AA", 2);
	ck_assert_int_eq(
		parse_status("3 1:1 1:2 1:3 0/18446744073709551615 1 ADR 1 clustered-core"), 0);
	ck_assert_mem_eq(status.letters, "ADR", 3);
	/* The log's part may be empty: the daemon did not answer. */
	ck_assert_int_eq(parse_status("2 1:1 1:2 0/1 1 FS "), 0);
	ck_assert_mem_eq(status.letters, "FS", 2);
	ck_assert_int_eq(parse_status("1 1:1 0/1 1 U"), 0);
}
END_TEST

static const char *const bad_statuses[] = {
	"",
	"0",
	"2",
	"2 98:16",
	"2 98:16 98:32",
	"2 98:16 98:32 128",
	"2 98:16 98:32 128/",
	"2 98:16 98:32 /128",
	"2 98:16 98:32 1/2/3",
	"2 98:16 98:32 128/128",
	"2 98:16 98:32 128/128 2 AA",
	"2 98:16 98:32 128/128 0 AA",
	"2 98:16 98:32 128/128 1",
	"2 98:16 98:32 128/128 1 ",
	"2 98:16 98:32 128/128 1 A",
	"2 98:16 98:32 128/128 1 AAA",
	"2 98:16 98:32 128/128 1 Aa",
	"2 98:16 98:32 128/128 1 A?",
	"3 98:16 98:32 128/128 1 AA 3 clustered-disk",
	"2 98:16 98-32 128/128 1 AA",
	"2 98:16 98:32 18446744073709551616/1 1 AA",
};

START_TEST(test_status_hostile)
{
	static const struct table_status untouched;

	ck_assert_int_eq(parse_status(bad_statuses[_i]), -EINVAL);
	memset(&status, 0, sizeof(status));
	(void)table_parse_status(bad_statuses[_i], &status);
	ck_assert_mem_eq(&status, &untouched, sizeof(status));
}
END_TEST

START_TEST(test_status_limits)
{
	ck_assert_int_eq(parse_status("33 1:1"), -E2BIG);
	ck_assert_int_eq(parse_status("4294967295 1:1"), -E2BIG);
	ck_assert_int_eq(parse_status("4294967296 1:1"), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table_parse");
	TCase *tc = tcase_create("lines");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_mirror_of_the_kernel);
	tcase_add_test(tc, test_mirror_forms);
	tcase_add_test(tc, test_mirror_limits);
	tcase_add_loop_test(tc, test_mirror_hostile, 0,
			    (int)(sizeof(bad_mirrors) / sizeof(*bad_mirrors)));
	tcase_add_test(tc, test_mirror_of_other_logs);
	tcase_add_test(tc, test_status_of_the_kernel);
	tcase_add_loop_test(tc, test_status_hostile, 0,
			    (int)(sizeof(bad_statuses) / sizeof(*bad_statuses)));
	tcase_add_test(tc, test_status_limits);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
