/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port to corosync, with a corosync that the test makes up: what is sent when, what the core is told, what comes after a loss. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "cluster/corosync_connection.h"

#define OWN 3000000001u
#define PEER 7u
#define INPUTS_MAX 64
#define WAIT_MS 3000

/* ---- a corosync that does as it is told ---- */

static struct {
	struct corosync_connection *connection; /* open */
	struct corosync_identity identity;
	int running;   /* 0, or the errno of opening */
	int join;      /* what joining returns */
	int multicast; /* what multicasting returns */
	int dispatch;  /* what dispatching returns when there is nothing */
	uint32_t opens, joins, closes, batches;
	uint8_t sent[8 * MESSAGE_BYTES_MAX];
	size_t sent_bytes;
	void (*event)(void); /* given by the next dispatch */
} fake;

int corosync_identity_get(struct corosync_identity *ret_identity, char reason[GROUP_REASON_BYTES])
{
	(void)snprintf(reason, GROUP_REASON_BYTES, "it does not run");
	if (fake.running == 0)
		*ret_identity = fake.identity;
	return fake.running;
}

int corosync_connection_open(struct corosync_connection *connection,
			     const struct corosync_events *events, void *context,
			     char reason[GROUP_REASON_BYTES])
{
	(void)reason;
	ck_assert_ptr_null(fake.connection);
	*connection = (struct corosync_connection){ .events = events,
						    .context = context,
						    .message_bytes_max = 2 * MESSAGE_BYTES_MAX };
	for (int i = 0; i < COROSYNC_SERVICES; i++)
		connection->fd[i] = eventfd(0, EFD_NONBLOCK);
	fake.connection = connection;
	fake.opens++;
	return 0;
}

void corosync_connection_close(struct corosync_connection *connection)
{
	if (fake.connection == NULL)
		return;
	ck_assert_ptr_eq(fake.connection, connection);
	for (int i = 0; i < COROSYNC_SERVICES; i++)
		close(connection->fd[i]);
	fake.connection = NULL;
	fake.closes++;
}

int corosync_connection_join(struct corosync_connection *connection)
{
	ck_assert_ptr_eq(fake.connection, connection);
	fake.joins++;
	return fake.join;
}

int corosync_connection_multicast(struct corosync_connection *connection, const uint8_t *bytes,
				  size_t length_bytes)
{
	ck_assert_ptr_eq(fake.connection, connection);
	if (fake.multicast < 0)
		return fake.multicast;
	fake.batches++;
	memcpy(fake.sent + fake.sent_bytes, bytes, length_bytes);
	fake.sent_bytes += length_bytes;
	return 0;
}

int corosync_connection_dispatch(struct corosync_connection *connection,
				 enum corosync_service service)
{
	void (*event)(void) = fake.event;
	uint64_t count;

	fake.event = NULL;
	if (event != NULL) {
		event();
		return 1;
	}
	(void)!read(connection->fd[service], &count, sizeof(count));
	return fake.dispatch;
}

/* ---- the owner ---- */

static struct {
	enum input_type type[INPUTS_MAX];
	uint32_t members, left;
	bool quorate;
	uint64_t number[INPUTS_MAX];
	uint32_t count;
	uint32_t errors, warnings;
	bool busy;
} owner;

static sd_event *event_loop;
static struct group_port *port;

static void take_input(void *context, struct input *input)
{
	(void)context;
	ck_assert_uint_lt(owner.count, INPUTS_MAX);
	if (input->type == INPUT_VIEW) {
		owner.members = input->view.member_count;
		owner.left = input->view.left_count;
	} else if (input->type == INPUT_QUORUM) {
		owner.quorate = input->quorum.quorate;
	} else if (input->type == INPUT_DELIVERED) {
		owner.number[owner.count] = input->delivered->number;
	}
	owner.type[owner.count++] = input->type;
}

static void take_text(void *context, enum news news, const char *text)
{
	(void)context, (void)text;
	owner.errors += news == NEWS_APART;
	owner.warnings += news == NEWS_NO_QUORUM || news == NEWS_STRANGER ||
			  news == NEWS_NOT_ENDING;
}

static bool is_busy(void *context)
{
	(void)context;
	return owner.busy;
}

static const struct group_owner owner_calls = {
	.input = take_input,
	.tell = take_text,
	.busy = is_busy,
};

static void turn(uint64_t wait_ms)
{
	ck_assert_int_ge(sd_event_run(event_loop, wait_ms * 1000), 0);
	group_port_turn(port);
}

/* Turns until so many have happened; the timers of the port go off meanwhile. */
static void turn_until(const uint32_t *counter, uint32_t count)
{
	for (int i = 0; i < 200 && *counter < count; i++)
		turn(WAIT_MS / 100);
	ck_assert_uint_ge(*counter, count);
}

/* Corosync says something, which the port hears in its next turn. */
static void say(void (*event)(void))
{
	fake.event = event;
	ck_assert_int_eq(eventfd_write(fake.connection->fd[COROSYNC_CPG], 1), 0);
	turn(WAIT_MS);
	ck_assert(fake.event == NULL);
}

static void say_view(const struct group_process *members, uint32_t count,
		     const struct group_process *joined)
{
	struct group_change change = { .members = { members, count }, .joined = { joined, 1 } };

	fake.connection->events->change(fake.connection->context, &change);
}

static void say_first_view(void)
{
	struct group_process members[2] = { { .node_id = PEER, .pid = 70 },
					    { .node_id = OWN, .pid = (uint32_t)getpid() } };

	say_view(members, 2, &members[1]);
}

static void say_quorum(void)
{
	static const uint32_t nodes[] = { OWN, PEER };

	fake.connection->events->quorum(fake.connection->context, true, nodes, 2);
}

static int put(uint64_t number)
{
	struct group_message message = { .type = MESSAGE_DIRECTORY,
					 .sender = OWN,
					 .number = number };

	return group_port_multicast(port, &message);
}

static void say_to_be_delivered(const uint8_t *bytes, size_t length, uint32_t node, uint32_t pid)
{
	fake.connection->events->message(fake.connection->context, node, pid, bytes, length);
}

static uint32_t delivered(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < owner.count; i++)
		count += owner.type[i] == INPUT_DELIVERED;
	return count;
}

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&owner, 0, sizeof(owner));
	fake.identity = (struct corosync_identity){ .node_id = OWN, .cluster_name = "c" };
	ck_assert_int_ge(sd_event_new(&event_loop), 0);
	ck_assert_int_eq(corosync_port_open(&port, &owner_calls, event_loop, &fake.identity), 0);
}

static void teardown(void)
{
	group_port_close(port);
	ck_assert_ptr_null(fake.connection);
	sd_event_unref(event_loop);
}

static void join(void)
{
	turn_until(&fake.joins, fake.joins + 1);
	say(say_first_view);
	say(say_quorum);
}

/* ---- tests ---- */

START_TEST(joins_and_sends_in_batches)
{
	ck_assert_int_eq(put(0), 0); /* nobody is there to hear it */
	join();
	ck_assert_uint_eq(owner.count, 2);
	ck_assert_int_eq(owner.type[0], INPUT_VIEW);
	ck_assert_uint_eq(owner.members, 2);
	ck_assert(owner.quorate);
	for (uint64_t i = 1; i <= 5; i++)
		ck_assert_int_eq(put(i), 0);
	ck_assert_uint_eq(fake.batches, 0);
	group_port_turn(port);
	ck_assert_uint_eq(fake.batches, 1);
	say_to_be_delivered(fake.sent, fake.sent_bytes, OWN, (uint32_t)getpid());
	ck_assert_uint_eq(delivered(), 5);
	for (uint64_t i = 1; i <= 5; i++)
		ck_assert_uint_eq(owner.number[1 + i], i);
}
END_TEST

/* Nothing is lost, nothing overtakes, and nobody is told. */
START_TEST(corosync_is_too_busy)
{
	join();
	fake.multicast = -EAGAIN;
	(void)put(1);
	turn(1);
	(void)put(2);
	turn(1);
	ck_assert_uint_eq(fake.batches, 0);
	ck_assert_uint_eq(port->counters.messages, 2);
	ck_assert_uint_ge(port->counters.refused, 2);
	fake.multicast = 0;
	turn_until(&fake.batches, 1);
	ck_assert_uint_eq(port->counters.batches, 1);
	say_to_be_delivered(fake.sent, fake.sent_bytes, OWN, (uint32_t)getpid());
	ck_assert_uint_eq(delivered(), 2);
	ck_assert_uint_eq(owner.number[2], 1);
	ck_assert_uint_eq(owner.number[3], 2);
	ck_assert_uint_eq(owner.errors, 0);
}
END_TEST

START_TEST(messages_that_do_not_count)
{
	uint8_t garbage[64];

	join();
	(void)put(1);
	group_port_turn(port);
	memset(garbage, 0x11, sizeof(garbage));
	say_to_be_delivered(fake.sent, fake.sent_bytes, PEER, 70); /* in the name of another */
	say_to_be_delivered(fake.sent, fake.sent_bytes, OWN, 1);   /* of another process */
	ck_assert_uint_eq(delivered(), 0);
	for (int i = 0; i < 100; i++)
		say_to_be_delivered(garbage, sizeof(garbage), PEER, 70);
	ck_assert_uint_eq(delivered(), 0);
	ck_assert_uint_ge(owner.warnings, 1);
	ck_assert_uint_le(owner.warnings, 8);
	say_to_be_delivered(fake.sent, fake.sent_bytes, OWN, (uint32_t)getpid());
	ck_assert_uint_eq(delivered(), 1);
}
END_TEST

static void expect_loss_and_return(void)
{
	fake.multicast = fake.dispatch = 0;
	ck_assert_int_eq(owner.type[2], INPUT_NO_GROUP);
	ck_assert_int_eq(owner.type[3], INPUT_QUORUM);
	ck_assert(!owner.quorate);
	ck_assert_uint_eq(owner.count, 4);
	ck_assert_uint_eq(fake.closes, 1);
	(void)put(9);
	join();
	ck_assert_uint_eq(owner.count, 6);
	ck_assert_int_eq(owner.type[4], INPUT_VIEW);
	ck_assert(owner.quorate);
	ck_assert_uint_eq(fake.opens, 2);
	ck_assert_uint_eq(fake.batches, 0); /* what waited was for a group that is gone */
}

START_TEST(lost_while_sending)
{
	join();
	fake.multicast = -ENOTCONN;
	(void)put(1);
	ck_assert_uint_eq(owner.count, 2); /* not from within a step of the core */
	group_port_turn(port);
	expect_loss_and_return();
}
END_TEST

START_TEST(lost_while_listening)
{
	join();
	fake.dispatch = -ENOTCONN;
	ck_assert_int_eq(eventfd_write(fake.connection->fd[COROSYNC_QUORUM], 1), 0);
	turn(WAIT_MS);
	expect_loss_and_return();
}
END_TEST

START_TEST(lost_with_a_full_queue)
{
	static const uint8_t data[MESSAGE_DATA_MAX_BYTES];
	struct group_message message = {
		.type = MESSAGE_DIRECTORY, .sender = OWN, .data = data, .data_bytes = sizeof(data)
	};

	join();
	fake.multicast = -EAGAIN;
	for (int i = 0; i < 8192; i++)
		ck_assert_int_eq(group_port_multicast(port, &message), 0);
	group_port_turn(port);
	expect_loss_and_return();
}
END_TEST

START_TEST(corosync_does_not_run)
{
	fake.running = -ENOTCONN;
	turn(10);
	for (int i = 0; i < 3; i++)
		turn(WAIT_MS);
	ck_assert_uint_eq(owner.errors, 1); /* said once */
	ck_assert_uint_eq(fake.opens, 0);
	fake.running = 0;
	join();
	ck_assert_uint_eq(owner.count, 2);
}
END_TEST

START_TEST(another_node_id)
{
	fake.identity.node_id = OWN + 1;
	turn(10);
	turn(WAIT_MS);
	ck_assert_uint_eq(fake.opens, 0);
	ck_assert_uint_eq(owner.errors, 1);
}
END_TEST

START_TEST(a_join_that_must_wait)
{
	fake.join = -EAGAIN;
	turn_until(&fake.joins, 3);
	ck_assert_uint_eq(fake.opens, 1);
	fake.join = 0;
	join();
	ck_assert_uint_eq(owner.count, 2);
}
END_TEST

static bool agreed;

static void say_shutdown(void)
{
	agreed = fake.connection->events->shutdown(fake.connection->context);
}

START_TEST(a_shutdown_is_vetoed)
{
	join();
	owner.busy = true;
	say(say_shutdown);
	ck_assert(!agreed);
	ck_assert_uint_eq(owner.warnings, 1);
	owner.busy = false;
	say(say_shutdown);
	ck_assert(agreed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("corosync_port");
	TCase *tests = tcase_create("port");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, joins_and_sends_in_batches);
	tcase_add_test(tests, corosync_is_too_busy);
	tcase_add_test(tests, messages_that_do_not_count);
	tcase_add_test(tests, lost_while_sending);
	tcase_add_test(tests, lost_while_listening);
	tcase_add_test(tests, lost_with_a_full_queue);
	tcase_add_test(tests, corosync_does_not_run);
	tcase_add_test(tests, another_node_id);
	tcase_add_test(tests, a_join_that_must_wait);
	tcase_add_test(tests, a_shutdown_is_vetoed);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
