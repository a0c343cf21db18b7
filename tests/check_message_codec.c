/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group's messages: golden bytes both ways, extremes, and all that must be refused.
 *
 * What is decoded lies at the end of a block of its own, so that a sanitizer sees a byte too many.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message_golden.h"

#define LENGTH_OFFSET 0
#define VERSION_OFFSET 4
#define TYPE_OFFSET 6
#define FLAGS_OFFSET 12
#define HEADER_BYTES 16
#define LOG_TYPE_OFFSET 16
#define UUID_OFFSET 40

static uint8_t data_of_extremes[MESSAGE_DATA_MAX_BYTES];
static uint8_t out[MESSAGE_BYTES_MAX];
static uint8_t in[MESSAGE_BYTES_MAX + 64];

static void store_le(uint8_t *at, uint64_t value, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

/* Equal in all but the place of the data. */
static void expect_equal(const struct group_message *message, const struct group_message *wanted)
{
	struct group_message copy;

	ck_assert_int_eq(message->type, wanted->type);
	ck_assert_uint_eq(message->data_bytes, wanted->data_bytes);
	if (wanted->data_bytes > 0)
		ck_assert_mem_eq(message->data, wanted->data, wanted->data_bytes);
	else
		ck_assert_ptr_null(message->data);
	memcpy(&copy, message, sizeof(copy));
	copy.data = wanted->data_bytes > 0 ? wanted->data : NULL;
	ck_assert_mem_eq(&copy, wanted, sizeof(copy));
}

/* Decodes; what is refused leaves the message alone, what is accepted encodes to the same bytes. */
static int decode(const uint8_t *bytes, size_t length_bytes)
{
	uint8_t *block = malloc(length_bytes + 1);
	uint8_t *at = block + 1;
	struct group_message message, before;
	int r;

	memcpy(at, bytes, length_bytes);
	memset(&message, 0xee, sizeof(message));
	memcpy(&before, &message, sizeof(before));
	r = group_message_decode(at, length_bytes, &message);
	if (r < 0) {
		ck_assert_mem_eq(&message, &before, sizeof(message));
	} else {
		ck_assert_uint_le((size_t)r, length_bytes);
		ck_assert_int_eq(group_message_encode(&message, out, sizeof(out)), r);
		ck_assert_mem_eq(out, at, (size_t)r);
	}
	free(block);
	return r;
}

START_TEST(all_types_are_here)
{
	ck_assert_uint_eq(GOLDEN_COUNT, MESSAGE_TYPES - 1);
	for (uint32_t i = 0; i < GOLDEN_COUNT; i++)
		ck_assert_uint_eq(goldens[i].message.type, i + 1);
}
END_TEST

START_TEST(golden_encode)
{
	const struct golden *golden = &goldens[_i];

	memset(out, 0xee, sizeof(out));
	ck_assert_int_eq(group_message_encode(&golden->message, out, golden->length_bytes),
			 (int)golden->length_bytes);
	ck_assert_mem_eq(out, golden->bytes, golden->length_bytes);
	ck_assert_uint_eq(out[golden->length_bytes], 0xee);

	memset(out, 0xee, sizeof(out));
	for (size_t size_bytes = 0; size_bytes < golden->length_bytes; size_bytes++)
		ck_assert_int_eq(group_message_encode(&golden->message, out, size_bytes), -ENOSPC);
	for (size_t i = 0; i < golden->length_bytes; i++)
		ck_assert_uint_eq(out[i], 0xee);
}
END_TEST

START_TEST(golden_decode)
{
	const struct golden *golden = &goldens[_i];
	struct group_message message;

	memset(&message, 0xee, sizeof(message));
	ck_assert_int_eq(group_message_decode(golden->bytes, golden->length_bytes, &message),
			 (int)golden->length_bytes);
	expect_equal(&message, &golden->message);
	/* Borrowed, not copied. */
	if (message.data_bytes > 0)
		ck_assert_ptr_eq(message.data, golden->bytes + golden->length_bytes - 3);
	ck_assert_int_eq(decode(golden->bytes, golden->length_bytes), (int)golden->length_bytes);
}
END_TEST

#define FILL(member)                           \
	do {                                   \
		if (!message.member)           \
			message.member = true; \
	} while (0)

/* Whatever is set beyond the fields of the type, even out of range, does not get out. */
START_TEST(foreign_fields_ignored)
{
	const struct golden *golden = &goldens[_i];
	struct group_message message = golden->message;

	FILL(luid);
	FILL(number);
	FILL(node);
	FILL(window);
	FILL(claimer);
	FILL(mask);
	FILL(reported);
	FILL(legs_failed);
	FILL(slot_freed);
	FILL(closed);
	FILL(paused);
	FILL(last);
	FILL(fresh);
	FILL(stateless);
	FILL(flush_failed);
	FILL(device_failed);
	FILL(everything);
	FILL(version_lowest);
	FILL(version_highest);
	FILL(incarnation);
	FILL(epoch);
	FILL(leader);
	FILL(views);
	FILL(boot_id[0]);
	FILL(machine_id[0]);
	if (message.log.uuid[0] == '\0')
		memset(&message.log, 0xff, sizeof(message.log));
	if (message.region_count == 0)
		message.region_count = WINDOW_REGIONS_MAX + 1;
	if (message.data_bytes == 0)
		message.data_bytes = MESSAGE_DATA_MAX_BYTES + 1;
	/* Rubbish behind the NUL, and behind the last region. */
	message.log.uuid[sizeof(message.log.uuid) - 1] = 'z';
	message.regions[2] = 9;

	ck_assert_int_eq(group_message_encode(&message, out, sizeof(out)),
			 (int)golden->length_bytes);
	ck_assert_mem_eq(out, golden->bytes, golden->length_bytes);
}
END_TEST

#define EXTREME(member, value)                    \
	do {                                      \
		if (message.member)               \
			message.member = (value); \
	} while (0)

static void expect_round_trip(const struct group_message *message, size_t wanted_bytes)
{
	struct group_message again;
	int r = group_message_encode(message, out, sizeof(out));

	ck_assert_int_eq(r, (int)wanted_bytes);
	ck_assert_int_eq(group_message_decode(out, (size_t)r, &again), r);
	expect_equal(&again, message);
}

START_TEST(largest)
{
	const struct golden *golden = &goldens[_i];
	struct group_message message;
	size_t wanted_bytes = golden->length_bytes;

	memcpy(&message, &golden->message, sizeof(message));
	EXTREME(sender, UINT32_MAX);
	EXTREME(luid, UINT64_MAX);
	EXTREME(number, UINT64_MAX);
	EXTREME(node, UINT32_MAX);
	EXTREME(window, UINT32_MAX);
	EXTREME(claimer, UINT32_MAX);
	EXTREME(mask, UINT64_MAX);
	EXTREME(version_lowest, UINT32_MAX);
	EXTREME(version_highest, UINT32_MAX);
	EXTREME(incarnation, UINT64_MAX);
	EXTREME(epoch, UINT64_MAX);
	EXTREME(leader, UINT32_MAX);
	EXTREME(views, UINT64_MAX);
	EXTREME(log.region_sectors, UINT32_MAX);
	EXTREME(log.device_sectors, UINT64_MAX);
	EXTREME(log.log_major, UINT32_MAX);
	EXTREME(log.log_minor, UINT32_MAX);
	if (message.log.uuid[0] != '\0') {
		wanted_bytes += REQUEST_UUID_SIZE - 1 - strlen(message.log.uuid);
		memset(message.log.uuid, 0xff, REQUEST_UUID_SIZE - 1);
	}
	if (message.region_count > 0) {
		wanted_bytes += 8 * (WINDOW_REGIONS_MAX - message.region_count);
		message.region_count = WINDOW_REGIONS_MAX;
		memset(message.regions, 0xff, sizeof(message.regions));
	}
	if (message.data_bytes > 0) {
		wanted_bytes += MESSAGE_DATA_MAX_BYTES - message.data_bytes;
		memset(data_of_extremes, 0xff, sizeof(data_of_extremes));
		message.data = data_of_extremes;
		message.data_bytes = MESSAGE_DATA_MAX_BYTES;
	}
	ck_assert_uint_le(wanted_bytes, MESSAGE_BYTES_MAX);
	expect_round_trip(&message, wanted_bytes);
}
END_TEST

/* All 0, but for the uuid, which has at least one byte. */
START_TEST(smallest)
{
	const struct golden *golden = &goldens[_i];
	size_t wanted_bytes = golden->length_bytes;
	struct group_message message;

	memset(&message, 0, sizeof(message));
	message.type = golden->message.type;
	if (golden->message.log.uuid[0] != '\0') {
		message.log.uuid[0] = 1;
		wanted_bytes -= strlen(golden->message.log.uuid) - 1;
	}
	wanted_bytes -= 8 * golden->message.region_count + golden->message.data_bytes;
	expect_round_trip(&message, wanted_bytes);
}
END_TEST

START_TEST(truncated)
{
	const struct golden *golden = &goldens[_i];

	for (size_t length_bytes = 0; length_bytes < golden->length_bytes; length_bytes++) {
		ck_assert_int_eq(decode(golden->bytes, length_bytes), -EBADMSG);
		/* Now with a length that says so. */
		memcpy(in, golden->bytes, golden->length_bytes);
		store_le(in + LENGTH_OFFSET, length_bytes, 4);
		ck_assert_int_eq(decode(in, golden->length_bytes), -EBADMSG);
		if (length_bytes >= 4)
			ck_assert_int_eq(decode(in, length_bytes), -EBADMSG);
	}
	/* A byte too many inside the message, and one behind it. */
	memcpy(in, golden->bytes, golden->length_bytes);
	in[golden->length_bytes] = 0;
	ck_assert_int_eq(decode(in, golden->length_bytes + 1), (int)golden->length_bytes);
	store_le(in + LENGTH_OFFSET, golden->length_bytes + 1, 4);
	ck_assert_int_eq(decode(in, golden->length_bytes + 1), -EBADMSG);
}
END_TEST

START_TEST(any_byte)
{
	const struct golden *golden = &goldens[_i];

	for (size_t at = 0; at < golden->length_bytes; at++) {
		for (int flip = 1; flip < 256; flip++) {
			memcpy(in, golden->bytes, golden->length_bytes);
			in[at] = (uint8_t)(in[at] ^ flip);
			(void)decode(in, golden->length_bytes);
		}
	}
}
END_TEST

static uint32_t flags_of(const struct group_message *m)
{
	return (uint32_t)(m->reported | m->legs_failed << 1 | m->slot_freed << 2 | m->closed << 3 |
			  m->paused << 4 | m->last << 5 | m->fresh << 6 | m->stateless << 7 |
			  m->flush_failed << 8 | m->device_failed << 9 | m->everything << 10);
}

START_TEST(flag_bits)
{
	const struct golden *golden = &goldens[_i];
	uint32_t allowed = flags_of(&golden->message);
	struct group_message message;

	for (int bit = 0; bit < 32; bit++) {
		uint32_t flags = UINT32_C(1) << bit;

		memcpy(in, golden->bytes, golden->length_bytes);
		store_le(in + FLAGS_OFFSET, flags, 4);
		if (!(allowed & flags)) {
			ck_assert_int_eq(decode(in, golden->length_bytes), -EBADMSG);
			continue;
		}
		ck_assert_int_eq(decode(in, golden->length_bytes), (int)golden->length_bytes);
		ck_assert_int_ge(group_message_decode(in, golden->length_bytes, &message), 0);
		ck_assert_uint_eq(flags_of(&message), flags);
	}
}
END_TEST

static int decode_with(const struct golden *golden, size_t at, uint64_t value, size_t size_bytes)
{
	memcpy(in, golden->bytes, golden->length_bytes);
	store_le(in + at, value, size_bytes);
	return decode(in, golden->length_bytes);
}

START_TEST(header_refused)
{
	const struct golden *golden = &goldens[_i];

	ck_assert_int_eq(decode_with(golden, TYPE_OFFSET, 0, 2), -ENOTSUP);
	ck_assert_int_eq(decode_with(golden, TYPE_OFFSET, MESSAGE_TYPES, 2), -ENOTSUP);
	ck_assert_int_eq(decode_with(golden, TYPE_OFFSET, 256 + golden->bytes[TYPE_OFFSET], 2),
			 -ENOTSUP);
	ck_assert_int_eq(decode_with(golden, TYPE_OFFSET, UINT16_MAX, 2), -ENOTSUP);
	/* A header that is cut says nothing, not even that. */
	store_le(in + LENGTH_OFFSET, HEADER_BYTES - 1, 4);
	ck_assert_int_eq(decode(in, golden->length_bytes), -EBADMSG);
	ck_assert_int_eq(decode(in, HEADER_BYTES - 1), -EBADMSG);
	ck_assert_int_eq(decode_with(golden, VERSION_OFFSET, 0, 2), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_with(golden, VERSION_OFFSET, 2, 2), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_with(golden, VERSION_OFFSET, 257, 2), -EPROTONOSUPPORT);
	/* Another version may have another header. */
	ck_assert_int_eq(decode(in, 6), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode(in, 5), -EBADMSG);
	ck_assert_int_eq(decode_with(golden, LENGTH_OFFSET, UINT32_MAX, 4), -EBADMSG);
}
END_TEST

static const struct golden *golden_of(enum group_message_type type)
{
	return &goldens[type - 1];
}

START_TEST(log_refused)
{
	const struct golden *gone = golden_of(MESSAGE_GONE);

	ck_assert_int_eq(decode_with(gone, LOG_TYPE_OFFSET, 0, 4), (int)gone->length_bytes);
	ck_assert_int_eq(decode_with(gone, LOG_TYPE_OFFSET, 2, 4), -EBADMSG);
	ck_assert_int_eq(decode_with(gone, LOG_TYPE_OFFSET, 0x80000001, 4), -EBADMSG);
	/* A NUL at each place of the uuid. */
	for (size_t i = 1; i <= 7; i++)
		ck_assert_int_eq(decode_with(gone, UUID_OFFSET + i, 0, 1), -EBADMSG);
	/* GONE has nothing behind the uuid: every length of it, with a message of just that length. */
	for (size_t uuid_bytes = 0; uuid_bytes < 256; uuid_bytes++) {
		size_t length_bytes = UUID_OFFSET + 1 + uuid_bytes;

		memcpy(in, gone->bytes, UUID_OFFSET);
		memset(in + UUID_OFFSET, 'u', 256);
		store_le(in + UUID_OFFSET, uuid_bytes, 1);
		store_le(in + LENGTH_OFFSET, length_bytes, 4);
		ck_assert_int_eq(decode(in, length_bytes), uuid_bytes >= 1 && uuid_bytes <= 128 ?
								   (int)length_bytes :
								   -EBADMSG);
	}
}
END_TEST

/* Counts over their limits, with all of what they promise. */
START_TEST(counts_refused)
{
	const struct golden *release = golden_of(MESSAGE_RELEASE);
	const struct golden *directory = golden_of(MESSAGE_DIRECTORY);
	const size_t count_at = release->length_bytes - 17, data_at = 24;

	for (size_t count = 0; count < 256; count++) {
		size_t length_bytes = count_at + 1 + 8 * count;

		memset(in, 0x5a, sizeof(in));
		memcpy(in, release->bytes, count_at);
		store_le(in + count_at, count, 1);
		store_le(in + LENGTH_OFFSET, length_bytes, 4);
		ck_assert_int_eq(decode(in, length_bytes),
				 count <= WINDOW_REGIONS_MAX ? (int)length_bytes : -EBADMSG);
	}
	for (size_t data_bytes = MESSAGE_DATA_MAX_BYTES - 1;
	     data_bytes <= MESSAGE_DATA_MAX_BYTES + 1; data_bytes++) {
		size_t length_bytes = data_at + 4 + data_bytes;

		memset(in, 0x5a, sizeof(in));
		memcpy(in, directory->bytes, data_at);
		store_le(in + data_at, data_bytes, 4);
		store_le(in + LENGTH_OFFSET, length_bytes, 4);
		ck_assert_int_eq(decode(in, length_bytes), data_bytes <= MESSAGE_DATA_MAX_BYTES ?
								   (int)length_bytes :
								   -EBADMSG);
	}
	ck_assert_int_eq(decode_with(directory, data_at, UINT32_MAX, 4), -EBADMSG);
	/* Longer than any message is. */
	memcpy(in, directory->bytes, directory->length_bytes);
	store_le(in + LENGTH_OFFSET, MESSAGE_BYTES_MAX + 1, 4);
	ck_assert_int_eq(decode(in, MESSAGE_BYTES_MAX + 1), -EBADMSG);
}
END_TEST

/* All of them in one buffer, each found behind the one before. */
START_TEST(one_after_the_other)
{
	struct group_message message;
	size_t end = 0, at = 0;

	for (uint32_t i = 0; i < GOLDEN_COUNT; i++) {
		int r = group_message_encode(&goldens[i].message, in + end, sizeof(in) - end);

		ck_assert_int_gt(r, 0);
		end += (size_t)r;
	}
	for (uint32_t i = 0; i < GOLDEN_COUNT; i++) {
		int r = group_message_decode(in + at, end - at, &message);

		ck_assert_int_eq(r, (int)goldens[i].length_bytes);
		expect_equal(&message, &goldens[i].message);
		at += (size_t)r;
	}
	ck_assert_uint_eq(at, end);
	ck_assert_int_eq(group_message_decode(in + at, 0, &message), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message_codec");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_test(all, all_types_are_here);
	tcase_add_loop_test(all, golden_encode, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, golden_decode, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, foreign_fields_ignored, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, largest, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, smallest, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, truncated, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, any_byte, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, flag_bits, 0, (int)GOLDEN_COUNT);
	tcase_add_loop_test(all, header_refused, 0, (int)GOLDEN_COUNT);
	tcase_add_test(all, log_refused);
	tcase_add_test(all, counts_refused);
	tcase_add_test(all, one_after_the_other);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
