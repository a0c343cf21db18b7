/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding requests: against bytes written by hand, and against every way to be wrong.
 *
 * The literal datagrams are little-endian: netlink has host byte order, so on a big-endian machine
 * this file says that it skips them.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "request_bytes.h"
#include "skip.h"

/* Offsets in a datagram, by hand and not from the kernel's headers. */
enum offset {
	AT_NL_LEN = 0,
	AT_NL_TYPE = 4,
	AT_CN_IDX = 16,
	AT_CN_VAL = 20,
	AT_CN_SEQ = 24,
	AT_CN_ACK = 28,
	AT_CN_LEN = 32,
	AT_UUID = 44,
	AT_VERSION = 176,
	AT_SEQ = 184,
	AT_TYPE = 188,
	AT_DATA_SIZE = 192,
	AT_DATA = 196,
};

static uint8_t bytes[1024];
static size_t length_bytes;
static struct request request;
static const struct request untouched;

static void set16(enum offset at, uint16_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static void set32(enum offset at, uint32_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static void load(const uint8_t *from, size_t from_bytes)
{
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(bytes, from, from_bytes);
	length_bytes = from_bytes;
}

#define LOAD(array) load((array), sizeof(array))

/* A datagram whose lengths all agree, with `data_bytes` of payload, all 'x' or zero. */
static void load_sized(enum request_type type, uint32_t version, size_t data_bytes, uint8_t fill)
{
	LOAD(mark_bytes);
	memset(bytes + AT_DATA, fill, sizeof(bytes) - AT_DATA);
	set32(AT_NL_LEN, (uint32_t)(AT_DATA + data_bytes));
	set16(AT_CN_LEN, (uint16_t)(160 + data_bytes));
	set32(AT_VERSION, version);
	set32(AT_TYPE, type);
	set32(AT_DATA_SIZE, (uint32_t)data_bytes);
	length_bytes = (AT_DATA + data_bytes + 3) & ~(size_t)3;
}

/* Decodes from a heap block of the exact size, so that a sanitizer sees a byte too much. */
static int decode(void)
{
	uint8_t *exact = malloc(length_bytes + 1);
	int r;

	/* An odd address: any alignment is allowed. */
	memcpy(exact + 1, bytes, length_bytes);
	memset(&request, 0, sizeof(request));
	r = request_decode(exact + 1, length_bytes, &request);
	free(exact);
	return r;
}

/* Refused, with nothing written. */
static void expect_refused(int error)
{
	ck_assert_int_eq(decode(), error);
	ck_assert_mem_eq(&request, &untouched, sizeof(request));
}

START_TEST(decode_mark)
{
	LOAD(mark_bytes);
	ck_assert_int_eq(decode(), 0);
	ck_assert_uint_eq(request.seq, 0x11223344);
	ck_assert_uint_eq(request.luid, 0x1122334455667788);
	ck_assert_str_eq(request.uuid, "LVM");
	ck_assert_int_eq(request.type, REQUEST_MARK);
	ck_assert_uint_eq(request.version, 3);
	ck_assert_uint_eq(request.region_count, 2);
	ck_assert_uint_eq(request.regions[0], 5);
	ck_assert_uint_eq(request.regions[1], 0x0807060504030201);
	ck_assert_str_eq(request.constructor, "");
}
END_TEST

START_TEST(decode_set_region_sync)
{
	LOAD(set_sync_bytes);
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.type, REQUEST_SET_REGION_SYNC);
	ck_assert_uint_eq(request.region_count, 1);
	ck_assert_uint_eq(request.regions[0], 9);
	ck_assert_int_eq(request.in_sync, 1);

	/* A power of two in the high half is true as well. */
	bytes[204] = 0;
	bytes[211] = 0x40;
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.in_sync, 1);
	bytes[211] = 0;
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.in_sync, 0);
}
END_TEST

START_TEST(decode_constructor)
{
	LOAD(ctr_bytes);
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.type, REQUEST_CTR);
	ck_assert_str_eq(request.constructor, "8 clustered-core 8");
	ck_assert(!request.constructor_terminated);

	/* The reconnect loop sends the NUL as well. */
	set32(AT_NL_LEN, 215);
	set16(AT_CN_LEN, 179);
	set32(AT_DATA_SIZE, 19);
	ck_assert_int_eq(decode(), 0);
	ck_assert_str_eq(request.constructor, "8 clustered-core 8");
	ck_assert(request.constructor_terminated);

	/* Two NULs, one in the middle, none but one, nothing at all. */
	set32(AT_NL_LEN, 216);
	set16(AT_CN_LEN, 180);
	set32(AT_DATA_SIZE, 20);
	expect_refused(-EBADMSG);
	bytes[215] = 'x';
	expect_refused(-EBADMSG);
	load_sized(REQUEST_CTR, 3, 1, 0);
	expect_refused(-EBADMSG);
	load_sized(REQUEST_CTR, 3, 0, 0);
	expect_refused(-EMSGSIZE);
}
END_TEST

START_TEST(decode_longest_constructor)
{
	load_sized(REQUEST_CTR, 1, REQUEST_PAYLOAD_MAX_BYTES, 'x');
	ck_assert_uint_eq(length_bytes, REQUEST_DATAGRAM_MAX_BYTES);
	ck_assert_int_eq(decode(), 0);
	ck_assert_uint_eq(strlen(request.constructor), REQUEST_PAYLOAD_MAX_BYTES);
	load_sized(REQUEST_CTR, 1, REQUEST_PAYLOAD_MAX_BYTES + 1, 'x');
	expect_refused(-EMSGSIZE);
}
END_TEST

/* Each type with each payload length: what is accepted is the list here, written by hand. */
START_TEST(decode_payload_lengths)
{
	enum request_type type = (enum request_type)_i;

	for (size_t data_bytes = 0; data_bytes <= 340; data_bytes++) {
		bool regions = data_bytes % 8 == 0 && data_bytes <= 256;
		bool fits = data_bytes == 0;

		if (type == REQUEST_CTR)
			fits = data_bytes >= 1 && data_bytes <= 332;
		else if (type == REQUEST_MARK || type == REQUEST_CLEAR)
			fits = regions && data_bytes > 0;
		else if (type == REQUEST_FLUSH)
			fits = regions;
		else if (type == REQUEST_IS_CLEAN || type == REQUEST_IN_SYNC ||
			 type == REQUEST_IS_REMOTE_RECOVERING)
			fits = data_bytes == 8;
		else if (type == REQUEST_SET_REGION_SYNC)
			fits = data_bytes == 16;

		load_sized(type, 3, data_bytes, 'x');
		if (!fits) {
			expect_refused(-EMSGSIZE);
			continue;
		}
		ck_assert_int_eq(decode(), 0);
		ck_assert_int_eq(request.type, type);
		if (type == REQUEST_SET_REGION_SYNC)
			ck_assert_uint_eq(request.region_count, 1);
		else if (type != REQUEST_CTR)
			ck_assert_uint_eq(request.region_count, data_bytes / 8);
	}
}
END_TEST

START_TEST(decode_region_limit)
{
	load_sized(REQUEST_MARK, 3, 32 * 8, 'x');
	ck_assert_int_eq(decode(), 0);
	ck_assert_uint_eq(request.region_count, 32);
	ck_assert_uint_eq(request.regions[31], 0x7878787878787878);
	load_sized(REQUEST_MARK, 3, 33 * 8, 'x');
	expect_refused(-EMSGSIZE);
}
END_TEST

START_TEST(decode_flush_marks_need_version_3)
{
	load_sized(REQUEST_FLUSH, 3, 8, 0);
	ck_assert_int_eq(decode(), 0);
	load_sized(REQUEST_FLUSH, 2, 8, 0);
	expect_refused(-EMSGSIZE);
	load_sized(REQUEST_FLUSH, 1, 0, 0);
	ck_assert_int_eq(decode(), 0);
}
END_TEST

START_TEST(decode_truncated)
{
	for (size_t cut = 0; cut < sizeof(mark_bytes); cut++) {
		LOAD(mark_bytes);
		length_bytes = cut;
		expect_refused(-EMSGSIZE);
		/* The same with an nlmsg_len that admits it. */
		set32(AT_NL_LEN, (uint32_t)cut);
		expect_refused(-EMSGSIZE);
	}
	ck_assert_int_eq(request_decode(NULL, 0, &request), -EMSGSIZE);
}
END_TEST

START_TEST(decode_lengths_that_disagree)
{
	/* nlmsg_len beyond the datagram, and huge. */
	LOAD(mark_bytes);
	set32(AT_NL_LEN, 213);
	expect_refused(-EMSGSIZE);
	set32(AT_NL_LEN, UINT32_MAX);
	expect_refused(-EMSGSIZE);
	/* The datagram goes on after the message: by padding yes, by a word no. */
	load_sized(REQUEST_CTR, 3, 17, 'x');
	length_bytes = AT_DATA + 17;
	ck_assert_int_eq(decode(), 0);
	length_bytes = AT_DATA + 20;
	ck_assert_int_eq(decode(), 0);
	length_bytes = AT_DATA + 21;
	expect_refused(-EMSGSIZE);
	/* nlmsg_len with the padding (old kernels), and with a byte more. */
	length_bytes = AT_DATA + 20;
	set32(AT_NL_LEN, AT_DATA + 20);
	ck_assert_int_eq(decode(), 0);
	length_bytes = AT_DATA + 24;
	set32(AT_NL_LEN, AT_DATA + 21);
	expect_refused(-EMSGSIZE);
	/* cn_msg.len too large, too small, less than a request's header. */
	LOAD(mark_bytes);
	set16(AT_CN_LEN, 177);
	expect_refused(-EMSGSIZE);
	set16(AT_CN_LEN, UINT16_MAX);
	expect_refused(-EMSGSIZE);
	set16(AT_CN_LEN, 172);
	expect_refused(-EMSGSIZE);
	LOAD(again_bytes);
	expect_refused(-EMSGSIZE);
	/* data_size says more, less, or much more than is there. */
	LOAD(mark_bytes);
	set32(AT_DATA_SIZE, 24);
	expect_refused(-EMSGSIZE);
	set32(AT_DATA_SIZE, 8);
	expect_refused(-EMSGSIZE);
	set32(AT_DATA_SIZE, 0xfffffff0);
	expect_refused(-EMSGSIZE);
}
END_TEST

START_TEST(decode_not_for_us)
{
	LOAD(mark_bytes);
	set32(AT_CN_IDX, 1);
	expect_refused(-ENOMSG);
	set32(AT_CN_IDX, 7);
	set32(AT_CN_VAL, 2);
	expect_refused(-ENOMSG);
	set32(AT_CN_VAL, 1);
	set16(AT_NL_TYPE, 2); /* NLMSG_ERROR */
	expect_refused(-ENOMSG);
}
END_TEST

START_TEST(decode_uuid)
{
	LOAD(mark_bytes);
	memset(bytes + AT_UUID, 'u', 128);
	bytes[AT_UUID + 128] = 0;
	ck_assert_int_eq(decode(), 0);
	ck_assert_uint_eq(strlen(request.uuid), 128);
	bytes[AT_UUID + 128] = 'u';
	expect_refused(-EBADMSG);
	bytes[AT_UUID] = 0;
	expect_refused(-EBADMSG);
	/* What follows the NUL does not get into the struct. */
	LOAD(mark_bytes);
	bytes[AT_UUID + 5] = 'z';
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.uuid[5], 0);
}
END_TEST

START_TEST(decode_seqs_differ)
{
	LOAD(mark_bytes);
	set32(AT_CN_SEQ, 1);
	expect_refused(-EBADMSG);
}
END_TEST

/* Refused with the two fields that an answer needs, and no others. */
static void expect_unsupported(int error)
{
	struct request expected;

	memset(&expected, 0, sizeof(expected));
	expected.seq = 0x11223344;
	expected.luid = 0x1122334455667788;
	ck_assert_int_eq(decode(), error);
	ck_assert_mem_eq(&request, &expected, sizeof(request));
}

START_TEST(decode_versions)
{
	for (uint32_t version = 1; version <= REQUEST_VERSION_MAX; version++) {
		LOAD(mark_bytes);
		set32(AT_VERSION, version);
		ck_assert_int_eq(decode(), 0);
		ck_assert_uint_eq(request.version, version);
	}
	LOAD(mark_bytes);
	set32(AT_VERSION, 0);
	expect_unsupported(-EPROTONOSUPPORT);
	set32(AT_VERSION, 4);
	expect_unsupported(-EPROTONOSUPPORT);
	/* A new version may have new lengths: it is not called malformed. */
	set32(AT_DATA_SIZE, 3);
	expect_unsupported(-EPROTONOSUPPORT);
	set32(AT_VERSION, UINT32_MAX);
	expect_unsupported(-EPROTONOSUPPORT);
}
END_TEST

START_TEST(decode_types)
{
	LOAD(mark_bytes);
	set32(AT_TYPE, 0);
	expect_unsupported(-ENOTSUP);
	set32(AT_TYPE, 18);
	expect_unsupported(-ENOTSUP);
	set32(AT_TYPE, 255);
	expect_unsupported(-ENOTSUP);
	/* The upper 24 bits are reserved: no part of the type. */
	set32(AT_TYPE, 0xffffff0a);
	ck_assert_int_eq(decode(), 0);
	ck_assert_int_eq(request.type, REQUEST_MARK);
}
END_TEST

START_TEST(type_names)
{
	ck_assert_str_eq(request_type_name(REQUEST_CTR), "CTR");
	ck_assert_str_eq(request_type_name(REQUEST_MARK), "MARK_REGION");
	ck_assert_str_eq(request_type_name(REQUEST_IS_REMOTE_RECOVERING), "IS_REMOTE_RECOVERING");
	for (uint32_t type = 1; type < REQUEST_TYPES; type++)
		ck_assert_str_ne(request_type_name(type), "unknown");
	ck_assert_str_eq(request_type_name(0), "unknown");
	ck_assert_str_eq(request_type_name(REQUEST_TYPES), "unknown");
	ck_assert_str_eq(request_type_name(UINT32_MAX), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request_codec");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	return skip_all("request_codec", "its datagrams are little-endian");
#endif
	tcase_add_test(all, decode_mark);
	tcase_add_test(all, decode_set_region_sync);
	tcase_add_test(all, decode_constructor);
	tcase_add_test(all, decode_longest_constructor);
	tcase_add_loop_test(all, decode_payload_lengths, 1, REQUEST_TYPES);
	tcase_add_test(all, decode_region_limit);
	tcase_add_test(all, decode_flush_marks_need_version_3);
	tcase_add_test(all, decode_truncated);
	tcase_add_test(all, decode_lengths_that_disagree);
	tcase_add_test(all, decode_not_for_us);
	tcase_add_test(all, decode_uuid);
	tcase_add_test(all, decode_seqs_differ);
	tcase_add_test(all, decode_versions);
	tcase_add_test(all, decode_types);
	tcase_add_test(all, type_names);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
