/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the control socket: see command.h. */
#include "daemon/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>

#include "config.h"
#include "core_status.h"
#include "daemon/report.h"
#include "daemon/status_json.h"
#include "daemon/wait_words.h"

/* Objects within objects; a request needs one. */
#define DEPTH_MAX 4

/* One request on its way: either `answer` gets members, or `code` and `text` say what is wrong. */
struct command {
	const struct command_port *port;
	struct json_object *request;
	struct json_object *answer;
	const char *code;
	char text[512];
};

__attribute__((format(printf, 3, 4))) static int refuse(struct command *command, const char *code,
							const char *format, ...)
{
	va_list arguments;

	command->code = code;
	va_start(arguments, format);
	(void)vsnprintf(command->text, sizeof(command->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* ---- what a request may have ---- */

/* Only these names, so that nothing that was meant is left out in silence.  `names` ends with NULL. */
static int only(struct command *command, const char *const *names)
{
	json_object_object_foreach(command->request, name, value)
	{
		bool known = strcmp(name, "version") == 0 || strcmp(name, "command") == 0;

		(void)value;
		for (size_t i = 0; names[i] != NULL; i++)
			known = known || strcmp(name, names[i]) == 0;
		if (!known)
			return refuse(command, "bad-request",
				      "\"%.40s\" is not known to this command", name);
	}
	return 0;
}

/* Absent is 0 and *ret_text NULL. */
static int get_text(struct command *command, const char *name, const char **ret_text)
{
	struct json_object *value;

	*ret_text = NULL;
	if (!json_object_object_get_ex(command->request, name, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string) ||
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return refuse(command, "bad-request", "\"%s\" must be a text", name);
	*ret_text = json_object_get_string(value);
	return 0;
}

static int get_number(struct command *command, const char *name, uint64_t most, bool *ret_there,
		      uint64_t *ret_number)
{
	struct json_object *value;

	*ret_there = json_object_object_get_ex(command->request, name, &value);
	if (!*ret_there)
		return 0;
	if (!json_object_is_type(value, json_type_int) || (json_object_get_int64(value) < 0) ||
	    json_object_get_uint64(value) > most)
		return refuse(command, "bad-request", "\"%s\" must be a number from 0 to %" PRIu64,
			      name, most);
	*ret_number = json_object_get_uint64(value);
	return 0;
}

/* The uuid in "log", and how many logs have it. */
static int get_log(struct command *command, const char **ret_uuid,
		   struct core_log_status *ret_status)
{
	const struct core *core = command->port->core(command->port->context);
	bool found = false;

	if (get_text(command, "log", ret_uuid) < 0)
		return -EINVAL;
	if (*ret_uuid == NULL)
		return refuse(command, "bad-request", "\"log\" is missing: the uuid of a log");
	for (uint32_t i = 0; i < CORE_LOGS_MAX && !found; i++)
		found = core_log_status(core, i, ret_status) == 0 &&
			strcmp(ret_status->uuid, *ret_uuid) == 0;
	if (!found)
		return refuse(command, "not-found", "no table of this node has a log \"%.160s\"",
			      *ret_uuid);
	return 0;
}

/* ---- the commands ---- */

static uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int add_logs(struct command *command, const char *uuid, uint32_t first)
{
	const struct core *core = command->port->core(command->port->context);
	struct json_object *logs = json_object_new_array();
	struct core_log_status status;
	uint32_t told = 0;

	if (!json_add(command->answer, "logs", logs))
		return -ENOMEM;
	for (uint32_t i = first; i < CORE_LOGS_MAX; i++) {
		struct json_object *log;

		if (core_log_status(core, i, &status) < 0 ||
		    (uuid != NULL && strcmp(status.uuid, uuid) != 0))
			continue;
		if (told++ == COMMAND_STATUS_LOGS)
			return json_add(command->answer, "next", json_object_new_uint64(i)) ?
				       0 :
				       -ENOMEM;
		log = status_json_log(core, i, command->port->speed, clock_ms());
		if (log == NULL || json_object_array_add(logs, log) < 0) {
			json_object_put(log);
			return -ENOMEM;
		}
	}
	return 0;
}

static int do_status(struct command *command)
{
	static const char *const names[] = { "log", "first", NULL };
	const struct command_port *port = command->port;
	const struct core *core = port->core(port->context);
	struct json_object *daemon;
	struct service_counters counters;
	struct core_log_status status;
	const char *uuid;
	uint64_t first = 0;
	bool there;

	if (only(command, names) < 0 || get_text(command, "log", &uuid) < 0 ||
	    get_number(command, "first", CORE_LOGS_MAX, &there, &first) < 0 ||
	    (uuid != NULL && get_log(command, &uuid, &status) < 0))
		return -EINVAL;
	port->counters(port->context, &counters);
	daemon = json_object_new_object();
	if (!json_add(command->answer, "daemon", daemon) ||
	    !json_add(daemon, "version", json_object_new_string(PACKAGE_VERSION)) ||
	    !json_add(daemon, "tables", json_object_new_uint64(core_table_count(core))) ||
	    !json_add(daemon, "requests_lost", json_object_new_uint64(counters.lost_requests)) ||
	    !json_add(command->answer, "group", status_json_group(core, &counters.group)))
		return -ENOMEM;
	return add_logs(command, uuid, (uint32_t)first);
}

static int do_fenced(struct command *command)
{
	static const char *const names[] = { "node", NULL };
	static const uint8_t any[MESSAGE_ID_BYTES];
	struct input input = { .type = INPUT_FENCED };
	uint8_t boot_id[MESSAGE_ID_BYTES];
	char boot[33] = "any";
	uint64_t node = 0;
	bool there;

	if (only(command, names) < 0 || get_number(command, "node", UINT32_MAX, &there, &node) < 0)
		return -EINVAL;
	if (!there)
		return refuse(command, "bad-request", "\"node\" is missing: a node id");
	switch (core_fenced_counts(command->port->core(command->port->context), (uint32_t)node,
				   boot_id)) {
	case 0:
		break;
	case -ENOTSUP:
		return refuse(command, "not-possible",
			      "node %" PRIu64 " is not known: this daemon serves a single node "
			      "(--cluster=none)",
			      node);
	case -EBUSY:
		return refuse(
			command, "too-early",
			"node %" PRIu64
			" is in the cluster: a report that it was fenced must be about "
			"an earlier boot of it. If it has been fenced just now, say so again when the "
			"cluster has noticed",
			node);
	case -ENOTCONN:
		return refuse(
			command, "not-active",
			"this node has no quorum, or not the group's state: say it on a node that has");
	default:
		return refuse(command, "bad-request", "node %" PRIu64 " is no other node", node);
	}
	input.fenced.node_id = (uint32_t)node;
	command->port->step(command->port->context, &input);
	if (memcmp(boot_id, any, sizeof(any)) != 0)
		id_text(boot_id, boot);
	return json_add(command->answer, "boot_id", json_object_new_string(boot)) ? 0 : -ENOMEM;
}

static int do_fail(struct command *command)
{
	static const char *const names[] = { "log", NULL };
	struct input input = { .type = INPUT_FAIL };
	struct core_log_status status;

	if (only(command, names) < 0 || get_log(command, &input.fail_uuid, &status) < 0)
		return -EINVAL;
	command->port->step(command->port->context, &input);
	return 0;
}

/* A number, or "default": what each node was started with. */
static int get_rate(struct command *command, bool *ret_there, uint64_t *ret_rate)
{
	struct json_object *value;
	int r;

	if (json_object_object_get_ex(command->request, "rate", &value) &&
	    json_object_is_type(value, json_type_string) &&
	    strcmp(json_object_get_string(value), "default") == 0) {
		*ret_there = true;
		*ret_rate = 0;
		return 0;
	}
	r = get_number(command, "rate", UINT64_MAX - 1, ret_there, ret_rate);
	if (r == 0 && *ret_there && *ret_rate == 0)
		*ret_rate = CORE_RATE_UNLIMITED;
	return r;
}

static int do_resync(struct command *command)
{
	static const char *const names[] = { "log", "paused", "rate", NULL };
	struct input input = { .type = INPUT_CONTROL };
	struct core_group_status group;
	struct core_log_status status;
	struct json_object *paused;
	bool pause_there, rate_there;
	uint64_t rate = 0;

	if (only(command, names) < 0 || get_log(command, &input.control.uuid, &status) < 0 ||
	    get_rate(command, &rate_there, &rate) < 0)
		return -EINVAL;
	pause_there = json_object_object_get_ex(command->request, "paused", &paused);
	if (pause_there && !json_object_is_type(paused, json_type_boolean))
		return refuse(command, "bad-request", "\"paused\" must be true or false");
	if (!pause_there && !rate_there)
		return refuse(command, "bad-request", "\"paused\" or \"rate\" is missing");
	core_group_status(command->port->core(command->port->context), &group);
	if (!group.active)
		return refuse(
			command, "not-active",
			"this node has no quorum, or not the group's state: say it on a node that has");
	if (status.resumed_count == 0)
		return refuse(command, "not-possible",
			      "nothing is copied on this node: its mirror is suspended");
	input.control.paused = pause_there ? json_object_get_boolean(paused) : status.paused;
	input.control.bytes_per_second = status.bytes_per_second;
	if (!status.control_rate)
		input.control.bytes_per_second = 0;
	else if (status.bytes_per_second == 0)
		input.control.bytes_per_second = CORE_RATE_UNLIMITED;
	if (rate_there)
		input.control.bytes_per_second = rate;
	command->port->step(command->port->context, &input);
	return 0;
}

static bool add_event(struct json_object *events, uint64_t number, const struct report_line *line)
{
	struct json_object *event = json_object_new_object();

	if (event != NULL && json_add(event, "number", json_object_new_uint64(number)) &&
	    json_add(event, "time_us", json_object_new_uint64(line->time_us)) &&
	    json_add(event, "priority", json_object_new_int(line->priority)) &&
	    (line->code == NULL ? json_object_object_add(event, "event", NULL) == 0 :
				  json_add(event, "event", json_object_new_string(line->code))) &&
	    (line->uuid[0] == '\0' ? json_object_object_add(event, "log", NULL) == 0 :
				     json_add(event, "log", json_object_new_string(line->uuid))) &&
	    json_add(event, "text", json_object_new_string(line->text)) &&
	    json_object_array_add(events, event) == 0)
		return true;
	json_object_put(event);
	return false;
}

/* Lines from number "from" on; debug lines are left out.  Without it none, but the numbers to go on with. */
static int do_events(struct command *command)
{
	static const char *const names[] = { "from", NULL };
	struct json_object *events = json_object_new_array();
	uint64_t start_us, next = report_next(&start_us), from = next, kept;
	struct report_line line;
	bool there;

	if (!json_add(command->answer, "events", events))
		return -ENOMEM;
	if (only(command, names) < 0 || get_number(command, "from", INT64_MAX, &there, &from) < 0)
		return -EINVAL;
	kept = next > REPORT_LINES ? next - REPORT_LINES : 0;
	if (from > next)
		from = next;
	if (!json_add(command->answer, "lost",
		      json_object_new_uint64(from < kept ? kept - from : 0)))
		return -ENOMEM;
	for (from = from < kept ? kept : from;
	     from < next && json_object_array_length(events) < COMMAND_EVENTS; from++)
		if (report_line_get(from, &line) && line.priority != LOG_DEBUG &&
		    !add_event(events, from, &line))
			return -ENOMEM;
	return json_add(command->answer, "next", json_object_new_uint64(from)) &&
			       json_add(command->answer, "start",
					json_object_new_uint64(start_us)) ?
		       0 :
		       -ENOMEM;
}

static const struct {
	const char *name;
	int (*run)(struct command *command);
} commands[] = {
	{ "status", do_status }, { "fenced", do_fenced }, { "fail", do_fail },
	{ "resync", do_resync }, { "events", do_events },
};

/* ---- a line ---- */

static int run(struct command *command)
{
	const char *name;
	uint64_t version = 0;
	bool there;

	if (!json_object_is_type(command->request, json_type_object))
		return refuse(command, "bad-request",
			      "a request is an object, as "
			      "{\"version\":1,\"command\":\"status\"}");
	if (get_number(command, "version", UINT32_MAX, &there, &version) < 0 ||
	    get_text(command, "command", &name) < 0)
		return -EINVAL;
	if (!there || version != COMMAND_PROTOCOL_VERSION)
		return refuse(command, "version", "this daemon speaks \"version\": %d",
			      COMMAND_PROTOCOL_VERSION);
	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(command);
	return refuse(command, "unknown-command",
		      "\"command\" must be status, fenced, fail or resync");
}

/* NULL and command->code when it is not JSON, or not only. */
static struct json_object *parse(struct command *command, const char *line, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *request = NULL;

	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	if (length > 0)
		request = json_tokener_parse_ex(tokener, line, (int)length);
	/* A NUL ends it for json-c: what is behind one would be left out in silence. */
	if (request == NULL || json_tokener_get_parse_end(tokener) != length) {
		json_object_put(request);
		request = NULL;
		(void)refuse(command, "bad-request", "the line is not a JSON object");
	}
	json_tokener_free(tokener);
	return request;
}

/* The object as a line; it is freed. */
static char *line_of(struct json_object *object)
{
	size_t length = 0;
	const char *text = object == NULL ?
				   NULL :
				   json_object_to_json_string_length(
					   object,
					   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
					   &length);
	char *line = text == NULL ? NULL : malloc(length + 2);

	if (line != NULL) {
		memcpy(line, text, length);
		memcpy(line + length, "\n", 2);
	}
	json_object_put(object);
	return line;
}

static struct json_object *answer_begin(bool ok)
{
	struct json_object *answer = json_object_new_object();

	if (answer != NULL &&
	    json_add(answer, "version", json_object_new_int(COMMAND_PROTOCOL_VERSION)) &&
	    json_add(answer, "ok", json_object_new_boolean(ok)))
		return answer;
	json_object_put(answer);
	return NULL;
}

char *command_refusal(const char *code, const char *text)
{
	struct json_object *answer = answer_begin(false);

	if (answer != NULL && json_add(answer, "error", json_object_new_string(code)) &&
	    json_add(answer, "message", json_object_new_string(text)))
		return line_of(answer);
	json_object_put(answer);
	return NULL;
}

char *command_answer(const struct command_port *port, const char *line, size_t length)
{
	struct command command = { .port = port };
	char *text = NULL;
	int r = -EINVAL;

	command.answer = answer_begin(true);
	if (command.answer != NULL)
		command.request = parse(&command, line, length);
	if (command.request != NULL)
		r = run(&command);
	if (r == 0) {
		text = line_of(command.answer);
	} else {
		json_object_put(command.answer);
		if (command.code != NULL)
			text = command_refusal(command.code, command.text);
	}
	json_object_put(command.request);
	return text;
}
