/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that this daemon serves, in a file of the state directory, for its successor.
 *
 * Nobody else can tell them: libdevmapper knows the uuid of a live mirror, but not its luid.  With luid and constructor the next daemon
 * builds a table without the kernel's help, whose own loop sleeps two seconds first.  What the kernel had marked is in files of
 * its own (log_memory.h), which count only together with this one: version 1 had none.
 *
 * The file is mapped, so that nothing is written on the way of a request, and outlives the process, not the node (/run; and it
 * names the boot).  It is right whenever the process dies: an entry counts by one byte, which is stored last.  It is read as
 * something that anybody may have written.
 */
#ifndef DMCLOGD_TABLES_FILE_H
#define DMCLOGD_TABLES_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

struct tables_file;

struct table_before {
	uint64_t luid;
	bool resumed; /* RESUME has been answered, POSTSUSPEND not */
	char uuid[REQUEST_UUID_SIZE];
	char constructor[REQUEST_PAYLOAD_MAX_BYTES + 1];
};

/*
 * Maps DIRECTORY/tables, made (0600) if it is not there.  Returns 0 and *ret_file, which tables_file_close() frees; 1 as well, when there
 * was one of another version or boot, which is emptied; or negative errno.
 */
int tables_file_open(struct tables_file **ret_file, const char *directory,
		     const uint8_t boot_id[16]);
/* A daemon of this version and boot made it, and it has its entries still. */
bool tables_file_found(const struct tables_file *file);
/* The file stays.  NULL is fine, here and below: nothing is noted then. */
void tables_file_close(struct tables_file *file);

/* A request has come (CTR counts), or been answered (CTR, RESUME, POSTSUSPEND, DTR count; `error` as the answer's).  Harmless when
 * repeated.  When the file is full a table is not noted. */
void tables_file_request(struct tables_file *file, const struct request *request);
void tables_file_answer(struct tables_file *file, uint64_t luid, enum request_type type, int error);

/* The entries that count, one at each call: *cursor is 0 at first.  False when there is no more. */
bool tables_file_next(const struct tables_file *file, uint32_t *cursor,
		      struct table_before *ret_table);
void tables_file_forget(struct tables_file *file, uint64_t luid);

#endif
