/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog list: the entries of the table file, and whether they are active. */
#include "tools/invocation.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "tools/activate.h"
#include "tools/terminal.h"

enum column {
	COLUMN_NAME,
	COLUMN_ACTIVE,
	COLUMN_SIZE,
	COLUMN_REGION,
	COLUMN_LOG,
	COLUMN_LEGS,
	COLUMNS
};

static const char *const names[COLUMNS] = {
	[COLUMN_NAME] = "NAME",     [COLUMN_ACTIVE] = "ACTIVE", [COLUMN_SIZE] = "SIZE",
	[COLUMN_REGION] = "REGION", [COLUMN_LOG] = "LOG",       [COLUMN_LEGS] = "LEGS",
};

static const char *activity_word(enum activity activity, const struct mirror_state *state)
{
	switch (activity) {
	case ACTIVITY_ACTIVE:
		return state->suspended ? "suspended" : "yes";
	case ACTIVITY_DETACHED:
		return "detached";
	case ACTIVITY_NONE:
		return "no";
	case ACTIVITY_OTHER:
		return "another device";
	case ACTIVITY_UNKNOWN:
		break;
	}
	return "unknown";
}

/* "1G", "300M", "77K", "5s": the largest unit that is exact. */
static void size_word(uint64_t sectors, char *word, size_t bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t size = sectors / 2;
	int i = 0;

	for (; size >= 1024 && size % 1024 == 0 && i < 3; i++)
		size /= 1024;
	if (sectors % 2 != 0)
		(void)snprintf(word, bytes, "%llus", (unsigned long long)sectors);
	else
		(void)snprintf(word, bytes, "%llu%c", (unsigned long long)size, suffixes[i]);
}

static int add_entry(struct libscols_table *table, const struct tab_entry *entry)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char size[32] = "", region[32], legs[CORE_LEGS_MAX * TAB_PATH_BYTES] = "";
	struct mirror_state state = { 0 };
	enum activity activity = activity_of(entry, &state);
	uint64_t sectors = activity == ACTIVITY_ACTIVE || activity == ACTIVITY_DETACHED ?
				   state.sectors :
				   entry->sectors;
	size_t used = 0;

	if (line == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < entry->leg_count; i++)
		used += (size_t)snprintf(legs + used, sizeof(legs) - used, "%s%s",
					 i == 0 ? "" : ",", entry->legs[i]);
	if (sectors > 0)
		size_word(sectors, size, sizeof(size));
	size_word(entry->region_sectors, region, sizeof(region));
	return scols_line_set_data(line, COLUMN_NAME, entry->name) |
	       scols_line_set_data(line, COLUMN_ACTIVE, activity_word(activity, &state)) |
	       scols_line_set_data(line, COLUMN_SIZE, size) |
	       scols_line_set_data(line, COLUMN_REGION, region) |
	       scols_line_set_data(line, COLUMN_LOG, entry->log[0] == '\0' ? "-" : entry->log) |
	       scols_line_set_data(line, COLUMN_LEGS, legs) |
	       scols_line_set_color(line, activity == ACTIVITY_OTHER ? "red" : NULL);
}

static int show(const struct tab *tab, bool json)
{
	struct libscols_table *table;
	int r = 0;

	scols_init_debug(0);
	table = scols_new_table();
	if (table == NULL)
		return -ENOMEM;
	scols_table_enable_json(table, json);
	scols_table_set_name(table, "mirrors");
	scols_table_enable_colors(table, !json && terminal_has_colours());
	for (int i = 0; i < COLUMNS && r == 0; i++)
		if (scols_table_new_column(table, names[i], 0,
					   i == COLUMN_SIZE || i == COLUMN_REGION ? SCOLS_FL_RIGHT :
										    0) == NULL)
			r = -ENOMEM;
	for (size_t i = 0; i < tab->count && r == 0; i++)
		r = add_entry(table, &tab->entries[i]);
	if (r == 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r;
}

int run_list(struct invocation *invocation)
{
	struct tab tab;
	int r = tab_read(invocation->tab, &tab) < 0 ? EXIT_ERROR : EXIT_OK;

	if (tab.count == 0 && !invocation->json)
		(void)fprintf(stderr, "dmclog: %s has no entries: dmclog create makes them\n",
			      invocation->tab);
	else if (show(&tab, invocation->json) != 0)
		r = EXIT_ERROR;
	tab_free(&tab);
	return fflush(stdout) == 0 ? r : EXIT_ERROR;
}
