/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live tables by libdevmapper.
 *
 * Threads: libdevmapper keeps a control descriptor, a version check and the size of its ioctl buffers in statics.  The
 * first two are settled by live_table_init(); the last doubles for good whenever an answer did not fit, and many
 * threads doubling at once would ask for gigabytes.  So listing devices and reading tables is serialised by one lock:
 * these ioctls never wait for I/O or for a daemon.  Status ioctls wait for the daemon's answer: they are made without
 * it, and by another process (aside.h); their answer is shorter than the table line that fitted before.
 */
#define _GNU_SOURCE 1
#include "daemon/live_table.h"

#include "daemon/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static pthread_mutex_t dm_lock = PTHREAD_MUTEX_INITIALIZER;
static bool dm_ready;

static void dm_quiet(int level, const char *file, int line, int dm_errno_or_class,
		     const char *format, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)dm_errno_or_class;
	(void)format;
}

/* Has libdevmapper open its control node and check versions; under dm_lock. */
static int dm_prepare(void)
{
	struct dm_task *task;

	if (dm_ready)
		return 0;
	task = dm_task_create(DM_DEVICE_LIST);
	if (task == NULL)
		return -ENODEV;
	dm_ready = dm_task_run(task) != 0;
	dm_task_destroy(task);
	return dm_ready ? 0 : -ENODEV;
}

int live_table_init(void)
{
	int r;

	dm_log_with_errno_init(dm_quiet);
	dm_udev_set_sync_support(0);
	dm_udev_set_checking(0);
	dm_hold_control_dev(1);
	pthread_mutex_lock(&dm_lock);
	r = dm_prepare();
	pthread_mutex_unlock(&dm_lock);
	return r;
}

static int task_error(struct dm_task *task)
{
	int error = dm_task_get_errno(task);

	return error == 0 || error == ENXIO ? -ENODEV : -error;
}

/* Runs a query of one device.  On success the caller destroys *ret_task. */
static int query(int type, uint32_t major_number, uint32_t minor_number, struct dm_task **ret_task)
{
	struct dm_task *task = dm_task_create(type);
	struct dm_info info;
	int r;

	if (task == NULL)
		return -ENOMEM;
	if (!dm_task_set_major_minor(task, (int)major_number, (int)minor_number, 0) ||
	    !dm_task_no_open_count(task) || !dm_task_no_flush(task)) {
		dm_task_destroy(task);
		return -EINVAL;
	}
	r = dm_task_run(task) ? 0 : task_error(task);
	if (r == 0 && (!dm_task_get_info(task, &info) || !info.exists))
		r = -ENODEV;
	if (r < 0) {
		dm_task_destroy(task);
		return r;
	}
	*ret_task = task;
	return 0;
}

static int query_locked(int type, uint32_t major_number, uint32_t minor_number,
			struct dm_task **ret_task)
{
	int r;

	pthread_mutex_lock(&dm_lock);
	r = dm_prepare();
	if (r == 0)
		r = query(type, major_number, minor_number, ret_task);
	pthread_mutex_unlock(&dm_lock);
	return r;
}

int live_table_device_name(uint32_t major_number, uint32_t minor_number, char *ret_name,
			   size_t name_bytes)
{
	struct dm_task *task;
	const char *name;
	int r;

	r = query_locked(DM_DEVICE_INFO, major_number, minor_number, &task);
	if (r < 0)
		return r;
	name = dm_task_get_name(task);
	if (name == NULL || *name == '\0')
		r = -ENODEV;
	else if (strlen(name) >= name_bytes)
		r = -ENAMETOOLONG;
	else
		memcpy(ret_name, name, strlen(name) + 1);
	dm_task_destroy(task);
	return r;
}

/* ---- all devices ---- */

/* The numbers of all dm devices; the caller frees *ret_devices. */
static int list_devices(uint64_t **ret_devices, size_t *ret_count)
{
	struct dm_task *task;
	const struct dm_names *names;
	uint64_t *devices = NULL;
	size_t count = 0, room = 0;
	int r = 0;

	task = dm_task_create(DM_DEVICE_LIST);
	if (task == NULL)
		return -ENOMEM;
	if (!dm_task_run(task)) {
		r = task_error(task);
		goto out;
	}
	names = dm_task_get_names(task);
	while (names != NULL && names->dev != 0) {
		if (count == room) {
			uint64_t *more;

			room = room == 0 ? 64 : room * 2;
			more = reallocarray(devices, room, sizeof(*devices));
			if (more == NULL) {
				r = -ENOMEM;
				goto out;
			}
			devices = more;
		}
		devices[count++] = names->dev;
		if (names->next == 0)
			break;
		names = (const struct dm_names *)((const char *)names + names->next);
	}
	*ret_devices = devices;
	*ret_count = count;
	devices = NULL;
out:
	free(devices);
	dm_task_destroy(task);
	return r;
}

/* What to do with a mirror of a live table; a negative result ends the walk. */
typedef int visit_function(void *context, const struct live_table *table, int parse_status);

/* Calls visit() for each mirror target with a userspace log of one device; also, with parse_status < 0 and nothing
 * else, for one that cannot be understood. */
static int visit_device(uint32_t major_number, uint32_t minor_number, visit_function *visit,
			void *context)
{
	struct dm_task *task;
	void *next = NULL;
	int r;

	r = query_locked(DM_DEVICE_TABLE, major_number, minor_number, &task);
	if (r < 0)
		return r;
	do {
		struct live_table table = { .major = major_number, .minor = minor_number };
		char *type = NULL, *params = NULL;
		int parsed;

		next = dm_get_next_target(task, next, &table.start_sectors, &table.length_sectors,
					  &type, &params);
		if (type == NULL || params == NULL || strcmp(type, "mirror") != 0)
			continue;
		parsed = table_parse_mirror(params, &table.mirror);
		if (parsed != -ENOMSG)
			r = visit(context, &table, parsed);
	} while (next != NULL && r == 0);
	dm_task_destroy(task);
	return r;
}

static int visit_all(visit_function *visit, void *context)
{
	uint64_t *devices = NULL;
	size_t count = 0;
	int r;

	pthread_mutex_lock(&dm_lock);
	r = dm_prepare();
	if (r == 0)
		r = list_devices(&devices, &count);
	pthread_mutex_unlock(&dm_lock);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++) {
		r = visit_device(major(devices[i]), minor(devices[i]), visit, context);
		if (r == -ENODEV)
			r = 0; /* removed meanwhile */
	}
	free(devices);
	return r;
}

/* ---- one mirror ---- */

struct search {
	const char *uuid;
	unsigned found;
	int parse_status; /* of some mirror that could not be understood: ours perhaps */
	struct live_table table;
};

static int search_visit(void *context, const struct live_table *table, int parse_status)
{
	struct search *search = context;

	if (parse_status < 0) {
		search->parse_status = parse_status;
		return 0;
	}
	if (strcmp(table->mirror.uuid, search->uuid) != 0)
		return 0;
	search->found++;
	search->table = *table;
	return 0;
}

static int search_end(const struct search *search, struct live_table *ret_table)
{
	if (search->found > 1)
		return -ENOTUNIQ;
	if (search->found == 0)
		return search->parse_status < 0 ? search->parse_status : -ENODEV;
	*ret_table = search->table;
	return 0;
}

int live_table_find(const char *uuid, struct live_table *ret_table)
{
	struct search search = { .uuid = uuid };
	int r;

	if (ret_table->major != 0) {
		r = visit_device(ret_table->major, ret_table->minor, search_visit, &search);
		if (r == 0 && search.found > 0)
			return search_end(&search, ret_table);
		search = (struct search){ .uuid = uuid };
	}
	r = visit_all(search_visit, &search);
	return r < 0 ? r : search_end(&search, ret_table);
}

static bool same_legs(const struct table_leg *a, const struct table_leg *b, uint32_t leg_count)
{
	for (uint32_t i = 0; i < leg_count; i++)
		if (a[i].major != b[i].major || a[i].minor != b[i].minor)
			return false;
	return true;
}

/* The letters of the target at start_sectors of a device, if its legs are still those of `table`. */
static int read_letters(const struct live_table *table, char *ret_letters, bool *ret_suspended)
{
	struct dm_info info = { 0 };
	struct table_status status;
	struct dm_task *task;
	void *next = NULL;
	int r;

	r = query(DM_DEVICE_STATUS, table->major, table->minor, &task);
	if (r < 0)
		return r;
	r = -ENODEV;
	do {
		uint64_t start_sectors = 0, length_sectors = 0;
		char *type = NULL, *params = NULL;

		next = dm_get_next_target(task, next, &start_sectors, &length_sectors, &type,
					  &params);
		if (type == NULL || params == NULL || strcmp(type, "mirror") != 0 ||
		    start_sectors != table->start_sectors)
			continue;
		r = table_parse_status(params, &status);
		if (r == 0 && (status.leg_count != table->mirror.leg_count ||
			       !same_legs(status.legs, table->mirror.legs, status.leg_count)))
			r = -ESTALE;
		break;
	} while (next != NULL);
	if (!dm_task_get_info(task, &info))
		r = -EIO;
	dm_task_destroy(task);
	if (r == 0)
		*ret_suspended = info.suspended != 0;
	if (r == 0)
		memcpy(ret_letters, status.letters, status.leg_count);
	return r;
}

struct letters {
	int status;
	bool suspended;
	char letters[CORE_LEGS_MAX];
};

static void letters_begin(void)
{
	(void)live_table_init();
}

/* In the process beside; the table is read first, for the size of the answer. */
static void letters_call(const void *request, void *ret_reply)
{
	struct live_table table;
	struct letters reply = { 0 };
	struct dm_task *task;

	memcpy(&table, request, sizeof(table));
	reply.status = query_locked(DM_DEVICE_TABLE, table.major, table.minor, &task);
	if (reply.status == 0) {
		dm_task_destroy(task);
		reply.status = read_letters(&table, reply.letters, &reply.suspended);
	}
	memcpy(ret_reply, &reply, sizeof(reply));
}

int live_table_aside(char *name)
{
	static const struct aside what = {
		.request_bytes = sizeof(struct live_table),
		.reply_bytes = sizeof(struct letters),
		.begin = letters_begin,
		.call = letters_call,
	};

	return aside_start(&what, name);
}

int live_table_health(const char *uuid, const struct live_table *expected, char *ret_letters,
		      bool *ret_suspended)
{
	struct live_table table = *expected;
	struct letters reply;
	int r;

	r = live_table_find(uuid, &table);
	if (r < 0)
		return r;
	if (table.mirror.leg_count != expected->mirror.leg_count ||
	    !same_legs(table.mirror.legs, expected->mirror.legs, table.mirror.leg_count))
		return -ESTALE;
	r = aside_call(&table, &reply);
	if (r < 0) /* better from here than not at all */
		return read_letters(&table, ret_letters, ret_suspended);
	if (reply.status == 0) {
		*ret_suspended = reply.suspended;
		memcpy(ret_letters, reply.letters, table.mirror.leg_count);
	}
	return reply.status;
}

struct listing {
	void (*found)(void *context, const char *uuid);
	void *context;
};

static int listing_visit(void *context, const struct live_table *table, int parse_status)
{
	const struct listing *listing = context;

	if (parse_status == 0)
		listing->found(listing->context, table->mirror.uuid);
	return 0;
}

int live_table_list(void (*found)(void *context, const char *uuid), void *context)
{
	struct listing listing = { .found = found, .context = context };

	return visit_all(listing_visit, &listing);
}

/* ---- events ---- */

int live_table_events_arm(int fd)
{
	struct dm_ioctl request = { .version = { 4, 0, 0 },
				    .data_size = sizeof(request),
				    .data_start = sizeof(request) };

	return ioctl(fd, DM_DEV_ARM_POLL, &request) < 0 ? -errno : 0;
}

int live_table_events_open(void)
{
	int fd, r;

	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	r = live_table_events_arm(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
