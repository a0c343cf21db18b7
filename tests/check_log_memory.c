/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that outlive a daemon: given again as they were, removed with their log, not believed when there is no reason to. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"
#include "daemon/log_memory.h"

static char directory[] = "/tmp/check_log_memory.XXXXXX";
static struct log_memory *memory;
static struct core *core;
static const struct core_config config = { .node_id = 1,
					   .hot_regions = 16,
					   .slot_count = 4,
					   .copies_in_flight = 4 };

static void no_effect(void *context, const struct effect *effect)
{
	(void)context;
	(void)effect;
}

static void setup(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	core = core_init(memory_zeroed(core_bytes()), &config, no_effect, NULL, 0);
	ck_assert_int_eq(log_memory_open(&memory, directory, true), 0);
}

/* The files that are there; the name of the last one in `ret_path`. */
static uint32_t files(char *ret_path)
{
	DIR *listing = opendir(directory);
	const struct dirent *entry;
	uint32_t count = 0;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(ret_path, 512, "%s/%s", directory, entry->d_name);
		count++;
	}
	(void)closedir(listing);
	return count;
}

static void teardown(void)
{
	char path[512];

	log_memory_close(memory);
	free(core);
	while (files(path) > 0)
		ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void again(bool found)
{
	log_memory_close(memory);
	ck_assert_int_eq(log_memory_open(&memory, directory, found), 0);
}

static struct effect_release give(const char *uuid, const char *constructor)
{
	struct request request = { .luid = 7, .type = REQUEST_CTR };
	struct input_request input = { .request = &request };

	(void)snprintf(request.uuid, sizeof(request.uuid), "%s", uuid);
	(void)snprintf(request.constructor, sizeof(request.constructor), "%s", constructor);
	log_memory_give(memory, core, &input);
	ck_assert_ptr_nonnull(input.memory);
	return (struct effect_release){ input.memory, input.kept };
}

#define DISK "65536 clustered-disk 254:0 1024"

START_TEST(outlives)
{
	struct effect_release log = give("U", DISK);
	char path[512];

	ck_assert_int_eq(((uint8_t *)log.kept)[100], 0);
	((uint8_t *)log.kept)[100] = 42;
	free(log.memory);
	again(true);
	log = give("U", DISK);
	ck_assert_int_eq(((uint8_t *)log.kept)[100], 42);
	log_memory_release(memory, &log);
	ck_assert_uint_eq(files(path), 0);
	log = give("U", DISK);
	ck_assert_int_eq(((uint8_t *)log.kept)[100], 0);
	log_memory_release(memory, &log);
}
END_TEST

/* Sizes, devices and uuids tell logs apart; `nosync` does not. */
START_TEST(told_apart)
{
	static const char *const others[] = { "65536 clustered-disk 254:1 1024",
					      "65536 clustered-disk 254:0 2048",
					      "65535 clustered-disk 254:0 1024" };
	struct effect_release log = give("U", DISK), other;
	char path[512];

	((uint8_t *)log.kept)[100] = 42;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = give("U", others[i]);
		ck_assert_int_eq(((uint8_t *)other.kept)[100], 0);
		log_memory_release(memory, &other);
	}
	other = give("../U", DISK);
	ck_assert_int_eq(((uint8_t *)other.kept)[100], 0);
	log_memory_release(memory, &other);
	ck_assert_uint_eq(files(path), 1);
	free(log.memory);
	again(true);
	log = give("U", DISK " nosync");
	ck_assert_int_eq(((uint8_t *)log.kept)[100], 42);
	log_memory_release(memory, &log);
}
END_TEST

START_TEST(core_logs_have_none)
{
	struct effect_release log = give("U", "65536 clustered-core 1024");
	char path[512];

	ck_assert_ptr_null(log.kept);
	ck_assert_uint_eq(files(path), 0);
	log_memory_release(memory, &log);
}
END_TEST

/* No daemon of before, or one that did not keep them. */
START_TEST(not_believed)
{
	struct effect_release log = give("U", DISK);
	char path[512];

	((uint8_t *)log.kept)[100] = 42;
	free(log.memory);
	again(false);
	ck_assert_uint_eq(files(path), 0);
	log = give("U", DISK);
	ck_assert_int_eq(((uint8_t *)log.kept)[100], 0);
	free(log.memory);
	again(true);
	ck_assert_uint_eq(files(path), 1);
	ck_assert_int_eq(truncate(path, 10), 0); /* of another size */
	log = give("U", DISK);
	ck_assert_int_eq(((uint8_t *)log.kept)[100], 0);
	log_memory_release(memory, &log);
}
END_TEST

START_TEST(swept)
{
	struct effect_release used = give("U", DISK), unused = give("V", DISK);
	char path[512];

	free(used.memory);
	free(unused.memory);
	again(true);
	used = give("U", DISK);
	log_memory_sweep(memory);
	ck_assert_uint_eq(files(path), 1);
	log_memory_release(memory, &used);
	ck_assert_uint_eq(files(path), 0);
}
END_TEST

/* What cannot be kept is told, and served all the same. */
START_TEST(no_directory)
{
	struct log_memory *none = NULL;
	struct effect_release log;
	struct log_memory *there = memory;
	char path[512];

	ck_assert_int_eq(log_memory_open(&none, "/nonexistent", true), 0);
	memory = none;
	log = give("U", DISK);
	ck_assert_ptr_nonnull(log.kept);
	log_memory_release(memory, &log);
	log_memory_close(none);
	memory = there;
	/* A link is not followed. */
	log = give("U", DISK);
	ck_assert_uint_eq(files(path), 1);
	log_memory_release(memory, &log);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	log = give("U", DISK);
	ck_assert_int_eq(((uint8_t *)log.kept)[0], 0);
	log_memory_release(memory, &log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_memory");
	TCase *tests = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, outlives);
	tcase_add_test(tests, told_apart);
	tcase_add_test(tests, core_logs_have_none);
	tcase_add_test(tests, not_believed);
	tcase_add_test(tests, swept);
	tcase_add_test(tests, no_directory);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
