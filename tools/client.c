/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tool's end of the control socket: see client.h. */
#include "tools/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json_tokener.h>

#define PROTOCOL_VERSION 1
/* A daemon that does not answer by then hangs. */
#define ANSWER_SECONDS 10
#define ANSWER_BYTES_MAX (16u << 20)

static void out_of_memory(void)
{
	(void)fprintf(stderr, "dmclog: out of memory\n");
	exit(EXIT_ERROR);
}

static int say_unreachable(const char *path, int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		(void)fprintf(
			stderr,
			"dmclog: dmclogd is not running: systemctl start dmclogd (nobody listens at "
			"%s)\n",
			path);
	else if (error == EACCES || error == EPERM)
		(void)fprintf(stderr, "dmclog: %s is for root only: run dmclog as root\n", path);
	else
		(void)fprintf(stderr, "dmclog: %s cannot be reached: %s\n", path, strerror(error));
	return EXIT_UNREACHABLE;
}

/* Returns 0 or a positive errno. */
static int client_connect(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return errno;
	(void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	error = errno;
	client_close(client);
	return error;
}

int client_open(struct client *client, const char *path)
{
	int error = client_connect(client, path);

	return error == 0 ? EXIT_OK : say_unreachable(path, error);
}

int client_reopen(struct client *client, const char *path)
{
	return client_connect(client, path) == 0 ? EXIT_OK : EXIT_UNREACHABLE;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
}

struct json_object *client_request(const char *command)
{
	struct json_object *request = json_object_new_object();

	if (request == NULL)
		out_of_memory();
	client_add(request, "version", json_object_new_int(PROTOCOL_VERSION));
	client_add(request, "command", json_object_new_string(command));
	return request;
}

void client_add(struct json_object *request, const char *name, struct json_object *value)
{
	if (value == NULL || json_object_object_add(request, name, value) < 0)
		out_of_memory();
}

static int say_lost(int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK)
		(void)fprintf(
			stderr,
			"dmclog: dmclogd has not answered within %d s: systemctl status dmclogd\n",
			ANSWER_SECONDS);
	else
		(void)fprintf(
			stderr,
			"dmclog: dmclogd has ended the connection%s%s: systemctl status dmclogd\n",
			error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	return EXIT_UNREACHABLE;
}

/* A daemon that refuses this user has said so, and does not read. */
static void send_line(const struct client *client, struct json_object *request)
{
	size_t length = 0, sent = 0;
	const char *text =
		json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &length);
	char *line = text == NULL ? NULL : malloc(length + 1);

	if (line == NULL)
		out_of_memory();
	memcpy(line, text, length);
	line[length] = '\n';
	while (sent < length + 1) {
		ssize_t n = send(client->fd, line + sent, length + 1 - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	free(line);
}

/* The line that comes, with a NUL for its newline; NULL after saying why. */
static char *read_line(const struct client *client)
{
	size_t used = 0, room = 0;
	char *line = NULL;

	for (;;) {
		ssize_t n;

		if (used == room) {
			char *more = room >= ANSWER_BYTES_MAX ?
					     NULL :
					     realloc(line, room = room * 2 + 65536);

			if (more == NULL)
				out_of_memory();
			line = more;
		}
		n = recv(client->fd, line + used, room - used, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)say_lost(n < 0 ? errno : 0);
			free(line);
			return NULL;
		}
		used += (size_t)n;
		if (line[used - 1] != '\n')
			continue;
		line[used - 1] = '\0';
		return line;
	}
}

int client_ask(struct client *client, struct json_object *request, struct json_object **ret_answer)
{
	struct json_object *answer, *version;
	char *line;

	send_line(client, request);
	json_object_put(request);
	line = read_line(client);
	if (line == NULL)
		return EXIT_UNREACHABLE;
	answer = json_tokener_parse(line);
	free(line);
	if (!json_object_object_get_ex(answer, "version", &version) ||
	    json_object_get_int(version) != PROTOCOL_VERSION) {
		(void)fprintf(
			stderr,
			"dmclog: dmclogd speaks another version than this dmclog: install both of "
			"one version\n");
		json_object_put(answer);
		return EXIT_UNREACHABLE;
	}
	*ret_answer = answer;
	return EXIT_OK;
}

static const char *text_of(const struct json_object *answer, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(answer, name, &value) ? json_object_get_string(value) : "";
}

const char *client_refused(const struct json_object *answer)
{
	struct json_object *ok;

	if (json_object_object_get_ex(answer, "ok", &ok) && json_object_get_boolean(ok))
		return NULL;
	return text_of(answer, "error");
}

int client_verdict(const struct json_object *answer)
{
	const char *code = client_refused(answer);

	if (code == NULL)
		return EXIT_OK;
	(void)fprintf(stderr, "dmclog: %s\n", text_of(answer, "message"));
	if (strcmp(code, "denied") == 0)
		return EXIT_UNREACHABLE;
	return strcmp(code, "too-early") == 0 ? EXIT_TOO_EARLY : EXIT_ERROR;
}
