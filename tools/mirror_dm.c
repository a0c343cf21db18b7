/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device-mapper for mirrors: see mirror_dm.h. */
#include "tools/mirror_dm.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#include "daemon/live_table.h"

/* Of the device, so that it is told from others: lsblk and dmsetup show it. */
#define DM_UUID_PREFIX "DMCLOG-"

static int task_make(int type, const char *name, struct dm_task **ret_task)
{
	/* Reading tables has turned it off: here udev makes the nodes, where it runs. */
	(void)live_table_init();
	(void)dm_udev_set_sync_support(1);
	*ret_task = dm_task_create(type);
	if (*ret_task == NULL)
		return -ENODEV;
	if (dm_task_set_name(*ret_task, name))
		return 0;
	dm_task_destroy(*ret_task);
	return -EINVAL;
}

static int task_run(struct dm_task *task)
{
	int error;

	if (dm_task_run(task))
		return 0;
	error = dm_task_get_errno(task);
	if (error == ENXIO)
		return -ENODEV;
	return error != 0 ? -error : -EIO;
}

/* With udev's cookie: at the end /dev/mapper has what the kernel has. */
static int task_run_and_settle(struct dm_task *task)
{
	uint32_t cookie = 0;
	int r;

	if (!dm_task_set_cookie(task, &cookie, 0))
		return -EIO;
	r = task_run(task);
	(void)dm_udev_wait(cookie);
	return r;
}

static int look_at_info(struct dm_task *task, struct mirror_state *state)
{
	struct dm_info info;

	if (!dm_task_get_info(task, &info) || !info.exists)
		return -ENODEV;
	state->suspended = info.suspended != 0;
	state->open_count = info.open_count;
	return 0;
}

static void look_at_table(struct dm_task *task, struct mirror_state *state)
{
	uint64_t start = 0, length = 0;
	char *type = NULL, *params = NULL;
	void *next = dm_get_next_target(task, NULL, &start, &length, &type, &params);

	state->sectors = length;
	state->mirror = next == NULL && start == 0 && type != NULL && params != NULL &&
			strcmp(type, "mirror") == 0 && plan_parse(params, &state->plan) == 0;
	state->plan.sectors = length;
}

int mirror_dm_look(const char *name, struct mirror_state *ret_state)
{
	struct mirror_state state = { 0 };
	struct dm_task *task;
	int r = task_make(DM_DEVICE_TABLE, name, &task);

	if (r < 0)
		return r;
	r = task_run(task);
	if (r == 0)
		r = look_at_info(task, &state);
	if (r == 0)
		look_at_table(task, &state);
	dm_task_destroy(task);
	if (r == 0)
		*ret_state = state;
	return r;
}

int mirror_dm_create(const char *name, const struct mirror_plan *plan)
{
	char line[PLAN_LINE_BYTES], uuid[TAB_NAME_BYTES + sizeof(DM_UUID_PREFIX)];
	struct dm_task *task = NULL;
	int r = plan_line(plan, line, sizeof(line));

	if (r == 0)
		r = task_make(DM_DEVICE_CREATE, name, &task);
	if (r < 0)
		return r;
	(void)snprintf(uuid, sizeof(uuid), DM_UUID_PREFIX "%s", name);
	if (!dm_task_set_uuid(task, uuid) ||
	    !dm_task_add_target(task, 0, plan->sectors, "mirror", line))
		r = -EINVAL;
	else
		r = task_run_and_settle(task);
	dm_task_destroy(task);
	return r;
}

int mirror_dm_remove(const char *name)
{
	struct dm_task *task;
	int r = task_make(DM_DEVICE_REMOVE, name, &task);

	if (r < 0)
		return r;
	(void)dm_task_retry_remove(task); /* udev may have it open for a moment */
	r = task_run_and_settle(task);
	dm_task_destroy(task);
	return r;
}

/* ---- another table ---- */

static int load(const char *name, const struct mirror_plan *plan)
{
	char line[PLAN_LINE_BYTES];
	struct dm_task *task = NULL;
	int r = plan_line(plan, line, sizeof(line));

	if (r == 0)
		r = task_make(DM_DEVICE_RELOAD, name, &task);
	if (r < 0)
		return r;
	r = dm_task_add_target(task, 0, plan->sectors, "mirror", line) ? task_run(task) : -EINVAL;
	dm_task_destroy(task);
	return r;
}

static int simple(int type, const char *name)
{
	struct dm_task *task = NULL;
	int r = task_make(type, name, &task);

	if (r < 0)
		return r;
	r = type == DM_DEVICE_RESUME ? task_run_and_settle(task) : task_run(task);
	dm_task_destroy(task);
	return r;
}

int mirror_dm_switch(const char *name, const struct mirror_plan *plan,
		     int (*check)(const char *name, const struct mirror_plan *plan),
		     bool *ret_suspended)
{
	int r = load(name, plan);

	*ret_suspended = false;
	if (r < 0)
		return r;
	r = simple(DM_DEVICE_SUSPEND, name);
	if (r == 0)
		r = check(name, plan);
	if (r == 0)
		r = simple(DM_DEVICE_RESUME, name);
	if (r == 0)
		return 0;
	(void)simple(DM_DEVICE_CLEAR, name);
	*ret_suspended = simple(DM_DEVICE_RESUME, name) < 0;
	return r;
}

static int letters_good(const char *params)
{
	struct table_status status;

	if (params == NULL || table_parse_status(params, &status) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < status.leg_count; i++)
		if (status.letters[i] != 'A')
			return -EMEDIUMTYPE;
	return 0;
}

int mirror_dm_legs_good(const char *name)
{
	uint64_t start = 0, length = 0;
	char *type = NULL, *params = NULL;
	struct dm_task *task = NULL;
	int r = task_make(DM_DEVICE_STATUS, name, &task);

	if (r < 0)
		return r;
	(void)dm_task_no_flush(task);
	r = task_run(task);
	if (r == 0) {
		(void)dm_get_next_target(task, NULL, &start, &length, &type, &params);
		r = letters_good(params);
	}
	dm_task_destroy(task);
	return r;
}
