/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's status as JSON, as man/dmclog-protocol.7 describes it.  The caller owns what is returned; NULL without memory. */
#ifndef DMCLOGD_STATUS_JSON_H
#define DMCLOGD_STATUS_JSON_H

#include <stdbool.h>

#include <json-c/json_object.h>

#include "core_status.h"
#include "daemon/resync_speed.h"
#include "group_port.h"

/* Adds a member; `value` is given away in any case.  False without memory (also when `value` is NULL). */
bool json_add(struct json_object *object, const char *name, struct json_object *value);

struct json_object *status_json_group(const struct core *core,
				      const struct group_counters *counters);
/* Log number `log`, which must exist.  `speed` may be NULL.  `now_ms` as in inputs. */
struct json_object *status_json_log(const struct core *core, uint32_t log,
				    const struct resync_speed *speed, uint64_t now_ms);

#endif
