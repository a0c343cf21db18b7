/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status as OpenMetrics text, for Prometheus and its like. */
#ifndef DMCLOG_OPENMETRICS_H
#define DMCLOG_OPENMETRICS_H

#include <stdio.h>

#include <json-c/json_object.h>

/* Prints the answer to a status, all its logs in it, and "# EOF".  Returns 0, or -EIO. */
int openmetrics_print(const struct json_object *answer, FILE *out);

#endif
