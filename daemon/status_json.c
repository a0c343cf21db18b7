/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's status as JSON: see status_json.h. */
#include "daemon/status_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/wait_words.h"

bool json_add(struct json_object *object, const char *name, struct json_object *value)
{
	if (value != NULL && json_object_object_add(object, name, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_number(struct json_object *object, const char *name, uint64_t number)
{
	return json_add(object, name, json_object_new_uint64(number));
}

static bool add_flag(struct json_object *object, const char *name, bool flag)
{
	return json_add(object, name, json_object_new_boolean(flag));
}

static bool add_text(struct json_object *object, const char *name, const char *text)
{
	return json_add(object, name, json_object_new_string(text));
}

/* NULL is JSON's null, and cannot fail. */
static bool add_null(struct json_object *object, const char *name)
{
	return json_object_object_add(object, name, NULL) == 0;
}

static bool add_id(struct json_object *object, const char *name, const uint8_t id[16])
{
	static const uint8_t none[16];
	char text[33];

	if (memcmp(id, none, sizeof(none)) == 0)
		return add_null(object, name);
	id_text(id, text);
	return add_text(object, name, text);
}

static bool add_element(struct json_object *array, struct json_object *element, bool complete)
{
	if (element != NULL && complete && json_object_array_add(array, element) == 0)
		return true;
	json_object_put(element);
	return false;
}

/* ---- the group ---- */

static bool add_nodes(struct json_object *group, const struct core_group_status *status)
{
	struct json_object *nodes = json_object_new_array();

	if (!json_add(group, "nodes", nodes))
		return false;
	for (uint32_t i = 0; i < status->node_count; i++) {
		const struct core_node_status *node = &status->nodes[i];
		struct json_object *object = json_object_new_object();
		bool complete = object != NULL && add_number(object, "id", node->node_id) &&
				add_id(object, "boot_id", node->boot_id) &&
				add_flag(object, "in_cluster", node->in_cluster) &&
				add_flag(object, "in_group", node->in_group) &&
				add_flag(object, "has_state", node->has_state) &&
				add_flag(object, "stopped", node->stopped);

		if (!add_element(nodes, object, complete))
			return false;
	}
	return true;
}

static bool add_group_counters(struct json_object *group, const struct group_counters *counted)
{
	struct json_object *counters = json_object_new_object();

	return json_add(group, "counters", counters) &&
	       add_number(counters, "messages", counted->messages) &&
	       add_number(counters, "batches", counted->batches) &&
	       add_number(counters, "refused", counted->refused);
}

struct json_object *status_json_group(const struct core *core,
				      const struct group_counters *counters)
{
	struct json_object *group = json_object_new_object();
	struct core_group_status status;

	core_group_status(core, &status);
	if (group != NULL && add_text(group, "cluster", status.cluster_name) &&
	    add_number(group, "node", status.node_id) && add_id(group, "boot_id", status.boot_id) &&
	    add_id(group, "machine_id", status.machine_id) &&
	    add_flag(group, "joined", status.in_group) &&
	    add_flag(group, "quorate", status.quorate) &&
	    add_flag(group, "has_state", status.has_state) &&
	    add_flag(group, "refused", status.refused) &&
	    add_flag(group, "active", status.active) && add_number(group, "epoch", status.epoch) &&
	    add_group_counters(group, counters) && add_nodes(group, &status))
		return group;
	json_object_put(group);
	return NULL;
}

/* ---- a log ---- */

static bool add_members(struct json_object *log, const struct core *core, uint32_t index)
{
	static const char *const states[] = {
		[CORE_MEMBER_FOLLOWS] = "follows", [CORE_MEMBER_RESUMED] = "resumed",
		[CORE_MEMBER_LEAVING] = "leaving", [CORE_MEMBER_DEPARTED] = "departed",
		[CORE_MEMBER_STOPPED] = "stopped",
	};
	struct core_member_status members[CORE_NODES_MAX];
	uint32_t count = core_log_members(core, index, members);
	struct json_object *array = json_object_new_array();

	if (!json_add(log, "members", array))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct core_member_status *member = &members[i];
		struct json_object *object = json_object_new_object();
		bool complete = object != NULL && add_number(object, "node", member->node_id) &&
				add_id(object, "boot_id", member->boot_id) &&
				add_text(object, "state", states[member->state]) &&
				add_flag(object, "has_state", member->has_state) &&
				add_flag(object, "disk_role", member->disk_role) &&
				add_flag(object, "legs_failed", member->legs_failed) &&
				add_flag(object, "device_failed", member->device_failed) &&
				(member->slot == CORE_NO_SLOT ?
					 add_null(object, "slot") :
					 add_number(object, "slot", member->slot));

		if (!add_element(array, object, complete))
			return false;
	}
	return true;
}

static bool add_wait(struct json_object *array, const struct core_log_status *log,
		     const struct core_wait *wait, uint64_t now_ms)
{
	struct json_object *object = json_object_new_object();
	uint64_t age_ms = now_ms > wait->since_ms ? now_ms - wait->since_ms : 0;
	struct wait_words words;
	bool complete;

	wait_word(log, wait, &words);
	complete = object != NULL && add_text(object, "what", words.what) &&
		   (wait->request == 0 ? add_null(object, "seconds") :
					 add_number(object, "seconds", age_ms / 1000)) &&
		   add_text(object, "reason", words.reason) &&
		   (wait->node_id == 0 ? add_null(object, "node") :
					 add_number(object, "node", wait->node_id)) &&
		   add_id(object, "boot_id", wait->boot_id) &&
		   add_text(object, "for", words.whom) &&
		   (words.command[0] == '\0' ? add_null(object, "command") :
					       add_text(object, "command", words.command)) &&
		   (words.give_up[0] == '\0' ? add_null(object, "give_up") :
					       add_text(object, "give_up", words.give_up));
	return add_element(array, object, complete);
}

static bool add_waits(struct json_object *log, const struct core *core, uint32_t index,
		      const struct core_log_status *status, uint64_t now_ms)
{
	struct core_wait waits[CORE_WAITS_MAX];
	uint32_t count = core_log_waits(core, index, waits);
	struct json_object *array = json_object_new_array();

	if (!json_add(log, "waits", array))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!add_wait(array, status, &waits[i], now_ms))
			return false;
	return true;
}

static bool add_counters(struct json_object *log, const struct core_log_status *status)
{
	struct json_object *counters = json_object_new_object();

	return json_add(log, "counters", counters) &&
	       add_number(counters, "requests", status->requests) &&
	       add_number(counters, "slot_writes", status->slot_writes) &&
	       add_number(counters, "base_writes", status->base_writes) &&
	       add_number(counters, "leg_flushes", status->leg_flushes) &&
	       add_number(counters, "regions_copied", status->regions_copied);
}

static bool add_speed(struct json_object *resync, const struct speed *speed)
{
	if (!speed->known)
		return add_null(resync, "speed") && add_null(resync, "seconds_left");
	return add_number(resync, "speed", speed->bytes_per_second) &&
	       (speed->seconds_left == UINT64_MAX ?
			add_null(resync, "seconds_left") :
			add_number(resync, "seconds_left", speed->seconds_left));
}

static bool add_resync(struct json_object *log, const struct core_log_status *status,
		       const struct speed *speed)
{
	struct json_object *resync = json_object_new_object();

	return json_add(log, "resync", resync) && add_flag(resync, "paused", status->paused) &&
	       add_number(resync, "rate", status->bytes_per_second) &&
	       add_flag(resync, "rate_is_default", !status->control_rate) &&
	       add_number(resync, "copies", status->copies) && add_speed(resync, speed);
}

static bool add_log(struct json_object *log, const struct core_log_status *status,
		    const struct speed *speed)
{
	char device[32];

	(void)snprintf(device, sizeof(device), "%" PRIu32 ":%" PRIu32, status->log_major,
		       status->log_minor);
	return add_text(log, "uuid", status->uuid) &&
	       add_text(log, "type",
			status->type == LOG_TYPE_CORE ? "clustered-core" : "clustered-disk") &&
	       (status->type == LOG_TYPE_CORE ? add_null(log, "device") :
						add_text(log, "device", device)) &&
	       add_text(log, "phase", status->phase) &&
	       add_number(log, "sectors", status->device_sectors) &&
	       add_number(log, "regions", status->region_count) &&
	       add_number(log, "region_sectors", status->region_sectors) &&
	       add_number(log, "in_sync", status->sync_count) &&
	       add_number(log, "lost", status->lost_count) &&
	       add_number(log, "reported", status->reported_count) &&
	       add_number(log, "held", status->held_count) &&
	       add_number(log, "marked", status->marked_count) &&
	       add_number(log, "tables", status->table_count) &&
	       add_number(log, "resumed", status->resumed_count) &&
	       add_flag(log, "device_failed", status->device_failed) &&
	       add_flag(log, "legs_failed", status->legs_failed) &&
	       add_flag(log, "everything_held", status->everything_held) &&
	       add_resync(log, status, speed) && add_counters(log, status);
}

struct json_object *status_json_log(const struct core *core, uint32_t index,
				    const struct resync_speed *speed, uint64_t now_ms)
{
	struct json_object *log = json_object_new_object();
	struct core_log_status status;
	struct speed now;

	if (log == NULL || core_log_status(core, index, &status) < 0) {
		json_object_put(log);
		return NULL;
	}
	now = resync_speed_of(speed, index, &status);
	if (add_log(log, &status, &now) && add_members(log, core, index) &&
	    add_waits(log, core, index, &status, now_ms))
		return log;
	json_object_put(log);
	return NULL;
}
