/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding answers, and requests as the kernel would: against bytes written by hand, which are
 * little-endian (on a big-endian machine this file says that it skips them).
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "request_bytes.h"
#include "skip.h"

/* The answer to an IN_SYNC: 1. */
static const uint8_t in_sync_answer_bytes[204] = {
	[0] = 204,   [4] = 3,      [8] = 0x44,   [9] = 0x33,  [16] = 7,    [20] = 1,
	[24] = 0x44, [25] = 0x33,  [32] = 168,   [36] = 0x88, [37] = 0x77, [43] = 0x11,
	[176] = 3,   [184] = 0x44, [185] = 0x33, [188] = 8,   [192] = 8,   [196] = 1,
};

/* The answer to a FLUSH: -EIO (-5). */
static const uint8_t flush_error_bytes[196] = {
	[0] = 196, [4] = 3,      [8] = 7, [16] = 7, [20] = 1, [24] = 7,  [32] = 160, [36] = 2,
	[176] = 2, [180] = 0xfb, 0xff,    0xff,     0xff,     [184] = 7, [188] = 9,
};

static uint8_t bytes[1024];

START_TEST(answer_golden)
{
	struct answer answer = { .seq = 0x3344,
				 .luid = 0x1100000000007788,
				 .version = 3,
				 .type = REQUEST_IN_SYNC,
				 .payload_bytes = 8,
				 .payload = { 1 } };

	ck_assert_int_eq(answer_encode(&answer, bytes, sizeof(bytes)), 204);
	ck_assert_mem_eq(bytes, in_sync_answer_bytes, 204);

	answer = (struct answer){
		.seq = 7, .luid = 2, .version = 2, .type = REQUEST_FLUSH, .error = -EIO
	};
	ck_assert_int_eq(answer_encode(&answer, bytes, sizeof(bytes)), 196);
	ck_assert_mem_eq(bytes, flush_error_bytes, 196);

	answer.error = -EAGAIN;
	answer.payload_bytes = 8;
	ck_assert_int_eq(answer_encode(&answer, bytes, sizeof(bytes)), 36);
	ck_assert_mem_eq(bytes, again_bytes, 36);
}
END_TEST

START_TEST(answer_room)
{
	struct answer answer = { .payload_bytes = REQUEST_PAYLOAD_MAX_BYTES };
	uint8_t room[REQUEST_ANSWER_MAX_BYTES + 1];

	memset(room, 0xee, sizeof(room));
	ck_assert_int_eq(answer_encode(&answer, room, REQUEST_ANSWER_MAX_BYTES - 1), -ENOSPC);
	ck_assert_int_eq(room[0], 0xee);
	ck_assert_int_eq(answer_encode(&answer, room, REQUEST_ANSWER_MAX_BYTES),
			 REQUEST_ANSWER_MAX_BYTES);
	ck_assert_int_eq(room[REQUEST_ANSWER_MAX_BYTES], 0xee);

	answer.error = -EAGAIN;
	ck_assert_int_eq(answer_encode(&answer, room, 35), -ENOSPC);
	ck_assert_int_eq(answer_encode(&answer, room, 36), 36);
}
END_TEST

/* Decodes `expected` and encodes what came out: the same bytes, and none beyond them. */
static void expect_encoded(const uint8_t *expected, size_t expected_bytes)
{
	struct request request;

	ck_assert_int_eq(request_decode(expected, expected_bytes, &request), 0);
	memset(bytes, 0xee, sizeof(bytes));
	ck_assert_int_eq(request_encode(&request, bytes, expected_bytes - 1), -ENOSPC);
	ck_assert_int_eq(bytes[0], 0xee);
	ck_assert_int_eq(request_encode(&request, bytes, expected_bytes), (int)expected_bytes);
	ck_assert_mem_eq(bytes, expected, expected_bytes);
	ck_assert_int_eq(bytes[expected_bytes], 0xee);
}

START_TEST(encode_golden)
{
	expect_encoded(mark_bytes, sizeof(mark_bytes));
	expect_encoded(set_sync_bytes, sizeof(set_sync_bytes));
	expect_encoded(ctr_bytes, sizeof(ctr_bytes));
}
END_TEST

static void expect_impossible(struct request impossible)
{
	memset(bytes, 0xee, sizeof(bytes));
	ck_assert_int_eq(request_encode(&impossible, bytes, sizeof(bytes)), -EINVAL);
	ck_assert_int_eq(bytes[0], 0xee);
}

START_TEST(encode_impossible)
{
	struct request good = { .uuid = "u", .version = 3, .type = REQUEST_MARK, .region_count = 1 };
	struct request bad;

	ck_assert_int_eq(request_encode(&good, bytes, sizeof(bytes)), 204);
	bad = good, bad.version = 0, expect_impossible(bad);
	bad = good, bad.version = 4, expect_impossible(bad);
	bad = good, bad.type = (enum request_type)0, expect_impossible(bad);
	bad = good, bad.type = (enum request_type)18, expect_impossible(bad);
	bad = good, bad.uuid[0] = 0, expect_impossible(bad);
	bad = good, memset(bad.uuid, 'u', sizeof(bad.uuid)), expect_impossible(bad);
	bad = good, bad.region_count = 0, expect_impossible(bad);
	bad = good, bad.region_count = 33, expect_impossible(bad);
	bad = good, bad.region_count = 0x20000001, expect_impossible(bad);
	bad = good, bad.type = REQUEST_IN_SYNC, bad.region_count = 2, expect_impossible(bad);
	bad = good, bad.type = REQUEST_FLUSH, bad.version = 2, expect_impossible(bad);
	bad = good, bad.type = REQUEST_SET_REGION_SYNC, bad.in_sync = 2, expect_impossible(bad);
	bad = good, bad.type = REQUEST_SET_REGION_SYNC, bad.region_count = 2,
	expect_impossible(bad);
	bad = good, bad.type = REQUEST_CTR, expect_impossible(bad);
	memset(bad.constructor, 'x', sizeof(bad.constructor)), expect_impossible(bad);
	bad.constructor[REQUEST_PAYLOAD_MAX_BYTES] = 0;
	ck_assert_int_eq(request_encode(&bad, bytes, sizeof(bytes)), REQUEST_DATAGRAM_MAX_BYTES);
	bad.constructor_terminated = true, expect_impossible(bad);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request_encode");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	return skip_all("request_encode", "its datagrams are little-endian");
#endif
	tcase_add_test(all, answer_golden);
	tcase_add_test(all, answer_room);
	tcase_add_test(all, encode_golden);
	tcase_add_test(all, encode_impossible);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
