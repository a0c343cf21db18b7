/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers for what the kernel's dm-mirror prints about a live table: pure, bytes in, struct out.
 *
 * Obeys: drivers/md/dm-raid1.c (mirror_status) and dm-log-userspace-base.c (userspace_status).
 * Nothing of the text is believed before it has been checked; any string at all is a valid argument.
 */
#ifndef DMCLOGD_TABLE_PARSE_H
#define DMCLOGD_TABLE_PARSE_H

#include <stdint.h>

#include "core.h"
#include "request.h"

struct table_leg {
	uint32_t major;
	uint32_t minor;
	uint64_t offset_sectors; /* where the target's sector 0 lies on the leg */
};

/* The table line of a mirror target with a userspace log. */
struct table_mirror {
	char uuid[REQUEST_UUID_SIZE]; /* the log's uuid word, not the dm device's uuid */
	uint32_t leg_count;           /* 1 to CORE_LEGS_MAX */
	struct table_leg legs[CORE_LEGS_MAX];
};

/* The status line of a mirror target. */
struct table_status {
	uint32_t leg_count;
	struct table_leg legs[CORE_LEGS_MAX]; /* offset_sectors is 0: the line does not show it */
	char letters[CORE_LEGS_MAX];          /* each one of A F D S R U */
};

/*
 * Parses "userspace <n> <uuid> [integrated_flush] <type> <words...> <legs> <major:minor> <offset> ... [features]"
 * where n counts the words from the uuid on.
 * Returns 0; -ENOMSG: a mirror with another log than userspace; -EINVAL: malformed; -E2BIG: more than
 * CORE_LEGS_MAX legs.  *ret_mirror is written on success only.
 */
int table_parse_mirror(const char *params, struct table_mirror *ret_mirror);

/*
 * Parses "<legs> <major:minor> ... <sync>/<total> 1 <letters> <log status>"; the log's status is not looked at.
 * Returns 0, -EINVAL or -E2BIG, as above.
 */
int table_parse_status(const char *params, struct table_status *ret_status);

#endif
