/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table line of a mirror, taken apart: see plan_parse() in mirror_plan.h. */
#include "tools/mirror_plan.h"

#include <errno.h>
#include <string.h>

static char *word_next(char **rest)
{
	char *word;

	do
		word = strsep(rest, " ");
	while (word != NULL && *word == '\0');
	return word;
}

static bool number_of(const char *word, uint64_t most, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (word == NULL || *word == '\0')
		return false;
	for (; *word != '\0'; word++) {
		uint64_t digit = (uint64_t)(*word - '0');

		if (*word < '0' || *word > '9' || digit > most || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static bool device_of(char *word, uint32_t *ret_major, uint32_t *ret_minor)
{
	uint64_t major, minor;
	char *first = strsep(&word, ":");

	if (word == NULL || !number_of(first, UINT32_MAX, &major) ||
	    !number_of(word, UINT32_MAX, &minor))
		return false;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return true;
}

static bool take_region(struct mirror_plan *plan, char *word)
{
	uint64_t region;

	if (!number_of(word, UINT32_MAX, &region) || region == 0)
		return false;
	plan->region_sectors = (uint32_t)region;
	return true;
}

/* Of the log's words the first ones; the others are options. */
static int take_log(struct mirror_plan *plan, char **words, uint64_t count)
{
	if (plan->log == PLAN_KERNEL_DISK)
		return count >= 2 && device_of(words[0], &plan->log_major, &plan->log_minor) &&
				       take_region(plan, words[1]) ?
			       0 :
			       -EINVAL;
	if (count < 2 || strlen(words[0]) >= sizeof(plan->mirror.uuid))
		return -EINVAL;
	memcpy(plan->mirror.uuid, words[0], strlen(words[0]) + 1);
	words++;
	count--;
	if (strcmp(words[0], "integrated_flush") == 0) {
		words++;
		count--;
	}
	if (count >= 3 &&
	    (strcmp(words[0], "clustered-disk") == 0 || strcmp(words[0], "clustered_disk") == 0)) {
		plan->log = PLAN_CLUSTERED_DISK;
		return device_of(words[1], &plan->log_major, &plan->log_minor) &&
				       take_region(plan, words[2]) ?
			       0 :
			       -EINVAL;
	}
	if (count >= 2 &&
	    (strcmp(words[0], "clustered-core") == 0 || strcmp(words[0], "clustered_core") == 0))
		return take_region(plan, words[1]) ? 0 : -EINVAL;
	return -EINVAL;
}

static int take_legs(struct mirror_plan *plan, char **rest)
{
	uint64_t count, offset;

	if (!number_of(word_next(rest), UINT32_MAX, &count) || count == 0)
		return -EINVAL;
	if (count > CORE_LEGS_MAX)
		return -E2BIG;
	plan->mirror.leg_count = (uint32_t)count;
	for (uint32_t i = 0; i < plan->mirror.leg_count; i++) {
		struct table_leg *leg = &plan->mirror.legs[i];
		char *device = word_next(rest);

		if (device == NULL || !device_of(device, &leg->major, &leg->minor) ||
		    !number_of(word_next(rest), UINT64_MAX, &offset))
			return -EINVAL;
		leg->offset_sectors = offset;
	}
	return 0;
}

int plan_parse(const char *line, struct mirror_plan *ret_plan)
{
	struct mirror_plan plan = { 0 };
	char copy[PLAN_LINE_BYTES], *rest = copy, *words[8], *type;
	uint64_t count;
	int r;

	if (strlen(line) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, line, strlen(line) + 1);
	type = word_next(&rest);
	if (type == NULL)
		return -EINVAL;
	if (strcmp(type, "disk") == 0)
		plan.log = PLAN_KERNEL_DISK;
	else if (strcmp(type, "userspace") == 0)
		plan.log = PLAN_CLUSTERED_CORE;
	else
		return -ENOMSG;
	if (!number_of(word_next(&rest), sizeof(words) / sizeof(words[0]), &count))
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++)
		if ((words[i] = word_next(&rest)) == NULL)
			return -EINVAL;
	r = take_log(&plan, words, count);
	if (r == 0)
		r = take_legs(&plan, &rest);
	if (r == 0)
		*ret_plan = plan;
	return r;
}
