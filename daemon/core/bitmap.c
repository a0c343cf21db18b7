/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bitmap with a count and a second level: see bitmap.h. */
#include "bitmap.h"

#include <assert.h>
#include <string.h>

static uint64_t words_for(uint64_t bits)
{
	return (bits + 63) / 64;
}

static size_t align64(uint64_t bytes)
{
	return (size_t)((bytes + 63) & ~UINT64_C(63));
}

size_t bitmap_bytes(uint64_t bits)
{
	uint64_t words = words_for(bits);

	return align64(words * 8) + align64(words_for(words) * 8);
}

size_t bitmap_words_bytes(uint64_t bits)
{
	return align64(words_for(bits) * 8);
}

size_t bitmap_summary_bytes(uint64_t bits)
{
	return align64(words_for(words_for(bits)) * 8);
}

void bitmap_init(struct bitmap *bitmap, uint64_t bits, void *memory)
{
	uint8_t *bytes = memory;

	assert(bits > 0);
	bitmap->bits = bits;
	bitmap->count = 0;
	bitmap->words = (void *)bytes;
	bitmap->summary = (void *)(bytes + align64(words_for(bits) * 8));
}

bool bitmap_test(const struct bitmap *bitmap, uint64_t bit)
{
	assert(bit < bitmap->bits);
	return (bitmap->words[bit / 64] >> (bit % 64)) & 1;
}

bool bitmap_set(struct bitmap *bitmap, uint64_t bit)
{
	uint64_t word = bit / 64;

	if (bitmap_test(bitmap, bit))
		return true;
	bitmap->words[word] |= UINT64_C(1) << (bit % 64);
	bitmap->summary[word / 64] |= UINT64_C(1) << (word % 64);
	bitmap->count++;
	return false;
}

bool bitmap_clear(struct bitmap *bitmap, uint64_t bit)
{
	uint64_t word = bit / 64;

	if (!bitmap_test(bitmap, bit))
		return false;
	bitmap->words[word] &= ~(UINT64_C(1) << (bit % 64));
	if (bitmap->words[word] == 0)
		bitmap->summary[word / 64] &= ~(UINT64_C(1) << (word % 64));
	bitmap->count--;
	return true;
}

/* Sets the first `bits` bits of `words`, all others of the last word to 0. */
static void fill(uint64_t *words, uint64_t bits)
{
	memset(words, 0xff, words_for(bits) * 8);
	if (bits % 64 != 0)
		words[bits / 64] = (UINT64_C(1) << (bits % 64)) - 1;
}

void bitmap_set_all(struct bitmap *bitmap)
{
	fill(bitmap->words, bitmap->bits);
	fill(bitmap->summary, words_for(bitmap->bits));
	bitmap->count = bitmap->bits;
}

void bitmap_clear_all(struct bitmap *bitmap)
{
	uint64_t words = words_for(bitmap->bits);

	if (bitmap->count == 0)
		return;
	memset(bitmap->words, 0, words * 8);
	memset(bitmap->summary, 0, words_for(words) * 8);
	bitmap->count = 0;
}

/* The first set bit of `words` at or after `from`, `bits` bits in all, or BITMAP_NONE. */
static uint64_t find(const uint64_t *words, uint64_t bits, uint64_t from)
{
	uint64_t word;

	if (from >= bits)
		return BITMAP_NONE;
	word = words[from / 64] & (UINT64_MAX << (from % 64));
	for (uint64_t w = from / 64;; word = words[w]) {
		if (word != 0)
			return w * 64 + (uint64_t)__builtin_ctzll(word);
		if (++w >= words_for(bits))
			return BITMAP_NONE;
	}
}

uint64_t bitmap_next(const struct bitmap *bitmap, uint64_t from)
{
	uint64_t rest;
	uint64_t word;

	if (bitmap->count == 0 || from >= bitmap->bits)
		return BITMAP_NONE;
	rest = bitmap->words[from / 64] >> (from % 64);
	if (rest != 0)
		return from + (uint64_t)__builtin_ctzll(rest);
	word = find(bitmap->summary, words_for(bitmap->bits), from / 64 + 1);
	if (word == BITMAP_NONE)
		return BITMAP_NONE;
	return word * 64 + (uint64_t)__builtin_ctzll(bitmap->words[word]);
}

bool bitmap_any(const struct bitmap *bitmap, uint64_t from, uint64_t count)
{
	uint64_t bit = bitmap_next(bitmap, from);

	return bit != BITMAP_NONE && bit - from < count;
}

uint64_t bitmap_words(const struct bitmap *bitmap)
{
	return words_for(bitmap->bits);
}

/* Without a call of the compiler's library. */
static uint64_t ones(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return word * UINT64_C(0x0101010101010101) >> 56;
}

void bitmap_put_word(struct bitmap *bitmap, uint64_t word, uint64_t bits)
{
	assert(word < words_for(bitmap->bits));
	if (word == bitmap->bits / 64)
		bits &= (UINT64_C(1) << (bitmap->bits % 64)) - 1;
	bitmap->count -= ones(bitmap->words[word]);
	bitmap->count += ones(bits);
	bitmap->words[word] = bits;
	if (bits != 0)
		bitmap->summary[word / 64] |= UINT64_C(1) << (word % 64);
	else
		bitmap->summary[word / 64] &= ~(UINT64_C(1) << (word % 64));
}

void bitmap_adopt(struct bitmap *bitmap, uint64_t bits, void *words, void *summary)
{
	assert(bits > 0);
	bitmap->bits = bits;
	bitmap->count = 0;
	bitmap->words = words;
	bitmap->summary = summary;
	if (bits % 64 != 0)
		bitmap->words[bits / 64] &= (UINT64_C(1) << (bits % 64)) - 1;
	for (uint64_t w = 0; w < words_for(bits); w++) {
		if (bitmap->words[w] == 0)
			continue;
		bitmap->summary[w / 64] |= UINT64_C(1) << (w % 64);
		bitmap->count += ones(bitmap->words[w]);
	}
}

void bitmap_copy(struct bitmap *to, const struct bitmap *from)
{
	uint64_t words = words_for(from->bits);

	assert(to->bits == from->bits);
	memcpy(to->words, from->words, words * 8);
	memcpy(to->summary, from->summary, words_for(words) * 8);
	to->count = from->count;
}

void bitmap_subtract(struct bitmap *bitmap, const struct bitmap *minus)
{
	assert(bitmap->bits == minus->bits);
	for (uint64_t w = 0; w < words_for(bitmap->bits); w++)
		if ((bitmap->words[w] & minus->words[w]) != 0)
			bitmap_put_word(bitmap, w, bitmap->words[w] & ~minus->words[w]);
}
