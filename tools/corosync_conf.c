/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * corosync.conf(5): sections within braces, "key: value" in them, a line each.  See corosync_conf.h.
 *
 * Limits: of sections deeper than DEPTH_MAX the names are not kept; nothing there is asked for.
 */
#include "tools/corosync_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 4
#define NAME_BYTES 32

struct parser {
	unsigned int depth;
	char sections[DEPTH_MAX][NAME_BYTES];
	bool node_has_id;
	struct corosync_conf conf;
};

static const char blanks[] = " \t\r\n";

/* Without blanks around it, in place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, blanks);
	length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
		text[--length] = '\0';
	return text;
}

static bool within(const struct parser *parser, const char *section, const char *inner)
{
	return parser->depth == (inner == NULL ? 1 : 2) &&
	       strcmp(parser->sections[0], section) == 0 &&
	       (inner == NULL || strcmp(parser->sections[1], inner) == 0);
}

static void open_section(struct parser *parser, const char *name)
{
	if (parser->depth < DEPTH_MAX)
		(void)snprintf(parser->sections[parser->depth], NAME_BYTES, "%s", name);
	parser->depth++;
	if (!within(parser, "nodelist", "node"))
		return;
	parser->conf.nodes++;
	parser->node_has_id = false;
}

static void close_section(struct parser *parser)
{
	if (within(parser, "nodelist", "node") && !parser->node_has_id)
		parser->conf.nodes_without_id++;
	if (parser->depth > 0)
		parser->depth--;
}

static void take_value(struct parser *parser, const char *key, const char *value)
{
	struct corosync_conf *conf = &parser->conf;

	if (within(parser, "totem", NULL) && strcmp(key, "cluster_name") == 0 &&
	    strlen(value) < sizeof(conf->cluster_name))
		memcpy(conf->cluster_name, value, strlen(value) + 1);
	else if (within(parser, "quorum", NULL) && strcmp(key, "provider") == 0)
		conf->votequorum = strcmp(value, "corosync_votequorum") == 0;
	else if (within(parser, "quorum", NULL) && strcmp(key, "two_node") == 0)
		conf->two_node = strcmp(value, "1") == 0;
	else if (within(parser, "nodelist", "node") && strcmp(key, "nodeid") == 0)
		parser->node_has_id = strtoul(value, NULL, 10) > 0;
}

static void take_line(struct parser *parser, char *line)
{
	char *text = trim(line), *at;

	if (text[0] == '#' || text[0] == '\0')
		return;
	if (strchr(text, '{') != NULL) {
		*strchr(text, '{') = '\0';
		open_section(parser, trim(text));
	} else if (text[0] == '}') {
		close_section(parser);
	} else if ((at = strchr(text, ':')) != NULL) {
		*at = '\0';
		take_value(parser, trim(text), trim(at + 1));
	}
}

int corosync_conf_read(const char *path, struct corosync_conf *ret_conf)
{
	struct parser parser = { 0 };
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (file == NULL)
		return -errno;
	while (getline(&line, &room, file) >= 0)
		take_line(&parser, line);
	free(line);
	(void)fclose(file);
	*ret_conf = parser.conf;
	return 0;
}
