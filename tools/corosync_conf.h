/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one thing that the tool wants of corosync's configuration, also while corosync does not run. */
#ifndef DMCLOG_COROSYNC_CONF_H
#define DMCLOG_COROSYNC_CONF_H

#include <stddef.h>

#define COROSYNC_CONF "/etc/corosync/corosync.conf"

/*
 * The value of "cluster_name:" in this file.  Returns 0; -ENODATA: it names none; -ENAMETOOLONG; another negative errno: the
 * file cannot be read.
 */
int corosync_conf_cluster(const char *path, char *ret_name, size_t name_bytes);

#endif
