/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's file descriptor store: keeps the connector's socket while one daemon ends and the next one starts, so
 * that the kernel always finds a listener, and its requests wait in there.
 *
 * Obeys sd_listen_fds(3), sd_pid_notify_with_fds(3); the unit needs FileDescriptorStoreMax=.  tests/uml/fdstore.c stands in
 * for systemd.
 */
#ifndef DMCLOGD_FD_STORE_H
#define DMCLOGD_FD_STORE_H

/*
 * What a predecessor stored.  Before any process is forked: the descriptors are made close-on-exec here, and those that are not
 * ours closed.  Returns the socket, the caller's from now on, or -ENOENT when there is none.
 */
int fd_store_take(void);

/* Stores the socket.  Returns 1, 0 when no service manager is there, or negative errno. */
int fd_store_keep(int fd);

/* Has the manager forget a socket that cannot be used. */
void fd_store_drop(void);

#endif
