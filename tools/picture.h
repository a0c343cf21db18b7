/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of a log's regions: cells of equally many regions each, a row after the other.
 *
 * A cell never looks better than its worst region: one region out of sync among a million is seen.
 */
#ifndef DMCLOG_PICTURE_H
#define DMCLOG_PICTURE_H

#include <stdio.h>

#include "tools/log_image.h"

struct picture {
	uint64_t region_count;
	uint64_t cell_regions; /* the last cell may have fewer */
	uint64_t cell_count;
	struct picture_cell {
		uint64_t regions;
		uint64_t held;
		uint64_t out_of_sync;
	} * cells;
};

/* At most `cells_max` (> 0) cells.  Returns 0 or -ENOMEM; the caller ends with picture_free(). */
int picture_make(const struct log_image *image, uint64_t cells_max, struct picture *ret_picture);
void picture_free(struct picture *picture);

struct picture_style {
	unsigned int width; /* columns */
	bool unicode;
	bool colours;
};

/* Columns left for cells beside the numbers of regions: what picture_make() needs for some rows. */
unsigned int picture_row_cells(uint64_t region_count, unsigned int width);
void picture_print(const struct picture *picture, const struct picture_style *style, FILE *out);

/* The same as SVG, with a heading (any bytes; what XML does not take is left out).  The caller looks at ferror(out). */
void picture_svg(const struct picture *picture, const char *heading, FILE *out);

#endif
