/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dmclogd: one table of options, from which parsing and --help both come. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core.h"

enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_BYTES, OPTION_CLUSTER, OPTION_PATH };

struct option_row {
	const char *name;
	const char *argument; /* NULL: none */
	enum option_kind kind;
	size_t offset; /* in struct options */
	uint64_t least;
	uint64_t most;
	const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
	{ "cluster", "none|corosync", OPTION_CLUSTER, AT(cluster_none), 0, 0,
	  "who keeps the logs: this node alone, or a corosync cluster\n"
	  "(default corosync)" },
	{ "hot-regions", "N", OPTION_NUMBER, AT(hot_regions), 8, 1u << 20,
	  "idle regions of a log that stay held (default 1024)" },
	{ "idle-release", "SECONDS", OPTION_NUMBER, AT(idle_release_s), 1, 86400,
	  "an idle region is let go after so long (default 15)" },
	{ "slots", "N", OPTION_NUMBER, AT(slots), 1, DISK_SLOTS_MAX,
	  "nodes that a log device is set up for (default 32)" },
	{ "copies", "N", OPTION_NUMBER, AT(copies), 1, CORE_COPIES_MAX,
	  "regions copied at the same time, per mirror (default 8)" },
	{ "resync-rate", "BYTES", OPTION_BYTES, AT(resync_bytes_per_second), 0, UINT64_MAX,
	  "copy no more than that per second and mirror; K, M, G,\n"
	  "T may follow; 0 is no limit (default 0)" },
	{ "takeover-delay", "SECONDS", OPTION_NUMBER, AT(takeover_delay_s), 0, 86400,
	  "take a node that nobody has seen for so long as stopped;\n"
	  "0 is never (default 0)" },
	{ "state-directory", "DIRECTORY", OPTION_PATH, AT(state_directory), 0, 0,
	  "lock and state of this boot (default /run/dmclogd)" },
	{ "control-socket", "PATH", OPTION_PATH, AT(control_socket), 0, 0,
	  "where dmclog reaches the daemon (default: \"control\" in\n"
	  "the state directory)" },
	{ "debug", NULL, OPTION_FLAG, AT(debug), 0, 0, "log every request, too" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_help(void)
{
	printf("Usage: dmclogd [OPTION]...\n"
	       "Keeps the dirty-region logs of device-mapper mirrors (clustered-disk and clustered-core).\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		const char *line = rows[i].help;
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s%s%s", rows[i].name,
			       rows[i].argument != NULL ? "=" : "",
			       rows[i].argument != NULL ? rows[i].argument : "");
		printf("  %-28s ", left);
		for (; strchr(line, '\n') != NULL; line = strchr(line, '\n') + 1)
			printf("%.*s\n%31s", (int)(strchr(line, '\n') - line), line, "");
		printf("%s\n", line);
	}
	printf("  %-28s %s\n  %-28s %s\n\n", "--help", "print this, and exit", "--version",
	       "print the version, and exit");
	printf("Signals: USR1 writes the state of every log to the journal or stderr, USR2 the\n"
	       "recent events; TERM and INT end the daemon when no mirror uses it.\n"
	       "Exit status: 0 ended as told, 1 could not start or go on, 2 wrong command line.\n");
}

/* A decimal number, with one of K, M, G, T behind it when `suffix` allows it. */
static int parse_number(const char *text, bool suffix, uint64_t *ret_number)
{
	static const char suffixes[] = "KMGT";
	char *end;
	const char *found;
	uint64_t number;
	unsigned shift;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0)
		return -ERANGE;
	if (*end != '\0') {
		found = suffix ? strchr(suffixes, *end) : NULL;
		if (found == NULL || end[1] != '\0')
			return -EINVAL;
		shift = 10 * (unsigned)(found - suffixes + 1);
		if (number > UINT64_MAX >> shift)
			return -ERANGE;
		number <<= shift;
	}
	*ret_number = number;
	return 0;
}

static int take_number(const struct option_row *row, const char *text, void *field)
{
	uint64_t number;
	int r = parse_number(text, row->kind == OPTION_BYTES, &number);

	if (r < 0 || number < row->least || number > row->most) {
		if (row->kind == OPTION_BYTES)
			(void)fprintf(stderr,
				      "dmclogd: --%s=%s: a number of bytes is needed, as 10M\n",
				      row->name, text);
		else
			(void)fprintf(stderr,
				      "dmclogd: --%s=%s: a number from %llu to %llu is needed\n",
				      row->name, text, (unsigned long long)row->least,
				      (unsigned long long)row->most);
		return -EINVAL;
	}
	if (row->kind == OPTION_BYTES)
		memcpy(field, &number, sizeof(number));
	else
		memcpy(field, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
	return 0;
}

static int take(const struct option_row *row, const char *text, struct options *options)
{
	void *field = (char *)options + row->offset;

	switch (row->kind) {
	case OPTION_FLAG:
		memcpy(field, &(bool){ true }, sizeof(bool));
		return 0;
	case OPTION_PATH:
		memcpy(field, &text, sizeof(text));
		return 0;
	case OPTION_CLUSTER:
		if (strcmp(text, "none") == 0 || strcmp(text, "corosync") == 0) {
			memcpy(field, &(bool){ text[0] == 'n' }, sizeof(bool));
			return 0;
		}
		(void)fprintf(stderr, "dmclogd: --cluster=%s: none or corosync is needed\n", text);
		return -EINVAL;
	case OPTION_NUMBER:
	case OPTION_BYTES:
		return take_number(row, text, field);
	}
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = { .hot_regions = 1024,
				   .idle_release_s = 15,
				   .slots = DISK_SLOTS_DEFAULT,
				   .copies = CORE_COPIES_MAX,
				   .state_directory = "/run/dmclogd" };
	struct option longs[ROWS + 3] = { 0 };
	int c;

	for (size_t i = 0; i < ROWS; i++)
		longs[i] =
			(struct option){ rows[i].name,
					 rows[i].argument != NULL ? required_argument : no_argument,
					 NULL, (int)i + 256 };
	longs[ROWS] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[ROWS + 1] = (struct option){ "version", no_argument, NULL, 'V' };
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return 0;
		}
		if (c == 'V') {
			printf("dmclogd %s\n", PACKAGE_VERSION);
			return 0;
		}
		if (c < 256) {
			(void)fprintf(stderr, "Try 'dmclogd --help'.\n");
			return -EINVAL;
		}
		if (take(&rows[c - 256], optarg, &options) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		(void)fprintf(stderr, "dmclogd: '%s' is not an option. Try 'dmclogd --help'.\n",
			      argv[optind]);
		return -EINVAL;
	}
	*ret_options = options;
	return 1;
}
