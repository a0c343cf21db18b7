/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog deactivate: takes a mirror away; its entry stays. */
#include "tools/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/mirror_dm.h"
#include "tools/patience.h"

static int say_busy(const char *name)
{
	(void)fprintf(stderr, "dmclog: %s is in use: umount it first (lsblk /dev/mapper/%s)\n",
		      name, name);
	return EXIT_ERROR;
}

/* Removing it suspends it, and that waits for the daemon. */
int run_deactivate(struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct mirror_state state;
	struct patience patience;
	int r = mirror_dm_look(name, &state);

	if (r == -ENODEV)
		return EXIT_OK;
	if (r < 0 || !state.mirror || state.plan.log == PLAN_KERNEL_DISK) {
		(void)fprintf(stderr, "dmclog: %s %s\n", name,
			      r < 0 ? "cannot be looked at: run dmclog as root" :
				      "is no mirror with a clustered log: dmsetup table shows what "
				      "it is");
		return EXIT_ERROR;
	}
	if (state.open_count > 0)
		return say_busy(name);
	patience_begin(&patience, "it waits: dmclog status tells for whom");
	r = mirror_dm_remove(name);
	patience_end(&patience);
	if (r == -EBUSY)
		return say_busy(name);
	if (r < 0)
		(void)fprintf(stderr, "dmclog: %s cannot be removed: %s\n", name, strerror(-r));
	return r < 0 ? EXIT_ERROR : EXIT_OK;
}
