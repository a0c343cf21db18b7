/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A member's life in a log: the table of daemon/core/group_state.h, every state against every event.
 *
 * The member is a peer that exists only in the messages and views that the test makes up; the core under test opens the log and has
 * the disk role.  Reads of the log device are kept back where a slot would be taken over at once.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core_harness.h"
#include "daemon/core/core_private.h"

#define LUID 0x1000
#define OWN 1
#define PEER 2

enum state { NONE, FOLLOWS, RESUMED, LEAVING, DEPARTED, TO_MERGE, STATES };
enum event { JOIN, LEAVES, LEAVE, LEAVE_KEPT, UNFOLLOW, LEFT, PROOF, MERGED, EVENTS };

static struct harness h;

/* What the peer is behind the event: all its records, with commas between. */
static const char *const life[STATES][EVENTS] = {
	[NONE] = { "resumed", "none", "none", "none", "none", "none", "none", "none" },
	[FOLLOWS] = { "resumed", "follows", "follows", "follows", "none", "none", "follows",
		      "follows" },
	[RESUMED] = { "resumed", "leaving", "follows", "to merge, follows", "to merge", "departed",
		      "resumed", "resumed" },
	[LEAVING] = { "resumed", "leaving", "follows", "to merge, follows", "to merge", "departed",
		      "leaving", "leaving" },
	[DEPARTED] = { "resumed", "departed", "departed", "departed", "to merge", "departed",
		       "to merge", "departed" },
	[TO_MERGE] = { "to merge", "to merge", "to merge", "to merge", "to merge", "to merge",
		       "to merge", "none" },
};

static const char *const state_words[STATES] = { "none",    "follows",  "resumed",
						 "leaving", "departed", "to merge" };
static const char *const event_words[EVENTS] = {
	"JOIN", "LEAVING", "LEAVE", "LEAVE, slot kept", "UNFOLLOW", "view: left", "proof", "MERGED"
};

static void setup(void)
{
	memset(&h, 0, sizeof(h));
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
}

static void setup_one_slot(void)
{
	memset(&h, 0, sizeof(h));
	h.config.slot_count = 1;
	harness_start(&h);
	harness_put_kernel_log(&h, HARNESS_REGIONS, HARNESS_REGIONS);
	harness_open(&h, LUID);
}

static void teardown(void)
{
	harness_stop(&h);
}

static struct entry *entry(void)
{
	struct group_message name = harness_message(MESSAGE_JOIN, PEER);

	return entry_find(h.core, &name.log);
}

static const char *word(const struct member *member)
{
	static const char *const uses[] = {
		[MEMBER_NONE] = "nothing",
		[MEMBER_FOLLOWS] = "follows",
		[MEMBER_RESUMED] = "resumed",
		[MEMBER_LEAVING] = "leaving",
	};

	return member->to_merge ? "to merge" : member->departed ? "departed" : uses[member->use];
}

static const char *peer_is(char text[64])
{
	text[0] = '\0';
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++) {
		const struct member *member = &entry()->member[i];

		if (member->node_id != PEER)
			continue;
		if (text[0] != '\0')
			strcat(text, ", ");
		strcat(text, word(member));
	}
	return text[0] == '\0' ? "none" : text;
}

static uint32_t peer_slot(void)
{
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		if (entry()->member[i].node_id == PEER && entry()->member[i].slot != NO_SLOT)
			return entry()->member[i].slot;
	return 1; /* it has none: any will do */
}

static bool in_view(void)
{
	for (uint32_t i = 0; i < h.member_count; i++)
		if (h.members[i] == PEER)
			return true;
	return false;
}

static void say(enum group_message_type type, bool slot_freed)
{
	struct group_message message = harness_message(type, PEER);

	message.slot_freed = slot_freed;
	harness_deliver(&h, &message);
}

static void proof(void)
{
	struct input input = { .type = INPUT_FENCED, .fenced = { .node_id = PEER } };

	harness_quorum(&h, true);
	harness_input(&h, &input);
}

static void become(enum state state)
{
	harness_peer_comes(&h, PEER);
	if (state == NONE)
		return;
	harness_peer_joins(&h, PEER);
	if (state == FOLLOWS || state == LEAVING)
		say(MESSAGE_LEAVING, false);
	if (state == FOLLOWS)
		say(MESSAGE_LEAVE, true);
	h.keep[EFFECT_READ] = true;
	if (state == DEPARTED || state == TO_MERGE)
		harness_peer_goes(&h, PEER, VIEW_NODE_DOWN);
	if (state == TO_MERGE)
		proof();
}

/* A message counts when its sender is in the group: who had left comes back with the same boot. */
static void comes_back(void)
{
	if (!in_view())
		harness_peer_comes(&h, PEER);
}

static void happens(enum event event)
{
	struct group_message merged = harness_message(MESSAGE_MERGED, OWN);

	if (event != LEFT && event != PROOF && event != MERGED)
		comes_back();
	switch (event) {
	case JOIN:
		say(MESSAGE_JOIN, false);
		break;
	case LEAVES:
		say(MESSAGE_LEAVING, false);
		break;
	case LEAVE:
	case LEAVE_KEPT:
		say(MESSAGE_LEAVE, event == LEAVE);
		break;
	case UNFOLLOW:
		say(MESSAGE_UNFOLLOW, false);
		break;
	case LEFT:
		comes_back();
		harness_peer_goes(&h, PEER, VIEW_NODE_DOWN);
		break;
	case PROOF:
		proof();
		break;
	case MERGED:
		merged.node = PEER;
		merged.number = peer_slot();
		harness_deliver(&h, &merged);
		break;
	case EVENTS:
		break;
	}
}

START_TEST(cell)
{
	enum state state = (enum state)(_i / EVENTS);
	enum event event = (enum event)(_i % EVENTS);
	char text[64];

	become(state);
	ck_assert_str_eq(peer_is(text), state_words[state]);
	happens(event);
	ck_assert_msg(strcmp(peer_is(text), life[state][event]) == 0, "%s, %s: %s, not %s",
		      state_words[state], event_words[event], peer_is(text), life[state][event]);
}
END_TEST

/* (1) of the table: it had no slot, and never wrote. */
START_TEST(left_before_it_could_write)
{
	struct group_message join = harness_message(MESSAGE_JOIN, PEER);
	char text[64];

	join.fresh = join.stateless = true;
	harness_peer_comes(&h, PEER);
	h.keep_messages = true; /* nor has it been sent the state */
	harness_deliver(&h, &join);
	ck_assert_str_eq(peer_is(text), "resumed");
	harness_peer_goes(&h, PEER, VIEW_NODE_DOWN);
	ck_assert_str_eq(peer_is(text), "none");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_member_life");
	TCase *tests = tcase_create("life"), *one_slot = tcase_create("one-slot");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, cell, 0, STATES * EVENTS);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(one_slot, setup_one_slot, teardown);
	tcase_add_test(one_slot, left_before_it_could_write);
	suite_add_tcase(suite, one_slot);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
