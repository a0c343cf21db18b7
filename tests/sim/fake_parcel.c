/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message on its way: in the form that it has on the wire.
 */
#include <string.h>

#include "sim.h"

static const uint32_t class_bytes[] = { 512, MESSAGE_BYTES_MAX };

struct parcel *parcel_pack(struct sim *sim, const struct node *node,
			   const struct group_message *message)
{
	uint8_t bytes[MESSAGE_BYTES_MAX];
	int length = group_message_encode(message, bytes, sizeof(bytes));
	uint32_t size_class;
	struct parcel *parcel;

	if (length < 0) {
		violate(sim, "2", "a message of type %u cannot be encoded", message->type);
		return NULL;
	}
	size_class = (uint32_t)length > class_bytes[0];
	parcel = sim->group.free_parcels[size_class];
	if (parcel == NULL)
		parcel = sim_alloc(sim, sizeof(*parcel) + class_bytes[size_class]);
	else
		sim->group.free_parcels[size_class] = parcel->next;
	parcel->next = NULL;
	parcel->sender = node->index;
	parcel->membership = node->group.id;
	parcel->length_bytes = (uint32_t)length;
	parcel->refs = 1;
	parcel->size_class = size_class;
	parcel->foreign = PARCEL_OWN;
	memcpy(parcel->bytes, bytes, (size_t)length);
	return parcel;
}

void parcel_unpack(struct sim *sim, const struct parcel *parcel, struct group_message *ret_message)
{
	int length = group_message_decode(parcel->bytes, parcel->length_bytes, ret_message);

	if (length < 0 || (uint32_t)length != parcel->length_bytes)
		violate(sim, "2", "a message of node %u cannot be decoded: %d", parcel->sender,
			length);
}

void parcel_put(struct sim *sim, struct parcel *parcel)
{
	if (--parcel->refs > 0)
		return;
	parcel->next = sim->group.free_parcels[parcel->size_class];
	sim->group.free_parcels[parcel->size_class] = parcel;
}
