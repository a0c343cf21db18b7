/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One open log device: asynchronous reads and durable writes, answered to the core.
 *
 * All functions on the event loop's thread.  `owner` is where the machine keeps the pointer: set by
 * log_device_open(), cleared before the input that says that the device is not open (any more).
 */
#ifndef DMCLOGD_LOG_DEVICE_H
#define DMCLOGD_LOG_DEVICE_H

#include "daemon/machine_port.h"

struct log_device;

/* Begins EFFECT_OPEN_DEVICE.  Returns 0, and INPUT_DEVICE_OPENED follows; or -ENOMEM, -EAGAIN (no thread), and
 * nothing follows. */
int log_device_open(struct log_device **owner, struct machine_port *port,
		    const struct effect_device *effect);

/* Begins EFFECT_READ or EFFECT_WRITE.  Preconditions: opened, not closing, at most CORE_IO_MAX under way.
 * The data of a write is copied. */
void log_device_io(struct log_device *device, const struct effect_io *effect, bool write);

/* Begins EFFECT_CLOSE_DEVICE.  Precondition: opened, nothing under way. */
void log_device_close(struct log_device *device);

/* The port ends: as log_device_close(), in any state and only if that has not begun. */
void log_device_end(struct log_device *device);

#endif
