/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog resync: pauses, resumes and limits the copying of a log on all nodes. */
#include "tools/invocation.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

int run_resync(struct invocation *invocation)
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
