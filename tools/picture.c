/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells, and their picture in characters: see picture.h. */
#include "tools/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* " 4096 |" before a row and "|" behind it. */
#define FRAME_COLUMNS 3
#define ROW_CELLS_MIN 8

int picture_make(const struct log_image *image, uint64_t cells_max, struct picture *ret_picture)
{
	uint64_t count = image->region_count;
	struct picture picture = { .region_count = count, .cell_regions = 1 };

	if (count > 0) {
		picture.cell_regions = (count - 1) / cells_max + 1;
		picture.cell_count = (count - 1) / picture.cell_regions + 1;
	}
	picture.cells = calloc(picture.cell_count + 1, sizeof(*picture.cells));
	if (picture.cells == NULL)
		return -ENOMEM;
	for (uint64_t r = 0; r < count; r++) {
		struct picture_cell *cell = &picture.cells[r / picture.cell_regions];
		enum region_state state = log_image_region(image, r);

		cell->regions++;
		cell->held += state == REGION_HELD;
		cell->out_of_sync += state == REGION_OUT_OF_SYNC;
	}
	*ret_picture = picture;
	return 0;
}

void picture_free(struct picture *picture)
{
	free(picture->cells);
	picture->cells = NULL;
}

static unsigned int digits(uint64_t number)
{
	unsigned int count = 1;

	for (; number >= 10; number /= 10)
		count++;
	return count;
}

unsigned int picture_row_cells(uint64_t region_count, unsigned int width)
{
	unsigned int frame = digits(region_count) + FRAME_COLUMNS;

	return width < frame + ROW_CELLS_MIN ? ROW_CELLS_MIN : width - frame;
}

/* Of `part` in `whole`, in `steps` steps: 0 only for none, the last only for all. */
static unsigned int step_of(uint64_t part, uint64_t whole, unsigned int steps)
{
	if (part == 0)
		return 0;
	if (part == whole)
		return steps;
	return 1 + (unsigned int)((double)part / (double)whole * (steps - 1));
}

static const char *character(const struct picture_cell *cell, bool unicode)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const shades[] = { "░", "▒", "▓" };
	static const char *const numbers[] = { "1", "2", "3", "4", "5", "6", "7", "#" };
	static const char *const letters[] = { "h", "h", "H" };
	unsigned int step = step_of(cell->out_of_sync, cell->regions, 8);

	if (step > 0)
		return unicode ? blocks[step - 1] : numbers[step - 1];
	step = step_of(cell->held, cell->regions, 3);
	if (step > 0)
		return unicode ? shades[step - 1] : letters[step - 1];
	return unicode ? "·" : ".";
}

static const char *colour(const struct picture_cell *cell)
{
	return cell->out_of_sync > 0 ? "\033[31m" : cell->held > 0 ? "\033[33m" : "\033[32m";
}

static void print_row(const struct picture *picture, const struct picture_style *style,
		      uint64_t first, unsigned int row_cells, FILE *out)
{
	const char *now = "", *next;

	(void)fprintf(out, "%*" PRIu64 " |", (int)digits(picture->region_count),
		      first * picture->cell_regions);
	for (uint64_t i = first; i < first + row_cells && i < picture->cell_count; i++) {
		next = style->colours ? colour(&picture->cells[i]) : "";
		if (strcmp(next, now) != 0)
			(void)fputs(next, out);
		now = next;
		(void)fputs(character(&picture->cells[i], style->unicode), out);
	}
	(void)fprintf(out, "%s|\n", style->colours ? "\033[0m" : "");
}

void picture_print(const struct picture *picture, const struct picture_style *style, FILE *out)
{
	unsigned int row_cells = picture_row_cells(picture->region_count, style->width);

	if (picture->cell_count == 0)
		return;
	for (uint64_t first = 0; first < picture->cell_count; first += row_cells)
		print_row(picture, style, first, row_cells, out);
	if (picture->cell_regions == 1)
		(void)fprintf(out, "a character is a region; ");
	else
		(void)fprintf(out, "a character is %" PRIu64 " regions; ", picture->cell_regions);
	(void)fputs(style->unicode ?
			    "· clean  ░▒▓ some or all held  ▁▄█ some or all out of sync\n" :
			    ". clean  h H some, all held  1-7 # some, all out of sync\n",
		    out);
}
