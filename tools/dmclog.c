/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog: asks dmclogd how its logs are, and tells it what the operator wants.  One table of commands. */
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tools/invocation.h"
#include "tools/tab.h"

struct command_row {
	const char *name;
	const char *arguments; /* as --help shows them */
	int least, most;       /* how many */
	bool connects;         /* it finds client open */
	unsigned int options;  /* OPTION_ bits that it takes */
	int (*run)(struct invocation *invocation);
	const char *help;
};

static const struct command_row commands[] = {
	{ "status", "[NAME]", 0, 1, false, OPTION_JSON | OPTION_OPENMETRICS | OPTION_WATCH,
	  run_status, "the group, all logs or one, and who waits for whom" },
	{ "examine", "DEVICE", 1, 1, false, OPTION_JSON | OPTION_SVG | OPTION_CLUSTER, run_examine,
	  "a log device as it is, read without dmclogd, and a picture of its bitmap" },
	{ "events", "[recent]", 0, 1, true, 0, run_events,
	  "what dmclogd says, a line of JSON each, as it happens" },
	{ "create", "NAME LOG LEG,LEG[,...] [OPTION,...]", 3, 4, true, OPTION_TAB | OPTION_FORCE,
	  run_create, "a new mirror: checked, activated, and entered in the table file" },
	{ "activate", "[NAME]", 0, 1, true, OPTION_TAB, run_activate,
	  "the mirror of this entry, or of all that are not noauto" },
	{ "deactivate", "NAME", 1, 1, true, 0, run_deactivate,
	  "take the mirror away; its entry stays" },
	{ "list", "", 0, 0, false, OPTION_TAB | OPTION_JSON, run_list,
	  "the entries of the table file, and which are active" },
	{ "config-check", "", 0, 0, false, OPTION_TAB | OPTION_ROOT, run_config_check,
	  "what this node needs for mirrors, what is missing, and how to get it" },
	{ "verify", "NAME", 1, 1, false, OPTION_JSON, run_verify,
	  "compare the legs of an active mirror, where its log calls them equal" },
	{ "detach", "NAME", 1, 1, true, 0, run_detach,
	  "let a running mirror go on with the kernel's log, on this node alone" },
	{ "attach", "NAME [UUID]", 1, 2, true, OPTION_TAB, run_attach,
	  "let a running mirror of the kernel's, or LVM's, go on with the clustered log" },
	{ "fenced", "NODE", 1, 1, true, 0, run_fenced,
	  "the node is off for certain: take over what it held" },
	{ "fail", "NAME", 1, 1, true, 0, run_fail,
	  "end all that waits in this log on this node, with errors" },
	{ "resync", "NAME pause|resume|rate=BYTES", 2, 2, true, 0, run_resync,
	  "stop, let go on, or limit the copying on all nodes" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "openmetrics", no_argument, NULL, 'm' },
	{ "watch", no_argument, NULL, 'w' },
	{ "svg", required_argument, NULL, 'g' },
	{ "cluster", required_argument, NULL, 'c' },
	{ "tab", required_argument, NULL, 't' },
	{ "root", required_argument, NULL, 'r' },
	{ "force", no_argument, NULL, 'f' },
	{ "control-socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* Which of them not every command takes. */
static const struct {
	int letter;
	unsigned int bit;
} some_take[] = {
	{ 'j', OPTION_JSON },  { 'm', OPTION_OPENMETRICS }, { 'w', OPTION_WATCH },
	{ 'g', OPTION_SVG },   { 'c', OPTION_CLUSTER },     { 't', OPTION_TAB },
	{ 'f', OPTION_FORCE }, { 'r', OPTION_ROOT },
};

int usage(const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "dmclog: ");
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, ". Try 'dmclog --help'.\n");
	return EXIT_USAGE;
}

static void print_help(void)
{
	printf("Usage: dmclog [OPTION]... COMMAND\n"
	       "Shows and steers the dirty-region logs that dmclogd keeps.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %s%s%s\n      %s\n", commands[i].name,
		       commands[i].arguments[0] != 0 ? " " : "", commands[i].arguments,
		       commands[i].help);
	printf("NAME is the uuid of a log, or the name of its device; NODE a corosync node id;\n"
	       "BYTES a number a second, K, M, G, T may follow; 0 is no limit, \"default\" what\n"
	       "each dmclogd was started with; DEVICE a log device, or a copy of one in a file.\n"
	       "LOG is a log device, or - for a log in memory; OPTION is one of region-size=, size=,\n"
	       "uuid=, core, noauto, nosync: see dmclogtab(5).\n\n"
	       "Options:\n"
	       "  --json                    status, examine, list, verify: as JSON\n"
	       "  --openmetrics             status: as OpenMetrics text, for Prometheus\n"
	       "  --watch                   status: as a live screen, until q\n"
	       "  --svg=FILE                examine: the picture into this file\n"
	       "  --cluster=NAME            examine: the cluster that the log should be of\n"
	       "                            (else what corosync.conf says)\n"
	       "  --tab=FILE                create, activate, attach, list, config-check: the table\n"
	       "                            file (default " TAB_DEFAULT ")\n"
	       "  --root=DIR                config-check: the files below this directory\n"
	       "  --force                   create: whatever is on the log device\n"
	       "  --control-socket=PATH     of dmclogd (default " CONTROL_SOCKET_DEFAULT ")\n"
	       "  --help                    print this, and exit\n"
	       "  --version                 print the version, and exit\n\n"
	       "Exit status: 0 done, 1 refused, 2 wrong command line, 3 dmclogd is not reached,\n"
	       "4 too early (fenced: the node is in the cluster still); examine: 5 no log is\n"
	       "there, 6 damaged or cut short, 7 a log of the kernel only, 8 of another cluster;\n"
	       "verify: 9 legs differ.\n");
}

/* The name of an option that was given and that the command does not take, or NULL. */
static const char *option_too_many(const struct command_row *command, unsigned int given)
{
	unsigned int wrong = given & ~command->options;

	for (size_t i = 0; i < sizeof(some_take) / sizeof(some_take[0]); i++)
		for (const struct option *o = long_options; wrong != 0 && o->name != NULL; o++)
			if ((wrong & some_take[i].bit) != 0 && o->val == some_take[i].letter)
				return o->name;
	return NULL;
}

static int run(struct invocation *invocation, const char *name, unsigned int given)
{
	const struct command_row *command = NULL;
	const char *wrong;
	int r = EXIT_OK;

	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			command = &commands[i];
	if (command == NULL)
		return usage("'%s' is not a command", name);
	if (invocation->argument_count < command->least ||
	    invocation->argument_count > command->most)
		return usage("%s takes %s", command->name, command->arguments);
	wrong = option_too_many(command, given);
	if (wrong != NULL)
		return usage("--%s is not for %s", wrong, command->name);
	if (command->connects)
		r = client_open(&invocation->client, invocation->control_socket);
	if (r == EXIT_OK)
		r = command->run(invocation);
	client_close(&invocation->client);
	return r;
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .control_socket = CONTROL_SOCKET_DEFAULT,
					 .tab = TAB_DEFAULT,
					 .client = { .fd = -1 } };
	unsigned int given = 0;
	int c;

	(void)setlocale(LC_CTYPE, "");
	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		for (size_t i = 0; i < sizeof(some_take) / sizeof(some_take[0]); i++)
			given |= some_take[i].letter == c ? some_take[i].bit : 0;
		switch (c) {
		case 'j':
			invocation.json = true;
			break;
		case 'm':
			invocation.openmetrics = true;
			break;
		case 'w':
			invocation.watch = true;
			break;
		case 'g':
			invocation.svg = optarg;
			break;
		case 'c':
			invocation.cluster = optarg;
			break;
		case 't':
			invocation.tab = optarg;
			break;
		case 'r':
			invocation.root = optarg;
			break;
		case 'f':
			invocation.force = true;
			break;
		case 's':
			invocation.control_socket = optarg;
			break;
		case 'h':
			print_help();
			return EXIT_OK;
		case 'V':
			printf("dmclog %s\n", PACKAGE_VERSION);
			return EXIT_OK;
		default:
			(void)fprintf(stderr, "Try 'dmclog --help'.\n");
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return usage("a command is missing");
	invocation.argument_count = argc - optind - 1;
	invocation.arguments = argv + optind + 1;
	return run(&invocation, argv[optind], given);
}
