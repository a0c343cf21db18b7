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
	"Simulates nodes around the core of dmclogd: kernels, corosync, legs and log devices.  A seed decides\n"
	"everything; the same seed with the same --nodes, --events and --without is the same run.\n"
	"  --seed N         first seed (1)\n"
	"  --seeds COUNT    how many (1)\n"
	"  --events M       events with faults and load before each seed settles (5000)\n"
	"  --nodes K        nodes, 1 to 32; 0: one to five, chosen by the seed, which is another run than\n"
	"                   with that many given (0)\n"
	"  --crash-every    short scenarios, with a power cut at every one of the M events in turn and no\n"
	"                   other fault; takes M runs a seed\n"
	"  --without LIST   leave out, names with commas between:\n"
	"                   crash (of nodes), daemon (its death), disk (log device broken or read-only),\n"
	"                   errors (of single I/Os of it), leg (failing legs), path (of one node to legs or\n"
	"                   log device), partition, corosync (its end), pause, all (nodes at once),\n"
	"                   operator, slow (I/O), lost (requests), tryagain (a busy group), types (disk log to\n"
	"                   core log and back), changes (on all nodes together), second (mirror)\n"
	"  --foreign        and what comes from outside: spoiled log devices, requests that no kernel sends,\n"
	"                   messages of strangers, of yesterday, or spoiled; another run of the seed\n"
	"  --mood NAME      with these faults and this load, whatever the seed has (tests/sim/moods.c); another\n"
	"                   run of the seed\n"
	"  --minimise       of seed N alone: the shortest failure by the same oracle, with the fewest nodes and\n"
	"                   the most left out; each line has the options of the best so far\n"
	"  --seconds T      begin no seed after so long (0: no limit)\n"
	"  --plant NAME     with this bug (\"list\" lists them); ends with the first seed that fails with it\n"
	"                   and not without\n"
	"  --oracle NAME    with --plant: only a failure by this oracle ends the run\n"
	"  --twice          each seed twice: the traces must be equal\n"
	"  --trace          a line for each thing that happens: event, time, what\n"
	"  --verbose        a line for each seed, also a good one\n"
	"  --help           print this, and exit\n"
	"Oracles: 1 clean, 2 state, 3 copy, 4 read, 5 answer and liveness, 6 count (tests/sim/oracle_*.c);\n"
	"assert, simulator, determinism.\n"
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

static struct totals totals;

void seed_run(const struct options *options, struct seed_result *ret_result)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (sim == NULL)
		abort();
	sim->options = options;
	rng_seed(&sim->rng, options->seed);
	current = sim;
	world_run(sim);
	current = NULL;
	totals.seeds++;
	totals.events += sim->event;
	counts_add(&totals.counts, &sim->counts);
	*ret_result = (struct seed_result){
		.failed = sim->failed,
		.oracle = sim->oracle,
		.event = sim->event,
		.hash = sim->hash,
		.nodes = sim->node_count,
	};
	memcpy(ret_result->message, sim->message, sizeof(sim->message));
	for (uint32_t i = 0; i < sim->node_count; i++) {
		daemon_free(&sim->nodes[i]);
		kept_forget_all(&sim->nodes[i]);
	}
	sim_free_all(sim);
	free(sim);
}

/* The same, and tells. */
static bool seed_report(const struct options *options, struct seed_result *ret_result)
{
	seed_run(options, ret_result);
	if (ret_result->failed) {
		totals.failed++;
		printf("seed %" PRIu64 " ", options->seed);
		if (options->cut_at != 0)
			printf("cut at %" PRIu64 " ", options->cut_at);
		printf("nodes %u event %" PRIu64 " oracle %s: %s\n", ret_result->nodes,
		       ret_result->event, ret_result->oracle, ret_result->message);
	} else if (options->verbose) {
		printf("seed %" PRIu64 ": %u nodes, %" PRIu64 " events, hash %016" PRIx64 "\n",
		       options->seed, ret_result->nodes, ret_result->event, ret_result->hash);
	}
	fflush(stdout);
	return ret_result->failed;
}

static bool seed_run_twice(const struct options *options)
{
	struct seed_result result, again;
	bool failed = seed_report(options, &result);

	(void)seed_report(options, &again);
	if (result.hash == again.hash)
		return failed;
	printf("seed %" PRIu64 " oracle determinism: two runs differ\n", options->seed);
	totals.failed++;
	return true;
}

static bool seed_run_cuts(struct options *options)
{
	struct seed_result result;
	bool any = false;

	for (options->cut_at = 1; options->cut_at < options->events; options->cut_at++)
		any |= seed_report(options, &result);
	return any;
}

/* What a plant is said to have done must not come up without it. */
static bool seed_is_clean(const struct options *options)
{
	struct seed_result result;
	int plant = dmclogd_plant;

	dmclogd_plant = 0;
	seed_run(options, &result);
	if (!result.failed)
		printf("found: seed %" PRIu64 " is clean without the plant\n", options->seed);
	dmclogd_plant = plant;
	return !result.failed;
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

static void report(double seconds)
{
	const struct counts *counts = &totals.counts;

	printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64
	       " events in %.1f s, %.0f events/s\n",
	       totals.seeds, totals.failed, totals.events, seconds,
	       (double)totals.events / (seconds > 0 ? seconds : 1));
	printf("%" PRIu64 " requests, %" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64
	       " EIO, %" PRIu64 " copies (%" PRIu64 " voided), %" PRIu64 " reloads, %" PRIu64
	       " takeovers; %" PRIu64 " node and %" PRIu64 " daemon crashes, %" PRIu64
	       " log device errors, %" PRIu64 " leg faults, %" PRIu64 " caches lost, %" PRIu64
	       " old reads excused, %" PRIu64 " flush errors eaten by the kernel\n",
	       counts->requests, counts->writes, counts->reads, counts->eio, counts->copies,
	       counts->copied_voided, counts->reloads, counts->takeovers, counts->node_crashes,
	       counts->daemon_crashes, counts->disk_errors, counts->legs_failed, counts->cache_lost,
	       counts->stale_excused, counts->swallowed);
	printf("%" PRIu64 " views, %" PRIu64 " partitions, %" PRIu64 " nodes fenced, %" PRIu64
	       " by watchdogs, %" PRIu64 " pauses, %" PRIu64 " corosync restarts, %" PRIu64
	       " changes on all nodes, %" PRIu64 " foreign\n",
	       counts->views, counts->partitions, counts->fenced, counts->watchdogs, counts->pauses,
	       counts->engine_restarts, counts->changes, counts->foreign);
}

struct command {
	struct options options;
	bool cuts, twice, minimise;
	uint64_t seconds;   /* a limit, or 0 */
	const char *oracle; /* that must find the plant, or NULL */
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

static int choose_mood(struct options *options, const char *name)
{
	const char *known;

	for (options->mood = 1; (known = mood_name(options->mood - 1)) != NULL; options->mood++)
		if (strcmp(known, name) == 0)
			return 0;
	fprintf(stderr, "dmclog-sim: no mood \"%s\"\n", name);
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
	case 'w':
		options->without = features_parse(value);
		if (options->without == UINT32_MAX) {
			fprintf(stderr, "dmclog-sim: --without \"%s\"?\n", value);
			return 3;
		}
		break;
	case 'm':
		command->minimise = true;
		break;
	case 'T':
		command->seconds = strtoull(value, NULL, 0);
		break;
	case 'p':
		return choose_plant(value);
	case 'o':
		command->oracle = value;
		break;
	case '2':
		command->twice = true;
		break;
	case 'f':
		options->foreign = true;
		break;
	case 'M':
		return choose_mood(options, value);
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

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(struct command *command)
{
	struct options *options = &command->options;
	double end_s = now_s() + (double)command->seconds;

	for (uint64_t i = 0; i < options->seeds; i++, options->seed++) {
		struct seed_result result = { .oracle = "" };
		bool failed;

		if (command->seconds > 0 && now_s() > end_s)
			break;
		failed = command->cuts  ? seed_run_cuts(options) :
			 command->twice ? seed_run_twice(options) :
					  seed_report(options, &result);
		if (failed && dmclogd_plant > 0 &&
		    (command->oracle == NULL || strcmp(result.oracle, command->oracle) == 0) &&
		    seed_is_clean(options))
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
		{ "without", required_argument, NULL, 'w' },
		{ "minimise", no_argument, NULL, 'm' },
		{ "seconds", required_argument, NULL, 'T' },
		{ "plant", required_argument, NULL, 'p' },
		{ "oracle", required_argument, NULL, 'o' },
		{ "twice", no_argument, NULL, '2' },
		{ "foreign", no_argument, NULL, 'f' },
		{ "mood", required_argument, NULL, 'M' },
		{ "trace", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct command command = { .options = { .seed = 1, .seeds = 1, .events = 5000 } };
	double begin_s;
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		int stop = take_option(&command, option, optarg);

		if (stop > 0)
			return stop - 1;
	}
	if (optind < argc || command.options.nodes > SIM_NODES_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	if (command.minimise)
		return minimise(&command.options) ? 1 : 0;
	begin_s = now_s();
	run(&command);
	report(now_s() - begin_s);
	return totals.failed > 0 ? 1 : 0;
}
