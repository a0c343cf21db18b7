/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command line of dmclog, and the commands: one file each.
 *
 * A command says on stderr what went wrong and returns an exit code (client.h).
 */
#ifndef DMCLOG_INVOCATION_H
#define DMCLOG_INVOCATION_H

#include <stdbool.h>

#include "tools/client.h"

/* Options that some commands take, for the table of commands. */
enum option_bit {
	OPTION_JSON = 1 << 0,
	OPTION_SVG = 1 << 1,
	OPTION_CLUSTER = 1 << 2,
	OPTION_OPENMETRICS = 1 << 3,
	OPTION_WATCH = 1 << 4,
	OPTION_TAB = 1 << 5,
	OPTION_FORCE = 1 << 6,
	OPTION_ROOT = 1 << 7,
};

struct invocation {
	const char *control_socket;
	const char *svg;     /* the file, or NULL */
	const char *cluster; /* the name, or NULL */
	const char *tab;     /* the table file */
	const char *root;    /* or NULL */
	bool json, openmetrics, watch, force;
	int argument_count; /* behind the command */
	char **arguments;
	struct client client; /* open, when the command's row says so */
};

/* Says "dmclog: ..., Try --help." and returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int usage(const char *format, ...);

/*
 * Sends `request` about the log `name`: as a uuid first, and if no log has that as the name of a device.  The request is
 * freed.  Returns an exit code, and on EXIT_OK *ret_answer, which says yes.
 */
int ask_about(struct invocation *invocation, struct json_object *request, const char *name,
	      struct json_object **ret_answer);

int run_activate(struct invocation *invocation);
int run_attach(struct invocation *invocation);
int run_config_check(struct invocation *invocation);
int run_create(struct invocation *invocation);
int run_deactivate(struct invocation *invocation);
int run_detach(struct invocation *invocation);
int run_events(struct invocation *invocation);
int run_examine(struct invocation *invocation);
int run_fail(struct invocation *invocation);
int run_fenced(struct invocation *invocation);
int run_list(struct invocation *invocation);
int run_resync(struct invocation *invocation);
int run_status(struct invocation *invocation);
int run_verify(struct invocation *invocation);

#endif
