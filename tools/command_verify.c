/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog verify: are the legs of a mirror in use equal, where its log says so?  Only reads. */
#define _GNU_SOURCE 1
#include "tools/invocation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/block_device.h"
#include "daemon/status_json.h"
#include "tools/log_source.h"
#include "tools/mirror_dm.h"
#include "tools/mirror_name.h"
#include "tools/show_logs.h"
#include "tools/verify.h"

struct check {
	const char *name;
	const struct mirror_plan *plan;
	struct block_device legs[CORE_LEGS_MAX];
	struct log_source log;
	struct json_object *differing; /* NULL: for people */
	uint64_t region_count, told_ms, begin_ms;
	bool bar;
};

static uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the port ---- */

static int read_leg(void *context, uint32_t number, uint64_t offset_bytes, uint8_t *bytes,
		    uint64_t length_bytes)
{
	const struct check *check = context;
	const struct block_device *leg = &check->legs[number];
	uint64_t from = check->plan->mirror.legs[number].offset_sectors * 512 + offset_bytes;
	uint64_t whole = (length_bytes + leg->block_bytes - 1) & ~(uint64_t)(leg->block_bytes - 1);
	uint64_t done = 0;

	while (done < length_bytes) {
		ssize_t n = pread(leg->fd, bytes + done, whole - done, (off_t)(from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || n % leg->block_bytes != 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int read_log(void *context, struct log_image *ret_image)
{
	const struct check *check = context;

	return log_image_read(&check->log.source, ret_image);
}

static void rest(void *context, uint64_t delay_ms)
{
	struct timespec delay = { .tv_sec = (time_t)(delay_ms / 1000),
				  .tv_nsec = (long)(delay_ms % 1000) * 1000000 };

	(void)context;
	while (nanosleep(&delay, &delay) < 0 && errno == EINTR)
		continue;
}

static void clear_bar(const struct check *check)
{
	if (check->bar)
		(void)fputs("\r\033[K", stderr);
}

static int progress(void *context, uint64_t region)
{
	struct check *check = context;
	uint64_t now_ms = clock_ms();
	char percent[16], left[32];

	if (!check->bar || now_ms - check->told_ms < 500)
		return 0;
	check->told_ms = now_ms;
	show_percentage(region, check->region_count, percent, sizeof(percent));
	show_duration(region == 0 ?
			      0 :
			      (uint64_t)((double)(now_ms - check->begin_ms) / 1000 *
					 (double)(check->region_count - region) / (double)region),
		      left, sizeof(left));
	clear_bar(check);
	(void)fprintf(stderr, "%s: %s, %s left", check->name, percent, left);
	return 0;
}

static void differs(void *context, uint64_t region, uint32_t leg, uint64_t offset_bytes)
{
	struct check *check = context;
	const struct table_leg *where = &check->plan->mirror.legs[leg];
	struct json_object *object;
	char name[64];

	if (check->differing == NULL) {
		clear_bar(check);
		device_name(where->major, where->minor, name, sizeof(name));
		printf("region %" PRIu64 ": leg %" PRIu32
		       " (%s) is not as leg 1, first at byte %" PRIu64 "\n",
		       region, leg + 1, name, offset_bytes);
		return;
	}
	object = json_object_new_object();
	if (object == NULL || !json_add(object, "region", json_object_new_uint64(region)) ||
	    !json_add(object, "leg", json_object_new_uint64(leg + 1)) ||
	    !json_add(object, "first_byte", json_object_new_uint64(offset_bytes)) ||
	    json_object_array_add(check->differing, object) < 0)
		json_object_put(object);
}

/* ---- devices ---- */

static int open_devices(struct check *check)
{
	const struct mirror_plan *plan = check->plan;
	struct block_device log;
	int r;

	for (uint32_t i = 0; i < plan->mirror.leg_count; i++)
		check->legs[i].fd = -1;
	check->log.fd = -1;
	r = block_device_open(plan->log_major, plan->log_minor, &log);
	if (r == 0)
		r = log_source_take(log.fd, &check->log);
	for (uint32_t i = 0; i < plan->mirror.leg_count && r == 0; i++)
		r = block_device_open(plan->mirror.legs[i].major, plan->mirror.legs[i].minor,
				      &check->legs[i]);
	return r;
}

static void close_devices(struct check *check)
{
	for (uint32_t i = 0; i < check->plan->mirror.leg_count; i++)
		if (check->legs[i].fd >= 0)
			(void)close(check->legs[i].fd);
	log_source_close(&check->log);
}

/* ---- the command ---- */

static int tell(const struct check *check, const struct verify_result *result)
{
	struct json_object *answer;

	if (check->differing == NULL) {
		printf("%s: %" PRIu64 " regions: %" PRIu64 " differ, %" PRIu64
		       " were written, held or out of sync and cannot be told, the others are equal\n",
		       check->name, result->regions, result->differing, result->busy);
		return 0;
	}
	answer = json_object_new_object();
	if (answer == NULL ||
	    !json_add(answer, "regions", json_object_new_uint64(result->regions)) ||
	    !json_add(answer, "busy", json_object_new_uint64(result->busy)) ||
	    !json_add(answer, "differing", json_object_get(check->differing))) {
		json_object_put(answer);
		return -ENOMEM;
	}
	(void)puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED));
	json_object_put(answer);
	return 0;
}

static int run(struct check *check, struct verify_result *ret_result)
{
	const struct verify_port port = { .read_leg = read_leg,
					  .read_log = read_log,
					  .pause = rest,
					  .progress = progress,
					  .differs = differs,
					  .context = check };
	const struct mirror_plan *plan = check->plan;
	int r = open_devices(check);

	check->region_count = (plan->sectors - 1) / plan->region_sectors + 1;
	check->begin_ms = check->told_ms = clock_ms();
	if (r == 0)
		r = verify(&port, plan->sectors, plan->region_sectors, plan->mirror.leg_count,
			   ret_result);
	clear_bar(check);
	close_devices(check);
	return r == 0 ? tell(check, ret_result) : r;
}

int run_verify(struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct check check = { .name = name, .bar = isatty(STDERR_FILENO) };
	struct verify_result result;
	struct mirror_state state;
	int r = mirror_dm_look(name, &state);

	if (r < 0 || !state.mirror || state.plan.log == PLAN_CLUSTERED_CORE) {
		(void)fprintf(stderr, "dmclog: %s %s\n", name,
			      r == -ENODEV ? "is not active: dmclog activate it" :
			      r < 0        ? "cannot be looked at: run dmclog as root" :
					     "is no mirror with its log on a device");
		return EXIT_ERROR;
	}
	check.plan = &state.plan;
	if (invocation->json)
		check.differing = json_object_new_array();
	r = run(&check, &result);
	json_object_put(check.differing);
	if (r < 0)
		(void)fprintf(stderr, "dmclog: %s cannot be verified: %s\n", name, strerror(-r));
	if (r < 0 || fflush(stdout) != 0)
		return EXIT_ERROR;
	return result.differing > 0 ? EXIT_DIFFERS : EXIT_OK;
}
