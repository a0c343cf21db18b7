/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a failure small: the same oracle's, without kinds of faults, in the fewest events, and with fewer nodes.
 *
 * Whatever is left out changes all that comes after, so of each variation some seeds are tried, the failing one first, and
 * the shortest failure counts.  A seed that has chosen its nodes itself (--nodes 0) goes on to do so until all else has been
 * tried: another number of nodes is another scenario.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define TRIES 60
#define TRIES_AT_THE_END 1000

struct best {
	struct options options;
	char oracle[16];
	uint64_t event;
};

/* Tries seeds with these options; true when one fails as wanted, and no later than `limit`. */
static bool try_seeds(struct best *best, struct options options, uint32_t tries, uint64_t limit)
{
	uint64_t first = options.seed;
	bool better = false;

	for (uint32_t i = 0; i < tries; i++) {
		struct seed_result result;

		options.seed = first + i;
		options.events = limit;
		seed_run(&options, &result);
		if (!result.failed || strcmp(result.oracle, best->oracle) != 0 ||
		    result.event > limit)
			continue;
		better = true;
		limit = result.event - 1;
		best->event = result.event;
		best->options = options;
		best->options.events = result.event;
	}
	return better;
}

/* With fewer events before everything settles, for what comes up only then. */
static void try_shorter(struct best *best)
{
	while (best->options.events > 1) {
		struct options options = best->options;
		struct seed_result result;

		options.events /= 2;
		seed_run(&options, &result);
		if (!result.failed || strcmp(result.oracle, best->oracle) != 0)
			return;
		best->options = options;
		best->event = result.event;
	}
}

static void print(const char *what, const struct best *best)
{
	printf("%s: seed %" PRIu64 " fails at event %" PRIu64 " in oracle %s: --seed %" PRIu64
	       " --events %" PRIu64 " --nodes %u",
	       what, best->options.seed, best->event, best->oracle, best->options.seed,
	       best->options.events, best->options.nodes);
	for (uint32_t i = 0, first = 1; i < feature_count(); i++)
		if ((best->options.without >> i & 1) != 0) {
			printf("%s%s", first ? " --without " : ",", feature_name(i));
			first = 0;
		}
	if (best->options.mood != 0)
		printf(" --mood %s", mood_name(best->options.mood - 1));
	puts(best->options.foreign ? " --foreign" : "");
	fflush(stdout);
}

static void try_fewer_nodes(struct best *best, uint32_t nodes)
{
	for (uint32_t fewer = 1; fewer < nodes; fewer++) {
		struct options options = best->options;

		options.nodes = fewer;
		if (try_seeds(best, options, TRIES, best->options.events))
			return;
	}
}

bool minimise(const struct options *options)
{
	struct best best = { .options = *options };
	struct seed_result result;

	seed_run(options, &result);
	if (!result.failed) {
		printf("seed %" PRIu64 " does not fail\n", options->seed);
		return false;
	}
	snprintf(best.oracle, sizeof(best.oracle), "%s", result.oracle);
	best.event = result.event;
	if (result.event > options->events)
		try_shorter(&best);
	print("begin", &best);
	for (uint32_t i = 0; i < feature_count(); i++) {
		struct options fewer = best.options;

		fewer.without |= UINT32_C(1) << i;
		(void)try_seeds(&best, fewer, TRIES, best.options.events);
	}
	print("without", &best);
	try_fewer_nodes(&best, result.nodes);
	print("nodes", &best);
	(void)try_seeds(&best, best.options, TRIES_AT_THE_END, best.options.events - 1);
	print("end", &best);
	return true;
}
