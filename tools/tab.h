/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /etc/dmclogtab: the mirrors of a node, a line each, as dmclogtab(5) describes them.
 *
 * Parsing is pure; any text at all is a valid argument.
 */
#ifndef DMCLOG_TAB_H
#define DMCLOG_TAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"
#include "request.h"

#define TAB_DEFAULT "/etc/dmclogtab"
#define TAB_PATH_BYTES 256
#define TAB_NAME_BYTES 128
#define TAB_LINE_BYTES 16384
#define TAB_REGION_SECTORS_DEFAULT 1024

struct tab_entry {
	char name[TAB_NAME_BYTES];
	char uuid[REQUEST_UUID_SIZE]; /* the name, unless an option says another */
	char log[TAB_PATH_BYTES];     /* "": in memory */
	uint32_t leg_count;
	char legs[CORE_LEGS_MAX][TAB_PATH_BYTES];
	uint32_t region_sectors;
	uint64_t sectors; /* 0: as long as the shortest leg */
	bool nosync;      /* never in a file */
	bool noauto;
};

/*
 * Parses a line.  Returns 1 and *ret_entry; 0: it is blank or a comment; -EINVAL, and in `message` what is wrong and what would
 * be right.  With `first_time` the option nosync is right, which no file may have.
 */
int tab_parse(const char *line, bool first_time, struct tab_entry *ret_entry, char *message,
	      size_t message_bytes);

struct tab {
	size_t count;
	struct tab_entry *entries;
};

/*
 * Reads a file; one that is not there has no entries.  Says on stderr which lines are wrong.  Returns 0; -EINVAL: a line is wrong, or
 * a name or uuid comes twice; other negative errno.  The caller ends with tab_free(), whatever is returned.
 */
int tab_read(const char *path, struct tab *ret_tab);
void tab_free(struct tab *tab);
/* NULL: there is none. */
const struct tab_entry *tab_find(const struct tab *tab, const char *name);

/* The line for an entry, without a newline and without nosync.  Returns 0, -E2BIG or -ENOMEM. */
int tab_format(const struct tab_entry *entry, char *line, size_t line_bytes);
/* Adds the line of an entry to the file, durably; makes the file.  Returns 0 or negative errno. */
int tab_append(const char *path, const struct tab_entry *entry);

#endif
