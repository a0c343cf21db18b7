/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of an answer, with defaults: see answer.h. */
#include "tools/answer.h"

struct json_object *answer_get(const struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(object, name, &value);
	return value;
}

const char *answer_text(const struct json_object *object, const char *name)
{
	struct json_object *value = answer_get(object, name);

	return value == NULL ? "" : json_object_get_string(value);
}

uint64_t answer_number(const struct json_object *object, const char *name)
{
	return json_object_get_uint64(answer_get(object, name));
}

bool answer_flag(const struct json_object *object, const char *name)
{
	return json_object_get_boolean(answer_get(object, name));
}

size_t answer_count(const struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}
