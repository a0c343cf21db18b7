/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One answering daemon a node: see single.h. */
#include "single.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int single_lock(const char *directory, int *ret_pid)
{
	char path[PATH_MAX];
	char text[32] = "";
	int length = snprintf(path, sizeof(path), "%s/lock", directory);
	int fd;
	int r;

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (pread(fd, text, sizeof(text) - 1, 0) < 0)
			text[0] = '\0';
		*ret_pid = atoi(text);
		(void)close(fd);
		return r;
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length) {
		r = errno != 0 ? -errno : -EIO;
		(void)close(fd);
		return r;
	}
	return fd;
}

int64_t single_other_listener(uint32_t own_port)
{
	FILE *file = fopen("/proc/net/netlink", "re");
	const unsigned group_bit = 1u << (CN_IDX_DM - 1);
	int64_t other = 0;
	char line[256];

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned protocol, port, groups;

		if (sscanf(line, "%*s %u %u %x", &protocol, &port, &groups) != 3)
			continue;
		/* Port 0 is the kernel's own socket. */
		if (protocol == NETLINK_CONNECTOR && port != 0 && port != own_port &&
		    (groups & group_bit) != 0)
			other = port;
	}
	(void)fclose(file);
	return other;
}
