/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status as OpenMetrics: samples with their values, and for the whole text the rules of the format: a family in one piece
 * and named once, each sample under its family, # EOF at the end and only there.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_tokener.h>

#include "tools/openmetrics.h"

#define LOG(uuid, in_sync)                                                                       \
	"{\"uuid\":\"" uuid "\",\"regions\":64,\"region_sectors\":1024,\"in_sync\":" in_sync "," \
	"\"held\":3,\"device_failed\":true,\"resync\":{\"paused\":false,\"speed\":null},"        \
	"\"counters\":{\"requests\":18446744073709551615},"                                      \
	"\"members\":[{\"node\":2,\"state\":\"departed\"}],"                                     \
	"\"waits\":[{\"seconds\":4},{\"seconds\":null},{\"seconds\":9}]}"
#define STATUS(logs)                                                                                  \
	"{\"daemon\":{\"version\":\"1.2\",\"tables\":1,\"requests_lost\":0},"                         \
	"\"group\":{\"cluster\":\"demo\",\"node\":1,\"quorate\":true,\"counters\":{\"messages\":7}}," \
	"\"logs\":[" logs "]}"

static char *text;
static size_t text_bytes;

static void print(const char *json)
{
	struct json_object *answer = json_tokener_parse(json);
	FILE *out;

	ck_assert_ptr_nonnull(answer);
	free(text);
	out = open_memstream(&text, &text_bytes);
	ck_assert_int_eq(openmetrics_print(answer, out), 0);
	ck_assert_int_eq(fclose(out), 0);
	json_object_put(answer);
}

static void expect(const char *line)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "\n%s\n", line);
	ck_assert_msg(strstr(text, whole) != NULL, "%s is not in %.2000s", line, text);
}

/* The length of the family's name that the line is under, with its _total or _info. */
static void check_line(const char *line, char *family, char *seen)
{
	char name[128], word[140];

	if (sscanf(line, "# TYPE %127s", name) == 1) {
		(void)snprintf(word, sizeof(word), " %s ", name);
		ck_assert_msg(strstr(seen, word) == NULL, "%s comes twice", name);
		strcat(seen, word);
		strcpy(family, name);
		return;
	}
	if (sscanf(line, "# UNIT %127s", name) == 1 || sscanf(line, "# HELP %127s", name) == 1) {
		ck_assert_str_eq(name, family);
		return;
	}
	ck_assert_msg(sscanf(line, "%127[a-z_]", name) == 1, "%s", line);
	(void)snprintf(word, sizeof(word), "%s_total", family);
	if (strcmp(name, family) != 0 && strcmp(name, word) != 0)
		ck_assert_str_eq(name, "dmclogd_build_info");
}

static void check_format(void)
{
	static char seen[1 << 14];
	char family[130] = "", *rest = text;

	seen[0] = '\0';
	ck_assert_str_eq(text + text_bytes - 6, "# EOF\n");
	text[text_bytes - 6] = '\0';
	ck_assert_ptr_null(strstr(text, "# EOF"));
	for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0';
	     line = strsep(&rest, "\n"))
		check_line(line, family, seen);
	ck_assert(rest == NULL || *rest == '\0');
}

START_TEST(test_samples)
{
	print(STATUS(LOG("a", "60") "," LOG("b", "64")));
	expect("dmclogd_build_info{version=\"1.2\",cluster=\"demo\",node=\"1\"} 1");
	expect("dmclogd_group_quorate 1");
	expect("dmclogd_group_messages_total 7");
	expect("# TYPE dmclogd_log_in_sync_regions gauge");
	expect("dmclogd_log_in_sync_regions{log=\"a\"} 60\ndmclogd_log_in_sync_regions{log=\"b\"} 64");
	expect("dmclogd_log_region_size_bytes{log=\"a\"} 524288");
	expect("# UNIT dmclogd_log_region_size_bytes bytes");
	expect("dmclogd_log_device_failed{log=\"a\"} 1");
	expect("dmclogd_log_resync_paused{log=\"a\"} 0");
	expect("# TYPE dmclogd_log_requests counter");
	expect("dmclogd_log_requests_total{log=\"a\"} 18446744073709551615");
	expect("dmclogd_log_waits{log=\"a\"} 3");
	expect("dmclogd_log_longest_wait_seconds{log=\"b\"} 9");
	expect("dmclogd_log_member{log=\"a\",node=\"2\",dmclogd_log_member=\"departed\"} 1");
	expect("dmclogd_log_member{log=\"a\",node=\"2\",dmclogd_log_member=\"resumed\"} 0");
	/* Not known is not 0. */
	ck_assert_ptr_null(strstr(text, "dmclogd_log_resync_speed_bytes{"));
	ck_assert_ptr_null(strstr(text, "dmclogd_log_marked_regions{"));
}
END_TEST

START_TEST(test_format)
{
	print(STATUS(LOG("a", "60") "," LOG("b", "64")));
	check_format();
	print(STATUS(""));
	check_format();
	print("{}");
	check_format();
}
END_TEST

START_TEST(test_labels)
{
	print(STATUS(LOG("q\\\"b\\\\n\\nl", "1")));
	expect("dmclogd_log_waits{log=\"q\\\"b\\\\n\\nl\"} 3");
	check_format();
}
END_TEST

static void teardown(void)
{
	free(text);
	text = NULL;
}

int main(void)
{
	Suite *suite = suite_create("openmetrics");
	TCase *tcase = tcase_create("openmetrics");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, test_samples);
	tcase_add_test(tcase, test_format);
	tcase_add_test(tcase, test_labels);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
