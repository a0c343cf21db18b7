/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process beside the daemon: see aside.h.
 *
 * A request comes as one packet, with one end of a socket pair that the reply goes to; so calls may end in any order.
 */
#define _GNU_SOURCE
#include "daemon/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/worker.h"

#define DESCRIPTORS_MAX 65536
#define SOCKET_BESIDE 3

static const struct aside *aside;
static int aside_socket = -1;

/* The descriptor that goes with a packet. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the process beside ---- */

struct call {
	int socket;
	char bytes[]; /* the request, then the reply */
};

static void *call_run(void *argument)
{
	struct call *call = argument;
	char *reply = call->bytes + aside->request_bytes;

	aside->call(call->bytes, reply);
	(void)send(call->socket, reply, aside->reply_bytes, MSG_NOSIGNAL);
	(void)close(call->socket);
	free(call);
	return NULL;
}

/* Who gets no reply sees the end of its socket. */
static void call_begin(struct call *call)
{
	pthread_t thread;

	if (thread_start(&thread, "aside", call_run, call) < 0) {
		(void)close(call->socket);
		free(call);
		return;
	}
	(void)pthread_detach(thread);
}

/* False when the daemon has gone. */
static bool request_receive(void)
{
	struct call *call = calloc(1, sizeof(*call) + aside->request_bytes + aside->reply_bytes);
	union control control = { 0 };
	struct iovec part;
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t r;

	if (call == NULL)
		return true;
	part = (struct iovec){ .iov_base = call->bytes, .iov_len = aside->request_bytes };
	r = recvmsg(SOCKET_BESIDE, &packet, MSG_CMSG_CLOEXEC);
	if (r > 0 && packet.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    control.header.cmsg_type == SCM_RIGHTS) {
		memcpy(&call->socket, CMSG_DATA(&control.header), sizeof(int));
		call_begin(call);
		return true;
	}
	free(call);
	return r > 0 || (r < 0 && errno == EINTR);
}

/* All but our socket is the daemon's alone: first of all its lock and its sockets. */
static void descriptors_close(int socket_beside)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < SOCKET_BESIDE && null >= 0; fd++)
		(void)dup2(null, fd);
	(void)dup2(socket_beside, SOCKET_BESIDE);
	if (close_range(SOCKET_BESIDE + 1, ~0U, 0) == 0)
		return;
	for (int fd = SOCKET_BESIDE + 1; fd < DESCRIPTORS_MAX; fd++)
		(void)close(fd);
}

__attribute__((noreturn)) static void beside_run(int socket_beside, char *name)
{
	descriptors_close(socket_beside);
	(void)memset(name, '-', strlen(name));
	(void)prctl(PR_SET_NAME, "dmclog-aside");
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	if (aside->begin != NULL)
		aside->begin();
	while (request_receive())
		;
	_exit(0);
}

/* ---- the daemon ---- */

int aside_start(const struct aside *what, char *name)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	aside = what;
	pid = fork();
	if (pid == 0)
		beside_run(pair[1], name);
	(void)close(pair[1]);
	if (pid < 0) {
		int r = -errno;

		(void)close(pair[0]);
		return r;
	}
	aside_socket = pair[0];
	return 0;
}

static int request_send(const void *request, int reply_socket)
{
	union control control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS } };
	struct iovec part = { .iov_base = (void *)request, .iov_len = aside->request_bytes };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	memcpy(CMSG_DATA(&control.header), &reply_socket, sizeof(int));
	return sendmsg(aside_socket, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int aside_call(const void *request, void *ret_reply)
{
	int pair[2];
	ssize_t bytes;
	int r;

	if (aside_socket < 0)
		return -ENOTCONN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = request_send(request, pair[1]);
	(void)close(pair[1]);
	if (r == 0) {
		do
			bytes = recv(pair[0], ret_reply, aside->reply_bytes, 0);
		while (bytes < 0 && errno == EINTR);
		if (bytes < 0)
			r = -errno;
		else if ((size_t)bytes != aside->reply_bytes)
			r = -EPIPE;
	}
	(void)close(pair[0]);
	return r;
}
