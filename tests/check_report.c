/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people are told: every event has words of its own, and the last lines are kept. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/report.h"

static char printed[262144];
static FILE *file;
static int saved;

static void begin(void)
{
	(void)fflush(stderr);
	file = tmpfile();
	ck_assert_ptr_nonnull(file);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
}

static void end(void)
{
	size_t length;

	(void)fflush(stderr);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	(void)close(saved);
	rewind(file);
	length = fread(printed, 1, sizeof(printed) - 1, file);
	printed[length] = '\0';
	(void)fclose(file);
}

static void setup(void)
{
	(void)unsetenv("JOURNAL_STREAM");
	report_init(false);
}

static void teardown(void)
{
}

static void word(enum core_event event, int status, const char *text)
{
	struct effect_event happened = { .event = event,
					 .uuid = "LVM-abc",
					 .luid = 1,
					 .region = 4711,
					 .number = 815,
					 .status = status,
					 .text = text };

	begin();
	report_event(&happened);
	end();
}

/* What each event must say, beside the uuid. */
START_TEST(words)
{
	static const struct {
		enum core_event event;
		const char *word[3];
	} rows[] = {
		{ EVENT_CTR_REFUSED, { "TEXT", "Input/output error", "refused" } },
		{ EVENT_OPENED, { "TEXT", "815", "out of sync" } },
		{ EVENT_OPEN_FAILED, { "TEXT", "Input/output error", "tried again" } },
		{ EVENT_CLOSED, { "closed", "815", "out of sync" } },
		{ EVENT_CLOSE_FAILED, { "in use", "Input/output error", "written" } },
		{ EVENT_WAITING_FOR_SLOT, { "TEXT", "waits", "--takeover-delay" } },
		{ EVENT_DEVICE_FAILED, { "Input/output error", "writes to the mirror fail", "" } },
		{ EVENT_DEVICE_RECOVERED, { "can be written again", "", "" } },
		{ EVENT_LEG_FAILED, { "TEXT", "leg has failed", "nothing is copied" } },
		{ EVENT_LEG_FLUSH_FAILED, { "Input/output error", "815", "out of sync" } },
		{ EVENT_REGION_LOST, { "region 4711", "out of sync", "" } },
		{ EVENT_COPY_FAILED, { "region 4711", "copied", "Input/output error" } },
		{ EVENT_IN_SYNC, { "in sync", "815", "" } },
		{ EVENT_LEGS_UNREADABLE, { "live table", "Input/output error", "again" } },
		{ EVENT_CONFLICT, { "TEXT", "writes through this table fail", "" } },
		{ EVENT_REFUSED, { "stopped", "version", "rebooted" } },
		{ EVENT_UNKNOWN_PAST, { "earlier dmclogd", "held", "new table" } },
		{ EVENT_KNOWN_PAST, { "815 regions", "4711 of them", "earlier dmclogd" } },
	};
	char seen[sizeof(rows) / sizeof(rows[0])][512];

	ck_assert_uint_eq(sizeof(rows) / sizeof(rows[0]), EVENT_KNOWN_PAST + 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_uint_eq(rows[i].event, i);
		word(rows[i].event, -5, "TEXT");
		ck_assert_int_eq(strncmp(printed, "dmclogd: LVM-abc: ", 18), 0);
		ck_assert_ptr_eq(strchr(printed, '\n'), printed + strlen(printed) - 1);
		for (size_t w = 0; w < 3; w++)
			ck_assert_msg(strstr(printed, rows[i].word[w]) != NULL, "%s: %s",
				      rows[i].word[w], printed);
		ck_assert_uint_lt(strlen(printed), sizeof(seen[i]));
		strcpy(seen[i], printed);
		for (size_t other = 0; other < i; other++)
			ck_assert_str_ne(seen[i], seen[other]);
	}
	/* A good flush behind which the letters tell otherwise has no errno. */
	word(EVENT_LEG_FLUSH_FAILED, 0, "");
	ck_assert_ptr_nonnull(strstr(printed, "health letters"));
	ck_assert_ptr_null(strstr(printed, "Success"));
}
END_TEST

START_TEST(about_the_whole_node)
{
	struct effect_event happened = { .event = EVENT_REFUSED, .uuid = "", .text = "" };

	begin();
	report_event(&happened);
	end();
	ck_assert_int_eq(strncmp(printed, "dmclogd: the other nodes", 24), 0);
}
END_TEST

START_TEST(long_lines_are_cut)
{
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	word(EVENT_CTR_REFUSED, -5, text);
	ck_assert_uint_lt(strlen(printed), 530);
	ck_assert_ptr_nonnull(strstr(printed, "xxxx"));
	begin();
	report(LOG_ERR, text + sizeof(text) - REQUEST_UUID_SIZE, 1, "%s", text);
	end();
	ck_assert_uint_lt(strlen(printed), 530);
}
END_TEST

/* What somebody must act on stands at the end. */
START_TEST(longest_wait_is_not_cut)
{
	char text[200];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	word(EVENT_WAITING_FOR_SLOT, 0, text);
	ck_assert_ptr_nonnull(strstr(printed, "--takeover-delay where that is set\n"));
}
END_TEST

START_TEST(debug_lines_are_kept_but_not_said)
{
	begin();
	report(LOG_DEBUG, NULL, 0, "quiet %d", 1);
	end();
	ck_assert_str_eq(printed, "");
	begin();
	report_recent();
	end();
	ck_assert_ptr_nonnull(strstr(printed, "the last 1 events:"));
	ck_assert_ptr_nonnull(strstr(printed, "quiet 1\n"));
	report_init(true);
	begin();
	report(LOG_DEBUG, "U", 0, "loud %d", 2);
	end();
	ck_assert_str_eq(printed, "dmclogd: U: loud 2\n");
}
END_TEST

/* The last 256, oldest first. */
START_TEST(recent_ring)
{
	char line[32];
	const char *at = printed;

	begin();
	for (int i = 0; i < 1000; i++)
		report(LOG_NOTICE, NULL, 0, "line-%d.", i);
	end();
	begin();
	report_recent();
	end();
	ck_assert_ptr_nonnull(strstr(printed, "the last 256 events:"));
	ck_assert_ptr_null(strstr(printed, "line-743."));
	for (int i = 744; i < 1000; i++) {
		(void)snprintf(line, sizeof(line), "line-%d.\n", i);
		at = strstr(at, line);
		ck_assert_msg(at != NULL, "%s", line);
	}
}
END_TEST

/* ---- for programs ---- */

START_TEST(lines_are_numbered)
{
	uint64_t start_us, first = report_next(&start_us);
	struct report_line line;

	ck_assert(!report_line_get(first, &line));
	word(EVENT_LEG_FAILED, 0, "AD");
	ck_assert_uint_eq(report_next(&start_us), first + 1);
	ck_assert(report_line_get(first, &line));
	ck_assert_str_eq(line.code, "leg-failed");
	ck_assert_str_eq(line.uuid, "LVM-abc");
	ck_assert_str_eq(line.text, "a leg has failed, health letters AD: nothing is copied");
	ck_assert_int_eq(line.priority, LOG_ERR);
	ck_assert_uint_ge(line.time_us, start_us);
	begin();
	report(LOG_NOTICE, NULL, 0, "plain");
	end();
	ck_assert(report_line_get(first + 1, &line));
	ck_assert_ptr_null(line.code);
	ck_assert_str_eq(line.uuid, "");
	ck_assert_str_eq(line.text, "plain");
}
END_TEST

START_TEST(old_lines_are_forgotten)
{
	uint64_t start_us, first = report_next(&start_us);
	struct report_line line;

	begin();
	for (uint32_t i = 0; i <= REPORT_LINES; i++)
		report(LOG_NOTICE, NULL, 0, "line %u", i);
	end();
	ck_assert(!report_line_get(first, &line));
	ck_assert(report_line_get(first + 1, &line));
	ck_assert_str_eq(line.text, "line 1");
	ck_assert(report_line_get(first + REPORT_LINES, &line));
	ck_assert_str_eq(line.text, "line 256");
	ck_assert(!report_line_get(first + REPORT_LINES + 1, &line));
}
END_TEST

/* Whatever the core can tell has a code of its own. */
START_TEST(each_event_has_a_code)
{
	uint64_t start_us;
	struct report_line line, other;

	for (int event = EVENT_CTR_REFUSED; event <= EVENT_KNOWN_PAST; event++) {
		word((enum core_event)event, -EIO, "text");
		ck_assert(report_line_get(report_next(&start_us) - 1, &line));
		ck_assert_msg(line.code != NULL, "event %d", event);
		for (int before = EVENT_CTR_REFUSED; before < event; before++) {
			ck_assert(report_line_get(
				report_next(&start_us) - 1 - (uint64_t)(event - before), &other));
			ck_assert_str_ne(line.code, other.code);
		}
	}
}
END_TEST

/* ---- in the journal ---- */

/* Instead of the library's: what report.c would have sent. */
static char sent[4096];

int sd_journal_sendv(const struct iovec *fields, int count)
{
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		ck_assert_uint_lt(used + fields[i].iov_len + 2, sizeof(sent));
		memcpy(sent + used, fields[i].iov_base, fields[i].iov_len);
		used += fields[i].iov_len;
		sent[used++] = '\n';
	}
	sent[used] = '\0';
	return 0;
}

static void to_journal(void)
{
	char stream[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	report_init(false);
}

/* The value of a field of what was sent. */
static const char *field(const char *name, char value[256])
{
	size_t length = strlen(name);

	for (const char *at = sent; at != NULL && *at != '\0'; at = strchr(at, '\n') + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=') {
			(void)snprintf(value, 256, "%.*s", (int)strcspn(at + length + 1, "\n"),
				       at + length + 1);
			return value;
		}
	return NULL;
}

static void check_id(char ids[][256], int count)
{
	ck_assert_msg(field("MESSAGE_ID", ids[count]) != NULL, "%d: %s", count, sent);
	ck_assert_uint_eq(strspn(ids[count], "0123456789abcdef"), 32);
	ck_assert_uint_eq(strlen(ids[count]), 32);
	for (int other = 0; other < count; other++)
		ck_assert_str_ne(ids[count], ids[other]);
}

START_TEST(each_kind_has_a_message_id)
{
	static char ids[EVENT_KNOWN_PAST + 1 + NEWS_REQUESTS_LOST + 1][256];
	struct effect_event happened = { .uuid = "LVM-abc", .luid = 0xbeef, .text = "TEXT" };
	char value[256], expected[32];
	int count = 0;

	to_journal();
	for (int event = EVENT_CTR_REFUSED; event <= EVENT_KNOWN_PAST; event++) {
		happened.event = (enum core_event)event;
		report_event(&happened);
		check_id(ids, count++);
		ck_assert_str_eq(field("DMCLOGD_UUID", value), "LVM-abc");
		ck_assert_str_eq(field("DMCLOGD_LUID", value), "beef");
		ck_assert_int_eq(strncmp(field("MESSAGE", value), "LVM-abc: ", 9), 0);
	}
	for (int news = NEWS_CANNOT_SERVE; news <= NEWS_REQUESTS_LOST; news++) {
		sent[0] = '\0';
		report_news((enum news)news, "word %d", news);
		if (news == NEWS_RING) {
			ck_assert_str_eq(sent, "");
			continue;
		}
		check_id(ids, count++);
		ck_assert_ptr_null(field("DMCLOGD_UUID", value));
		(void)snprintf(expected, sizeof(expected), "word %d", news);
		ck_assert_str_eq(field("MESSAGE", value), expected);
	}
}
END_TEST

START_TEST(priorities_in_the_journal)
{
	char value[256];

	to_journal();
	report_news(NEWS_APART, "no corosync");
	ck_assert_str_eq(field("PRIORITY", value), "3");
	report_news(NEWS_NO_QUORUM, "alone");
	ck_assert_str_eq(field("PRIORITY", value), "4");
	/* A line of no kind has words only. */
	report(LOG_NOTICE, "U", 7, "plain %d", 1);
	ck_assert_str_eq(sent, "MESSAGE=U: plain 1\nPRIORITY=5\nDMCLOGD_UUID=U\nDMCLOGD_LUID=7\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report");
	TCase *tests = tcase_create("report");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, words);
	tcase_add_test(tests, about_the_whole_node);
	tcase_add_test(tests, long_lines_are_cut);
	tcase_add_test(tests, longest_wait_is_not_cut);
	tcase_add_test(tests, debug_lines_are_kept_but_not_said);
	tcase_add_test(tests, recent_ring);
	tcase_add_test(tests, lines_are_numbered);
	tcase_add_test(tests, old_lines_are_forgotten);
	tcase_add_test(tests, each_event_has_a_code);
	tcase_add_test(tests, each_kind_has_a_message_id);
	tcase_add_test(tests, priorities_in_the_journal);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
