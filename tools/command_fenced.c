/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog fenced: a node is off for certain. */
#include "tools/invocation.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int run_fenced(struct invocation *invocation)
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
