/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status as a live screen. */
#ifndef DMCLOG_WATCH_H
#define DMCLOG_WATCH_H

#include "tools/invocation.h"

/*
 * Asks and draws once a second until q, Ctrl-C or the end of the input.  Standard input and output must be a terminal, which is
 * left as it was.  A daemon that does not answer is said on the screen, and asked again.  Returns an exit code.
 */
int watch(struct invocation *invocation,
	  int (*ask)(struct invocation *invocation, struct json_object **ret_answer));

#endif
