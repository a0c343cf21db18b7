/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the kernel ask the daemon something about a live mirror: EFFECT_PROVOKE. */
#ifndef DMCLOGD_PROVOKE_H
#define DMCLOGD_PROVOKE_H

#include "daemon/machine_port.h"

/*
 * Reads the status of the live mirror with this uuid, on a thread of its own, which waits until the daemon has
 * answered what the kernel asks for that; then comes INPUT_PROVOKED.  Event loop's thread.  Returns 0 or
 * negative errno (no thread, no memory).
 */
int provoke(struct machine_port *port, const struct effect_table *effect);

#endif
