/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast the logs get in sync: see resync_speed.h. */
#include "daemon/resync_speed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECTOR_BYTES 512
/* It is no hurry. */
#define ACCURACY_US 100000

/* ---- one log ---- */

static uint32_t newest(const struct speed_samples *samples)
{
	return (samples->next + SPEED_SAMPLES - 1) % SPEED_SAMPLES;
}

void speed_sample(struct speed_samples *samples, const struct core_log_status *log, uint64_t now_ms)
{
	if (samples->count > 0 && (strcmp(samples->uuid, log->uuid) != 0 ||
				   log->sync_count < samples->sample[newest(samples)].in_sync))
		samples->count = samples->next = 0;
	if (samples->count == 0)
		memcpy(samples->uuid, log->uuid, strlen(log->uuid) + 1);
	samples->sample[samples->next].ms = now_ms;
	samples->sample[samples->next].in_sync = log->sync_count;
	samples->next = (samples->next + 1) % SPEED_SAMPLES;
	if (samples->count < SPEED_SAMPLES)
		samples->count++;
}

struct speed speed_tell(const struct speed_samples *samples, const struct core_log_status *log)
{
	const double region_bytes = (double)log->region_sectors * SECTOR_BYTES;
	uint32_t first = (samples->next + SPEED_SAMPLES - samples->count) % SPEED_SAMPLES;
	uint32_t last = newest(samples);
	struct speed speed = { .seconds_left = UINT64_MAX };
	double regions_per_second;
	uint64_t ms;

	if (samples->count < 2 || strcmp(samples->uuid, log->uuid) != 0)
		return speed;
	ms = samples->sample[last].ms - samples->sample[first].ms;
	if (ms == 0)
		return speed;
	speed.known = true;
	regions_per_second =
		(double)(samples->sample[last].in_sync - samples->sample[first].in_sync) * 1000 /
		(double)ms;
	speed.bytes_per_second = (uint64_t)(regions_per_second * region_bytes);
	if (regions_per_second > 0)
		speed.seconds_left = (uint64_t)((double)(log->region_count - log->sync_count) /
						regions_per_second);
	return speed;
}

/* ---- all of them ---- */

struct resync_speed {
	const struct core *core;
	sd_event_source *timer;
	struct speed_samples *samples[CORE_LOGS_MAX]; /* NULL: nothing is to be copied */
};

static uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void look(struct resync_speed *speed, uint32_t log, uint64_t now_ms)
{
	struct core_log_status status;

	if (core_log_status(speed->core, log, &status) < 0 || status.resumed_count == 0 ||
	    status.sync_count >= status.region_count) {
		free(speed->samples[log]);
		speed->samples[log] = NULL;
		return;
	}
	if (speed->samples[log] == NULL)
		speed->samples[log] = calloc(1, sizeof(**speed->samples));
	if (speed->samples[log] != NULL)
		speed_sample(speed->samples[log], &status, now_ms);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct resync_speed *speed = context;
	uint64_t now_ms = clock_ms();

	(void)usec;
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		look(speed, i, now_ms);
	(void)sd_event_source_set_time_relative(source, SPEED_PERIOD_MS * 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int resync_speed_open(struct resync_speed **ret_speed, sd_event *event, const struct core *core)
{
	struct resync_speed *speed = calloc(1, sizeof(*speed));
	int r;

	if (speed == NULL)
		return -ENOMEM;
	speed->core = core;
	r = sd_event_add_time_relative(event, &speed->timer, CLOCK_MONOTONIC,
				       SPEED_PERIOD_MS * 1000, ACCURACY_US, on_timer, speed);
	if (r < 0) {
		free(speed);
		return r;
	}
	(void)sd_event_source_set_priority(speed->timer, SD_EVENT_PRIORITY_IDLE);
	*ret_speed = speed;
	return 0;
}

void resync_speed_close(struct resync_speed *speed)
{
	if (speed == NULL)
		return;
	sd_event_source_disable_unref(speed->timer);
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		free(speed->samples[i]);
	free(speed);
}

struct speed resync_speed_of(const struct resync_speed *speed, uint32_t log,
			     const struct core_log_status *status)
{
	if (speed == NULL || speed->samples[log] == NULL)
		return (struct speed){ .seconds_left = UINT64_MAX };
	return speed_tell(speed->samples[log], status);
}
