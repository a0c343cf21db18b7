/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an earlier daemon of this node left to this one: the connector's socket, its tables, and mirrors that are live.
 *
 * On the main thread, before anything is received.
 */
#ifndef DMCLOGD_PREDECESSOR_H
#define DMCLOGD_PREDECESSOR_H

#include <stdint.h>

#include "connector.h"
#include "tables_file.h"

struct predecessor_port {
	void (*live)(void *context, const char *uuid); /* a live mirror; once or more */
	/* What the kernel would ask for: CTR, RESUME.  Nobody waits for the answer. */
	void (*request)(void *context, const struct request *request);
	void *context;
};

/* The socket that was kept (see fd_store.h), or a new one where there is none or it cannot be used; no other process may listen to the kernel (-EBUSY).  Returns 0 and *ret_connector, or negative
 * errno after saying what went wrong. */
int predecessor_connector(int kept, struct connector **ret_connector);

/* Its tables' file, or NULL after saying why. */
struct tables_file *predecessor_file(const char *directory, const uint8_t boot_id[16]);

/* Tells of all live mirrors, has their tables built again, and forgets those of mirrors that are gone.  Returns 0, or negative
 * errno after saying that the mirrors cannot be listed. */
int predecessor_tables(struct tables_file *file, const struct predecessor_port *port);

#endif
