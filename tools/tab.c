/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of /etc/dmclogtab: see tab.h.  The file is in tab_file.c. */
#include "tools/tab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constructor.h"

/* What device-mapper and systemd take without writing it otherwise. */
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.:-";
static const char blanks[] = " \t";

struct parser {
	struct tab_entry entry;
	bool first_time;
	bool core; /* said as an option */
	char *message;
	size_t message_bytes;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format,
							...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(parser->message, parser->message_bytes, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* ---- words ---- */

static bool is_name(const char *text, size_t bytes_max)
{
	size_t length = strlen(text);

	return length > 0 && length < bytes_max && strspn(text, name_characters) == length &&
	       text[0] != '-' && text[0] != '.';
}

/* "512K", "1024s": in sectors. */
static bool parse_size(const char *text, uint64_t *ret_sectors)
{
	static const char suffixes[] = "KMGT";
	uint64_t number = 0;
	const char *suffix;
	unsigned int shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (number > (UINT64_MAX >> 10) / 10)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	if (strcmp(text, "s") == 0) {
		*ret_sectors = number;
		return true;
	}
	suffix = *text == '\0' ? NULL : strchr(suffixes, *text);
	if (*text != '\0' && (suffix == NULL || text[1] != '\0'))
		return false;
	if (suffix != NULL)
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	if (number > UINT64_MAX >> shift || (number << shift) % 512 != 0)
		return false;
	*ret_sectors = (number << shift) / 512;
	return true;
}

static int take_path(struct parser *parser, const char *what, const char *path, char *ret_path)
{
	if (path[0] != '/')
		return refuse(parser, "%s '%.60s': the path of a device is needed, as /dev/sdb",
			      what, path);
	if (strlen(path) >= TAB_PATH_BYTES)
		return refuse(parser, "%s '%.60s...' has more than %d characters", what, path,
			      TAB_PATH_BYTES - 1);
	memcpy(ret_path, path, strlen(path) + 1);
	return 0;
}

static int take_legs(struct parser *parser, char *text)
{
	struct tab_entry *entry = &parser->entry;
	int r;

	for (char *leg = strsep(&text, ","); leg != NULL; leg = strsep(&text, ",")) {
		if (entry->leg_count == CORE_LEGS_MAX)
			return refuse(parser, "more than %d legs", CORE_LEGS_MAX);
		r = take_path(parser, "leg", leg, entry->legs[entry->leg_count]);
		if (r < 0)
			return r;
		for (uint32_t i = 0; i < entry->leg_count; i++)
			if (strcmp(leg, entry->legs[i]) == 0)
				return refuse(parser, "leg '%.60s' comes twice", leg);
		if (strcmp(leg, entry->log) == 0)
			return refuse(parser, "'%.60s' is the log device and a leg", leg);
		entry->leg_count++;
	}
	if (entry->leg_count < 2)
		return refuse(parser,
			      "a mirror needs two legs, with a comma and no blank between them");
	return 0;
}

/* ---- options ---- */

static int take_region_size(struct parser *parser, const char *value)
{
	uint64_t sectors = 0;

	if (!parse_size(value, &sectors) || sectors < CONSTRUCTOR_REGION_SECTORS_MIN ||
	    sectors > UINT32_MAX || (sectors & (sectors - 1)) != 0)
		return refuse(parser,
			      "region-size=%.40s: a power of two from 4K is needed, as 512K",
			      value);
	parser->entry.region_sectors = (uint32_t)sectors;
	return 0;
}

static int take_uuid(struct parser *parser, const char *value)
{
	if (!is_name(value, REQUEST_UUID_SIZE))
		return refuse(parser,
			      "uuid=%.40s: letters, digits and _.:- are needed, at most %d, not "
			      "- or . first",
			      value, REQUEST_UUID_SIZE - 1);
	memcpy(parser->entry.uuid, value, strlen(value) + 1);
	return 0;
}

static int take_option(struct parser *parser, char *option)
{
	struct tab_entry *entry = &parser->entry;
	char *value = strchr(option, '=');

	if (value != NULL)
		*value++ = '\0';
	if (value != NULL && strcmp(option, "region-size") == 0)
		return take_region_size(parser, value);
	if (value != NULL && strcmp(option, "uuid") == 0)
		return take_uuid(parser, value);
	if (value != NULL && strcmp(option, "size") == 0)
		return parse_size(value, &entry->sectors) && entry->sectors > 0 ?
			       0 :
			       refuse(parser,
				      "size=%.40s: a number of bytes is needed, as 100G, or of "
				      "sectors, as 2048s",
				      value);
	if (value == NULL && strcmp(option, "noauto") == 0)
		entry->noauto = true;
	else if (value == NULL && strcmp(option, "core") == 0)
		parser->core = true;
	else if (value == NULL && strcmp(option, "nosync") == 0 && parser->first_time)
		entry->nosync = true;
	else if (value == NULL && strcmp(option, "nosync") == 0)
		return refuse(
			parser,
			"nosync is for 'dmclog create' only: at each activation it would hide "
			"what is out of sync");
	else
		return refuse(parser,
			      "'%.40s' is not an option; region-size=, size=, uuid=, core, noauto "
			      "are",
			      option);
	return 0;
}

static int take_options(struct parser *parser, char *text)
{
	int r = 0;

	for (char *option = strsep(&text, ","); option != NULL && r == 0;
	     option = strsep(&text, ","))
		if (strcmp(option, "") != 0 && strcmp(option, "defaults") != 0)
			r = take_option(parser, option);
	return r;
}

/* ---- a line ---- */

static char *word_next(char **rest)
{
	char *word;

	if (*rest == NULL)
		return NULL;
	*rest += strspn(*rest, blanks);
	word = strsep(rest, blanks);
	return word[0] == '\0' ? NULL : word;
}

static int take_words(struct parser *parser, char *rest)
{
	struct tab_entry *entry = &parser->entry;
	char *name = word_next(&rest), *log = word_next(&rest), *legs = word_next(&rest);
	char *options = word_next(&rest);
	int r = 0;

	if (legs == NULL)
		return refuse(parser,
			      "NAME LOG LEG,LEG [OPTION,...] are needed, LOG as - for a log "
			      "in memory");
	if (!is_name(name, TAB_NAME_BYTES))
		return refuse(parser,
			      "name '%.60s': letters, digits and _.:- are needed, at most %d, not "
			      "- or . first",
			      name, TAB_NAME_BYTES - 1);
	memcpy(entry->name, name, strlen(name) + 1);
	memcpy(entry->uuid, name, strlen(name) + 1);
	if (strcmp(log, "-") != 0)
		r = take_path(parser, "log device", log, entry->log);
	if (r == 0)
		r = take_legs(parser, legs);
	if (r == 0 && options != NULL)
		r = take_options(parser, options);
	if (r == 0 && word_next(&rest) != NULL)
		return refuse(parser, "options are separated by commas, without blanks");
	if (r == 0 && parser->core && entry->log[0] != '\0')
		return refuse(parser, "core is a log in memory: - is needed as its device");
	return r;
}

int tab_parse(const char *line, bool first_time, struct tab_entry *ret_entry, char *message,
	      size_t message_bytes)
{
	struct parser parser = { .entry = { .region_sectors = TAB_REGION_SECTORS_DEFAULT },
				 .first_time = first_time,
				 .message = message,
				 .message_bytes = message_bytes };
	size_t length = strcspn(line, "\n");
	char copy[TAB_LINE_BYTES];
	const char *at = line + strspn(line, blanks);
	int r;

	if (*at == '\0' || *at == '\n' || *at == '#')
		return 0;
	if (length >= sizeof(copy))
		return refuse(&parser, "the line has more than %d characters", TAB_LINE_BYTES - 1);
	memcpy(copy, line, length);
	copy[length] = '\0';
	r = take_words(&parser, copy);
	if (r < 0)
		return r;
	*ret_entry = parser.entry;
	return 1;
}

int tab_format(const struct tab_entry *entry, char *line, size_t line_bytes)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	int r;

	if (out == NULL)
		return -ENOMEM;
	(void)fprintf(out, "%s %s ", entry->name, entry->log[0] == '\0' ? "-" : entry->log);
	for (uint32_t i = 0; i < entry->leg_count; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "" : ",", entry->legs[i]);
	(void)fprintf(out, " region-size=%" PRIu32 "s", entry->region_sectors);
	if (entry->sectors > 0)
		(void)fprintf(out, ",size=%" PRIu64 "s", entry->sectors);
	if (strcmp(entry->uuid, entry->name) != 0)
		(void)fprintf(out, ",uuid=%s", entry->uuid);
	if (entry->noauto)
		(void)fprintf(out, ",noauto");
	if (fclose(out) != 0)
		r = -ENOMEM;
	else if (bytes >= line_bytes)
		r = -E2BIG;
	else
		r = 0;
	if (r == 0)
		memcpy(line, text, bytes + 1);
	free(text);
	return r;
}
