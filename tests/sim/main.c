/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmclog-sim: runs seeds, reports those in which an oracle found something.
 */
#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

static struct sim *current; /* for a failed assertion */

static const char usage[] =
	"usage: dmclog-sim [OPTION...]\n"
	"Simulates kernels, legs and log devices around the core of dmclogd; a seed decides everything.\n"
	"  --seed N         first seed (1)\n"
	"  --seeds COUNT    how many (1)\n"
	"  --events M       events with faults and load before each seed settles (5000)\n"
	"  --nodes K        nodes (1; more are to come)\n"
	"  --crash-every    a short scenario, with a power cut at every one of its M events in turn\n"
	"  --no-daemon-crash  nodes crash, daemons alone do not\n"
	"  --plant NAME     with this bug (\"list\" lists them); the first seed that finds it ends the run\n"
	"  --twice          each seed twice: the traces must be equal\n"
	"  --trace          a line for each thing that happens\n"
	"  --verbose        a line for each seed\n"
	"Exit status: 0 nothing found, 1 an oracle found something, 2 usage.\n";

/* The core's assertions end the seed, not the simulator: this takes the place of libc's. */
void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function)
{
	if (current == NULL) {
		fprintf(stderr, "%s:%u: %s: %s\n", file, line, function, assertion);
		abort();
	}
	violate(current, "assert", "%s:%u: %s: %s", file, line, function, assertion);
	longjmp(current->abort_point, 1);
}

struct totals {
	uint64_t events, seeds, failed;
	struct counts counts;
};

static void counts_add(struct counts *total, const struct counts *counts)
{
	const uint64_t *from = (const uint64_t *)counts;
	uint64_t *to = (uint64_t *)total;

	for (size_t i = 0; i < sizeof(*counts) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

/* Runs one seed; returns the hash of its trace. */
static uint64_t seed_run(const struct options *options, struct totals *totals, bool *ret_failed)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	uint64_t hash;

	if (sim == NULL)
		abort();
	sim->options = options;
	rng_seed(&sim->rng, options->seed);
	current = sim;
	world_run(sim);
	current = NULL;
	totals->seeds++;
	totals->events += sim->event;
	counts_add(&totals->counts, &sim->counts);
	*ret_failed = sim->failed;
	if (sim->failed) {
		totals->failed++;
		printf("seed %" PRIu64 " ", options->seed);
		if (options->cut_at != 0)
			printf("cut at %" PRIu64 " ", options->cut_at);
		printf("event %" PRIu64 " oracle %s: %s\n", sim->event, sim->oracle, sim->message);
	} else if (options->verbose) {
		printf("seed %" PRIu64 ": %" PRIu64 " events, %" PRIu64 " s, hash %016" PRIx64 "\n",
		       options->seed, sim->event, sim->now_ms / 1000, sim->hash);
	}
	fflush(stdout);
	hash = sim->hash;
	for (uint32_t i = 0; i < sim->node_count; i++)
		daemon_free(&sim->nodes[i]);
	sim_free_all(sim);
	free(sim);
	return hash;
}

static bool seed_run_twice(const struct options *options, struct totals *totals)
{
	bool failed, failed_again;
	uint64_t hash = seed_run(options, totals, &failed);

	if (hash == seed_run(options, totals, &failed_again))
		return failed;
	printf("seed %" PRIu64 " oracle determinism: two runs differ\n", options->seed);
	totals->failed++;
	return true;
}

static bool seed_run_cuts(struct options *options, struct totals *totals)
{
	bool any = false;

	for (options->cut_at = 1; options->cut_at < options->events; options->cut_at++) {
		bool failed;

		(void)seed_run(options, totals, &failed);
		any |= failed;
	}
	return any;
}

/* What a plant is said to have done must not come up without it. */
static bool seed_is_clean(const struct options *options)
{
	struct totals totals = { 0 };
	int plant = dmclogd_plant;
	bool failed;

	dmclogd_plant = 0;
	(void)seed_run(options, &totals, &failed);
	if (!failed)
		printf("found: seed %" PRIu64 " is clean without the plant\n", options->seed);
	dmclogd_plant = plant;
	return !failed;
}

static int plant_find(const char *name)
{
	for (int i = 0; plant_names[i] != NULL; i++) {
		const char *a = plant_names[i], *b = name;

		while (*a != '\0' && (*b == '-' ? '_' : *b & ~0x20) == *a) {
			a++;
			b++;
		}
		if (*a == '\0' && *b == '\0')
			return i;
	}
	return -1;
}

static void plant_list(void)
{
	for (int i = 1; plant_names[i] != NULL; i++) {
		for (const char *c = plant_names[i]; *c != '\0'; c++)
			putchar(*c == '_' ? '-' : *c | 0x20);
		putchar('\n');
	}
}

static void report(const struct totals *totals, double seconds)
{
	const struct counts *counts = &totals->counts;

	printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64
	       " events in %.1f s, %.0f events/s\n",
	       totals->seeds, totals->failed, totals->events, seconds,
	       (double)totals->events / (seconds > 0 ? seconds : 1));
	printf("%" PRIu64 " requests, %" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64
	       " EIO, %" PRIu64 " copies (%" PRIu64 " voided), %" PRIu64 " reloads, %" PRIu64
	       " takeovers; %" PRIu64 " node and %" PRIu64 " daemon crashes, %" PRIu64
	       " log device errors, %" PRIu64 " leg faults, %" PRIu64 " caches lost, %" PRIu64
	       " old reads excused, %" PRIu64 " flush errors eaten by the kernel\n",
	       counts->requests, counts->writes, counts->reads, counts->eio, counts->copies,
	       counts->copied_voided, counts->reloads, counts->takeovers, counts->node_crashes,
	       counts->daemon_crashes, counts->disk_errors, counts->legs_failed, counts->cache_lost,
	       counts->stale_excused, counts->swallowed);
}

struct command {
	struct options options;
	bool cuts, twice;
};

/* Returns 0 to go on, or one more than the exit status. */
static int choose_plant(const char *name)
{
	if (strcmp(name, "list") == 0) {
		plant_list();
		return 1;
	}
	dmclogd_plant = plant_find(name);
	if (dmclogd_plant >= 0)
		return 0;
	fprintf(stderr, "dmclog-sim: no plant \"%s\"\n", name);
	return 3;
}

static int take_option(struct command *command, int option, const char *value)
{
	struct options *options = &command->options;

	switch (option) {
	case 's':
		options->seed = strtoull(value, NULL, 0);
		break;
	case 'n':
		options->seeds = strtoull(value, NULL, 0);
		break;
	case 'e':
		options->events = strtoull(value, NULL, 0);
		break;
	case 'k':
		options->nodes = (uint32_t)strtoul(value, NULL, 0);
		break;
	case 'c':
		command->cuts = true;
		break;
	case 'd':
		options->daemon_crashes = false;
		break;
	case 'p':
		return choose_plant(value);
	case '2':
		command->twice = true;
		break;
	case 't':
		options->trace = true;
		break;
	case 'v':
		options->verbose = true;
		break;
	case 'h':
		fputs(usage, stdout);
		return 1;
	default:
		fputs(usage, stderr);
		return 3;
	}
	return 0;
}

static void run(struct command *command, struct totals *totals)
{
	struct options *options = &command->options;

	for (uint64_t i = 0; i < options->seeds; i++, options->seed++) {
		bool failed = false;

		if (command->cuts)
			failed = seed_run_cuts(options, totals);
		else if (command->twice)
			failed = seed_run_twice(options, totals);
		else
			(void)seed_run(options, totals, &failed);
		if (failed && dmclogd_plant > 0 && seed_is_clean(options))
			break;
	}
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "events", required_argument, NULL, 'e' },
		{ "nodes", required_argument, NULL, 'k' },
		{ "crash-every", no_argument, NULL, 'c' },
		{ "no-daemon-crash", no_argument, NULL, 'd' },
		{ "plant", required_argument, NULL, 'p' },
		{ "twice", no_argument, NULL, '2' },
		{ "trace", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct command command = { .options = { .seed = 1,
						.seeds = 1,
						.events = 5000,
						.nodes = 1,
						.daemon_crashes = true } };
	struct totals totals = { 0 };
	struct timespec begin, end;
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		int stop = take_option(&command, option, optarg);

		if (stop > 0)
			return stop - 1;
	}
	if (optind < argc || command.options.nodes != 1) {
		fputs(optind < argc ? usage : "dmclog-sim: one node only, today\n", stderr);
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	run(&command, &totals);
	clock_gettime(CLOCK_MONOTONIC, &end);
	report(&totals,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	return totals.failed > 0 ? 1 : 0;
}
