/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request about one log, by its uuid or the name of its mirror: see invocation.h. */
#include "tools/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/mirror_name.h"

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

int ask_about(struct invocation *invocation, struct json_object *request, const char *name,
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
