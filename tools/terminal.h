/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What standard output can show. */
#ifndef DMCLOG_TERMINAL_H
#define DMCLOG_TERMINAL_H

#include <stdbool.h>

/* Columns: of the terminal; else $COLUMNS; else 80. */
unsigned int terminal_width(void);
/* Rows of the terminal, or 24. */
unsigned int terminal_height(void);
/* It is a terminal, not a dumb one, and NO_COLOR is not set. */
bool terminal_has_colours(void);

#endif
