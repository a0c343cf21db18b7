/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status for people. */
#ifndef DMCLOG_SHOW_H
#define DMCLOG_SHOW_H

#include <json-c/json_object.h>

/* Prints the answer to a status, all its logs in it.  Returns 0, or -ENOMEM. */
int show_status(const struct json_object *answer);

#endif
