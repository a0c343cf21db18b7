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
	bool mirror; /* all of the device is one mirror, with a log that plan_parse() takes */
	struct mirror_plan plan; /* then, with its sectors */
};

/* -ENODEV: there is no device of this name. */
int mirror_dm_look(const char *name, struct mirror_state *ret_state);
/* -EBUSY: a device of this name or uuid is there. */
int mirror_dm_create(const char *name, const struct mirror_plan *plan);
/* -EBUSY: it is open. */
int mirror_dm_remove(const char *name);

/*
 * Gives a device another table in place: load, suspend (all its I/O ends, a file system is frozen), check(), resume.  Where a step fails,
 * or check() returns negative errno, the old table goes on and that is returned; with *ret_suspended the old table could not go on either.
 */
int mirror_dm_switch(const char *name, const struct mirror_plan *plan,
		     int (*check)(const char *name, const struct mirror_plan *plan),
		     bool *ret_suspended);

/* -EMEDIUMTYPE: a leg has had an error since the table is live, so that not every leg has all that was written. */
int mirror_dm_legs_good(const char *name);

#endif
