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

/* Decoding sets the padding of the struct as well, so equal requests have equal bytes. */
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

static void try_datagram(const uint8_t *bytes, size_t length_bytes)
{
	struct request request, before;

	memset(&request, 0xee, sizeof(request));
	memcpy(&before, &request, sizeof(before));
	switch (request_decode(bytes, length_bytes, &request)) {
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
}

/* Makes the three lengths agree with the size, which a fuzzer does not guess together. */
static void lengths_repair(uint8_t *bytes, size_t length_bytes)
{
	const uint32_t nl_bytes = (uint32_t)length_bytes;
	const uint16_t cn_bytes = (uint16_t)(length_bytes - 36);
	const uint32_t data_bytes = (uint32_t)length_bytes - 196;

	memcpy(bytes, &nl_bytes, sizeof(nl_bytes));
	memcpy(bytes + 32, &cn_bytes, sizeof(cn_bytes));
	memcpy(bytes + 192, &data_bytes, sizeof(data_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_datagram(data, size);
	if (size >= 196 && size < 4096) {
		uint8_t *repaired = malloc(size);

		memcpy(repaired, data, size);
		lengths_repair(repaired, size);
		try_datagram(repaired, size);
		free(repaired);
	}
	return 0;
}
