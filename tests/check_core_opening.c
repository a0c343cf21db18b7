/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a log: what each kind of log device says, whose slots are merged, and a crash or an error at every step. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000
#define SLOT_OFFSET_BYTES 4096
#define SLOT_BYTES 8192

static struct harness h;

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	h.watch_quiet = true;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
}

static void teardown(void)
{
	ck_assert(!h.spun);
	harness_stop(&h);
}

static uint64_t sync_count(void)
{
	return harness_status(&h).sync_count;
}

static void reboot(void)
{
	h.config.boot_id[0]++;
	harness_restart(&h);
}

/* The node dies with region 5 held in slot 0, all others in sync. */
static void crash(void)
{
	harness_open(&h, LUID);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	reboot();
}

static void put_header(uint64_t nr_regions)
{
	struct disk_header header = { .nr_regions = nr_regions };

	disk_header_encode(&header, h.disk);
}

static struct disk_superblock superblock(void)
{
	struct disk_superblock found;

	ck_assert_int_eq(harness_superblock(&h, &found), 0);
	return found;
}

static void put_superblock(const struct disk_superblock *wanted)
{
	disk_superblock_encode(wanted, h.disk + DISK_SUPERBLOCK_OFFSET_BYTES);
}

static struct disk_slot_header slot(void)
{
	struct disk_slot_header found;

	ck_assert_int_eq(harness_slot(&h, 0, &found), 0);
	return found;
}

static void put_slot(const struct disk_slot_header *wanted)
{
	disk_slot_header_encode(wanted, h.disk + SLOT_OFFSET_BYTES);
}

/* ---- what a device says ---- */

static void kernel_log(void)
{
}

static void wrong_magic(void)
{
	crash();
	memset(h.disk, 0xff, 4);
}

static void wrong_magic_and_no_superblock(void)
{
	memset(h.disk, 0xff, 512);
}

static void kernel_log_of_32(void)
{
	put_header(32);
}

static void kernel_log_of_lvm(void)
{
	put_header(UINT64_MAX);
}

static void kernel_log_with_dirt(void)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 40);
}

static void closed_log(void)
{
	harness_open(&h, LUID);
	harness_destroy(&h, LUID);
	reboot();
}

static void closed_log_used_by_a_kernel(void)
{
	closed_log();
	h.disk[DISK_BITMAP_OFFSET_BYTES] = 0;
}

static void taken_over(void)
{
	crash();
	put_header(HARNESS_REGIONS);
}

static void left_in_use(void)
{
	crash();
}

static void empty_log(void)
{
	put_header(0);
}

static void header_0_but_closed(void)
{
	closed_log();
	put_header(0);
}

static void damaged_superblock(void)
{
	crash();
	h.disk[DISK_SUPERBLOCK_OFFSET_BYTES + 100] ^= 1;
}

static void region_size(enum disk_superblock_state state)
{
	struct disk_superblock other;

	crash();
	other = superblock();
	other.region_sectors *= 2;
	other.state = state;
	put_superblock(&other);
}

static void other_region_size_in_use(void)
{
	region_size(DISK_IN_USE);
}

static void other_region_size_closed(void)
{
	region_size(DISK_CLOSED);
	put_header(HARNESS_REGIONS);
}

static void damaged_slot(void)
{
	crash();
	h.disk[SLOT_OFFSET_BYTES + 100] ^= 1;
}

static void wiped_slot(void)
{
	crash();
	memset(h.disk + SLOT_OFFSET_BYTES, 0, SLOT_BYTES);
}

static void slot_of_another_generation(void)
{
	struct disk_slot_header other;

	crash();
	other = slot();
	other.generation--;
	put_slot(&other);
}

static void slot_of_another_log(void)
{
	struct disk_slot_header other;

	crash();
	other = slot();
	other.log_id[3]++;
	put_slot(&other);
}

static void free_slot(void)
{
	struct disk_slot_header other;

	crash();
	other = slot();
	other.state = DISK_SLOT_FREE;
	put_slot(&other);
}

static void slots_beyond_the_device(void)
{
	struct disk_superblock other;

	crash();
	other = superblock();
	other.slot_count = 8;
	put_superblock(&other);
}

static void slots_far_beyond_the_device(void)
{
	struct disk_superblock other;

	crash();
	other = superblock();
	other.slot_offset_bytes = UINT64_C(1) << 40;
	put_superblock(&other);
}

struct row {
	void (*prepare)(void);
	uint64_t sync_count;
	const char *origin;
};

static const struct row rows[] = {
	{ kernel_log, 64, "a log of the kernel" },
	{ wrong_magic, 0, "a device without a log" },
	{ wrong_magic_and_no_superblock, 0, "a device without a log" },
	{ kernel_log_of_32, 32, "a log of the kernel" },
	{ kernel_log_of_lvm, 64, "a log of the kernel" },
	{ kernel_log_with_dirt, 40, "a log of the kernel" },
	{ closed_log, 64, "a closed log" },
	{ closed_log_used_by_a_kernel, 56, "a closed log" },
	{ taken_over, 64, "a log that was taken over" },
	{ left_in_use, 63, "a log that was left in use" },
	{ empty_log, 0, "an empty log" },
	{ header_0_but_closed, 0, "an empty log" },
	{ damaged_superblock, 0, "an empty log" },
	{ other_region_size_in_use, 0, "a log with another region size" },
	{ other_region_size_closed, 0, "a log with another region size" },
	{ damaged_slot, 0, "a log that was left in use" },
	{ wiped_slot, 64, "a log that was left in use" },
	{ slot_of_another_generation, 64, "a log that was left in use" },
	{ slot_of_another_log, 64, "a log that was left in use" },
	{ free_slot, 64, "a log that was left in use" },
	{ slots_beyond_the_device, 0, "a log that was left in use" },
	{ slots_far_beyond_the_device, 0, "a log that was left in use" },
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

START_TEST(what_a_device_says)
{
	const struct row *row = &rows[_i];

	row->prepare();
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, NEW);
	ck_assert_uint_eq(h.events[EVENT_OPENED], 1);
	ck_assert_str_eq(h.last_text[EVENT_OPENED], row->origin);
	ck_assert_uint_eq(h.last_event[EVENT_OPENED].number, HARNESS_REGIONS - row->sync_count);
	ck_assert_uint_eq(sync_count(), row->sync_count);
	ck_assert_uint_eq(harness_status(&h).lost_count, 0);
	for (uint64_t r = 0, clean = 0; r < HARNESS_REGIONS; r++) {
		clean += harness_disk_clean(&h, r);
		ck_assert(r < HARNESS_REGIONS - 1 || clean == row->sync_count);
	}
	ck_assert_uint_eq(harness_header(&h), 0);
	ck_assert_int_eq(superblock().state, DISK_IN_USE);
	ck_assert_int_eq(slot().state, DISK_SLOT_USED);
	ck_assert_uint_eq(slot().generation, superblock().generation);
}
END_TEST

/* The device keeps its name; each Opening makes the slots of before void. */
START_TEST(id_and_generation)
{
	struct disk_superblock first;

	harness_open(&h, LUID);
	first = superblock();
	ck_assert_uint_eq(first.generation, 1);
	ck_assert_int_eq(first.id[0], 'r');
	first.id[0] = 'q';
	harness_destroy(&h, LUID);
	first.state = DISK_CLOSED;
	put_superblock(&first);
	harness_open(&h, NEW);
	ck_assert_uint_eq(superblock().generation, 2);
	ck_assert_int_eq(superblock().id[0], 'q');
}
END_TEST

/* ---- another number of regions ---- */

static void open_larger(void)
{
	(void)harness_ctr(&h, NEW, "131072 clustered-disk 254:0 1024");
	h.keep[EFFECT_OPEN_LEGS] = true;
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert(harness_answered(&h, h.seq, 0));
	ck_assert_uint_eq(superblock().region_count, 128);
}

START_TEST(grown)
{
	harness_open(&h, LUID);
	harness_destroy(&h, LUID);
	memset(h.disk + DISK_BITMAP_OFFSET_BYTES + 8, 0xff, 8);
	open_larger();
	ck_assert_uint_eq(sync_count(), 64);
	ck_assert(harness_base_bit(&h, 63) && !harness_base_bit(&h, 64));
}
END_TEST

START_TEST(grown_after_a_crash)
{
	crash();
	open_larger();
	ck_assert_uint_eq(sync_count(), 63);
	ck_assert(!harness_base_bit(&h, 5) && !harness_base_bit(&h, 64));
}
END_TEST

START_TEST(shrunk)
{
	harness_put_kernel_log(&h, 128, 128);
	harness_open(&h, LUID);
	ck_assert_uint_eq(sync_count(), 64);
	ck_assert(harness_base_bit(&h, 63) && !harness_base_bit(&h, 64));
	harness_destroy(&h, LUID);
	ck_assert_uint_eq(harness_header(&h), 64);
}
END_TEST

/* Not a whole number of bytes: no bit beyond the last region is believed or kept. */
START_TEST(bits_beyond_the_last_region)
{
	put_header(13);
	h.keep[EFFECT_OPEN_LEGS] = true;
	harness_open(&h, LUID);
	ck_assert_uint_eq(sync_count(), 13);
	ck_assert(harness_base_bit(&h, 12) && !harness_base_bit(&h, 13));
}
END_TEST

START_TEST(blocks_of_4096)
{
	h.block_bytes = 4096;
	crash();
	h.block_bytes = 4096;
	h.status[EFFECT_COPY] = -EIO;
	harness_open(&h, NEW);
	ck_assert_uint_eq(sync_count(), 63);
	harness_destroy(&h, NEW);
	ck_assert_uint_eq(harness_header(&h), 64);
	ck_assert(!harness_disk_clean(&h, 5) && harness_disk_clean(&h, 6));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_opening");
	TCase *tests = tcase_create("opening");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, what_a_device_says, 0, ROWS);
	tcase_add_test(tests, id_and_generation);
	tcase_add_test(tests, grown);
	tcase_add_test(tests, grown_after_a_crash);
	tcase_add_test(tests, shrunk);
	tcase_add_test(tests, bits_beyond_the_last_region);
	tcase_add_test(tests, blocks_of_4096);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
