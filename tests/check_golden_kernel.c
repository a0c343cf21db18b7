/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec against what a real kernel sent, and what it took for an answer.
 *
 * Walks the directory DMCLOGD_GOLDEN (or tests/golden/kernel): each *-request.bin must decode, and
 * encode to the same bytes; each *-answer.bin, taken apart here by offsets, must come out of
 * answer_encode the same.  Three fields of an answer are left out, which the kernel does not read
 * and the program that was captured filled in otherwise: nlmsg_seq, nlmsg_pid and uuid.
 * An empty or missing directory is a failure.  The files are little-endian.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constructor.h"
#include "request.h"
#include "skip.h"

enum { NAME_SIZE = 256 };

struct captured {
	char name[NAME_SIZE];
	uint8_t bytes[REQUEST_DATAGRAM_MAX_BYTES + 1];
	size_t length_bytes;
};

static const char *golden_directory(void)
{
	const char *path = getenv("DMCLOGD_GOLDEN");

	return path ? path : "tests/golden/kernel";
}

static void captured_read(struct captured *captured, const char *name)
{
	char path[2 * NAME_SIZE];
	FILE *file;

	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s", golden_directory(), name),
			 (int)sizeof(path));
	ck_assert_int_lt(snprintf(captured->name, NAME_SIZE, "%s", name), NAME_SIZE);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	captured->length_bytes = fread(captured->bytes, 1, sizeof(captured->bytes), file);
	ck_assert_msg(captured->length_bytes <= REQUEST_DATAGRAM_MAX_BYTES, "%s: too long", name);
	fclose(file);
}

/* Calls `check` for each file whose name ends so; returns how many there were. */
static int for_each(const char *end, void (*check)(const struct captured *captured))
{
	DIR *directory = opendir(golden_directory());
	struct dirent *entry;
	int count = 0;

	ck_assert_msg(directory != NULL, "%s: %s", golden_directory(), strerror(errno));
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name), end_length = strlen(end);
		struct captured captured;

		if (length < end_length || strcmp(entry->d_name + length - end_length, end) != 0)
			continue;
		captured_read(&captured, entry->d_name);
		check(&captured);
		count++;
	}
	closedir(directory);
	return count;
}

static uint32_t u32_at(const struct captured *captured, size_t at)
{
	uint32_t value;

	ck_assert_uint_le(at + sizeof(value), captured->length_bytes);
	memcpy(&value, captured->bytes + at, sizeof(value));
	return value;
}

static bool types_seen[REQUEST_TYPES];
static uint32_t regions_most;

static void check_request(const struct captured *captured)
{
	uint8_t bytes[REQUEST_DATAGRAM_MAX_BYTES];
	struct request request;
	int r = request_decode(captured->bytes, captured->length_bytes, &request);

	ck_assert_msg(r == 0, "%s: %s", captured->name, strerror(-r));
	types_seen[request.type] = true;
	if (request.region_count > regions_most)
		regions_most = request.region_count;

	r = request_encode(&request, bytes, sizeof(bytes));
	ck_assert_msg(r == (int)captured->length_bytes, "%s: %d bytes of %zu", captured->name, r,
		      captured->length_bytes);
	for (int i = 0; i < r; i++)
		ck_assert_msg(bytes[i] == captured->bytes[i], "%s: byte %d", captured->name, i);

	/* The constructor is one that parses, unless the capture says that it is a bad one. */
	if (request.type == REQUEST_CTR) {
		struct constructor constructor;
		char message[200] = "accepted";

		r = constructor_parse(request.constructor, &constructor, message, sizeof(message));
		ck_assert_msg((r == 0) == (strncmp(captured->name, "bad-", 4) != 0),
			      "%s: \"%s\": %s", captured->name, request.constructor, message);
	}
}

START_TEST(requests)
{
	/* What dm-raid1 asks: all but IS_CLEAN and STATUS_TABLE. */
	static const enum request_type asked[] = {
		REQUEST_CTR,
		REQUEST_DTR,
		REQUEST_PRESUSPEND,
		REQUEST_POSTSUSPEND,
		REQUEST_RESUME,
		REQUEST_GET_REGION_SIZE,
		REQUEST_IN_SYNC,
		REQUEST_FLUSH,
		REQUEST_MARK,
		REQUEST_CLEAR,
		REQUEST_GET_RESYNC_WORK,
		REQUEST_SET_REGION_SYNC,
		REQUEST_GET_SYNC_COUNT,
		REQUEST_STATUS_INFO,
		REQUEST_IS_REMOTE_RECOVERING,
	};

	ck_assert_int_gt(for_each("-request.bin", check_request), 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_assert_msg(types_seen[asked[i]], "no %s captured", request_type_name(asked[i]));
	ck_assert_uint_eq(regions_most, REQUEST_REGIONS_MAX);
}
END_TEST

static void check_answer(const struct captured *captured)
{
	struct captured expected = *captured;
	uint8_t bytes[REQUEST_ANSWER_MAX_BYTES];
	struct answer answer;
	int r;

	memset(&answer, 0, sizeof(answer));
	answer.seq = u32_at(captured, 24);
	if (u32_at(captured, 28)) {
		answer.error = -(int)u32_at(captured, 28);
	} else {
		memcpy(&answer.luid, captured->bytes + 36, sizeof(answer.luid));
		answer.version = u32_at(captured, 176);
		answer.error = (int)u32_at(captured, 180);
		ck_assert_uint_eq(answer.seq, u32_at(captured, 184));
		answer.type = (enum request_type)u32_at(captured, 188);
		answer.payload_bytes = u32_at(captured, 192);
		ck_assert_uint_eq(196 + answer.payload_bytes, captured->length_bytes);
		memcpy(answer.payload, captured->bytes + 196, answer.payload_bytes);
		memset(expected.bytes + 44, 0, REQUEST_UUID_SIZE);
	}
	memcpy(expected.bytes + 8, &answer.seq, sizeof(answer.seq));
	memset(expected.bytes + 12, 0, 4);

	r = answer_encode(&answer, bytes, sizeof(bytes));
	ck_assert_msg(r == (int)captured->length_bytes, "%s: %d bytes of %zu", captured->name, r,
		      captured->length_bytes);
	for (int i = 0; i < r; i++)
		ck_assert_msg(bytes[i] == expected.bytes[i], "%s: byte %d", captured->name, i);
}

START_TEST(answers)
{
	ck_assert_int_gt(for_each("-answer.bin", check_answer), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("golden_kernel");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	return skip_all("golden_kernel", "the captured datagrams are little-endian");
#endif
	tcase_add_test(all, requests);
	tcase_add_test(all, answers);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
