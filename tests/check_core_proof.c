/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What proves that a node is stopped, what does not, and who may take part. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core_private.h"
#include "group_harness.h"

#define CORE_LOG HARNESS_CORE " nosync"
#define DELAY_MS 60000
#define ALL 7

static struct world w;

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	world_start(&w, 3);
}

static void teardown(void)
{
	world_stop(&w);
}

static const uint8_t *boot_of(uint32_t id)
{
	return world_node(&w, id)->config.boot_id;
}

/* Members 1 and 2 of a core log; 2 goes, and nobody knows whether it still writes. */
static void two_members(void)
{
	world_connect(&w, ALL);
	(void)world_resume(&w, 1, CORE_LOG);
	(void)world_resume(&w, 2, CORE_LOG);
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 7), 0));
}

static bool unproven(uint32_t id)
{
	const struct member *member = world_member(&w, 1, id);

	return member != NULL && member->departed;
}

/* G8: a report about a node that is in the cluster speaks of an earlier boot. */
START_TEST(g8_fenced_while_in_the_cluster)
{
	two_members();
	world_forget_sent(&w);
	world_fenced(&w, 1, 2);
	world_disconnect(&w, 2);
	ck_assert(unproven(2));
	world_fenced(&w, 1, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	ck_assert(unproven(2));
	world_power_off(&w, 2);
	ck_assert(unproven(2));
	world_fenced(&w, 1, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 1);
	ck_assert_mem_eq(w.last[MESSAGE_STOPPED].boot_id, boot_of(2), MESSAGE_ID_BYTES);
	ck_assert(!unproven(2));
}
END_TEST

/* Nor does it count on a side that has no quorum. */
START_TEST(fenced_without_quorum)
{
	two_members();
	world_split(&w, 1);
	world_forget_sent(&w);
	world_fenced(&w, 1, 2);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
}
END_TEST

/* H9: nobody has heard of it yet: the report is about every boot of it until one says hello. */
START_TEST(h9_fenced_before_anybody_has_seen_it)
{
	static const uint8_t other[MESSAGE_ID_BYTES] = { 'x' };

	world_connect(&w, 3);
	world_power_off(&w, 3);
	world_fenced(&w, 1, 3);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 1);
	ck_assert(proof_is_stopped(world_node(&w, 2)->core, 3, other));
	world_power_on(&w, 3);
	world_connect(&w, 4);
	ck_assert_uint_eq(world_node(&w, 3)->events[EVENT_REFUSED], 0);
	ck_assert(world_active(&w, 3));
	ck_assert(!proof_is_stopped(world_node(&w, 2)->core, 3, boot_of(3)));
}
END_TEST

/* The report is on its way while the node comes back: it is here, whoever said that it was stopped. */
START_TEST(stopped_that_comes_too_late)
{
	struct group_message stopped = { .type = MESSAGE_STOPPED, .sender = 1, .node = 2 };

	two_members();
	memcpy(stopped.boot_id, boot_of(2), MESSAGE_ID_BYTES);
	world_send(&w, &stopped);
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 1, 2), "current");
	world_disconnect(&w, 2);
	world_connect(&w, 2);
	ck_assert_uint_eq(world_node(&w, 2)->events[EVENT_REFUSED], 0);
	ck_assert(world_active(&w, 2));
}
END_TEST

/* The same of a node that nobody had heard of: it is about no boot that has said hello since. */
START_TEST(stopped_of_any_boot_that_comes_too_late)
{
	struct group_message stopped = { .type = MESSAGE_STOPPED, .sender = 1, .node = 2 };

	two_members();
	world_send(&w, &stopped);
	world_run(&w);
	ck_assert_str_eq(world_state(&w, 1, 2), "current");
	world_disconnect(&w, 2);
	world_send(&w, &stopped);
	world_run(&w);
	ck_assert(unproven(2));
	world_connect(&w, 2);
	ck_assert_uint_eq(world_node(&w, 2)->events[EVENT_REFUSED], 0);
	ck_assert(world_active(&w, 2));
}
END_TEST

/* It was partitioned, declared stopped, and shows up again: it may not write, and does not count. */
START_TEST(refused_boot_id)
{
	uint32_t flush;

	two_members();
	world_split(&w, 2);
	flush = world_write(&w, 2, 9);
	world_fenced(&w, 3, 2);
	ck_assert(!unproven(2));
	world_split(&w, 0);
	ck_assert_uint_eq(world_node(&w, 2)->events[EVENT_REFUSED], 1);
	ck_assert(!world_active(&w, 2) && world_active(&w, 1) && world_active(&w, 3));
	ck_assert_str_eq(world_state(&w, 1, 2), "lacking");
	world_advance(&w, 1000);
	ck_assert(world_answered(&w, 2, flush, -EIO));
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 10), -EIO));
	ck_assert(world_answered(&w, 1, world_write(&w, 1, 11), 0));
	/* Another boot of it is welcome. */
	world_power_off(&w, 2);
	world_power_on(&w, 2);
	world_connect(&w, 2);
	ck_assert_str_eq(world_state(&w, 1, 2), "current");
	ck_assert(world_active(&w, 2));
}
END_TEST

static void start_with_delay(void)
{
	world_stop(&w);
	memset(&w, 0, sizeof(w));
	for (uint32_t i = 0; i < 3; i++)
		w.node[i].h.config.takeover_delay_ms = DELAY_MS;
	world_start(&w, 3);
	two_members();
	world_forget_sent(&w);
}

/* G5: since the node left the cluster, never since its daemon went. */
START_TEST(g5_takeover_delay)
{
	start_with_delay();
	world_disconnect(&w, 2);
	world_advance(&w, 10 * DELAY_MS);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	ck_assert(unproven(2));
	world_power_off(&w, 2);
	world_advance(&w, DELAY_MS - 1000);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	ck_assert(unproven(2));
	world_advance(&w, 2000);
	ck_assert_uint_ge(world_all_sent(&w, MESSAGE_STOPPED), 1);
	ck_assert(!unproven(2));
	world_forget_sent(&w);
	world_advance(&w, 10 * DELAY_MS);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
}
END_TEST

/* It comes back into the cluster, and goes again: the time begins anew. */
START_TEST(takeover_delay_begins_anew)
{
	start_with_delay();
	world_power_off(&w, 2);
	world_advance(&w, DELAY_MS - 1000);
	w.node[1].part = 1; /* the same boot: it was out of reach only */
	world_tell_quorum(&w, false);
	w.node[1].part = 0;
	world_tell_quorum(&w, false);
	world_run(&w);
	world_advance(&w, DELAY_MS - 1000);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	world_advance(&w, 2000);
	ck_assert_uint_ge(world_all_sent(&w, MESSAGE_STOPPED), 1);
}
END_TEST

/* Each boot of it has its own time. */
START_TEST(takeover_delay_of_the_next_boot)
{
	start_with_delay();
	world_power_off(&w, 2);
	world_advance(&w, DELAY_MS + 1000);
	world_power_on(&w, 2);
	world_connect(&w, 2);
	ck_assert(world_active(&w, 2));
	world_forget_sent(&w);
	world_power_off(&w, 2);
	world_advance(&w, DELAY_MS - 1000);
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	world_advance(&w, 2000);
	ck_assert_uint_ge(world_all_sent(&w, MESSAGE_STOPPED), 1);
	ck_assert_mem_eq(w.last[MESSAGE_STOPPED].boot_id, boot_of(2), MESSAGE_ID_BYTES);
}
END_TEST

/* Without quorum the time does not run: with it, it begins. */
START_TEST(takeover_delay_without_quorum)
{
	start_with_delay();
	world_split(&w, 1);
	world_advance(&w, 10 * DELAY_MS);
	ck_assert_uint_eq(world_sent(&w, 1, MESSAGE_STOPPED), 0);
	ck_assert_uint_gt(world_all_sent(&w, MESSAGE_STOPPED), 0);
}
END_TEST

/* F6: a node that runs cannot run its earlier boot as well. */
START_TEST(f6_hello_of_another_boot)
{
	two_members();
	world_forget_sent(&w);
	world_power_off(&w, 2);
	ck_assert(unproven(2));
	world_power_on(&w, 2);
	ck_assert(unproven(2));
	world_connect(&w, 2);
	ck_assert_ptr_null(world_member(&w, 1, 2));
	ck_assert_uint_eq(world_all_sent(&w, MESSAGE_STOPPED), 0);
	ck_assert(world_same(&w, ALL));
	/* What it held is out of sync now. */
	ck_assert_uint_eq(harness_status(world_node(&w, 1)).lost_count +
				  harness_status(world_node(&w, 1)).regions_copied,
			  1);
}
END_TEST

/* The same boot: its daemon alone was restarted, and its kernel writes on. */
START_TEST(hello_of_the_same_boot_proves_nothing)
{
	two_members();
	world_node(&w, 2)->keep[EFFECT_PROVOKE] = true;
	world_restart_daemon(&w, 2);
	ck_assert(unproven(2));
	harness_predecessor(world_node(&w, 2), HARNESS_UUID);
	world_connect(&w, 2);
	world_advance(&w, 10000);
	ck_assert(unproven(2));
}
END_TEST

/* ---- versions ---- */

static struct harness alone;

/* Who does not speak the group's version stays out. */
START_TEST(other_version)
{
	struct group_message hello = harness_hello(2);
	struct group_message join = harness_message(MESSAGE_JOIN, 2);
	uint64_t before;

	memset(&alone, 0, sizeof(alone));
	harness_start(&alone);
	harness_open(&alone, WORLD_LUID);
	harness_input(&alone, &(struct input){ .type = INPUT_VIEW,
					       .view = { .members = (const uint32_t[]){ 1, 2 },
							 .member_count = 2 } });
	hello.version_lowest = MESSAGE_VERSION_HIGHEST + 1;
	hello.version_highest = MESSAGE_VERSION_HIGHEST + 4;
	hello.mask = alone.hello.mask;
	harness_deliver(&alone, &hello);
	before = core_group_hash(alone.core);
	ck_assert_uint_ne(before, 0);
	harness_deliver(&alone, &join);
	ck_assert_uint_eq(core_group_hash(alone.core), before);
	ck_assert(harness_answered(&alone, harness_write(&alone, WORLD_LUID, 3), 0));
	harness_stop(&alone);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_proof");
	TCase *tests = tcase_create("proof");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, g8_fenced_while_in_the_cluster);
	tcase_add_test(tests, fenced_without_quorum);
	tcase_add_test(tests, h9_fenced_before_anybody_has_seen_it);
	tcase_add_test(tests, stopped_that_comes_too_late);
	tcase_add_test(tests, stopped_of_any_boot_that_comes_too_late);
	tcase_add_test(tests, refused_boot_id);
	tcase_add_test(tests, g5_takeover_delay);
	tcase_add_test(tests, takeover_delay_begins_anew);
	tcase_add_test(tests, takeover_delay_of_the_next_boot);
	tcase_add_test(tests, takeover_delay_without_quorum);
	tcase_add_test(tests, f6_hello_of_another_boot);
	tcase_add_test(tests, hello_of_the_same_boot_proves_nothing);
	tcase_add_test(tests, other_version);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
