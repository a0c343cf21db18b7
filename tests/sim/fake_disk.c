/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log devices: blocks are atomic, a write is durable when it completes.
 *
 * Of a write that never completed each block is kept or dropped, independently of all others.  A write that
 * fails leaves each block old or new.  Reads see what is durable when they complete.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct disk *disk_new(struct sim *sim, uint32_t minor, uint64_t device_bytes, uint32_t block_bytes)
{
	struct disk *disk = sim_alloc(sim, sizeof(*disk));

	disk->minor = minor;
	disk->device_bytes = device_bytes;
	disk->block_bytes = block_bytes;
	disk->bytes = sim_alloc(sim, device_bytes);
	disk->last_error_ms = UINT64_MAX;
	return disk;
}

void disk_make_fresh(struct sim *sim, struct disk *disk, enum fresh fresh)
{
	const struct disk_header header = { .nr_regions = UINT64_MAX };

	memset(disk->bytes, 0, disk->device_bytes);
	switch (fresh) {
	case FRESH_ZERO:
		break;
	case FRESH_GARBAGE:
		for (uint64_t i = 0; i < disk->device_bytes; i += 8) {
			uint64_t word = rng_next(&sim->rng);

			memcpy(disk->bytes + i, &word, sizeof(word));
		}
		disk->bytes[0] = 0; /* not the kernel's magic, not even by chance */
		break;
	case FRESH_LVM:
	case FRESH_LVM_NOSYNC:
		disk_header_encode(&header, disk->bytes);
		if (fresh == FRESH_LVM_NOSYNC)
			memset(disk->bytes + DISK_BITMAP_OFFSET_BYTES, 0xff,
			       disk->device_bytes - DISK_BITMAP_OFFSET_BYTES);
		break;
	}
}

static struct disk_io *disk_submit(struct sim *sim, struct node *node, const struct effect_io *io)
{
	struct daemon_log *log = &node->daemon.logs[io->log];
	struct disk *disk = log->disk;
	struct disk_io *disk_io;

	if (disk == NULL) {
		violate(sim, "5", "I/O of log %u, whose device is not open", io->log);
		return NULL;
	}
	if (io->length_bytes == 0 || io->length_bytes > CORE_IO_BYTES_MAX ||
	    (io->offset_bytes | io->length_bytes) % disk->block_bytes != 0 ||
	    io->offset_bytes + io->length_bytes > disk->device_bytes || log->io >= CORE_IO_MAX) {
		violate(sim, "5", "bad I/O of log %u: offset %" PRIu64 ", length %u, %u under way",
			io->log, io->offset_bytes, io->length_bytes, log->io);
		return NULL;
	}
	log->io++;
	disk_io = pool_get(sim, POOL_DISK_IO);
	disk_io->disk = disk;
	disk_io->log = io->log;
	disk_io->offset_bytes = io->offset_bytes;
	disk_io->length_bytes = io->length_bytes;
	return disk_io;
}

void disk_read(struct sim *sim, struct node *node, const struct effect_io *io)
{
	struct disk_io *disk_io = disk_submit(sim, node, io);

	if (disk_io == NULL)
		return;
	NOTE(sim, "disk read", io->offset_bytes, io->length_bytes,
	     "node %u: disk %u: read %" PRIu64 "+%u", node->index, disk_io->disk->minor,
	     io->offset_bytes, io->length_bytes);
	if (io->offset_bytes == 0 && rng_one_in(&sim->rng, sim->profile.slow_head_one_in))
		schedule_in(sim, 1 + rng_below(&sim->rng, SLOW_BASE_MS), ITEM_DISK, node, disk_io);
	else
		schedule_io(sim, ITEM_DISK, node, disk_io);
}

void disk_write(struct sim *sim, struct node *node, const struct effect_io *io)
{
	struct disk_io *disk_io = disk_submit(sim, node, io);
	struct disk *disk;

	if (disk_io == NULL)
		return;
	disk = disk_io->disk;
	if (disk->write_count == DISK_WRITES_MAX) {
		violate(sim, "simulator", "too many writes of a log device under way");
		return;
	}
	disk_io->data = sim->spare_count > 0 ? sim->spare_data[--sim->spare_count] :
					       sim_alloc(sim, CORE_IO_BYTES_MAX);
	memcpy(disk_io->data, io->data, io->length_bytes);
	disk->writes[disk->write_count++] = disk_io;
	NOTE(sim, "disk write", io->offset_bytes, disk_crc32c(io->data, io->length_bytes),
	     "node %u: disk %u: write %" PRIu64 "+%u", node->index, disk->minor, io->offset_bytes,
	     io->length_bytes);
	clean_disk_changed(sim, disk);
	if (io->offset_bytes == DISK_BITMAP_OFFSET_BYTES &&
	    rng_one_in(&sim->rng, sim->profile.slow_base_one_in))
		schedule_in(sim, 1 + rng_below(&sim->rng, SLOW_BASE_MS), ITEM_DISK, node, disk_io);
	else
		schedule_io(sim, ITEM_DISK, node, disk_io);
}

/* The write is no longer under way. */
static void disk_write_end(struct sim *sim, struct disk_io *io)
{
	struct disk *disk = io->disk;
	uint32_t at = 0;

	while (disk->writes[at] != io)
		at++;
	assert(at < disk->write_count);
	disk->writes[at] = disk->writes[--disk->write_count];
	if (sim->spare_count < DISK_WRITES_MAX)
		sim->spare_data[sim->spare_count++] = io->data;
	clean_disk_changed(sim, disk);
}

static void block_store(struct disk_io *io, uint32_t at)
{
	memcpy(io->disk->bytes + io->offset_bytes + at, io->data + at, io->disk->block_bytes);
	disk_structure_changed(io->disk, io->offset_bytes + at);
}

/* Each block becomes durable or stays as it is. */
static void disk_write_some(struct sim *sim, struct disk_io *io)
{
	for (uint32_t at = 0; at < io->length_bytes; at += io->disk->block_bytes)
		if (rng_one_in(&sim->rng, 2))
			block_store(io, at);
}

static void disk_write_all(struct disk_io *io)
{
	for (uint32_t at = 0; at < io->length_bytes; at += io->disk->block_bytes)
		block_store(io, at);
}

void disk_complete(struct sim *sim, struct node *node, struct disk_io *io)
{
	struct disk *disk = io->disk;
	bool write = io->data != NULL;
	struct input input = {
		.type = write ? INPUT_WRITTEN : INPUT_READ,
		.io = {
			.log = io->log,
			.offset_bytes = io->offset_bytes,
			.length_bytes = io->length_bytes,
		},
	};

	if (disk_fails(node, disk) || (write && disk->read_only) ||
	    rng_one_in(&sim->rng, sim->profile.disk_error_one_in)) {
		input.io.status = -EIO;
		disk->last_error_ms = sim->now_ms;
		sim->counts.disk_errors++;
	}
	NOTE(sim, "disk done", io->offset_bytes, (uint64_t)-input.io.status,
	     "node %u: disk %u: %s %" PRIu64 "+%u %s", node->index, disk->minor,
	     write ? "written" : "have read", io->offset_bytes, io->length_bytes,
	     input.io.status == 0 ? "" : "FAILED");
	if (write) {
		if (input.io.status == 0)
			disk_write_all(io);
		else
			disk_write_some(sim, io);
		disk_write_end(sim, io);
	} else if (input.io.status == 0) {
		input.io.data = disk->bytes + io->offset_bytes;
	}
	node->daemon.logs[io->log].io--;
	pool_put(sim, POOL_DISK_IO, io);
	daemon_step(sim, node, &input);
}

void disk_abandon(struct sim *sim, struct disk_io *io, bool whole)
{
	if (io->data != NULL) {
		if (!whole)
			disk_write_some(sim, io);
		else if (!rng_one_in(&sim->rng, 4))
			disk_write_all(io);
		disk_write_end(sim, io);
	}
	pool_put(sim, POOL_DISK_IO, io);
}
