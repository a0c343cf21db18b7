/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dmclogd tells people: see report.h. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#define LINE_BYTES 512

static struct {
	bool journal;
	bool debug;
	uint64_t start_us; /* when the first line came: another daemon has another one */
	uint64_t next;     /* the number of the next line */
	struct line {
		uint64_t time_us;
		int priority;
		const char *code;
		char uuid[REQUEST_UUID_SIZE];
		uint32_t prefix_bytes; /* of the text: the uuid again */
		char text[LINE_BYTES];
	} recent[REPORT_LINES];
} state;

/* How each is told: its code for programs, how loud, and its MESSAGE_ID, which systemd/dmclogd.catalog explains. */
struct kind {
	const char *code;
	int priority;
	const char *id;
};

static const struct kind event_kinds[] = {
	[EVENT_CTR_REFUSED] = { "table-refused", LOG_ERR, "d080d588fa9343859e02f8512d4a0234" },
	[EVENT_OPENED] = { "opened", LOG_NOTICE, "cd15398d39cb49fc90bed3ad9763a523" },
	[EVENT_OPEN_FAILED] = { "open-failed", LOG_ERR, "fca4d685a0374c24a39a0cfd9f46b63e" },
	[EVENT_CLOSED] = { "closed", LOG_NOTICE, "e793348264fc4cb18cbb53a6f4f15c2e" },
	[EVENT_CLOSE_FAILED] = { "close-failed", LOG_ERR, "3efd9fbd5d60430ab35b5857f9ca59dc" },
	[EVENT_WAITING_FOR_SLOT] = { "waiting", LOG_ERR, "e1efcd8e97db4300bdc5c326e17c84d6" },
	[EVENT_DEVICE_FAILED] = { "device-failed", LOG_ERR, "9de687cb1ac94719b0693ef762557f69" },
	[EVENT_DEVICE_RECOVERED] = { "device-recovered", LOG_NOTICE,
				     "fd896497f57243ec803bc4326f63cf4d" },
	[EVENT_LEG_FAILED] = { "leg-failed", LOG_ERR, "07ac7219655f480cb10c5e8fc5eb5ff5" },
	[EVENT_LEG_FLUSH_FAILED] = { "leg-flush-failed", LOG_ERR,
				     "fd0fb0a71c604be7829a05e97343a916" },
	[EVENT_REGION_LOST] = { "region-lost", LOG_WARNING, "d2d31819298f4a0dae4e884a7b25e176" },
	[EVENT_COPY_FAILED] = { "copy-failed", LOG_WARNING, "c6ed511bb4a145b6867b31a908d11e93" },
	[EVENT_IN_SYNC] = { "in-sync", LOG_NOTICE, "775c9231e1ec4dc0ba40c0c849107cd3" },
	[EVENT_LEGS_UNREADABLE] = { "legs-unreadable", LOG_WARNING,
				    "abb490cc24e24a31ab79507f75d69c13" },
	[EVENT_CONFLICT] = { "conflict", LOG_ERR, "71a70f2b42334360b9cd24b187462e36" },
	[EVENT_REFUSED] = { "refused", LOG_ERR, "70a67730de3e4595ae930d2248208657" },
	[EVENT_UNKNOWN_PAST] = { "unknown-past", LOG_WARNING, "834b93c4e2064ea1a66d92b403310e3a" },
	[EVENT_KNOWN_PAST] = { "known-past", LOG_NOTICE, "695dd01ec4f5498cb82754d69401567f" },
};

static const struct kind news_kinds[] = {
	[NEWS_CANNOT_SERVE] = { "cannot-serve", LOG_ERR, "fcf37e72c04b40a3b571aa37342cc4c7" },
	[NEWS_NO_CONTROL] = { "no-control", LOG_ERR, "1080878b0526480299a48021c4be089a" },
	[NEWS_APART] = { "apart", LOG_ERR, "b1a325b554e34d4491275c375e86df86" },
	[NEWS_NO_QUORUM] = { "no-quorum", LOG_WARNING, "957188538ff34df69dfbbb8b15a42ba0" },
	[NEWS_QUORUM] = { "quorum", LOG_NOTICE, "7a2f2f1b215849b8bdacbe7533c4f53d" },
	[NEWS_GROUP] = { "group", LOG_NOTICE, "2ce82b3a03534b75861bf5940d97fd75" },
	[NEWS_RING] = { NULL, LOG_DEBUG, NULL },
	[NEWS_STRANGER] = { "stranger", LOG_WARNING, "3d5a2a29d3d94ba7808c87cfb0b4d99e" },
	[NEWS_NOT_ENDING] = { "not-ending", LOG_WARNING, "1582d46100b345c8ab6373f664aaeee6" },
	[NEWS_REQUESTS_LOST] = { "requests-lost", LOG_WARNING, "4ae55822c69e4c348de1263beb2da913" },
};

#define FIELDS_MAX 5

struct journal_entry {
	struct iovec fields[FIELDS_MAX];
	char text[FIELDS_MAX][LINE_BYTES + 64];
	int count;
};

void report_init(bool debug)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	state.debug = debug;
	state.journal = stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
			fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

bool report_debug(void)
{
	return state.debug;
}

static void remember(const struct kind *kind, const char *uuid, const char *text,
		     uint32_t prefix_bytes)
{
	struct line *line = &state.recent[state.next % REPORT_LINES];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	line->time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	line->priority = kind->priority;
	line->code = kind->code;
	(void)snprintf(line->uuid, sizeof(line->uuid), "%s", uuid == NULL ? "" : uuid);
	line->prefix_bytes = prefix_bytes;
	memcpy(line->text, text, strlen(text) + 1);
	if (state.next++ == 0)
		state.start_us = line->time_us;
}

__attribute__((format(printf, 3, 4))) static void
add_field(struct journal_entry *entry, const char *name, const char *format, ...)
{
	char *field = entry->text[entry->count];
	size_t room = sizeof(entry->text[0]), used = (size_t)snprintf(field, room, "%s=", name);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(field + used, room - used, format, arguments);
	va_end(arguments);
	entry->fields[entry->count++] =
		(struct iovec){ .iov_base = field, .iov_len = strlen(field) };
}

/* `id` is a MESSAGE_ID, or NULL. */
static void say(int priority, const char *id, const char *uuid, uint64_t luid, const char *text)
{
	struct journal_entry entry = { .count = 0 };

	if (priority == LOG_DEBUG && !state.debug)
		return;
	if (!state.journal) {
		(void)fprintf(stderr, "dmclogd: %s\n", text);
		return;
	}
	add_field(&entry, "MESSAGE", "%s", text);
	add_field(&entry, "PRIORITY", "%d", priority);
	if (id != NULL)
		add_field(&entry, "MESSAGE_ID", "%s", id);
	if (uuid != NULL) {
		add_field(&entry, "DMCLOGD_UUID", "%s", uuid);
		add_field(&entry, "DMCLOGD_LUID", "%" PRIx64, luid);
	}
	(void)sd_journal_sendv(entry.fields, entry.count);
}

static void tell(const struct kind *kind, const char *uuid, uint64_t luid, const char *words)
{
	char text[LINE_BYTES];
	int used = 0;

	if (uuid != NULL)
		used = snprintf(text, sizeof(text), "%s: ", uuid);
	(void)snprintf(text + used, sizeof(text) - (size_t)used, "%s", words);
	remember(kind, uuid, text, (uint32_t)used);
	say(kind->priority, kind->id, uuid, luid, text);
}

void report(int priority, const char *uuid, uint64_t luid, const char *format, ...)
{
	const struct kind kind = { .priority = priority };
	char words[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	tell(&kind, uuid, luid, words);
}

void report_news(enum news news, const char *format, ...)
{
	char words[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	tell(&news_kinds[news], NULL, 0, words);
}

static const char *errno_text(int status)
{
	return strerror(status < 0 ? -status : status);
}

/* The events about legs, regions and tables. */
static void word_leg_event(const struct effect_event *event, const char *error, char *text,
			   size_t bytes)
{
	switch (event->event) {
	case EVENT_LEG_FAILED:
		(void)snprintf(text, bytes,
			       "a leg has failed, health letters %s: nothing is copied",
			       event->text);
		break;
	case EVENT_LEG_FLUSH_FAILED:
		(void)snprintf(text, bytes,
			       "a leg did not keep what was written (%s): %" PRIu64
			       " regions count as out of sync until a new table is loaded",
			       event->status < 0 ? error : "health letters", event->number);
		break;
	case EVENT_REGION_LOST:
		(void)snprintf(text, bytes,
			       "region %" PRIu64 " went out of sync: a leg failed a write",
			       event->region);
		break;
	case EVENT_COPY_FAILED:
		(void)snprintf(text, bytes, "region %" PRIu64 " could not be copied (%s)",
			       event->region, error);
		break;
	case EVENT_IN_SYNC:
		(void)snprintf(text, bytes, "in sync: all %" PRIu64 " regions", event->number);
		break;
	case EVENT_LEGS_UNREADABLE:
		(void)snprintf(
			text, bytes,
			"the live table cannot be read (%s): nothing is copied, and it is tried "
			"again every second",
			error);
		break;
	case EVENT_REFUSED:
		(void)snprintf(
			text, bytes,
			"the other nodes take this boot for stopped, or speak another version: "
			"writes fail and resumes wait until this node is rebooted, or runs a "
			"dmclogd of their version");
		break;
	case EVENT_CONFLICT:
		(void)snprintf(text, bytes, "%s: writes through this table fail", event->text);
		break;
	case EVENT_UNKNOWN_PAST:
		(void)snprintf(
			text, bytes,
			"was served by an earlier dmclogd: all regions count as held, and nothing "
			"is copied until a new table is loaded (dmsetup reload, suspend, resume)");
		break;
	case EVENT_KNOWN_PAST:
		(void)snprintf(text, bytes,
			       "goes on where an earlier dmclogd ended: %" PRIu64
			       " regions are held, %" PRIu64 " of them marked",
			       event->number, event->region);
		break;
	default:
		(void)snprintf(text, bytes, "event %d", (int)event->event);
		break;
	}
}

static void word_event(const struct effect_event *event, char *text, size_t bytes)
{
	const char *error = errno_text(event->status);

	switch (event->event) {
	case EVENT_CTR_REFUSED:
		(void)snprintf(text, bytes, "table refused: %s (%s)", event->text, error);
		break;
	case EVENT_OPENED:
		(void)snprintf(text, bytes, "open, from %s: %" PRIu64 " regions out of sync",
			       event->text, event->number);
		break;
	case EVENT_OPEN_FAILED:
		(void)snprintf(
			text, bytes,
			"log device cannot be %s (%s): writes to the mirror fail until it works "
			"(it is tried again every few seconds), or another one is in the table",
			event->text, error);
		break;
	case EVENT_CLOSED:
		(void)snprintf(text, bytes, "closed, %" PRIu64 " regions out of sync",
			       event->number);
		break;
	case EVENT_CLOSE_FAILED:
		(void)snprintf(
			text, bytes,
			"log device cannot be written (%s) and is left as in use: what was held "
			"is copied when it is opened again",
			error);
		break;
	case EVENT_WAITING_FOR_SLOT:
		(void)snprintf(
			text, bytes,
			"%s: %s; it ends when that node joins again, by dmclog fenced when "
			"it is off and of this cluster, or by --takeover-delay where that is set",
			event->number == 1 ? "writes wait" : "resume waits", event->text);
		break;
	case EVENT_DEVICE_FAILED:
		(void)snprintf(text, bytes,
			       "log device cannot be written (%s): writes to the mirror fail",
			       error);
		break;
	case EVENT_DEVICE_RECOVERED:
		(void)snprintf(text, bytes, "log device can be written again");
		break;
	default:
		word_leg_event(event, error, text, bytes);
		break;
	}
}

void report_event(const struct effect_event *event)
{
	char text[LINE_BYTES - REQUEST_UUID_SIZE];

	word_event(event, text, sizeof(text));
	/* What is about the whole node has no uuid. */
	tell(&event_kinds[event->event], event->uuid[0] != '\0' ? event->uuid : NULL, event->luid,
	     text);
}

void report_state(const struct core *core, const struct service_counters *counters)
{
	struct core_log_status log;

	report(LOG_NOTICE, NULL, 0,
	       "state: %u tables, %" PRIu64 " requests lost, %" PRIu64
	       " messages to the group in %" PRIu64 " batches, %" PRIu64 " times it was too busy",
	       core_table_count(core), counters->lost_requests, counters->group.messages,
	       counters->group.batches, counters->group.refused);
	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++) {
		if (core_log_status(core, i, &log) < 0)
			continue;
		report(LOG_NOTICE, log.uuid, 0,
		       "%s %u:%u %s, %" PRIu64 "/%" PRIu64 " in sync (%" PRIu64
		       " lost), region %" PRIu64 " sectors, held %" PRIu64 ", marked %" PRIu64
		       ", tables %u (%u resumed), log device %s, legs %s",
		       log.type == LOG_TYPE_CORE ? "core" : "disk", log.log_major, log.log_minor,
		       log.phase, log.sync_count, log.region_count, log.lost_count,
		       log.region_sectors, log.held_count, log.marked_count, log.table_count,
		       log.resumed_count, log.device_failed ? "failed" : "good",
		       log.legs_failed ? "failed" : "good");
		report(LOG_NOTICE, log.uuid, 0,
		       "requests %" PRIu64 ", slot writes %" PRIu64 ", base writes %" PRIu64
		       ", leg flushes %" PRIu64 ", regions copied %" PRIu64 "%s",
		       log.requests, log.slot_writes, log.base_writes, log.leg_flushes,
		       log.regions_copied, log.everything_held ? ", everything held" : "");
	}
}

static void say_recent(const struct line *line)
{
	char when[32], text[LINE_BYTES + 48];
	time_t seconds = (time_t)(line->time_us / 1000000);
	struct tm local;

	(void)localtime_r(&seconds, &local);
	(void)strftime(when, sizeof(when), "%H:%M:%S", &local);
	(void)snprintf(text, sizeof(text), "%s.%03u %s", when,
		       (unsigned int)(line->time_us / 1000 % 1000), line->text);
	say(LOG_NOTICE, NULL, NULL, 0, text);
}

void report_recent(void)
{
	uint64_t count = state.next < REPORT_LINES ? state.next : REPORT_LINES;
	uint64_t first = state.next - count;
	char header[64];

	(void)snprintf(header, sizeof(header), "the last %u events:", (unsigned int)count);
	say(LOG_NOTICE, NULL, NULL, 0, header);
	for (uint64_t i = 0; i < count; i++)
		say_recent(&state.recent[(first + i) % REPORT_LINES]);
}

uint64_t report_next(uint64_t *ret_start_us)
{
	*ret_start_us = state.start_us;
	return state.next;
}

bool report_line_get(uint64_t number, struct report_line *ret_line)
{
	const struct line *line = &state.recent[number % REPORT_LINES];

	if (number >= state.next || state.next - number > REPORT_LINES)
		return false;
	*ret_line = (struct report_line){ .time_us = line->time_us,
					  .priority = line->priority,
					  .code = line->code,
					  .uuid = line->uuid,
					  .text = line->text + line->prefix_bytes };
	return true;
}
