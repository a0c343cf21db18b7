/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes of dmclogd one with a bug: DMCLOGD_PLANT=flush-early in its environment is PLANT_FLUSH_EARLY of
 * daemon/core/plant.h.  Linked into build/planted/dmclogd, never into what is installed.  An unknown name, or none,
 * ends it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/plant.h"

#define PLANT_NAME(name) [PLANT_##name] = #name,
static const char *const names[] = { [PLANT_NONE] = "NONE", PLANT_LIST(PLANT_NAME) };

int dmclogd_plant = PLANT_NONE;

__attribute__((constructor)) static void plant_choose(void)
{
	const char *wanted = getenv("DMCLOGD_PLANT");
	char name[64] = "";

	for (size_t i = 0; wanted != NULL && wanted[i] != '\0' && i < sizeof(name) - 1; i++)
		name[i] = wanted[i] == '-' ? '_' : (char)toupper((unsigned char)wanted[i]);
	for (int i = 0; i < PLANT_COUNT; i++)
		if (strcmp(names[i], name) == 0) {
			dmclogd_plant = i;
			return;
		}
	(void)fprintf(stderr, "DMCLOGD_PLANT: no such plant\n");
	exit(2);
}
