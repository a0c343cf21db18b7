/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which node is in the group, when corosync tells of processes. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/group_views.h"

#define OWN 4000000002u /* node ids are any 32 bits */

static struct group_views views;
static struct group_view view[2];

static void setup(void)
{
	views = (struct group_views){ .own = { .node_id = OWN, .pid = 20 } };
}

struct processes {
	struct group_process list[GROUP_PROCESSES_MAX];
	uint32_t count;
};

/* "1/10 2/20": node 1 by process 10, ...; node 2 is OWN.  A letter behind it: l left, n node down, p process down. */
static struct processes parse(const char *text)
{
	struct processes processes = { 0 };
	char *end;

	while (*text != '\0') {
		struct group_process *process = &processes.list[processes.count++];

		process->node_id = (uint32_t)strtoul(text, &end, 10);
		if (process->node_id == 2)
			process->node_id = OWN;
		process->pid = (uint32_t)strtoul(end + 1, &end, 10);
		process->reason = *end == 'l' ? VIEW_LEAVE :
				  *end == 'n' ? VIEW_NODE_DOWN :
						VIEW_PROC_DOWN;
		text = end + strspn(end, "lnp ");
	}
	return processes;
}

static int change(const char *members, const char *left, const char *joined)
{
	struct processes m = parse(members), l = parse(left), j = parse(joined);
	struct group_change change = { .members = { m.list, m.count },
				       .left = { l.list, l.count },
				       .joined = { j.list, j.count } };

	memset(view, 0x5a, sizeof(view));
	return group_views_change(&views, &change, view);
}

static void expect_nodes(const uint32_t *nodes, uint32_t count, const char *text)
{
	struct processes want = parse(text);

	ck_assert_uint_eq(count, want.count);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_uint_eq(nodes[i], want.list[i].node_id);
}

static void expect(int number, const char *members, const char *left)
{
	struct processes want = parse(left);

	expect_nodes(view[number].members, view[number].member_count, members);
	expect_nodes(view[number].left, view[number].left_count, left);
	for (uint32_t i = 0; i < want.count; i++)
		ck_assert_int_eq(view[number].left_reasons[i], want.list[i].reason);
}

START_TEST(joins_and_leaves)
{
	ck_assert_int_eq(change("3/30 2/20 1/10", "", "2/20"), 1);
	expect(0, "1/0 3/0 2/0", ""); /* 2 is OWN, the highest: ids rise */
	ck_assert(group_views_has(&views, 3, 30));
	ck_assert(!group_views_has(&views, 3, 31));
	ck_assert(!group_views_has(&views, 4, 30));
	ck_assert_int_eq(change("2/20 4/40 5/50", "1/10l 3/30n", "4/40 5/50"), 1);
	expect(0, "4/0 5/0 2/0", "1/0l 3/0n");
	ck_assert(!group_views_has(&views, 3, 30));
	ck_assert_int_eq(change("2/20", "5/50p 4/40n", ""), 1);
	expect(0, "2/0", "5/0p 4/0n");
}
END_TEST

/* The end of the former daemon is noticed only after the new one has joined. */
START_TEST(a_daemon_that_is_started_anew)
{
	ck_assert_int_eq(change("1/10 2/20", "", "2/20"), 1);
	ck_assert_int_eq(change("1/10 1/11 2/20", "", "1/11"), 2);
	expect(0, "2/0", "1/0p");
	expect(1, "1/0 2/0", "");
	ck_assert(!group_views_has(&views, 1, 10));
	ck_assert(group_views_has(&views, 1, 11));
	ck_assert_int_eq(change("1/11 2/20", "1/10p", ""), 0);
	ck_assert(group_views_has(&views, 1, 11));
	/* ... or in the same change. */
	ck_assert_int_eq(change("1/12 2/20", "1/11n", "1/12"), 2);
	expect(0, "2/0", "1/0n");
	expect(1, "1/0 2/0", "");
}
END_TEST

/* Of one's own node: the process that joins is the newer one. */
START_TEST(our_own_predecessor)
{
	ck_assert_int_eq(change("2/19 1/10 2/20", "", "2/20"), 1);
	expect(0, "1/0 2/0", "");
	ck_assert(group_views_has(&views, OWN, 20));
	ck_assert_int_eq(change("1/10 2/20", "2/19p", ""), 0);
	ck_assert_int_eq(change("1/10 2/20 2/21", "", "2/21"), -EEXIST);
}
END_TEST

START_TEST(two_of_a_node_and_nobody_knows)
{
	ck_assert_int_eq(change("1/10 1/11 2/20", "", "2/20"), -EAGAIN);
	setup();
	ck_assert_int_eq(change("2/20", "", "2/20"), 1);
	ck_assert_int_eq(change("1/10 1/11 2/20", "", "1/10 1/11"), -EAGAIN);
}
END_TEST

START_TEST(not_a_member)
{
	ck_assert_int_eq(change("1/10", "", "1/10"), -ENOTCONN);
	ck_assert_int_eq(change("1/10 2/20", "", "2/20"), 1);
	ck_assert_int_eq(change("1/10", "2/20l", ""), -ENOTCONN);
}
END_TEST

START_TEST(too_many)
{
	char members[GROUP_PROCESSES_MAX * 8] = "2/20";
	char one[32];

	for (int i = 3; i < CORE_NODES_MAX + 2; i++) {
		(void)snprintf(one, sizeof(one), " %d/1", i);
		(void)strcat(members, one);
	}
	ck_assert_int_eq(change(members, "", "2/20"), 1);
	ck_assert_uint_eq(view[0].member_count, CORE_NODES_MAX);
	(void)snprintf(one, sizeof(one), " %d/1", CORE_NODES_MAX + 2);
	(void)strcat(members, one);
	ck_assert_int_eq(change(members, "", one + 1), -E2BIG);
	setup();
	ck_assert_int_eq(change(members, "", "2/20"), -E2BIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("group_views");
	TCase *tests = tcase_create("views");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, joins_and_leaves);
	tcase_add_test(tests, a_daemon_that_is_started_anew);
	tcase_add_test(tests, our_own_predecessor);
	tcase_add_test(tests, two_of_a_node_and_nobody_knows);
	tcase_add_test(tests, not_a_member);
	tcase_add_test(tests, too_many);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
