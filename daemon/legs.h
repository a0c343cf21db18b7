/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The open legs of one live mirror: copying, flushing, health, answered to the core.
 *
 * All functions on the event loop's thread.  `owner` is where the machine keeps the pointer: set by legs_open(), cleared
 * before the input that says that the legs are not open (any more).
 */
#ifndef DMCLOGD_LEGS_H
#define DMCLOGD_LEGS_H

#include "daemon/machine_port.h"

struct legs;

/* Begins EFFECT_OPEN_LEGS.  Returns 0, and INPUT_LEGS_OPENED follows; or -ENOMEM, -EAGAIN (no thread), and nothing
 * follows. */
int legs_open(struct legs **owner, struct machine_port *port, const struct effect_table *effect);

/* Begins EFFECT_CLOSE_LEGS.  Precondition: opened, no copy and no flush under way. */
void legs_close(struct legs *legs);

/* Begins EFFECT_FLUSH_LEGS.  Precondition: opened.  A flush asked for while one is under way begins after it: what is
 * answered began after it was asked for. */
void legs_flush(struct legs *legs);

/* Begins EFFECT_READ_HEALTH.  Precondition: opened.  Returns 0, and INPUT_HEALTH follows; or -ENOMEM. */
int legs_read_health(struct legs *legs);

/* Begins EFFECT_COPY.  Precondition: opened.  Returns 0, and INPUT_COPIED follows; -EBUSY, -EINVAL: see
 * copier_copy(); -ERANGE: not within the mirror as the live table has it. */
int legs_copy(struct legs *legs, const struct effect_copy *effect);

/* The port ends: as legs_close(), in any state and only if that has not begun. */
void legs_end(struct legs *legs);

#endif
