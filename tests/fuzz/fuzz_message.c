/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the decoders of what the group's members send.  Byte 0 chooses: bit 0 clear, messages one after the other, each of
 * which must encode to the same bytes (unless bit 7 is set the first one's length is made right: a fuzzer does not guess
 * it), and whose data is tried as a piece of a bitmap; bit 0 set, such a piece alone.  Words that are told must come out
 * again of the pieces that they are encoded to.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "group_message.h"
#include "words_codec.h"

#define WORD_COUNT 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	uint64_t words[WORD_COUNT];
	uint64_t next;
	bool any;
};

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void tell(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	struct told *told = context;

	expect(first_word >= told->next && count >= 1 && first_word < WORD_COUNT &&
	       count <= WORD_COUNT - first_word);
	told->next = first_word + count;
	told->any = true;
	for (uint64_t i = 0; i < count; i++)
		told->words[first_word + i] = word;
}

/* In a bitmap as large as can be named: what is told has its place there. */
static void tell_huge(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	uint64_t *next = context;

	(void)word;
	expect(first_word >= *next && count >= 1 && count <= UINT64_MAX - first_word);
	*next = first_word + count;
}

typedef size_t encode_function(const uint64_t *words, uint64_t word_count, uint64_t *cursor,
			       uint8_t *bytes, size_t size_bytes);

static void words_round_trip(const struct told *told, encode_function *encode, size_t size_bytes)
{
	uint8_t *bytes = malloc(size_bytes);
	struct told again = { .next = 0 };
	uint64_t cursor = 0;

	while (cursor < WORD_COUNT) {
		size_t length_bytes = encode(told->words, WORD_COUNT, &cursor, bytes, size_bytes);

		expect(length_bytes <= size_bytes);
		expect(length_bytes > 0 || cursor == WORD_COUNT);
		if (length_bytes > 0)
			expect(words_decode(bytes, length_bytes, WORD_COUNT, tell, &again) == 0);
		expect(again.next <= cursor);
	}
	expect(memcmp(again.words, told->words, sizeof(again.words)) == 0);
	free(bytes);
}

static void try_words(const uint8_t *bytes, size_t length_bytes)
{
	struct told told = { .next = 0 };
	uint64_t next = 0;

	(void)words_decode(bytes, length_bytes, UINT64_MAX, tell_huge, &next);
	if (words_decode(bytes, length_bytes, WORD_COUNT, tell, &told) < 0) {
		expect(!told.any);
		return;
	}
	expect(told.any);
	words_round_trip(&told, words_encode, WORDS_PIECE_BYTES_MIN + length_bytes % 128);
	words_round_trip(&told, words_encode_set, WORDS_PIECE_BYTES_MIN + length_bytes % 128);
}

static void message_round_trip(const struct group_message *message, const uint8_t *bytes,
			       size_t length_bytes)
{
	uint8_t again[MESSAGE_BYTES_MAX];

	expect(group_message_encode(message, again, length_bytes - 1) == -ENOSPC);
	expect(group_message_encode(message, again, sizeof(again)) == (int)length_bytes);
	expect(memcmp(again, bytes, length_bytes) == 0);
}

static void try_messages(const uint8_t *bytes, size_t length_bytes)
{
	struct group_message message, before;
	int r;

	while (length_bytes > 0) {
		memset(&message, 0xee, sizeof(message));
		memcpy(&before, &message, sizeof(before));
		r = group_message_decode(bytes, length_bytes, &message);
		if (r < 0) {
			expect(r == -EBADMSG || r == -EPROTONOSUPPORT || r == -ENOTSUP);
			expect(memcmp(&message, &before, sizeof(message)) == 0);
			return;
		}
		expect(r > 0 && (size_t)r <= length_bytes);
		expect(message.data_bytes == 0 ||
		       (message.data >= bytes && message.data + message.data_bytes <= bytes + r));
		message_round_trip(&message, bytes, (size_t)r);
		if (message.data_bytes > 0)
			try_words(message.data, message.data_bytes);
		bytes += r;
		length_bytes -= (size_t)r;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (size == 0)
		return 0;
	size--;
	bytes = malloc(size); /* to the byte, for the sanitizer */
	memcpy(bytes, data + 1, size);
	if (data[0] & 1) {
		try_words(bytes, size);
	} else {
		if (!(data[0] & 0x80) && size >= 4) {
			for (int i = 0; i < 4; i++)
				bytes[i] = (uint8_t)(size >> (8 * i));
		}
		try_messages(bytes, size);
	}
	free(bytes);
	return 0;
}
