/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors as device-mapper devices: looked at, made, removed.  By libdevmapper, with udev where it runs.
 *
 * All return 0 or negative errno and say nothing.  dmclogd must be reached before: without it the kernel waits for ever.
 */
#ifndef DMCLOG_MIRROR_DM_H
#define DMCLOG_MIRROR_DM_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/mirror_plan.h"

struct mirror_state {
	bool suspended;
	int open_count;
	uint64_t sectors;
	bool clustered;             /* a mirror with a userspace log, all of the device */
	struct table_mirror mirror; /* then */
};

/* -ENODEV: there is no device of this name. */
int mirror_dm_look(const char *name, struct mirror_state *ret_state);
/* -EBUSY: a device of this name or uuid is there. */
int mirror_dm_create(const char *name, const struct mirror_plan *plan);
/* -EBUSY: it is open. */
int mirror_dm_remove(const char *name);

#endif
