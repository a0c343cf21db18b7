/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The constructor string of a log: what CTR brings, parsed and checked.
 *
 * "<device_sectors> clustered-disk <major>:<minor> <region_sectors> [sync|nosync]"
 * "<device_sectors> clustered-core <region_sectors> [sync|nosync]"
 * clustered_disk and clustered_core mean the same.  The kernel (dm-log-userspace-base.c,
 * build_constructor_string) puts the length of the target before the words of the table, and takes
 * `integrated_flush` away before that; we accept it in front of the log type all the same.
 */
#ifndef DMCLOGD_CONSTRUCTOR_H
#define DMCLOGD_CONSTRUCTOR_H

#include <stddef.h>
#include <stdint.h>

enum log_type {
	LOG_TYPE_CORE, /* state lives in memory only */
	LOG_TYPE_DISK, /* state lives on a log device */
};

enum sync_option {
	SYNC_DEFAULT, /* the log device says what is in sync; a core log: nothing is */
	SYNC_FORCE,   /* "sync": nothing is in sync, all is to be copied */
	SYNC_SKIP,    /* "nosync": all is in sync */
};

/* A page: smaller regions have no use. */
#define CONSTRUCTOR_REGION_SECTORS_MIN 8
/* More regions than this are refused: bitmaps of 2^32 bits are 512 MiB each. */
#define CONSTRUCTOR_REGIONS_MAX (UINT64_C(1) << 32)

struct constructor {
	enum log_type type;
	enum sync_option sync;
	uint64_t device_sectors; /* length of the mirror, in sectors of 512 bytes */
	uint32_t region_sectors; /* a power of two, at least CONSTRUCTOR_REGION_SECTORS_MIN */
	uint64_t region_count;   /* device_sectors / region_sectors, rounded up */
	uint32_t log_major;      /* LOG_TYPE_DISK only, else 0 */
	uint32_t log_minor;
};

/*
 * Parses `text` (NUL-terminated) into *ret_constructor.  Leading, trailing and repeated blanks
 * (space, tab) are harmless; numbers are decimal, without sign.  A major number has at most 12
 * bits, a minor number 20 (MINORBITS of the kernel).
 * Returns 0 (`message` untouched) or -EINVAL; then `message` (of `message_bytes`, cut where it does
 * not fit and always NUL-terminated; with 0 bytes nothing is written) says in one line what is
 * wrong, naming the word, and what would be right.  Bytes of the named word that are not printable
 * ASCII appear as '?'.
 */
int constructor_parse(const char *text, struct constructor *ret_constructor, char *message,
		      size_t message_bytes);

#endif
