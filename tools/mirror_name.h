/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors, their legs, and devices by the name of their device-mapper device, and the other way round. */
#ifndef DMCLOG_MIRROR_NAME_H
#define DMCLOG_MIRROR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"
#include "request.h"

/*
 * The uuid of the log of the device `name` (also as /dev/mapper/name), by its live table.  Returns 0; -ENODEV: no such
 * device; -ENOMSG: it is no mirror with a userspace log; -ENOTUNIQ: its mirrors have several; other negative errno.
 */
int mirror_uuid(const char *name, char ret_uuid[REQUEST_UUID_SIZE]);

struct mirror_leg {
	uint32_t major;
	uint32_t minor;
	char name[64];     /* as device_name() */
	const char *state; /* of its health letter; "" when that cannot be told */
	bool failed;
};

struct mirror_legs {
	char mirror[128]; /* the name of the device-mapper device, or "" */
	uint32_t count;
	struct mirror_leg leg[CORE_LEGS_MAX];
};

/*
 * The mirror whose live table has a log of this uuid, and its legs.  What cannot be told is left empty.  Asks the kernel for a
 * status, which asks dmclogd.
 */
void mirror_look(const char *uuid, struct mirror_legs *ret_legs);

/* "pool-leg1", "sdb": the name for people of a device in /dev/mapper or /dev; "" when there is none. */
void device_name(uint32_t major, uint32_t minor, char *ret_name, size_t bytes);

#endif
