/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bitmaps as bytes: runs of equal 64-bit words, and literal words, in pieces of bounded size.  Pure.
 *
 * A piece is: u64 first_word (little-endian), then tokens until its end.  A token is a varint (7 bits a byte, low first,
 * at most 10 bytes) of (count << 2 | kind), count >= 1 words:
 *   kind 0: all bits 0    kind 1: all bits 1    kind 2: followed by count little-endian u64
 * A piece has at least one token.  Words that no token covers are not told.  A bitmap that is all 0 or all 1 needs 18 bytes,
 * whatever its size; a random one 8 bytes a word and a few for each piece.
 */
#ifndef DMCLOGD_WORDS_CODEC_H
#define DMCLOGD_WORDS_CODEC_H

#include <stddef.h>
#include <stdint.h>

#define WORDS_PIECE_BYTES_MIN 64

/*
 * Encodes words[*cursor] up to word_count into one piece of at most size_bytes (at least WORDS_PIECE_BYTES_MIN, asserted) and
 * moves *cursor behind what the piece tells; *cursor == word_count: all is told.  Precondition: *cursor < word_count.
 * Returns the bytes written.
 */
size_t words_encode(const uint64_t *words, uint64_t word_count, uint64_t *cursor, uint8_t *bytes,
		    size_t size_bytes);
/* The same, leaving zero words untold wherever that is shorter: for sets that are merged into others.  *cursor may be
 * word_count.  Returns 0, with *cursor == word_count, when nothing is left to tell; that is no piece. */
size_t words_encode_set(const uint64_t *words, uint64_t word_count, uint64_t *cursor,
			uint8_t *bytes, size_t size_bytes);

/* Gets each word of a piece in rising order.  Runs are told whole: `count` words with the same `word`. */
typedef void words_function(void *context, uint64_t first_word, uint64_t count, uint64_t word);

/*
 * Calls word() for all that the piece tells, in a bitmap of word_count words.  Returns 0, or -EBADMSG for a piece that is
 * truncated, has no token or an unknown one, an overlong varint, a count of 0, or words beyond word_count; word() has
 * then not been called at all.
 */
int words_decode(const uint8_t *bytes, size_t length_bytes, uint64_t word_count,
		 words_function *word, void *context);

#endif
