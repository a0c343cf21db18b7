/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dmclogd. */
#ifndef DMCLOGD_OPTIONS_H
#define DMCLOGD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	bool cluster_none; /* --cluster=none */
	bool debug;
	uint32_t hot_regions;
	uint32_t idle_release_s;
	uint32_t slots;
	uint32_t copies;
	uint64_t resync_bytes_per_second; /* 0: no limit */
	uint32_t takeover_delay_s;        /* 0: never */
	const char *state_directory;
	const char *control_socket; /* NULL: "control" in the state directory */
};

/*
 * Parses the command line.  Returns 1 when there is something to run, 0 when --help or --version was all that was
 * asked (it has been printed), or -EINVAL after saying on stderr what is wrong.
 */
int options_parse(int argc, char **argv, struct options *ret_options);

#endif
