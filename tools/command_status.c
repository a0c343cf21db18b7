/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog status: the group, all logs or one, and who waits for whom. */
#include "tools/invocation.h"

#include <stdio.h>

#include "tools/show.h"

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

int run_status(struct invocation *invocation)
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
