/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs as a tree: see show_logs.h. */
#include "tools/show_logs.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/answer.h"
#include "tools/mirror_name.h"

#define NAME_BYTES 128

enum column {
	COLUMN_LOG,
	COLUMN_MIRROR,
	COLUMN_STATE,
	COLUMN_IN_SYNC,
	COLUMN_PERCENT,
	COLUMN_REGION,
	COLUMN_HELD,
	COLUMN_MARKED,
	COLUMN_RESYNC,
	COLUMN_NOTES,
	COLUMNS,
};

static const struct {
	const char *name;
	int flags;
} columns[COLUMNS] = {
	[COLUMN_LOG] = { "LOG", SCOLS_FL_TREE },
	[COLUMN_MIRROR] = { "DEVICE", 0 },
	[COLUMN_STATE] = { "STATE", 0 },
	[COLUMN_IN_SYNC] = { "IN-SYNC", SCOLS_FL_RIGHT },
	[COLUMN_PERCENT] = { "%", SCOLS_FL_RIGHT },
	[COLUMN_REGION] = { "REGION", SCOLS_FL_RIGHT },
	[COLUMN_HELD] = { "HELD", SCOLS_FL_RIGHT },
	[COLUMN_MARKED] = { "MARKED", SCOLS_FL_RIGHT },
	[COLUMN_RESYNC] = { "RESYNC", 0 },
	[COLUMN_NOTES] = { "NOTES", 0 },
};

/* What somebody must look at, what goes on, what is well. */
static const char bad[] = "red", busy[] = "yellow", good[] = "green";

__attribute__((format(printf, 3, 4))) static int put(struct libscols_line *line, enum column column,
						     const char *format, ...)
{
	char data[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(data, sizeof(data), format, arguments);
	va_end(arguments);
	return scols_line_set_data(line, column, data);
}

/* "512K", from sectors. */
static void size_word(uint64_t sectors, char *word, size_t bytes)
{
	static const char suffixes[] = "KMGTPE";
	uint64_t size = sectors / 2; /* KiB */
	int i = 0;

	for (; size >= 1024 && size % 1024 == 0 && suffixes[i + 1] != '\0'; i++)
		size /= 1024;
	if (sectors % 2 != 0)
		(void)snprintf(word, bytes, "%" PRIu64 "s", sectors);
	else
		(void)snprintf(word, bytes, "%" PRIu64 "%c", size, suffixes[i]);
}

/* "copying" also between two copies, as long as nothing is told to be in its way. */
static const char *resync_state(const struct json_object *log)
{
	const struct json_object *waits = answer_get(log, "waits");

	if (answer_flag(answer_get(log, "resync"), "paused"))
		return "paused";
	if (answer_number(log, "in_sync") == answer_number(log, "regions"))
		return "-";
	for (size_t i = 0; i < answer_count(waits); i++)
		if (strcmp(answer_text(json_object_array_get_idx(waits, i), "what"), "copying") ==
		    0)
			return "waiting";
	return answer_number(log, "resumed") > 0 ? "copying" : "-";
}

void show_percentage(uint64_t part, uint64_t whole, char *word, size_t word_bytes)
{
	double share = whole == 0 ? 100 : (double)part / (double)whole * 100;

	if (part < whole && share > 99.9)
		share = 99.9;
	(void)snprintf(word, word_bytes, share > 99 && part < whole ? "%.1f%%" : "%.0f%%",
		       share > 99 ? share : (double)(unsigned int)share);
}

void show_duration(uint64_t seconds, char *word, size_t word_bytes)
{
	uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (seconds < 60)
		(void)snprintf(word, word_bytes, "%" PRIu64 " s", seconds);
	else if (minutes < 60)
		(void)snprintf(word, word_bytes, "%" PRIu64 " min", minutes);
	else if (hours < 24)
		(void)snprintf(word, word_bytes, "%" PRIu64 " h %" PRIu64 " min", hours,
			       minutes % 60);
	else
		(void)snprintf(word, word_bytes, "%" PRIu64 " d %" PRIu64 " h", days, hours % 24);
}

/* "10M" where it is even, as the operator gave it; else "10.5M". */
static void rate_word(uint64_t rate, char *word, size_t bytes)
{
	static const char suffixes[] = "KMGTPE";
	double size = (double)rate / 1024;
	int i = 0;

	for (; size >= 1024 && suffixes[i + 1] != '\0'; i++)
		size /= 1024;
	(void)snprintf(word, bytes, size == (double)(uint64_t)size ? "%.0f%c" : "%.1f%c", size,
		       suffixes[i]);
}

/* "copying 20M/s, 3 min left <=10M/s" */
static void resync_word(const struct json_object *log, char *word, size_t bytes)
{
	const struct json_object *resync = answer_get(log, "resync");
	const struct json_object *left = answer_get(resync, "seconds_left");
	uint64_t rate = answer_number(resync, "rate"), speed = answer_number(resync, "speed");
	const char *state = resync_state(log);
	char limit[32] = "", now[32] = "", time[32] = "";

	if (rate > 0)
		rate_word(rate, limit, sizeof(limit));
	if (speed > 0 && strcmp(state, "-") != 0)
		rate_word(speed, now, sizeof(now));
	if (left != NULL && strcmp(state, "copying") == 0)
		show_duration(answer_number(resync, "seconds_left"), time, sizeof(time));
	(void)snprintf(word, bytes, "%s%s%s%s%s%s%s%s%s%s", state, now[0] != '\0' ? " " : "", now,
		       now[0] != '\0' ? "/s" : "", time[0] != '\0' ? ", " : "", time,
		       time[0] != '\0' ? " left" : "", rate > 0 ? " <=" : "", limit,
		       rate > 0 ? "/s" : "");
}

/* ---- rows ---- */

static const char *colour_of(const struct json_object *log)
{
	if (answer_flag(log, "device_failed") || answer_flag(log, "legs_failed"))
		return bad;
	return answer_number(log, "in_sync") < answer_number(log, "regions") ? busy : good;
}

static int add_log(struct libscols_line *line, const struct json_object *log, const char *mirror)
{
	char region[32], resync[128], percent[16];

	size_word(answer_number(log, "region_sectors"), region, sizeof(region));
	resync_word(log, resync, sizeof(resync));
	show_percentage(answer_number(log, "in_sync"), answer_number(log, "regions"), percent,
			sizeof(percent));
	return put(line, COLUMN_LOG, "%s", answer_text(log, "uuid")) |
	       put(line, COLUMN_MIRROR, "%s", mirror) |
	       put(line, COLUMN_STATE, "%s%s", answer_text(log, "phase"),
		   answer_number(log, "resumed") > 0 ? "" : ", suspended") |
	       put(line, COLUMN_IN_SYNC, "%" PRIu64 "/%" PRIu64, answer_number(log, "in_sync"),
		   answer_number(log, "regions")) |
	       put(line, COLUMN_PERCENT, "%s", percent) | put(line, COLUMN_REGION, "%s", region) |
	       put(line, COLUMN_HELD, "%" PRIu64, answer_number(log, "held")) |
	       put(line, COLUMN_MARKED, "%" PRIu64, answer_number(log, "marked")) |
	       put(line, COLUMN_RESYNC, "%s", resync) |
	       put(line, COLUMN_NOTES, "%s%s%s%s%s%s", answer_text(log, "type"),
		   answer_get(log, "device") != NULL ? " " : "", answer_text(log, "device"),
		   answer_flag(log, "device_failed") ? ", log device failed" : "",
		   answer_flag(log, "legs_failed") ? ", a leg failed" : "",
		   answer_flag(log, "everything_held") ? ", everything held" : "") |
	       scols_line_set_color(line, colour_of(log));
}

static int add_leg(struct libscols_line *line, const struct mirror_leg *leg, uint32_t number)
{
	return put(line, COLUMN_LOG, "leg %" PRIu32, number) |
	       put(line, COLUMN_MIRROR, "%s", leg->name) |
	       put(line, COLUMN_STATE, "%s", leg->state) |
	       put(line, COLUMN_NOTES, "%" PRIu32 ":%" PRIu32 "%s", leg->major, leg->minor,
		   number == 1 ? ", copied from" : "") |
	       scols_line_set_color(line, leg->failed ? bad : NULL);
}

static int add_device(struct libscols_line *line, const struct json_object *log)
{
	char name[NAME_BYTES];
	unsigned int major = 0, minor = 0;
	bool failed = answer_flag(log, "device_failed");

	name[0] = '\0';
	if (sscanf(answer_text(log, "device"), "%u:%u", &major, &minor) == 2)
		device_name(major, minor, name, sizeof(name));
	return put(line, COLUMN_LOG, "log") | put(line, COLUMN_MIRROR, "%s", name) |
	       put(line, COLUMN_STATE, "%s", failed ? "failed" : "good") |
	       put(line, COLUMN_NOTES, "%s", answer_text(log, "device")) |
	       scols_line_set_color(line, failed ? bad : NULL);
}

static int add_member(struct libscols_line *line, const struct json_object *member, uint64_t copies)
{
	const char *state = answer_text(member, "state");
	bool gone = strcmp(state, "departed") == 0 || strcmp(state, "stopped") == 0;
	char slot[32] = "no slot", copying[48] = "";

	if (answer_get(member, "slot") != NULL)
		(void)snprintf(slot, sizeof(slot), "slot %" PRIu64, answer_number(member, "slot"));
	if (copies > 0)
		(void)snprintf(copying, sizeof(copying), ", copies %" PRIu64 " region%s", copies,
			       copies > 1 ? "s" : "");
	return put(line, COLUMN_LOG, "node %" PRIu64, answer_number(member, "node")) |
	       put(line, COLUMN_STATE, "%s", state) |
	       put(line, COLUMN_NOTES, "%s%s%s%s%s%s", slot,
		   answer_flag(member, "disk_role") ? ", disk role" : "", copying,
		   answer_flag(member, "has_state") ? "" : ", without the state",
		   answer_flag(member, "device_failed") ? ", log device failed" : "",
		   answer_flag(member, "legs_failed") ? ", a leg failed" : "") |
	       scols_line_set_color(line, gone ? bad : NULL);
}

/* ---- the tree ---- */

struct tree {
	struct libscols_table *table;
	uint64_t own_node;
};

static int fill_legs(const struct tree *tree, struct libscols_line *parent,
		     const struct mirror_legs *legs)
{
	int r = 0;

	for (uint32_t i = 0; i < legs->count && r == 0; i++) {
		struct libscols_line *line = scols_table_new_line(tree->table, parent);

		r = line == NULL ? -ENOMEM : add_leg(line, &legs->leg[i], i + 1);
	}
	return r;
}

static int fill_members(const struct tree *tree, struct libscols_line *parent,
			const struct json_object *log)
{
	const struct json_object *members = answer_get(log, "members");
	uint64_t copies = answer_number(answer_get(log, "resync"), "copies");
	int r = 0;

	for (size_t i = 0; i < answer_count(members) && r == 0; i++) {
		const struct json_object *member = json_object_array_get_idx(members, i);
		struct libscols_line *line = scols_table_new_line(tree->table, parent);
		bool own = answer_number(member, "node") == tree->own_node;

		r = line == NULL ? -ENOMEM : add_member(line, member, own ? copies : 0);
	}
	return r;
}

static int fill_log(const struct tree *tree, const struct json_object *log)
{
	struct libscols_line *parent = scols_table_new_line(tree->table, NULL), *line;
	struct mirror_legs legs;
	int r;

	if (parent == NULL)
		return -ENOMEM;
	mirror_look(answer_text(log, "uuid"), &legs);
	r = add_log(parent, log, legs.mirror);
	if (r == 0)
		r = fill_legs(tree, parent, &legs);
	if (r == 0 && answer_get(log, "device") != NULL) {
		line = scols_table_new_line(tree->table, parent);
		r = line == NULL ? -ENOMEM : add_device(line, log);
	}
	return r == 0 ? fill_members(tree, parent, log) : r;
}

static int fill_table(struct tree *tree, const struct json_object *logs)
{
	int r = 0;

	for (int i = 0; i < COLUMNS; i++)
		if (scols_table_new_column(tree->table, columns[i].name, 0, columns[i].flags) ==
		    NULL)
			return -ENOMEM;
	for (size_t i = 0; i < answer_count(logs) && r == 0; i++)
		r = fill_log(tree, json_object_array_get_idx(logs, i));
	return r == 0 ? 0 : -ENOMEM;
}

int show_logs(const struct json_object *logs, uint64_t own_node, const struct show_style *style,
	      FILE *out)
{
	struct tree tree = { .own_node = own_node };
	int r;

	if (answer_count(logs) == 0) {
		(void)fprintf(out, "no mirror uses dmclogd\n");
		return 0;
	}
	scols_init_debug(0);
	tree.table = scols_new_table();
	if (tree.table == NULL)
		return -ENOMEM;
	scols_table_set_stream(tree.table, out);
	scols_table_enable_colors(tree.table, style->colours);
	if (style->width > 0) {
		scols_table_set_termforce(tree.table, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(tree.table, style->width);
	}
	r = fill_table(&tree, logs);
	if (r == 0)
		r = scols_print_table(tree.table);
	scols_unref_table(tree.table);
	return r;
}
