/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connector socket without a device-mapper: opening, closing, forged senders, overruns.
 *
 * Needs CAP_NET_ADMIN and the initial network namespace; without them all of it is skipped.  Each
 * test runs in a process of its own (CK_FORK), which some of them spoil.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include "connector.h"
#include "request_bytes.h"
#include "skip.h"

static struct connector *connector;
static struct request request;

static void setup(void)
{
	ck_assert_int_eq(connector_open(&connector), 0);
	memset(&request, 0xee, sizeof(request));
}

static void teardown(void)
{
	connector_close(connector);
}

static uint32_t port_of(int fd)
{
	struct sockaddr_nl address;
	socklen_t size_bytes = sizeof(address);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size_bytes), 0);
	return address.nl_pid;
}

/* Sends from another socket, as another process would. */
static int forge(const void *bytes, size_t length_bytes, uint32_t port, uint32_t groups)
{
	const struct sockaddr_nl to = { .nl_family = AF_NETLINK,
					.nl_pid = port,
					.nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = sendto(fd, bytes, length_bytes, 0, (const struct sockaddr *)&to, sizeof(to));
	close(fd);
	return n == (ssize_t)length_bytes ? 0 : -1;
}

static void expect_foreign(uint64_t count)
{
	struct request before;

	memcpy(&before, &request, sizeof(before));
	ck_assert_int_eq(connector_receive(connector, &request), -EPERM);
	ck_assert_mem_eq(&before, &request, sizeof(before));
	ck_assert_int_eq(connector_receive(connector, &request), 0);
	ck_assert_uint_eq(connector_counters(connector)->foreign, count);
	ck_assert_uint_eq(connector_counters(connector)->received, 0);
}

START_TEST(nothing_to_receive)
{
	int fd = connector_fd(connector);

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(connector_receive(connector, &request), 0);
	ck_assert_uint_eq(connector_counters(connector)->received, 0);
	ck_assert_uint_eq(connector_receive_buffer_bytes(connector),
			  CONNECTOR_RECEIVE_BUFFER_BYTES);
	connector_close(NULL);
}
END_TEST

START_TEST(forged_unicast)
{
	/* A perfect request, its nlmsg_pid 0 included. */
	ck_assert_int_eq(forge(mark_bytes, sizeof(mark_bytes), port_of(connector_fd(connector)), 0),
			 0);
	expect_foreign(1);
}
END_TEST

START_TEST(forged_multicast)
{
	uint8_t large[4096] = { 0 };

	ck_assert_int_eq(forge(mark_bytes, sizeof(mark_bytes), 0, 1u << (CN_IDX_DM - 1)), 0);
	expect_foreign(1);
	/* Larger than any request. */
	ck_assert_int_eq(forge(large, sizeof(large), 0, 1u << (CN_IDX_DM - 1)), 0);
	expect_foreign(2);
}
END_TEST

/* Another group is not ours. */
START_TEST(other_group)
{
	ck_assert_int_eq(forge(mark_bytes, sizeof(mark_bytes), 0, 1u << (CN_IDX_DM - 2)), 0);
	ck_assert_int_eq(connector_receive(connector, &request), 0);
	ck_assert_uint_eq(connector_counters(connector)->foreign, 0);
}
END_TEST

START_TEST(overrun)
{
	const int small = 1;
	uint64_t still_there = 0;
	int r;

	ck_assert_int_eq(setsockopt(connector_fd(connector), SOL_SOCKET, SO_RCVBUF, &small,
				    sizeof(small)),
			 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(forge(mark_bytes, sizeof(mark_bytes), 0, 1u << (CN_IDX_DM - 1)),
				 0);

	ck_assert_int_eq(connector_receive(connector, &request), -ENOBUFS);
	ck_assert_uint_eq(connector_counters(connector)->overruns, 1);
	while ((r = connector_receive(connector, &request)) == -EPERM)
		still_there++;
	ck_assert_int_eq(r, 0);
	ck_assert_uint_gt(still_there, 0);
	ck_assert_uint_lt(still_there, 100);
	ck_assert_uint_eq(connector_counters(connector)->foreign, still_there);
}
END_TEST

START_TEST(answer_nobody_waits_for)
{
	struct answer answer = { .seq = UINT32_MAX, .type = REQUEST_FLUSH, .version = 3 };

	ck_assert_int_eq(connector_send(connector, &answer), 0);
	answer.payload_bytes = REQUEST_PAYLOAD_MAX_BYTES;
	ck_assert_int_eq(connector_send(connector, &answer), 0);
	answer.error = -EAGAIN;
	ck_assert_int_eq(connector_send(connector, &answer), 0);
	ck_assert_uint_eq(connector_counters(connector)->sent, 3);
	ck_assert_uint_eq(connector_counters(connector)->send_failures, 0);
	ck_assert_int_eq(connector_receive(connector, &request), 0);
}
END_TEST

START_TEST(broken_socket)
{
	struct answer answer = { .seq = UINT32_MAX };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(dup2(fd, connector_fd(connector)), connector_fd(connector));
	close(fd);
	ck_assert_int_eq(connector_receive(connector, &request), -ENOTSOCK);
	ck_assert_int_eq(connector_send(connector, &answer), -ENOTSOCK);
	ck_assert_uint_eq(connector_counters(connector)->sent, 0);
	ck_assert_uint_eq(connector_counters(connector)->send_failures, 1);
}
END_TEST

/*
 * The only datagrams of the kernel itself to be had here: its process events.  They pass the check
 * of the sender, and are not for us.
 */
START_TEST(kernel_but_not_for_us)
{
	const int group = CN_IDX_PROC;
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const enum proc_cn_mcast_op listen = PROC_CN_MCAST_LISTEN;
	struct nlmsghdr nl = { .nlmsg_type = NLMSG_DONE };
	struct cn_msg cn = { .id = { .idx = CN_IDX_PROC, .val = CN_VAL_PROC },
			     .len = sizeof(listen) };
	uint8_t message[sizeof(nl) + sizeof(cn) + sizeof(listen)];
	int fd = connector_fd(connector);

	nl.nlmsg_len = sizeof(message);
	nl.nlmsg_pid = port_of(fd);
	memcpy(message, &nl, sizeof(nl));
	memcpy(message + sizeof(nl), &cn, sizeof(cn));
	memcpy(message + sizeof(nl) + sizeof(cn), &listen, sizeof(listen));
	ck_assert_int_eq(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)),
			 0);
	ck_assert_int_eq(sendto(fd, message, sizeof(message), 0, (const struct sockaddr *)&kernel,
				sizeof(kernel)),
			 (ssize_t)sizeof(message));

	/* The kernel answers from within sendto, if it was built with PROC_EVENTS. */
	if (connector_receive(connector, &request) == 0) {
		printf("SKIPPED kernel_but_not_for_us: no PROC_EVENTS in this kernel\n");
		return;
	}
	ck_assert_uint_eq(connector_counters(connector)->ignored, 1);
	ck_assert_uint_eq(connector_counters(connector)->foreign, 0);
	ck_assert_uint_eq(connector_counters(connector)->received, 0);
}
END_TEST

START_TEST(other_network_namespace)
{
	struct connector *other = NULL;

	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(connector_open(&other), -ECONNREFUSED);
	ck_assert_ptr_null(other);
}
END_TEST

/* The most that SO_RCVBUF grants without privileges. */
static uint32_t rmem_max(void)
{
	FILE *file = fopen("/proc/sys/net/core/rmem_max", "r");
	uint32_t bytes = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%" SCNu32, &bytes), 1);
	fclose(file);
	return bytes;
}

/* A predecessor's socket: it has joined, and what waits in it is there. */
START_TEST(adopted)
{
	struct connector *next = NULL;
	int kept = fcntl(connector_fd(connector), F_DUPFD_CLOEXEC, 0);
	uint32_t port = connector_port(connector);
	struct sockaddr_nl address;
	socklen_t size_bytes = sizeof(address);

	ck_assert_int_eq(forge("x", 1, port, 0), 0);
	connector_close(connector);
	ck_assert_int_eq(connector_adopt(&next, kept), 0);
	connector = next;
	ck_assert_uint_eq(connector_port(connector), port);
	ck_assert_int_eq(getsockname(kept, (struct sockaddr *)&address, &size_bytes), -1);
	expect_foreign(1);
}
END_TEST

/* What is no such socket stays the caller's. */
START_TEST(not_adopted)
{
	struct connector *next = NULL;
	int pair[2], none[2], unjoined;

	ck_assert_int_eq(pipe(none), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	unjoined = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	ck_assert_int_eq(connector_adopt(&next, none[0]), -ENOTSOCK);
	ck_assert_int_eq(connector_adopt(&next, pair[0]), -EPROTOTYPE);
	ck_assert_int_eq(connector_adopt(&next, unjoined), -EPROTOTYPE);
	ck_assert_int_eq(connector_adopt(&next, 1000), -EBADF);
	ck_assert_ptr_null(next);
	ck_assert_int_eq(close(none[0]) + close(pair[0]) + close(unjoined), 0);
	(void)close(none[1]);
	(void)close(pair[1]);
}
END_TEST

/* Kernels from 6.6 on let anybody join this group, but not force the buffer. */
START_TEST(without_privileges)
{
	struct connector *other = NULL;
	int r;

	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	r = connector_open(&other);
	if (r < 0) {
		ck_assert_int_eq(r, -EPERM);
		ck_assert_ptr_null(other);
		return;
	}
	ck_assert_uint_gt(connector_receive_buffer_bytes(other), 0);
	ck_assert_uint_le(connector_receive_buffer_bytes(other), rmem_max());
	connector_close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connector");
	TCase *opened = tcase_create("opened");
	TCase *refused = tcase_create("refused");
	SRunner *runner;
	int failed, r;

	r = connector_open(&connector);
	if (r == -EPERM || r == -ECONNREFUSED || r == -EPROTONOSUPPORT)
		return skip_all("connector", strerror(-r));
	if (r == 0)
		connector_close(connector);

	tcase_add_checked_fixture(opened, setup, teardown);
	tcase_add_test(opened, nothing_to_receive);
	tcase_add_test(opened, forged_unicast);
	tcase_add_test(opened, forged_multicast);
	tcase_add_test(opened, other_group);
	tcase_add_test(opened, overrun);
	tcase_add_test(opened, answer_nobody_waits_for);
	tcase_add_test(opened, broken_socket);
	tcase_add_test(opened, kernel_but_not_for_us);
	tcase_add_test(opened, adopted);
	tcase_add_test(opened, not_adopted);
	suite_add_tcase(suite, opened);
	tcase_add_test(refused, other_network_namespace);
	tcase_add_test(refused, without_privileges);
	suite_add_tcase(suite, refused);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
