/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of logs: their own, and what outlives this daemon, in mapped files of the state directory, a file a log.
 *
 * What is in such a file is the core's matter (daemon/core/kept.h has its layout and version).  It counts only while no other
 * daemon has served the tables without it; so the files belong to the tables' file (tables_file.h) and go with it.
 */
#ifndef DMCLOGD_LOG_MEMORY_H
#define DMCLOGD_LOG_MEMORY_H

#include <stdbool.h>

#include "core.h"

struct log_memory;

/* Aligned to 64; for free().  NULL when there is none. */
void *memory_zeroed(size_t bytes);

/*
 * `found`: the tables' file is of a daemon of this version that served the node before; else all files are removed.
 * A directory that cannot be used is told, and nothing outlives this daemon then.  Returns 0 and *ret_memory, or -ENOMEM.
 */
int log_memory_open(struct log_memory **ret_memory, const char *directory, bool found);
/* The files stay, the core must not be used any more.  NULL is fine. */
void log_memory_close(struct log_memory *memory);

/* Fills in `memory` and `kept` of a request, where it needs them. */
void log_memory_give(struct log_memory *memory, const struct core *core,
		     struct input_request *input);
/* Takes both back; the file is removed. */
void log_memory_release(struct log_memory *memory, const struct effect_release *release);

/* Removes the files of logs that nobody has asked for. */
void log_memory_sweep(struct log_memory *memory);

#endif
