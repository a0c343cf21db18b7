/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cluster's name in corosync.conf(5): see corosync_conf.h. */
#include "tools/corosync_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

static int take_value(char *value, char *ret_name, size_t name_bytes)
{
	size_t length;

	value += strspn(value, blanks);
	length = strlen(value);
	while (length > 0 && strchr(blanks, value[length - 1]) != NULL)
		length--;
	if (length == 0)
		return -ENODATA;
	if (length >= name_bytes)
		return -ENAMETOOLONG;
	memcpy(ret_name, value, length);
	ret_name[length] = '\0';
	return 0;
}

/* A line has one "key: value"; the key stands in the section "totem" only. */
int corosync_conf_cluster(const char *path, char *ret_name, size_t name_bytes)
{
	static const char key[] = "cluster_name";
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int r = -ENODATA;

	if (file == NULL)
		return -errno;
	while (r == -ENODATA && getline(&line, &room, file) >= 0) {
		char *at = line + strspn(line, blanks);

		if (strncmp(at, key, sizeof(key) - 1) != 0)
			continue;
		at += sizeof(key) - 1;
		at += strspn(at, blanks);
		if (*at == ':')
			r = take_value(at + 1, ret_name, name_bytes);
	}
	free(line);
	(void)fclose(file);
	return r;
}
