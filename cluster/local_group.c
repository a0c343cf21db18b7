/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group of one, a ring of messages, each with a copy of its data: see local_group.h. */
#include "local_group.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

struct local_group {
	struct group_message *ring;
	uint32_t capacity;
	uint32_t first;
	uint32_t count;
	void *lent; /* data of the message that was delivered last */
};

int local_group_open(struct local_group **ret_group)
{
	struct local_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return -ENOMEM;
	group->capacity = FIRST_CAPACITY;
	group->ring = calloc(group->capacity, sizeof(*group->ring));
	if (group->ring == NULL) {
		free(group);
		return -ENOMEM;
	}
	*ret_group = group;
	return 0;
}

void local_group_close(struct local_group *group)
{
	if (group == NULL)
		return;
	for (uint32_t i = 0; i < group->count; i++)
		free((void *)(uintptr_t)group->ring[(group->first + i) % group->capacity].data);
	free(group->lent);
	free(group->ring);
	free(group);
}

static int grow(struct local_group *group)
{
	struct group_message *ring = calloc(group->capacity * 2, sizeof(*ring));

	if (ring == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < group->count; i++)
		ring[i] = group->ring[(group->first + i) % group->capacity];
	free(group->ring);
	group->ring = ring;
	group->capacity *= 2;
	group->first = 0;
	return 0;
}

int local_group_multicast(struct local_group *group, const struct group_message *message)
{
	int r = group->count == group->capacity ? grow(group) : 0;
	struct group_message *place;
	void *data = NULL;

	if (r < 0)
		return r;
	if (message->data_bytes > 0) {
		data = malloc(message->data_bytes);
		if (data == NULL)
			return -ENOMEM;
		memcpy(data, message->data, message->data_bytes);
	}
	place = &group->ring[(group->first + group->count) % group->capacity];
	*place = *message;
	place->data = data;
	group->count++;
	return 0;
}

bool local_group_deliver(struct local_group *group, struct group_message *ret_message)
{
	if (group->count == 0)
		return false;
	*ret_message = group->ring[group->first];
	free(group->lent);
	group->lent = (void *)(uintptr_t)ret_message->data;
	group->first = (group->first + 1) % group->capacity;
	group->count--;
	return true;
}
