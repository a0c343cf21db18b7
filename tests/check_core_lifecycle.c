/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a table: every state against every event, several tables at once, and requests that are not its turn. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"

#define LUID 0x1000
#define NEW 0x2000
#define OTHER_DEVICE "65536 clustered-disk 254:1 1024"

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

static void keep_nothing(void)
{
	memset(h.keep, 0, sizeof(h.keep));
	harness_run(&h);
	harness_advance(&h, 10000);
}

/* ---- state x event ---- */

enum state { NEW_TABLE, READY, JOINING, LIVE, PRESUSPENDED, LEAVING };

/* What is seen of a table at once, and when all that was kept back has been done. */
struct cell {
	enum state state;
	enum request_type event;
	bool at_once;
	const char *phase; /* of the log, then */
	const char *end;   /* at the end; NULL: it is gone */
};

#define CTR REQUEST_CTR
#define RESUME REQUEST_RESUME
#define PRESUSPEND REQUEST_PRESUSPEND
#define POSTSUSPEND REQUEST_POSTSUSPEND
#define DTR REQUEST_DTR

static const struct cell cells[] = {
	{ NEW_TABLE, CTR, false, "closed", "closed" },
	{ NEW_TABLE, RESUME, false, "closed", "open" },
	{ NEW_TABLE, PRESUSPEND, true, "closed", "closed" },
	{ NEW_TABLE, POSTSUSPEND, true, "closed", "closed" },
	{ NEW_TABLE, DTR, false, "closed", NULL },
	{ READY, CTR, true, "closed", "closed" },
	{ READY, RESUME, false, "opening", "open" },
	{ READY, PRESUSPEND, true, "closed", "closed" },
	{ READY, POSTSUSPEND, true, "closed", "closed" },
	{ READY, DTR, true, NULL, NULL },
	{ JOINING, CTR, true, "opening", "open" },
	{ JOINING, RESUME, false, "opening", "open" },
	{ JOINING, PRESUSPEND, true, "opening", "open" },
	{ JOINING, POSTSUSPEND, false, "opening", "closed" },
	{ JOINING, DTR, false, "opening", NULL },
	{ LIVE, CTR, true, "open", "open" },
	{ LIVE, RESUME, true, "open", "open" },
	{ LIVE, PRESUSPEND, true, "open", "open" },
	{ LIVE, POSTSUSPEND, false, "closing", "closed" },
	{ LIVE, DTR, false, "closing", NULL },
	{ PRESUSPENDED, CTR, true, "open", "open" },
	{ PRESUSPENDED, RESUME, true, "open", "open" },
	{ PRESUSPENDED, PRESUSPEND, true, "open", "open" },
	{ PRESUSPENDED, POSTSUSPEND, false, "closing", "closed" },
	{ PRESUSPENDED, DTR, false, "closing", NULL },
	{ LEAVING, CTR, true, "closing", "closed" },
	{ LEAVING, RESUME, false, "closing", "open" },
	{ LEAVING, PRESUSPEND, true, "closing", "closed" },
	{ LEAVING, POSTSUSPEND, false, "closing", "closed" },
	{ LEAVING, DTR, false, "closing", NULL },
};

#define CELLS ((int)(sizeof(cells) / sizeof(cells[0])))

/* Brings LUID there; returns the seq of the request that still waits, or 0. */
static uint32_t bring(enum state state)
{
	uint32_t waits = 0;

	h.keep[EFFECT_OPEN_DEVICE] = state == NEW_TABLE;
	waits = harness_ctr(&h, LUID, HARNESS_DISK);
	if (state == NEW_TABLE)
		return waits;
	if (state == READY || state == JOINING)
		h.keep[EFFECT_READ] = true;
	if (state == READY)
		return 0;
	waits = harness_ask(&h, REQUEST_RESUME, LUID);
	if (state == JOINING)
		return waits;
	if (state != LIVE)
		(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	h.keep[EFFECT_CLOSE_LEGS] = true;
	return state == LEAVING ? harness_ask(&h, REQUEST_POSTSUSPEND, LUID) : 0;
}

static void check_phase(const char *phase, const struct cell *cell)
{
	struct core_log_status status;

	if (phase == NULL) {
		ck_assert_uint_eq(core_table_count(h.core), 0);
		ck_assert_uint_eq(harness_memory_count(&h), 0);
		return;
	}
	ck_assert_int_eq(core_log_status(h.core, 0, &status), 0);
	ck_assert_msg(strcmp(status.phase, phase) == 0, "state %d event %d: %s, not %s",
		      cell->state, cell->event, status.phase, phase);
	ck_assert_uint_eq(status.table_count, 1);
	/* Resumed is who has been told so. */
	ck_assert_uint_eq(status.resumed_count,
			  strcmp(phase, "open") == 0 || strcmp(phase, "closing") == 0);
}

START_TEST(every_state_and_event)
{
	const struct cell *cell = &cells[_i];
	uint32_t waits = bring(cell->state);
	uint32_t seq;

	ck_assert(waits == 0 || harness_answer(&h, waits) == NULL);
	seq = cell->event == CTR ? harness_ctr(&h, LUID, HARNESS_DISK) :
				   harness_ask(&h, cell->event, LUID);
	ck_assert_msg((harness_answer(&h, seq) != NULL) == cell->at_once, "state %d event %d",
		      cell->state, cell->event);
	check_phase(cell->phase, cell);
	keep_nothing();
	ck_assert(harness_answered(&h, seq, 0));
	ck_assert(waits == 0 || harness_answer(&h, waits) != NULL);
	check_phase(cell->end, cell);
	/* What was left open or wanted can still be ended. */
	if (cell->end != NULL)
		harness_destroy(&h, LUID);
	check_phase(NULL, cell);
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_DEVICE], h.effects[EFFECT_CLOSE_DEVICE]);
	ck_assert_uint_eq(h.effects[EFFECT_OPEN_LEGS], h.effects[EFFECT_CLOSE_LEGS]);
}
END_TEST

/* PRESUSPEND ends copying and a RESUME without POSTSUSPEND begins it again (an interrupted suspend, C16). */
START_TEST(resume_after_presuspend)
{
	harness_put_kernel_log(&h, HARNESS_REGIONS, 0);
	h.keep[EFFECT_COPY] = true;
	harness_open(&h, LUID);
	ck_assert_uint_gt(harness_job_count(&h, EFFECT_COPY), 0);
	(void)harness_ask(&h, REQUEST_PRESUSPEND, LUID);
	harness_finish_all(&h, EFFECT_COPY, 0);
	harness_advance(&h, 10000);
	ck_assert_uint_eq(harness_job_count(&h, EFFECT_COPY), 0);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	harness_advance(&h, 2000);
	ck_assert_uint_gt(harness_job_count(&h, EFFECT_COPY), 0);
}
END_TEST

/* ---- a reload: CTR(new), PRESUSPEND(old), POSTSUSPEND(old), RESUME(new), DTR(old) ---- */

START_TEST(reload)
{
	uint32_t resume;

	harness_open(&h, LUID);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	ck_assert_uint_eq(harness_number(&h, harness_ask(&h, REQUEST_GET_SYNC_COUNT, NEW)), 0);
	ck_assert_uint_eq(harness_number(&h, harness_ask(&h, REQUEST_GET_SYNC_COUNT, LUID)), 64);
	h.keep[EFFECT_CLOSE_LEGS] = true;
	harness_suspend(&h, LUID);
	resume = harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_ptr_null(harness_answer(&h, resume));
	ck_assert_uint_eq(harness_header(&h), 0);
	keep_nothing();
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], 0);
	ck_assert_uint_eq(harness_number(&h, harness_ask(&h, REQUEST_GET_SYNC_COUNT, NEW)), 64);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	ck_assert_uint_eq(core_table_count(h.core), 1);
	ck_assert_uint_eq(h.effects[EFFECT_CLOSE_DEVICE], 0);
	ck_assert(harness_answered(&h, harness_write(&h, NEW, 5), 0));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

/* C6: both stay resumed; the second one's kernel may not write. */
START_TEST(c6_second_luid_of_a_uuid)
{
	uint32_t resume, flush;

	harness_open(&h, LUID);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	resume = harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], 1);
	ck_assert_uint_eq(h.last_event[EVENT_CONFLICT].luid, NEW);
	flush = harness_write(&h, NEW, 5);
	ck_assert(harness_answered(&h, flush, -EIO));
	ck_assert_uint_eq(harness_number(&h, harness_ask_region(&h, REQUEST_IN_SYNC, NEW, 5)), 1);
	ck_assert_uint_eq(harness_status(&h).marked_count, 0);
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 6), 0));
	/* When both have been suspended, the second one may be resumed. */
	harness_suspend(&h, NEW);
	ck_assert(harness_answered(&h, h.seq, 0));
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_uint_eq(h.events[EVENT_CONFLICT], 1);
	ck_assert(harness_answered(&h, harness_write(&h, NEW, 5), 0));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

/* Two mirrors, one log device: the second RESUME is told so once the first one is live, and not left waiting. */
START_TEST(rival_that_is_opening)
{
	uint32_t resume;

	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	h.uuid = "other";
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	h.uuid = HARNESS_UUID;
	h.keep[EFFECT_READ] = true;
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	h.uuid = "other";
	resume = harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert_ptr_null(harness_answer(&h, resume));
	keep_nothing();
	ck_assert(harness_answered(&h, resume, 0));
	harness_destroy(&h, NEW);
	h.uuid = HARNESS_UUID;
	harness_destroy(&h, LUID);
	ck_assert_uint_eq(harness_memory_count(&h), 0);
}
END_TEST

/* ---- a luid that comes again: its old table is gone ---- */

START_TEST(luid_again_while_its_join_is_under_way)
{
	h.keep_messages = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	(void)harness_ctr(&h, LUID, OTHER_DEVICE);
	while (harness_deliver_next(&h))
		;
	ck_assert_uint_eq(core_table_count(h.core), 1);
}
END_TEST

START_TEST(luid_again_while_opening)
{
	h.keep[EFFECT_READ] = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	(void)harness_ctr(&h, LUID, OTHER_DEVICE);
	keep_nothing();
	ck_assert_uint_eq(core_table_count(h.core), 1);
	ck_assert_uint_eq(harness_memory_count(&h), 1);
}
END_TEST

START_TEST(luid_again_while_live)
{
	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 5);
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, OTHER_DEVICE), 0));
	ck_assert_uint_eq(core_table_count(h.core), 1);
	ck_assert_uint_eq(harness_header(&h), HARNESS_REGIONS);
}
END_TEST

/* ---- CTR ---- */

START_TEST(ctr_refused)
{
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, "nonsense"), -EINVAL));
	h.status[EFFECT_OPEN_DEVICE] = -ENXIO;
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), -ENXIO));
	h.status[EFFECT_OPEN_DEVICE] = 0;
	h.block_bytes = 8192;
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), -ENOTSUP));
	h.block_bytes = 512;
	h.disk_bytes = 8192;
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), -ENOSPC));
	ck_assert_ptr_nonnull(strstr(h.last_text[EVENT_CTR_REFUSED], "8192 bytes"));
	ck_assert_uint_eq(h.events[EVENT_CTR_REFUSED], 4);
	ck_assert_uint_eq(core_table_count(h.core), 0);
	ck_assert_uint_eq(harness_memory_count(&h), 0);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_STATUS_INFO, LUID), -ESRCH));
}
END_TEST

START_TEST(more_tables_than_there_can_be)
{
	for (uint64_t luid = 1; luid <= CORE_TABLES_MAX; luid++)
		ck_assert(harness_answered(&h, harness_ctr(&h, luid, HARNESS_CORE), 0));
	ck_assert(harness_answered(&h, harness_ctr(&h, 5000, HARNESS_CORE), -ENOSPC));
	(void)harness_ask(&h, REQUEST_DTR, 7);
	ck_assert(harness_answered(&h, harness_ctr(&h, 5000, HARNESS_CORE), 0));
	ck_assert_uint_eq(core_table_count(h.core), CORE_TABLES_MAX);
}
END_TEST

START_TEST(ctr_without_memory)
{
	struct request request = { .type = REQUEST_CTR, .luid = LUID, .seq = 7 };
	struct input input = { .type = INPUT_REQUEST, .request = { .request = &request } };

	strcpy(request.uuid, HARNESS_UUID);
	strcpy(request.constructor, HARNESS_DISK);
	harness_input(&h, &input);
	ck_assert(harness_answered(&h, 7, -ENOMEM));
	ck_assert_uint_eq(core_table_count(h.core), 0);
}
END_TEST

START_TEST(ctr_again_while_the_device_closes)
{
	uint32_t seq;

	h.disk_bytes = 8192;
	h.keep[EFFECT_CLOSE_DEVICE] = true;
	ck_assert(harness_answered(&h, harness_ctr(&h, LUID, HARNESS_DISK), -ENOSPC));
	h.disk_bytes = 65536;
	seq = harness_ctr(&h, LUID, HARNESS_DISK);
	harness_finish_all(&h, EFFECT_CLOSE_DEVICE, 0);
	harness_advance(&h, 5000);
	ck_assert_ptr_nonnull(harness_answer(&h, seq));
}
END_TEST

/* The log device is closed before DTR is answered: LVM removes it then. */
START_TEST(dtr_waits_for_the_log_device)
{
	uint32_t dtr;

	harness_open(&h, LUID);
	harness_suspend(&h, LUID);
	h.keep[EFFECT_CLOSE_DEVICE] = true;
	dtr = harness_ask(&h, REQUEST_DTR, LUID);
	ck_assert_ptr_null(harness_answer(&h, dtr));
	harness_finish(&h, harness_job(&h, EFFECT_CLOSE_DEVICE), 0);
	ck_assert(harness_answered(&h, dtr, 0));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_STATUS_INFO, LUID), -ESRCH));
}
END_TEST

/* ---- MARK, FLUSH, CLEAR of a table that is not live ---- */

/* Before the first RESUME they wait for it, and come again then. */
START_TEST(io_before_resume)
{
	uint32_t mark, resume;

	h.resend = true;
	(void)harness_ctr(&h, LUID, HARNESS_DISK);
	mark = harness_ask_region(&h, REQUEST_MARK, LUID, 5);
	ck_assert_ptr_null(harness_answer(&h, mark));
	resume = harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert(harness_answered(&h, resume, 0));
	ck_assert(harness_answered(&h, mark, 0));
	ck_assert_uint_eq(harness_status(&h).marked_count, 1);
}
END_TEST

START_TEST(io_of_a_suspended_table)
{
	harness_open(&h, LUID);
	harness_suspend(&h, LUID);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_CLEAR, LUID, 5), 0));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_MARK, LUID, 5), 0));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), -EIO));
	ck_assert_uint_eq(harness_status(&h).marked_count, 0);
	(void)harness_ask(&h, REQUEST_RESUME, LUID);
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_FLUSH, LUID), 0));
	ck_assert(harness_answered(&h, harness_write(&h, LUID, 5), 0));
	ck_assert(!harness_disk_clean(&h, 5));
}
END_TEST

/* What the old table's kernel thread still says does not count against the new one. */
START_TEST(io_of_the_old_table)
{
	uint32_t flush;

	harness_open(&h, LUID);
	(void)harness_write(&h, LUID, 5);
	(void)harness_ctr(&h, NEW, HARNESS_DISK);
	harness_suspend(&h, LUID);
	(void)harness_ask(&h, REQUEST_RESUME, NEW);
	ck_assert(harness_answered(&h, harness_write(&h, NEW, 5), 0));
	h.keep[EFFECT_WRITE] = true;
	(void)harness_write(&h, NEW, 6);
	flush = harness_ask(&h, REQUEST_FLUSH, LUID);
	ck_assert(harness_answered(&h, flush, 0));
	keep_nothing();
	ck_assert(harness_answered(&h, harness_ask_region(&h, REQUEST_CLEAR, LUID, 5), 0));
	ck_assert(harness_answered(&h, harness_ask(&h, REQUEST_DTR, LUID), 0));
	harness_advance(&h, 60000);
	ck_assert(!harness_disk_clean(&h, 5) && !harness_disk_clean(&h, 6));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_lifecycle");
	TCase *tests = tcase_create("lifecycle");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, every_state_and_event, 0, CELLS);
	tcase_add_test(tests, resume_after_presuspend);
	tcase_add_test(tests, reload);
	tcase_add_test(tests, c6_second_luid_of_a_uuid);
	tcase_add_test(tests, rival_that_is_opening);
	tcase_add_test(tests, luid_again_while_its_join_is_under_way);
	tcase_add_test(tests, luid_again_while_opening);
	tcase_add_test(tests, luid_again_while_live);
	tcase_add_test(tests, ctr_refused);
	tcase_add_test(tests, more_tables_than_there_can_be);
	tcase_add_test(tests, ctr_without_memory);
	tcase_add_test(tests, ctr_again_while_the_device_closes);
	tcase_add_test(tests, dtr_waits_for_the_log_device);
	tcase_add_test(tests, io_before_resume);
	tcase_add_test(tests, io_of_a_suspended_table);
	tcase_add_test(tests, io_of_the_old_table);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
