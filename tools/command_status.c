/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog status: the group, all logs or one, and who waits for whom. */
#include "tools/invocation.h"

#include <stdio.h>

#include "tools/openmetrics.h"
#include "tools/show.h"
#include "tools/terminal.h"
#include "tools/watch.h"

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

static int ask(struct invocation *invocation, struct json_object **ret_answer)
{
	if (invocation->argument_count == 1)
		return ask_about(invocation, client_request("status"), invocation->arguments[0],
				 ret_answer);
	return ask_all(invocation, ret_answer);
}

static int tell(const struct invocation *invocation, const struct json_object *answer)
{
	struct show_style style = { .colours = terminal_has_colours() };

	if (invocation->openmetrics)
		return openmetrics_print(answer, stdout);
	if (!invocation->json)
		return show_status(answer, &style, stdout);
	(void)puts(json_object_to_json_string_ext(
		(struct json_object *)answer, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

int run_status(struct invocation *invocation)
{
	struct json_object *answer = NULL;
	int r;

	if (invocation->json + invocation->openmetrics + invocation->watch > 1)
		return usage("--json, --openmetrics and --watch exclude each other");
	if (invocation->watch)
		return watch(invocation, ask);
	r = client_open(&invocation->client, invocation->control_socket);
	if (r == EXIT_OK)
		r = ask(invocation, &answer);
	if (r != EXIT_OK)
		return r;
	r = tell(invocation, answer) < 0 ? EXIT_ERROR : EXIT_OK;
	json_object_put(answer);
	return fflush(stdout) == 0 ? r : EXIT_ERROR;
}
