/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes constructor_parse: what is accepted, written out plainly, parses to the same; what is
 * refused has a message of one printable line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constructor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void write_out(const struct constructor *constructor, char *text, size_t text_bytes)
{
	static const char *const options[] = { "", " sync", " nosync" };
	char device[32] = "core";

	if (constructor->type == LOG_TYPE_DISK)
		(void)snprintf(device, sizeof(device), "disk %" PRIu32 ":%" PRIu32,
			       constructor->log_major, constructor->log_minor);
	(void)snprintf(text, text_bytes, "%" PRIu64 " clustered-%s %" PRIu32 "%s",
		       constructor->device_sectors, device, constructor->region_sectors,
		       options[constructor->sync]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct constructor parsed, again;
	char message[160], written[160];
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	memset(message, 'z', sizeof(message));
	if (constructor_parse(text, &parsed, message, sizeof(message)) == 0) {
		uint64_t last = parsed.region_count - 1;

		expect(parsed.region_count >= 1 && parsed.region_count <= CONSTRUCTOR_REGIONS_MAX);
		expect(last * parsed.region_sectors < parsed.device_sectors);
		expect((parsed.device_sectors - 1) / parsed.region_sectors == last);
		write_out(&parsed, written, sizeof(written));
		expect(constructor_parse(written, &again, message, sizeof(message)) == 0);
		expect(again.type == parsed.type && again.sync == parsed.sync);
		expect(again.device_sectors == parsed.device_sectors);
		expect(again.region_sectors == parsed.region_sectors);
		expect(again.region_count == parsed.region_count);
		expect(again.log_major == parsed.log_major && again.log_minor == parsed.log_minor);
	} else {
		expect(memchr(message, '\0', sizeof(message)) != NULL);
		for (const char *c = message; *c; c++)
			expect(*c >= ' ' && *c <= '~');
	}
	free(text);
	return 0;
}
