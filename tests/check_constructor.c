/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constructor strings: what is accepted, and what each refusal says. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "constructor.h"

static struct constructor parsed;
static char message[256];

static void expect_parsed(const char *text)
{
	memset(&parsed, 0xee, sizeof(parsed));
	strcpy(message, "untouched");
	ck_assert_msg(constructor_parse(text, &parsed, message, sizeof(message)) == 0, "\"%s\": %s",
		      text, message);
	ck_assert_str_eq(message, "untouched");
}

/* The message must hold both: the word at fault, and the advice. */
static void expect_refused(const char *text, const char *word, const char *advice)
{
	struct constructor before;

	memset(&parsed, 0xee, sizeof(parsed));
	before = parsed;
	ck_assert_int_eq(constructor_parse(text, &parsed, message, sizeof(message)), -EINVAL);
	ck_assert_mem_eq(&parsed, &before, sizeof(parsed));
	ck_assert_msg(strstr(message, word) && strstr(message, advice), "\"%s\": %s", text,
		      message);
	ck_assert(!strchr(message, '\n'));
}

START_TEST(disk)
{
	expect_parsed("20480 clustered-disk 254:3 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_DISK);
	ck_assert_int_eq(parsed.sync, SYNC_DEFAULT);
	ck_assert_uint_eq(parsed.device_sectors, 20480);
	ck_assert_uint_eq(parsed.region_sectors, 1024);
	ck_assert_uint_eq(parsed.region_count, 20);
	ck_assert_uint_eq(parsed.log_major, 254);
	ck_assert_uint_eq(parsed.log_minor, 3);
	expect_parsed("20480 clustered_disk 4095:1048575 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_DISK);
	ck_assert_uint_eq(parsed.log_major, 4095);
	ck_assert_uint_eq(parsed.log_minor, 1048575);
}
END_TEST

START_TEST(core)
{
	expect_parsed("20481 clustered-core 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_CORE);
	ck_assert_uint_eq(parsed.region_count, 21);
	ck_assert_uint_eq(parsed.log_major, 0);
	ck_assert_uint_eq(parsed.log_minor, 0);
	expect_parsed("20481 clustered_core 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_CORE);
}
END_TEST

START_TEST(sync_options)
{
	expect_parsed("8 clustered-core 8 sync");
	ck_assert_int_eq(parsed.sync, SYNC_FORCE);
	expect_parsed("8 clustered-core 8 nosync");
	ck_assert_int_eq(parsed.sync, SYNC_SKIP);
	expect_parsed("8 clustered-disk 1:2 8 nosync");
	ck_assert_int_eq(parsed.sync, SYNC_SKIP);
}
END_TEST

START_TEST(blanks)
{
	expect_parsed("  20480\t clustered-disk   254:3  1024  nosync \t");
	ck_assert_uint_eq(parsed.region_count, 20);
	ck_assert_int_eq(parsed.sync, SYNC_SKIP);
}
END_TEST

START_TEST(integrated_flush)
{
	expect_parsed("20480 integrated_flush clustered-disk 254:3 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_DISK);
	expect_parsed("20480 Integrated_Flush clustered-core 1024");
	ck_assert_int_eq(parsed.type, LOG_TYPE_CORE);
	expect_refused("8 integrated_flush integrated_flush clustered-core 8", "integrated_flush",
		       "clustered-disk or clustered-core");
	expect_refused("8 integrated_flush", "log type missing", "clustered-disk");
}
END_TEST

START_TEST(region_counts)
{
	expect_parsed("1 clustered-core 8");
	ck_assert_uint_eq(parsed.region_count, 1);
	expect_parsed("8 clustered-core 8");
	ck_assert_uint_eq(parsed.region_count, 1);
	expect_parsed("9 clustered-core 8");
	ck_assert_uint_eq(parsed.region_count, 2);
	/* 16 M regions. */
	expect_parsed("134217728 clustered-core 8");
	ck_assert_uint_eq(parsed.region_count, UINT64_C(1) << 24);
	/* The most, and one more. */
	expect_parsed("34359738368 clustered-core 8");
	ck_assert_uint_eq(parsed.region_count, CONSTRUCTOR_REGIONS_MAX);
	expect_refused("34359738369 clustered-core 8", "\"8\"", "more than 2^32 regions");
	/* Rounding up does not overflow. */
	expect_refused("18446744073709551615 clustered-core 1024", "\"1024\"", "2^32");
	expect_refused("18446744073709551615 clustered-core 2147483648", "2147483648", "2^32");
	expect_parsed("9223372036854775808 clustered-core 2147483648");
	ck_assert_uint_eq(parsed.region_count, UINT64_C(1) << 32);
}
END_TEST

START_TEST(device_length)
{
	expect_refused("", "length of the device missing", "number of sectors");
	expect_refused("   ", "length of the device missing", "number of sectors");
	expect_refused("0 clustered-core 8", "\"0\"", "at least 1");
	expect_refused("-8 clustered-core 8", "\"-8\"", "number");
	expect_refused("+8 clustered-core 8", "\"+8\"", "number");
	expect_refused("0x8 clustered-core 8", "\"0x8\"", "number");
	expect_refused("18446744073709551616 clustered-core 8", "18446744073709551616", "number");
	expect_refused("clustered-core 8", "clustered-core", "number");
}
END_TEST

START_TEST(log_types)
{
	expect_refused("8", "log type missing", "clustered-disk or clustered-core");
	expect_refused("8 disk 1:2 8", "\"disk\"", "clustered-disk or clustered-core");
	expect_refused("8 clustered-dis 1:2 8", "\"clustered-dis\"", "clustered-disk");
	expect_refused("8 clustered-diskx 1:2 8", "\"clustered-diskx\"", "clustered-disk");
	expect_refused("8 CLUSTERED-DISK 1:2 8", "CLUSTERED-DISK", "clustered-disk");
}
END_TEST

START_TEST(log_devices)
{
	expect_refused("8 clustered-disk", "log device missing", "MAJOR:MINOR");
	expect_refused("8 clustered-disk /dev/sda 8", "\"/dev/sda\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk 254 8", "\"254\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk 254: 8", "\"254:\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk :3 8", "\":3\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk 1:2:3 8", "\"1:2:3\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk -1:2 8", "\"-1:2\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk 4096:2 8", "\"4096:2\"", "MAJOR:MINOR");
	expect_refused("8 clustered-disk 1:1048576 8", "\"1:1048576\"", "MAJOR:MINOR");
	/* A device before a core log's region size. */
	expect_refused("8 clustered-core 254:3 8", "region size \"254:3\"", "power of two");
}
END_TEST

START_TEST(region_sizes)
{
	expect_refused("8 clustered-disk 1:2", "region size missing", "power of two");
	expect_refused("8 clustered-core", "region size missing", "power of two");
	expect_refused("8 clustered-core 0", "\"0\"", "power of two");
	expect_refused("8 clustered-core 4", "\"4\"", "from 8");
	expect_refused("8 clustered-core 1000", "\"1000\"", "power of two");
	expect_refused("8 clustered-core 1024k", "\"1024k\"", "power of two");
	expect_refused("8 clustered-core 4294967296", "4294967296", "to 2147483648");
	expect_refused("8 clustered-core nosync", "\"nosync\"", "power of two");
}
END_TEST

START_TEST(extra_words)
{
	expect_refused("8 clustered-core 8 maybe", "\"maybe\"", "sync, nosync");
	expect_refused("8 clustered-core 8 synced", "\"synced\"", "sync, nosync");
	expect_refused("8 clustered-core 8 sync nosync", "\"nosync\"", "nothing may follow");
	expect_refused("8 clustered-disk 1:2 8 nosync 2", "\"2\"", "nothing may follow");
}
END_TEST

START_TEST(message_is_one_short_line)
{
	char text[400];

	expect_refused("8 \x1b[31m\n\xff 8", "\"?[31m??\"", "clustered-disk");
	/* A word too long to quote is cut; 40 characters are not. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "8 ", 2);
	text[sizeof(text) - 1] = '\0';
	expect_refused(text, "xxx...\"", "clustered-disk");
	ck_assert_uint_lt(strlen(message), 120);
	text[42] = '\0';
	expect_refused(text, "xxx\"", "clustered-disk");
}
END_TEST

START_TEST(message_fits_its_room)
{
	char room[8];

	memset(room, 'z', sizeof(room));
	ck_assert_int_eq(constructor_parse("8 disk", &parsed, room, 6), -EINVAL);
	ck_assert_str_eq(room, "log t");
	ck_assert_int_eq(room[6], 'z');
	memset(room, 'z', sizeof(room));
	ck_assert_int_eq(constructor_parse("8 disk", &parsed, room, 0), -EINVAL);
	ck_assert_int_eq(room[0], 'z');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("constructor");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, disk);
	tcase_add_test(all, core);
	tcase_add_test(all, sync_options);
	tcase_add_test(all, blanks);
	tcase_add_test(all, integrated_flush);
	tcase_add_test(all, region_counts);
	tcase_add_test(all, device_length);
	tcase_add_test(all, log_types);
	tcase_add_test(all, log_devices);
	tcase_add_test(all, region_sizes);
	tcase_add_test(all, extra_words);
	tcase_add_test(all, message_is_one_short_line);
	tcase_add_test(all, message_fits_its_room);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
