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

static struct line *remember(int priority, const char *uuid, const char *text,
			     uint32_t prefix_bytes)
{
	struct line *line = &state.recent[state.next % REPORT_LINES];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	line->time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	line->priority = priority;
	line->code = NULL;
	(void)snprintf(line->uuid, sizeof(line->uuid), "%s", uuid == NULL ? "" : uuid);
	line->prefix_bytes = prefix_bytes;
	memcpy(line->text, text, strlen(text) + 1);
	if (state.next++ == 0)
		state.start_us = line->time_us;
	return line;
}

static void say(int priority, const char *uuid, uint64_t luid, const char *text)
{
	if (priority == LOG_DEBUG && !state.debug)
		return;
	if (!state.journal)
		(void)fprintf(stderr, "dmclogd: %s\n", text);
	else if (uuid == NULL)
		(void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", priority, NULL);
	else
		(void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", priority,
				      "DMCLOGD_UUID=%s", uuid, "DMCLOGD_LUID=%" PRIx64, luid, NULL);
}

__attribute__((format(printf, 5, 0))) static void report_as(const char *code, int priority,
							    const char *uuid, uint64_t luid,
							    const char *format, va_list arguments)
{
	char text[LINE_BYTES];
	int used = 0;

	if (uuid != NULL)
		used = snprintf(text, sizeof(text), "%s: ", uuid);
	(void)vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	remember(priority, uuid, text, (uint32_t)used)->code = code;
	say(priority, uuid, luid, text);
}

void report(int priority, const char *uuid, uint64_t luid, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_as(NULL, priority, uuid, luid, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 5, 6))) static void report_coded(const char *code, int priority,
							       const char *uuid, uint64_t luid,
							       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_as(code, priority, uuid, luid, format, arguments);
	va_end(arguments);
}

static const char *errno_text(int status)
{
	return strerror(status < 0 ? -status : status);
}

/* Severity, code for programs and words of each event; the words are written by word_event(). */
static const char *event_code(enum core_event event)
{
	switch (event) {
	case EVENT_CTR_REFUSED:
		return "table-refused";
	case EVENT_OPENED:
		return "opened";
	case EVENT_OPEN_FAILED:
		return "open-failed";
	case EVENT_CLOSED:
		return "closed";
	case EVENT_CLOSE_FAILED:
		return "close-failed";
	case EVENT_WAITING_FOR_SLOT:
		return "waiting";
	case EVENT_DEVICE_FAILED:
		return "device-failed";
	case EVENT_DEVICE_RECOVERED:
		return "device-recovered";
	case EVENT_LEG_FAILED:
		return "leg-failed";
	case EVENT_LEG_FLUSH_FAILED:
		return "leg-flush-failed";
	case EVENT_REGION_LOST:
		return "region-lost";
	case EVENT_COPY_FAILED:
		return "copy-failed";
	case EVENT_IN_SYNC:
		return "in-sync";
	case EVENT_LEGS_UNREADABLE:
		return "legs-unreadable";
	case EVENT_REFUSED:
		return "refused";
	case EVENT_CONFLICT:
		return "conflict";
	case EVENT_UNKNOWN_PAST:
		return "unknown-past";
	case EVENT_KNOWN_PAST:
		return "known-past";
	}
	return NULL;
}

static int event_priority(enum core_event event)
{
	switch (event) {
	case EVENT_CTR_REFUSED:
	case EVENT_OPEN_FAILED:
	case EVENT_CLOSE_FAILED:
	case EVENT_DEVICE_FAILED:
	case EVENT_LEG_FAILED:
	case EVENT_LEG_FLUSH_FAILED:
	case EVENT_REFUSED:
	case EVENT_CONFLICT:
	case EVENT_WAITING_FOR_SLOT:
		return LOG_ERR;
	case EVENT_REGION_LOST:
	case EVENT_COPY_FAILED:
	case EVENT_LEGS_UNREADABLE:
	case EVENT_UNKNOWN_PAST:
		return LOG_WARNING;
	case EVENT_OPENED:
	case EVENT_CLOSED:
	case EVENT_DEVICE_RECOVERED:
	case EVENT_IN_SYNC:
	case EVENT_KNOWN_PAST:
		return LOG_NOTICE;
	}
	return LOG_ERR;
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
	report_coded(event_code(event->event), event_priority(event->event),
		     event->uuid[0] != '\0' ? event->uuid : NULL, event->luid, "%s", text);
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
	say(LOG_NOTICE, NULL, 0, text);
}

void report_recent(void)
{
	uint64_t count = state.next < REPORT_LINES ? state.next : REPORT_LINES;
	uint64_t first = state.next - count;
	char header[64];

	(void)snprintf(header, sizeof(header), "the last %u events:", (unsigned int)count);
	say(LOG_NOTICE, NULL, 0, header);
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
