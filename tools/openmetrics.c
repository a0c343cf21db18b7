/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status as OpenMetrics text: see openmetrics.h.
 *
 * Obeys: the OpenMetrics specification 1.0, text format: a family in one piece, counters end with _total, units are the end of
 * the name, backslash, quote and newline are escaped in labels.  What the daemon does not tell is left out.
 */
#include "tools/openmetrics.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tools/answer.h"

struct family {
	const char *name; /* without dmclogd_ and _total */
	const char *type;
	const char *unit; /* or NULL */
	const char *help;
	const char *object; /* the member that it is in, or NULL: at the top */
	const char *member;
	uint32_t factor; /* 0: 1 */
};

static const struct family of_daemon[] = {
	{ "tables", "gauge", NULL, "Tables of the kernel that this daemon serves.", "daemon",
	  "tables", 0 },
	{ "requests_lost", "counter", NULL, "Requests of the kernel that never came.", "daemon",
	  "requests_lost", 0 },
	{ "group_quorate", "gauge", NULL, "This side of the cluster has quorum.", "group",
	  "quorate", 0 },
	{ "group_active", "gauge", NULL, "Logs can be used.", "group", "active", 0 },
	{ "group_epoch", "gauge", NULL, "The epoch of the group's state.", "group", "epoch", 0 },
};

static const struct family of_group_counters[] = {
	{ "group_messages", "counter", NULL, "Messages to the group.", "counters", "messages", 0 },
	{ "group_batches", "counter", NULL, "Batches that they went in.", "counters", "batches",
	  0 },
	{ "group_refused", "counter", NULL, "Batches that waited for corosync.", "counters",
	  "refused", 0 },
};

static const struct family of_log[] = {
	{ "log_regions", "gauge", NULL, "Regions of the mirror.", NULL, "regions", 0 },
	{ "log_region_size_bytes", "gauge", "bytes", "Size of a region.", NULL, "region_sectors",
	  512 },
	{ "log_in_sync_regions", "gauge", NULL, "Regions whose legs are equal.", NULL, "in_sync",
	  0 },
	{ "log_lost_regions", "gauge", NULL, "Regions that were in sync and are not.", NULL, "lost",
	  0 },
	{ "log_reported_regions", "gauge", NULL,
	  "Regions that the kernel reported, not copied before a new table.", NULL, "reported", 0 },
	{ "log_held_regions", "gauge", NULL, "Regions that this node holds.", NULL, "held", 0 },
	{ "log_marked_regions", "gauge", NULL, "Regions that this node's kernel is writing.", NULL,
	  "marked", 0 },
	{ "log_resumed_tables", "gauge", NULL, "Tables of it that are in use here.", NULL,
	  "resumed", 0 },
	{ "log_device_failed", "gauge", NULL, "This node cannot write the log device.", NULL,
	  "device_failed", 0 },
	{ "log_legs_failed", "gauge", NULL, "A leg has failed.", NULL, "legs_failed", 0 },
	{ "log_everything_held", "gauge", NULL, "All regions count as held until a new table.",
	  NULL, "everything_held", 0 },
	{ "log_resync_paused", "gauge", NULL, "The operator has paused copying.", "resync",
	  "paused", 0 },
	{ "log_resync_limit_bytes", "gauge", "bytes", "Limit of copying a second, 0: none.",
	  "resync", "rate", 0 },
	{ "log_resync_copies", "gauge", NULL, "Regions that this node is copying.", "resync",
	  "copies", 0 },
	{ "log_resync_speed_bytes", "gauge", "bytes", "Got in sync a second, on all nodes.",
	  "resync", "speed", 0 },
	{ "log_requests", "counter", NULL, "Requests of the kernel.", "counters", "requests", 0 },
	{ "log_slot_writes", "counter", NULL, "Writes to this node's slot.", "counters",
	  "slot_writes", 0 },
	{ "log_base_writes", "counter", NULL, "Writes to header, superblock and bitmap.",
	  "counters", "base_writes", 0 },
	{ "log_leg_flushes", "counter", NULL, "Flushes of the legs' caches.", "counters",
	  "leg_flushes", 0 },
	{ "log_regions_copied", "counter", NULL, "Regions that this node has copied.", "counters",
	  "regions_copied", 0 },
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void print_head(const struct family *family, FILE *out)
{
	(void)fprintf(out, "# TYPE dmclogd_%s %s\n", family->name, family->type);
	if (family->unit != NULL)
		(void)fprintf(out, "# UNIT dmclogd_%s %s\n", family->name, family->unit);
	(void)fprintf(out, "# HELP dmclogd_%s %s\n", family->name, family->help);
}

static void print_label(const char *name, const char *value, FILE *out)
{
	(void)fprintf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			(void)fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(out, "\\%c", *value);
		else
			(void)fputc(*value, out);
	}
	(void)fputc('"', out);
}

/* `uuid` is NULL for what is no log's. */
static void print_sample(const struct family *family, const struct json_object *object,
			 const char *uuid, FILE *out)
{
	const struct json_object *holder =
		family->object == NULL ? object : answer_get(object, family->object);
	const struct json_object *value = answer_get(holder, family->member);
	uint64_t number = json_object_is_type(value, json_type_boolean) ?
				  answer_flag(holder, family->member) :
				  answer_number(holder, family->member);

	if (value == NULL)
		return;
	(void)fprintf(out, "dmclogd_%s%s", family->name,
		      strcmp(family->type, "counter") == 0 ? "_total" : "");
	if (uuid != NULL) {
		(void)fputc('{', out);
		print_label("log", uuid, out);
		(void)fputc('}', out);
	}
	(void)fprintf(out, " %" PRIu64 "\n", number * (family->factor == 0 ? 1 : family->factor));
}

static void print_families(const struct family *families, size_t count,
			   const struct json_object *object, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		print_head(&families[i], out);
		print_sample(&families[i], object, NULL, out);
	}
}

static void print_info(const struct json_object *answer, FILE *out)
{
	static const struct family family = { "build", "info", NULL, "This daemon.", NULL, "", 0 };
	const struct json_object *group = answer_get(answer, "group");

	print_head(&family, out);
	(void)fputs("dmclogd_build_info{", out);
	print_label("version", answer_text(answer_get(answer, "daemon"), "version"), out);
	(void)fputc(',', out);
	print_label("cluster", answer_text(group, "cluster"), out);
	(void)fputc(',', out);
	print_label("node", answer_text(group, "node"), out);
	(void)fputs("} 1\n", out);
}

/* ---- members and waits ---- */

static void print_members(const struct json_object *logs, FILE *out)
{
	static const char *const states[] = { "follows", "resumed", "leaving", "departed",
					      "stopped" };
	static const struct family family = {
		"log_member", "stateset", NULL, "What each node does with the log.", NULL, "", 0
	};

	print_head(&family, out);
	for (size_t i = 0; i < answer_count(logs); i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);
		const struct json_object *members = answer_get(log, "members");

		for (size_t m = 0; m < answer_count(members) * LENGTH(states); m++) {
			const struct json_object *member =
				json_object_array_get_idx(members, m / LENGTH(states));
			const char *state = states[m % LENGTH(states)];

			(void)fputs("dmclogd_log_member{", out);
			print_label("log", answer_text(log, "uuid"), out);
			(void)fputc(',', out);
			print_label("node", answer_text(member, "node"), out);
			(void)fprintf(out, ",dmclogd_log_member=\"%s\"} %d\n", state,
				      strcmp(answer_text(member, "state"), state) == 0);
		}
	}
}

/* How long the request that waits longest has waited, and how many waits there are. */
static void print_waits(const struct json_object *logs, FILE *out)
{
	static const struct family count = {
		"log_waits", "gauge", NULL, "Requests of the kernel, and copying, that wait.",
		NULL,        "",      0
	};
	static const struct family longest = { "log_longest_wait_seconds",
					       "gauge",
					       "seconds",
					       "The wait of the kernel that lasts longest.",
					       NULL,
					       "",
					       0 };

	print_head(&count, out);
	for (size_t i = 0; i < answer_count(logs); i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);

		(void)fputs("dmclogd_log_waits{", out);
		print_label("log", answer_text(log, "uuid"), out);
		(void)fprintf(out, "} %zu\n", answer_count(answer_get(log, "waits")));
	}
	print_head(&longest, out);
	for (size_t i = 0; i < answer_count(logs); i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);
		const struct json_object *waits = answer_get(log, "waits");
		uint64_t most = 0, seconds;

		for (size_t w = 0; w < answer_count(waits); w++) {
			seconds = answer_number(json_object_array_get_idx(waits, w), "seconds");
			most = seconds > most ? seconds : most;
		}
		(void)fputs("dmclogd_log_longest_wait_seconds{", out);
		print_label("log", answer_text(log, "uuid"), out);
		(void)fprintf(out, "} %" PRIu64 "\n", most);
	}
}

int openmetrics_print(const struct json_object *answer, FILE *out)
{
	const struct json_object *logs = answer_get(answer, "logs");

	print_info(answer, out);
	print_families(of_daemon, LENGTH(of_daemon), answer, out);
	print_families(of_group_counters, LENGTH(of_group_counters), answer_get(answer, "group"),
		       out);
	for (size_t i = 0; i < LENGTH(of_log); i++) {
		print_head(&of_log[i], out);
		for (size_t l = 0; l < answer_count(logs); l++) {
			const struct json_object *log = json_object_array_get_idx(logs, l);

			print_sample(&of_log[i], log, answer_text(log, "uuid"), out);
		}
	}
	print_members(logs, out);
	print_waits(logs, out);
	(void)fputs("# EOF\n", out);
	return ferror(out) ? -EIO : 0;
}
