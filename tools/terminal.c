/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What standard output can show: see terminal.h. */
#include "tools/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define HEIGHT_DEFAULT 24
#define WIDTH_MIN 20
#define WIDTH_MAX 1000

unsigned int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };
	unsigned long width = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width == 0 && columns != NULL)
		width = strtoul(columns, NULL, 10);
	if (width == 0)
		width = WIDTH_DEFAULT;
	return (unsigned int)(width < WIDTH_MIN ? WIDTH_MIN :
			      width > WIDTH_MAX ? WIDTH_MAX :
						  width);
}

unsigned int terminal_height(void)
{
	struct winsize size = { 0 };

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row :
										 HEIGHT_DEFAULT;
}

bool terminal_has_colours(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0 &&
	       (no_color == NULL || no_color[0] == '\0');
}
