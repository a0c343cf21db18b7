/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log device's bytes against literals, and every field wrong once.
 *
 * The crc of a literal was computed by another program (a bitwise loop in Python), not by the code
 * under test.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"

static const uint8_t header_bytes[16] = {
	'r', 'R', 'i', 'M', 2, 0, 0, 0, 0x08, 7, 6, 5, 4, 3, 2, 1
};

static const struct disk_superblock superblock_of_bytes = {
	.id = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
		0xae, 0xaf },
	.cluster_name = "demo",
	.state = DISK_IN_USE,
	.region_count = 0x01020304,
	.region_sectors = 1024,
	.slot_offset_bytes = 0x00206000,
	.slot_bytes = 0x0000000100011000,
	.slot_count = 32,
	.granularity = 5,
	.generation = 0x1122334455667788,
};

static const uint8_t superblock_bytes[512] = {
	'd',
	'm',
	'c',
	'l',
	'o',
	'g',
	'S',
	'B',
	1,
	0,
	0,
	0,
	2,
	0,
	0,
	0,
	0xa0,
	0xa1,
	0xa2,
	0xa3,
	0xa4,
	0xa5,
	0xa6,
	0xa7,
	0xa8,
	0xa9,
	0xaa,
	0xab,
	0xac,
	0xad,
	0xae,
	0xaf,
	[32] = 'd',
	'e',
	'm',
	'o',
	[96] = 4,
	3,
	2,
	1,
	0,
	0,
	0,
	0,
	[104] = 0,
	4,
	0,
	0,
	[108] = 5,
	0,
	0,
	0,
	[112] = 0,
	0x60,
	0x20,
	0,
	0,
	0,
	0,
	0,
	[120] = 0,
	0x10,
	1,
	0,
	1,
	0,
	0,
	0,
	[128] = 32,
	0,
	0,
	0,
	[136] = 0x88,
	0x77,
	0x66,
	0x55,
	0x44,
	0x33,
	0x22,
	0x11,
	[508] = 0x4a,
	0xa6,
	0xd1,
	0xe6,
};

static const struct disk_slot_header slot_of_bytes = {
	.log_id = { 0xa0, [15] = 0xaf },
	.node_id = 0x04030201,
	.machine_id = { 0xb0, [15] = 0xbf },
	.boot_id = { 0xc0, [15] = 0xcf },
	.incarnation = 0x0807060504030201,
	.generation = 0x1122334455667788,
	.state = DISK_SLOT_USED,
};

static const uint8_t slot_bytes[512] = {
	'd',
	'm',
	'c',
	'l',
	'o',
	'g',
	'S',
	'L',
	1,
	0,
	0,
	0,
	2,
	0,
	0,
	0,
	[16] = 0xa0,
	[31] = 0xaf,
	[32] = 1,
	2,
	3,
	4,
	[40] = 0xb0,
	[55] = 0xbf,
	[56] = 0xc0,
	[71] = 0xcf,
	[72] = 1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	[80] = 0x88,
	0x77,
	0x66,
	0x55,
	0x44,
	0x33,
	0x22,
	0x11,
	[508] = 0xd2,
	0xda,
	0x2c,
	0x3f,
};

static uint8_t block[512];

/* Makes the crc of `block` right again after a byte was changed. */
static void block_sign(void)
{
	uint32_t crc = disk_crc32c(block, 508);

	for (int i = 0; i < 4; i++)
		block[508 + i] = (uint8_t)(crc >> (8 * i));
}

START_TEST(crc_vectors)
{
	uint8_t bytes[32];

	ck_assert_uint_eq(disk_crc32c("", 0), 0);
	ck_assert_uint_eq(disk_crc32c("123456789", 9), 0xe3069283);
	/* RFC 3720, B.4. */
	memset(bytes, 0, sizeof(bytes));
	ck_assert_uint_eq(disk_crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	ck_assert_uint_eq(disk_crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	ck_assert_uint_eq(disk_crc32c(bytes, sizeof(bytes)), 0x46dd794e);
}
END_TEST

START_TEST(header_golden)
{
	struct disk_header header = { .nr_regions = 99 };
	uint8_t bytes[16];

	ck_assert_int_eq(disk_header_decode(header_bytes, &header), 0);
	ck_assert_uint_eq(header.nr_regions, 0x0102030405060708);
	disk_header_encode(&header, bytes);
	ck_assert_mem_eq(bytes, header_bytes, 16);
}
END_TEST

START_TEST(header_refused)
{
	struct disk_header header = { .nr_regions = 99 };
	uint8_t bytes[16];

	/* Each byte of magic and version matters; version 1 is another as well. */
	for (int i = 0; i < 8; i++) {
		memcpy(bytes, header_bytes, 16);
		bytes[i] ^= 3;
		ck_assert_int_eq(disk_header_decode(bytes, &header), -EINVAL);
	}
	memset(bytes, 0, 16);
	ck_assert_int_eq(disk_header_decode(bytes, &header), -EINVAL);
	ck_assert_uint_eq(header.nr_regions, 99);
}
END_TEST

START_TEST(superblock_golden)
{
	struct disk_superblock superblock;

	memset(&superblock, 0, sizeof(superblock));
	ck_assert_int_eq(disk_superblock_decode(superblock_bytes, &superblock), 0);
	ck_assert_mem_eq(superblock.id, superblock_of_bytes.id, 16);
	ck_assert_str_eq(superblock.cluster_name, "demo");
	ck_assert_int_eq(superblock.state, DISK_IN_USE);
	ck_assert_uint_eq(superblock.region_count, superblock_of_bytes.region_count);
	ck_assert_uint_eq(superblock.region_sectors, superblock_of_bytes.region_sectors);
	ck_assert_uint_eq(superblock.slot_offset_bytes, superblock_of_bytes.slot_offset_bytes);
	ck_assert_uint_eq(superblock.slot_bytes, superblock_of_bytes.slot_bytes);
	ck_assert_uint_eq(superblock.slot_count, superblock_of_bytes.slot_count);
	ck_assert_uint_eq(superblock.granularity, superblock_of_bytes.granularity);
	ck_assert_uint_eq(superblock.generation, superblock_of_bytes.generation);

	/* Rubbish behind the name's NUL does not get to the disk. */
	superblock.cluster_name[60] = 'z';
	memset(block, 0xee, sizeof(block));
	disk_superblock_encode(&superblock, block);
	ck_assert_mem_eq(block, superblock_bytes, sizeof(block));
}
END_TEST

/* Every single flipped bit of the block is seen. */
START_TEST(superblock_any_bit)
{
	struct disk_superblock superblock = { .granularity = 99 };

	for (int bit = 0; bit < 512 * 8; bit++) {
		memcpy(block, superblock_bytes, sizeof(block));
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1 << bit % 8);
		ck_assert_int_eq(disk_superblock_decode(block, &superblock),
				 bit < 64 ? -ENODATA : -EBADMSG);
	}
	memset(block, 0, sizeof(block));
	ck_assert_int_eq(disk_superblock_decode(block, &superblock), -ENODATA);
	ck_assert_uint_eq(superblock.granularity, 99);
}
END_TEST

static int superblock_with(size_t at, uint64_t value, size_t value_bytes)
{
	struct disk_superblock superblock = { .granularity = 99 };
	int r;

	memcpy(block, superblock_bytes, sizeof(block));
	for (size_t i = 0; i < value_bytes; i++)
		block[at + i] = (uint8_t)(value >> (8 * i));
	block_sign();
	r = disk_superblock_decode(block, &superblock);
	if (r < 0) {
		ck_assert_uint_eq(superblock.granularity, 99);
	} else {
		uint8_t again[512];

		disk_superblock_encode(&superblock, again);
		ck_assert_mem_eq(again, block, sizeof(again));
	}
	return r;
}

START_TEST(superblock_fields)
{
	ck_assert_int_eq(superblock_with(8, 0, 4), -EPROTONOSUPPORT);
	ck_assert_int_eq(superblock_with(8, 2, 4), -EPROTONOSUPPORT);
	ck_assert_int_eq(superblock_with(12, 0, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(12, 1, 4), 0);
	ck_assert_int_eq(superblock_with(12, 3, 4), -EBADMSG);
	/* cluster name: empty, not terminated, with something behind its NUL */
	ck_assert_int_eq(superblock_with(32, 0, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(33, 0, 1), -EBADMSG);
	ck_assert_int_eq(superblock_with(95, 'x', 1), -EBADMSG);
	/* region count and size */
	ck_assert_int_eq(superblock_with(96, 0, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(96, 1, 8), 0);
	ck_assert_int_eq(superblock_with(96, UINT64_MAX, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(104, 8, 4), 0);
	ck_assert_int_eq(superblock_with(104, 4, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(104, 1000, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(104, 0, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(104, UINT64_C(1) << 31, 4), 0);
	/* granularity, slot count */
	ck_assert_int_eq(superblock_with(108, 32, 4), 0);
	ck_assert_int_eq(superblock_with(108, 33, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(128, 0, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(128, 256, 4), 0);
	ck_assert_int_eq(superblock_with(128, 257, 4), -EBADMSG);
	/* what must be zero */
	ck_assert_int_eq(superblock_with(132, 1, 4), -EBADMSG);
	ck_assert_int_eq(superblock_with(144, 1, 1), -EBADMSG);
	ck_assert_int_eq(superblock_with(507, 1, 1), -EBADMSG);
}
END_TEST

START_TEST(superblock_overlaps)
{
	/* 0x01020304 regions: bitmap of 2113636 bytes from 1024 on, slots from 0x205000 on at the
	 * earliest; with granularity 5 a slot's bitmap is 66052 bytes, and a slot 0x12000. */
	ck_assert_int_eq(superblock_with(112, 0x205000, 8), 0);
	ck_assert_int_eq(superblock_with(112, 0x204000, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(112, 0x205200, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(112, 0, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(120, 0x12000, 8), 0);
	ck_assert_int_eq(superblock_with(120, 0x11000, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(120, 0x12200, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(120, 0, 8), -EBADMSG);
	/* Ends beyond 2^63, and beyond 2^64. */
	ck_assert_int_eq(superblock_with(112, UINT64_C(1) << 63, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(120, UINT64_C(1) << 57, 8), 0);
	ck_assert_int_eq(superblock_with(120, UINT64_C(1) << 58, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(120, UINT64_C(1) << 59, 8), -EBADMSG);
	ck_assert_int_eq(superblock_with(112, UINT64_MAX & ~UINT64_C(4095), 8), -EBADMSG);
}
END_TEST

START_TEST(slot_golden)
{
	struct disk_slot_header header;

	memset(&header, 0, sizeof(header));
	ck_assert_int_eq(disk_slot_header_decode(slot_bytes, &header), 0);
	ck_assert_mem_eq(header.log_id, slot_of_bytes.log_id, sizeof(header.log_id));
	ck_assert_uint_eq(header.node_id, slot_of_bytes.node_id);
	ck_assert_mem_eq(header.machine_id, slot_of_bytes.machine_id, sizeof(header.machine_id));
	ck_assert_mem_eq(header.boot_id, slot_of_bytes.boot_id, sizeof(header.boot_id));
	ck_assert_uint_eq(header.incarnation, slot_of_bytes.incarnation);
	ck_assert_uint_eq(header.generation, slot_of_bytes.generation);
	ck_assert_int_eq(header.state, slot_of_bytes.state);
	memset(block, 0xee, sizeof(block));
	disk_slot_header_encode(&header, block);
	ck_assert_mem_eq(block, slot_bytes, sizeof(block));
}
END_TEST

static int slot_with(size_t at, uint8_t value)
{
	struct disk_slot_header header = { .node_id = 99 };
	int r;

	memcpy(block, slot_bytes, sizeof(block));
	block[at] = value;
	block_sign();
	r = disk_slot_header_decode(block, &header);
	if (r < 0)
		ck_assert_uint_eq(header.node_id, 99);
	return r;
}

START_TEST(slot_refused)
{
	struct disk_slot_header header = { .node_id = 99 };

	for (int bit = 0; bit < 512 * 8; bit++) {
		memcpy(block, slot_bytes, sizeof(block));
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1 << bit % 8);
		ck_assert_int_eq(disk_slot_header_decode(block, &header),
				 bit < 64 ? -ENODATA : -EBADMSG);
	}
	/* A superblock is no slot header. */
	ck_assert_int_eq(disk_slot_header_decode(superblock_bytes, &header), -ENODATA);
	ck_assert_uint_eq(header.node_id, 99);

	ck_assert_int_eq(slot_with(8, 2), -EPROTONOSUPPORT);
	ck_assert_int_eq(slot_with(8, 0), -EPROTONOSUPPORT);
	ck_assert_int_eq(slot_with(12, 0), -EBADMSG);
	ck_assert_int_eq(slot_with(12, 1), 0);
	ck_assert_int_eq(slot_with(12, 3), -EBADMSG);
	ck_assert_int_eq(slot_with(36, 1), -EBADMSG);
	ck_assert_int_eq(slot_with(88, 1), -EBADMSG);
	ck_assert_int_eq(slot_with(507, 1), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disk_format");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, crc_vectors);
	tcase_add_test(all, header_golden);
	tcase_add_test(all, header_refused);
	tcase_add_test(all, superblock_golden);
	tcase_add_test(all, superblock_any_bit);
	tcase_add_test(all, superblock_fields);
	tcase_add_test(all, superblock_overlaps);
	tcase_add_test(all, slot_golden);
	tcase_add_test(all, slot_refused);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
