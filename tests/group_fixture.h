/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three nodes in one group, and what several checks do with them; for a check that has no world of its own. */
#ifndef DMCLOGD_TESTS_GROUP_FIXTURE_H
#define DMCLOGD_TESTS_GROUP_FIXTURE_H

#include "group_harness.h"

#define ALL 7 /* nodes 1 to 3, as a mask */

extern struct world w;

struct harness *h(uint32_t id);

/* Connected, over a log device that the kernel's log has left with all regions in sync. */
void setup(void);
void teardown(void);

/* RESUME of a disk log, answered; on all nodes, of that constructor, and no copier begins: the legs are still being opened. */
void open_on(uint32_t id);
void open_all(const char *constructor);
/* The legs are open: the copier begins. */
void open_legs(uint32_t id);
void copies_fail(bool fail);
/* Regions 40 to 63 are out of sync, and no copier has begun: the legs are still being opened.  All use the log; 3 holds 5
 * (marked) and 6 (idle). */
void three_members(void);

/* The slot's header on the device. */
bool slot_used(uint32_t slot);
/* As nodes 1 and 2 know it. */
bool lost_everywhere(uint64_t region);
/* How many regions, as this node knows it. */
uint64_t lost(uint32_t id);

#endif
