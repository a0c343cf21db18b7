/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be left out of a seed, by name: kinds of faults and changes (--without).
 *
 * The seed is chosen first, so what is left stays as it was.
 */
#include <string.h>

#include "sim.h"

static void no_crash(struct profile *profile)
{
	profile->weight_node_crash = 0;
}

static void no_daemon(struct profile *profile)
{
	profile->weight_daemon_crash = 0;
}

static void no_disk(struct profile *profile)
{
	profile->weight_disk = 0;
}

static void no_errors(struct profile *profile)
{
	profile->disk_error_one_in = 0;
}

static void no_leg(struct profile *profile)
{
	profile->weight_leg = 0;
}

static void no_path(struct profile *profile)
{
	profile->weight_path = 0;
}

static void no_partition(struct profile *profile)
{
	profile->weight_partition = 0;
}

static void no_corosync(struct profile *profile)
{
	profile->weight_engine = 0;
}

static void no_pause(struct profile *profile)
{
	profile->weight_pause = 0;
}

static void no_all(struct profile *profile)
{
	profile->weight_all = 0;
}

static void no_operator(struct profile *profile)
{
	profile->weight_operator = 0;
}

static void no_slow(struct profile *profile)
{
	profile->slow_io_one_in = 0;
}

static void no_lost(struct profile *profile)
{
	profile->lost_request_one_in = 0;
}

static void no_try_again(struct profile *profile)
{
	profile->try_again_one_in = 0;
}

static void no_types(struct profile *profile)
{
	profile->log_types_change = false;
}

static void no_changes(struct profile *profile)
{
	profile->together = false;
}

static void no_second(struct profile *profile)
{
	profile->mirrors = 1;
}

static const struct {
	const char *name;
	void (*leave_out)(struct profile *profile);
} features[] = {
	{ "crash", no_crash },
	{ "daemon", no_daemon },
	{ "disk", no_disk },
	{ "errors", no_errors },
	{ "leg", no_leg },
	{ "path", no_path },
	{ "partition", no_partition },
	{ "corosync", no_corosync },
	{ "pause", no_pause },
	{ "all", no_all },
	{ "operator", no_operator },
	{ "slow", no_slow },
	{ "lost", no_lost },
	{ "tryagain", no_try_again },
	{ "types", no_types },
	{ "changes", no_changes },
	{ "second", no_second },
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

uint32_t feature_count(void)
{
	return FEATURES;
}

const char *feature_name(uint32_t feature)
{
	return features[feature].name;
}

void features_leave_out(struct profile *profile, uint32_t without)
{
	for (uint32_t i = 0; i < FEATURES; i++)
		if ((without >> i & 1) != 0)
			features[i].leave_out(profile);
}

/* Names with commas between.  Returns the set, or UINT32_MAX when a name is unknown. */
uint32_t features_parse(const char *names)
{
	uint32_t set = 0;

	while (*names != '\0') {
		size_t length = strcspn(names, ",");
		uint32_t i = 0;

		while (i < FEATURES && (strlen(features[i].name) != length ||
					strncmp(features[i].name, names, length) != 0))
			i++;
		if (i == FEATURES)
			return UINT32_MAX;
		set |= UINT32_C(1) << i;
		names += length;
		if (*names == ',')
			names++;
	}
	return set;
}
