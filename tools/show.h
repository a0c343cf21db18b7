/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status for people. */
#ifndef DMCLOG_SHOW_H
#define DMCLOG_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json_object.h>

struct show_style {
	unsigned int width; /* 0: as wide as it gets */
	bool colours;
};

/* Prints the answer to a status, all its logs in it.  Returns 0, or -ENOMEM. */
int show_status(const struct json_object *answer, const struct show_style *style, FILE *out);

#endif
