/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group of one, a ring of messages: see local_group.h. */
#include "local_group.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

struct local_group {
	struct group_message *ring;
	uint32_t capacity;
	uint32_t first;
	uint32_t count;
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

	if (r < 0)
		return r;
	group->ring[(group->first + group->count) % group->capacity] = *message;
	group->count++;
	return 0;
}

bool local_group_deliver(struct local_group *group, struct group_message *ret_message)
{
	if (group->count == 0)
		return false;
	*ret_message = group->ring[group->first];
	group->first = (group->first + 1) % group->capacity;
	group->count--;
	return true;
}
