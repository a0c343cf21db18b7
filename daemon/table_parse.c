/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers for dm-mirror's table and status lines.
 *
 * Invariant: no byte behind the string's NUL is read, and a result is written only when all of the line that we use
 * was well formed.  Pure; owned by nobody, called from helper threads.
 */
#include "daemon/table_parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A word of the line: not NUL-terminated. */
struct word {
	const char *text;
	size_t length;
};

/* Takes the next word off *cursor; false at the end of the line. */
static bool word_next(const char **cursor, struct word *ret_word)
{
	const char *p = *cursor;

	while (*p == ' ')
		p++;
	ret_word->text = p;
	while (*p != '\0' && *p != ' ')
		p++;
	ret_word->length = (size_t)(p - ret_word->text);
	*cursor = p;
	return ret_word->length > 0;
}

static bool word_is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

/* Decimal digits only, no sign, at most `max`. */
static bool number_parse(const char *text, size_t length, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit;

		if (text[i] < '0' || text[i] > '9')
			return false;
		digit = (uint64_t)(text[i] - '0');
		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static bool number_next(const char **cursor, uint64_t max, uint64_t *ret_number)
{
	struct word word;

	return word_next(cursor, &word) && number_parse(word.text, word.length, max, ret_number);
}

/* The kernel prints a device as "%u:%u". */
static bool device_next(const char **cursor, struct table_leg *ret_leg)
{
	struct word word;
	const char *colon;
	uint64_t major, minor;
	size_t major_length;

	if (!word_next(cursor, &word))
		return false;
	colon = memchr(word.text, ':', word.length);
	if (colon == NULL)
		return false;
	major_length = (size_t)(colon - word.text);
	if (!number_parse(word.text, major_length, UINT32_MAX, &major) ||
	    !number_parse(colon + 1, word.length - major_length - 1, UINT32_MAX, &minor))
		return false;
	ret_leg->major = (uint32_t)major;
	ret_leg->minor = (uint32_t)minor;
	ret_leg->offset_sectors = 0;
	return true;
}

static int leg_count_next(const char **cursor, uint32_t *ret_count)
{
	uint64_t count;

	if (!number_next(cursor, UINT32_MAX, &count) || count == 0)
		return -EINVAL;
	if (count > CORE_LEGS_MAX)
		return -E2BIG;
	*ret_count = (uint32_t)count;
	return 0;
}

int table_parse_mirror(const char *params, struct table_mirror *ret_mirror)
{
	struct table_mirror mirror = { .leg_count = 0 };
	const char *cursor = params;
	struct word word;
	uint64_t words;
	int r;

	if (!word_next(&cursor, &word))
		return -EINVAL;
	if (!word_is(&word, "userspace"))
		return -ENOMSG;
	if (!number_next(&cursor, UINT32_MAX, &words) || words == 0)
		return -EINVAL;
	if (!word_next(&cursor, &word) || word.length >= sizeof(mirror.uuid))
		return -EINVAL;
	memcpy(mirror.uuid, word.text, word.length);
	for (uint64_t i = 1; i < words; i++)
		if (!word_next(&cursor, &word))
			return -EINVAL;
	r = leg_count_next(&cursor, &mirror.leg_count);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < mirror.leg_count; i++) {
		uint64_t offset_sectors;

		/* Offsets beyond 2^54 sectors do not fit an off_t of bytes. */
		if (!device_next(&cursor, &mirror.legs[i]) ||
		    !number_next(&cursor, INT64_MAX / 512, &offset_sectors))
			return -EINVAL;
		mirror.legs[i].offset_sectors = offset_sectors;
	}
	*ret_mirror = mirror;
	return 0;
}

/* "<sync>/<total>" */
static bool sync_next(const char **cursor)
{
	struct word word;
	const char *slash;
	uint64_t number;
	size_t length;

	if (!word_next(cursor, &word))
		return false;
	slash = memchr(word.text, '/', word.length);
	if (slash == NULL)
		return false;
	length = (size_t)(slash - word.text);
	return number_parse(word.text, length, UINT64_MAX, &number) &&
	       number_parse(slash + 1, word.length - length - 1, UINT64_MAX, &number);
}

int table_parse_status(const char *params, struct table_status *ret_status)
{
	struct table_status status = { .leg_count = 0 };
	const char *cursor = params;
	struct word word;
	uint64_t words;
	int r;

	r = leg_count_next(&cursor, &status.leg_count);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < status.leg_count; i++)
		if (!device_next(&cursor, &status.legs[i]))
			return -EINVAL;
	/* The number of words up to the log's status: the kernel prints 1, the letters. */
	if (!sync_next(&cursor) || !number_next(&cursor, 1, &words) || words != 1)
		return -EINVAL;
	if (!word_next(&cursor, &word) || word.length != status.leg_count)
		return -EINVAL;
	for (uint32_t i = 0; i < status.leg_count; i++) {
		if (memchr("AFDSRU", word.text[i], 6) == NULL)
			return -EINVAL;
		status.letters[i] = word.text[i];
	}
	*ret_status = status;
	return 0;
}
