/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: lines and answers, limits, and clients that are slow, greedy, rude or not allowed. */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control.h"

/* Far more than what the kernel keeps for a socket. */
#define LONG_ANSWER (4u << 20)
#define TURNS_MAX 100000

static char directory[64];
static char path[96];
static sd_event *event;
static struct control *control;
static uint32_t handled; /* lines */
static size_t answer_bytes;

/* "answer to " and the line; as long as the test wants it. */
static char *take_line(void *context, const char *line, size_t length)
{
	static const char head[] = "answer to ";
	size_t used = sizeof(head) - 1 + length;
	size_t bytes = answer_bytes > used + 2 ? answer_bytes : used + 2;
	char *answer = malloc(bytes);

	(void)context;
	ck_assert_ptr_nonnull(answer);
	ck_assert_ptr_null(memchr(line, '\n', length));
	handled++;
	memset(answer, '.', bytes);
	memcpy(answer, head, sizeof(head) - 1);
	memcpy(answer + sizeof(head) - 1, line, length);
	memcpy(answer + bytes - 2, "\n", 2);
	return answer;
}

static char *refuse(void *context, enum control_refusal refusal)
{
	(void)context;
	return strdup(refusal == CONTROL_DENIED ? "denied\n" : "too long\n");
}

static int open_control(struct control **ret_control)
{
	const struct control_handler handler = { .answer = take_line, .refuse = refuse };

	return control_open(ret_control, event, path, &handler);
}

static void setup(void)
{
	handled = 0;
	answer_bytes = 0;
	(void)snprintf(directory, sizeof(directory), "/tmp/dmclogd-control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/control", directory);
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(open_control(&control), 0);
}

static void teardown(void)
{
	control_close(control);
	sd_event_unref(event);
	(void)unlink(path);
	(void)rmdir(directory);
}

/* All that can be done without waiting for more than a client's pause; how many turns of the loop that took. */
static uint32_t run(void)
{
	uint32_t turns = 0;

	while (sd_event_run(event, 2 * CONTROL_PAUSE_US) > 0)
		ck_assert_uint_lt(turns++, TURNS_MAX);
	return turns;
}

static int try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int client(void)
{
	int fd = try_connect();

	ck_assert_int_ge(fd, 0);
	(void)run();
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

/* What has come; "" for nothing, "EOF" for the end. */
static const char *heard(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return "EOF";
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* ---- lines ---- */

START_TEST(a_line_and_its_answer)
{
	int fd = client();

	say(fd, "one\n");
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to one\n");
	say(fd, "tw");
	(void)run();
	ck_assert_str_eq(heard(fd), "");
	say(fd, "o\n");
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to two\n");
	(void)close(fd);
	ck_assert_uint_lt(run(), 4);
}
END_TEST

START_TEST(several_lines_at_once)
{
	int fd = client();

	say(fd, "a\n\nb\nc");
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to a\nanswer to \nanswer to b\n");
	say(fd, "\n");
	/* It says no more, and still hears the answer. */
	(void)shutdown(fd, SHUT_WR);
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to c\n");
	ck_assert_str_eq(heard(fd), "EOF");
	(void)close(fd);
}
END_TEST

START_TEST(longest_line)
{
	char line[CONTROL_LINE_MAX + 1];
	int fd = client();

	memset(line, 'x', sizeof(line));
	line[CONTROL_LINE_MAX - 1] = '\n';
	line[CONTROL_LINE_MAX] = '\0';
	say(fd, line);
	(void)run();
	ck_assert_uint_eq(strlen(heard(fd)), strlen("answer to ") + CONTROL_LINE_MAX);
	/* One byte more. */
	line[CONTROL_LINE_MAX - 1] = 'x';
	say(fd, line);
	(void)run();
	ck_assert_str_eq(heard(fd), "too long\n");
	ck_assert_str_eq(heard(fd), "EOF");
	ck_assert_uint_eq(handled, 1);
	(void)close(fd);
}
END_TEST

/* ---- clients ---- */

/* The one that has been silent longest makes room. */
START_TEST(too_many_clients)
{
	int fds[CONTROL_CLIENTS_MAX + 1];

	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client();
	say(fds[0], "here\n");
	(void)run();
	ck_assert_str_eq(heard(fds[0]), "answer to here\n");
	fds[CONTROL_CLIENTS_MAX] = client();
	ck_assert_str_eq(heard(fds[1]), "EOF");
	for (uint32_t i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		if (i == 1)
			continue;
		say(fds[i], "still here\n");
		(void)run();
		ck_assert_str_eq(heard(fds[i]), "answer to still here\n");
	}
	for (uint32_t i = 0; i <= CONTROL_CLIENTS_MAX; i++)
		(void)close(fds[i]);
}
END_TEST

/* Who asks and asks and reads nothing is not read from, costs no turns, and delays nobody. */
START_TEST(slow_client)
{
	int slow, other;
	size_t come = 0;
	uint32_t lines = 0;
	char buffer[65536];

	answer_bytes = LONG_ANSWER;
	slow = client();
	for (int i = 0; i < 10; i++)
		say(slow, "more\n");
	ck_assert_uint_lt(run(), 20);
	ck_assert_uint_eq(handled, 1);
	answer_bytes = 0;
	other = client();
	say(other, "quick\n");
	(void)run();
	ck_assert_str_eq(heard(other), "answer to quick\n");
	ck_assert_uint_eq(handled, 2);
	/* When it reads it gets all of it. */
	while (lines < 10) {
		ssize_t n = recv(slow, buffer, sizeof(buffer), 0);

		for (ssize_t i = 0; i < n; i++)
			lines += buffer[i] == '\n';
		come += n > 0 ? (size_t)n : 0;
		(void)run();
	}
	ck_assert_uint_eq(come, LONG_ANSWER - 1 + 9 * strlen("answer to more\n"));
	(void)close(slow);
	(void)close(other);
}
END_TEST

/* Who has sent many lines waits behind who has sent one, and gets an answer in each pause. */
START_TEST(greedy_client)
{
	char lines[2 * 40 + 1];
	int greedy = client(), other = client();
	uint64_t begun, ended;

	for (size_t i = 0; i < sizeof(lines) - 1; i += 2)
		memcpy(lines + i, "g\n", 2);
	lines[sizeof(lines) - 1] = '\0';
	ck_assert_int_ge(sd_event_now(event, CLOCK_MONOTONIC, &begun), 0);
	say(greedy, lines);
	say(other, "one\n");
	for (uint32_t turns = 0; turns < 6 && heard(other)[0] == '\0'; turns++)
		ck_assert_int_gt(sd_event_run(event, 0), 0);
	ck_assert_uint_lt(handled, 6);
	(void)run();
	ck_assert_uint_eq(handled, 1 + 40);
	ck_assert_int_ge(sd_event_now(event, CLOCK_MONOTONIC, &ended), 0);
	ck_assert_uint_ge(ended - begun, 39 * CONTROL_PAUSE_US);
	(void)close(greedy);
	(void)close(other);
}
END_TEST

START_TEST(client_that_vanishes)
{
	int before = dup(0), after;
	int fd;

	(void)close(before);
	answer_bytes = LONG_ANSWER;
	for (int i = 0; i < 30; i++) {
		fd = client();
		say(fd, i % 2 == 0 ? "lots\n" : "half a li");
		if (i % 3 == 0)
			(void)run();
		(void)close(fd);
		(void)run();
	}
	after = dup(0);
	(void)close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

/* Somebody else, to whom the mode and the directory were opened. */
START_TEST(foreign_user)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(directory, 0755), 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int fd;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(3);
		fd = try_connect();
		(void)fcntl(fd, F_SETFL, 0);
		_exit(fd >= 0 && strcmp(heard(fd), "denied\n") == 0 &&
				      strcmp(heard(fd), "EOF") == 0 ?
			      0 :
			      1);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		(void)sd_event_run(event, 10000);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(handled, 0);
}
END_TEST

/* ---- the name ---- */

START_TEST(mode)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	control_close(control);
	control = NULL;
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(one_daemon_a_name)
{
	struct control *second = NULL;
	int fd;

	ck_assert_int_eq(open_control(&second), -EADDRINUSE);
	ck_assert_ptr_null(second);
	fd = client();
	say(fd, "first\n");
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to first\n");
	(void)close(fd);
}
END_TEST

/* What a daemon that was killed has left. */
START_TEST(stale_name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	control_close(control);
	control = NULL;
	memcpy(address.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	ck_assert_int_eq(open_control(&control), 0);
	fd = client();
	say(fd, "x\n");
	(void)run();
	ck_assert_str_eq(heard(fd), "answer to x\n");
	(void)close(fd);
}
END_TEST

/* A file of somebody's stays. */
START_TEST(other_file)
{
	struct stat st;
	int fd;

	control_close(control);
	control = NULL;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	ck_assert_int_eq(open_control(&control), -ENOTSOCK);
	ck_assert_int_eq(stat(path, &st), 0);
	(void)snprintf(path, sizeof(path), "%s/none/control", directory);
	ck_assert_int_eq(open_control(&control), -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/control", directory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tests = tcase_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_line_and_its_answer);
	tcase_add_test(tests, several_lines_at_once);
	tcase_add_test(tests, longest_line);
	tcase_add_test(tests, too_many_clients);
	tcase_add_test(tests, slow_client);
	tcase_add_test(tests, greedy_client);
	tcase_add_test(tests, client_that_vanishes);
	tcase_add_test(tests, foreign_user);
	tcase_add_test(tests, mode);
	tcase_add_test(tests, one_daemon_a_name);
	tcase_add_test(tests, stale_name);
	tcase_add_test(tests, other_file);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
