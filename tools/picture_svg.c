/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture as SVG: see picture.h.  Neighbours that look the same are one rectangle. */
#include "tools/picture.h"

#include <inttypes.h>

#define ROW_CELLS 128
#define CELL_PIXELS 7
#define TOP_PIXELS 34
#define MARGIN_PIXELS 8

enum look { LOOK_CLEAN, LOOK_HELD, LOOK_SOME_OUT, LOOK_ALL_OUT, LOOKS };

static const struct {
	const char *colour;
	const char *words;
} looks[LOOKS] = {
	[LOOK_CLEAN] = { "#3a9d5d", "clean" },
	[LOOK_HELD] = { "#e0b23a", "held" },
	[LOOK_SOME_OUT] = { "#e07b4a", "partly out of sync" },
	[LOOK_ALL_OUT] = { "#b3262e", "out of sync" },
};

static enum look look_of(const struct picture_cell *cell)
{
	if (cell->out_of_sync > 0)
		return cell->out_of_sync == cell->regions ? LOOK_ALL_OUT : LOOK_SOME_OUT;
	return cell->held > 0 ? LOOK_HELD : LOOK_CLEAN;
}

static void text_out(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			(void)fputs("&lt;", out);
		else if (*text == '&')
			(void)fputs("&amp;", out);
		else if (*text >= ' ' && *text <= '~')
			(void)fputc(*text, out);
	}
}

static void rectangle(const struct picture *picture, uint64_t first, uint64_t count, enum look look,
		      FILE *out)
{
	uint64_t end = (first + count) * picture->cell_regions;

	if (end > picture->region_count)
		end = picture->region_count;
	(void)fprintf(out,
		      "<rect x=\"%" PRIu64 "\" y=\"%" PRIu64 "\" width=\"%" PRIu64
		      "\" height=\"%d\" fill=\"%s\"><title>regions %" PRIu64 " to %" PRIu64
		      ": %s</title></rect>\n",
		      MARGIN_PIXELS + first % ROW_CELLS * CELL_PIXELS,
		      TOP_PIXELS + first / ROW_CELLS * CELL_PIXELS, count * CELL_PIXELS,
		      CELL_PIXELS - 1, looks[look].colour, first * picture->cell_regions, end - 1,
		      looks[look].words);
}

static void legend(uint64_t y, uint64_t cell_regions, FILE *out)
{
	int x = MARGIN_PIXELS;

	for (int i = 0; i < LOOKS; i++, x += 150)
		(void)fprintf(out,
			      "<rect x=\"%d\" y=\"%" PRIu64 "\" width=\"10\" height=\"10\" "
			      "fill=\"%s\"/><text x=\"%d\" y=\"%" PRIu64 "\">%s</text>\n",
			      x, y, looks[i].colour, x + 15, y + 9, looks[i].words);
	(void)fprintf(out,
		      "<text x=\"%d\" y=\"%" PRIu64 "\">a square: %" PRIu64 " region%s</text>\n", x,
		      y + 9, cell_regions, cell_regions == 1 ? "" : "s");
}

void picture_svg(const struct picture *picture, const char *heading, FILE *out)
{
	uint64_t rows = (picture->cell_count + ROW_CELLS - 1) / ROW_CELLS;
	uint64_t bottom = TOP_PIXELS + rows * CELL_PIXELS + MARGIN_PIXELS;

	(void)fprintf(out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%" PRIu64
		      "\" font-family=\"sans-serif\" font-size=\"11\">\n"
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		      "<text x=\"%d\" y=\"20\" font-size=\"13\">",
		      2 * MARGIN_PIXELS + ROW_CELLS * CELL_PIXELS, bottom + 20, MARGIN_PIXELS);
	text_out(heading, out);
	(void)fputs("</text>\n", out);
	for (uint64_t i = 0, count; i < picture->cell_count; i += count) {
		enum look look = look_of(&picture->cells[i]);

		for (count = 1; i + count < picture->cell_count && (i + count) % ROW_CELLS != 0 &&
				look_of(&picture->cells[i + count]) == look;)
			count++;
		rectangle(picture, i, count, look, out);
	}
	legend(bottom, picture->cell_regions, out);
	(void)fputs("</svg>\n", out);
}
