/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One daemon a node: the lock, and other listeners in /proc/net/netlink. */
#include <check.h>
#include <errno.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/single.h"

static char base[] = "/tmp/check_single.XXXXXX";
static char directory[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(base));
	(void)snprintf(directory, sizeof(directory), "%s/state", base);
}

static void teardown(void)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	(void)unlink(path);
	(void)rmdir(directory);
	(void)rmdir(base);
}

/* The exit status of a child that tries to lock: 0 it could, 1 it was told our process id, 2 anything else. */
static int lock_in_a_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int pid = -1;
		int fd = single_lock(directory, &pid);

		_exit(fd >= 0 ? 0 : fd == -EBUSY && pid == (int)getppid() ? 1 : 2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(the_second_is_told_the_first)
{
	struct stat st;
	int pid = -7;
	int fd = single_lock(directory, &pid);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pid, -7);
	ck_assert_int_eq(stat(directory, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(lock_in_a_child(), 1);
	(void)close(fd);
	ck_assert_int_eq(lock_in_a_child(), 0);
}
END_TEST

/* The lock of a process that has died is free, and the longer number in it is gone. */
START_TEST(a_stale_lock_is_free)
{
	char path[80], text[32] = "";
	int pid = 0;
	FILE *file;
	int fd;

	ck_assert_int_eq(mkdir(directory, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs("123456789123\n", file);
	(void)fclose(file);
	fd = single_lock(directory, &pid);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt((int)pread(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_int_eq(atoi(text), (int)getpid());
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	(void)close(fd);
}
END_TEST

START_TEST(errors)
{
	char name[5000];
	int pid;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(single_lock(name, &pid), -ENAMETOOLONG);
	ck_assert_int_eq(single_lock("/nonesuch/state", &pid), -ENOENT);
	ck_assert_int_eq(single_lock("/dev/null", &pid), -ENOTDIR);
}
END_TEST

/* A connector socket in another group does not count; where groups can be joined, one in the kernel's log group does. */
START_TEST(other_listener)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof(address);
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	int64_t before = single_other_listener(0);

	ck_assert_int_ge(before, 0);
	if (fd < 0)
		return; /* no connector in this kernel */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	ck_assert_int_eq(single_other_listener(0), before);
	(void)close(fd);
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	address =
		(struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = 1u << (CN_IDX_DM - 1) };
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && before == 0) {
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
		ck_assert_int_eq(single_other_listener(0), address.nl_pid);
		ck_assert_int_eq(single_other_listener(address.nl_pid), 0);
	}
	(void)close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("single");
	TCase *tests = tcase_create("single");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_second_is_told_the_first);
	tcase_add_test(tests, a_stale_lock_is_free);
	tcase_add_test(tests, errors);
	tcase_add_test(tests, other_listener);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
