/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are the legs of a mirror equal, where its log says so?  While it is being written.
 *
 * A region that differs at one look may just be being written, or copied.  It counts as different only when two looks, more
 * than a second apart, find the same bytes on each leg, and the log on its device calls the region clean before and after each of
 * them: a write that is under way is held on the device from before its first byte until all legs have it, and one that came and
 * went between two readings of the log has changed the bytes.  No I/O of its own: through a port, so that tests can write meanwhile.
 */
#ifndef DMCLOG_VERIFY_H
#define DMCLOG_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/log_image.h"

#define VERIFY_PIECE_BYTES (1u << 20)
#define VERIFY_PAUSE_MS 1200

struct verify_port {
	/* `length_bytes`, at most VERIFY_PIECE_BYTES, of the mirror at `offset_bytes`, as it is on leg `leg`, into `bytes` (aligned to 4096, with room for a
	 * whole piece).  All return 0 or negative errno, which ends it. */
	int (*read_leg)(void *context, uint32_t leg, uint64_t offset_bytes, uint8_t *bytes,
			uint64_t length_bytes);
	/* The log as it is on its device now; the caller ends with log_image_free(). */
	int (*read_log)(void *context, struct log_image *ret_image);
	void (*pause)(void *context, uint64_t delay_ms);
	/* From time to time; an error ends it. */
	int (*progress)(void *context, uint64_t region);
	/* Region `region` differs: of `leg` the byte at `offset_bytes` of the mirror is the first that is not as on leg 0. */
	void (*differs)(void *context, uint64_t region, uint32_t leg, uint64_t offset_bytes);
	void *context;
};

struct verify_result {
	uint64_t regions;
	uint64_t differing;
	uint64_t busy; /* differed at some look, and were written, held or out of sync: it cannot be told */
};

int verify(const struct verify_port *port, uint64_t sectors, uint64_t region_sectors,
	   uint32_t leg_count, struct verify_result *ret_result);

#endif
