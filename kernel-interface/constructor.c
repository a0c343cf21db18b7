/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses the constructor string of a log.
 *
 * Invariant: what is accepted describes a log that can be built; everything else is refused with a
 * sentence that somebody who typed a table line can act on.  Pure: no state, no owner.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "constructor.h"

#define MAJOR_MAX 0xfffu
#define MINOR_MAX 0xfffffu

/* Longest word quoted in a message. */
#define QUOTED_MAX 40

struct word {
	const char *text; /* not terminated */
	size_t length_bytes;
};

struct refusal {
	char *message;
	size_t message_bytes;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next word off *text.  At the end of the text its length is 0. */
static struct word word_take(const char **text)
{
	struct word word;

	while (is_blank(**text))
		(*text)++;
	word.text = *text;
	while (**text && !is_blank(**text))
		(*text)++;
	word.length_bytes = (size_t)(*text - word.text);
	return word;
}

static bool word_is(struct word word, const char *name)
{
	return word.length_bytes == strlen(name) && memcmp(word.text, name, word.length_bytes) == 0;
}

/* Says "<what> "<word>": <advice>"; a word of length 0 is a missing one.  Returns -EINVAL. */
static int refuse(const struct refusal *refusal, const char *what, struct word word,
		  const char *advice)
{
	const bool cut = word.length_bytes > QUOTED_MAX;
	const size_t quoted_bytes = cut ? QUOTED_MAX : word.length_bytes;
	char quoted[QUOTED_MAX + 1];

	for (size_t i = 0; i < quoted_bytes; i++)
		quoted[i] = word.text[i] >= ' ' && word.text[i] <= '~' ? word.text[i] : '?';
	quoted[quoted_bytes] = '\0';

	if (word.length_bytes)
		(void)snprintf(refusal->message, refusal->message_bytes, "%s \"%s%s\": %s", what,
			       quoted, cut ? "..." : "", advice);
	else
		(void)snprintf(refusal->message, refusal->message_bytes, "%s missing: %s", what,
			       advice);
	return -EINVAL;
}

/* Reads the whole word as a decimal number of at most `max`. */
static bool word_number(struct word word, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (word.length_bytes == 0)
		return false;
	for (size_t i = 0; i < word.length_bytes; i++) {
		uint64_t digit;

		if (word.text[i] < '0' || word.text[i] > '9')
			return false;
		digit = (uint64_t)(word.text[i] - '0');
		if (number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static bool word_log_type(struct word word, enum log_type *ret_type)
{
	if (word_is(word, "clustered-disk") || word_is(word, "clustered_disk"))
		*ret_type = LOG_TYPE_DISK;
	else if (word_is(word, "clustered-core") || word_is(word, "clustered_core"))
		*ret_type = LOG_TYPE_CORE;
	else
		return false;
	return true;
}

static bool word_device(struct word word, uint32_t *ret_major, uint32_t *ret_minor)
{
	const char *colon = word.length_bytes ? memchr(word.text, ':', word.length_bytes) : NULL;
	struct word major = { .text = word.text };
	struct word minor = { .text = NULL };
	uint64_t major_number, minor_number;

	if (!colon)
		return false;
	major.length_bytes = (size_t)(colon - word.text);
	minor.text = colon + 1;
	minor.length_bytes = word.length_bytes - major.length_bytes - 1;
	if (!word_number(major, MAJOR_MAX, &major_number) ||
	    !word_number(minor, MINOR_MAX, &minor_number))
		return false;
	*ret_major = (uint32_t)major_number;
	*ret_minor = (uint32_t)minor_number;
	return true;
}

static bool word_region_sectors(struct word word, uint32_t *ret_sectors)
{
	uint64_t sectors;

	if (!word_number(word, UINT32_MAX, &sectors) || sectors < CONSTRUCTOR_REGION_SECTORS_MIN ||
	    (sectors & (sectors - 1)))
		return false;
	*ret_sectors = (uint32_t)sectors;
	return true;
}

static bool word_sync(struct word word, enum sync_option *ret_sync)
{
	if (word.length_bytes == 0)
		*ret_sync = SYNC_DEFAULT;
	else if (word_is(word, "sync"))
		*ret_sync = SYNC_FORCE;
	else if (word_is(word, "nosync"))
		*ret_sync = SYNC_SKIP;
	else
		return false;
	return true;
}

int constructor_parse(const char *text, struct constructor *ret_constructor, char *message,
		      size_t message_bytes)
{
	const struct refusal refusal = { .message = message, .message_bytes = message_bytes };
	struct constructor parsed = { .type = LOG_TYPE_CORE };
	struct word word, region_word;

	word = word_take(&text);
	if (!word_number(word, UINT64_MAX, &parsed.device_sectors) || parsed.device_sectors == 0)
		return refuse(&refusal, "length of the device", word,
			      "must be a number of sectors, at least 1");

	/* userspace_ctr compares without case, and takes away one such word. */
	word = word_take(&text);
	if (word.length_bytes == strlen("integrated_flush") &&
	    strncasecmp(word.text, "integrated_flush", word.length_bytes) == 0)
		word = word_take(&text);
	if (!word_log_type(word, &parsed.type))
		return refuse(&refusal, "log type", word,
			      "must be clustered-disk or clustered-core");

	if (parsed.type == LOG_TYPE_DISK) {
		word = word_take(&text);
		if (!word_device(word, &parsed.log_major, &parsed.log_minor))
			return refuse(&refusal, "log device", word,
				      "must be MAJOR:MINOR, two decimal numbers");
	}

	region_word = word_take(&text);
	if (!word_region_sectors(region_word, &parsed.region_sectors))
		return refuse(&refusal, "region size", region_word,
			      "must be a power of two of sectors, from 8 to 2147483648");
	parsed.region_count = parsed.device_sectors / parsed.region_sectors +
			      (parsed.device_sectors % parsed.region_sectors != 0);
	if (parsed.region_count > CONSTRUCTOR_REGIONS_MAX)
		return refuse(&refusal, "region size", region_word,
			      "too small for this device, there would be more than 2^32 regions");

	word = word_take(&text);
	if (!word_sync(word, &parsed.sync))
		return refuse(&refusal, "option", word, "must be sync, nosync, or left out");
	word = word_take(&text);
	if (word.length_bytes)
		return refuse(&refusal, "extra word", word, "nothing may follow the options");

	*ret_constructor = parsed;
	return 0;
}
