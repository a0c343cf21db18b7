/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: defaults, limits, and what is refused. */
#include <check.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/options.h"

static char printed[8192];

/* Parses `words`; what goes to `stream` comes into printed[]. */
static int parse(FILE *stream, const char *const *words, struct options *options)
{
	char *argv[16] = { (char *)"dmclogd" };
	char copies[16][64];
	int argc = 1;
	FILE *file = tmpfile();
	int saved;
	size_t length;
	int r;

	ck_assert_ptr_nonnull(file);
	for (; words[argc - 1] != NULL; argc++) {
		(void)snprintf(copies[argc], sizeof(copies[0]), "%s", words[argc - 1]);
		argv[argc] = copies[argc];
	}
	(void)fflush(stream);
	saved = dup(fileno(stream));
	ck_assert_int_ge(dup2(fileno(file), fileno(stream)), 0);
	optind = 0;
	r = options_parse(argc, argv, options);
	(void)fflush(stream);
	ck_assert_int_ge(dup2(saved, fileno(stream)), 0);
	(void)close(saved);
	rewind(file);
	length = fread(printed, 1, sizeof(printed) - 1, file);
	printed[length] = '\0';
	(void)fclose(file);
	return r;
}

#define PARSE(options, ...) parse(stderr, (const char *const[]){ __VA_ARGS__, NULL }, options)

START_TEST(defaults)
{
	struct options options;

	memset(&options, 0xee, sizeof(options));
	ck_assert_int_eq(PARSE(&options, NULL), 1);
	ck_assert(!options.cluster_none && !options.debug);
	ck_assert_uint_eq(options.hot_regions, 1024);
	ck_assert_uint_eq(options.idle_release_s, 15);
	ck_assert_uint_eq(options.slots, 32);
	ck_assert_uint_eq(options.copies, 8);
	ck_assert_uint_eq(options.resync_bytes_per_second, 0);
	ck_assert_uint_eq(options.takeover_delay_s, 0);
	ck_assert_str_eq(options.state_directory, "/run/dmclogd");
	ck_assert_ptr_null(options.control_socket);
	ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(all_of_them)
{
	struct options options;

	ck_assert_int_eq(PARSE(&options, "--cluster=none", "--hot-regions=8", "--idle-release", "1",
			       "--slots=256", "--copies=5", "--resync-rate=10M",
			       "--takeover-delay=86400", "--control-socket=/x/y", "--debug"),
			 1);
	ck_assert_str_eq(options.control_socket, "/x/y");
	ck_assert(options.cluster_none && options.debug);
	ck_assert_uint_eq(options.hot_regions, 8);
	ck_assert_uint_eq(options.idle_release_s, 1);
	ck_assert_uint_eq(options.slots, 256);
	ck_assert_uint_eq(options.copies, 5);
	ck_assert_uint_eq(options.resync_bytes_per_second, 10 << 20);
	ck_assert_uint_eq(options.takeover_delay_s, 86400);
	ck_assert_int_eq(PARSE(&options, "--cluster=corosync"), 1);
	ck_assert(!options.cluster_none);
}
END_TEST

START_TEST(suffixes)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} good[] = { { "--resync-rate=0", 0 },
		     { "--resync-rate=1K", 1024 },
		     { "--resync-rate=3G", UINT64_C(3) << 30 },
		     { "--resync-rate=2T", UINT64_C(2) << 40 },
		     { "--resync-rate=16777215T", UINT64_C(16777215) << 40 },
		     { "--resync-rate=18446744073709551615", UINT64_MAX } };
	struct options options;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(PARSE(&options, good[i].word), 1);
		ck_assert_uint_eq(options.resync_bytes_per_second, good[i].bytes);
	}
}
END_TEST

/* Each is refused, says so on stderr with its own word in it, and leaves the struct alone. */
START_TEST(refused)
{
	static const char *const bad[] = { "--hot-regions=7",
					   "--hot-regions=1048577",
					   "--hot-regions=8K",
					   "--hot-regions=",
					   "--hot-regions=-8",
					   "--hot-regions=+8",
					   "--hot-regions= 8",
					   "--hot-regions=8 ",
					   "--hot-regions=4294967304",
					   "--hot-regions=99999999999999999999",
					   "--slots=0",
					   "--slots=257",
					   "--copies=9",
					   "--idle-release=0",
					   "--takeover-delay=86401",
					   "--resync-rate=1k",
					   "--resync-rate=1KB",
					   "--resync-rate=16777216T",
					   "--resync-rate=M",
					   "--cluster=",
					   "--cluster=nonesuch",
					   "--cluster=Corosync",
					   "--nonesuch",
					   "extra" };
	struct options options, before;

	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(&options, &before, sizeof(options));
		ck_assert_int_eq(PARSE(&options, bad[i]), -EINVAL);
		ck_assert_msg(strstr(printed, bad[i]) != NULL, "%s: %s", bad[i], printed);
		ck_assert_mem_eq(&options, &before, sizeof(options));
	}
}
END_TEST

/* Every option is told by --help, in a table of at most 100 columns. */
START_TEST(help)
{
	static const char *const names[] = { "--cluster=none|corosync",
					     "--hot-regions=N",
					     "--idle-release=SECONDS",
					     "--slots=N",
					     "--copies=N",
					     "--resync-rate=BYTES",
					     "--takeover-delay=SECONDS",
					     "--state-directory=DIRECTORY",
					     "--debug",
					     "--help",
					     "--version" };
	struct options options;

	ck_assert_int_eq(parse(stdout, (const char *const[]){ "--help", NULL }, &options), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(printed, names[i]) != NULL, "%s", names[i]);
	for (char *line = strtok(printed, "\n"); line != NULL; line = strtok(NULL, "\n"))
		ck_assert_msg(line[0] != ' ' || strlen(line) <= 100, "%s", line);
	ck_assert_int_eq(parse(stdout, (const char *const[]){ "-h", NULL }, &options), 0);
	ck_assert_int_eq(parse(stdout, (const char *const[]){ "--version", NULL }, &options), 0);
	ck_assert_int_eq(strncmp(printed, "dmclogd ", 8), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, defaults);
	tcase_add_test(tests, all_of_them);
	tcase_add_test(tests, suffixes);
	tcase_add_test(tests, refused);
	tcase_add_test(tests, help);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
