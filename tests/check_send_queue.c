/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that wait for the group: in order, in batches of whole messages, bounded. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/send_queue.h"

static struct send_queue queue;
static uint8_t data[MESSAGE_DATA_MAX_BYTES];

static void teardown(void)
{
	send_queue_free(&queue);
}

static int put(uint64_t number, uint32_t data_bytes)
{
	struct group_message message = { .type = MESSAGE_DIRECTORY,
					 .sender = 7,
					 .number = number,
					 .data = data,
					 .data_bytes = data_bytes };

	return send_queue_put(&queue, &message);
}

/* Takes a batch, whose first message has this number; returns how many messages it has. */
static uint32_t take(size_t bytes_max, uint64_t first)
{
	struct group_message message;
	const uint8_t *bytes;
	size_t batch = send_queue_batch(&queue, bytes_max, &bytes);
	uint32_t count = 0;

	ck_assert_uint_le(batch, bytes_max);
	for (size_t at = 0; at < batch; count++) {
		int r = group_message_decode(bytes + at, batch - at, &message);

		ck_assert_int_gt(r, 0);
		ck_assert_uint_eq(message.number, first + count);
		at += (size_t)r;
	}
	send_queue_sent(&queue, batch);
	return count;
}

START_TEST(all_in_one_batch)
{
	ck_assert_uint_eq(take(MESSAGE_BYTES_MAX, 0), 0);
	for (uint64_t i = 0; i < 10; i++)
		ck_assert_int_eq(put(i, 0), 0);
	ck_assert_uint_eq(take(MESSAGE_BYTES_MAX, 0), 10);
	ck_assert_uint_eq(send_queue_waiting(&queue), 0);
}
END_TEST

START_TEST(batches_hold_whole_messages)
{
	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(put(i, MESSAGE_DATA_MAX_BYTES), 0);
	ck_assert_uint_eq(take(MESSAGE_BYTES_MAX, 0), 1);
	ck_assert_uint_eq(take(3 * MESSAGE_BYTES_MAX, 1), 3);
	ck_assert_uint_eq(take(3 * MESSAGE_BYTES_MAX, 4), 1);
}
END_TEST

/* What was not taken is there again. */
START_TEST(a_batch_that_is_not_sent_stays)
{
	const uint8_t *bytes;
	size_t batch;

	ck_assert_int_eq(put(0, 10), 0);
	batch = send_queue_batch(&queue, MESSAGE_BYTES_MAX, &bytes);
	ck_assert_uint_gt(batch, 0);
	ck_assert_int_eq(put(1, 10), 0);
	ck_assert_uint_eq(take(MESSAGE_BYTES_MAX, 0), 2);
}
END_TEST

/* Puts and takes in all mixtures keep the order, and the memory stays small. */
START_TEST(the_order_is_kept)
{
	uint64_t sent = 0, came = 0;

	for (uint64_t i = 0; i < 3000; i++, sent++) {
		ck_assert_int_eq(put(sent, (uint32_t)(i * 37 % MESSAGE_DATA_MAX_BYTES)), 0);
		if (i % 3 != 0)
			came += take(2 * MESSAGE_BYTES_MAX, came);
	}
	while (send_queue_waiting(&queue) > 0)
		came += take(MESSAGE_BYTES_MAX, came);
	ck_assert_uint_eq(came, sent);
	ck_assert_uint_le(queue.size_bytes, 1 << 20);
}
END_TEST

START_TEST(too_much_is_refused)
{
	uint64_t count = 0, came = 0;

	while (put(count, MESSAGE_DATA_MAX_BYTES) == 0)
		count++;
	ck_assert_uint_ge(count * MESSAGE_DATA_MAX_BYTES, SEND_QUEUE_BYTES_MAX / 2);
	ck_assert_uint_le(send_queue_waiting(&queue), SEND_QUEUE_BYTES_MAX);
	ck_assert_int_eq(put(count, 0), -ENOSPC);
	came += take(4 * MESSAGE_BYTES_MAX, came);
	ck_assert_int_eq(put(count++, 0), 0);
	while (send_queue_waiting(&queue) > 0)
		came += take(MESSAGE_BYTES_MAX, came);
	ck_assert_uint_eq(came, count);
	send_queue_clear(&queue);
	ck_assert_int_eq(put(0, 0), 0);
	ck_assert_uint_eq(take(MESSAGE_BYTES_MAX, 0), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("send_queue");
	TCase *tests = tcase_create("queue");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_test(tests, all_in_one_batch);
	tcase_add_test(tests, batches_hold_whole_messages);
	tcase_add_test(tests, a_batch_that_is_not_sent_stays);
	tcase_add_test(tests, the_order_is_kept);
	tcase_add_test(tests, too_much_is_refused);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
