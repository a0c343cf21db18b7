/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for whom, in words: see wait_words.h. */
#include "daemon/wait_words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void id_text(const uint8_t id[16], char ret_text[33])
{
	for (int i = 0; i < 16; i++)
		(void)snprintf(ret_text + 2 * (size_t)i, 3, "%02x", id[i]);
}

static const char *request_word(enum request_type request)
{
	switch ((int)request) {
	case 0:
		return "copying";
	case REQUEST_CTR:
		return "create";
	case REQUEST_DTR:
		return "remove";
	case REQUEST_RESUME:
		return "resume";
	case REQUEST_POSTSUSPEND:
		return "suspend";
	case REQUEST_FLUSH:
		return "flush";
	case REQUEST_IN_SYNC:
		return "in-sync";
	case REQUEST_SET_REGION_SYNC:
		return "report";
	default:
		return request_type_name(request);
	}
}

static const char *reason_word(enum core_wait_reason reason)
{
	static const char *const words[] = {
		[CORE_WAIT_GROUP] = "group",       [CORE_WAIT_QUORUM] = "quorum",
		[CORE_WAIT_REFUSED] = "refused",   [CORE_WAIT_PROOF] = "proof",
		[CORE_WAIT_SLOT] = "slot",         [CORE_WAIT_OTHER_LOG] = "other-log",
		[CORE_WAIT_TABLE] = "table",       [CORE_WAIT_MEMBER] = "member",
		[CORE_WAIT_WINDOW] = "window",     [CORE_WAIT_DEVICE] = "device",
		[CORE_WAIT_LEGS] = "legs",         [CORE_WAIT_PAUSED] = "paused",
		[CORE_WAIT_LEG] = "leg",           [CORE_WAIT_RELOAD] = "reload",
		[CORE_WAIT_REPORTED] = "reported",
	};

	return words[reason];
}

/* The uuid as one word for a shell. */
static void quote(const char *uuid, char *ret_word, size_t bytes)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._:+@%,/=-";
	size_t used = 0;

	if (uuid[0] != '-' && uuid[strspn(uuid, plain)] == '\0') {
		(void)snprintf(ret_word, bytes, "%s", uuid);
		return;
	}
	ret_word[used++] = '\'';
	for (; *uuid != '\0' && used + 6 <= bytes; uuid++) {
		if (*uuid == '\'') {
			memcpy(ret_word + used, "'\\'", 3);
			used += 3;
		}
		ret_word[used++] = *uuid;
	}
	ret_word[used++] = '\'';
	ret_word[used] = '\0';
}

static void word_node(const struct core_wait *wait, char *text, size_t bytes)
{
	static const uint8_t none[16];
	char boot[33];

	id_text(wait->boot_id, boot);
	if (memcmp(wait->boot_id, none, sizeof(none)) == 0)
		(void)snprintf(text, bytes, "node %" PRIu32, wait->node_id);
	else
		(void)snprintf(text, bytes, "node %" PRIu32 " (boot %s)", wait->node_id, boot);
}

/* What another node has to do. */
static void word_other(const struct core_wait *wait, struct wait_words *words)
{
	char node[64];

	word_node(wait, node, sizeof(node));
	switch (wait->reason) {
	case CORE_WAIT_PROOF:
		(void)snprintf(
			words->whom, sizeof(words->whom),
			"%s: it left while it used this log and may still write; it must come "
			"back, or be off for certain",
			node);
		(void)snprintf(words->command, sizeof(words->command), "dmclog fenced %" PRIu32,
			       wait->node_id);
		break;
	case CORE_WAIT_SLOT:
		(void)snprintf(
			words->whom, sizeof(words->whom),
			"%s of cluster \"%.63s\": its slot %" PRIu32
			" is in use; remove the mirror there, or, if it is off for certain, start the "
			"daemon so",
			node, wait->cluster_name, wait->slot);
		(void)snprintf(words->command, sizeof(words->command),
			       "dmclogd --takeover-delay=SECONDS");
		break;
	case CORE_WAIT_OTHER_LOG:
		(void)snprintf(
			words->whom, sizeof(words->whom),
			"%s: it uses this uuid with other sizes or another log device; suspend it "
			"there",
			node);
		(void)snprintf(words->command, sizeof(words->command), "dmsetup suspend DEVICE");
		break;
	case CORE_WAIT_MEMBER:
		(void)snprintf(words->whom, sizeof(words->whom), "an answer of %s", node);
		break;
	case CORE_WAIT_WINDOW:
		(void)snprintf(words->whom, sizeof(words->whom), "%s, which copies region %" PRIu64,
			       node, wait->region);
		break;
	case CORE_WAIT_LEG:
		(void)snprintf(words->whom, sizeof(words->whom),
			       "a new table with good legs: one has failed on %s", node);
		(void)snprintf(words->command, sizeof(words->command), "dmsetup reload DEVICE");
		break;
	default:
		break;
	}
}

/* What concerns this node, its devices, or all. */
static void word_own(const struct core_log_status *log, const struct core_wait *wait,
		     struct wait_words *words)
{
	const char *whom = "";
	const char *command = "";
	char device[64];

	switch (wait->reason) {
	case CORE_WAIT_GROUP:
		whom = "the group: corosync, or its state";
		break;
	case CORE_WAIT_QUORUM:
		whom = "quorum: more nodes of the cluster must be there";
		break;
	case CORE_WAIT_REFUSED:
		whom = "a reboot of this node: the others take this boot for stopped, or speak another "
		       "version";
		command = "reboot";
		break;
	case CORE_WAIT_TABLE:
		whom = "another table of this uuid on this node, which is not suspended";
		command = "dmsetup suspend DEVICE";
		break;
	case CORE_WAIT_DEVICE:
		(void)snprintf(device, sizeof(device), "the log device %" PRIu32 ":%" PRIu32,
			       log->log_major, log->log_minor);
		whom = log->type == LOG_TYPE_CORE ? "this node" : device;
		break;
	case CORE_WAIT_LEGS:
		whom = "reads and writes of the legs";
		break;
	case CORE_WAIT_RELOAD:
		whom = "a new table: nobody knows what this one wrote under an earlier daemon";
		command = "dmsetup reload DEVICE";
		break;
	case CORE_WAIT_REPORTED:
		whom = "a new table: the kernel writes what it reported out of sync on one leg only";
		command = "dmsetup reload DEVICE";
		break;
	default:
		break;
	}
	(void)snprintf(words->whom, sizeof(words->whom), "%s", whom);
	(void)snprintf(words->command, sizeof(words->command), "%s", command);
}

void wait_word(const struct core_log_status *log, const struct core_wait *wait,
	       struct wait_words *ret_words)
{
	char uuid[WAIT_UUID_BYTES];

	quote(log->uuid, uuid, sizeof(uuid));
	*ret_words = (struct wait_words){ .what = request_word(wait->request),
					  .reason = reason_word(wait->reason) };
	if (wait->reason == CORE_WAIT_PAUSED) {
		(void)snprintf(ret_words->whom, sizeof(ret_words->whom),
			       "the operator, who has paused it");
		(void)snprintf(ret_words->command, sizeof(ret_words->command),
			       "dmclog resync %s resume", uuid);
	} else {
		word_own(log, wait, ret_words);
		word_other(wait, ret_words);
	}
	/* A table's own request ends so; what the kernel does not wait for does not. */
	if (wait->request != 0 && wait->request != REQUEST_CTR && wait->request != REQUEST_DTR)
		(void)snprintf(ret_words->give_up, sizeof(ret_words->give_up), "dmclog fail %s",
			       uuid);
}
