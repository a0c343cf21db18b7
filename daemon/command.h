/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket: one line of JSON in, one out.  man/dmclog-protocol.7 has them all.
 *
 * What is asked of the core goes in as one input; nothing waits for what comes of it.  A status tells at most
 * COMMAND_STATUS_LOGS logs (COMMAND_EVENTS events) at once and says where to go on, so that neither time nor memory of an answer grows with their number.
 */
#ifndef DMCLOGD_COMMAND_H
#define DMCLOGD_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "core.h"
#include "daemon/resync_speed.h"
#include "daemon/service.h"

#define COMMAND_PROTOCOL_VERSION 1
#define COMMAND_STATUS_LOGS 16
#define COMMAND_EVENTS 16

/* What the commands work on. */
struct command_port {
	const struct core *(*core)(void *context);
	/* One step of the core; fills in input->now_ms. */
	void (*step)(void *context, struct input *input);
	void (*counters)(void *context, struct service_counters *ret_counters);
	void *context;
	const struct resync_speed *speed; /* or NULL */
};

/*
 * Answers the line (any bytes).  Returns JSON that ends with a newline, to be freed by the caller; NULL without memory.
 */
char *command_answer(const struct command_port *port, const char *line, size_t length);

/* An answer that says what is wrong: `code` for programs, `text` for people. */
char *command_refusal(const char *code, const char *text);

#endif
