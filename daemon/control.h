/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: takes lines from local clients, hands each to a handler, and sends its answer back.
 *
 * Lives on the event loop's thread and never waits.  A client has one answer under way at a time and is not read from before it
 * has taken that, nor for CONTROL_PAUSE_US after it: whoever asks without end leaves the daemon time for its mirrors.  All
 * that concerns the socket comes behind all else that the loop has to do.  Only root and the daemon's own user are served.
 *
 * Limits: CONTROL_CLIENTS_MAX clients, where the one that has been silent longest makes room for a new one; lines of
 * CONTROL_LINE_MAX bytes.  The handler limits its answers.
 */
#ifndef DMCLOGD_CONTROL_H
#define DMCLOGD_CONTROL_H

#include <stddef.h>

#include <systemd/sd-event.h>

#define CONTROL_CLIENTS_MAX 16
/* With its newline. */
#define CONTROL_LINE_MAX 4096
#define CONTROL_PAUSE_US 10000

/* What the socket itself has to say to a client. */
enum control_refusal {
	CONTROL_TOO_LONG, /* its line */
	CONTROL_DENIED,   /* neither root nor our own user */
};

struct control_handler {
	/* Answers the line of `length` bytes, any bytes, without its newline; the answer ends with a newline and is freed by
	 * the caller.  NULL (no memory): the client is cut off. */
	char *(*answer)(void *context, const char *line, size_t length);
	/* The same for what has been refused; the client is cut off behind it. */
	char *(*refuse)(void *context, enum control_refusal refusal);
	void *context;
};

struct control;

/*
 * Listens at `path`, for the daemon's user only (mode 0600); what a daemon that died has left there is replaced.  `handler`
 * is copied.  Returns 0 and *ret_control, which control_close() frees; -EADDRINUSE: somebody listens there; -ENOTSOCK:
 * something else than a socket is there; other negative errno.
 */
int control_open(struct control **ret_control, sd_event *event, const char *path,
		 const struct control_handler *handler);

/* Cuts off all clients and removes the socket.  NULL: nothing is to be done. */
void control_close(struct control *control);

#endif
