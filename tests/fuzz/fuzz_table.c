/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the parsers for dm-mirror's table and status lines: any string; what is accepted must be within its limits.
 *
 * Built from source in one go, so the parsers' file is included: it is not one of the pure files that every fuzzer links.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "daemon/table_parse.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	struct table_mirror mirror;
	struct table_status status;
	char *text = malloc(size_bytes + 1);

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	if (table_parse_mirror(text, &mirror) == 0) {
		assert(mirror.leg_count >= 1 && mirror.leg_count <= CORE_LEGS_MAX);
		assert(memchr(mirror.uuid, '\0', sizeof(mirror.uuid)) != NULL);
		assert(mirror.uuid[0] != '\0');
		for (uint32_t i = 0; i < mirror.leg_count; i++)
			assert(mirror.legs[i].offset_sectors <= INT64_MAX / 512);
	}
	if (table_parse_status(text, &status) == 0) {
		assert(status.leg_count >= 1 && status.leg_count <= CORE_LEGS_MAX);
		for (uint32_t i = 0; i < status.leg_count; i++)
			assert(strchr("AFDSRU", status.letters[i]) != NULL &&
			       status.letters[i] != '\0');
	}
	free(text);
	return 0;
}
