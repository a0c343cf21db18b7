/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tool wants of corosync's configuration, also while corosync does not run. */
#ifndef DMCLOG_COROSYNC_CONF_H
#define DMCLOG_COROSYNC_CONF_H

#include <stdbool.h>

#include "disk_format.h"

#define COROSYNC_CONF "/etc/corosync/corosync.conf"

struct corosync_conf {
	char cluster_name[DISK_CLUSTER_NAME_SIZE]; /* "": none, or too long for a log device */
	bool votequorum;
	bool two_node;
	unsigned int nodes, nodes_without_id;
};

/* Obeys: corosync.conf(5), as far as it goes.  Returns 0, or negative errno when the file cannot be read. */
int corosync_conf_read(const char *path, struct corosync_conf *ret_conf);

#endif
