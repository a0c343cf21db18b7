/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group of one: what is multicast is delivered to the sender, in order (--cluster=none).
 *
 * Never chosen by itself: two such nodes on one log device would be split-brained.
 */
#ifndef DMCLOGD_LOCAL_GROUP_H
#define DMCLOGD_LOCAL_GROUP_H

#include <stdbool.h>

#include "group_message.h"

struct local_group;

/* Returns 0 and *ret_group, which local_group_close frees, or -ENOMEM. */
int local_group_open(struct local_group **ret_group);
void local_group_close(struct local_group *group);

/* Takes a copy of the message and its data.  It allocates for data, and when more messages wait than ever before.  Returns 0 or
 * -ENOMEM. */
int local_group_multicast(struct local_group *group, const struct group_message *message);

/* The oldest message that waits, into *ret_message; false when there is none.  Its data is valid until the next call. */
bool local_group_deliver(struct local_group *group, struct group_message *ret_message);

#endif
