/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: see control.h. */
#define _GNU_SOURCE 1
#include "daemon/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
/* No descriptor or memory for a client: the socket rests so long, or the loop would do nothing else. */
#define REST_US 1000000

struct client {
	struct control *control;
	int fd; /* -1: free */
	sd_event_source *source;
	sd_event_source *pause; /* a timer, set while the client is not listened to */
	uint64_t active;        /* the larger the later it was heard of */
	char line[CONTROL_LINE_MAX];
	size_t line_bytes; /* received; what follows the first newline is another line */
	char *answer;      /* NULL: none is under way */
	size_t answer_bytes, sent_bytes;
	bool answered; /* a line, since the last pause */
	bool ending;   /* the answer is the last one */
};

struct control {
	struct control_handler handler;
	sd_event_source *listener;
	sd_event_source *rest;
	int fd;
	struct sockaddr_un address;
	uint64_t activity;
	struct client clients[CONTROL_CLIENTS_MAX];
};

/* ---- a client ---- */

static void client_close(struct client *client)
{
	if (client->fd < 0)
		return;
	sd_event_source_disable_unref(client->pause);
	sd_event_source_disable_unref(client->source);
	free(client->answer);
	(void)close(client->fd);
	*client = (struct client){ .control = client->control, .fd = -1 };
}

static bool line_is_there(const struct client *client)
{
	return memchr(client->line, '\n', client->line_bytes) != NULL;
}

static void give_answer(struct client *client, char *answer)
{
	client->answer = answer;
	client->answer_bytes = strlen(answer);
	client->sent_bytes = 0;
}

/* Handles the first line that is there.  Returns 0, or -ENOMEM. */
static int handle(struct client *client)
{
	struct control_handler *handler = &client->control->handler;
	const char *newline = memchr(client->line, '\n', client->line_bytes);
	size_t length;
	char *answer;

	if (newline == NULL && client->line_bytes < CONTROL_LINE_MAX)
		return 0;
	if (newline == NULL) {
		client->ending = true;
		client->line_bytes = 0;
		answer = handler->refuse(handler->context, CONTROL_TOO_LONG);
	} else {
		length = (size_t)(newline - client->line);
		answer = handler->answer(handler->context, client->line, length);
		client->line_bytes -= length + 1;
		memmove(client->line, newline + 1, client->line_bytes);
	}
	if (answer == NULL)
		return -ENOMEM;
	client->answered = true;
	give_answer(client, answer);
	return 0;
}

/* Returns 0 (all of it, or as much as goes now), or negative errno. */
static int send_some(struct client *client)
{
	while (client->answer != NULL) {
		ssize_t n = send(client->fd, client->answer + client->sent_bytes,
				 client->answer_bytes - client->sent_bytes,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		client->sent_bytes += (size_t)n;
		if (client->sent_bytes < client->answer_bytes)
			continue;
		free(client->answer);
		client->answer = NULL;
		if (client->ending)
			return -ESHUTDOWN;
	}
	return 0;
}

/* Returns 0, or negative errno: the client has ended. */
static int receive_some(struct client *client)
{
	ssize_t n = recv(client->fd, client->line + client->line_bytes,
			 CONTROL_LINE_MAX - client->line_bytes, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->line_bytes += (size_t)n;
	return n == 0 ? -ESHUTDOWN : 0;
}

/* One turn: either an answer goes on, or one line is taken. */
static int client_turn(struct client *client)
{
	int r = 0;

	if (client->answer == NULL && !line_is_there(client))
		r = receive_some(client);
	if (r == 0 && client->answer == NULL)
		r = handle(client);
	if (r == 0)
		r = send_some(client);
	return r;
}

/* What wakes for the client from here on.  Returns 0 or negative errno. */
static int client_watch(struct client *client)
{
	/* Writable is what wakes for a line that has come already, too. */
	bool busy = client->answer != NULL || line_is_there(client);

	return sd_event_source_set_io_events(client->source, busy ? EPOLLOUT : EPOLLIN);
}

static int client_pause(struct client *client)
{
	int r = sd_event_source_set_time_relative(client->pause, CONTROL_PAUSE_US);

	client->answered = false;
	if (r >= 0)
		r = sd_event_source_set_enabled(client->pause, SD_EVENT_ONESHOT);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->source, SD_EVENT_OFF);
	return r;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *context)
{
	struct client *client = context;

	(void)source;
	(void)usec;
	if (sd_event_source_set_enabled(client->source, SD_EVENT_ON) < 0)
		client_close(client);
	return 0;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct client *client = context;

	(void)source;
	(void)fd;
	client->active = ++client->control->activity;
	/* Who hangs up while it is answered does not want to hear it. */
	if (((events & (EPOLLHUP | EPOLLERR)) != 0 && client->answer != NULL) ||
	    client_turn(client) < 0 || client_watch(client) < 0 ||
	    (client->answered && client->answer == NULL && client_pause(client) < 0))
		client_close(client);
	return 0;
}

/* ---- the socket ---- */

static struct client *client_place(struct control *control)
{
	struct client *silent = &control->clients[0];

	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0)
			return client;
		if (client->active < silent->active)
			silent = client;
	}
	client_close(silent);
	return silent;
}

static bool allowed(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static int client_begin(struct control *control, int fd)
{
	struct client *client = client_place(control);
	char *answer;
	int r;

	client->fd = fd;
	client->active = ++control->activity;
	r = sd_event_add_io(sd_event_source_get_event(control->listener), &client->source, fd,
			    EPOLLIN, on_client, client);
	if (r >= 0)
		r = sd_event_add_time_relative(sd_event_source_get_event(control->listener),
					       &client->pause, CLOCK_MONOTONIC, CONTROL_PAUSE_US, 0,
					       on_pause_over, client);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->pause, SD_EVENT_OFF);
	if (r < 0)
		return r;
	(void)sd_event_source_set_priority(client->pause, SD_EVENT_PRIORITY_IDLE);
	(void)sd_event_source_set_priority(client->source, SD_EVENT_PRIORITY_IDLE);
	if (allowed(fd))
		return 0;
	answer = control->handler.refuse(control->handler.context, CONTROL_DENIED);
	if (answer != NULL)
		give_answer(client, answer);
	client->ending = true;
	(void)send_some(client);
	return -EPERM;
}

static int on_rested(sd_event_source *source, uint64_t usec, void *context)
{
	struct control *control = context;

	(void)usec;
	control->rest = sd_event_source_unref(source);
	(void)sd_event_source_set_enabled(control->listener, SD_EVENT_ON);
	return 0;
}

static void rest(struct control *control)
{
	(void)sd_event_source_set_enabled(control->listener, SD_EVENT_OFF);
	if (sd_event_add_time_relative(sd_event_source_get_event(control->listener), &control->rest,
				       CLOCK_MONOTONIC, REST_US, 0, on_rested, control) < 0)
		control->rest = NULL; /* no memory for a timer: no client any more */
}

static int on_listener(sd_event_source *source, int listen_fd, uint32_t events, void *context)
{
	struct control *control = context;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			rest(control);
		return 0;
	}
	if (client_begin(control, fd) < 0)
		for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
			if (control->clients[i].fd == fd)
				client_close(&control->clients[i]);
	return 0;
}

/* The name is taken.  Returns 0 when nobody listens there any more and it is free now. */
static int take_over_name(const struct sockaddr_un *address)
{
	struct stat st;
	int fd;
	int r;

	if (lstat(address->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : -errno;
	(void)close(fd);
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int listen_at(struct control *control, const char *path)
{
	struct sockaddr_un *address = &control->address;
	int r;

	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, strlen(path) + 1);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return -errno;
	/* The name gets this mode when it is made: never is there a moment with another one. */
	if (fchmod(control->fd, 0600) < 0)
		return -errno;
	r = bind(control->fd, (struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	if (r == -EADDRINUSE) {
		r = take_over_name(address);
		if (r == 0)
			r = bind(control->fd, (struct sockaddr *)address, sizeof(*address)) < 0 ?
				    -errno :
				    0;
	}
	if (r < 0) {
		address->sun_path[0] = '\0'; /* it is not ours to remove */
		return r;
	}
	return listen(control->fd, BACKLOG) < 0 ? -errno : 0;
}

int control_open(struct control **ret_control, sd_event *event, const char *path,
		 const struct control_handler *handler)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (control == NULL)
		return -ENOMEM;
	control->handler = *handler;
	control->fd = -1;
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->clients[i] = (struct client){ .control = control, .fd = -1 };
	r = listen_at(control, path);
	if (r == 0)
		r = sd_event_add_io(event, &control->listener, control->fd, EPOLLIN, on_listener,
				    control);
	if (r < 0) {
		control_close(control);
		return r;
	}
	(void)sd_event_source_set_priority(control->listener, SD_EVENT_PRIORITY_IDLE);
	*ret_control = control;
	return 0;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		client_close(&control->clients[i]);
	sd_event_source_disable_unref(control->rest);
	sd_event_source_disable_unref(control->listener);
	if (control->fd >= 0)
		(void)close(control->fd);
	if (control->address.sun_path[0] != '\0')
		(void)unlink(control->address.sun_path);
	free(control);
}
