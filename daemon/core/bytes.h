/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Little-endian numbers and fixed fields, written to and read from bytes that have an end.
 *
 * A reader that meets the end early reads zeroes and remembers it: `short_of` is looked at once, after the last field.
 */
#ifndef DMCLOGD_BYTES_H
#define DMCLOGD_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct writer {
	uint8_t *bytes;
	uint32_t size;
	uint32_t used;
};

struct reader {
	const uint8_t *bytes;
	uint32_t size;
	uint32_t used;
	bool short_of;
};

static inline void put_field(struct writer *writer, const void *field, uint32_t length)
{
	assert(length <= writer->size - writer->used);
	memcpy(writer->bytes + writer->used, field, length);
	writer->used += length;
}

static inline void put_number(struct writer *writer, uint64_t number, uint32_t length)
{
	uint8_t bytes[8];

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	put_field(writer, bytes, length);
}

static inline void get_field(struct reader *reader, void *ret_field, uint32_t length)
{
	memset(ret_field, 0, length);
	if (length > reader->size - reader->used) {
		reader->short_of = true;
		return;
	}
	memcpy(ret_field, reader->bytes + reader->used, length);
	reader->used += length;
}

static inline uint64_t get_number(struct reader *reader, uint32_t length)
{
	uint8_t bytes[8];
	uint64_t number = 0;

	get_field(reader, bytes, length);
	for (uint32_t i = 0; i < length; i++)
		number |= (uint64_t)bytes[i] << (8 * i);
	return number;
}

#endif
