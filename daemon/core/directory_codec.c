/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group's state on its way to those whose own does not count, and what becomes of theirs.
 *
 * Pieces are sequences of records: u8 kind, then
 *   GROUP    u64 epoch, u32 leader, u64 views, u8 established, u8 founded, u32 version, u64 seniority, u32 stopped_next
 *   STOPPED  u32 place, u32 node, u8[16] boot id
 *   NODE     u32 node, u8 in_view, u8 of_own_will, u8 current, u8 kept_past, u8 parted, u8 rebooted, u8 astray,
 *            u8[16] boot id, u8[16] machine id, u64 incarnation, u64 seniority, u32 version_lowest, u32 version_highest
 *   ENTRY    u8 uuid length, uuid, u32 log type, u32 region sectors, u64 device sectors, u32 major, u32 minor, u8 phase,
 *            u32 founder, u32 last leaving, u32 role, u8 base_settled, u64 transfer, u64 generation, u8 outdated,
 *            u64 renewals, u32 slot count, u8 paused, u64 bytes a second
 *   MEMBER   of the last ENTRY: u8 place, u32 node, u8[16] boot id, u8 use, u8 flags, u32 slot, u64 seniority, u64 luid
 *   ABSENT   of the last ENTRY: u32 node
 */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "core_private.h"
#include "plant.h"

enum record {
	RECORD_GROUP = 1,
	RECORD_STOPPED,
	RECORD_NODE,
	RECORD_ENTRY,
	RECORD_MEMBER,
	RECORD_ABSENT
};
enum {
	MEMBER_FLAG_DEPARTED = 1,
	MEMBER_FLAG_TO_MERGE = 2,
	MEMBER_FLAG_LIVE = 4,
	MEMBER_FLAG_STATE = 8,
	MEMBER_FLAG_LEGS = 16,
	MEMBER_FLAG_OPEN_FAILED = 32,
	MEMBER_FLAG_DEVICE_FAILED = 64,
	MEMBER_FLAG_UNWATCHED = 128
};

#define RECORD_BYTES_MAX 512
#define RECORD_GROUP_BYTES 37 /* behind its kind */

/* ---- sending ---- */

struct sender {
	struct core *core;
	struct writer writer;
};

static void flush(struct sender *sender, bool last)
{
	struct group_message message = { .type = MESSAGE_DIRECTORY,
					 .number = sender->core->group.directory,
					 .last = last,
					 .data = sender->writer.bytes,
					 .data_bytes = sender->writer.used };

	multicast_group(sender->core, &message);
	sender->writer.used = 0;
}

static struct writer *record(struct sender *sender, enum record kind)
{
	if (sender->writer.size - sender->writer.used < RECORD_BYTES_MAX)
		flush(sender, false);
	put_number(&sender->writer, kind, 1);
	return &sender->writer;
}

static void send_group(struct sender *sender)
{
	const struct group *group = &sender->core->group;
	struct writer *writer = record(sender, RECORD_GROUP);

	put_number(writer, group->epoch, 8);
	put_number(writer, group->leader, 4);
	put_number(writer, group->views, 8);
	put_number(writer, group->established, 1);
	put_number(writer, group->founded, 1);
	put_number(writer, group->version, 4);
	put_number(writer, group->seniority, 8);
	put_number(writer, group->stopped_next, 4);
	for (uint32_t i = 0; i < STOPPED_MAX; i++) {
		if (group->stopped[i].node_id == 0)
			continue;
		writer = record(sender, RECORD_STOPPED);
		put_number(writer, i, 4);
		put_number(writer, group->stopped[i].node_id, 4);
		put_field(writer, group->stopped[i].boot_id, MESSAGE_ID_BYTES);
	}
}

static void send_node(struct sender *sender, const struct group_node *node)
{
	struct writer *writer = record(sender, RECORD_NODE);

	put_number(writer, node->node_id, 4);
	put_number(writer, node->in_view, 1);
	put_number(writer, node->of_own_will, 1);
	put_number(writer, node->current, 1);
	put_number(writer, node->kept_past, 1);
	put_number(writer, node->parted, 1);
	put_number(writer, node->rebooted, 1);
	put_number(writer, node->astray, 1);
	put_field(writer, node->boot_id, MESSAGE_ID_BYTES);
	put_field(writer, node->machine_id, MESSAGE_ID_BYTES);
	put_number(writer, node->incarnation, 8);
	put_number(writer, node->seniority, 8);
	put_number(writer, node->version_lowest, 4);
	put_number(writer, node->version_highest, 4);
}

static void send_member(struct sender *sender, const struct member *member, uint32_t place)
{
	struct writer *writer = record(sender, RECORD_MEMBER);
	uint32_t flags = (member->departed ? MEMBER_FLAG_DEPARTED : 0) |
			 (member->to_merge ? MEMBER_FLAG_TO_MERGE : 0) |
			 (member->live ? MEMBER_FLAG_LIVE : 0) |
			 (member->has_state ? MEMBER_FLAG_STATE : 0) |
			 (member->legs_failed ? MEMBER_FLAG_LEGS : 0) |
			 (member->open_failed ? MEMBER_FLAG_OPEN_FAILED : 0) |
			 (member->device_failed ? MEMBER_FLAG_DEVICE_FAILED : 0) |
			 (member->unwatched ? MEMBER_FLAG_UNWATCHED : 0);

	put_number(writer, place, 1);
	put_number(writer, member->node_id, 4);
	put_field(writer, member->boot_id, MESSAGE_ID_BYTES);
	put_number(writer, member->use, 1);
	put_number(writer, flags, 1);
	put_number(writer, member->slot, 4);
	put_number(writer, member->seniority, 8);
	put_number(writer, member->luid, 8);
}

static void send_entry(struct sender *sender, const struct entry *entry)
{
	struct writer *writer = record(sender, RECORD_ENTRY);
	uint32_t length = (uint32_t)strlen(entry->name.uuid);

	put_number(writer, length, 1);
	put_field(writer, entry->name.uuid, length);
	put_number(writer, entry->name.log_type, 4);
	put_number(writer, entry->name.region_sectors, 4);
	put_number(writer, entry->name.device_sectors, 8);
	put_number(writer, entry->name.log_major, 4);
	put_number(writer, entry->name.log_minor, 4);
	put_number(writer, entry->phase, 1);
	put_number(writer, entry->founder, 4);
	put_number(writer, entry->last_leaving, 4);
	put_number(writer, entry->role, 4);
	put_number(writer, entry->base_settled, 1);
	put_number(writer, entry->transfer, 8);
	put_number(writer, entry->generation, 8);
	put_number(writer, entry->outdated, 1);
	put_number(writer, entry->renewals, 8);
	put_number(writer, entry->slot_count, 4);
	put_number(writer, entry->paused, 1);
	put_number(writer, entry->bytes_per_second, 8);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0)
			send_member(sender, &entry->member[i], i);
	for (uint32_t i = 0; i < CORE_NODES_MAX && entry->absent[i] != 0; i++)
		put_number(record(sender, RECORD_ABSENT), entry->absent[i], 4);
}

void directory_send(struct core *core)
{
	uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	struct sender sender = { .core = core,
				 .writer = { .bytes = bytes, .size = sizeof(bytes) } };

	send_group(&sender);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (core->group.node[i].node_id != 0)
			send_node(&sender, &core->group.node[i]);
	for (uint32_t i = 0; i < core->group.entries_end; i++)
		if (core->group.entry[i].used)
			send_entry(&sender, &core->group.entry[i]);
	flush(&sender, true);
}

/* ---- receiving ---- */

static bool take_group(struct core *core, struct reader *reader)
{
	struct group *group = &core->group;
	uint64_t directory = group->directory;

	/* The nodes go only with a record that is whole: by them it is known whose next piece counts. */
	if (reader->size - reader->used < RECORD_GROUP_BYTES && !PLANTED(PLANT_PIECE_WIPES))
		return false;
	memset(group, 0, sizeof(*group));
	group->directory = directory;
	group->settled = true;
	group->epoch = get_number(reader, 8);
	group->leader = (uint32_t)get_number(reader, 4);
	group->views = get_number(reader, 8);
	group->established = get_number(reader, 1) != 0;
	group->founded = get_number(reader, 1) != 0;
	group->version = (uint32_t)get_number(reader, 4);
	group->seniority = get_number(reader, 8);
	group->stopped_next = (uint32_t)get_number(reader, 4);
	return true;
}

static bool take_stopped(struct core *core, struct reader *reader)
{
	uint64_t place = get_number(reader, 4);

	if (place >= STOPPED_MAX)
		return false;
	core->group.stopped[place].node_id = (uint32_t)get_number(reader, 4);
	get_field(reader, core->group.stopped[place].boot_id, MESSAGE_ID_BYTES);
	return true;
}

static bool take_node(struct core *core, struct reader *reader)
{
	struct group_node *node = group_node_find(core, 0);

	if (node == NULL)
		return false;
	node->node_id = (uint32_t)get_number(reader, 4);
	node->in_view = get_number(reader, 1) != 0;
	node->of_own_will = get_number(reader, 1) != 0;
	node->current = get_number(reader, 1) != 0;
	node->kept_past = get_number(reader, 1) != 0;
	node->parted = get_number(reader, 1) != 0;
	node->rebooted = get_number(reader, 1) != 0;
	node->astray = get_number(reader, 1) != 0;
	node->greeted = node->in_view;
	get_field(reader, node->boot_id, MESSAGE_ID_BYTES);
	get_field(reader, node->machine_id, MESSAGE_ID_BYTES);
	node->incarnation = get_number(reader, 8);
	node->seniority = get_number(reader, 8);
	node->version_lowest = (uint32_t)get_number(reader, 4);
	node->version_highest = (uint32_t)get_number(reader, 4);
	return node->node_id != 0;
}

static bool take_entry(struct core *core, struct reader *reader)
{
	struct entry *entry = &core->group.entry[core->group.entries_end];
	uint64_t length = get_number(reader, 1);
	uint64_t phase;

	if (core->group.entries_end == CORE_LOGS_MAX || length == 0 || length >= REQUEST_UUID_SIZE)
		return false;
	get_field(reader, entry->name.uuid, (uint32_t)length);
	entry->name.log_type = (uint32_t)get_number(reader, 4);
	entry->name.region_sectors = (uint32_t)get_number(reader, 4);
	entry->name.device_sectors = get_number(reader, 8);
	entry->name.log_major = (uint32_t)get_number(reader, 4);
	entry->name.log_minor = (uint32_t)get_number(reader, 4);
	phase = get_number(reader, 1);
	entry->phase = (enum log_phase)phase;
	entry->founder = (uint32_t)get_number(reader, 4);
	entry->last_leaving = (uint32_t)get_number(reader, 4);
	entry->role = (uint32_t)get_number(reader, 4);
	entry->base_settled = get_number(reader, 1) != 0;
	entry->transfer = get_number(reader, 8);
	entry->generation = get_number(reader, 8);
	entry->outdated = get_number(reader, 1) != 0;
	entry->renewals = get_number(reader, 8);
	entry->slot_count = (uint32_t)get_number(reader, 4);
	entry->paused = get_number(reader, 1) != 0;
	entry->bytes_per_second = get_number(reader, 8);
	entry->used = true;
	core->group.entries_end++;
	return phase <= LOG_CLOSING && entry->slot_count <= DISK_SLOTS_MAX;
}

static bool take_member(struct core *core, struct reader *reader)
{
	uint64_t place = get_number(reader, 1);
	uint64_t use, flags;
	struct member *member;

	if (core->group.entries_end == 0 || place >= CORE_NODES_MAX)
		return false;
	member = &core->group.entry[core->group.entries_end - 1].member[place];
	member->node_id = (uint32_t)get_number(reader, 4);
	get_field(reader, member->boot_id, MESSAGE_ID_BYTES);
	use = get_number(reader, 1);
	flags = get_number(reader, 1);
	member->use = (enum member_use)use;
	member->departed = (flags & MEMBER_FLAG_DEPARTED) != 0;
	member->to_merge = (flags & MEMBER_FLAG_TO_MERGE) != 0;
	member->live = (flags & MEMBER_FLAG_LIVE) != 0;
	member->has_state = (flags & MEMBER_FLAG_STATE) != 0;
	member->legs_failed = (flags & MEMBER_FLAG_LEGS) != 0;
	member->open_failed = (flags & MEMBER_FLAG_OPEN_FAILED) != 0;
	member->device_failed = (flags & MEMBER_FLAG_DEVICE_FAILED) != 0;
	member->unwatched = (flags & MEMBER_FLAG_UNWATCHED) != 0;
	member->slot = (uint32_t)get_number(reader, 4);
	member->seniority = get_number(reader, 8);
	member->luid = get_number(reader, 8);
	return member->node_id != 0 && use <= MEMBER_LEAVING &&
	       (member->slot < DISK_SLOTS_MAX || member->slot == NO_SLOT);
}

static bool take_absent(struct core *core, struct reader *reader)
{
	uint32_t node_id = (uint32_t)get_number(reader, 4);

	if (core->group.entries_end == 0 || node_id == 0)
		return false;
	entry_add_absent(&core->group.entry[core->group.entries_end - 1], node_id);
	return true;
}

static bool take_record(struct core *core, struct reader *reader)
{
	switch (get_number(reader, 1)) {
	case RECORD_GROUP:
		return take_group(core, reader);
	case RECORD_STOPPED:
		return take_stopped(core, reader);
	case RECORD_NODE:
		return take_node(core, reader);
	case RECORD_ENTRY:
		return take_entry(core, reader);
	case RECORD_MEMBER:
		return take_member(core, reader);
	case RECORD_ABSENT:
		return take_absent(core, reader);
	default:
		return false;
	}
}

int directory_take(struct core *core, const struct group_message *message)
{
	struct reader reader = { .bytes = message->data, .size = message->data_bytes };

	while (reader.used < reader.size)
		if (!take_record(core, &reader) || reader.short_of)
			return -EBADMSG;
	return 0;
}

/* ---- whose state counts ---- */

/* Those who had given up theirs for another past may found this one.  When they have quorum it counts more than that one, of
 * which there may be an epoch that they have not heard of. */
void directory_found(struct core *core)
{
	struct group *group = &core->group;

	for (uint32_t e = 0; e < group->entries_end; e++)
		group->entry[e].used = false;
	group->entries_end = 0;
	group->version = MESSAGE_VERSION_HIGHEST;
	group->views = group_number(core);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &group->node[i];

		if (node->node_id == 0 || !node->in_view)
			continue;
		if (node->version_highest < group->version)
			group->version = node->version_highest;
		if (node->epoch > group->epoch)
			group->epoch = node->epoch;
	}
	group->founded = group->epoch > 0;
}

void directory_give_up(struct core *core)
{
	for (uint32_t i = 0; i < core->logs_end; i++)
		if (core->logs[i] != NULL)
			membership_gave_up(core, core->logs[i]);
	for (uint32_t e = 0; e < core->group.entries_end; e++)
		core->group.entry[e] = (struct entry){ 0 };
	core->group.entries_end = 0;
}
