/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planted bugs, by name: --plant flush-early is PLANT_FLUSH_EARLY of daemon/core/plant.h.
 */
#include "daemon/core/plant.h"
#include "sim.h"

#define PLANT_NAME(name) [PLANT_##name] = #name,
const char *const plant_names[] = { [PLANT_NONE] = "NONE", PLANT_LIST(PLANT_NAME) NULL };

int dmclogd_plant = PLANT_NONE;
