/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status for people: the group in a line or two, the logs with their members as a tree, and whoever waits.
 *
 * What the daemon does not tell is shown as nothing: an older one may know less.
 */
#include "tools/show.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mirror_name.h"

#define NAME_BYTES 128

/* ---- JSON, with defaults ---- */

static struct json_object *get(const struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(object, name, &value);
	return value;
}

static const char *text(const struct json_object *object, const char *name)
{
	struct json_object *value = get(object, name);

	return value == NULL ? "" : json_object_get_string(value);
}

static uint64_t number(const struct json_object *object, const char *name)
{
	return json_object_get_uint64(get(object, name));
}

static bool flag(const struct json_object *object, const char *name)
{
	return json_object_get_boolean(get(object, name));
}

static size_t count(const struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* ---- the group ---- */

static const char *node_word(const struct json_object *node)
{
	if (flag(node, "stopped"))
		return "stopped";
	if (!flag(node, "in_group"))
		return flag(node, "in_cluster") ? "no daemon" : "away";
	return flag(node, "has_state") ? "active" : "joining";
}

static void show_group(const struct json_object *answer)
{
	const struct json_object *group = get(answer, "group");
	const struct json_object *nodes = get(group, "nodes");

	printf("node %" PRIu64 " of cluster %s, boot %s: %s%s, epoch %" PRIu64 "\n",
	       number(group, "node"), text(group, "cluster"), text(group, "boot_id"),
	       flag(group, "quorate") ? "quorum" : "no quorum",
	       flag(group, "active")     ? "" :
	       flag(group, "refused")    ? ", refused by the others" :
	       !flag(group, "joined")    ? ", not in the group" :
	       !flag(group, "has_state") ? ", fetching the state" :
					   ", not active",
	       number(group, "epoch"));
	for (size_t i = 0; count(nodes) > 1 && i < count(nodes); i++) {
		const struct json_object *node = json_object_array_get_idx(nodes, i);

		printf("  node %" PRIu64 ": %s%s%s\n", number(node, "id"), node_word(node),
		       get(node, "boot_id") != NULL ? ", boot " : "", text(node, "boot_id"));
	}
	if (number(get(answer, "daemon"), "requests_lost") > 0)
		printf("%" PRIu64 " requests of the kernel were lost and asked for again\n",
		       number(get(answer, "daemon"), "requests_lost"));
}

/* ---- the logs ---- */

enum column {
	COLUMN_LOG,
	COLUMN_MIRROR,
	COLUMN_STATE,
	COLUMN_IN_SYNC,
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
	[COLUMN_MIRROR] = { "MIRROR", 0 },
	[COLUMN_STATE] = { "STATE", 0 },
	[COLUMN_IN_SYNC] = { "IN-SYNC", SCOLS_FL_RIGHT },
	[COLUMN_REGION] = { "REGION", SCOLS_FL_RIGHT },
	[COLUMN_HELD] = { "HELD", SCOLS_FL_RIGHT },
	[COLUMN_MARKED] = { "MARKED", SCOLS_FL_RIGHT },
	[COLUMN_RESYNC] = { "RESYNC", 0 },
	[COLUMN_NOTES] = { "NOTES", 0 },
};

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
	const struct json_object *waits = get(log, "waits");

	if (flag(get(log, "resync"), "paused"))
		return "paused";
	if (number(log, "in_sync") == number(log, "regions"))
		return "-";
	for (size_t i = 0; i < count(waits); i++)
		if (strcmp(text(json_object_array_get_idx(waits, i), "what"), "copying") == 0)
			return "waiting";
	return number(log, "resumed") > 0 ? "copying" : "-";
}

static void resync_word(const struct json_object *log, char *word, size_t bytes)
{
	const struct json_object *resync = get(log, "resync");
	uint64_t rate = number(resync, "rate");
	char limit[32] = "";

	if (rate > 0 && rate % 1024 == 0)
		size_word(rate / 512, limit, sizeof(limit));
	else if (rate > 0)
		(void)snprintf(limit, sizeof(limit), "%" PRIu64, rate);
	(void)snprintf(word, bytes, "%s%s%s%s", resync_state(log), rate > 0 ? " <=" : "", limit,
		       rate > 0 ? "/s" : "");
}

static int add_log(struct libscols_line *line, const struct json_object *log)
{
	char mirror[NAME_BYTES], region[32], resync[64];

	mirror_name(text(log, "uuid"), mirror, sizeof(mirror));
	size_word(number(log, "region_sectors"), region, sizeof(region));
	resync_word(log, resync, sizeof(resync));
	return put(line, COLUMN_LOG, "%s", text(log, "uuid")) |
	       put(line, COLUMN_MIRROR, "%s", mirror) |
	       put(line, COLUMN_STATE, "%s%s", text(log, "phase"),
		   number(log, "resumed") > 0 ? "" : ", suspended") |
	       put(line, COLUMN_IN_SYNC, "%" PRIu64 "/%" PRIu64, number(log, "in_sync"),
		   number(log, "regions")) |
	       put(line, COLUMN_REGION, "%s", region) |
	       put(line, COLUMN_HELD, "%" PRIu64, number(log, "held")) |
	       put(line, COLUMN_MARKED, "%" PRIu64, number(log, "marked")) |
	       put(line, COLUMN_RESYNC, "%s", resync) |
	       put(line, COLUMN_NOTES, "%s%s%s%s%s%s", text(log, "type"),
		   get(log, "device") != NULL ? " " : "", text(log, "device"),
		   flag(log, "device_failed") ? ", log device failed" : "",
		   flag(log, "legs_failed") ? ", a leg failed" : "",
		   flag(log, "everything_held") ? ", everything held" : "");
}

static int add_member(struct libscols_line *line, const struct json_object *member)
{
	char slot[32] = "no slot";

	if (get(member, "slot") != NULL)
		(void)snprintf(slot, sizeof(slot), "slot %" PRIu64, number(member, "slot"));
	return put(line, COLUMN_LOG, "node %" PRIu64, number(member, "node")) |
	       put(line, COLUMN_STATE, "%s", text(member, "state")) |
	       put(line, COLUMN_NOTES, "%s%s%s%s%s", slot,
		   flag(member, "disk_role") ? ", disk role" : "",
		   flag(member, "has_state") ? "" : ", without the state",
		   flag(member, "device_failed") ? ", log device failed" : "",
		   flag(member, "legs_failed") ? ", a leg failed" : "");
}

static int fill_table(struct libscols_table *table, const struct json_object *logs)
{
	int r = 0;

	for (int i = 0; i < COLUMNS; i++)
		if (scols_table_new_column(table, columns[i].name, 0, columns[i].flags) == NULL)
			return -ENOMEM;
	for (size_t i = 0; i < count(logs) && r == 0; i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);
		const struct json_object *members = get(log, "members");
		struct libscols_line *parent = scols_table_new_line(table, NULL);

		if (parent == NULL)
			return -ENOMEM;
		r = add_log(parent, log);
		for (size_t m = 0; m < count(members) && r == 0; m++) {
			struct libscols_line *line = scols_table_new_line(table, parent);

			r = line == NULL ? -ENOMEM :
					   add_member(line, json_object_array_get_idx(members, m));
		}
	}
	return r == 0 ? 0 : -ENOMEM;
}

static int show_logs(const struct json_object *logs)
{
	struct libscols_table *table;
	int r;

	if (count(logs) == 0) {
		printf("no mirror uses dmclogd\n");
		return 0;
	}
	scols_init_debug(0);
	table = scols_new_table();
	if (table == NULL)
		return -ENOMEM;
	r = fill_table(table, logs);
	if (r == 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r;
}

/* ---- who waits ---- */

static void show_wait(const struct json_object *log, const struct json_object *wait)
{
	const struct json_object *seconds = get(wait, "seconds");

	printf("%s: %s waits", text(log, "uuid"), text(wait, "what"));
	if (seconds != NULL)
		printf(", %s s so far,", json_object_get_string((struct json_object *)seconds));
	printf(" for %s\n", text(wait, "for"));
	if (get(wait, "command") != NULL)
		printf("    to end it: %s\n", text(wait, "command"));
	if (get(wait, "give_up") != NULL)
		printf("    to give up, with errors: %s\n", text(wait, "give_up"));
}

int show_status(const struct json_object *answer)
{
	const struct json_object *logs = get(answer, "logs");
	int r;

	show_group(answer);
	r = show_logs(logs);
	for (size_t i = 0; i < count(logs) && r == 0; i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);
		const struct json_object *waits = get(log, "waits");

		for (size_t w = 0; w < count(waits); w++)
			show_wait(log, json_object_array_get_idx(waits, w));
	}
	return r;
}
