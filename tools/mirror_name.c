/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of mirrors by libdevmapper: see mirror_name.h. */
#include "tools/mirror_name.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#include "daemon/block_device.h"
#include "daemon/live_table.h"
#include "daemon/table_parse.h"

/* The uuid of the one mirror of a table. */
static int uuid_of_table(struct dm_task *task, char ret_uuid[REQUEST_UUID_SIZE])
{
	struct table_mirror mirror;
	void *next = NULL;
	int r = -ENOMSG;

	do {
		uint64_t start_sectors = 0, length_sectors = 0;
		char *type = NULL, *params = NULL;

		next = dm_get_next_target(task, next, &start_sectors, &length_sectors, &type,
					  &params);
		if (type == NULL || params == NULL || strcmp(type, "mirror") != 0 ||
		    table_parse_mirror(params, &mirror) < 0)
			continue;
		if (r == 0 && strcmp(ret_uuid, mirror.uuid) != 0)
			return -ENOTUNIQ;
		memcpy(ret_uuid, mirror.uuid, REQUEST_UUID_SIZE);
		r = 0;
	} while (next != NULL);
	return r;
}

int mirror_uuid(const char *name, char ret_uuid[REQUEST_UUID_SIZE])
{
	static const char directory[] = "/dev/mapper/";
	struct dm_task *task;
	struct dm_info info;
	int r;

	(void)live_table_init(); /* also: libdevmapper says nothing by itself */
	if (strncmp(name, directory, sizeof(directory) - 1) == 0)
		name += sizeof(directory) - 1;
	task = dm_task_create(DM_DEVICE_TABLE);
	if (task == NULL)
		return -ENODEV;
	if (!dm_task_set_name(task, name) || !dm_task_no_open_count(task) || !dm_task_run(task) ||
	    !dm_task_get_info(task, &info) || !info.exists)
		r = -ENODEV;
	else
		r = uuid_of_table(task, ret_uuid);
	dm_task_destroy(task);
	return r;
}

/* ---- the legs ---- */

/* Obeys: drivers/md/dm-raid1.c, device_status_char(). */
static const char *letter_word(char letter)
{
	switch (letter) {
	case 'A':
		return "alive";
	case 'D':
		return "write error";
	case 'F':
		return "flush error";
	case 'R':
		return "read error";
	case 'S':
		return "copy error";
	default:
		return "unknown";
	}
}

void mirror_look(const char *uuid, struct mirror_legs *ret_legs)
{
	struct live_table table = { 0 };
	char letters[CORE_LEGS_MAX];
	bool suspended, known;

	memset(ret_legs, 0, sizeof(*ret_legs));
	if (live_table_init() < 0 || live_table_find(uuid, &table) < 0)
		return;
	if (live_table_device_name(table.major, table.minor, ret_legs->mirror,
				   sizeof(ret_legs->mirror)) < 0)
		ret_legs->mirror[0] = '\0';
	known = live_table_health(uuid, &table, letters, &suspended) == 0;
	ret_legs->count = table.mirror.leg_count;
	for (uint32_t i = 0; i < ret_legs->count; i++) {
		struct mirror_leg *leg = &ret_legs->leg[i];

		leg->major = table.mirror.legs[i].major;
		leg->minor = table.mirror.legs[i].minor;
		device_name(leg->major, leg->minor, leg->name, sizeof(leg->name));
		leg->state = known ? letter_word(letters[i]) : "";
		leg->failed = known && letters[i] != 'A';
	}
}

/* ---- names ---- */

void device_name(uint32_t major, uint32_t minor, char *ret_name, size_t bytes)
{
	char path[64], uevent[4096];
	size_t length;
	FILE *file;

	ret_name[0] = '\0';
	if (live_table_init() == 0 && live_table_device_name(major, minor, ret_name, bytes) == 0)
		return;
	ret_name[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major, minor);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	length = fread(uevent, 1, sizeof(uevent) - 1, file);
	(void)fclose(file);
	uevent[length] = '\0';
	if (block_device_name(uevent, ret_name, bytes) < 0)
		ret_name[0] = '\0';
}
