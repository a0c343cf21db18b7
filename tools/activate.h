/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors of the table file, brought up and down; what the commands have in common. */
#ifndef DMCLOG_ACTIVATE_H
#define DMCLOG_ACTIVATE_H

#include "tools/invocation.h"
#include "tools/mirror_dm.h"
#include "tools/tab.h"

/* An entry, and the device of its name. */
enum activity {
	ACTIVITY_NONE,     /* no such device */
	ACTIVITY_ACTIVE,   /* as the entry says */
	ACTIVITY_DETACHED, /* the same, with the kernel's log */
	ACTIVITY_OTHER,    /* a device of this name is something else */
	ACTIVITY_UNKNOWN,  /* device-mapper does not tell */
};
enum activity activity_of(const struct tab_entry *entry, struct mirror_state *ret_state);

/*
 * Makes the mirror of an entry; one that is active is left alone.  The client is open.  `first_time`: the log device is looked at,
 * unless the command line says --force.  Returns an exit code after saying what went wrong.
 */
int activate(struct invocation *invocation, const struct tab_entry *entry, bool first_time);

/* The entry `name` of the file that the command line names.  Returns an exit code, and on EXIT_OK *ret_entry. */
int activate_find(const struct invocation *invocation, const char *name,
		  struct tab_entry *ret_entry);

#endif
