/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog: asks dmclogd how its logs are, and tells it what the operator wants.  One table of commands. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/client.h"
#include "tools/mirror_name.h"
#include "tools/show.h"

struct invocation {
	const char *control_socket;
	bool json;
	int argument_count; /* behind the command */
	char **arguments;
	struct client client;
};

struct command_row {
	const char *name;
	const char *arguments; /* as --help shows them */
	int least, most;       /* how many */
	int (*run)(struct invocation *invocation);
	const char *help;
};

__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...);

static int usage(const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "dmclog: ");
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, ". Try 'dmclog --help'.\n");
	return EXIT_USAGE;
}

/* ---- a log by its name ---- */

static int say_no_mirror(const char *name, int error)
{
	const char *why = error == -ENOMSG   ? "is no mirror with a userspace log" :
			  error == -ENOTUNIQ ? "has mirrors of several logs: name the uuid" :
					       NULL;

	if (why != NULL)
		(void)fprintf(stderr, "dmclog: %s %s\n", name, why);
	else
		(void)fprintf(stderr,
			      "dmclog: %s is neither the uuid of a log nor a mirror of this node: "
			      "dmclog status lists them\n",
			      name);
	return EXIT_ERROR;
}

/*
 * Sends `request` about the log `name`: as a uuid first, and if no log has that as the name of a device.  The request is
 * freed.  Returns an exit code, and on EXIT_OK *ret_answer, which says yes.
 */
static int ask_about(struct invocation *invocation, struct json_object *request, const char *name,
		     struct json_object **ret_answer)
{
	char uuid[REQUEST_UUID_SIZE];
	const char *code;
	int r, error;

	client_add(request, "log", json_object_new_string(name));
	r = client_ask(&invocation->client, json_object_get(request), ret_answer);
	code = r == EXIT_OK ? client_refused(*ret_answer) : NULL;
	if (code != NULL && strcmp(code, "not-found") == 0) {
		json_object_put(*ret_answer);
		error = mirror_uuid(name, uuid);
		if (error < 0) {
			json_object_put(request);
			return say_no_mirror(name, error);
		}
		client_add(request, "log", json_object_new_string(uuid));
		r = client_ask(&invocation->client, json_object_get(request), ret_answer);
	}
	json_object_put(request);
	if (r != EXIT_OK)
		return r;
	r = client_verdict(*ret_answer);
	if (r != EXIT_OK)
		json_object_put(*ret_answer);
	return r;
}

/* ---- the commands ---- */

/* All logs, piece by piece, into the first answer. */
static int ask_all(struct invocation *invocation, struct json_object **ret_answer)
{
	struct json_object *logs = NULL, *more, *next, *answer;
	int r = client_ask(&invocation->client, client_request("status"), ret_answer);

	if (r == EXIT_OK)
		r = client_verdict(*ret_answer);
	if (r != EXIT_OK)
		return r;
	(void)json_object_object_get_ex(*ret_answer, "logs", &logs);
	while (json_object_object_get_ex(*ret_answer, "next", &next)) {
		struct json_object *request = client_request("status");

		client_add(request, "first", json_object_get(next));
		json_object_object_del(*ret_answer, "next");
		r = client_ask(&invocation->client, request, &answer);
		if (r == EXIT_OK)
			r = client_verdict(answer);
		if (r != EXIT_OK)
			return r;
		if (json_object_object_get_ex(answer, "logs", &more))
			for (size_t i = 0; i < json_object_array_length(more); i++)
				(void)json_object_array_add(
					logs, json_object_get(json_object_array_get_idx(more, i)));
		if (json_object_object_get_ex(answer, "next", &next))
			client_add(*ret_answer, "next", json_object_get(next));
		json_object_put(answer);
	}
	return EXIT_OK;
}

static int run_status(struct invocation *invocation)
{
	struct json_object *answer = NULL;
	int r;

	if (invocation->argument_count == 1)
		r = ask_about(invocation, client_request("status"), invocation->arguments[0],
			      &answer);
	else
		r = ask_all(invocation, &answer);
	if (r != EXIT_OK)
		return r;
	if (invocation->json)
		(void)puts(json_object_to_json_string_ext(
			answer, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (show_status(answer) < 0)
		r = EXIT_ERROR;
	json_object_put(answer);
	return fflush(stdout) == 0 ? r : EXIT_ERROR;
}

static int run_fenced(struct invocation *invocation)
{
	struct json_object *request = client_request("fenced"), *answer, *boot;
	const char *text = invocation->arguments[0];
	char *end;
	unsigned long long node;
	int r;

	errno = 0;
	node = strtoull(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || node == 0 ||
	    node > UINT32_MAX) {
		json_object_put(request);
		return usage("'%s' is not a node id (corosync-cmapctl nodelist.node. shows them)",
			     text);
	}
	client_add(request, "node", json_object_new_uint64(node));
	r = client_ask(&invocation->client, request, &answer);
	if (r != EXIT_OK)
		return r;
	r = client_verdict(answer);
	if (r == EXIT_OK && json_object_object_get_ex(answer, "boot_id", &boot))
		printf("node %llu counts as stopped: boot %s\n", node,
		       json_object_get_string(boot));
	json_object_put(answer);
	return r;
}

static int run_fail(struct invocation *invocation)
{
	struct json_object *answer;
	int r = ask_about(invocation, client_request("fail"), invocation->arguments[0], &answer);

	if (r == EXIT_OK)
		json_object_put(answer);
	return r;
}

/* "10M", "0", "default" into the request. */
static bool add_rate(struct json_object *request, const char *text)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;
	unsigned long long rate;
	int shift;

	if (strcmp(text, "default") == 0) {
		client_add(request, "rate", json_object_new_string(text));
		return true;
	}
	errno = 0;
	rate = strtoull(text, &end, 10);
	suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
	shift = suffix == NULL ? 0 : 10 * (int)(suffix - suffixes + 1);
	if (errno != 0 || text[0] < '0' || text[0] > '9' ||
	    (*end != '\0' && (suffix == NULL || end[1] != '\0')) ||
	    rate > (UINT64_MAX - 1) >> shift)
		return false;
	client_add(request, "rate", json_object_new_uint64((uint64_t)rate << shift));
	return true;
}

static int run_resync(struct invocation *invocation)
{
	struct json_object *request = client_request("resync"), *answer;
	const char *what = invocation->arguments[1];
	int r;

	if (strcmp(what, "pause") == 0 || strcmp(what, "resume") == 0) {
		client_add(request, "paused", json_object_new_boolean(what[0] == 'p'));
	} else if (strncmp(what, "rate=", 5) != 0 || !add_rate(request, what + 5)) {
		json_object_put(request);
		return usage("'%s': pause, resume, or rate= with bytes, as 10M, or with default",
			     what);
	}
	r = ask_about(invocation, request, invocation->arguments[0], &answer);
	if (r == EXIT_OK)
		json_object_put(answer);
	return r;
}

static const struct command_row commands[] = {
	{ "status", "[NAME]", 0, 1, run_status,
	  "the group, all logs or one, and who waits for whom" },
	{ "fenced", "NODE", 1, 1, run_fenced,
	  "the node is off for certain: take over what it held" },
	{ "fail", "NAME", 1, 1, run_fail,
	  "end all that waits in this log on this node, with errors" },
	{ "resync", "NAME pause|resume|rate=BYTES", 2, 2, run_resync,
	  "stop, let go on, or limit the copying on all nodes" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- the command line ---- */

static void print_help(void)
{
	printf("Usage: dmclog [OPTION]... COMMAND\n"
	       "Shows and steers the dirty-region logs that dmclogd keeps.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
		       commands[i].help);
	printf("NAME is the uuid of a log, or the name of its device; NODE a corosync node id;\n"
	       "BYTES a number a second, K, M, G, T may follow; 0 is no limit, \"default\" what\n"
	       "each dmclogd was started with.\n\nOptions:\n"
	       "  --json                    status: as JSON\n"
	       "  --control-socket=PATH     of dmclogd (default " CONTROL_SOCKET_DEFAULT ")\n"
	       "  --help                    print this, and exit\n"
	       "  --version                 print the version, and exit\n\n"
	       "Exit status: 0 done, 1 refused, 2 wrong command line, 3 dmclogd is not reached,\n"
	       "4 too early (fenced: the node is in the cluster still).\n");
}

static int run(struct invocation *invocation, const char *name)
{
	const struct command_row *command = NULL;
	int r;

	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			command = &commands[i];
	if (command == NULL)
		return usage("'%s' is not a command", name);
	if (invocation->argument_count < command->least ||
	    invocation->argument_count > command->most)
		return usage("%s takes %s", command->name, command->arguments);
	if (invocation->json && command->run != run_status)
		return usage("--json is for status only");
	r = client_open(&invocation->client, invocation->control_socket);
	if (r == EXIT_OK)
		r = command->run(invocation);
	client_close(&invocation->client);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "control-socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct invocation invocation = { .control_socket = CONTROL_SOCKET_DEFAULT,
					 .client = { .fd = -1 } };
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			invocation.json = true;
			break;
		case 's':
			invocation.control_socket = optarg;
			break;
		case 'h':
			print_help();
			return EXIT_OK;
		case 'V':
			printf("dmclog %s\n", PACKAGE_VERSION);
			return EXIT_OK;
		default:
			(void)fprintf(stderr, "Try 'dmclog --help'.\n");
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return usage("a command is missing");
	invocation.argument_count = argc - optind - 1;
	invocation.arguments = argv + optind + 1;
	return run(&invocation, argv[optind]);
}
