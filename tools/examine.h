/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What "dmclog examine" tells, for people and as JSON. */
#ifndef DMCLOG_EXAMINE_H
#define DMCLOG_EXAMINE_H

#include <json-c/json_object.h>

#include "tools/log_image.h"

#define EXAMINE_ID_BYTES 16

struct examination {
	const char *path;
	const struct log_image *image;
	const char *cluster; /* that it should be of, or NULL: not known */
	bool this_machine_known;
	uint8_t machine_id[EXAMINE_ID_BYTES]; /* of this machine */
	uint8_t boot_id[EXAMINE_ID_BYTES];
};

/* A superblock of ours, and its cluster is known to be another one. */
bool examine_is_foreign(const struct examination *examination);
/* One word: "dmclogd", "kernel", "none", "truncated", "damaged", "other-cluster". */
const char *examine_word(const struct examination *examination);
/* The name in the superblock, all of it printable ASCII. */
void examine_cluster_name(const struct log_image *image, char ret_name[DISK_CLUSTER_NAME_SIZE]);
/* The owner of this slot is a machine whose end the next opening waits for. */
bool examine_waits_for(const struct examination *examination, const struct image_slot *slot);

/* Prints it without the picture.  Returns 0 or -ENOMEM. */
int examine_show(const struct examination *examination);
/* NULL: out of memory.  The caller frees it by json_object_put(). */
struct json_object *examine_json(const struct examination *examination);

#endif
