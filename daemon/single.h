/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One answering daemon a node: the kernel multicasts its requests, and two that answer would break mirrors.
 */
#ifndef DMCLOGD_SINGLE_H
#define DMCLOGD_SINGLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Makes `directory` if it is missing (0700) and locks a file in it for as long as the process lives.
 * Returns a file descriptor; -EBUSY when another dmclogd has it (*ret_pid then is its process id, or 0), or another
 * negative errno.
 */
int single_lock(const char *directory, int *ret_pid);

/*
 * Looks in /proc/net/netlink for another process that listens to dm-log-userspace, as lvm2's cmirrord does.
 * `own_port` is our own socket's port.  Returns its port (usually its process id), 0 when there is none,
 * or negative errno when that cannot be read.
 */
int64_t single_other_listener(uint32_t own_port);

#endif
