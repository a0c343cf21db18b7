/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors by the name of their device-mapper device, and the other way round. */
#ifndef DMCLOG_MIRROR_NAME_H
#define DMCLOG_MIRROR_NAME_H

#include <stddef.h>

#include "request.h"

/*
 * The uuid of the log of the device `name` (also as /dev/mapper/name), by its live table.  Returns 0; -ENODEV: no such
 * device; -ENOMSG: it is no mirror with a userspace log; -ENOTUNIQ: its mirrors have several; other negative errno.
 */
int mirror_uuid(const char *name, char ret_uuid[REQUEST_UUID_SIZE]);

/* The name of the device whose live table has a log of this uuid; "" when that cannot be told. */
void mirror_name(const char *uuid, char *ret_name, size_t bytes);

#endif
