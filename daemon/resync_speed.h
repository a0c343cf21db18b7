/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the logs get in sync, on all nodes together, and how long it will take: looked at every two seconds, told as the mean of
 * the last half minute.
 *
 * Only looks; nothing depends on it.  A log that is in sync costs no memory.
 */
#ifndef DMCLOGD_RESYNC_SPEED_H
#define DMCLOGD_RESYNC_SPEED_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "core.h"

#define SPEED_SAMPLES 16
#define SPEED_PERIOD_MS 2000

/* ---- of one log, pure ---- */

struct speed_samples {
	char uuid[REQUEST_UUID_SIZE]; /* of the log that they are of */
	uint32_t count;
	uint32_t next; /* where the next one goes */
	struct {
		uint64_t ms;
		uint64_t in_sync;
	} sample[SPEED_SAMPLES];
};

/* Another log, or regions that got out of sync: the samples begin anew. */
void speed_sample(struct speed_samples *samples, const struct core_log_status *log,
		  uint64_t now_ms);

struct speed {
	bool known;
	uint64_t bytes_per_second;
	uint64_t seconds_left; /* UINT64_MAX: it does not go on */
};

/* Unknown without two samples of this log. */
struct speed speed_tell(const struct speed_samples *samples, const struct core_log_status *log);

/* ---- of all logs of a core ---- */

struct resync_speed;

/* Looks at `core`, which must outlive it, by a timer of `event`.  Returns 0 and *ret_speed, or negative errno. */
int resync_speed_open(struct resync_speed **ret_speed, sd_event *event, const struct core *core);
void resync_speed_close(struct resync_speed *speed);

/* Of log number `log`, whose status is `status`; `speed` may be NULL: unknown. */
struct speed resync_speed_of(const struct resync_speed *speed, uint32_t log,
			     const struct core_log_status *status);

#endif
