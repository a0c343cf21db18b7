/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dmclogd tells people: lines on stderr, or entries with fields in the journal when stderr leads there.
 *
 * The last lines are kept, debug lines included, for SIGUSR2.  Main thread only.
 */
#ifndef DMCLOGD_REPORT_H
#define DMCLOGD_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "core.h"
#include "daemon/service.h"
#include "news.h"

/* Decides between stderr and journal (JOURNAL_STREAM, as sd-journal documents it). */
void report_init(bool debug);

/* Says one line; `priority` is LOG_ERR (somebody must act), LOG_WARNING (degraded), LOG_NOTICE, LOG_INFO or LOG_DEBUG. `uuid`
 * may be NULL. */
__attribute__((format(printf, 4, 5))) void report(int priority, const char *uuid, uint64_t luid,
						  const char *format, ...);

/* Are debug lines wanted?  Asked before a line is put together on the way of every request. */
bool report_debug(void);

/* The same about the node, as loud as its kind is, and explained by the journal's catalogue. */
__attribute__((format(printf, 2, 3))) void report_news(enum news news, const char *format, ...);

/* Words an event of the core. */
void report_event(const struct effect_event *event);

/* What was counted, and every log's state, at LOG_NOTICE. */
void report_state(const struct core *core, const struct service_counters *counters);

/* The recent lines. */
void report_recent(void);

/* ---- for programs ---- */

/* So many lines are kept. */
#define REPORT_LINES 256

struct report_line {
	uint64_t time_us; /* of the wall clock */
	int priority;
	const char *code; /* of an event of the core or of news, or NULL */
	const char *uuid; /* "": of no log */
	const char *text; /* without the uuid */
};                        /* valid until the next line comes */

/* Lines are numbered from 0.  Returns the number of the next one; *ret_start_us tells this daemon from an earlier one. */
uint64_t report_next(uint64_t *ret_start_us);
/* False: there is no such line yet, or it is not kept any more. */
bool report_line_get(uint64_t number, struct report_line *ret_line);

#endif
