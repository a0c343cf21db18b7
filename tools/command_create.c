/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog create: a new mirror: checked, made, and entered in the table file. */
#include "tools/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/activate.h"

static int parse(const struct invocation *invocation, struct tab_entry *ret_entry)
{
	char line[TAB_LINE_BYTES], message[256];
	size_t used = 0;

	for (int i = 0; i < invocation->argument_count; i++) {
		int n = snprintf(line + used, sizeof(line) - used, "%s ", invocation->arguments[i]);

		if (strpbrk(invocation->arguments[i], " \t\n") != NULL)
			return usage("'%s' has blanks", invocation->arguments[i]);
		if (n < 0 || (size_t)n >= sizeof(line) - used)
			return usage("too long");
		used += (size_t)n;
	}
	if (tab_parse(line, true, ret_entry, message, sizeof(message)) != 1)
		return usage("%s", message);
	return EXIT_OK;
}

/* But for when it is activated. */
static bool same_entry(const struct tab_entry *one, const struct tab_entry *other)
{
	struct tab_entry copy = *one;
	char lines[2][TAB_LINE_BYTES];

	copy.noauto = other->noauto;
	return tab_format(&copy, lines[0], TAB_LINE_BYTES) == 0 &&
	       tab_format(other, lines[1], TAB_LINE_BYTES) == 0 && strcmp(lines[0], lines[1]) == 0;
}

/* Is it there already, and the same?  On EXIT_OK *ret_there. */
static int check_file(const struct invocation *invocation, struct tab_entry *entry, bool *ret_there)
{
	const struct tab_entry *old;
	struct tab tab;
	int r = EXIT_OK;

	if (tab_read(invocation->tab, &tab) < 0) {
		tab_free(&tab);
		return EXIT_ERROR;
	}
	old = tab_find(&tab, entry->name);
	*ret_there = old != NULL;
	if (old != NULL && entry->sectors == 0)
		entry->sectors = old->sectors;
	for (size_t i = 0; i < tab.count; i++)
		if (&tab.entries[i] != old && strcmp(tab.entries[i].uuid, entry->uuid) == 0)
			old = &tab.entries[i];
	if (old != NULL && !same_entry(entry, old)) {
		(void)fprintf(
			stderr,
			"dmclog: %s has another entry %s: another name or uuid= is needed, or "
			"that entry removed\n",
			invocation->tab, old->name);
		r = EXIT_ERROR;
	}
	tab_free(&tab);
	return r;
}

int run_create(struct invocation *invocation)
{
	struct mirror_state state;
	struct tab_entry entry;
	bool there = false;
	int r = parse(invocation, &entry);

	if (r == EXIT_OK)
		r = check_file(invocation, &entry, &there);
	if (r == EXIT_OK)
		r = activate(invocation, &entry, true);
	if (r != EXIT_OK || there)
		return r;
	/* Its length is written down: a leg that gets longer must not make it another mirror. */
	if (mirror_dm_look(entry.name, &state) == 0)
		entry.sectors = state.sectors;
	r = tab_append(invocation->tab, &entry);
	if (r < 0)
		(void)fprintf(stderr,
			      "dmclog: %s is active, but %s cannot be written (%s): it will not be "
			      "there after the next boot\n",
			      entry.name, invocation->tab, strerror(-r));
	return r < 0 ? EXIT_ERROR : EXIT_OK;
}
