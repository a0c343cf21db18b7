/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process beside the daemon: its calls, what it has of the daemon, and its end. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/aside.h"

enum verb { ADD, BLOCK, DIE };

struct request {
	enum verb verb;
	int number;
};

struct reply {
	int number;
	pid_t pid;
};

static pid_t *beside; /* shared memory: who it is */
static char name[] = "check_aside";

static void begin(void)
{
	*beside = getpid();
}

static void call(const void *bytes, void *ret_bytes)
{
	const struct request *request = bytes;
	struct reply reply = { .number = request->number + 1, .pid = getpid() };

	if (request->verb == BLOCK)
		for (;;)
			(void)pause();
	if (request->verb == DIE)
		_exit(1);
	memcpy(ret_bytes, &reply, sizeof(reply));
}

static const struct aside what = {
	.request_bytes = sizeof(struct request),
	.reply_bytes = sizeof(struct reply),
	.begin = begin,
	.call = call,
};

static void setup(void)
{
	beside = mmap(NULL, sizeof(*beside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(beside, MAP_FAILED);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void *block(void *argument)
{
	struct request request = { .verb = BLOCK };
	struct reply reply;

	(void)argument;
	(void)aside_call(&request, &reply);
	return NULL;
}

START_TEST(without_it)
{
	struct request request = { .verb = ADD };
	struct reply reply;

	ck_assert_int_eq(aside_call(&request, &reply), -ENOTCONN);
}
END_TEST

/* A call that does not end delays no other, and all are made elsewhere. */
START_TEST(calls)
{
	struct request request = { .verb = ADD };
	struct reply reply;
	pthread_t thread;

	ck_assert_int_eq(aside_start(&what, name), 0);
	ck_assert_str_eq(name, "check_aside");
	ck_assert_int_eq(pthread_create(&thread, NULL, block, NULL), 0);
	for (int i = 0; i < 100; i++) {
		request.number = i;
		ck_assert_int_eq(aside_call(&request, &reply), 0);
		ck_assert_int_eq(reply.number, i + 1);
		ck_assert_int_ne(reply.pid, getpid());
		ck_assert_int_eq(reply.pid, *beside);
	}
}
END_TEST

/* It keeps nothing open that the daemon had: a pipe ends when our end is closed. */
START_TEST(no_descriptor_of_ours)
{
	struct request request = { .verb = ADD };
	struct reply reply;
	int ends[2];
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(aside_start(&what, name), 0);
	ck_assert_int_eq(aside_call(&request, &reply), 0);
	(void)close(ends[1]);
	ck_assert_int_eq((int)read(ends[0], &byte, 1), 0);
}
END_TEST

START_TEST(it_dies)
{
	struct request request = { .verb = DIE };
	struct reply reply;
	int status;

	ck_assert_int_eq(aside_start(&what, name), 0);
	ck_assert_int_eq(aside_call(&request, &reply), -EPIPE);
	ck_assert_int_eq(waitpid(*beside, &status, 0), *beside);
	request.verb = ADD;
	ck_assert_int_eq(aside_call(&request, &reply), -EPIPE);
}
END_TEST

/* kill -9 of the daemon while a call is under way ends it, too, unless the kernel keeps it. */
START_TEST(it_ends_with_the_daemon)
{
	int ends[2], status;
	pthread_t thread;
	pid_t daemon;
	char byte;

	ck_assert_int_eq(pipe(ends), 0);
	daemon = fork();
	if (daemon == 0) {
		struct request request = { .verb = ADD };
		struct reply reply;

		if (aside_start(&what, name) < 0 || aside_call(&request, &reply) < 0 ||
		    pthread_create(&thread, NULL, block, NULL) != 0)
			_exit(1);
		(void)!write(ends[1], "", 1);
		for (;;)
			(void)pause();
	}
	ck_assert_int_eq((int)read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(kill(daemon, SIGKILL), 0);
	ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
	ck_assert_int_eq(waitpid(*beside, &status, 0), *beside);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aside");
	TCase *tests = tcase_create("aside");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, without_it);
	tcase_add_test(tests, calls);
	tcase_add_test(tests, no_descriptor_of_ours);
	tcase_add_test(tests, it_dies);
	tcase_add_test(tests, it_ends_with_the_daemon);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
