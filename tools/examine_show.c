/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An examination for people: see examine.h. */
#include "tools/examine.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/wait_words.h"

#define SECTOR_BYTES 512

bool examine_is_foreign(const struct examination *examination)
{
	return examination->image->superblock_status == 0 && examination->cluster != NULL &&
	       strcmp(examination->cluster, examination->image->superblock.cluster_name) != 0;
}

const char *examine_word(const struct examination *examination)
{
	switch (examination->image->verdict) {
	case IMAGE_OURS:
		return examine_is_foreign(examination) ? "other-cluster" : "dmclogd";
	case IMAGE_KERNEL:
		return "kernel";
	case IMAGE_NONE:
		return "none";
	case IMAGE_TRUNCATED:
		return "truncated";
	case IMAGE_DAMAGED:
		return "damaged";
	}
	return "damaged";
}

void examine_cluster_name(const struct log_image *image, char ret_name[DISK_CLUSTER_NAME_SIZE])
{
	const char *name = image->superblock.cluster_name;
	size_t i = 0;

	for (; i < DISK_CLUSTER_NAME_SIZE - 1 && name[i] != '\0'; i++)
		ret_name[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	ret_name[i] = '\0';
}

bool examine_waits_for(const struct examination *examination, const struct image_slot *slot)
{
	return slot->status == 0 && slot->counts &&
	       !(examination->this_machine_known &&
		 memcmp(slot->header.machine_id, examination->machine_id, EXAMINE_ID_BYTES) == 0);
}

/* "1.5 GiB", "17 bytes". */
static void bytes_word(uint64_t bytes, char *word, size_t word_bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes;
	int i = 0;

	for (; size >= 1024 && i < 6; i++)
		size /= 1024;
	(void)snprintf(word, word_bytes, size == (double)(uint64_t)size ? "%.0f %s" : "%.1f %s",
		       size, units[i]);
}

/* ---- the head ---- */

static void show_verdict(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	char cluster[DISK_CLUSTER_NAME_SIZE];

	examine_cluster_name(image, cluster);
	printf("%s: %s", examination->path, examine_word(examination));
	if (image->verdict == IMAGE_OURS && examine_is_foreign(examination))
		printf(": a log of cluster \"%s\", here is \"%s\"", cluster, examination->cluster);
	else if (image->verdict == IMAGE_OURS)
		printf(": %s", image->origin);
	else if (image->verdict == IMAGE_KERNEL)
		printf(": %s, which dmclogd takes over when a mirror uses it", image->origin);
	else
		printf(": %s", image->why);
	printf("\n");
	if (image->moving)
		printf("  (it is written while it is being read: the counts are of several "
		       "moments)\n");
}

static void show_head(const struct log_image *image)
{
	const struct disk_superblock *superblock = &image->superblock;
	char cluster[DISK_CLUSTER_NAME_SIZE], id[33], region[32], all[32];

	if (image->header_status == 0)
		printf("kernel header  version %u, nr_regions %" PRIu64 "\n", DISK_HEADER_VERSION,
		       image->header.nr_regions);
	else
		printf("kernel header  none\n");
	if (image->superblock_status < 0) {
		printf("superblock     %s\n",
		       image->superblock_status == -ENODATA ? "none" : "unreadable");
		return;
	}
	examine_cluster_name(image, cluster);
	id_text(superblock->id, id);
	bytes_word((uint64_t)superblock->region_sectors * SECTOR_BYTES, region, sizeof(region));
	bytes_word(superblock->region_count * superblock->region_sectors * SECTOR_BYTES, all,
		   sizeof(all));
	printf("superblock     %s, cluster %s, generation %" PRIu64 ", id %s\n",
	       superblock->state == DISK_IN_USE ? "in use" : "closed", cluster,
	       superblock->generation, id);
	printf("mirror         %" PRIu64 " regions of %s, %s\n", superblock->region_count, region,
	       all);
	bytes_word(superblock->slot_bytes, all, sizeof(all));
	printf("slots          %" PRIu32 " of %s from byte %" PRIu64 ", a bit for %" PRIu64
	       " region%s\n",
	       superblock->slot_count, all, superblock->slot_offset_bytes,
	       UINT64_C(1) << superblock->granularity, superblock->granularity > 0 ? "s" : "");
}

/* ---- the slots ---- */

enum column {
	COLUMN_SLOT,
	COLUMN_NODE,
	COLUMN_STATE,
	COLUMN_GENERATION,
	COLUMN_BITS,
	COLUMN_REGIONS,
	COLUMN_BOOT,
	COLUMN_MACHINE,
	COLUMNS,
};

static const char *const column_names[COLUMNS] = {
	[COLUMN_SLOT] = "SLOT",      [COLUMN_NODE] = "NODE",       [COLUMN_STATE] = "STATE",
	[COLUMN_GENERATION] = "GEN", [COLUMN_BITS] = "BITS",       [COLUMN_REGIONS] = "HELD",
	[COLUMN_BOOT] = "BOOT",      [COLUMN_MACHINE] = "MACHINE",
};

__attribute__((format(printf, 3, 4))) static int put(struct libscols_line *line, enum column column,
						     const char *format, ...)
{
	char data[64];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(data, sizeof(data), format, arguments);
	va_end(arguments);
	return scols_line_set_data(line, column, data);
}

/* The id, and whether it is this machine's or this boot's. */
static int put_id(struct libscols_line *line, enum column column, const uint8_t *id,
		  const uint8_t *own)
{
	char text[33];

	id_text(id, text);
	return put(line, column, "%s%s", text,
		   own != NULL && memcmp(id, own, EXAMINE_ID_BYTES) == 0 ? " (here)" : "");
}

static int add_slot(struct libscols_table *table, const struct examination *examination,
		    const struct image_slot *slot)
{
	const struct disk_slot_header *header = &slot->header;
	struct libscols_line *line = scols_table_new_line(table, NULL);
	bool known = examination->this_machine_known;

	if (line == NULL)
		return -ENOMEM;
	if (slot->status < 0)
		return put(line, COLUMN_SLOT, "%" PRIu32, slot->number) |
		       put(line, COLUMN_STATE, "unreadable");
	return put(line, COLUMN_SLOT, "%" PRIu32, slot->number) |
	       put(line, COLUMN_NODE, "%" PRIu32, header->node_id) |
	       put(line, COLUMN_STATE, "%s",
		   header->state == DISK_SLOT_FREE ? "free" :
		   slot->counts                    ? "in use" :
						     "void") |
	       put(line, COLUMN_GENERATION, "%" PRIu64, header->generation) |
	       put(line, COLUMN_BITS, "%" PRIu64, slot->held_bits) |
	       put(line, COLUMN_REGIONS, "%" PRIu64, slot->held_regions) |
	       put_id(line, COLUMN_BOOT, header->boot_id, known ? examination->boot_id : NULL) |
	       put_id(line, COLUMN_MACHINE, header->machine_id,
		      known ? examination->machine_id : NULL);
}

static int show_slots(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	struct libscols_table *table;
	uint32_t shown = 0;
	int r = 0;

	scols_init_debug(0);
	table = scols_new_table();
	if (table == NULL)
		return -ENOMEM;
	for (int i = 0; i < COLUMNS && r == 0; i++)
		if (scols_table_new_column(table, column_names[i], 0,
					   i <= COLUMN_NODE || (i >= COLUMN_GENERATION &&
								i <= COLUMN_REGIONS) ?
						   SCOLS_FL_RIGHT :
						   0) == NULL)
			r = -ENOMEM;
	for (uint32_t i = 0; i < image->slot_count && r == 0; i++) {
		if (image->slots[i].status == -ENODATA)
			continue;
		r = add_slot(table, examination, &image->slots[i]);
		shown++;
	}
	if (r == 0 && shown > 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r == 0 ? 0 : -ENOMEM;
}

/* ---- the sum ---- */

static void show_waits(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	char boot[33];

	for (uint32_t i = 0; i < image->slot_count; i++) {
		const struct image_slot *slot = &image->slots[i];

		if (!examine_waits_for(examination, slot))
			continue;
		id_text(slot->header.boot_id, boot);
		printf("               and waits for node %" PRIu32 " (boot %s) to join, or to be "
		       "off for certain: dmclog fenced %" PRIu32 "\n",
		       slot->header.node_id, boot, slot->header.node_id);
	}
}

static void show_sum(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	char size[40] = "";

	if (image->verdict == IMAGE_NONE)
		return;
	if (image->region_count == 0) {
		printf("next opening   copies all regions, unless the table says nosync\n");
		return;
	}
	printf("bitmap         %" PRIu64 " of %" PRIu64 " regions in sync, %" PRIu64
	       " of them held\n",
	       image->base_count, image->region_count, image->held_count);
	if (image->superblock_status == 0)
		bytes_word(image->copy_count * image->superblock.region_sectors * SECTOR_BYTES,
			   size, sizeof(size));
	printf("next opening   copies %" PRIu64 " regions%s%s%s\n", image->copy_count,
	       size[0] != '\0' ? ", " : "", size,
	       image->everything ? ": all, since it cannot be known which were held" : "");
	show_waits(examination);
}

int examine_show(const struct examination *examination)
{
	int r;

	show_verdict(examination);
	show_head(examination->image);
	r = show_slots(examination);
	show_sum(examination);
	return r;
}
