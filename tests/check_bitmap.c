/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bitmaps with a count and a second level, against a plain array. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/bitmap.h"

#define BITS 10007

static struct bitmap bitmap;
static void *memory;

static void make(uint64_t bits)
{
	free(memory);
	memory = calloc(1, bitmap_bytes(bits));
	ck_assert_ptr_nonnull(memory);
	bitmap_init(&bitmap, bits, memory);
}

static void teardown(void)
{
	free(memory);
	memory = NULL;
}

static void setup(void)
{
	make(BITS);
}

START_TEST(memory_sizes)
{
	ck_assert_uint_eq(bitmap_bytes(1), 128);
	ck_assert_uint_eq(bitmap_bytes(512), 128);
	ck_assert_uint_eq(bitmap_bytes(513), 192);
	ck_assert_uint_eq(bitmap_bytes(UINT64_C(1) << 32),
			  (UINT64_C(1) << 29) + (UINT64_C(1) << 23));
}
END_TEST

/* Bits at the ends of words, of summary words, and of the bitmap itself. */
START_TEST(edges)
{
	static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 8192, 262145 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t last = sizes[i] - 1;

		make(sizes[i]);
		ck_assert_uint_eq(bitmap_next(&bitmap, 0), BITMAP_NONE);
		ck_assert(!bitmap_set(&bitmap, last));
		ck_assert(bitmap_set(&bitmap, last));
		ck_assert_uint_eq(bitmap.count, 1);
		ck_assert_uint_eq(bitmap_next(&bitmap, 0), last);
		ck_assert_uint_eq(bitmap_next(&bitmap, last), last);
		ck_assert_uint_eq(bitmap_next(&bitmap, last + 1), BITMAP_NONE);
		ck_assert_uint_eq(bitmap_next(&bitmap, UINT64_MAX), BITMAP_NONE);
		ck_assert(bitmap_clear(&bitmap, last));
		ck_assert(!bitmap_clear(&bitmap, last));
		ck_assert_uint_eq(bitmap.count, 0);
		ck_assert_uint_eq(bitmap_next(&bitmap, 0), BITMAP_NONE);
	}
}
END_TEST

START_TEST(all_and_none)
{
	static const uint64_t sizes[] = { 1, 63, 64, 65, 4096, 4097, 10007 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t seen = 0;

		make(sizes[i]);
		bitmap_set_all(&bitmap);
		ck_assert_uint_eq(bitmap.count, sizes[i]);
		for (uint64_t b = bitmap_next(&bitmap, 0); b != BITMAP_NONE;
		     b = bitmap_next(&bitmap, b + 1))
			ck_assert_uint_eq(b, seen++);
		ck_assert_uint_eq(seen, sizes[i]);
		for (uint64_t b = 0; b < sizes[i]; b++)
			ck_assert(bitmap_clear(&bitmap, b));
		ck_assert_uint_eq(bitmap_next(&bitmap, 0), BITMAP_NONE);
		bitmap_set_all(&bitmap);
		bitmap_clear_all(&bitmap);
		ck_assert_uint_eq(bitmap.count, 0);
		ck_assert_uint_eq(bitmap_next(&bitmap, 0), BITMAP_NONE);
		ck_assert(!bitmap_test(&bitmap, sizes[i] - 1));
	}
}
END_TEST

START_TEST(ranges)
{
	(void)bitmap_set(&bitmap, 100);
	ck_assert(bitmap_any(&bitmap, 100, 1));
	ck_assert(bitmap_any(&bitmap, 0, 101));
	ck_assert(!bitmap_any(&bitmap, 0, 100));
	ck_assert(!bitmap_any(&bitmap, 101, 1000));
	ck_assert(!bitmap_any(&bitmap, 100, 0));
	ck_assert(!bitmap_any(&bitmap, BITS, UINT64_MAX));
	ck_assert(bitmap_any(&bitmap, 99, UINT64_MAX));
}
END_TEST

START_TEST(against_an_array)
{
	static bool model[BITS];
	uint64_t count = 0;
	uint32_t random = 12345;

	for (int i = 0; i < 200000; i++) {
		uint64_t bit, next;
		bool set;

		random = random * 1664525u + 1013904223u;
		bit = (random >> 8) % BITS;
		set = (random >> 30) == 0; /* sparse: whole words become 0 again */
		ck_assert(bitmap_test(&bitmap, bit) == model[bit]);
		if (set)
			ck_assert(bitmap_set(&bitmap, bit) == model[bit]);
		else
			ck_assert(bitmap_clear(&bitmap, bit) == model[bit]);
		count = count + set - model[bit];
		model[bit] = set;
		ck_assert_uint_eq(bitmap.count, count);
		if (i % 100 != 0)
			continue;
		for (next = bit; next < BITS && !model[next];)
			next++;
		ck_assert_uint_eq(bitmap_next(&bitmap, bit), next < BITS ? next : BITMAP_NONE);
	}
}
END_TEST

/* ---- whole words and whole bitmaps ---- */

static struct bitmap other;
static void *other_memory;

static void make_other(uint64_t bits)
{
	free(other_memory);
	other_memory = calloc(1, bitmap_bytes(bits));
	ck_assert_ptr_nonnull(other_memory);
	bitmap_init(&other, bits, other_memory);
}

static void teardown_other(void)
{
	free(other_memory);
	other_memory = NULL;
}

/* Count, bits and both ways to find them agree with `model`, whatever was done before. */
static void expect(const struct bitmap *seen, const bool *model)
{
	uint64_t count = 0;
	uint64_t at = bitmap_next(seen, 0);

	for (uint64_t b = 0; b < seen->bits; b++) {
		ck_assert(bitmap_test(seen, b) == model[b]);
		if (!model[b])
			continue;
		count++;
		ck_assert_uint_eq(at, b);
		at = bitmap_next(seen, b + 1);
	}
	ck_assert_uint_eq(at, BITMAP_NONE);
	ck_assert_uint_eq(seen->count, count);
	/* The second level has a bit for each word that is not 0, and no other. */
	for (uint64_t w = 0; w < bitmap_words(seen); w++)
		ck_assert((seen->summary[w / 64] >> (w % 64) & 1) == (seen->words[w] != 0));
}

static const uint64_t word_sizes[] = { 1, 63, 64, 65, 127, 128, 4095, 4096, 4097, 4160, BITS };

#define WORD_SIZES ((int)(sizeof(word_sizes) / sizeof(word_sizes[0])))

/* Words are put over what was there, 0 too; bits beyond the end do not get in, nor into the count. */
START_TEST(put_word)
{
	static bool model[BITS];
	uint64_t bits = word_sizes[_i];
	uint32_t random = 4711;

	make(bits);
	memset(model, 0, sizeof(model));
	ck_assert_uint_eq(bitmap_words(&bitmap), (bits + 63) / 64);
	for (int round = 0; round < 3; round++) {
		for (uint64_t w = 0; w < bitmap_words(&bitmap); w++) {
			uint64_t word;

			random = random * 1664525u + 1013904223u;
			word = (uint64_t)random << 32 | random;
			if ((random >> 28) < 4)
				word = 0;
			if ((random >> 28) > 12 || w + 1 == bitmap_words(&bitmap))
				word = UINT64_MAX;
			bitmap_put_word(&bitmap, w, word);
			for (uint64_t b = w * 64; b < w * 64 + 64 && b < bits; b++)
				model[b] = word >> (b % 64) & 1;
		}
		expect(&bitmap, model);
	}
	for (uint64_t w = 0; w < bitmap_words(&bitmap); w++)
		bitmap_put_word(&bitmap, w, 0);
	ck_assert_uint_eq(bitmap.count, 0);
	ck_assert_uint_eq(bitmap_next(&bitmap, 0), BITMAP_NONE);
}
END_TEST

static void fill_both(bool *a, bool *b)
{
	uint32_t random = 815;

	for (uint64_t bit = 0; bit < bitmap.bits; bit++) {
		random = random * 1664525u + 1013904223u;
		/* Stretches without any, and with all, so that words become 0. */
		a[bit] = bit % 640 < 320 && (random >> 31) != 0;
		b[bit] = bit % 256 < 64 || (bit % 256 < 128 && (random >> 30 & 1) != 0);
		if (a[bit])
			(void)bitmap_set(&bitmap, bit);
		if (b[bit])
			(void)bitmap_set(&other, bit);
	}
}

/* What `bitmap` becomes, while `other` stays as it is. */
START_TEST(two_bitmaps)
{
	static bool a[BITS], b[BITS], wanted[BITS];
	uint64_t bits = word_sizes[_i];

	for (int operation = 0; operation < 2; operation++) {
		make(bits);
		make_other(bits);
		fill_both(a, b);
		for (uint64_t bit = 0; bit < bits; bit++)
			wanted[bit] = operation == 0 ? b[bit] : a[bit] && !b[bit];
		if (operation == 0)
			bitmap_copy(&bitmap, &other);
		else
			bitmap_subtract(&bitmap, &other);
		expect(&bitmap, wanted);
		expect(&other, b);
	}
	/* A copy is one of its own. */
	bitmap_copy(&bitmap, &other);
	bitmap_clear_all(&bitmap);
	expect(&other, b);
	bitmap_copy(&bitmap, &other);
	bitmap_subtract(&bitmap, &other);
	ck_assert_uint_eq(bitmap.count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bitmap");
	TCase *tests = tcase_create("bitmap");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, memory_sizes);
	tcase_add_test(tests, edges);
	tcase_add_test(tests, all_and_none);
	tcase_add_test(tests, ranges);
	tcase_add_test(tests, against_an_array);
	tcase_add_checked_fixture(tests, NULL, teardown_other);
	tcase_add_loop_test(tests, put_word, 0, WORD_SIZES);
	tcase_add_loop_test(tests, two_bitmaps, 0, WORD_SIZES);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
