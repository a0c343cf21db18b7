/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the control socket: what each answers and does, and what is refused, hostile lines above all. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_tokener.h>

#include "core_harness.h"
#include "core_status.h"
#include "daemon/command.h"
#include "daemon/report.h"
#include "daemon/wait_words.h"

#define LUID 0x1000
#define PEER 2

static struct harness h;
static uint32_t steps;
static struct json_object *answer; /* the last one */

static const struct core *port_core(void *context)
{
	(void)context;
	return h.core;
}

static void port_step(void *context, struct input *input)
{
	(void)context;
	steps++;
	harness_input(&h, input);
	harness_run(&h);
}

static void port_counters(void *context, struct service_counters *ret_counters)
{
	(void)context;
	*ret_counters = (struct service_counters){
		.lost_requests = 5, .group = { .messages = 30, .batches = 20, .refused = 10 }
	};
}

static const struct command_port port = { .core = port_core,
					  .step = port_step,
					  .counters = port_counters };

static void start(const char *cluster)
{
	memset(&h, 0, sizeof(h));
	steps = 0;
	(void)snprintf(h.config.cluster_name, sizeof(h.config.cluster_name), "%s", cluster);
	harness_start(&h);
}

static void setup(void)
{
	start("none");
}

static void teardown(void)
{
	json_object_put(answer);
	answer = NULL;
	harness_stop(&h);
}

/* The answer to any bytes: one line, JSON, of version 1. */
static struct json_object *ask_bytes(const char *line, size_t length)
{
	char *text = command_answer(&port, line, length);

	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	json_object_put(answer);
	answer = json_tokener_parse(text);
	free(text);
	ck_assert(json_object_is_type(answer, json_type_object));
	ck_assert_int_eq(json_object_get_int(json_object_object_get(answer, "version")), 1);
	return answer;
}

static struct json_object *ask(const char *line)
{
	return ask_bytes(line, strlen(line));
}

static void expect_ok(const char *line)
{
	ck_assert_msg(json_object_get_boolean(json_object_object_get(ask(line), "ok")), "%s: %s",
		      line, json_object_to_json_string(answer));
}

/* Refused with this code, and with words, and nothing was done. */
static void expect_error(const char *line, const char *code)
{
	uint32_t before = steps;

	ck_assert(!json_object_get_boolean(json_object_object_get(ask(line), "ok")));
	ck_assert_msg(strcmp(json_object_get_string(json_object_object_get(answer, "error")),
			     code) == 0,
		      "%s: %s", line, json_object_to_json_string(answer));
	ck_assert_int_gt(json_object_get_string_len(json_object_object_get(answer, "message")), 5);
	ck_assert_uint_eq(steps, before);
}

/* A member of a member: "group.node", "logs.0.resync.paused". */
static struct json_object *at(const char *path)
{
	struct json_object *object = answer;
	char copy[128];
	char *rest = copy;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (const char *name = strsep(&rest, "."); name != NULL; name = strsep(&rest, "."))
		object = json_object_is_type(object, json_type_array) ?
				 json_object_array_get_idx(object, (size_t)atoi(name)) :
				 json_object_object_get(object, name);
	return object;
}

static const char *text_at(const char *path)
{
	return json_object_get_string(at(path));
}

static uint64_t number_at(const char *path)
{
	ck_assert_msg(json_object_is_type(at(path), json_type_int), "%s in %s", path,
		      json_object_to_json_string(answer));
	return json_object_get_uint64(at(path));
}

#define STATUS "{\"version\":1,\"command\":\"status\"}"
#define RESYNC "{\"version\":1,\"command\":\"resync\",\"log\":\"" HARNESS_UUID "\","

/* ---- status ---- */

START_TEST(status_of_nothing)
{
	expect_ok(STATUS);
	ck_assert_uint_eq(number_at("daemon.requests_lost"), 5);
	ck_assert_uint_eq(number_at("daemon.tables"), 0);
	ck_assert_uint_eq(number_at("group.counters.messages"), 30);
	ck_assert_uint_eq(number_at("group.counters.batches"), 20);
	ck_assert_uint_eq(number_at("group.counters.refused"), 10);
	ck_assert_str_eq(text_at("group.cluster"), "none");
	ck_assert_uint_eq(number_at("group.node"), 1);
	ck_assert(json_object_get_boolean(at("group.active")));
	ck_assert_uint_eq(json_object_array_length(at("group.nodes")), 1);
	ck_assert_uint_eq(json_object_array_length(at("logs")), 0);
	ck_assert_ptr_null(at("next"));
	ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(status_of_a_log)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 60);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 7), 0));
	expect_ok("{\"version\":1,\"command\":\"status\",\"log\":\"" HARNESS_UUID "\"}");
	ck_assert_uint_eq(json_object_array_length(at("logs")), 1);
	ck_assert_str_eq(text_at("logs.0.uuid"), HARNESS_UUID);
	ck_assert_str_eq(text_at("logs.0.type"), "clustered-disk");
	ck_assert_str_eq(text_at("logs.0.device"), "254:0");
	ck_assert_uint_eq(number_at("logs.0.regions"), 64);
	ck_assert_uint_eq(number_at("logs.0.region_sectors"), 1024);
	ck_assert_uint_eq(number_at("logs.0.in_sync"), 60);
	ck_assert_uint_eq(number_at("logs.0.held"), 1);
	ck_assert_uint_eq(number_at("logs.0.marked"), 1);
	ck_assert_uint_eq(number_at("logs.0.resync.copies"), 4);
	ck_assert_uint_gt(number_at("logs.0.counters.slot_writes"), 0);
	ck_assert_uint_eq(number_at("logs.0.members.0.node"), 1);
	ck_assert_str_eq(text_at("logs.0.members.0.state"), "resumed");
	ck_assert_uint_eq(number_at("logs.0.members.0.slot"), 0);
	ck_assert_uint_eq(json_object_array_length(at("logs.0.waits")), 0);
	expect_error("{\"version\":1,\"command\":\"status\",\"log\":\"other\"}", "not-found");
}
END_TEST

/* No answer has more than a few logs. */
START_TEST(status_in_pieces)
{
	char line[128], uuid[40];
	uint32_t told = 0;

	for (uint32_t i = 0; i < 40; i++) {
		(void)snprintf(uuid, sizeof(uuid), "log-%u", i);
		h.uuid = uuid;
		(void)harness_ctr(&h, LUID + i, HARNESS_CORE);
	}
	expect_ok(STATUS);
	ck_assert_ptr_nonnull(at("next"));
	while (at("next") != NULL) {
		ck_assert_uint_eq(json_object_array_length(at("logs")), COMMAND_STATUS_LOGS);
		told += COMMAND_STATUS_LOGS;
		(void)snprintf(line, sizeof(line),
			       "{\"version\":1,\"command\":\"status\",\"first\":%u}",
			       (unsigned)number_at("next"));
		expect_ok(line);
	}
	ck_assert_uint_eq(told + json_object_array_length(at("logs")), 40);
	expect_ok("{\"version\":1,\"command\":\"status\",\"first\":1024}");
	ck_assert_uint_eq(json_object_array_length(at("logs")), 0);
	expect_error("{\"version\":1,\"command\":\"status\",\"first\":1025}", "bad-request");
}
END_TEST

/* Who waits is told with node, boot id and the command that ends it. */
START_TEST(status_names_whom)
{
	char boot[33];

	harness_stop(&h);
	start("blue");
	h.peers_grant = true;
	harness_put_kernel_log(&h, HARNESS_REGIONS, 60);
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	harness_peer_joins(&h, PEER);
	harness_peer_goes(&h, PEER, VIEW_NODE_DOWN);
	harness_quorum(&h, true);
	expect_ok(STATUS);
	id_text(harness_hello(PEER).boot_id, boot);
	ck_assert_str_eq(text_at("logs.0.waits.0.what"), "copying");
	ck_assert_str_eq(text_at("logs.0.waits.0.reason"), "proof");
	ck_assert_uint_eq(number_at("logs.0.waits.0.node"), PEER);
	ck_assert_str_eq(text_at("logs.0.waits.0.boot_id"), boot);
	ck_assert_ptr_nonnull(strstr(text_at("logs.0.waits.0.for"), boot));
	ck_assert_str_eq(text_at("logs.0.waits.0.command"), "dmclog fenced 2");
	ck_assert_ptr_null(at("logs.0.waits.0.give_up"));
	/* And that command ends it. */
	expect_ok("{\"version\":1,\"command\":\"fenced\",\"node\":2}");
	ck_assert_str_eq(text_at("boot_id"), boot);
	expect_ok(STATUS);
	ck_assert_uint_eq(json_object_array_length(at("logs.0.waits")), 0);
}
END_TEST

/* ---- the others ---- */

START_TEST(fenced)
{
	expect_error("{\"version\":1,\"command\":\"fenced\"}", "bad-request");
	expect_error("{\"version\":1,\"command\":\"fenced\",\"node\":7}", "not-possible");
	harness_stop(&h);
	start("blue");
	harness_peer_comes(&h, PEER);
	expect_error("{\"version\":1,\"command\":\"fenced\",\"node\":2}", "too-early");
	expect_error("{\"version\":1,\"command\":\"fenced\",\"node\":1}", "bad-request");
	expect_error("{\"version\":1,\"command\":\"fenced\",\"node\":0}", "bad-request");
	expect_ok("{\"version\":1,\"command\":\"fenced\",\"node\":77}");
	ck_assert_str_eq(text_at("boot_id"), "any");
	harness_quorum(&h, false);
	expect_error("{\"version\":1,\"command\":\"fenced\",\"node\":77}", "not-active");
}
END_TEST

START_TEST(fail_ends_a_wait)
{
	uint32_t seq;

	harness_open(&h, LUID);
	h.keep[EFFECT_WRITE] = true;
	seq = harness_write(&h, LUID, 7);
	expect_ok(STATUS);
	ck_assert_str_eq(text_at("logs.0.waits.0.what"), "flush");
	ck_assert_str_eq(text_at("logs.0.waits.0.reason"), "device");
	ck_assert_str_eq(text_at("logs.0.waits.0.give_up"), "dmclog fail " HARNESS_UUID);
	ck_assert_ptr_null(harness_answer(&h, seq));
	expect_error("{\"version\":1,\"command\":\"fail\"}", "bad-request");
	expect_error("{\"version\":1,\"command\":\"fail\",\"log\":\"other\"}", "not-found");
	expect_ok("{\"version\":1,\"command\":\"fail\",\"log\":\"" HARNESS_UUID "\"}");
	ck_assert(harness_answered(&h, seq, -EIO));
}
END_TEST

START_TEST(resync)
{
	harness_open(&h, LUID);
	expect_error("{\"version\":1,\"command\":\"resync\",\"log\":\"other\",\"paused\":true}",
		     "not-found");
	expect_error(RESYNC "\"paused\":1}", "bad-request");
	expect_error(RESYNC "\"rate\":\"fast\"}", "bad-request");
	expect_error(RESYNC "\"rate\":-1}", "bad-request");
	expect_error(RESYNC "\"rate\":1.5}", "bad-request");
	expect_ok(RESYNC "\"paused\":true}");
	ck_assert(harness_status(&h).paused && !harness_status(&h).control_rate);
	/* One does not change the other. */
	expect_ok(RESYNC "\"rate\":1048576}");
	ck_assert(harness_status(&h).paused);
	ck_assert_uint_eq(harness_status(&h).bytes_per_second, 1048576);
	expect_ok(RESYNC "\"paused\":false}");
	ck_assert(!harness_status(&h).paused);
	ck_assert_uint_eq(harness_status(&h).bytes_per_second, 1048576);
	expect_ok(RESYNC "\"rate\":0}");
	ck_assert(harness_status(&h).control_rate && harness_status(&h).bytes_per_second == 0);
	expect_ok(RESYNC "\"paused\":true}");
	ck_assert(harness_status(&h).control_rate && harness_status(&h).bytes_per_second == 0);
	expect_ok(RESYNC "\"rate\":\"default\"}");
	ck_assert(!harness_status(&h).control_rate);
	harness_quorum(&h, false);
	expect_error(RESYNC "\"paused\":false}", "not-active");
	harness_quorum(&h, true);
	harness_suspend(&h, LUID);
	expect_error(RESYNC "\"paused\":false}", "not-possible");
}
END_TEST

/* What is printed can be given to a shell. */
START_TEST(a_uuid_for_a_shell)
{
	static const struct core_wait paused = { .reason = CORE_WAIT_PAUSED };
	struct core_log_status status = { .uuid = "a'b;c" };
	struct wait_words words;
	char longest[REQUEST_UUID_SIZE];

	wait_word(&status, &paused, &words);
	ck_assert_str_eq(words.command, "dmclog resync 'a'\\''b;c' resume");
	memset(longest, '\'', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	status.uuid = longest;
	wait_word(&status, &paused, &words);
	ck_assert_uint_eq(strlen(words.command), strlen("dmclog resync '' resume") + 4 * 128);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(bad_lines)
{
	static const struct {
		const char *line;
		const char *code;
	} rows[] = {
		{ "", "bad-request" },
		{ "status", "bad-request" },
		{ "[]", "bad-request" },
		{ "7", "bad-request" },
		{ "null", "bad-request" },
		{ "{", "bad-request" },
		{ STATUS STATUS, "bad-request" },
		{ STATUS " x", "bad-request" },
		{ "{'version':1,'command':'status'}", "bad-request" },
		{ "{\"version\":1,\"command\":\"status\",}", "bad-request" },
		{ "{\"version\":1,\"command\":\"status\",\"x\":[[[[[[[[1]]]]]]]]}", "bad-request" },
		{ "{}", "version" },
		{ "{\"command\":\"status\"}", "version" },
		{ "{\"version\":2,\"command\":\"status\"}", "version" },
		{ "{\"version\":\"1\",\"command\":\"status\"}", "bad-request" },
		{ "{\"version\":1}", "unknown-command" },
		{ "{\"version\":1,\"command\":\"reboot\"}", "unknown-command" },
		{ "{\"version\":1,\"command\":7}", "bad-request" },
		{ "{\"version\":1,\"command\":\"status\\u0000\"}", "bad-request" },
		{ "{\"version\":1,\"command\":\"status\",\"logs\":\"a\"}", "bad-request" },
		{ "{\"version\":1,\"command\":\"status\",\"log\":7}", "bad-request" },
		{ "{\"version\":1,\"command\":\"fenced\",\"node\":\"2\"}", "bad-request" },
		{ "{\"version\":1,\"command\":\"fenced\",\"node\":-2}", "bad-request" },
		{ "{\"version\":1,\"command\":\"fenced\",\"node\":4294967296}", "bad-request" },
		{ "{\"version\":1,\"command\":\"fenced\",\"node\":99999999999999999999999}",
		  "bad-request" },
		{ "{\"version\":1,\"command\":\"resync\",\"log\":\"" HARNESS_UUID "\"}",
		  "bad-request" },
	};

	harness_open(&h, LUID);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_error(rows[i].line, rows[i].code);
	(void)ask_bytes(STATUS "\0", sizeof(STATUS));
	ck_assert(!json_object_get_boolean(at("ok")));
}
END_TEST

/* Any bytes at all, and good lines with some bytes changed. */
START_TEST(hostile_lines)
{
	static const char good[] = RESYNC "\"paused\":true,\"rate\":1048576}";
	char line[sizeof(good)];

	harness_open(&h, LUID);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t length = (size_t)rand() % sizeof(line);

		for (size_t b = 0; b < length; b++)
			line[b] = (char)rand();
		(void)ask_bytes(line, length);
		memcpy(line, good, sizeof(good));
		for (int changes = 0; changes < 1 + i % 4; changes++)
			line[(size_t)rand() % (sizeof(good) - 1)] = (char)rand();
		(void)ask_bytes(line, sizeof(good) - 1);
	}
}
END_TEST

/* ---- events ---- */

START_TEST(events_by_number)
{
	char line[128];
	uint64_t next;

	expect_ok("{\"version\":1,\"command\":\"events\"}");
	ck_assert_uint_eq(json_object_array_length(at("events")), 0);
	next = number_at("next");
	for (int i = 0; i < 40; i++)
		report(i == 3 ? LOG_DEBUG : LOG_WARNING, i == 1 ? "u" : NULL, 0, "line %d", i);
	for (uint64_t told = 0; told < 40; told = number_at("next") - next) {
		(void)snprintf(line, sizeof(line),
			       "{\"version\":1,\"command\":\"events\",\"from\":%llu}",
			       (unsigned long long)(next + told));
		expect_ok(line);
		ck_assert_uint_le(json_object_array_length(at("events")), COMMAND_EVENTS);
		ck_assert_uint_eq(number_at("lost"), 0);
		ck_assert_uint_eq(number_at("events.0.number"), next + told);
		if (told > 0)
			continue;
		ck_assert_str_eq(text_at("events.1.text"), "line 1");
		ck_assert_str_eq(text_at("events.1.log"), "u");
		ck_assert_ptr_null(at("events.0.log"));
		ck_assert_ptr_null(at("events.0.event"));
		ck_assert_uint_eq(number_at("events.0.priority"), LOG_WARNING);
		ck_assert_str_eq(text_at("events.3.text"), "line 4");
	}
	expect_ok(line);
	for (int i = 0; i < REPORT_LINES + 50; i++)
		report(LOG_NOTICE, NULL, 0, "many");
	(void)snprintf(line, sizeof(line), "{\"version\":1,\"command\":\"events\",\"from\":%llu}",
		       (unsigned long long)(next + 40));
	expect_ok(line);
	ck_assert_uint_eq(number_at("lost"), 50);
	ck_assert_uint_eq(number_at("events.0.number"), next + 90);
	/* What has not been is nothing, and not an error: the daemon was started again. */
	expect_ok("{\"version\":1,\"command\":\"events\",\"from\":999999999}");
	ck_assert_uint_eq(json_object_array_length(at("events")), 0);
	expect_error("{\"version\":1,\"command\":\"events\",\"from\":-1}", "bad-request");
	expect_error("{\"version\":1,\"command\":\"events\",\"first\":1}", "bad-request");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command");
	TCase *tests = tcase_create("command");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, status_of_nothing);
	tcase_add_test(tests, status_of_a_log);
	tcase_add_test(tests, status_in_pieces);
	tcase_add_test(tests, status_names_whom);
	tcase_add_test(tests, fenced);
	tcase_add_test(tests, fail_ends_a_wait);
	tcase_add_test(tests, resync);
	tcase_add_test(tests, a_uuid_for_a_shell);
	tcase_add_test(tests, bad_lines);
	tcase_add_test(tests, hostile_lines);
	tcase_add_test(tests, events_by_number);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
