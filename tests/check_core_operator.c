/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator: the pace of copying on all nodes, what is told of the group and of a log's members, and who waits for whom. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_status.h"
#include "daemon/core/core_private.h"
#include "group_fixture.h"

#define MIB (1024 * 1024)

static void control(uint32_t by, bool paused, uint64_t bytes_per_second)
{
	struct input input = { .type = INPUT_CONTROL,
			       .control = { .uuid = HARNESS_UUID,
					    .paused = paused,
					    .bytes_per_second = bytes_per_second } };

	harness_input(h(by), &input);
	world_run(&w);
}

static uint64_t out_of_sync(uint32_t id)
{
	struct core_log_status status = harness_status(h(id));

	return status.region_count - status.sync_count;
}

/* What node `id` says of its log: the first wait for that reason, or NULL. */
static const struct core_wait *wait_for(uint32_t id, enum core_wait_reason reason)
{
	static struct core_wait waits[CORE_WAITS_MAX];
	uint32_t count = core_log_waits(h(id)->core, 0, waits);

	for (uint32_t i = 0; i < count; i++)
		if (waits[i].reason == reason)
			return &waits[i];
	return NULL;
}

static uint32_t wait_count(uint32_t id)
{
	struct core_wait waits[CORE_WAITS_MAX];

	return core_log_waits(h(id)->core, 0, waits);
}

/* ---- the pace ---- */

START_TEST(pause_on_all_nodes)
{
	struct core_log_status status;

	three_members();
	control(2, true, 0);
	for (uint32_t id = 1; id <= 3; id++)
		open_legs(id);
	world_advance(&w, 10000);
	ck_assert_uint_eq(out_of_sync(1), 24);
	status = harness_status(h(1));
	ck_assert(status.paused && !status.control_rate);
	ck_assert_ptr_nonnull(wait_for(1, CORE_WAIT_PAUSED));
	control(3, false, 0);
	world_advance(&w, 10000);
	ck_assert_uint_eq(out_of_sync(1), 0);
	ck_assert(!harness_status(h(2)).paused);
	ck_assert_ptr_null(wait_for(1, CORE_WAIT_PAUSED));
}
END_TEST

/* What is under way ends; nothing new begins, and the windows are given back. */
START_TEST(pause_while_copying)
{
	uint32_t flying;

	three_members();
	h(1)->keep[EFFECT_COPY] = true;
	open_legs(1);
	flying = harness_job_count(h(1), EFFECT_COPY);
	ck_assert_uint_gt(flying, 0);
	control(1, true, 0);
	harness_finish_all(h(1), EFFECT_COPY, 0);
	world_run(&w);
	ck_assert_uint_eq(harness_job_count(h(1), EFFECT_COPY), 0);
	ck_assert_uint_eq(h(1)->core->logs[0]->replicated.windows_used, 0);
	ck_assert_uint_eq(out_of_sync(2), 24 - flying);
	/* So another node's write waits for nobody. */
	ck_assert(world_answered(&w, 2, world_write(&w, 2, 63), 0));
}
END_TEST

/* Whoever touches a region has it copied, paused or not. */
START_TEST(touched_while_paused)
{
	uint32_t seq;

	three_members();
	control(1, true, 0);
	open_legs(1);
	seq = harness_ask_region(h(1), REQUEST_IN_SYNC, WORLD_LUID + 1, 50);
	world_run(&w);
	ck_assert(harness_answered(h(1), seq, 0));
	ck_assert_uint_eq(out_of_sync(1), 23);
	ck_assert(!bitmap_test(&h(1)->core->logs[0]->replicated.out, 50));
}
END_TEST

/* Two regions of 512 KiB a second on each node that copies. */
START_TEST(rate_of_the_operator)
{
	struct core_log_status status;

	three_members();
	control(1, false, MIB);
	open_legs(1);
	world_advance(&w, 5000);
	ck_assert_uint_ge(24 - out_of_sync(1), 9);
	ck_assert_uint_le(24 - out_of_sync(1), 12);
	status = harness_status(h(1));
	ck_assert(status.control_rate);
	ck_assert_uint_eq(status.bytes_per_second, MIB);
	/* The rest of a long pause does not count at the new pace. */
	control(1, false, 1);
	world_advance(&w, 1000);
	control(2, false, CORE_RATE_UNLIMITED);
	world_advance(&w, 1000);
	ck_assert_uint_eq(out_of_sync(1), 0);
	ck_assert_uint_eq(harness_status(h(1)).bytes_per_second, 0);
	ck_assert(harness_status(h(1)).control_rate);
}
END_TEST

/* 0 is what each node was started with. */
START_TEST(default_rate)
{
	three_members();
	h(1)->core->config.resync_bytes_per_second = MIB;
	control(1, true, MIB / 2);
	control(1, false, 0);
	ck_assert_uint_eq(harness_status(h(1)).bytes_per_second, MIB);
	ck_assert_uint_eq(harness_status(h(2)).bytes_per_second, 0);
	ck_assert(!harness_status(h(1)).control_rate);
}
END_TEST

/* ---- ending waits ---- */

/* The report that was under way when its wait was ended does not stand in the way of the next one. */
START_TEST(fail_and_the_next_report)
{
	struct input fail = { .type = INPUT_FAIL, .fail_uuid = HARNESS_UUID };
	uint32_t first, second;

	three_members();
	world_hold(&w, 1, true);
	first = harness_ask_region(h(1), REQUEST_SET_REGION_SYNC, WORLD_LUID + 1, 4);
	ck_assert_ptr_null(harness_answer(h(1), first));
	harness_input(h(1), &fail);
	ck_assert(harness_answered(h(1), first, 0));
	second = harness_ask_region(h(1), REQUEST_SET_REGION_SYNC, WORLD_LUID + 1, 5);
	ck_assert_ptr_null(harness_answer(h(1), second));
	world_hold(&w, 1, false);
	world_run(&w);
	ck_assert(harness_answered(h(1), second, 0));
	ck_assert(lost_everywhere(4) && lost_everywhere(5));
}
END_TEST

/* ---- the group and the members ---- */

static const struct core_node_status *node_of(const struct core_group_status *status,
					      uint32_t node_id)
{
	for (uint32_t i = 0; i < status->node_count; i++)
		if (status->nodes[i].node_id == node_id)
			return &status->nodes[i];
	return NULL;
}

START_TEST(group_status)
{
	struct core_group_status status;

	core_group_status(h(1)->core, &status);
	ck_assert_uint_eq(status.node_id, 1);
	ck_assert(status.in_group && status.quorate && status.has_state && status.active);
	ck_assert_uint_eq(status.node_count, 3);
	ck_assert_mem_eq(node_of(&status, 2)->boot_id, h(2)->config.boot_id, MESSAGE_ID_BYTES);
	ck_assert(node_of(&status, 2)->in_group && node_of(&status, 2)->in_cluster);
	world_disconnect(&w, 2);
	world_power_off(&w, 3);
	core_group_status(h(1)->core, &status);
	ck_assert(!node_of(&status, 2)->in_group && node_of(&status, 2)->in_cluster);
	ck_assert(!node_of(&status, 3)->in_group && !node_of(&status, 3)->in_cluster);
	ck_assert(!node_of(&status, 3)->stopped);
	world_fenced(&w, 1, 3);
	core_group_status(h(1)->core, &status);
	ck_assert(node_of(&status, 3)->stopped);
	core_group_status(h(2)->core, &status);
	ck_assert(!status.in_group && !status.active);
}
END_TEST

START_TEST(members_of_a_log)
{
	struct core_member_status members[CORE_NODES_MAX];

	three_members();
	ck_assert_uint_eq(core_log_members(h(2)->core, 0, members), 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(members[i].node_id, i + 1);
		ck_assert_int_eq(members[i].state, CORE_MEMBER_RESUMED);
		ck_assert(members[i].has_state);
		ck_assert_uint_eq(members[i].slot, i);
		ck_assert(members[i].disk_role == (i == 0));
	}
	control(1, true, 0);
	open_legs(2);
	(void)world_suspend(&w, 2);
	world_power_off(&w, 3);
	ck_assert_uint_eq(core_log_members(h(1)->core, 0, members), 3);
	ck_assert_int_eq(members[1].state, CORE_MEMBER_FOLLOWS);
	ck_assert_uint_eq(members[1].slot, CORE_NO_SLOT);
	ck_assert_int_eq(members[2].state, CORE_MEMBER_DEPARTED);
	ck_assert_uint_eq(core_log_members(h(1)->core, 1, members), 0);
}
END_TEST

/* ---- fencing ---- */

START_TEST(what_a_report_counts_for)
{
	static const uint8_t any[MESSAGE_ID_BYTES];
	uint8_t boot_id[MESSAGE_ID_BYTES];

	ck_assert_int_eq(core_fenced_counts(h(1)->core, 1, boot_id), -EINVAL);
	ck_assert_int_eq(core_fenced_counts(h(1)->core, 2, boot_id), -EBUSY);
	world_disconnect(&w, 2);
	ck_assert_int_eq(core_fenced_counts(h(1)->core, 2, boot_id), -EBUSY);
	ck_assert_int_eq(core_fenced_counts(h(2)->core, 3, boot_id), -ENOTCONN);
	world_power_off(&w, 2);
	ck_assert_int_eq(core_fenced_counts(h(1)->core, 2, boot_id), 0);
	ck_assert_mem_eq(boot_id, h(2)->config.boot_id, MESSAGE_ID_BYTES);
	ck_assert_int_eq(core_fenced_counts(h(1)->core, 77, boot_id), 0);
	ck_assert_mem_eq(boot_id, any, MESSAGE_ID_BYTES);
	memcpy(h(1)->core->config.cluster_name, "none", 5);
	ck_assert_int_eq(core_fenced_counts(h(1)->core, 77, boot_id), -ENOTSUP);
}
END_TEST

/* ---- who waits for whom ---- */

START_TEST(nobody_waits)
{
	three_members();
	ck_assert_uint_eq(wait_count(1), 0);
	ck_assert_uint_eq(core_log_waits(h(1)->core, 1, NULL), 0);
}
END_TEST

/* Copying waits for proof; a RESUME that opens does, too. */
START_TEST(waits_for_proof)
{
	const struct core_wait *wait;

	three_members();
	world_power_off(&w, 3);
	wait = wait_for(1, CORE_WAIT_PROOF);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->request, 0);
	ck_assert_uint_eq(wait->node_id, 3);
	ck_assert_mem_eq(wait->boot_id, h(3)->config.boot_id, MESSAGE_ID_BYTES);
	world_fenced(&w, 1, 3);
	ck_assert_ptr_null(wait_for(1, CORE_WAIT_PROOF));
}
END_TEST

START_TEST(resume_waits_for_proof)
{
	const struct core_wait *wait;
	const uint8_t *boot = h(3)->config.boot_id;
	char told[64];
	uint32_t seq;

	open_on(3);
	world_power_off(&w, 3);
	seq = world_resume(&w, 1, HARNESS_DISK);
	ck_assert(world_waits(&w, 1, seq));
	world_advance(&w, 2000);
	wait = wait_for(1, CORE_WAIT_PROOF);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->request, REQUEST_RESUME);
	ck_assert_uint_eq(wait->luid, WORLD_LUID + 1);
	ck_assert_uint_eq(h(1)->now_ms - wait->since_ms, 2000);
	ck_assert_uint_eq(wait->node_id, 3);
	ck_assert_mem_eq(wait->boot_id, h(3)->config.boot_id, MESSAGE_ID_BYTES);
	/* So does the journal. */
	(void)snprintf(told, sizeof(told), "node 3 (boot %02x%02x%02x%02x", boot[0], boot[1],
		       boot[2], boot[3]);
	ck_assert_ptr_nonnull(strstr(h(1)->last_text[EVENT_WAITING_FOR_SLOT], told));
	world_fenced(&w, 1, 3);
	ck_assert(world_answered(&w, 1, seq, 0));
	ck_assert_uint_eq(wait_count(1), 0);
}
END_TEST

START_TEST(flush_waits_for_quorum)
{
	const struct core_wait *wait;

	three_members();
	harness_quorum(h(1), false);
	ck_assert(world_waits(&w, 1, world_write(&w, 1, 9)));
	wait = wait_for(1, CORE_WAIT_QUORUM);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->request, REQUEST_FLUSH);
}
END_TEST

START_TEST(flush_waits_for_a_window)
{
	const struct core_wait *wait;

	three_members();
	h(1)->keep[EFFECT_COPY] = true;
	open_legs(1);
	ck_assert(world_waits(&w, 2, world_write(&w, 2, 40)));
	wait = wait_for(2, CORE_WAIT_WINDOW);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->request, REQUEST_FLUSH);
	ck_assert_uint_eq(wait->node_id, 1);
	ck_assert_uint_eq(wait->region, 40);
}
END_TEST

/* A claim that a member has not answered. */
START_TEST(flush_waits_for_a_member)
{
	const struct core_wait *wait;

	three_members();
	world_hold(&w, 3, true);
	open_legs(1);
	ck_assert(world_waits(&w, 2, world_write(&w, 2, 40)));
	wait = wait_for(2, CORE_WAIT_MEMBER);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->node_id, 3);
	ck_assert_mem_eq(wait->boot_id, h(3)->config.boot_id, MESSAGE_ID_BYTES);
	world_hold(&w, 3, false);
	world_run(&w);
}
END_TEST

START_TEST(flush_waits_for_the_device)
{
	three_members();
	h(1)->keep[EFFECT_WRITE] = true;
	ck_assert(world_waits(&w, 1, world_write(&w, 1, 9)));
	ck_assert_ptr_nonnull(wait_for(1, CORE_WAIT_DEVICE));
	ck_assert_uint_eq(wait_for(1, CORE_WAIT_DEVICE)->request, REQUEST_FLUSH);
}
END_TEST

/* A core log: every follower must confirm. */
START_TEST(flush_waits_for_a_confirmation)
{
	const struct core_wait *wait;

	for (uint32_t id = 1; id <= 3; id++)
		ck_assert(world_answered(&w, id, world_resume(&w, id, HARNESS_CORE " nosync"), 0));
	world_hold(&w, 2, true);
	ck_assert(world_waits(&w, 1, world_write(&w, 1, 9)));
	wait = wait_for(1, CORE_WAIT_MEMBER);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->node_id, 2);
	ck_assert_uint_eq(wait_count(1), 1);
	world_hold(&w, 2, false);
	world_run(&w);
}
END_TEST

/* F22: the uuid with another geometry. */
START_TEST(resume_waits_for_another_log)
{
	const struct core_wait *wait;

	open_on(3);
	ck_assert(world_waits(&w, 1, world_resume(&w, 1, "65536 clustered-disk 254:0 2048")));
	wait = wait_for(1, CORE_WAIT_OTHER_LOG);
	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq(wait->node_id, 3);
	ck_assert_uint_eq(wait->request, REQUEST_RESUME);
}
END_TEST

START_TEST(copying_waits_for_a_leg)
{
	three_members();
	memcpy(h(2)->letters, "AD", 3);
	open_legs(2);
	open_legs(1);
	ck_assert_ptr_nonnull(wait_for(1, CORE_WAIT_LEG));
	ck_assert_uint_eq(wait_for(1, CORE_WAIT_LEG)->node_id, 2);
}
END_TEST

static Suite *operator_suite(void)
{
	Suite *suite = suite_create("core_operator");
	TCase *tests = tcase_create("operator");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, pause_on_all_nodes);
	tcase_add_test(tests, pause_while_copying);
	tcase_add_test(tests, touched_while_paused);
	tcase_add_test(tests, rate_of_the_operator);
	tcase_add_test(tests, default_rate);
	tcase_add_test(tests, fail_and_the_next_report);
	tcase_add_test(tests, group_status);
	tcase_add_test(tests, members_of_a_log);
	tcase_add_test(tests, what_a_report_counts_for);
	tcase_add_test(tests, nobody_waits);
	tcase_add_test(tests, waits_for_proof);
	tcase_add_test(tests, resume_waits_for_proof);
	tcase_add_test(tests, flush_waits_for_quorum);
	tcase_add_test(tests, flush_waits_for_a_window);
	tcase_add_test(tests, flush_waits_for_a_member);
	tcase_add_test(tests, flush_waits_for_the_device);
	tcase_add_test(tests, flush_waits_for_a_confirmation);
	tcase_add_test(tests, resume_waits_for_another_log);
	tcase_add_test(tests, copying_waits_for_a_leg);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(operator_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
