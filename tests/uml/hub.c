/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of the test nodes: forwards Ethernet frames between them, except over links that are cut.
 *
 *   hub SOCKET CUTS
 *
 * SOCKET is where user-mode Linux connects (vec0:transport=bess): SOCK_SEQPACKET, one packet a frame.  A node is known
 * by the last byte of the address that its frames come from.  CUTS is a file with two nodes a line that do not hear each
 * other; it is read again at SIGHUP, and then CUTS.seen is written.  Ends when SOCKET is removed or at SIGTERM.
 * A frame for whom it is too much is lost, as on any network.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NODES_MAX 16
#define FRAME_BYTES 65536
#define ETHERNET_BYTES 14

static struct pollfd polled[NODES_MAX + 2]; /* listener, signals, then the nodes */
static unsigned char node_of[NODES_MAX + 2];
static unsigned polled_count = 2;
static bool cut[256][256];
static unsigned char frame[FRAME_BYTES];

static void cuts_read(const char *path)
{
	char seen[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	FILE *file = fopen(path, "r");
	unsigned a, b;

	memset(cut, 0, sizeof(cut));
	while (file != NULL && fscanf(file, "%u %u", &a, &b) == 2)
		cut[a & 255][b & 255] = cut[b & 255][a & 255] = true;
	if (file != NULL)
		fclose(file);
	(void)snprintf(seen, sizeof(seen), "%s.seen", path);
	file = fopen(seen, "w");
	if (file != NULL)
		fclose(file);
}

static int listener_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, NODES_MAX) < 0)
		return -1;
	return fd;
}

static void node_accept(void)
{
	int fd = accept4(polled[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int bytes = 1 << 20;

	if (fd < 0)
		return;
	if (polled_count == NODES_MAX + 2) {
		close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	polled[polled_count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	node_of[polled_count++] = 0;
}

/* To the one whom it is for, or to all: bit 0 of the first byte says so. */
static void frame_forward(unsigned from, size_t bytes)
{
	bool to_all = frame[0] & 1;

	node_of[from] = frame[11];
	for (unsigned i = 2; i < polled_count; i++)
		if (i != from && node_of[i] != 0 && (to_all || node_of[i] == frame[5]) &&
		    !cut[node_of[from]][node_of[i]])
			(void)send(polled[i].fd, frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* False when the node has gone. */
static bool node_read(unsigned from)
{
	for (int i = 0; i < 64; i++) {
		ssize_t bytes = recv(polled[from].fd, frame, sizeof(frame), 0);

		if (bytes < 0)
			return errno == EAGAIN || errno == EINTR;
		if (bytes == 0)
			return false;
		if (bytes >= ETHERNET_BYTES)
			frame_forward(from, (size_t)bytes);
	}
	return true;
}

static void nodes_read(void)
{
	for (unsigned i = polled_count; i-- > 2;) {
		if (polled[i].revents == 0 || node_read(i))
			continue;
		close(polled[i].fd);
		polled_count--;
		polled[i] = polled[polled_count];
		node_of[i] = node_of[polled_count];
	}
}

int main(int argc, char **argv)
{
	struct signalfd_siginfo info;
	sigset_t signals;

	if (argc != 3) {
		fprintf(stderr, "usage: hub SOCKET CUTS\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	polled[0] = (struct pollfd){ .fd = listener_open(argv[1]), .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN };
	if (polled[0].fd < 0 || polled[1].fd < 0) {
		perror(argv[1]);
		return 1;
	}
	cuts_read(argv[2]);
	/* Now and then a look whether anybody still wants it: a run that was killed must not leave it behind. */
	while (access(argv[1], F_OK) == 0) {
		if (poll(polled, polled_count, 2000) <= 0)
			continue;
		if (polled[1].revents != 0 && read(polled[1].fd, &info, sizeof(info)) > 0)
			cuts_read(argv[2]);
		nodes_read();
		if (polled[0].revents != 0)
			node_accept();
	}
	return 0;
}
