/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog events: what dmclogd says, a line of JSON each, as it happens. */
#include "tools/invocation.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tools/answer.h"

#define PERIOD_MS 250

struct follower {
	bool known; /* where to go on */
	uint64_t start, next;
};

/* One answer; on EXIT_OK *ret_more when there may be more at once. */
static int take(struct invocation *invocation, struct follower *follower, bool *ret_more)
{
	struct json_object *request = client_request("events"), *answer;
	const struct json_object *events;
	int r;

	if (follower->known)
		client_add(request, "from", json_object_new_uint64(follower->next));
	r = client_ask(&invocation->client, request, &answer);
	if (r == EXIT_OK)
		r = client_verdict(answer);
	if (r != EXIT_OK)
		return r;
	/* Another daemon, which has begun anew: its first events are new as well. */
	if (follower->known && follower->start != 0 &&
	    answer_number(answer, "start") != follower->start) {
		follower->start = answer_number(answer, "start");
		follower->next = 0;
		*ret_more = true;
		json_object_put(answer);
		return EXIT_OK;
	}
	events = answer_get(answer, "events");
	if (answer_number(answer, "lost") > 0 && follower->start != 0)
		printf("{\"event\":\"lost\",\"count\":%s}\n", answer_text(answer, "lost"));
	for (size_t i = 0; i < answer_count(events); i++)
		(void)puts(json_object_to_json_string_ext(json_object_array_get_idx(events, i),
							  JSON_C_TO_STRING_PLAIN |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	*ret_more = answer_count(events) > 0;
	follower->known = true;
	follower->start = answer_number(answer, "start");
	follower->next = answer_number(answer, "next");
	json_object_put(answer);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_ERROR;
}

/* False when nobody reads what is printed any more. */
static bool rest(void)
{
	struct pollfd out = { .fd = 1 };

	return poll(&out, 1, PERIOD_MS) <= 0 || (out.revents & (POLLERR | POLLHUP)) == 0;
}

/* The daemon may be started again: what it has said meanwhile is told then. */
static int follow(struct invocation *invocation, struct follower *follower)
{
	bool more = false, told = false;

	while (rest()) {
		int r = EXIT_OK;

		if (invocation->client.fd < 0 && told)
			r = client_reopen(&invocation->client, invocation->control_socket);
		if (r == EXIT_OK)
			do
				r = take(invocation, follower, &more);
			while (r == EXIT_OK && more);
		if (r == EXIT_ERROR)
			return r;
		if (r == EXIT_UNREACHABLE)
			client_close(&invocation->client);
		told = r == EXIT_UNREACHABLE;
	}
	return EXIT_OK;
}

int run_events(struct invocation *invocation)
{
	struct follower follower = { 0 };
	bool more = true;
	int r = EXIT_OK;

	if (invocation->argument_count == 0)
		return follow(invocation, &follower);
	if (strcmp(invocation->arguments[0], "recent") != 0)
		return usage("'%s': recent, or nothing to follow", invocation->arguments[0]);
	follower.known = true;
	while (r == EXIT_OK && more)
		r = take(invocation, &follower, &more);
	return r;
}
