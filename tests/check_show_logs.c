/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of a status: its words, from answers of a daemon that knows all and of one that knows little. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_tokener.h>

#include "tools/show.h"
#include "tools/show_logs.h"

static char *text;

static void show(const char *json, bool colours)
{
	struct show_style style = { .width = 160, .colours = colours };
	struct json_object *answer = json_tokener_parse(json);
	size_t bytes;
	FILE *out;

	ck_assert_ptr_nonnull(answer);
	free(text);
	out = open_memstream(&text, &bytes);
	ck_assert_int_eq(show_status(answer, &style, out), 0);
	ck_assert_int_eq(fclose(out), 0);
	json_object_put(answer);
}

/* With runs of blanks as one. */
static void expect(const char *words)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++)
		if (*from != ' ' || to == text || to[-1] != ' ')
			*to++ = *from;
	*to = '\0';
	ck_assert_msg(strstr(text, words) != NULL, "'%s' is not in\n%s", words, text);
}

#define HEAD                                                                                              \
	"{\"group\":{\"node\":1,\"cluster\":\"demo\",\"active\":true,\"quorate\":true},\"logs\":["        \
	"{\"uuid\":\"no-such-mirror\",\"phase\":\"open\",\"type\":\"clustered-disk\",\"device\":\"0:0\"," \
	"\"regions\":4000,\"region_sectors\":1024,\"resumed\":1,"
#define RESYNC "\"resync\":{\"rate\":10485760,\"copies\":4,\"speed\":2621440,\"seconds_left\":380},"
#define MEMBERS                                                                                             \
	"\"members\":[{\"node\":1,\"state\":\"resumed\",\"slot\":0,\"has_state\":true,\"disk_role\":true}," \
	"{\"node\":2,\"state\":\"departed\",\"slot\":1,\"has_state\":true}]}]}"

START_TEST(test_tree)
{
	show(HEAD "\"in_sync\":3999,\"held\":3,\"marked\":1," RESYNC MEMBERS, false);
	expect("LOG DEVICE STATE IN-SYNC % REGION HELD MARKED RESYNC NOTES\n");
	expect("no-such-mirror open 3999/4000 99.9% 512K 3 1 copying 2.5M/s, 6 min left <=10M/s "
	       "clustered-disk 0:0\n");
	expect("log good 0:0\n");
	expect("node 1 resumed slot 0, disk role, copies 4 regions\n");
	expect("node 2 departed slot 1\n");
	ck_assert_ptr_null(strchr(text, '\033'));
}
END_TEST

START_TEST(test_in_sync)
{
	show(HEAD "\"in_sync\":4000," RESYNC MEMBERS, false);
	expect("open 4000/4000 100% 512K 0 0 - <=10M/s clustered-disk");
}
END_TEST

START_TEST(test_colours)
{
	show(HEAD "\"in_sync\":1," RESYNC MEMBERS, true);
	ck_assert_ptr_nonnull(strchr(text, '\033'));
}
END_TEST

/* A daemon of before knew no speed; nor does one that has just begun. */
START_TEST(test_little_is_known)
{
	show(HEAD "\"in_sync\":1,\"resync\":{\"rate\":0}," MEMBERS, false);
	expect("1/4000 0% 512K 0 0 copying clustered-disk");
	show(HEAD "\"in_sync\":1,\"resync\":{\"speed\":0,\"seconds_left\":null}," MEMBERS, false);
	expect("1/4000 0% 512K 0 0 copying clustered-disk");
	show("{\"logs\":[{\"uuid\":\"a\"}]}", false);
	show("{}", false);
	expect("no mirror uses dmclogd");
}
END_TEST

static void expect_percentage(uint64_t part, uint64_t whole, const char *want)
{
	char word[16];

	show_percentage(part, whole, word, sizeof(word));
	ck_assert_str_eq(word, want);
}

static void expect_duration(uint64_t seconds, const char *want)
{
	char word[32];

	show_duration(seconds, word, sizeof(word));
	ck_assert_str_eq(word, want);
}

START_TEST(test_words)
{
	expect_percentage(0, 7, "0%");
	expect_percentage(999, 100000, "0%");
	expect_percentage(1, 2, "50%");
	expect_percentage(6999, 10000, "69%");
	expect_percentage(9950, 10000, "99.5%");
	expect_percentage(999999, 1000000, "99.9%");
	expect_percentage(7, 7, "100%");
	expect_percentage(0, 0, "100%");
	expect_duration(0, "0 s");
	expect_duration(59, "59 s");
	expect_duration(60, "1 min");
	expect_duration(3599, "59 min");
	expect_duration(7500, "2 h 5 min");
	expect_duration(86400 * 4 + 3600 * 3 + 59, "4 d 3 h");
}
END_TEST

static void teardown(void)
{
	free(text);
	text = NULL;
}

int main(void)
{
	Suite *suite = suite_create("show_logs");
	TCase *tcase = tcase_create("show_logs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, test_tree);
	tcase_add_test(tcase, test_in_sync);
	tcase_add_test(tcase, test_colours);
	tcase_add_test(tcase, test_little_is_known);
	tcase_add_test(tcase, test_words);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
