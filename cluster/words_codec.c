/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bitmaps as runs and literal words: see words_codec.h for the format.
 *
 * Invariant: a call reads no word that it does not tell or skip, but one run at the most, so that a whole bitmap is told
 * in linear time; nothing of a piece is believed before all of it has been checked.  Pure: no state, no owner.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "words_codec.h"

#define FIRST_WORD_BYTES sizeof(uint64_t)
#define WORD_BYTES sizeof(uint64_t)
#define VARINT_BYTES_MAX 10

#define ALL_ZEROS UINT64_C(0)
#define ALL_ONES UINT64_MAX

enum token_kind {
	TOKEN_ZEROS = 0,
	TOKEN_ONES = 1,
	TOKEN_LITERALS = 2,
};

#define TOKEN_KIND_BITS 2
#define TOKEN_KIND_MASK ((UINT64_C(1) << TOKEN_KIND_BITS) - 1)

static_assert(WORDS_PIECE_BYTES_MIN >= FIRST_WORD_BYTES + VARINT_BYTES_MAX + WORD_BYTES,
	      "each piece gets on");

/* ---- words to bytes ---- */

/* A piece that is being written. */
struct piece {
	uint8_t *bytes;
	size_t length_bytes;
	size_t size_bytes;
};

static void put_u64(struct piece *piece, uint64_t value)
{
	for (size_t i = 0; i < sizeof(value); i++)
		piece->bytes[piece->length_bytes++] = (uint8_t)(value >> (8 * i));
}

static size_t varint_bytes(uint64_t value)
{
	size_t length_bytes = 1;

	while (value >>= 7)
		length_bytes++;
	return length_bytes;
}

static void put_varint(struct piece *piece, uint64_t value)
{
	while (value >= 0x80) {
		piece->bytes[piece->length_bytes++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	piece->bytes[piece->length_bytes++] = (uint8_t)value;
}

static uint64_t token_of(uint64_t count, enum token_kind kind)
{
	return count << TOKEN_KIND_BITS | kind;
}

/* Is there room for a token and so many bytes behind it? */
static bool piece_fits(const struct piece *piece, uint64_t token, uint64_t more_bytes)
{
	return varint_bytes(token) + more_bytes <= piece->size_bytes - piece->length_bytes;
}

static bool is_run(uint64_t word)
{
	return word == ALL_ZEROS || word == ALL_ONES;
}

/* How many of the words from here on equal the first; count >= 1. */
static uint64_t run_count(const uint64_t *words, uint64_t count)
{
	uint64_t n = 1;

	while (n < count && words[n] == words[0])
		n++;
	return n;
}

/* Adds the run that begins at words[0]; returns its words, or 0 if the token does not fit. */
static uint64_t put_run(struct piece *piece, const uint64_t *words, uint64_t count)
{
	uint64_t n = run_count(words, count);
	uint64_t token = token_of(n, words[0] == ALL_ZEROS ? TOKEN_ZEROS : TOKEN_ONES);

	if (!piece_fits(piece, token, 0))
		return 0;
	put_varint(piece, token);
	return n;
}

/* Adds as many of the literal words from words[0] on as fit, maybe 0, and returns their number.  A run ends them, even of one
 * word: two tokens of a byte or two are shorter than a word. */
static uint64_t put_literals(struct piece *piece, const uint64_t *words, uint64_t count)
{
	uint64_t n = 0;

	while (n < count && !is_run(words[n]) &&
	       piece_fits(piece, token_of(n + 1, TOKEN_LITERALS), WORD_BYTES * (n + 1)))
		n++;
	if (n == 0)
		return 0;
	put_varint(piece, token_of(n, TOKEN_LITERALS));
	for (uint64_t i = 0; i < n; i++)
		put_u64(piece, words[i]);
	return n;
}

static void piece_begin(struct piece *piece, uint64_t first_word, uint8_t *bytes, size_t size_bytes)
{
	assert(size_bytes >= WORDS_PIECE_BYTES_MIN);
	*piece = (struct piece){ .bytes = bytes, .size_bytes = size_bytes };
	put_u64(piece, first_word);
}

/* Adds tokens for words[*cursor] and on while they fit.  Returns the length up to the last token that is not of zeros. */
static size_t piece_fill(struct piece *piece, const uint64_t *words, uint64_t word_count,
			 uint64_t *cursor)
{
	size_t nonzero_bytes = piece->length_bytes;
	uint64_t n;

	while (*cursor < word_count) {
		const uint64_t *at = words + *cursor;

		n = is_run(*at) ? put_run(piece, at, word_count - *cursor) :
				  put_literals(piece, at, word_count - *cursor);
		if (n == 0)
			break;
		if (*at != ALL_ZEROS)
			nonzero_bytes = piece->length_bytes;
		*cursor += n;
	}
	return nonzero_bytes;
}

size_t words_encode(const uint64_t *words, uint64_t word_count, uint64_t *cursor, uint8_t *bytes,
		    size_t size_bytes)
{
	struct piece piece;

	assert(*cursor < word_count);
	piece_begin(&piece, *cursor, bytes, size_bytes);
	(void)piece_fill(&piece, words, word_count, cursor);
	return piece.length_bytes;
}

size_t words_encode_set(const uint64_t *words, uint64_t word_count, uint64_t *cursor,
			uint8_t *bytes, size_t size_bytes)
{
	struct piece piece;

	assert(*cursor <= word_count);
	while (*cursor < word_count && words[*cursor] == ALL_ZEROS)
		(*cursor)++;
	if (*cursor == word_count)
		return 0;
	/* Zeros in the midst are told, in fewer bytes than another piece takes; the last ones are not. */
	piece_begin(&piece, *cursor, bytes, size_bytes);
	return piece_fill(&piece, words, word_count, cursor);
}

/* ---- bytes to words ---- */

struct reader {
	const uint8_t *at;
	size_t left_bytes;
};

/* 8 bytes, whose being there has been checked. */
static uint64_t get_u64(struct reader *reader)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(value); i++)
		value |= (uint64_t)reader->at[i] << (8 * i);
	reader->at += sizeof(value);
	reader->left_bytes -= sizeof(value);
	return value;
}

/* Refuses a varint longer than its value needs, and one of more than 64 bits. */
static int get_varint(struct reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < VARINT_BYTES_MAX && reader->left_bytes > 0; i++) {
		uint8_t byte = *reader->at++;

		reader->left_bytes--;
		/* Of the tenth byte only one bit is left. */
		if (i == VARINT_BYTES_MAX - 1 && byte > 1)
			return -EBADMSG;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (byte == 0 && i > 0)
			return -EBADMSG;
		*ret_value = value;
		return 0;
	}
	return -EBADMSG;
}

/* Reads the token of words `first` and on and tells it, unless word is NULL.  *ret_count: its words. */
static int get_token(struct reader *reader, uint64_t first, uint64_t word_count,
		     words_function *word, void *context, uint64_t *ret_count)
{
	uint64_t token, count, literal;
	int r = get_varint(reader, &token);

	if (r < 0)
		return r;
	count = token >> TOKEN_KIND_BITS;
	if (count == 0 || count > word_count - first)
		return -EBADMSG;
	*ret_count = count;

	switch (token & TOKEN_KIND_MASK) {
	case TOKEN_ZEROS:
	case TOKEN_ONES:
		if (word != NULL)
			word(context, first, count, token & TOKEN_ONES ? ALL_ONES : ALL_ZEROS);
		return 0;
	case TOKEN_LITERALS:
		if (count > reader->left_bytes / WORD_BYTES)
			return -EBADMSG;
		for (uint64_t i = 0; i < count; i++) {
			literal = get_u64(reader);
			if (word != NULL)
				word(context, first + i, 1, literal);
		}
		return 0;
	default:
		return -EBADMSG;
	}
}

/* All of a piece; with word NULL only a check. */
static int get_piece(struct reader reader, uint64_t word_count, words_function *word, void *context)
{
	uint64_t first, count;
	int r;

	if (reader.left_bytes <= FIRST_WORD_BYTES)
		return -EBADMSG;
	first = get_u64(&reader);
	if (first > word_count)
		return -EBADMSG;
	while (reader.left_bytes > 0) {
		r = get_token(&reader, first, word_count, word, context, &count);
		if (r < 0)
			return r;
		first += count;
	}
	return 0;
}

int words_decode(const uint8_t *bytes, size_t length_bytes, uint64_t word_count,
		 words_function *word, void *context)
{
	const struct reader reader = { .at = bytes, .left_bytes = length_bytes };
	int r = get_piece(reader, word_count, NULL, NULL);

	if (r < 0)
		return r;
	return get_piece(reader, word_count, word, context);
}
