/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for the service manager: starts a program again as soon as it has ended, and keeps the file descriptor that it stores
 * (sd_notify(3): FDSTORE=1, FDSTOREREMOVE=1) for the next start (sd_listen_fds(3)).
 *
 * Told to end by SIGTERM it passes that on, waits, and ends as the program did.  Runs on a node of the suites.
 *
 * usage: fdstore NOTIFY-SOCKET COMMAND [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define NAME "connector"

static int stored = -1;

static void fail(const char *what)
{
	(void)fprintf(stderr, "fdstore: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)unlink(path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
	return fd;
}

static void keep(int fd)
{
	if (stored >= 0)
		(void)close(stored);
	stored = fd;
}

/* All that is there. */
static void hear(int socket_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1024];
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) - 1 };

	for (;;) {
		struct msghdr message = { .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control.bytes,
					  .msg_controllen = sizeof(control.bytes) };
		ssize_t length = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
		int fd;

		if (length < 0)
			return;
		text[length] = '\0';
		if (strstr(text, "FDSTOREREMOVE=1") != NULL)
			keep(-1);
		if (message.msg_controllen < CMSG_LEN(sizeof(int)))
			continue;
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
		if (strstr(text, "FDSTORE=1\nFDNAME=" NAME) == NULL) {
			(void)close(fd);
			continue;
		}
		keep(fd);
		(void)fprintf(stderr, "fdstore: keeps the socket\n");
	}
}

static void run(const char *path, char **command)
{
	sigset_t none;
	char pid[16];

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setenv("NOTIFY_SOCKET", path, 1);
	if (stored >= 0) {
		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", pid, 1);
		(void)setenv("LISTEN_FDS", "1", 1);
		(void)setenv("LISTEN_FDNAMES", NAME, 1);
		if (dup2(stored, FIRST_FD) < 0)
			fail("dup2");
	}
	(void)execvp(command[0], command);
	fail(command[0]);
}

/* Until it has ended.  Returns its status as waitpid(2) has it. */
static int serve(pid_t child, int socket_fd, int signals, bool *ret_ending)
{
	struct pollfd sources[] = { { .fd = pidfd_open(child, 0), .events = POLLIN },
				    { .fd = socket_fd, .events = POLLIN },
				    { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	int status = 0;

	do {
		if (poll(sources, 3, -1) < 0 && errno != EINTR)
			fail("poll");
		hear(socket_fd);
		if (sources[2].revents != 0 && read(signals, &info, sizeof(info)) == sizeof(info)) {
			*ret_ending = true;
			(void)kill(child, SIGTERM);
		}
	} while (sources[0].revents == 0);
	hear(socket_fd);
	(void)close(sources[0].fd);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	return status;
}

int main(int argc, char **argv)
{
	bool ending = false;
	int socket_fd, signals, status = 0;
	sigset_t set;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: fdstore NOTIFY-SOCKET COMMAND [ARGUMENT...]\n");
		return 2;
	}
	/* The program's own are from 3 on; ours must be behind that one. */
	if (dup2(STDERR_FILENO, FIRST_FD) < 0)
		fail("dup2");
	socket_fd = listen_at(argv[1]);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	(void)close(FIRST_FD);
	while (!ending) {
		pid_t child = fork();

		if (child == 0)
			run(argv[1], argv + 2);
		if (child < 0)
			fail("fork");
		(void)fprintf(stderr, "fdstore: process %d\n", (int)child);
		status = serve(child, socket_fd, signals, &ending);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
