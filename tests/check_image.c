/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wanted on the device, and what is sure to be there, while writes come and go. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/image.h"

#define LENGTH 8192
#define OFFSET 4096

static struct image image;
static void *memory;

static void make(enum image_caution caution, uint32_t block_bytes)
{
	free(memory);
	memory = aligned_alloc(64, image_bytes(LENGTH));
	ck_assert_ptr_nonnull(memory);
	memset(memory, 0, image_bytes(LENGTH));
	image_init(&image, caution, LENGTH, memory);
	image_place(&image, OFFSET, LENGTH, block_bytes);
}

static void setup(void)
{
	make(IMAGE_SURE_SET, 512);
}

static void teardown(void)
{
	free(memory);
	memory = NULL;
}

/* Takes the next run, which must be this one. */
static void take(uint64_t at_bytes, uint32_t length_bytes)
{
	uint64_t at = 1;
	uint32_t length = 1;

	ck_assert(image_take(&image, 65536, &at, &length));
	ck_assert_uint_eq(at, at_bytes);
	ck_assert_uint_eq(length, length_bytes);
}

static void take_nothing(void)
{
	uint64_t at;
	uint32_t length;

	ck_assert(!image_take(&image, 65536, &at, &length));
}

START_TEST(a_bit_is_sure_when_written)
{
	ck_assert(image_clean(&image));
	take_nothing();
	image_set(&image, 512, 9);
	ck_assert(image_test(&image, 512, 9));
	ck_assert(!image_sure(&image, 512, 9));
	ck_assert(!image_clean(&image));
	take(512, 512);
	ck_assert(!image_clean(&image));
	ck_assert_uint_eq(image.sent[513], 2);
	image_written(&image, 512, 512, true);
	ck_assert(image_sure(&image, 512, 9));
	ck_assert(image_clean(&image));
	/* To set it again changes nothing. */
	image_set(&image, 512, 9);
	ck_assert(image_clean(&image));
}
END_TEST

START_TEST(one_write_of_a_block_at_a_time)
{
	image_set(&image, 0, 1);
	take(0, 512);
	image_set(&image, 0, 2);
	image_set(&image, 512, 0);
	take(512, 512);
	take_nothing();
	image_written(&image, 0, 512, true);
	ck_assert(image_sure(&image, 0, 1));
	ck_assert(!image_sure(&image, 0, 2));
	take(0, 512);
	image_written(&image, 0, 512, true);
	ck_assert(image_sure(&image, 0, 2));
	ck_assert(!image_clean(&image));
	image_written(&image, 512, 512, true);
	ck_assert(image_clean(&image));
}
END_TEST

/* A slot: while a write that clears a bit is under way, or has failed, the bit is not sure to be set. */
START_TEST(slot_is_cautious_about_set_bits)
{
	image_set(&image, 0, 1);
	take(0, 512);
	image_written(&image, 0, 512, true);
	image_clear(&image, 0, 1);
	ck_assert(image_sure(&image, 0, 1));
	take(0, 512);
	ck_assert(!image_sure(&image, 0, 1));
	image_set(&image, 0, 1);
	ck_assert(!image_sure(&image, 0, 1));
	image_written(&image, 0, 512, false);
	ck_assert(!image_sure(&image, 0, 1));
	take(0, 512);
	image_written(&image, 0, 512, true);
	ck_assert(image_sure(&image, 0, 1));
}
END_TEST

/* The base: a bit whose clearing is not known to be durable counts as set, as does one that is being set. */
START_TEST(base_is_cautious_about_clear_bits)
{
	make(IMAGE_SURE_CLEAR, 512);
	image_set(&image, 0, 1);
	ck_assert(!image_sure(&image, 0, 1));
	take(0, 512);
	ck_assert(image_sure(&image, 0, 1));
	image_written(&image, 0, 512, false);
	ck_assert(image_sure(&image, 0, 1));
	image_clear(&image, 0, 1);
	take(0, 512);
	ck_assert(image_sure(&image, 0, 1));
	image_written(&image, 0, 512, false);
	ck_assert(image_sure(&image, 0, 1));
	take(0, 512);
	image_written(&image, 0, 512, true);
	ck_assert(!image_sure(&image, 0, 1));
}
END_TEST

START_TEST(failed_write_is_dirty_again)
{
	image_fill(&image, 0, LENGTH, 0xff);
	take(0, LENGTH);
	image_written(&image, 0, LENGTH, false);
	ck_assert(!image_clean(&image));
	ck_assert(!image_sure(&image, 0, 0));
	take(0, LENGTH);
	image_written(&image, 0, LENGTH, true);
	ck_assert(image_clean(&image));
	ck_assert(image_sure(&image, 0, LENGTH * 8 - 1));
}
END_TEST

START_TEST(runs_are_limited_and_do_not_jump)
{
	uint64_t at;
	uint32_t length;

	image_fill(&image, 0, 2048, 1);
	image_fill(&image, 4096, 512, 1);
	ck_assert(image_take(&image, 1536, &at, &length));
	ck_assert_uint_eq(at, 0);
	ck_assert_uint_eq(length, 1536);
	take(1536, 512);
	take(4096, 512);
	take_nothing();
}
END_TEST

START_TEST(put_and_settle_write_only_what_changes)
{
	static const uint8_t bytes[1024] = { [3] = 7, [700] = 9 };
	static const uint8_t zeros[LENGTH] = { 0 };

	image_put(&image, 0, zeros, LENGTH);
	image_settle(&image, 0, LENGTH, 0);
	ck_assert(image_clean(&image));
	image_put(&image, 1024, bytes, sizeof(bytes));
	take(1024, 1024);
	image_written(&image, 1024, 1024, true);
	image_settle(&image, 1030, 1000, 0);
	take(1536, 512);
	ck_assert_uint_eq(image.sent[1024 + 3], 7);
	ck_assert_uint_eq(image.sent[1024 + 700], 0);
	image_written(&image, 1536, 512, true);
	/* To fill writes in any case. */
	image_fill(&image, 2048, 1, 0);
	take(2048, 512);
}
END_TEST

START_TEST(loaded_contents_are_sure)
{
	uint8_t data[512];

	memset(data, 0xf0, sizeof(data));
	image_loaded(&image, OFFSET + 512, data, sizeof(data));
	ck_assert(image_clean(&image));
	ck_assert(image_test(&image, 512, 4) && image_sure(&image, 512, 4));
	ck_assert(!image_test(&image, 512, 3) && !image_test(&image, 1024, 4));
	image_place(&image, 0, 4096, 4096);
	ck_assert(!image_test(&image, 512, 4) && !image_sure(&image, 512, 4));
}
END_TEST

START_TEST(large_blocks)
{
	make(IMAGE_SURE_SET, 4096);
	image_set(&image, 4096, 5);
	take(4096, 4096);
	image_written(&image, 4096, 4096, true);
	ck_assert(image_sure(&image, 4096, 5));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("image");
	TCase *tests = tcase_create("image");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_bit_is_sure_when_written);
	tcase_add_test(tests, one_write_of_a_block_at_a_time);
	tcase_add_test(tests, slot_is_cautious_about_set_bits);
	tcase_add_test(tests, base_is_cautious_about_clear_bits);
	tcase_add_test(tests, failed_write_is_dirty_again);
	tcase_add_test(tests, runs_are_limited_and_do_not_jump);
	tcase_add_test(tests, put_and_settle_write_only_what_changes);
	tcase_add_test(tests, loaded_contents_are_sure);
	tcase_add_test(tests, large_blocks);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
