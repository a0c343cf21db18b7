/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog activate: one mirror of the table file, or all that are not noauto. */
#include "tools/invocation.h"

#include <errno.h>

#include "tools/activate.h"

/* All are tried; the first failure is told. */
static int activate_all(struct invocation *invocation)
{
	struct tab tab;
	int r = tab_read(invocation->tab, &tab) < 0 ? EXIT_ERROR : EXIT_OK;

	for (size_t i = 0; i < tab.count; i++) {
		int each = EXIT_OK;

		if (!tab.entries[i].noauto)
			each = activate(invocation, &tab.entries[i], false);
		r = r == EXIT_OK ? each : r;
		if (each == EXIT_UNREACHABLE)
			break;
	}
	tab_free(&tab);
	return r;
}

int run_activate(struct invocation *invocation)
{
	struct tab_entry entry;
	int r;

	if (invocation->argument_count == 0)
		return activate_all(invocation);
	r = activate_find(invocation, invocation->arguments[0], &entry);
	return r == EXIT_OK ? activate(invocation, &entry, false) : r;
}
