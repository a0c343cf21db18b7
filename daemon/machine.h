/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine port: carries out the core's device and leg effects on this machine.
 *
 * Each effect that machine_do() took is answered by exactly one input, which comes from the event loop, never from inside
 * machine_do(), with now_ms filled in from CLOCK_MONOTONIC.  The input function may call machine_do().
 * Calls that may block run in helper threads that decide nothing; a device that hangs delays what is asked of
 * it, and nothing else.  Not thread-safe: everything here is called on the event loop's thread.
 *
 * Memory: for each open log device 576 KiB and one thread; for each table with open legs 4 MiB and two threads; a thread's
 * stack is 256 KiB.  All of it counts when memory is locked.
 */
#ifndef DMCLOGD_MACHINE_H
#define DMCLOGD_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "core.h"

struct machine_backend;

struct machine_config {
	/* Submit log device I/O without a thread where the kernel can say that it would have to wait (RWF_NOWAIT). */
	bool use_nowait;
	/* The caller watches machine_fd() and calls machine_run(), so that the end of a write takes no turn of the event
	 * loop; false: the event loop does. */
	bool caller_watches;
	/* For tests, see machine_port.h; NULL: the real devices. */
	const struct machine_backend *backend;
};

typedef void machine_input_function(void *context, const struct input *input);

struct machine;

/*
 * Starts the port on `event`.  To be called before any other thread runs.  Where device-mapper is missing it
 * starts all the same (log devices work; legs are -ENODEV).  Returns 0 or negative errno.
 */
int machine_open(struct machine **ret_machine, sd_event *event, const struct machine_config *config,
		 machine_input_function *input, void *context);

/*
 * Ends it; no input comes any more.  Waits for the I/O under way, and for a health reading under way, which the daemon
 * itself must answer: run the event loop until machine_pending() is 0, then close.
 */
void machine_close(struct machine *machine);

/* With caller_watches: readable, edge-triggered, when machine_run() has something to do. */
int machine_fd(const struct machine *machine);

/*
 * Gives the inputs that are due.  `now_ms` is the time for those of the log device, or 0: a clock read costs as much as
 * the wake-up itself, and for them a time of some milliseconds ago will do.
 */
void machine_run(struct machine *machine, uint64_t now_ms);

/* How many effects are not answered yet. */
uint64_t machine_pending(const struct machine *machine);

/* 0 if INPUT_DM_EVENT will come.  Else why not: -ENODEV (no device-mapper), -ENOTTY (kernel before 4.13), other negative
 * errno: health is then known only as far as it is asked for. */
int machine_dm_events_status(const struct machine *machine);

/* Calls found() with the uuid word of every live mirror that has a userspace log, perhaps more than once: for
 * INPUT_PREDECESSOR.  Sends no request to the daemon, waits for no I/O.  Returns 0 or negative errno. */
int machine_live_mirrors(void (*found)(void *context, const char *uuid), void *context);

/*
 * Begins one of EFFECT_OPEN_DEVICE, CLOSE_DEVICE, READ, WRITE, OPEN_LEGS, CLOSE_LEGS, FLUSH_LEGS, READ_HEALTH, COPY,
 * PROVOKE
 * (asserted, as is that what is used has been opened).  Failures are told by the input's status.  Returns 0; or -ENOMEM
 * when there was no memory even for that: no input will come.
 */
int machine_do(struct machine *machine, const struct effect *effect);

#endif
