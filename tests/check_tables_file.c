/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a daemon leaves to its successor about its tables, and what it does not believe of it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "daemon/tables_file.h"

static char directory[] = "/tmp/check_tables_file.XXXXXX";
static char path[64];
static struct tables_file *file;
static uint8_t boot[16] = { 1, 2, 3 };

static void setup(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/tables", directory);
	ck_assert_int_eq(tables_file_open(&file, directory, boot), 0);
}

static void teardown(void)
{
	tables_file_close(file);
	(void)unlink(path);
	(void)rmdir(directory);
}

/* The successor's view. */
static int again(void)
{
	tables_file_close(file);
	file = NULL;
	return tables_file_open(&file, directory, boot);
}

static void ask(uint64_t luid, const char *uuid, const char *constructor)
{
	struct request request = { .luid = luid, .type = REQUEST_CTR };

	(void)snprintf(request.uuid, sizeof(request.uuid), "%s", uuid);
	(void)snprintf(request.constructor, sizeof(request.constructor), "%s", constructor);
	tables_file_request(file, &request);
}

static void build(uint64_t luid, const char *uuid, const char *constructor)
{
	ask(luid, uuid, constructor);
	tables_file_answer(file, luid, REQUEST_CTR, 0);
}

static uint32_t count(void)
{
	struct table_before table;
	uint32_t cursor = 0, n = 0;

	while (tables_file_next(file, &cursor, &table))
		n++;
	return n;
}

static struct table_before only(void)
{
	struct table_before table;
	uint32_t cursor = 0;

	ck_assert_uint_eq(count(), 1);
	ck_assert(tables_file_next(file, &cursor, &table));
	return table;
}

START_TEST(life_of_a_table)
{
	struct table_before table;

	ck_assert(!tables_file_found(file));
	ask(7, "U", "100 clustered-disk 8:0 1024");
	ck_assert_int_eq(again(), 0);
	ck_assert_uint_eq(count(), 0); /* not answered: the kernel asks again */
	build(7, "U", "100 clustered-disk 8:0 1024");
	ck_assert_int_eq(again(), 0);
	ck_assert(tables_file_found(file));
	table = only();
	ck_assert_uint_eq(table.luid, 7);
	ck_assert_str_eq(table.uuid, "U");
	ck_assert_str_eq(table.constructor, "100 clustered-disk 8:0 1024");
	ck_assert(!table.resumed);
	tables_file_answer(file, 7, REQUEST_RESUME, 0);
	build(7, "U", "100 clustered-disk 8:0 1024"); /* the kernel's loop repeats it */
	ck_assert_int_eq(again(), 0);
	ck_assert(only().resumed);
	tables_file_answer(file, 7, REQUEST_POSTSUSPEND, -ESRCH);
	ck_assert(only().resumed);
	tables_file_answer(file, 7, REQUEST_POSTSUSPEND, 0);
	ck_assert(!only().resumed);
	tables_file_answer(file, 7, REQUEST_DTR, 0);
	ck_assert_int_eq(again(), 0);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(refused_and_reused)
{
	ask(7, "U", "nonsense");
	tables_file_answer(file, 7, REQUEST_CTR, -EINVAL);
	ck_assert_uint_eq(count(), 0);
	build(7, "U", "100 clustered-core 1024");
	tables_file_answer(file, 7, REQUEST_RESUME, 0);
	/* The luid is a pointer: its table is gone, another one has it. */
	ask(7, "V", "200 clustered-core 1024");
	ck_assert_uint_eq(count(), 0);
	tables_file_answer(file, 7, REQUEST_CTR, 0);
	ck_assert_str_eq(only().uuid, "V");
	ck_assert(!only().resumed);
	tables_file_forget(file, 7);
	ck_assert_uint_eq(count(), 0);
	tables_file_answer(file, 99, REQUEST_DTR, 0);
	tables_file_answer(NULL, 7, REQUEST_CTR, 0);
}
END_TEST

START_TEST(as_many_as_there_can_be)
{
	char uuid[16];

	for (uint32_t i = 0; i < CORE_TABLES_MAX + 3; i++) {
		(void)snprintf(uuid, sizeof(uuid), "U%u", i);
		build(i, uuid, "100 clustered-core 1024");
	}
	ck_assert_uint_eq(count(), CORE_TABLES_MAX);
}
END_TEST

/* At any moment: the process is killed, and what had been noted counts. */
START_TEST(killed)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		build(7, "U", "100 clustered-core 1024");
		tables_file_answer(file, 7, REQUEST_RESUME, 0);
		(void)raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(again(), 0);
	ck_assert(only().resumed);
}
END_TEST

static void spoil(off_t offset, const void *bytes, size_t length)
{
	int fd = open(path, O_RDWR);

	ck_assert_int_eq(pwrite(fd, bytes, length, offset), (ssize_t)length);
	(void)close(fd);
}

START_TEST(of_another_boot_or_version)
{
	build(7, "U", "100 clustered-core 1024");
	boot[0]++;
	ck_assert_int_eq(again(), 1);
	ck_assert(!tables_file_found(file) && !tables_file_found(NULL));
	ck_assert_uint_eq(count(), 0);
	build(7, "U", "100 clustered-core 1024");
	spoil(7, "9", 1);
	ck_assert_int_eq(again(), 1);
	ck_assert_uint_eq(count(), 0);
	build(7, "U", "100 clustered-core 1024");
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_int_eq(again(), 1);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

#define STRINGS_BYTES (REQUEST_UUID_SIZE + REQUEST_PAYLOAD_MAX_BYTES + 1)

/* The strings of the first entry, more and more of them: no string is read beyond its end, which a sanitizer would see. */
START_TEST(spoiled)
{
	struct table_before table;

	build(7, "U", "100 clustered-core 1024");
	for (off_t at = 33; at + 4 <= 33 + STRINGS_BYTES; at++) { /* behind header and state */
		uint32_t cursor = 0;

		spoil(at, "\377\377\377\377", 4);
		ck_assert_int_eq(again(), 0);
		while (tables_file_next(file, &cursor, &table)) {
			ck_assert_uint_lt(strlen(table.uuid), sizeof(table.uuid));
			ck_assert_uint_lt(strlen(table.constructor), sizeof(table.constructor));
		}
	}
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(no_directory)
{
	struct tables_file *none = NULL;

	ck_assert_int_eq(tables_file_open(&none, "/nonexistent", boot), -ENOENT);
	ck_assert_ptr_null(none);
	(void)unlink(path);
	ck_assert_int_eq(symlink("/etc/hostname", path), 0);
	ck_assert_int_eq(tables_file_open(&none, directory, boot), -ELOOP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_file");
	TCase *tests = tcase_create("tables");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, life_of_a_table);
	tcase_add_test(tests, refused_and_reused);
	tcase_add_test(tests, as_many_as_there_can_be);
	tcase_add_test(tests, killed);
	tcase_add_test(tests, of_another_boot_or_version);
	tcase_add_test(tests, spoiled);
	tcase_add_test(tests, no_directory);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
