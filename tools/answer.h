/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of an answer, with defaults: what the daemon does not tell is nothing; an older one may know less. */
#ifndef DMCLOG_ANSWER_H
#define DMCLOG_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json_object.h>

/* NULL, "", 0, false where there is none; `object` may be NULL.  All belongs to the answer. */
struct json_object *answer_get(const struct json_object *object, const char *name);
const char *answer_text(const struct json_object *object, const char *name);
uint64_t answer_number(const struct json_object *object, const char *name);
bool answer_flag(const struct json_object *object, const char *name);

/* Of an array; 0 of anything else. */
size_t answer_count(const struct json_object *array);

#endif
