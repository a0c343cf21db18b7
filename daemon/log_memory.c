/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of logs: see log_memory.h. */
#include "log_memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define PREFIX "marks-"
#define NAME_BYTES (sizeof(PREFIX) + 16)

struct kept_file {
	struct kept_file *next;
	uint64_t name;
	void *bytes;
	size_t length;
	bool mapped; /* else it is plain memory, which ends with the process */
};

struct log_memory {
	int directory; /* or -1 */
	struct kept_file *files;
};

void *memory_zeroed(size_t bytes)
{
	void *memory;

	bytes = (bytes + 63) & ~(size_t)63;
	memory = aligned_alloc(64, bytes);
	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

static void file_name(uint64_t name, char *text)
{
	(void)snprintf(text, NAME_BYTES, PREFIX "%016" PRIx64, name);
}

/* ---- the directory ---- */

static bool is_in_use(const struct log_memory *memory, const char *text)
{
	char name[NAME_BYTES];

	for (const struct kept_file *file = memory->files; file != NULL; file = file->next) {
		file_name(file->name, name);
		if (file->mapped && strcmp(name, text) == 0)
			return true;
	}
	return false;
}

void log_memory_sweep(struct log_memory *memory)
{
	int fd = memory->directory < 0 ?
			 -1 :
			 openat(memory->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (directory == NULL && fd >= 0)
		(void)close(fd);
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    !is_in_use(memory, entry->d_name))
			(void)unlinkat(memory->directory, entry->d_name, 0);
	(void)closedir(directory);
}

int log_memory_open(struct log_memory **ret_memory, const char *directory, bool found)
{
	struct log_memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return -ENOMEM;
	memory->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (memory->directory < 0)
		report(LOG_WARNING, NULL, 0,
		       "%s cannot be used (%s): after a restart all regions will count as held",
		       directory, strerror(errno));
	if (!found)
		log_memory_sweep(memory);
	*ret_memory = memory;
	return 0;
}

/* ---- files ---- */

/* One of another size is another version's. */
static int open_file(const struct log_memory *memory, const char *name, size_t length)
{
	struct stat status;
	int fd = openat(memory->directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size == (off_t)length)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	if (unlinkat(memory->directory, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(memory->directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Without room a store into the mapping would end the process. */
	r = posix_fallocate(fd, 0, (off_t)length);
	if (r == 0)
		return fd;
	(void)close(fd);
	(void)unlinkat(memory->directory, name, 0);
	return -r;
}

static int map_file(const struct log_memory *memory, struct kept_file *file)
{
	char name[NAME_BYTES];
	int r = 0;
	int fd;

	file_name(file->name, name);
	if (memory->directory < 0)
		return -EBADF; /* that has been told */
	if (is_in_use(memory, name))
		return -EEXIST;
	fd = open_file(memory, name, file->length);
	if (fd < 0)
		return fd;
	file->bytes = mmap(NULL, file->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file->bytes == MAP_FAILED) {
		r = -errno;
		(void)unlinkat(memory->directory, name, 0); /* or it would be believed some day */
	}
	(void)close(fd);
	file->mapped = r == 0;
	return r;
}

static void *give_kept(struct log_memory *memory, const char *uuid, uint64_t name, size_t length)
{
	struct kept_file *file = calloc(1, sizeof(*file));
	int r;

	if (file == NULL)
		return NULL;
	file->name = name;
	file->length = length;
	r = map_file(memory, file);
	if (r < 0 && r != -EBADF)
		report(LOG_WARNING, uuid, 0,
		       "nothing outlives this daemon (%s): after a restart all regions will count as held",
		       strerror(-r));
	if (!file->mapped)
		file->bytes = memory_zeroed(length);
	if (file->bytes == NULL) {
		free(file);
		return NULL;
	}
	file->next = memory->files;
	memory->files = file;
	return file->bytes;
}

static void forget(struct kept_file *file)
{
	if (file->mapped)
		(void)munmap(file->bytes, file->length);
	else
		free(file->bytes);
	free(file);
}

void log_memory_close(struct log_memory *memory)
{
	if (memory == NULL)
		return;
	while (memory->files != NULL) {
		struct kept_file *file = memory->files;

		memory->files = file->next;
		forget(file);
	}
	if (memory->directory >= 0)
		(void)close(memory->directory);
	free(memory);
}

/* ---- for the core ---- */

void log_memory_give(struct log_memory *memory, const struct core *core,
		     struct input_request *input)
{
	size_t bytes = core_ctr_memory_bytes(core, input->request);
	uint64_t name;

	if (bytes == 0)
		return;
	input->memory = memory_zeroed(bytes);
	bytes = core_ctr_kept_bytes(core, input->request, &name);
	if (bytes > 0)
		input->kept = give_kept(memory, input->request->uuid, name, bytes);
}

void log_memory_release(struct log_memory *memory, const struct effect_release *release)
{
	char name[NAME_BYTES];

	free(release->memory);
	for (struct kept_file **place = &memory->files; *place != NULL; place = &(*place)->next) {
		struct kept_file *file = *place;

		if (file->bytes != release->kept)
			continue;
		*place = file->next;
		file_name(file->name, name);
		if (file->mapped)
			(void)unlinkat(memory->directory, name, 0);
		forget(file);
		return;
	}
}
