/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bitmap that knows how many bits are set and finds the next set bit fast.
 *
 * A second level holds one bit for each word that is not zero, so that a search over 16 million
 * regions reads a few kilobytes.  Memory is the caller's; private to the core.  A bit is changed by one store, for who
 * reads the words after this process has been killed.
 */
#ifndef DMCLOGD_BITMAP_H
#define DMCLOGD_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITMAP_NONE UINT64_MAX

struct bitmap {
	uint64_t bits;     /* size */
	uint64_t count;    /* bits set */
	uint64_t *words;   /* bit b is bit b % 64 of word b / 64 */
	uint64_t *summary; /* bit w: words[w] is not 0 */
};

/* Bytes of memory that a bitmap of `bits` bits needs, a multiple of 64. */
size_t bitmap_bytes(uint64_t bits);

/* Makes an empty bitmap in `memory`, which must be zeroed and aligned to 8. */
void bitmap_init(struct bitmap *bitmap, uint64_t bits, void *memory);

/* The same in two places: bits that are there already count.  The words need bitmap_words_bytes(), the rest bitmap_summary_bytes(),
 * both multiples of 64; the summary must be zeroed. */
size_t bitmap_words_bytes(uint64_t bits);
size_t bitmap_summary_bytes(uint64_t bits);
void bitmap_adopt(struct bitmap *bitmap, uint64_t bits, void *words, void *summary);

bool bitmap_test(const struct bitmap *bitmap, uint64_t bit);

/* Sets or clears one bit; returns what it was. */
bool bitmap_set(struct bitmap *bitmap, uint64_t bit);
bool bitmap_clear(struct bitmap *bitmap, uint64_t bit);

void bitmap_set_all(struct bitmap *bitmap);
void bitmap_clear_all(struct bitmap *bitmap);

/* The first set bit at or after `from`, or BITMAP_NONE. */
uint64_t bitmap_next(const struct bitmap *bitmap, uint64_t from);

/* Words of 64 bits that the bits fill. */
uint64_t bitmap_words(const struct bitmap *bitmap);
/* Puts 64 bits at once; bits beyond the end are left out. */
void bitmap_put_word(struct bitmap *bitmap, uint64_t word, uint64_t bits);
/* Both of the same size: `to` becomes `from`; `bitmap` keeps the bits that `minus` does not have. */
void bitmap_copy(struct bitmap *to, const struct bitmap *from);
void bitmap_subtract(struct bitmap *bitmap, const struct bitmap *minus);

/* True when a bit of [from, from + count) is set; what lies beyond the end is not. */
bool bitmap_any(const struct bitmap *bitmap, uint64_t from, uint64_t count);

#endif
