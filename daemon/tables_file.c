/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that are served, for a successor: see tables_file.h. */
#include "tables_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

#define MAGIC "dmclogt2" /* the last digit is the version */
#define MAGIC_BYTES 8

enum entry_state { ENTRY_FREE, ENTRY_ASKED, ENTRY_BUILT, ENTRY_RESUMED };

struct file_entry {
	_Atomic uint8_t state; /* stored last when one is made, first when it goes */
	char uuid[REQUEST_UUID_SIZE];
	char constructor[REQUEST_PAYLOAD_MAX_BYTES + 1];
	uint64_t luid;
};

struct file_image {
	char magic[MAGIC_BYTES];
	uint8_t boot_id[16];
	uint32_t entry_bytes, entry_count;
	struct file_entry entry[CORE_TABLES_MAX];
};

struct tables_file {
	struct file_image *image;
	bool found;
};

/* ---- opening ---- */

static bool fits(const struct file_image *image, const uint8_t *boot_id)
{
	return memcmp(image->magic, MAGIC, MAGIC_BYTES) == 0 &&
	       memcmp(image->boot_id, boot_id, sizeof(image->boot_id)) == 0 &&
	       image->entry_bytes == sizeof(struct file_entry) &&
	       image->entry_count == CORE_TABLES_MAX;
}

/* The magic comes last: half a beginning is none. */
static void begin(struct file_image *image, const uint8_t *boot_id)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->boot_id, boot_id, sizeof(image->boot_id));
	image->entry_bytes = sizeof(struct file_entry);
	image->entry_count = CORE_TABLES_MAX;
	atomic_thread_fence(memory_order_release);
	memcpy(image->magic, MAGIC, MAGIC_BYTES);
}

static int map(struct tables_file *file, int fd, const uint8_t *boot_id)
{
	struct stat status;
	bool fresh;

	if (fstat(fd, &status) < 0)
		return -errno;
	fresh = status.st_size == 0;
	/* Another size is another version's. */
	if (status.st_size != (off_t)sizeof(struct file_image) &&
	    (ftruncate(fd, 0) < 0 || ftruncate(fd, sizeof(struct file_image)) < 0))
		return -errno;
	file->image =
		mmap(NULL, sizeof(struct file_image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file->image == MAP_FAILED) {
		file->image = NULL;
		return -errno;
	}
	file->found = fits(file->image, boot_id);
	if (file->found)
		return 0;
	begin(file->image, boot_id);
	return fresh ? 0 : 1;
}

int tables_file_open(struct tables_file **ret_file, const char *directory,
		     const uint8_t boot_id[16])
{
	struct tables_file *file;
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/tables", directory);
	int fd;
	int r;

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	file = calloc(1, sizeof(*file));
	r = file == NULL ? -ENOMEM : map(file, fd, boot_id);
	(void)close(fd);
	if (r < 0) {
		free(file);
		return r;
	}
	*ret_file = file;
	return r;
}

bool tables_file_found(const struct tables_file *file)
{
	return file != NULL && file->found;
}

void tables_file_close(struct tables_file *file)
{
	if (file == NULL)
		return;
	(void)munmap(file->image, sizeof(*file->image));
	free(file);
}

/* ---- noting ---- */

static void store(struct file_entry *entry, enum entry_state state)
{
	atomic_store_explicit(&entry->state, (uint8_t)state, memory_order_release);
}

static enum entry_state load(const struct file_entry *entry)
{
	return (enum entry_state)atomic_load_explicit(&entry->state, memory_order_acquire);
}

static struct file_entry *find(struct tables_file *file, uint64_t luid)
{
	for (uint32_t i = 0; i < CORE_TABLES_MAX; i++)
		if (load(&file->image->entry[i]) != ENTRY_FREE &&
		    file->image->entry[i].luid == luid)
			return &file->image->entry[i];
	return NULL;
}

static struct file_entry *find_free(struct tables_file *file)
{
	for (uint32_t i = 0; i < CORE_TABLES_MAX; i++)
		if (load(&file->image->entry[i]) == ENTRY_FREE)
			return &file->image->entry[i];
	return NULL;
}

void tables_file_request(struct tables_file *file, const struct request *request)
{
	struct file_entry *entry;

	if (file == NULL || request->type != REQUEST_CTR)
		return;
	entry = find(file, request->luid);
	if (entry != NULL && strcmp(entry->uuid, request->uuid) == 0 &&
	    strcmp(entry->constructor, request->constructor) == 0)
		return;
	if (entry == NULL)
		entry = find_free(file);
	if (entry == NULL)
		return;
	store(entry, ENTRY_FREE);
	atomic_thread_fence(memory_order_seq_cst);
	entry->luid = request->luid;
	memcpy(entry->uuid, request->uuid, sizeof(entry->uuid));
	memcpy(entry->constructor, request->constructor, sizeof(entry->constructor));
	store(entry, ENTRY_ASKED);
}

void tables_file_answer(struct tables_file *file, uint64_t luid, enum request_type type, int error)
{
	struct file_entry *entry;

	/* All others are on the way of I/O. */
	if (file == NULL || (type != REQUEST_CTR && type != REQUEST_RESUME &&
			     type != REQUEST_POSTSUSPEND && type != REQUEST_DTR))
		return;
	entry = find(file, luid);
	if (entry == NULL)
		return;
	if (type == REQUEST_CTR && load(entry) == ENTRY_ASKED)
		store(entry, error == 0 ? ENTRY_BUILT : ENTRY_FREE);
	else if (type == REQUEST_RESUME && error == 0)
		store(entry, ENTRY_RESUMED);
	else if (type == REQUEST_POSTSUSPEND && error == 0)
		store(entry, ENTRY_BUILT);
	else if (type == REQUEST_DTR)
		store(entry, ENTRY_FREE);
}

/* ---- reading ---- */

static bool ends(const char *text, size_t size)
{
	return text[0] != '\0' && memchr(text, '\0', size) != NULL;
}

bool tables_file_next(const struct tables_file *file, uint32_t *cursor,
		      struct table_before *ret_table)
{
	while (file != NULL && *cursor < CORE_TABLES_MAX) {
		const struct file_entry *entry = &file->image->entry[(*cursor)++];
		enum entry_state state = load(entry);

		if ((state != ENTRY_BUILT && state != ENTRY_RESUMED) ||
		    !ends(entry->uuid, sizeof(entry->uuid)) ||
		    !ends(entry->constructor, sizeof(entry->constructor)))
			continue;
		memset(ret_table, 0, sizeof(*ret_table));
		ret_table->luid = entry->luid;
		ret_table->resumed = state == ENTRY_RESUMED;
		memcpy(ret_table->uuid, entry->uuid, strlen(entry->uuid));
		memcpy(ret_table->constructor, entry->constructor, strlen(entry->constructor));
		return true;
	}
	return false;
}

void tables_file_forget(struct tables_file *file, uint64_t luid)
{
	struct file_entry *entry = file == NULL ? NULL : find(file, luid);

	if (entry != NULL)
		store(entry, ENTRY_FREE);
}
