/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live device-mapper tables of this node, read by libdevmapper.
 *
 * Any thread, after live_table_init().  live_table_health() makes the kernel ask this very daemon for a status: on the
 * event loop's thread it would wait for itself.
 */
#ifndef DMCLOGD_LIVE_TABLE_H
#define DMCLOGD_LIVE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/machine_port.h"

/*
 * Once, on the main thread, before any other thread runs: silences libdevmapper, turns its udev handling off and makes
 * it initialise all that it keeps static.  Returns 0, or -ENODEV when device-mapper is not there (the other calls then
 * return -ENODEV too, until it is).
 */
int live_table_init(void);

/*
 * Once, on the main thread, before any other thread runs: has a process beside the daemon read health letters from now
 * on, see aside.h.  `name` is argv[0].  Returns 0 or negative errno (the daemon then reads them itself).
 */
int live_table_aside(char *name);

/*
 * Finds the mirror target with a userspace log of this uuid in the live tables of all dm devices.  If
 * ret_table->major is not 0, the device it names is looked at first and the others only if the mirror is not there.
 * Sends no request to the daemon, waits for no I/O.
 * Returns 0; -ENODEV: none; -ENOTUNIQ: several (the segments of a pvmove share one uuid: nobody can tell which is
 * meant); -EINVAL, -E2BIG: its table cannot be understood; other negative errno.  *ret_table is written on success only.
 */
int live_table_find(const char *uuid, struct live_table *ret_table);

/*
 * Reads the health letters of the mirror found before into ret_letters (`expected->mirror.leg_count` of them), and
 * whether the kernel has its device suspended.
 * A mirror that has moved to another device is looked for again.  Waits for no I/O, but for the daemon's own answer.
 * Returns 0; -ENODEV: it is gone; -ESTALE: the live table has other legs than `expected`; else as
 * live_table_find().
 */
int live_table_health(const char *uuid, const struct live_table *expected, char *ret_letters,
		      bool *ret_suspended);

/*
 * Calls found() with the uuid word of every mirror target with a userspace log in a live table: at the start of the
 * daemon, what an earlier one may have served.  A uuid may come more than once.  Sends no request to the
 * daemon.  Returns 0 or negative errno.
 */
int live_table_list(void (*found)(void *context, const char *uuid), void *context);

/* The device-mapper name of a device.  Returns 0; -ENODEV: not a dm device; -ENAMETOOLONG. */
int live_table_device_name(uint32_t major, uint32_t minor, char *ret_name, size_t name_bytes);

/*
 * A file descriptor that polls readable when any dm device of this node has raised an event since the last
 * live_table_events_arm().  Returns it (the caller closes it), or -ENODEV, -ENOTTY (kernel older than 4.13), other
 * negative errno.  Obeys: drivers/md/dm-ioctl.c, DM_DEV_ARM_POLL.
 */
int live_table_events_open(void);

/* Arms again, to be called before the state is looked at.  Never waits.  Returns 0 or negative errno. */
int live_table_events_arm(int fd);

#endif
