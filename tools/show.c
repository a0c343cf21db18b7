/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status for people: the group in a line or two, the logs as a tree, and whoever waits.
 *
 * What the daemon does not tell is shown as nothing: an older one may know less.
 */
#include "tools/show.h"

#include <inttypes.h>
#include <stdbool.h>

#include "tools/answer.h"
#include "tools/show_logs.h"

/* ---- the group ---- */

static const char *node_word(const struct json_object *node)
{
	if (answer_flag(node, "stopped"))
		return "stopped";
	if (!answer_flag(node, "in_group"))
		return answer_flag(node, "in_cluster") ? "no daemon" : "away";
	return answer_flag(node, "has_state") ? "active" : "joining";
}

static void show_group(const struct json_object *answer, FILE *out)
{
	const struct json_object *group = answer_get(answer, "group");
	const struct json_object *nodes = answer_get(group, "nodes");

	(void)fprintf(out, "node %" PRIu64 " of cluster %s, boot %s: %s%s, epoch %" PRIu64 "\n",
		      answer_number(group, "node"), answer_text(group, "cluster"),
		      answer_text(group, "boot_id"),
		      answer_flag(group, "quorate") ? "quorum" : "no quorum",
		      answer_flag(group, "active")     ? "" :
		      answer_flag(group, "refused")    ? ", refused by the others" :
		      !answer_flag(group, "joined")    ? ", not in the group" :
		      !answer_flag(group, "has_state") ? ", fetching the state" :
							 ", not active",
		      answer_number(group, "epoch"));
	for (size_t i = 0; answer_count(nodes) > 1 && i < answer_count(nodes); i++) {
		const struct json_object *node = json_object_array_get_idx(nodes, i);

		(void)fprintf(out, "  node %" PRIu64 ": %s%s%s\n", answer_number(node, "id"),
			      node_word(node), answer_get(node, "boot_id") != NULL ? ", boot " : "",
			      answer_text(node, "boot_id"));
	}
	if (answer_number(answer_get(answer, "daemon"), "requests_lost") > 0)
		(void)fprintf(out,
			      "%" PRIu64 " requests of the kernel were lost and asked for again\n",
			      answer_number(answer_get(answer, "daemon"), "requests_lost"));
}

/* ---- who waits ---- */

static void show_wait(const struct json_object *log, const struct json_object *wait, FILE *out)
{
	const struct json_object *seconds = answer_get(wait, "seconds");

	(void)fprintf(out, "%s: %s waits", answer_text(log, "uuid"), answer_text(wait, "what"));
	if (seconds != NULL)
		(void)fprintf(out, ", %s s so far,",
			      json_object_get_string((struct json_object *)seconds));
	(void)fprintf(out, " for %s\n", answer_text(wait, "for"));
	if (answer_get(wait, "command") != NULL)
		(void)fprintf(out, "    to end it: %s\n", answer_text(wait, "command"));
	if (answer_get(wait, "give_up") != NULL)
		(void)fprintf(out, "    to give up, with errors: %s\n",
			      answer_text(wait, "give_up"));
}

int show_status(const struct json_object *answer, const struct show_style *style, FILE *out)
{
	const struct json_object *logs = answer_get(answer, "logs");
	int r;

	show_group(answer, out);
	r = show_logs(logs, answer_number(answer_get(answer, "group"), "node"), style, out);
	for (size_t i = 0; i < answer_count(logs) && r == 0; i++) {
		const struct json_object *log = json_object_array_get_idx(logs, i);
		const struct json_object *waits = answer_get(log, "waits");

		for (size_t w = 0; w < answer_count(waits); w++)
			show_wait(log, json_object_array_get_idx(waits, w), out);
	}
	return r;
}
