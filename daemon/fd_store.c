/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's file descriptor store: see fd_store.h. */
#include "fd_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#define NAME "connector"

int fd_store_take(void)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	int found = -ENOENT;

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (found < 0 && strcmp(names[i], NAME) == 0)
			found = fd;
		else
			(void)close(fd);
		free(names[i]);
	}
	free(names);
	return found;
}

int fd_store_keep(int fd)
{
	int r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" NAME, &fd, 1);

	return r > 0 ? 1 : r;
}

void fd_store_drop(void)
{
	(void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" NAME);
}
