/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie on a log device: sizes of bitmaps, the exact device sizes, the granularity. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"

START_TEST(bitmap_sizes)
{
	ck_assert_uint_eq(disk_bitmap_bytes(1), 4);
	ck_assert_uint_eq(disk_bitmap_bytes(32), 4);
	ck_assert_uint_eq(disk_bitmap_bytes(33), 8);
	ck_assert_uint_eq(disk_bitmap_bytes(UINT64_C(1) << 32), UINT64_C(1) << 29);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(1, 0), 4096);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(32768, 0), 4096);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(32769, 0), 8192);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(65536, 1), 4096);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(65537, 1), 8192);
	ck_assert_uint_eq(disk_slot_bitmap_bytes(UINT64_C(1) << 32, 32), 4096);
}
END_TEST

/* Computes and checks against what is expected; for granularity < 0: too small, `number` needed. */
static void expect_layout(uint64_t region_count, uint32_t slot_count, uint64_t device_bytes,
			  int granularity, uint64_t number)
{
	struct disk_layout layout = { .slot_count = 99 };
	uint64_t needed_bytes = 99;
	int r = disk_layout_compute(region_count, slot_count, device_bytes, &layout, &needed_bytes);

	if (granularity < 0) {
		ck_assert_int_eq(r, -ENOSPC);
		ck_assert_uint_eq(needed_bytes, number);
		ck_assert_uint_eq(layout.slot_count, 99);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(needed_bytes, 99);
	ck_assert_uint_eq(layout.granularity, (unsigned int)granularity);
	ck_assert_uint_eq(layout.slot_bytes, number);
	ck_assert_uint_eq(layout.slot_count, slot_count);
	ck_assert_uint_eq(layout.slot_bits,
			  (region_count + (UINT64_C(1) << granularity) - 1) >> granularity);
	ck_assert_uint_eq(layout.slot_offset_bytes % 4096, 0);
	ck_assert_uint_ge(layout.slot_offset_bytes, 1024 + disk_bitmap_bytes(region_count));
	ck_assert_uint_lt(layout.slot_offset_bytes, 1024 + disk_bitmap_bytes(region_count) + 4096);
}

START_TEST(layout_small)
{
	/* One region: the exact size, and one byte less. */
	expect_layout(1, 32, 4096 + 32 * 8192, 0, 8192);
	expect_layout(1, 32, 4096 + 32 * 8192 - 1, -1, 4096 + 32 * 8192);
	expect_layout(1, 1, 4096 + 8192, 0, 8192);
	expect_layout(1, 1, 0, -1, 4096 + 8192);
	expect_layout(1, 256, 4096 + 256 * 8192, 0, 8192);
	/* The base bitmap fills its first block to the last byte, and goes beyond it. */
	expect_layout(24576, 1, 4096 + 8192, 0, 8192);
	expect_layout(24577, 1, 4096 + 8192, -1, 8192 + 8192);
	expect_layout(24577, 1, 8192 + 8192, 0, 8192);
}
END_TEST

START_TEST(layout_granularity)
{
	/* 65536 regions: base 8192 bytes, slots from 12288 on, two blocks of bitmap or one. */
	expect_layout(65536, 2, 12288 + 2 * 12288, 0, 12288);
	expect_layout(65536, 2, 12288 + 2 * 12288 - 1, 1, 8192);
	expect_layout(65536, 2, 12288 + 2 * 8192, 1, 8192);
	expect_layout(65536, 2, 12288 + 2 * 8192 - 1, -1, 12288 + 2 * 8192);
}
END_TEST

START_TEST(layout_16m_regions)
{
	const uint64_t regions = UINT64_C(1) << 24;
	const uint64_t offset_bytes = 4096 + 2097152;

	/* On a large device each region has its bit; 4 MiB, an extent of LVM, still do for 32. */
	expect_layout(regions, 32, UINT64_C(1) << 30, 0, 4096 + 2097152);
	expect_layout(regions, 32, offset_bytes + 32 * (4096 + 2097152), 0, 4096 + 2097152);
	expect_layout(regions, 32, offset_bytes + 32 * (4096 + 2097152) - 1, 1, 4096 + 1048576);
	expect_layout(regions, 32, 4194304, 6, 4096 + 32768);
	expect_layout(regions, 32, offset_bytes + 32 * 8192, 9, 8192);
	expect_layout(regions, 32, offset_bytes + 32 * 8192 - 1, -1, offset_bytes + 32 * 8192);
	expect_layout(regions, 32, 1048576, -1, offset_bytes + 32 * 8192);
	/* The most regions of all. */
	expect_layout(UINT64_C(1) << 32, 256, UINT64_C(1) << 40, 0, 4096 + (UINT64_C(1) << 29));
	expect_layout(UINT64_C(1) << 32, 1, 4096 + (UINT64_C(1) << 29) + 8192, 17, 8192);
}
END_TEST

/* What is computed stands in a superblock and comes out again. */
START_TEST(layout_of_superblock)
{
	struct disk_superblock superblock = { .cluster_name = "none",
					      .state = DISK_CLOSED,
					      .region_sectors = 8 };
	struct disk_superblock decoded;
	uint8_t block[DISK_SUPERBLOCK_BYTES];
	struct disk_layout layout, again;
	uint64_t needed_bytes;

	memset(&layout, 0, sizeof(layout));
	memset(&again, 0, sizeof(again));
	ck_assert_int_eq(disk_layout_compute(1000001, 7, 1000000, &layout, &needed_bytes), 0);
	ck_assert_uint_eq(layout.granularity, 1);
	superblock.region_count = 1000001;
	superblock.slot_offset_bytes = layout.slot_offset_bytes;
	superblock.slot_bytes = layout.slot_bytes;
	superblock.slot_count = layout.slot_count;
	superblock.granularity = layout.granularity;
	disk_superblock_encode(&superblock, block);
	ck_assert_int_eq(disk_superblock_decode(block, &decoded), 0);
	disk_layout_of(&decoded, &again);
	ck_assert_mem_eq(&again, &layout, sizeof(layout));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disk_layout");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, bitmap_sizes);
	tcase_add_test(all, layout_small);
	tcase_add_test(all, layout_granularity);
	tcase_add_test(all, layout_16m_regions);
	tcase_add_test(all, layout_of_superblock);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
