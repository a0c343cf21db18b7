/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bitmaps as bytes: golden pieces both ways, bitmaps of every kind in pieces of every size, and pieces that must be
 * refused before a word of them is told.
 *
 * Pieces are written and read at the end of a block of their own, so that a sanitizer sees a byte too many.
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "words_codec.h"

#define ONES UINT64_MAX
#define WORDS_LARGE (UINT64_C(16) * 1024 * 1024 / 64)
#define WORDS_RANDOM 300
#define UNTOLD UINT64_C(0x7e117e117e117e11)

/* What a decoder was told. */
struct told {
	uint64_t words[WORDS_RANDOM];
	uint64_t next; /* the first word that may be told */
	uint64_t calls;
	uint64_t count;
	bool wrong; /* an assertion for each word would take its time */
};

static struct told told;

static void tell(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	struct told *to = context;

	to->wrong = to->wrong || to != &told || count == 0 || first_word < to->next;
	to->next = first_word + count;
	to->calls++;
	to->count += count;
	for (uint64_t i = first_word; i < to->next && i < WORDS_RANDOM; i++)
		to->words[i] = word;
}

static void told_begin(void)
{
	memset(&told, 0, sizeof(told));
	for (int i = 0; i < WORDS_RANDOM; i++)
		told.words[i] = UNTOLD;
}

static int decode(const uint8_t *bytes, size_t length_bytes, uint64_t word_count)
{
	uint8_t *block = malloc(length_bytes + 1);
	uint64_t calls = told.calls;
	int r;

	memcpy(block + 1, bytes, length_bytes);
	r = words_decode(block + 1, length_bytes, word_count, tell, &told);
	if (r < 0)
		ck_assert_uint_eq(told.calls, calls);
	else
		ck_assert_uint_le(told.next, word_count);
	ck_assert(!told.wrong);
	free(block);
	return r;
}

typedef size_t encode_function(const uint64_t *words, uint64_t word_count, uint64_t *cursor,
			       uint8_t *bytes, size_t size_bytes);

/* Encodes one piece and gives it to the decoder; returns its bytes. */
static size_t pass_piece(encode_function *encode, const uint64_t *words, uint64_t word_count,
			 uint64_t *cursor, size_t size_bytes)
{
	uint8_t *bytes = malloc(size_bytes + 1);
	uint64_t before = *cursor;
	size_t length_bytes;

	bytes[size_bytes] = 0xee;
	length_bytes = encode(words, word_count, cursor, bytes, size_bytes);
	ck_assert_uint_eq(bytes[size_bytes], 0xee);
	ck_assert_uint_le(length_bytes, size_bytes);
	ck_assert_uint_gt(*cursor, before);
	ck_assert_uint_le(*cursor, word_count);
	if (length_bytes > 0)
		ck_assert_int_eq(decode(bytes, length_bytes, word_count), 0);
	ck_assert_uint_le(told.next, *cursor);
	free(bytes);
	return length_bytes;
}

/* All of it; returns the bytes of all pieces. */
static size_t pass(encode_function *encode, const uint64_t *words, uint64_t word_count,
		   size_t size_bytes)
{
	size_t sum_bytes = 0;

	told_begin();
	for (uint64_t cursor = 0; cursor < word_count;)
		sum_bytes += pass_piece(encode, words, word_count, &cursor, size_bytes);
	return sum_bytes;
}

/* xorshift64* */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- golden ---- */

/* 2 words of 0, 3 of ones, 2 literals, 130 of 0, a literal, 0. */
static void sample(uint64_t words[139])
{
	memset(words, 0, 139 * sizeof(words[0]));
	words[2] = words[3] = words[4] = ONES;
	words[5] = 0x0102030405060708;
	words[6] = 1;
	words[137] = 0x8000000000000000;
}

static const uint8_t sample_bytes[] = {
	0,    0, 0, 0, 0, 0, 0, 0,                               /* from word 0 */
	8,                                                       /* 2 of 0 */
	13,                                                      /* 3 of ones */
	10,   8, 7, 6, 5, 4, 3, 2, 1,    1, 0, 0, 0, 0, 0, 0, 0, /* 2 literals */
	0x88, 4,                                                 /* 130 of 0 */
	6,    0, 0, 0, 0, 0, 0, 0, 0x80,                         /* 1 literal */
	4,                                                       /* 1 of 0 */
};

/* The same as a set: the first zeros and the last one are not told. */
static const uint8_t sample_set_bytes[] = {
	2, 0, 0, 0, 0, 0, 0, 0,    13, 10, 8, 7, 6, 5, 4, 3, 2, 1,    1,
	0, 0, 0, 0, 0, 0, 0, 0x88, 4,  6,  0, 0, 0, 0, 0, 0, 0, 0x80,
};

START_TEST(golden)
{
	uint64_t words[139], cursor = 0;
	uint8_t bytes[64];

	sample(words);
	ck_assert_uint_eq(words_encode(words, 139, &cursor, bytes, 64), sizeof(sample_bytes));
	ck_assert_mem_eq(bytes, sample_bytes, sizeof(sample_bytes));
	ck_assert_uint_eq(cursor, 139);
	cursor = 0;
	ck_assert_uint_eq(words_encode_set(words, 139, &cursor, bytes, 64),
			  sizeof(sample_set_bytes));
	ck_assert_mem_eq(bytes, sample_set_bytes, sizeof(sample_set_bytes));
	ck_assert_uint_eq(cursor, 139);

	told_begin();
	ck_assert_int_eq(decode(sample_bytes, sizeof(sample_bytes), 139), 0);
	ck_assert_mem_eq(told.words, words, sizeof(words));
	/* Runs whole, literals each. */
	ck_assert_uint_eq(told.calls, 7);
	ck_assert_uint_eq(told.count, 139);

	told_begin();
	ck_assert_int_eq(decode(sample_set_bytes, sizeof(sample_set_bytes), 138), 0);
	ck_assert_mem_eq(told.words + 2, words + 2, 136 * sizeof(words[0]));
	ck_assert_uint_eq(told.words[1], UNTOLD);
	ck_assert_uint_eq(told.words[138], UNTOLD);
	ck_assert_uint_eq(told.count, 136);
}
END_TEST

/* ---- all kinds of bitmaps ---- */

START_TEST(uniform)
{
	uint64_t *words = calloc(WORDS_LARGE, sizeof(*words));
	uint64_t cursor = 0;
	uint8_t bytes[64];

	ck_assert_uint_le(pass(words_encode, words, WORDS_LARGE, 64), 18 + 8);
	ck_assert_uint_eq(told.count, WORDS_LARGE);
	ck_assert_uint_eq(told.calls, 1);
	ck_assert_uint_eq(words_encode_set(words, WORDS_LARGE, &cursor, bytes, 64), 0);
	ck_assert_uint_eq(cursor, WORDS_LARGE);
	ck_assert_uint_eq(words_encode_set(words, WORDS_LARGE, &cursor, bytes, 64), 0);

	memset(words, 0xff, WORDS_LARGE * sizeof(*words));
	ck_assert_uint_le(pass(words_encode, words, WORDS_LARGE, 64), 18 + 8);
	ck_assert_uint_eq(told.count, WORDS_LARGE);
	ck_assert_uint_eq(told.words[0], ONES);
	ck_assert_uint_le(pass(words_encode_set, words, WORDS_LARGE, 64), 18 + 8);
	ck_assert_uint_eq(told.count, WORDS_LARGE);
	free(words);
}
END_TEST

/* A few bits among 16 Mi: what is told is about them and little else. */
START_TEST(sparse_large)
{
	uint64_t *words = calloc(WORDS_LARGE, sizeof(*words));
	uint64_t cursor = 0;
	uint8_t bytes[64];

	words[WORDS_LARGE - 1] = 4;
	ck_assert_uint_eq(pass(words_encode_set, words, WORDS_LARGE, 64), 17);
	ck_assert_uint_eq(told.count, 1);
	words[0] = 2;
	ck_assert_uint_eq(pass(words_encode_set, words, WORDS_LARGE, 64), 17 + 3 + 9);
	words[WORDS_LARGE - 1] = 0;
	ck_assert_uint_eq(words_encode_set(words, WORDS_LARGE, &cursor, bytes, 64), 17);
	ck_assert_uint_eq(cursor, WORDS_LARGE);

	/* 64 bits, far from each other: a literal and a run each, and the pieces' beginnings. */
	for (uint64_t i = 0; i < WORDS_LARGE; i += WORDS_LARGE / 64)
		words[i] = 1;
	ck_assert_uint_le(pass(words_encode, words, WORDS_LARGE, 16384), 8 + 64 * (9 + 3));
	ck_assert_uint_le(pass(words_encode_set, words, WORDS_LARGE, 16384), 8 + 64 * (9 + 3));
	ck_assert_uint_le(pass(words_encode_set, words, WORDS_LARGE, 64), 16 * 64);
	free(words);
}
END_TEST

/* Words of bits that nothing packs: their own size, and a few bytes for each piece. */
START_TEST(dense_large)
{
	uint64_t *words = malloc(WORDS_LARGE * sizeof(*words));
	uint64_t state = 1, pieces;
	size_t sum_bytes;

	for (uint64_t i = 0; i < WORDS_LARGE; i++)
		words[i] = random_next(&state);
	for (size_t size_bytes = 64; size_bytes <= 16384; size_bytes *= 16) {
		sum_bytes = pass(words_encode, words, WORDS_LARGE, size_bytes);
		pieces = sum_bytes / (size_bytes - 18) + 1;
		ck_assert_uint_le(sum_bytes, 8 * WORDS_LARGE + pieces * (8 + 3));
		ck_assert_uint_eq(told.count, WORDS_LARGE);
	}
	free(words);
}
END_TEST

/* Runs and literals mixed by that seed; each piece size from 64 to 200. */
static void fill(uint64_t *words, uint64_t seed)
{
	const uint64_t longest = seed % 3 == 0 ? 3 : seed % 3 == 1 ? 20 : 250;
	uint64_t state = seed * 2654435761 + 1;

	for (uint64_t i = 0; i < WORDS_RANDOM;) {
		uint64_t run = 1 + random_next(&state) % longest;
		uint64_t kind = random_next(&state) % 3;

		for (; run > 0 && i < WORDS_RANDOM; run--, i++)
			words[i] = kind == 0 ? 0 : kind == 1 ? ONES : random_next(&state);
	}
}

START_TEST(every_piece_size)
{
	uint64_t words[WORDS_RANDOM];
	const size_t size_bytes = (size_t)_i;

	for (uint64_t seed = 0; seed < 30; seed++) {
		fill(words, seed);
		(void)pass(words_encode, words, WORDS_RANDOM, size_bytes);
		ck_assert_mem_eq(told.words, words, sizeof(words));
		ck_assert_uint_eq(told.count, WORDS_RANDOM);

		(void)pass(words_encode_set, words, WORDS_RANDOM, size_bytes);
		for (int i = 0; i < WORDS_RANDOM; i++)
			if (told.words[i] == UNTOLD)
				told.words[i] = 0;
		ck_assert_mem_eq(told.words, words, sizeof(words));
	}
}
END_TEST

/* A piece is as full as it can be: neither another word would have gone in nor a longer token. */
START_TEST(pieces_are_full)
{
	uint64_t words[WORDS_RANDOM], cursor;

	for (int i = 0; i < WORDS_RANDOM; i++)
		words[i] = 5;
	for (size_t size_bytes = 64; size_bytes <= 600; size_bytes++) {
		cursor = 0;
		told_begin();
		ck_assert_uint_gt(
			pass_piece(words_encode, words, WORDS_RANDOM, &cursor, size_bytes) + 1 + 8,
			size_bytes);
		ck_assert_uint_eq(told.count, cursor);
	}
}
END_TEST

/* Tokens of one byte and of two, for each kind. */
START_TEST(every_count)
{
	uint64_t words[WORDS_RANDOM];
	const uint64_t kinds[] = { 0, ONES, 5 };

	for (uint64_t kind = 0; kind < 3; kind++) {
		for (uint64_t i = 0; i < WORDS_RANDOM; i++)
			words[i] = kinds[kind];
		for (uint64_t count = 1; count <= WORDS_RANDOM; count++) {
			size_t bytes = 8 + (count < 32 ? 1 : 2);

			if (kind == 2)
				bytes += 8 * count;
			ck_assert_uint_eq(pass(words_encode, words, count, 4096), bytes);
			ck_assert_uint_eq(told.count, count);
			ck_assert_mem_eq(told.words, words, count * sizeof(words[0]));
		}
	}
}
END_TEST

/* A run is taken out of literals even if it is one word: 20 bytes for four words, not 32. */
START_TEST(short_runs)
{
	uint64_t words[WORDS_RANDOM];

	for (uint64_t i = 0; i < WORDS_RANDOM; i++)
		words[i] = i % 2 == 0 ? 5 : i % 4 == 1 ? 0 : ONES;
	ck_assert_uint_eq(pass(words_encode, words, WORDS_RANDOM, 4096), 8 + 20 * 75);
	ck_assert_mem_eq(told.words, words, sizeof(words));
}
END_TEST

/* One byte is left: a run of 31 words goes in, one of 32 does not, and is whole in the next piece. */
START_TEST(run_at_the_edge)
{
	for (uint64_t run = 31; run <= 32; run++) {
		uint64_t words[12 + 32], cursor = 0;

		for (uint64_t i = 0; i < 12 + run; i++)
			words[i] = i < 6 ? 5 : i < 12 && i % 2 ? 0 : ONES;
		told_begin();
		ck_assert_uint_eq(pass_piece(words_encode, words, 12 + run, &cursor, 64),
				  run == 31 ? 64 : 63);
		ck_assert_uint_eq(cursor, run == 31 ? 12 + run : 12);
		if (run == 31)
			continue;
		ck_assert_uint_eq(pass_piece(words_encode, words, 12 + run, &cursor, 64), 10);
		ck_assert_uint_eq(told.calls, 6 + 6 + 1);
		ck_assert_mem_eq(told.words, words, sizeof(words));
	}
}
END_TEST

/* ---- what is no piece ---- */

#define FROM(word) word, 0, 0, 0, 0, 0, 0, 0
#define PIECE(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static const struct {
	const uint8_t *bytes;
	size_t length_bytes;
	uint64_t word_count;
	int wanted;
} pieces[] = {
	{ PIECE(FROM(0), 4), 1, 0 },
	{ PIECE(FROM(0), 4), 0, -EBADMSG },
	/* no token, no first word */
	{ PIECE(FROM(0)), 9, -EBADMSG },
	{ PIECE(0, 0, 0, 0, 0, 0, 0), 9, -EBADMSG },
	/* unknown kind, count 0 of each kind; alone and behind a good token */
	{ PIECE(FROM(0), 7), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 7), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 0), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 1), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 2), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 3), 9, -EBADMSG },
	/* one word in 1, 2, and 10 bytes */
	{ PIECE(FROM(0), 4, 4), 9, 0 },
	{ PIECE(FROM(0), 4, 0x84, 0), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0), 9, -EBADMSG },
	/* 10 bytes that are needed: 2^61 words, if there were so many; and a bit too high for 64 */
	{ PIECE(FROM(0), 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1),
	  UINT64_C(1) << 61, 0 },
	{ PIECE(FROM(0), 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1),
	  (UINT64_C(1) << 61) - 1, -EBADMSG },
	{ PIECE(FROM(0), 0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2), ONES, -EBADMSG },
	{ PIECE(FROM(0), 0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 1), ONES,
	  -EBADMSG },
	/* a varint without an end */
	{ PIECE(FROM(0), 4, 0x84), 9, -EBADMSG },
	/* words beyond the last; a first word so high that the sum wraps */
	{ PIECE(FROM(0), 36), 9, 0 },
	{ PIECE(FROM(0), 37), 9, 0 },
	{ PIECE(FROM(0), 40), 9, -EBADMSG },
	{ PIECE(FROM(0), 36, 5), 9, -EBADMSG },
	{ PIECE(FROM(8), 4), 9, 0 },
	{ PIECE(FROM(9), 4), 9, -EBADMSG },
	{ PIECE(FROM(10), 4), 9, -EBADMSG },
	{ PIECE(255, 255, 255, 255, 255, 255, 255, 255, 8), 9, -EBADMSG },
	{ PIECE(240, 255, 255, 255, 255, 255, 255, 255, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		0x80, 0x80, 1),
	  ONES, -EBADMSG },
	{ PIECE(FROM(8), 6, 1, 2, 3, 4, 5, 6, 7, 8), 9, 0 },
	{ PIECE(FROM(8), 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8), 9, -EBADMSG },
	/* literals that are not there; so many that their bytes wrap */
	{ PIECE(FROM(0), 4, 6, 1, 2, 3, 4, 5, 6, 7), 9, -EBADMSG },
	{ PIECE(FROM(0), 10, 1, 2, 3, 4, 5, 6, 7, 8), 9, -EBADMSG },
	{ PIECE(FROM(0), 4, 6), 9, -EBADMSG },
	{ PIECE(FROM(0), 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), ONES, -EBADMSG },
};

START_TEST(refused)
{
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		told_begin();
		ck_assert_msg(decode(pieces[i].bytes, pieces[i].length_bytes,
				     pieces[i].word_count) == pieces[i].wanted,
			      "piece %zu", i);
		ck_assert(told.calls > 0 || pieces[i].wanted < 0);
	}
}
END_TEST

/* Cut between tokens it is a piece that tells less, anywhere else none. */
START_TEST(truncated)
{
	for (size_t length_bytes = 0; length_bytes < sizeof(sample_bytes); length_bytes++) {
		bool whole = length_bytes == 9 || length_bytes == 10 || length_bytes == 27 ||
			     length_bytes == 29 || length_bytes == 38;

		told_begin();
		ck_assert_int_eq(decode(sample_bytes, length_bytes, 139), whole ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(any_byte)
{
	uint8_t bytes[sizeof(sample_bytes)];

	for (size_t at = 0; at < sizeof(bytes); at++) {
		for (int flip = 1; flip < 256; flip++) {
			memcpy(bytes, sample_bytes, sizeof(bytes));
			bytes[at] = (uint8_t)(bytes[at] ^ flip);
			told_begin();
			(void)decode(bytes, sizeof(bytes), 139);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words_codec");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_test(all, golden);
	tcase_add_test(all, uniform);
	tcase_add_test(all, sparse_large);
	tcase_add_test(all, dense_large);
	tcase_add_loop_test(all, every_piece_size, 64, 201);
	tcase_add_test(all, pieces_are_full);
	tcase_add_test(all, every_count);
	tcase_add_test(all, short_runs);
	tcase_add_test(all, run_at_the_edge);
	tcase_add_test(all, refused);
	tcase_add_test(all, truncated);
	tcase_add_test(all, any_byte);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
