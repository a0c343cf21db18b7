/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills the queue of this node's corosync: multicasts so many messages to a CPG group of its own, as fast as it takes them.
 *
 * They stand in the same queue as the messages of all other groups, so that others of this node are told to try again while
 * it is full.  Says "flood: joined" and waits for SIGUSR1, since a group cannot be joined while the ring stands still.
 * Its last line is "flood: sent N, refused N"; ends with 1 where corosync fails.  Runs on a node of the suites.
 *
 * usage: flood MESSAGES
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <corosync/cpg.h>

#define MESSAGE_BYTES 8192
#define AGAIN_MS 2

static bool joined;

static void on_message(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
		       uint32_t pid, void *bytes, size_t count)
{
	(void)handle, (void)group, (void)node, (void)pid, (void)bytes, (void)count;
}

static void on_change(cpg_handle_t handle, const struct cpg_name *group,
		      const struct cpg_address *members, size_t member_count,
		      const struct cpg_address *left, size_t left_count,
		      const struct cpg_address *joining, size_t joining_count)
{
	(void)handle, (void)group, (void)members, (void)member_count;
	(void)left, (void)left_count, (void)joining, (void)joining_count;
	joined = true;
}

/* Returns when it is a member. */
static cs_error_t join(cpg_handle_t handle)
{
	struct cpg_name group = { .length = 5, .value = "flood" };
	cs_error_t error;

	while ((error = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN)
		(void)poll(NULL, 0, AGAIN_MS);
	while (!joined && error == CS_OK)
		error = cpg_dispatch(handle, CS_DISPATCH_ONE);
	return error;
}

static cs_error_t send_one(cpg_handle_t handle, unsigned long *refused)
{
	static unsigned char bytes[MESSAGE_BYTES];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	cs_error_t error;

	while ((error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1)) == CS_ERR_TRY_AGAIN) {
		(*refused)++;
		(void)cpg_dispatch(handle, CS_DISPATCH_ALL);
		(void)poll(NULL, 0, AGAIN_MS);
	}
	return error;
}

int main(int argc, char **argv)
{
	cpg_model_v1_data_t model = { .model = CPG_MODEL_V1,
				      .cpg_deliver_fn = on_message,
				      .cpg_confchg_fn = on_change };
	unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long sent = 0, refused = 0;
	cpg_handle_t handle;
	cs_error_t error;
	sigset_t begin;
	int number;

	if (wanted == 0) {
		fprintf(stderr, "usage: flood MESSAGES\n");
		return 2;
	}
	(void)sigemptyset(&begin);
	(void)sigaddset(&begin, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &begin, NULL);
	error = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);
	if (error == CS_OK)
		error = join(handle);
	puts("flood: joined");
	(void)fflush(stdout);
	(void)sigwait(&begin, &number);
	while (sent < wanted && error == CS_OK) {
		error = send_one(handle, &refused);
		if (error == CS_OK)
			sent++;
		(void)cpg_dispatch(handle, CS_DISPATCH_ALL);
	}
	printf("flood: sent %lu, refused %lu\n", sent, refused);
	if (error != CS_OK)
		fprintf(stderr, "flood: corosync says %d\n", (int)error);
	return error != CS_OK;
}
