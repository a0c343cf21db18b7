/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What members at the same point of the order have in common, as a number (FNV-1a): see core.h.
 *
 * Of the directory all that is replicated; of a log the struct replicated.  What is about this node alone must not get in.
 */
#include "core_private.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, uint64_t number)
{
	return (hash ^ number) * FNV_PRIME;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length; i++)
		hash = mix(hash, at[i]);
	return hash;
}

static uint64_t mix_name(uint64_t hash, const struct log_name *name)
{
	hash = mix_bytes(hash, name->uuid, sizeof(name->uuid));
	hash = mix(hash, name->log_type);
	hash = mix(hash, name->device_sectors);
	hash = mix(hash, (uint64_t)name->region_sectors << 32 | name->log_minor);
	return mix(hash, name->log_major);
}

static uint64_t mix_member(uint64_t hash, const struct member *member)
{
	const bool flags[] = { member->departed,    member->to_merge,    member->live,
			       member->has_state,   member->legs_failed, member->device_failed,
			       member->open_failed, member->unwatched };

	hash = mix(hash, (uint64_t)member->node_id << 32 | member->slot);
	hash = mix_bytes(hash, member->boot_id, sizeof(member->boot_id));
	hash = mix(hash, (uint64_t)member->use);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		hash = mix(hash, flags[i]);
	hash = mix(hash, member->seniority);
	return mix(hash, member->luid);
}

static uint64_t mix_entry(uint64_t hash, const struct entry *entry)
{
	hash = mix_name(hash, &entry->name);
	hash = mix(hash, (uint64_t)entry->phase << 32 | entry->founder);
	hash = mix(hash, (uint64_t)entry->last_leaving << 32 | entry->role);
	hash = mix(mix(hash, entry->transfer), entry->base_settled);
	hash = mix(mix(mix(hash, entry->generation), entry->outdated), entry->renewals);
	hash = mix(hash, (uint64_t)entry->slot_count << 1 | entry->paused);
	hash = mix(hash, entry->bytes_per_second);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry->member[i].node_id != 0)
			hash = mix_member(mix(hash, i), &entry->member[i]);
	for (uint32_t i = 0; i < CORE_NODES_MAX && entry->absent[i] != 0; i++)
		hash = mix(hash, entry->absent[i]);
	return hash;
}

uint64_t core_group_hash(const struct core *core)
{
	const struct group *group = &core->group;
	uint64_t hash = FNV_OFFSET;
	uint64_t nodes = 0, entries = 0;

	/* Before all have said hello, sides with different pasts may stand side by side. */
	if (core->local.fetching || !core->local.has_past || !core->local.in_group ||
	    !group->settled)
		return 0;
	hash = mix(hash, group->epoch);
	hash = mix(hash, group->leader);
	hash = mix(mix(mix(hash, group->settled), group->established), group->founded);
	hash = mix(hash, group->views);
	hash = mix(hash, group->seniority);
	/* Places may differ: they are found by node, and by name. */
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct group_node *node = &group->node[i];

		if (node->node_id != 0 && node->in_view)
			nodes += mix(mix(mix(FNV_OFFSET, node->node_id),
					 (uint64_t)node->current << 2 |
						 (uint64_t)node->kept_past << 1 | node->parted),
				     node->seniority);
	}
	for (uint32_t i = 0; i < group->entries_end; i++)
		if (group->entry[i].used)
			entries += mix_entry(FNV_OFFSET, &group->entry[i]);
	hash = mix(mix(hash, nodes), entries);
	return hash == 0 ? 1 : hash;
}

static uint64_t mix_bitmap(uint64_t hash, const struct bitmap *bitmap)
{
	hash = mix(hash, bitmap->count);
	for (uint64_t w = 0; w < bitmap_words(bitmap); w++)
		hash = mix(hash, bitmap->words[w]);
	return hash;
}

static uint64_t mix_window(const struct window *window)
{
	uint64_t hash = mix(mix(FNV_OFFSET, window->claimer), window->number);

	hash = mix(mix(hash, window->granted), window->unanswered);
	hash = mix(mix(mix(hash, window->inside), window->locked), window->refused);
	hash = mix(hash, window->spoiled & window->inside);
	for (uint32_t i = 0; i < window->region_count; i++)
		hash = mix(hash, window->regions[i]);
	return hash;
}

uint64_t core_log_hash(const struct core *core, uint32_t index)
{
	const struct log *log = index < CORE_LOGS_MAX ? core->logs[index] : NULL;
	const struct replicated *state;
	uint64_t hash = FNV_OFFSET;
	uint64_t windows = 0;

	if (log == NULL || !log->has_state || core_group_hash(core) == 0)
		return 0;
	state = &log->replicated;
	hash = mix_bitmap(hash, &state->out);
	hash = mix_bitmap(hash, &state->lost);
	hash = mix_bitmap(hash, &state->reported);
	hash = mix_bitmap(hash, &state->claimed);
	hash = mix(mix(hash, state->losses), state->durable);
	hash = mix(mix_bytes(hash, state->id, DISK_ID_BYTES), state->generation);
	for (uint32_t w = 0; w < WINDOWS_MAX; w++)
		if (state->windows[w].used)
			windows += mix_window(&state->windows[w]);
	hash = mix(hash, windows);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		hash = mix(hash, state->reporter[i]);
		if (log->type == LOG_TYPE_CORE)
			hash = mix_bitmap(hash, &state->holds[i]);
	}
	return hash == 0 ? 1 : hash;
}
