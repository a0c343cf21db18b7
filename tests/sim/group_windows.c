/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What oracle 3 understands of the messages: windows, which of their regions may be written again, and losses.
 *
 * A message counts from its first delivery to anybody; that a region is in sync from the last one, since who dies first may
 * have been the only one to hear it.
 */
#include <string.h>

#include "sim.h"

static const char *const names[MESSAGE_TYPES] = {
	[MESSAGE_HELLO] = "HELLO",         [MESSAGE_EPOCH] = "EPOCH",
	[MESSAGE_DIRECTORY] = "DIRECTORY", [MESSAGE_STOPPED] = "STOPPED",
	[MESSAGE_JOIN] = "JOIN",           [MESSAGE_OPENED] = "OPENED",
	[MESSAGE_LEAVING] = "LEAVING",     [MESSAGE_LEAVE] = "LEAVE",
	[MESSAGE_UNFOLLOW] = "UNFOLLOW",   [MESSAGE_GONE] = "GONE",
	[MESSAGE_MERGED] = "MERGED",       [MESSAGE_SNAPSHOT] = "SNAPSHOT",
	[MESSAGE_LOST] = "LOST",           [MESSAGE_DURABLE] = "DURABLE",
	[MESSAGE_CLAIM] = "CLAIM",         [MESSAGE_CLAIM_ANSWER] = "CLAIM_ANSWER",
	[MESSAGE_SYNCED] = "SYNCED",       [MESSAGE_RETURN] = "RETURN",
	[MESSAGE_VOID] = "VOID",           [MESSAGE_HEALTH] = "HEALTH",
	[MESSAGE_HOLD] = "HOLD",           [MESSAGE_CONFIRM] = "CONFIRM",
	[MESSAGE_RELEASE] = "RELEASE",     [MESSAGE_CONTROL] = "CONTROL",
	[MESSAGE_CALL] = "CALL",           [MESSAGE_ENTER] = "ENTER",
	[MESSAGE_HEARD] = "HEARD",
};

const char *message_name(enum group_message_type type)
{
	return type < MESSAGE_TYPES && names[type] != NULL ? names[type] : "message";
}

static struct mirror *mirror_of(struct sim *sim, const struct log_name *name)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		if (strcmp(sim->mirrors[i].uuid, name->uuid) == 0)
			return &sim->mirrors[i];
	return NULL;
}

static uint32_t log_number(const struct log_name *name)
{
	return name->log_minor + 31 * name->region_sectors + 1009 * (uint32_t)name->device_sectors +
	       (name->log_type << 30);
}

/* The newest: a log that is built anew counts its windows from 0 again. */
static struct claim *claim_find(struct sim *sim, const struct mirror *mirror,
				const struct group_message *message)
{
	struct group *group = &sim->group;
	uint32_t log = log_number(&message->log);

	for (uint32_t i = 1; i <= CLAIMS_MAX; i++) {
		struct claim *claim = &group->claims[(group->next_claim - i) % CLAIMS_MAX];

		if (!claim->used)
			return NULL;
		if (claim->sender == message->sender && claim->window == message->window &&
		    claim->mirror == mirror->index && claim->log == log)
			return claim;
	}
	return NULL;
}

static void claim_note(struct sim *sim, const struct node *node, const struct mirror *mirror,
		       const struct group_message *message)
{
	struct claim *claim = &sim->group.claims[sim->group.next_claim++ % CLAIMS_MAX];

	claim->used = true;
	claim->sender = message->sender;
	claim->window = message->window;
	claim->log = log_number(&message->log);
	claim->mirror = mirror->index;
	claim->departed = claim->spoiled = false;
	claim->view = node->group.view;
	claim->voided = claim->synced = 0;
	claim->region_count = message->region_count;
	memcpy(claim->regions, message->regions, message->region_count * sizeof(uint64_t));
}

/* A loss that is ordered after a claim wins over its copy. */
static void windows_spoiled(struct sim *sim, const struct mirror *mirror,
			    const struct group_message *message)
{
	for (uint32_t i = 0; i < CLAIMS_MAX && sim->group.claims[i].used; i++) {
		struct claim *claim = &sim->group.claims[i];

		for (uint32_t j = 0; claim->mirror == mirror->index && j < claim->region_count; j++)
			for (uint32_t k = 0; k < message->region_count; k++)
				if (claim->regions[j] == message->regions[k])
					claim->spoiled = true;
		if (claim->mirror == mirror->index && message->data_bytes > 0)
			claim->spoiled = true;
	}
}

/* As many are elsewhere as are here, as with two_node: their past may win when they meet, and what was said here to them is
 * forgotten then. */
static bool others_may_win(const struct sim *sim, const struct claim *claim)
{
	uint32_t here = 0, elsewhere = 0;

	for (uint32_t i = 0; i < sim->node_count; i++)
		if ((claim->view >> i & 1) != 0)
			here++;
		else if (sim->nodes[i].daemon.alive)
			elsewhere++;
	return elsewhere >= here;
}

/* Who has lost the group tells what its old state had out of sync (H2), which the device may call clean: see oracle_count.c. */
static void note_reclaim(const struct node *sender, struct mirror *mirror,
			 const struct group_message *message)
{
	struct core_view view;

	if (message->data_bytes > 0 && view_of_mirror(sender, mirror, &view) && !view.base_ours)
		mirror->was_reclaimed = true;
}

void windows_sent(struct sim *sim, const struct node *node, const struct group_message *message)
{
	const struct mirror *mirror =
		message->type == MESSAGE_LOST ? mirror_of(sim, &message->log) : NULL;

	if (mirror != NULL)
		copy_check_losing(sim, node, mirror, message);
}

void windows_understand(struct sim *sim, struct node *node, const struct group_message *message)
{
	struct mirror *mirror = mirror_of(sim, &message->log);
	const struct node *sender = &sim->nodes[message->sender - 1];
	struct claim *claim;

	if (message->type < MESSAGE_JOIN || message->type >= MESSAGE_CALL)
		return;
	if (mirror == NULL) {
		violate(sim, "2", "message about an unknown mirror \"%s\"", message->log.uuid);
		return;
	}
	if (message->type == MESSAGE_OPENED && sim->node_count > 1)
		clean_add_may_copy(mirror, sim->counts.disk_errors > 0);
	/* Its death makes them lost, whether the proxy has them in its slot already or not. */
	for (uint32_t i = 0; message->type == MESSAGE_HOLD && i < message->region_count; i++)
		mirror->may_copy[message->regions[i] / 64] |= UINT64_C(1)
							      << message->regions[i] % 64;
	if (message->type == MESSAGE_LOST) {
		copy_note_lost(mirror, message);
		windows_spoiled(sim, mirror, message);
		note_reclaim(sender, mirror, message);
	}
	if (message->type == MESSAGE_CLAIM && message->region_count <= WINDOW_REGIONS_MAX)
		claim_note(sim, node, mirror, message);
	if (message->type != MESSAGE_VOID && message->type != MESSAGE_SYNCED)
		return;
	claim = claim_find(sim, mirror, message);
	if (claim == NULL) {
		violate(sim, "2", "message about window %u, which was never claimed",
			message->window);
		return;
	}
	for (uint32_t i = 0; message->type == MESSAGE_VOID && i < claim->region_count; i++) {
		if ((message->mask >> i & 1) == 0)
			continue;
		claim->voided |= UINT64_C(1) << i;
		copy_void(sim, mirror, sender, claim->regions[i]);
	}
}

void windows_heard_by_all(struct sim *sim, const struct group_message *message)
{
	struct mirror *mirror = mirror_of(sim, &message->log);
	struct claim *claim;

	if (mirror == NULL || message->type != MESSAGE_SYNCED)
		return;
	claim = claim_find(sim, mirror, message);
	if (claim == NULL || claim->spoiled || others_may_win(sim, claim))
		return;
	/* Said once more, as strangers may, it means nothing: the region has left the window. */
	for (uint32_t i = 0; i < claim->region_count; i++)
		if ((message->mask & ~claim->synced) >> i & 1 &&
		    !region_is_held_for(sim, mirror, claim->regions[i]))
			copy_note_synced(mirror, claim->regions[i]);
	claim->synced |= message->mask;
}

void windows_view(struct sim *sim, uint32_t members)
{
	for (uint32_t i = 0; i < CLAIMS_MAX && sim->group.claims[i].used; i++) {
		struct claim *claim = &sim->group.claims[i];

		if ((members >> (claim->sender - 1) & 1) != 0 && (claim->view & ~members) != 0)
			claim->spoiled = true;
	}
}

void windows_departed(struct sim *sim, uint32_t gone)
{
	for (uint32_t i = 0; i < CLAIMS_MAX && sim->group.claims[i].used; i++) {
		sim->group.claims[i].spoiled = true;
		if ((gone >> (sim->group.claims[i].sender - 1) & 1) != 0)
			sim->group.claims[i].departed = true;
	}
	for (uint32_t i = 0; i < sim->mirror_count; i++) {
		struct mirror *mirror = &sim->mirrors[i];

		for (uint32_t j = 0; j < mirror->copy_count; j++)
			if ((gone >> mirror->copies[j]->node->index & 1) != 0)
				copy_void_one(sim, mirror->copies[j]);
	}
}

bool window_is_void(const struct sim *sim, const struct mirror *mirror, const struct node *node,
		    uint64_t region)
{
	const struct group *group = &sim->group;

	for (uint32_t i = 1; i <= CLAIMS_MAX; i++) {
		const struct claim *claim = &group->claims[(group->next_claim - i) % CLAIMS_MAX];

		if (!claim->used)
			return false;
		if (claim->sender != node->index + 1 || claim->mirror != mirror->index)
			continue;
		for (uint32_t j = 0; j < claim->region_count; j++)
			if (claim->regions[j] == region)
				return claim->departed || (claim->voided >> j & 1) != 0;
	}
	return false;
}
