/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results taken out of the kernel's aio ring: each once, in order, over the ring's end, and no more than asked for. */
#define _GNU_SOURCE 1
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/aio_ring.h"

#define DEPTH 4
#define BLOCK_BYTES 512

static int file;
static io_context_t aio;
static uint8_t block[BLOCK_BYTES];
static struct iocb iocbs[DEPTH];

static void setup(void)
{
	const char *build = getenv("BUILD");
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/check_aio_ring.XXXXXX", build != NULL ? build : ".");
	file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(io_setup(DEPTH, &aio), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(io_destroy(aio), 0);
	close(file);
}

static void submit(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct iocb *iocb = &iocbs[i];

		io_prep_pwrite(iocb, file, block, i + 1, 0);
		iocb->data = &block[i];
		/* io_submit() would be the machine fixture's. */
		ck_assert_int_eq(syscall(SYS_io_submit, aio, 1, &iocb), 1);
	}
}

static unsigned harvest(struct io_event *events, unsigned most)
{
	int n = aio_harvest(aio, events, most);

	ck_assert_int_ge(n, 0);
	ck_assert_uint_le((unsigned)n, most);
	return (unsigned)n;
}

/* Buffered writes have ended when they are submitted, so their order is known. */
START_TEST(each_once_and_in_order)
{
	struct io_event events[DEPTH];

	ck_assert_uint_eq(harvest(events, DEPTH), 0);
	/* Rings have room for a page of events or so: this goes round several times, never full. */
	for (int turn = 0; turn < 4000; turn++) {
		submit(DEPTH);
		ck_assert_uint_eq(harvest(events, 3), 3);
		for (unsigned i = 0; i < 3; i++) {
			ck_assert_ptr_eq(events[i].data, &block[i]);
			ck_assert_uint_eq(events[i].res, i + 1);
		}
		ck_assert_uint_eq(harvest(events, DEPTH), 1);
		ck_assert_ptr_eq(events[0].data, &block[3]);
		ck_assert_ptr_eq(events[0].obj, &iocbs[3]);
		ck_assert_uint_eq(harvest(events, DEPTH), 0);
	}
}
END_TEST

/* The kernel sees what we have taken: it neither gives it again nor lacks room. */
START_TEST(the_kernel_agrees)
{
	struct io_event events[DEPTH];
	struct timespec no_wait = { 0 };

	submit(DEPTH);
	ck_assert_uint_eq(harvest(events, 3), 3);
	ck_assert_int_eq(io_getevents(aio, 0, DEPTH, events, &no_wait), 1);
	ck_assert_ptr_eq(events[0].data, &block[3]);
	submit(DEPTH);
	ck_assert_uint_eq(harvest(events, DEPTH), DEPTH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aio_ring");
	TCase *tests = tcase_create("aio_ring");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, each_once_and_in_order);
	tcase_add_test(tests, the_kernel_agrees);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
