/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes request_decode: what decodes must encode to a datagram that decodes to the same request,
 * and what is refused must leave the request alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
	if (!truth)
		abort();
}

/* Two requests are equal by their bytes but for the padding, which decoding sets as well. */
static void round_trip(const struct request *request)
{
	uint8_t bytes[REQUEST_DATAGRAM_MAX_BYTES];
	struct request again;
	int length_bytes = request_encode(request, bytes, sizeof(bytes));

	expect(length_bytes > 0);
	expect(request_encode(request, bytes, (size_t)length_bytes - 1) == -ENOSPC);
	memset(&again, 0xee, sizeof(again));
	expect(request_decode(bytes, (size_t)length_bytes, &again) == 0);
	expect(memcmp(&again, request, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request, before;
	int r;

	memset(&request, 0xee, sizeof(request));
	memcpy(&before, &request, sizeof(before));
	r = request_decode(data, size, &request);
	switch (r) {
	case 0:
		expect(request.region_count <= REQUEST_REGIONS_MAX);
		expect(strlen(request.uuid) < REQUEST_UUID_SIZE);
		expect(strlen(request.constructor) <= REQUEST_PAYLOAD_MAX_BYTES);
		expect(strcmp(request_type_name(request.type), "unknown") != 0);
		round_trip(&request);
		break;
	case -EPROTONOSUPPORT:
	case -ENOTSUP:
		expect(request.type == 0 && request.uuid[0] == '\0');
		break;
	case -ENOMSG:
	case -EMSGSIZE:
	case -EBADMSG:
		expect(memcmp(&request, &before, sizeof(request)) == 0);
		break;
	default:
		abort();
	}
	return 0;
}
