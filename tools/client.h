/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tool's end of the control socket: one request, one answer.  Says on stderr what went wrong. */
#ifndef DMCLOG_CLIENT_H
#define DMCLOG_CLIENT_H

#include <json-c/json_object.h>

/* Exit codes of dmclog; man/dmclog.8 documents them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,       /* the daemon, or device-mapper, says no */
	EXIT_USAGE = 2,       /* the command line is wrong */
	EXIT_UNREACHABLE = 3, /* the daemon does not answer */
	EXIT_TOO_EARLY = 4,   /* "fenced": the node is in the cluster still */
	/* "examine": what is on the device */
	EXIT_NO_LOG = 5,
	EXIT_DAMAGED = 6,
	EXIT_KERNEL_LOG = 7, /* and no superblock of ours */
	EXIT_FOREIGN = 8,    /* of another cluster */
	EXIT_DIFFERS = 9,    /* "verify": legs are not equal */
};

#define CONTROL_SOCKET_DEFAULT "/run/dmclogd/control"

struct client {
	int fd;
};

/* Returns EXIT_OK, or EXIT_UNREACHABLE after saying why. */
int client_open(struct client *client, const char *path);
void client_close(struct client *client);
/* The same as client_open(), without a word. */
int client_reopen(struct client *client, const char *path);

/* A request for this command; the caller adds its members and gives it to client_ask().  Ends the program without memory. */
struct json_object *client_request(const char *command);
void client_add(struct json_object *request, const char *name, struct json_object *value);

/*
 * Sends the request, which is freed, and reads the answer.  Returns EXIT_OK and *ret_answer, also when the daemon says no (see
 * client_refused()), to be freed by json_object_put(); or EXIT_UNREACHABLE after saying why.
 */
int client_ask(struct client *client, struct json_object *request, struct json_object **ret_answer);

/* The code of an answer that says no, or NULL. */
const char *client_refused(const struct json_object *answer);
/* EXIT_OK; or the code for an answer that says no, after saying its message. */
int client_verdict(const struct json_object *answer);

#endif
