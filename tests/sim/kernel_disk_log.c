/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own disk log (dm-log.c) takes the mirror over for a while: the log device must be, to the bit, what
 * it expects, and what it leaves must be understood afterwards.
 *
 * It reads header, gap and bitmap, and writes them back as one: bytes 16 to 1023 stay.  It clears a region's bit before
 * the region is written, sets it after a flush of the legs.  A power cut ends it, or a clean shutdown.
 */
#include <inttypes.h>

#include "sim.h"

static bool bit_test(const struct disk *disk, uint64_t region)
{
	return disk->bytes[DISK_BITMAP_OFFSET_BYTES + region / 8] >> region % 8 & 1;
}

static void bit_put(struct disk *disk, uint64_t region, bool set)
{
	uint8_t *byte = &disk->bytes[DISK_BITMAP_OFFSET_BYTES + region / 8];

	*byte = (uint8_t)(set ? *byte | 1u << region % 8 : *byte & ~(1u << region % 8));
}

/* disk_resume() of dm-log.c: bits of regions that the log did not know are cleared. */
static void take_over(struct disk *disk, uint64_t region_count)
{
	struct disk_header header;
	uint64_t known = 0;

	if (disk_header_decode(disk->bytes, &header) == 0)
		known = header.nr_regions;
	for (uint64_t region = known; region < disk_bitmap_bytes(region_count) * 8; region++)
		bit_put(disk, region, false);
	header.nr_regions = region_count;
	disk_header_encode(&header, disk->bytes);
}

static void region_copy(struct mirror *mirror, uint32_t first, uint32_t end)
{
	for (uint32_t cell = first; cell < end; cell++) {
		uint32_t version = cell_current(&mirror->legs[0].cells[cell]);

		for (uint32_t leg = 0; leg < mirror->leg_count; leg++) {
			struct cell *c = &mirror->legs[leg].cells[cell];

			c->durable = version;
			c->cached_count = 0;
		}
	}
}

static void region_write(struct sim *sim, struct mirror *mirror, uint32_t first, uint32_t end)
{
	for (uint32_t cell = first; cell < end; cell++) {
		uint32_t version = ++mirror->version;

		for (uint32_t leg = 0; leg < mirror->leg_count; leg++) {
			if (rng_one_in(&sim->rng, 2))
				continue;
			mirror->legs[leg].cells[cell].durable = version;
			mirror->legs[leg].cells[cell].cached_count = 0;
		}
	}
}

void kernel_log_episode(struct sim *sim, struct mirror *mirror)
{
	const struct geometry *geometry = &mirror->geometry;
	struct disk *disk = mirror->disk;
	bool cut = rng_one_in(&sim->rng, 2);

	NOTE(sim, "kernel log", cut, 0, "mirror %u: the kernel's disk log takes over, %s",
	     mirror->index, cut ? "then a power cut" : "ends cleanly");
	sim->counts.takeovers++;
	take_over(disk, geometry->region_count);
	for (uint64_t region = 0; region < geometry->region_count; region++) {
		uint32_t first = (uint32_t)region * geometry->region_cells;
		uint32_t end = first + geometry->region_cells;

		if (end > geometry->cell_count)
			end = geometry->cell_count;
		if (!bit_test(disk, region) && rng_one_in(&sim->rng, 2)) { /* its recovery */
			region_copy(mirror, first, end);
			bit_put(disk, region, true);
		}
		if (!rng_one_in(&sim->rng, 4))
			continue;
		bit_put(disk, region, false);
		region_write(sim, mirror, first, end);
		if (!cut) {
			region_copy(mirror, first, end);
			bit_put(disk, region, true);
		}
	}
	clean_renew(sim, mirror);
}
