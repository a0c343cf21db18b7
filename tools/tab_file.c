/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file /etc/dmclogtab: see tab.h. */
#include "tools/tab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int keep(struct tab *tab, const struct tab_entry *entry)
{
	struct tab_entry *more = realloc(tab->entries, (tab->count + 1) * sizeof(*tab->entries));

	if (more == NULL)
		return -ENOMEM;
	more[tab->count++] = *entry;
	tab->entries = more;
	return 0;
}

static int say(const char *path, unsigned int number, const char *message)
{
	(void)fprintf(stderr, "dmclog: %s, line %u: %s\n", path, number, message);
	return -EINVAL;
}

static int take_line(struct tab *tab, const char *path, unsigned int number, const char *line)
{
	struct tab_entry entry;
	char message[256];
	int r = tab_parse(line, false, &entry, message, sizeof(message));

	if (r < 0)
		return say(path, number, message);
	if (r == 0)
		return 0;
	for (size_t i = 0; i < tab->count; i++) {
		if (strcmp(tab->entries[i].name, entry.name) == 0)
			return say(path, number, "this name comes twice");
		if (strcmp(tab->entries[i].uuid, entry.uuid) == 0)
			return say(path, number, "this uuid comes twice");
	}
	return keep(tab, &entry);
}

int tab_read(const char *path, struct tab *ret_tab)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	int r = 0, each;

	*ret_tab = (struct tab){ 0 };
	if (file == NULL && errno == ENOENT)
		return 0;
	if (file == NULL) {
		r = -errno;
		(void)fprintf(stderr, "dmclog: %s cannot be read: %s\n", path, strerror(-r));
		return r;
	}
	while (r != -ENOMEM && getline(&line, &room, file) >= 0) {
		each = take_line(ret_tab, path, ++number, line);
		r = each < 0 ? each : r;
	}
	free(line);
	(void)fclose(file);
	return r;
}

void tab_free(struct tab *tab)
{
	free(tab->entries);
	*tab = (struct tab){ 0 };
}

const struct tab_entry *tab_find(const struct tab *tab, const char *name)
{
	for (size_t i = 0; i < tab->count; i++)
		if (strcmp(tab->entries[i].name, name) == 0)
			return &tab->entries[i];
	return NULL;
}

/* A last line without its newline would become one with ours. */
static bool ends_within_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

int tab_append(const char *path, const struct tab_entry *entry)
{
	char line[TAB_LINE_BYTES + 2];
	size_t length;
	int r, fd;

	line[0] = '\n';
	r = tab_format(entry, line + 1, TAB_LINE_BYTES);
	if (r < 0)
		return r;
	length = strlen(line);
	line[length++] = '\n';
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (ends_within_line(fd))
		r = write(fd, line, length) == (ssize_t)length ? 0 : -EIO;
	else
		r = write(fd, line + 1, length - 1) == (ssize_t)(length - 1) ? 0 : -EIO;
	if (fsync(fd) < 0 && r == 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}
