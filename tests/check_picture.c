/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of a log's regions: nothing that is out of sync can hide, and what is drawn is complete. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/picture.h"

static uint8_t base[1 << 14], covered[1 << 14];
static struct log_image image = { .base = base, .covered = covered };
static struct picture picture;
static char *text;
static size_t text_bytes;

static void bit(uint8_t *bits, uint64_t number, bool set)
{
	uint8_t mask = (uint8_t)(1u << (number % 8));

	bits[number / 8] = (uint8_t)(set ? bits[number / 8] | mask : bits[number / 8] & ~mask);
}

static void regions(uint64_t count)
{
	memset(base, 0xff, sizeof(base));
	memset(covered, 0, sizeof(covered));
	image.region_count = image.valid_count = count;
}

static void print(unsigned int width, bool unicode, bool colours)
{
	struct picture_style style = { .width = width, .unicode = unicode, .colours = colours };
	FILE *out;

	free(text);
	out = open_memstream(&text, &text_bytes);
	ck_assert_ptr_nonnull(out);
	picture_print(&picture, &style, out);
	ck_assert_int_eq(fclose(out), 0);
}

START_TEST(test_a_region_a_character)
{
	regions(10);
	bit(base, 2, false);
	bit(covered, 9, true);
	ck_assert_int_eq(picture_make(&image, 100, &picture), 0);
	ck_assert_uint_eq(picture.cell_count, 10);
	print(80, false, false);
	ck_assert_str_eq(text, " 0 |..#......H|\na character is a region; "
			       ". clean  h H some, all held  1-7 # some, all out of sync\n");
	print(80, true, false);
	ck_assert_ptr_nonnull(strstr(text, " 0 |··█······▓|\n"));
	print(80, false, true);
	ck_assert_ptr_nonnull(
		strstr(text, "|\033[32m..\033[31m#\033[32m......\033[33mH\033[0m|\n"));
}
END_TEST

START_TEST(test_rows)
{
	regions(20);
	ck_assert_int_eq(picture_make(&image, 100, &picture), 0);
	print(13, false, false);
	ck_assert_uint_eq(picture_row_cells(20, 13), 8);
	ck_assert_ptr_nonnull(strstr(text, " 0 |........|\n 8 |........|\n16 |....|\n"));
	/* However narrow. */
	ck_assert_uint_eq(picture_row_cells(20, 0), 8);
	picture_free(&picture);
	regions(0);
	ck_assert_int_eq(picture_make(&image, 100, &picture), 0);
	print(80, false, false);
	ck_assert_uint_eq(text_bytes, 0);
}
END_TEST

/* Cells that look clean. */
static unsigned int dots(void)
{
	const char *end = strstr(text, "a character");
	unsigned int count = 0;

	for (const char *at = text; at < end; at++)
		count += *at == '.';
	return count;
}

/* One of many is seen, and all but one is not all. */
START_TEST(test_the_worst_is_seen)
{
	for (uint64_t bad = 0; bad < 1000; bad++) {
		regions(100000);
		bit(base, 100 * bad, false);
		ck_assert_int_eq(picture_make(&image, 1000, &picture), 0);
		ck_assert_uint_eq(picture.cell_regions, 100);
		ck_assert_uint_eq(picture.cells[bad].out_of_sync, 1);
		print(80, false, false);
		ck_assert_uint_eq(dots(), 999);
		picture_free(&picture);
	}
	regions(100000);
	for (uint64_t r = 0; r < 99; r++)
		bit(base, r, false);
	bit(covered, 99, true);
	bit(covered, 100, true);
	ck_assert_int_eq(picture_make(&image, 1000, &picture), 0);
	print(80, false, false);
	ck_assert_ptr_nonnull(strstr(text, "     0 |7h...."));
}
END_TEST

START_TEST(test_cells_hold_all_regions)
{
	for (uint64_t count = 1; count < 600; count++) {
		uint64_t sum = 0;

		regions(count);
		ck_assert_int_eq(picture_make(&image, 7, &picture), 0);
		ck_assert_uint_le(picture.cell_count, 7);
		for (uint64_t i = 0; i < picture.cell_count; i++) {
			ck_assert_uint_gt(picture.cells[i].regions, 0);
			sum += picture.cells[i].regions;
		}
		ck_assert_uint_eq(sum, count);
		picture_free(&picture);
	}
	regions(1);
	ck_assert_int_eq(picture_make(&image, 7, &picture), 0);
}
END_TEST

START_TEST(test_svg)
{
	FILE *out;

	regions(300);
	bit(base, 130, false);
	bit(covered, 299, true);
	ck_assert_int_eq(picture_make(&image, 1000, &picture), 0);
	free(text);
	out = open_memstream(&text, &text_bytes);
	picture_svg(&picture, "a<b> & \033[1m\xff", out);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_ptr_nonnull(strstr(text, ">a&lt;b> &amp; [1m</text>"));
	ck_assert_ptr_nonnull(strstr(text, "<title>regions 0 to 127: clean</title>"));
	ck_assert_ptr_nonnull(strstr(text, "<title>regions 130 to 130: out of sync</title>"));
	ck_assert_ptr_nonnull(strstr(text, "<title>regions 299 to 299: held</title>"));
	ck_assert_str_eq(text + text_bytes - 7, "</svg>\n");
}
END_TEST

static void teardown(void)
{
	picture_free(&picture);
	free(text);
	text = NULL;
}

int main(void)
{
	Suite *suite = suite_create("picture");
	TCase *tcase = tcase_create("picture");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, test_a_region_a_character);
	tcase_add_test(tcase, test_rows);
	tcase_add_test(tcase, test_the_worst_is_seen);
	tcase_add_test(tcase, test_cells_hold_all_regions);
	tcase_add_test(tcase, test_svg);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
