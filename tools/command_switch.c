/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmclog detach and attach: a running mirror moves between the clustered log and the kernel's "disk" log, in place.
 *
 * Between the two the device is suspended, and its log device is a valid log of the kernel, to the bit: whoever has it next knows
 * what is in sync.  The kernel's log is for one node: detach makes sure that no other one has the mirror, before and, where
 * it counts, when the own part is closed.
 */
#include "tools/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/block_device.h"
#include "disk_format.h"
#include "tools/answer.h"
#include "tools/mirror_dm.h"
#include "tools/patience.h"

#define HEAD_BYTES 4096

static int say(const char *name, const char *what)
{
	(void)fprintf(stderr, "dmclog: %s %s\n", name, what);
	return EXIT_ERROR;
}

static int look(const char *name, struct mirror_state *ret_state)
{
	int r = mirror_dm_look(name, ret_state);

	if (r == -ENODEV)
		return say(name, "is not active: dmclog list, dmsetup ls");
	if (r < 0)
		return say(name, "cannot be looked at: run dmclog as root");
	if (ret_state->suspended)
		return say(name, "is suspended: dmsetup resume it first");
	if (ret_state->mirror && mirror_dm_legs_good(name) == -EMEDIUMTYPE)
		return say(name,
			   "has a leg with errors (dmsetup status), and a new table would forget "
			   "which one: replace that leg first");
	return EXIT_OK;
}

/* ---- between the tables ---- */

static int read_header(const struct mirror_plan *plan, struct disk_header *ret_header)
{
	static _Alignas(HEAD_BYTES) uint8_t head[HEAD_BYTES];
	struct block_device device;
	int r = block_device_open(plan->log_major, plan->log_minor, &device);

	if (r < 0)
		return r;
	r = pread(device.fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) ? 0 : -EIO;
	(void)close(device.fd);
	return r == 0 ? disk_header_decode(head, ret_header) : r;
}

/*
 * All legs have all, so that a new table, which knows of no error, copies no old data over new.  And the log is closed:
 * the kernel's header says how many regions there are; a node that has it open keeps that at 0.
 */
static int check_detach(const char *name, const struct mirror_plan *plan)
{
	uint64_t count = (plan->sectors - 1) / plan->region_sectors + 1;
	struct disk_header header;
	int r = mirror_dm_legs_good(name);

	if (r == 0)
		r = read_header(plan, &header);
	return r == 0 && header.nr_regions != count ? -EUSERS : r;
}

static int check_attach(const char *name, const struct mirror_plan *plan)
{
	(void)plan;
	return mirror_dm_legs_good(name);
}

/* ---- the daemon ---- */

/* Does a node other than this one have the log? */
static int check_alone(struct invocation *invocation, const char *name, const char *uuid)
{
	struct json_object *request = client_request("status"), *answer;
	const struct json_object *members;
	uint64_t own;
	int r;

	client_add(request, "log", json_object_new_string(uuid));
	r = client_ask(&invocation->client, request, &answer);
	if (r == EXIT_OK)
		r = client_verdict(answer);
	if (r != EXIT_OK)
		return r;
	own = answer_number(answer_get(answer, "group"), "node");
	members = answer_get(json_object_array_get_idx(answer_get(answer, "logs"), 0), "members");
	for (size_t i = 0; i < answer_count(members) && r == EXIT_OK; i++) {
		uint64_t node = answer_number(json_object_array_get_idx(members, i), "node");

		if (node == own)
			continue;
		(void)fprintf(
			stderr,
			"dmclog: %s is used by node %llu too, and the kernel's log is for one "
			"node: dmclog deactivate it there first\n",
			name, (unsigned long long)node);
		r = EXIT_ERROR;
	}
	json_object_put(answer);
	return r;
}

static int check_active(struct invocation *invocation, const char *name)
{
	struct json_object *answer;
	int r = client_ask(&invocation->client, client_request("status"), &answer);

	if (r == EXIT_OK)
		r = client_verdict(answer);
	if (r != EXIT_OK)
		return r;
	if (!answer_flag(answer_get(answer, "group"), "active"))
		r = say(name, "stays as it is: this node has no quorum, or not the group's state "
			      "(dmclog status); its I/O would wait");
	json_object_put(answer);
	return r;
}

/* ---- the switch ---- */

static int switch_to(const char *name, const struct mirror_plan *plan,
		     int (*check)(const char *name, const struct mirror_plan *plan))
{
	struct patience patience;
	bool suspended;
	int r;

	/* The file system that this program is of may stand still meanwhile. */
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	patience_begin(&patience, "it waits: dmclog status tells for whom");
	r = mirror_dm_switch(name, plan, check, &suspended);
	patience_end(&patience);
	if (r == 0)
		return EXIT_OK;
	if (r == -EUSERS)
		(void)say(name, "stays as it is: another node has its log (dmclog status)");
	else if (r == -EMEDIUMTYPE)
		(void)say(name, "stays as it is: a leg has had an error just now");
	else
		(void)fprintf(stderr,
			      "dmclog: %s stays as it is: %s; dmesg and journalctl -u dmclogd tell "
			      "more\n",
			      name, strerror(-r));
	if (suspended)
		(void)say(name, "is suspended, and its I/O waits: dmsetup resume it");
	return EXIT_ERROR;
}

int run_detach(struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct mirror_state state;
	struct mirror_plan plan;
	int r = look(name, &state);

	if (r != EXIT_OK)
		return r;
	if (state.mirror && state.plan.log == PLAN_KERNEL_DISK)
		return EXIT_OK;
	if (!state.mirror || state.plan.log != PLAN_CLUSTERED_DISK)
		return say(name,
			   "is no mirror with a clustered log on a device: dmsetup table shows "
			   "what it is");
	r = check_alone(invocation, name, state.plan.mirror.uuid);
	if (r != EXIT_OK)
		return r;
	plan = state.plan;
	plan.log = PLAN_KERNEL_DISK;
	return switch_to(name, &plan, check_detach);
}

static int check_log_size(const char *name, const struct mirror_plan *plan)
{
	struct block_device device;
	uint64_t needed_bytes;
	int r = block_device_open(plan->log_major, plan->log_minor, &device);

	if (r < 0)
		return say(name, "stays as it is: its log device cannot be opened");
	(void)close(device.fd);
	if (plan_log_fits(plan, device.device_bytes, &needed_bytes) == 0)
		return EXIT_OK;
	(void)fprintf(
		stderr,
		"dmclog: %s stays as it is: its log device has %llu bytes, a clustered log needs "
		"%llu\n",
		name, (unsigned long long)device.device_bytes, (unsigned long long)needed_bytes);
	return EXIT_ERROR;
}

/* What other nodes know the log by: of the table file, of the command line, or the device's name. */
static int find_uuid(const struct invocation *invocation, const char *name, char *ret_uuid)
{
	const char *uuid = name;
	const struct tab_entry *entry;
	struct tab tab;
	int r = EXIT_OK;

	(void)tab_read(invocation->tab, &tab);
	entry = tab_find(&tab, name);
	if (invocation->argument_count == 2)
		uuid = invocation->arguments[1];
	else if (entry != NULL)
		uuid = entry->uuid;
	if (strlen(uuid) >= REQUEST_UUID_SIZE || uuid[0] == '\0' || strpbrk(uuid, " \t\n") != NULL)
		r = usage("'%s' is not a uuid: a word of at most %d characters is needed", uuid,
			  REQUEST_UUID_SIZE - 1);
	else
		memcpy(ret_uuid, uuid, strlen(uuid) + 1);
	tab_free(&tab);
	return r;
}

int run_attach(struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct mirror_state state;
	struct mirror_plan plan;
	int r = look(name, &state);

	if (r != EXIT_OK)
		return r;
	if (!state.mirror)
		return say(name,
			   "is no mirror whose log is the kernel's on a device: dmsetup table "
			   "shows what it is");
	if (state.plan.log != PLAN_KERNEL_DISK)
		return EXIT_OK;
	plan = state.plan;
	plan.log = PLAN_CLUSTERED_DISK;
	r = find_uuid(invocation, name, plan.mirror.uuid);
	if (r == EXIT_OK)
		r = check_log_size(name, &plan);
	if (r == EXIT_OK)
		r = check_active(invocation, name);
	return r == EXIT_OK ? switch_to(name, &plan, check_attach) : r;
}
