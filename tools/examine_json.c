/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An examination as JSON: see examine.h; man/dmclog.8 has every member. */
#include "tools/examine.h"

#include <errno.h>

#include "daemon/status_json.h"
#include "daemon/wait_words.h"

static bool add_number(struct json_object *object, const char *name, uint64_t number)
{
	return json_add(object, name, json_object_new_uint64(number));
}

static bool add_text(struct json_object *object, const char *name, const char *text)
{
	return json_add(object, name, json_object_new_string(text));
}

static bool add_flag(struct json_object *object, const char *name, bool flag)
{
	return json_add(object, name, json_object_new_boolean(flag));
}

static bool add_id(struct json_object *object, const char *name, const uint8_t *id)
{
	char text[33];

	id_text(id, text);
	return add_text(object, name, text);
}

static const char *state_word(const struct image_slot *slot)
{
	if (slot->status < 0)
		return "unreadable";
	if (slot->header.state == DISK_SLOT_FREE)
		return "free";
	return slot->counts ? "in-use" : "void";
}

static bool add_slot(struct json_object *slots, const struct examination *examination,
		     const struct image_slot *slot)
{
	const struct disk_slot_header *header = &slot->header;
	struct json_object *object = json_object_new_object();

	if (object != NULL && add_number(object, "slot", slot->number) &&
	    add_text(object, "state", state_word(slot)) &&
	    (slot->status < 0 ||
	     (add_number(object, "node", header->node_id) &&
	      add_id(object, "machine_id", header->machine_id) &&
	      add_id(object, "boot_id", header->boot_id) &&
	      add_number(object, "incarnation", header->incarnation) &&
	      add_number(object, "generation", header->generation) &&
	      add_number(object, "held_bits", slot->held_bits) &&
	      add_number(object, "held_regions", slot->held_regions) &&
	      add_flag(object, "waits_for_owner", examine_waits_for(examination, slot)))) &&
	    json_object_array_add(slots, object) == 0)
		return true;
	json_object_put(object);
	return false;
}

static bool add_superblock(struct json_object *answer, const struct log_image *image)
{
	const struct disk_superblock *superblock = &image->superblock;
	struct json_object *object = json_object_new_object();
	char cluster[DISK_CLUSTER_NAME_SIZE];

	examine_cluster_name(image, cluster);
	return json_add(answer, "superblock", object) && add_id(object, "id", superblock->id) &&
	       add_text(object, "state", superblock->state == DISK_IN_USE ? "in-use" : "closed") &&
	       add_text(object, "cluster", cluster) &&
	       add_number(object, "generation", superblock->generation) &&
	       add_number(object, "regions", superblock->region_count) &&
	       add_number(object, "region_sectors", superblock->region_sectors) &&
	       add_number(object, "granularity", superblock->granularity) &&
	       add_number(object, "slot_count", superblock->slot_count) &&
	       add_number(object, "slot_offset_bytes", superblock->slot_offset_bytes) &&
	       add_number(object, "slot_bytes", superblock->slot_bytes);
}

static bool add_slots(struct json_object *answer, const struct examination *examination)
{
	const struct log_image *image = examination->image;
	struct json_object *slots = json_object_new_array();

	if (!json_add(answer, "slots", slots))
		return false;
	for (uint32_t i = 0; i < image->slot_count; i++)
		if (image->slots[i].status != -ENODATA &&
		    !add_slot(slots, examination, &image->slots[i]))
			return false;
	return true;
}

struct json_object *examine_json(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	struct json_object *answer = json_object_new_object();

	if (answer != NULL && add_text(answer, "device", examination->path) &&
	    add_number(answer, "device_bytes", image->device_bytes) &&
	    add_text(answer, "verdict", examine_word(examination)) &&
	    add_text(answer, "why", image->why) && add_text(answer, "origin", image->origin) &&
	    add_flag(answer, "moving", image->moving) &&
	    (image->header_status < 0 ||
	     add_number(answer, "nr_regions", image->header.nr_regions)) &&
	    (image->superblock_status < 0 || add_superblock(answer, image)) &&
	    add_slots(answer, examination) && add_number(answer, "regions", image->region_count) &&
	    add_number(answer, "in_sync", image->base_count) &&
	    add_number(answer, "held", image->held_count) &&
	    add_number(answer, "to_copy", image->copy_count) &&
	    add_flag(answer, "copies_everything", image->everything || image->region_count == 0))
		return answer;
	json_object_put(answer);
	return NULL;
}
