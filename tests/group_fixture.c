/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See group_fixture.h. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_fixture.h"

struct world w;

struct harness *h(uint32_t id)
{
	return world_node(&w, id);
}

void setup(void)
{
	memset(&w, 0, sizeof(w));
	w.quorum_nodes = 1;
	world_start(&w, 3);
	harness_put_kernel_log(h(1), HARNESS_REGIONS, HARNESS_REGIONS);
	world_connect(&w, ALL);
}

void teardown(void)
{
	world_stop(&w);
}

void open_on(uint32_t id)
{
	ck_assert(world_answered(&w, id, world_resume(&w, id, HARNESS_DISK), 0));
}

void open_all(const char *constructor)
{
	for (uint32_t id = 1; id <= w.count; id++) {
		h(id)->keep[EFFECT_OPEN_LEGS] = true;
		ck_assert(world_answered(&w, id, world_resume(&w, id, constructor), 0));
	}
}

void open_legs(uint32_t id)
{
	h(id)->keep[EFFECT_OPEN_LEGS] = false;
	harness_run(h(id));
	world_run(&w);
}

void copies_fail(bool fail)
{
	for (uint32_t id = 1; id <= w.count; id++)
		h(id)->status[EFFECT_COPY] = fail ? -EIO : 0;
}

void three_members(void)
{
	harness_put_kernel_log(h(1), HARNESS_REGIONS, 40);
	for (uint32_t id = 1; id <= 3; id++) {
		h(id)->keep[EFFECT_OPEN_LEGS] = true;
		open_on(id);
	}
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 5), 0));
	ck_assert(world_answered(&w, 3, world_write(&w, 3, 6), 0));
	world_clear(&w, 3, 6);
	ck_assert_uint_eq(harness_status(h(1)).sync_count, 40);
}

bool slot_used(uint32_t slot)
{
	struct disk_slot_header header;

	return harness_slot(h(1), slot, &header) == 0 && header.state == DISK_SLOT_USED;
}

bool lost_everywhere(uint64_t region)
{
	const struct log *one = h(1)->core->logs[0];
	const struct log *two = h(2)->core->logs[0];

	return bitmap_test(&one->replicated.lost, region) &&
	       bitmap_test(&two->replicated.lost, region);
}

uint64_t lost(uint32_t id)
{
	return harness_status(h(id)).lost_count;
}
