/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog fail: ends all that waits in a log, with errors. */
#include "tools/invocation.h"

#include <stddef.h>

int run_fail(struct invocation *invocation)
{
	struct json_object *answer;
	int r = ask_about(invocation, client_request("fail"), invocation->arguments[0], &answer);

	if (r == EXIT_OK)
		json_object_put(answer);
	return r;
}
