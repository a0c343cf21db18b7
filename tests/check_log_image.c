/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What "dmclog examine" reads, from images made by hand in memory: of 200 regions, 4 slots, a slot bit for 2 regions.
 *
 * The source refuses whatever lies beyond the device, so that no read can go there.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/examine.h"
#include "tools/log_image.h"

#define REGIONS 200
#define SLOTS 4
#define SLOT_OFFSET 4096
#define SLOT_BYTES 8192
#define DEVICE_BYTES (SLOT_OFFSET + SLOTS * SLOT_BYTES)

static uint8_t device[DEVICE_BYTES];
static uint64_t device_bytes;
static int reads, fails_at;
static void (*before_read)(int number);
static struct log_image image;

static int read_memory(void *context, uint64_t offset_bytes, uint8_t *bytes, uint64_t length_bytes)
{
	(void)context;
	reads++;
	if (before_read != NULL)
		before_read(reads);
	ck_assert_uint_le(offset_bytes + length_bytes, device_bytes);
	memcpy(bytes, device + offset_bytes, length_bytes);
	return reads == fails_at ? -EIO : 0;
}

static int look(void)
{
	struct image_source source = { .read = read_memory, .device_bytes = device_bytes };

	reads = 0;
	return log_image_read(&source, &image);
}

static void bit(uint64_t at, uint64_t number, bool set)
{
	uint8_t mask = (uint8_t)(1u << (number % 8));

	device[at + number / 8] =
		(uint8_t)(set ? device[at + number / 8] | mask : device[at + number / 8] & ~mask);
}

static struct disk_superblock superblock(enum disk_superblock_state state)
{
	return (struct disk_superblock){
		.id = { 1, 2, 3 },
		.cluster_name = "demo",
		.state = state,
		.region_count = REGIONS,
		.region_sectors = 1024,
		.slot_offset_bytes = SLOT_OFFSET,
		.slot_bytes = SLOT_BYTES,
		.slot_count = SLOTS,
		.granularity = 1,
		.generation = 7,
	};
}

static void put_superblock(const struct disk_superblock *block)
{
	disk_superblock_encode(block, device + DISK_SUPERBLOCK_OFFSET_BYTES);
}

static void put_header(uint64_t nr_regions)
{
	struct disk_header header = { .nr_regions = nr_regions };

	disk_header_encode(&header, device);
}

static struct disk_slot_header *slot_of(uint32_t node)
{
	static struct disk_slot_header header;

	header = (struct disk_slot_header){ .log_id = { 1, 2, 3 },
					    .node_id = node,
					    .machine_id = { (uint8_t)node },
					    .boot_id = { (uint8_t)(16 + node) },
					    .incarnation = 1,
					    .generation = 7,
					    .state = DISK_SLOT_USED };
	return &header;
}

static void put_slot(uint32_t number, const struct disk_slot_header *header)
{
	disk_slot_header_encode(header, device + SLOT_OFFSET + number * SLOT_BYTES);
}

static void hold(uint32_t slot, uint64_t number)
{
	bit(SLOT_OFFSET + slot * SLOT_BYTES + DISK_SLOT_HEADER_BYTES, number, true);
}

/* All in sync but 3 regions; node 5 holds 4 and 5 (both in sync), 6 and 7 (6 is not); the last bit covers 198 and 199. */
static void make_in_use(void)
{
	struct disk_superblock block = superblock(DISK_IN_USE);

	memset(device, 0, sizeof(device));
	device_bytes = DEVICE_BYTES;
	fails_at = 0;
	before_read = NULL;
	put_header(0);
	put_superblock(&block);
	for (uint64_t r = 0; r < REGIONS; r++)
		bit(DISK_BITMAP_OFFSET_BYTES, r, r != 0 && r != 6 && r != 100);
	put_slot(1, slot_of(5));
	hold(1, 2);
	hold(1, 3);
	hold(1, 99);
}

START_TEST(test_left_in_use)
{
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_OURS);
	ck_assert_str_eq(image.origin, "a log that was left in use");
	ck_assert_uint_eq(image.base_count, 197);
	ck_assert_uint_eq(image.held_count, 5);
	ck_assert_uint_eq(image.copy_count, 8);
	ck_assert(!image.everything && !image.moving);
	ck_assert_int_eq(log_image_region(&image, 6), REGION_OUT_OF_SYNC);
	ck_assert_int_eq(log_image_region(&image, 7), REGION_HELD);
	ck_assert_int_eq(log_image_region(&image, 8), REGION_CLEAN);
	ck_assert_int_eq(log_image_region(&image, 199), REGION_HELD);
	ck_assert_uint_eq(image.slot_count, SLOTS);
	ck_assert(image.slots[1].counts);
	ck_assert_uint_eq(image.slots[1].held_bits, 3);
	ck_assert_uint_eq(image.slots[1].held_regions, 6);
	ck_assert_int_eq(image.slots[0].status, -ENODATA);
}
END_TEST

START_TEST(test_slots_that_do_not_count)
{
	struct disk_slot_header *header = slot_of(5);

	header->generation = 6;
	put_slot(1, header);
	header = slot_of(6);
	header->log_id[0] = 9;
	put_slot(2, header);
	hold(2, 10);
	header = slot_of(7);
	header->state = DISK_SLOT_FREE;
	put_slot(3, header);
	hold(3, 20);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(image.held_count, 0);
	ck_assert_uint_eq(image.copy_count, 3);
	for (int i = 1; i < SLOTS; i++)
		ck_assert(!image.slots[i].counts);
	ck_assert_uint_eq(image.slots[1].held_regions, 6);
	ck_assert_uint_eq(image.slots[3].held_regions, 0);
}
END_TEST

START_TEST(test_closed_and_taken_over)
{
	struct disk_superblock block = superblock(DISK_CLOSED);

	/* The kernel has used it since: what it calls clean is, whatever the slot says. */
	put_header(REGIONS);
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(image.origin, "a log that was taken over");
	ck_assert(!image.slots[1].counts);
	ck_assert_uint_eq(image.copy_count, 3);
	log_image_free(&image);
	put_superblock(&block);
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_OURS);
	ck_assert_str_eq(image.origin, "a closed log");
	ck_assert_uint_eq(image.copy_count, 3);
	log_image_free(&image);
	/* The bitmap tells something of the first 150 only. */
	put_header(150);
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_eq(image.copy_count, 3 + 50);
	log_image_free(&image);
	/* Neither in use nor with regions: nothing is known. */
	put_header(0);
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(image.origin, "an empty log");
	ck_assert_uint_eq(image.copy_count, REGIONS);
}
END_TEST

START_TEST(test_kernel_only)
{
	memset(device + DISK_SUPERBLOCK_OFFSET_BYTES, 0, DISK_SUPERBLOCK_BYTES);
	put_header(REGIONS);
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_KERNEL);
	ck_assert_uint_eq(image.region_count, REGIONS);
	ck_assert_uint_eq(image.copy_count, 3);
	ck_assert_uint_eq(image.slot_count, 0);
	log_image_free(&image);
	/* As LVM makes it: nobody knows how many. */
	put_header(UINT64_MAX);
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_KERNEL);
	ck_assert_uint_eq(image.region_count, 0);
	log_image_free(&image);
	put_header(UINT64_C(1) << 30);
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_TRUNCATED);
}
END_TEST

START_TEST(test_no_log)
{
	memset(device, 0xa5, sizeof(device));
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_NONE);
	ck_assert_uint_eq(image.region_count, 0);
	log_image_free(&image);
	memset(device, 0, sizeof(device));
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_NONE);
	log_image_free(&image);
	device_bytes = 100;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_NONE);
	log_image_free(&image);
	device_bytes = 0;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_NONE);
}
END_TEST

START_TEST(test_cut_short)
{
	/* The last slot's last byte is missing: nobody knows what was held. */
	device_bytes = DEVICE_BYTES - 1;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_TRUNCATED);
	ck_assert(image.everything);
	ck_assert_uint_eq(image.copy_count, REGIONS);
	ck_assert_uint_eq(image.slot_count, 0);
	log_image_free(&image);
	/* Within the bitmap, and before it. */
	device_bytes = DISK_BITMAP_OFFSET_BYTES + REGIONS / 8 - 1;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_TRUNCATED);
	ck_assert_uint_eq(image.region_count, 0);
	log_image_free(&image);
	device_bytes = 600;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_TRUNCATED);
	ck_assert(image.everything);
}
END_TEST

START_TEST(test_damaged)
{
	device[SLOT_OFFSET + SLOT_BYTES + 100] ^= 1;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_DAMAGED);
	ck_assert_uint_eq(image.copy_count, REGIONS);
	ck_assert_str_eq(image.why, "the header of slot 1 cannot be read: wrong checksum");
	log_image_free(&image);
	make_in_use();
	device[DISK_SUPERBLOCK_OFFSET_BYTES + 40] ^= 1;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_DAMAGED);
	ck_assert_uint_eq(image.region_count, 0);
	log_image_free(&image);
	make_in_use();
	device[0] ^= 1;
	ck_assert_int_eq(look(), 0);
	ck_assert_int_eq(image.verdict, IMAGE_DAMAGED);
	ck_assert_uint_eq(image.copy_count, REGIONS);
}
END_TEST

/* Any byte of the head wrong: another word or another count perhaps, never a read beyond the device. */
START_TEST(test_any_byte_wrong)
{
	for (size_t i = 0; i < SLOT_OFFSET + 600; i++) {
		make_in_use();
		device[i] ^= 0xff;
		ck_assert_int_eq(look(), 0);
		log_image_free(&image);
	}
}
END_TEST

START_TEST(test_read_error)
{
	int most;

	ck_assert_int_eq(look(), 0);
	log_image_free(&image);
	most = reads;
	for (int i = 1; i <= most; i++) {
		fails_at = i;
		ck_assert_int_eq(look(), -EIO);
	}
	fails_at = 0;
	ck_assert_int_eq(look(), 0);
}
END_TEST

/* A generation that changes between the reads: read again. */
static void next_generation(int number)
{
	struct disk_superblock block = superblock(DISK_IN_USE);

	block.generation += 1;
	if (number == 3)
		put_superblock(&block);
}

static void always_another(int number)
{
	struct disk_superblock block = superblock(DISK_IN_USE);

	block.generation = (uint64_t)number;
	put_superblock(&block);
}

START_TEST(test_written_meanwhile)
{
	before_read = next_generation;
	ck_assert_int_eq(look(), 0);
	ck_assert(!image.moving);
	ck_assert_uint_eq(image.superblock.generation, 8);
	ck_assert(!image.slots[1].counts);
	log_image_free(&image);
	before_read = always_another;
	ck_assert_int_eq(look(), 0);
	ck_assert(image.moving);
}
END_TEST

START_TEST(test_words)
{
	struct examination examination = { .path = "x", .image = &image };
	char name[DISK_CLUSTER_NAME_SIZE];

	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(examine_word(&examination), "dmclogd");
	examination.cluster = "demo";
	ck_assert_str_eq(examine_word(&examination), "dmclogd");
	examination.cluster = "other";
	ck_assert_str_eq(examine_word(&examination), "other-cluster");
	/* Its owner is waited for, unless it is this machine. */
	ck_assert(examine_waits_for(&examination, &image.slots[1]));
	ck_assert(!examine_waits_for(&examination, &image.slots[0]));
	examination.this_machine_known = true;
	examination.machine_id[0] = 5;
	ck_assert(!examine_waits_for(&examination, &image.slots[1]));
	/* What a device says goes to terminals. */
	memcpy(image.superblock.cluster_name, "a\033[2J\xff", 7);
	examine_cluster_name(&image, name);
	ck_assert_str_eq(name, "a?[2J?");
}
END_TEST

static void teardown(void)
{
	log_image_free(&image);
}

int main(void)
{
	Suite *suite = suite_create("log_image");
	TCase *tcase = tcase_create("log_image");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, make_in_use, teardown);
	tcase_add_test(tcase, test_left_in_use);
	tcase_add_test(tcase, test_slots_that_do_not_count);
	tcase_add_test(tcase, test_closed_and_taken_over);
	tcase_add_test(tcase, test_kernel_only);
	tcase_add_test(tcase, test_no_log);
	tcase_add_test(tcase, test_cut_short);
	tcase_add_test(tcase, test_damaged);
	tcase_add_test(tcase, test_any_byte_wrong);
	tcase_add_test(tcase, test_read_error);
	tcase_add_test(tcase, test_written_meanwhile);
	tcase_add_test(tcase, test_words);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
