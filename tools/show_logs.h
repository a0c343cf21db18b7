/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs of a status as a tree: mirror, legs, log device, members. */
#ifndef DMCLOG_SHOW_LOGS_H
#define DMCLOG_SHOW_LOGS_H

#include <stdint.h>

#include "tools/show.h"

/* Asks device-mapper for the legs of the mirrors.  Returns 0, or -ENOMEM. */
int show_logs(const struct json_object *logs, uint64_t own_node, const struct show_style *style,
	      FILE *out);

/* "17%", "99.9%": 100% only when all is in sync. */
void show_percentage(uint64_t part, uint64_t whole, char *word, size_t word_bytes);
/* "3 s", "12 min", "2 h 5 min", "4 d 3 h". */
void show_duration(uint64_t seconds, char *word, size_t word_bytes);

#endif
