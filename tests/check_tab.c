/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /etc/dmclogtab: lines right and wrong, the file, and the words of a table that come of an entry. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "constructor.h"
#include "tools/mirror_plan.h"
#include "tools/tab.h"

static struct tab_entry entry;
static char message[256];
static char path[] = "/tmp/dmclogtab-XXXXXX";
static struct tab tab;

/* An exact copy on the heap, so that the address sanitizer sees a read behind its end. */
static int parse_as(const char *line, bool first_time)
{
	char *copy = strdup(line);
	int r;

	memset(&entry, 0x5a, sizeof(entry));
	r = tab_parse(copy, first_time, &entry, message, sizeof(message));
	free(copy);
	return r;
}

static void parse(const char *line)
{
	int r = parse_as(line, false);

	ck_assert_msg(r == 1, "%s: %d %s", line, r, message);
}

static void refuse(const char *line, const char *words)
{
	ck_assert_int_eq(parse_as(line, false), -EINVAL);
	ck_assert_msg(strstr(message, words) != NULL, "%s: %s", line, message);
	ck_assert_uint_eq(entry.leg_count, 0x5a5a5a5a);
}

START_TEST(test_an_entry)
{
	parse("pool /dev/l /dev/a,/dev/b");
	ck_assert_str_eq(entry.name, "pool");
	ck_assert_str_eq(entry.uuid, "pool");
	ck_assert_str_eq(entry.log, "/dev/l");
	ck_assert_uint_eq(entry.leg_count, 2);
	ck_assert_str_eq(entry.legs[0], "/dev/a");
	ck_assert_str_eq(entry.legs[1], "/dev/b");
	ck_assert_uint_eq(entry.region_sectors, 1024);
	ck_assert_uint_eq(entry.sectors, 0);
	ck_assert(!entry.noauto && !entry.nosync);
	parse("\t p.o:o_l-1 \t - /dev/a,/dev/b,/dev/c  noauto,region-size=4K,,size=3s,uuid=u-1,core \n");
	ck_assert_str_eq(entry.name, "p.o:o_l-1");
	ck_assert_str_eq(entry.uuid, "u-1");
	ck_assert_str_eq(entry.log, "");
	ck_assert_uint_eq(entry.leg_count, 3);
	ck_assert_uint_eq(entry.region_sectors, 8);
	ck_assert_uint_eq(entry.sectors, 3);
	ck_assert(entry.noauto);
	parse("x - /dev/a,/dev/b defaults,size=1T");
	ck_assert_uint_eq(entry.sectors, UINT64_C(1) << 31);
}
END_TEST

START_TEST(test_nothing)
{
	ck_assert_int_eq(parse_as("", false), 0);
	ck_assert_int_eq(parse_as("  \t\n", false), 0);
	ck_assert_int_eq(parse_as("  # pool - a,b", false), 0);
}
END_TEST

START_TEST(test_wrong_words)
{
	refuse("pool", "NAME LOG LEG,LEG");
	refuse("pool /dev/l", "NAME LOG LEG,LEG");
	refuse("po/ol - /dev/a,/dev/b", "name 'po/ol'");
	refuse("-pool - /dev/a,/dev/b", "name '-pool'");
	refuse("..  - /dev/a,/dev/b", "name '..'");
	refuse("p l /dev/a,/dev/b", "log device 'l'");
	refuse("p - /dev/a", "two legs");
	refuse("p - /dev/a,", "leg ''");
	refuse("p - /dev/a, /dev/b", "leg ''");
	refuse("p - sda,sdb", "leg 'sda'");
	refuse("p - /dev/a,/dev/a", "comes twice");
	refuse("p /dev/a /dev/b,/dev/a", "the log device and a leg");
	refuse("p - /dev/a,/dev/b noauto core", "without blanks");
	refuse("p /dev/l /dev/a,/dev/b core", "- is needed");
}
END_TEST

START_TEST(test_wrong_options)
{
	static const char *const wrong[] = { "region-size=3K",
					     "region-size=12K",
					     "region-size=2K",
					     "region-size=0",
					     "region-size=",
					     "region-size=1X",
					     "region-size=4KK",
					     "region-size=-4K",
					     "region-size=99999999999999999999",
					     "region-size=16T",
					     "size=0",
					     "size=100",
					     "size=18446744073709551616",
					     "size=20000000T",
					     "uuid=",
					     "uuid=a/b",
					     "fast",
					     "noauto=1",
					     "core=",
					     "nosync" };
	char line[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(line, sizeof(line), "p - /dev/a,/dev/b %s", wrong[i]);
		ck_assert_msg(parse_as(line, false) == -EINVAL, "%s", line);
		ck_assert_msg(strncmp(message, wrong[i], 4) == 0 || message[0] == '\'', "%s",
			      message);
	}
	refuse("p - /dev/a,/dev/b nosync", "create");
	ck_assert_int_eq(parse_as("p - /dev/a,/dev/b nosync", true), 1);
	ck_assert(entry.nosync);
}
END_TEST

START_TEST(test_too_long)
{
	static char line[2 * TAB_LINE_BYTES];
	char *at = line;

	at += sprintf(at, "p - ");
	for (int i = 0; i < CORE_LEGS_MAX; i++)
		at += sprintf(at, "%s/dev/%d", i == 0 ? "" : ",", i);
	parse(line);
	ck_assert_uint_eq(entry.leg_count, CORE_LEGS_MAX);
	strcpy(at, ",/dev/one-more");
	refuse(line, "more than 32 legs");
	memset(line, 'a', TAB_LINE_BYTES);
	line[TAB_LINE_BYTES] = '\0';
	refuse(line, "characters");
	memset(line, 'n', 128);
	strcpy(line + 128, " - /dev/a,/dev/b");
	refuse(line, "name 'nnn");
	parse(line + 1);
	strcpy(line, "p /");
	memset(line + 3, 'd', TAB_PATH_BYTES - 1);
	strcpy(line + 3 + TAB_PATH_BYTES - 1, " /dev/a,/dev/b");
	refuse(line, "more than 255 characters");
}
END_TEST

/* What is written is read as the same; nosync is never written. */
START_TEST(test_format)
{
	static const char *const lines[] = {
		"pool /dev/l /dev/a,/dev/b region-size=1024s",
		"pool - /dev/a,/dev/b,/dev/c region-size=8s,size=77s,uuid=other,noauto",
	};
	char line[TAB_LINE_BYTES];

	for (size_t i = 0; i < 2; i++) {
		parse(lines[i]);
		ck_assert_int_eq(tab_format(&entry, line, sizeof(line)), 0);
		ck_assert_str_eq(line, lines[i]);
		for (size_t bytes = 1; bytes <= strlen(lines[i]); bytes++)
			ck_assert_int_eq(tab_format(&entry, line, bytes), -E2BIG);
	}
	ck_assert_int_eq(parse_as("p - /dev/a,/dev/b nosync", true), 1);
	ck_assert_int_eq(tab_format(&entry, line, sizeof(line)), 0);
	ck_assert_str_eq(line, "p - /dev/a,/dev/b region-size=1024s");
}
END_TEST

/* ---- the file ---- */

static void put(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	tab_free(&tab);
}

START_TEST(test_file)
{
	ck_assert_int_eq(tab_read("/nowhere/dmclogtab", &tab), 0);
	ck_assert_uint_eq(tab.count, 0);
	put("# mirrors\n\none - /dev/a,/dev/b\ntwo /dev/l /dev/c,/dev/d");
	ck_assert_int_eq(tab_read(path, &tab), 0);
	ck_assert_uint_eq(tab.count, 2);
	ck_assert_str_eq(tab_find(&tab, "two")->log, "/dev/l");
	ck_assert_ptr_null(tab_find(&tab, "three"));
	/* Added behind a last line without its newline. */
	parse("three /dev/l3 /dev/e,/dev/f uuid=t");
	ck_assert_int_eq(tab_append(path, &entry), 0);
	parse("four - /dev/e,/dev/f");
	ck_assert_int_eq(tab_append(path, &entry), 0);
	tab_free(&tab);
	ck_assert_int_eq(tab_read(path, &tab), 0);
	ck_assert_uint_eq(tab.count, 4);
	ck_assert_str_eq(tab_find(&tab, "two")->legs[1], "/dev/d");
	ck_assert_str_eq(tab_find(&tab, "three")->uuid, "t");
	ck_assert_ptr_nonnull(tab_find(&tab, "four"));
	ck_assert_int_lt(tab_append("/nowhere/dmclogtab", &entry), 0);
}
END_TEST

/* A line that is wrong does not take the others along. */
START_TEST(test_wrong_file)
{
	put("one - /dev/a,/dev/b\nbad line\ntwo - /dev/a,/dev/b\n");
	ck_assert_int_eq(tab_read(path, &tab), -EINVAL);
	ck_assert_uint_eq(tab.count, 2);
	put("one - /dev/a,/dev/b\none - /dev/c,/dev/d\n");
	ck_assert_int_eq(tab_read(path, &tab), -EINVAL);
	put("one - /dev/a,/dev/b\ntwo - /dev/c,/dev/d uuid=one\n");
	ck_assert_int_eq(tab_read(path, &tab), -EINVAL);
	ck_assert_uint_eq(tab.count, 1);
}
END_TEST

/* ---- the table ---- */

static struct mirror_plan plan = {
	.sectors = 4096,
	.region_sectors = 1024,
	.log_major = 254,
	.log_minor = 3,
	.mirror = { .uuid = "u", .leg_count = 2, .legs = { { 8, 16, 0 }, { 8, 32, 2048 } } },
};

/* What was written is read as the same. */
static void expect_parsed(const char *line, enum plan_log log)
{
	struct mirror_plan parsed;

	ck_assert_int_eq(plan_parse(line, &parsed), 0);
	ck_assert_int_eq(parsed.log, log);
	ck_assert_str_eq(parsed.mirror.uuid, log == PLAN_KERNEL_DISK ? "" : "u");
	ck_assert_uint_eq(parsed.region_sectors, 1024);
	ck_assert_uint_eq(parsed.log_major, log == PLAN_CLUSTERED_CORE ? 0 : 254);
	ck_assert_uint_eq(parsed.log_minor, log == PLAN_CLUSTERED_CORE ? 0 : 3);
	ck_assert_uint_eq(parsed.mirror.leg_count, 2);
	ck_assert_uint_eq(parsed.mirror.legs[0].minor, 16);
	ck_assert_uint_eq(parsed.mirror.legs[1].major, 8);
	ck_assert_uint_eq(parsed.mirror.legs[1].offset_sectors, 2048);
}

static void expect_line(enum plan_log log, bool nosync, const char *want)
{
	struct table_mirror mirror;
	char line[PLAN_LINE_BYTES];

	plan.log = log;
	plan.nosync = nosync;
	ck_assert_int_eq(plan_line(&plan, line, sizeof(line)), 0);
	ck_assert_str_eq(line, want);
	expect_parsed(want, log);
	for (size_t bytes = 1; bytes <= strlen(want); bytes++)
		ck_assert_int_eq(plan_line(&plan, line, bytes), -E2BIG);
	if (log == PLAN_KERNEL_DISK)
		return;
	/* As the daemon reads it. */
	ck_assert_int_eq(table_parse_mirror(want, &mirror), 0);
	ck_assert_str_eq(mirror.uuid, "u");
	ck_assert_uint_eq(mirror.leg_count, 2);
	ck_assert_uint_eq(mirror.legs[1].offset_sectors, 2048);
}

START_TEST(test_line)
{
	expect_line(PLAN_CLUSTERED_DISK, false,
		    "userspace 5 u integrated_flush clustered-disk 254:3 1024 2 8:16 0 8:32 2048 "
		    "1 handle_errors");
	expect_line(PLAN_CLUSTERED_DISK, true,
		    "userspace 6 u integrated_flush clustered-disk 254:3 1024 nosync 2 8:16 0 8:32 "
		    "2048 1 handle_errors");
	expect_line(PLAN_CLUSTERED_CORE, false,
		    "userspace 4 u integrated_flush clustered-core 1024 2 8:16 0 8:32 2048 1 "
		    "handle_errors");
	expect_line(PLAN_KERNEL_DISK, false,
		    "disk 2 254:3 1024 2 8:16 0 8:32 2048 1 handle_errors");
}
END_TEST

/* As the kernel prints them, with what nobody here writes; and what it never prints. */
START_TEST(test_parse)
{
	static const char *const wrong[] = {
		"",
		"disk",
		"disk 2",
		"disk 2 254:3",
		"disk 1 254:3 1024 2 8:16 0 8:32 0",
		"disk 2 254 1024 2 8:16 0 8:32 0",
		"disk 2 254:3:4 1024 2 8:16 0 8:32 0",
		"disk 2 254:3 0 2 8:16 0 8:32 0",
		"disk 2 254:3 1024 0",
		"disk 2 254:3 1024 2 8:16 0",
		"disk 2 254:3 1024 2 8:16 0 8:32 x",
		"disk 2 254:3 1024 2 8:16 0 8:4294967296 0",
		"disk 9 254:3 1024 2 8:16 0 8:32 0 1 handle_errors a b c d",
		"disk 18446744073709551616 254:3 1024 2 8:16 0 8:32 0",
		"userspace 4",
		"userspace 3 u",
		"userspace 0 2 8:16 0 8:32 0",
		"userspace 1 u 2 8:16 0 8:32 0",
		"userspace 2 u integrated_flush 2 8:16 0 8:32 0",
		"userspace 3 u clustered-disk 254:3 1024 2 8:16 0 8:32 0",
		"userspace 4 u clustered-tape 254:3 1024 2 8:16 0 8:32 0",
	};
	struct mirror_plan parsed;
	char line[PLAN_LINE_BYTES + 100];

	ck_assert_int_eq(plan_parse("disk 3 254:3 1024 nosync 2 8:16 0 8:32 0", &parsed), 0);
	ck_assert_int_eq(parsed.log, PLAN_KERNEL_DISK);
	ck_assert(!parsed.nosync);
	ck_assert_int_eq(
		plan_parse("userspace 5 u clustered_disk 254:3 64 nosync 2 8:16 0 8:32 0 2 "
			   "handle_errors keep_log",
			   &parsed),
		0);
	ck_assert_int_eq(parsed.log, PLAN_CLUSTERED_DISK);
	ck_assert_uint_eq(parsed.region_sectors, 64);
	ck_assert_int_eq(plan_parse("core 1 1024 2 8:16 0 8:32 0", &parsed), -ENOMSG);
	ck_assert_int_eq(plan_parse("disk 2 254:3 1024 33 8:16 0", &parsed), -E2BIG);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *copy = strdup(wrong[i]);

		ck_assert_msg(plan_parse(copy, &parsed) == -EINVAL, "%s", wrong[i]);
		free(copy);
	}
	memset(line, '1', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ck_assert_int_eq(plan_parse(line, &parsed), -EINVAL);
}
END_TEST

static void setup(void)
{
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
}

static void teardown(void)
{
	(void)unlink(path);
	tab_free(&tab);
}

int main(void)
{
	Suite *suite = suite_create("tab");
	TCase *tcase = tcase_create("tab");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_an_entry);
	tcase_add_test(tcase, test_nothing);
	tcase_add_test(tcase, test_wrong_words);
	tcase_add_test(tcase, test_wrong_options);
	tcase_add_test(tcase, test_too_long);
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_file);
	tcase_add_test(tcase, test_wrong_file);
	tcase_add_test(tcase, test_line);
	tcase_add_test(tcase, test_parse);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
