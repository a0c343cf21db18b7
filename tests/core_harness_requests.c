/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's side of a core under test: requests, their answers, and the orders in which they usually come. */
#include "core_harness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void remember_memory(struct harness *harness, void *memory)
{
	uint32_t i = 0;

	while (i < HARNESS_LOGS_MAX && harness->memories[i] != NULL)
		i++;
	assert(i < HARNESS_LOGS_MAX);
	harness->memories[i] = memory;
}

static void *aligned_zeroed(size_t bytes)
{
	void *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	assert(memory != NULL);
	memset(memory, 0, bytes);
	return memory;
}

/* What a daemon of before left, where there is such. */
static void *kept_memory(struct harness *harness, uint64_t name, size_t bytes)
{
	struct harness_kept *free_one = NULL;

	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++) {
		struct harness_kept *kept = &harness->kept[i];

		if (kept->memory != NULL && kept->name == name && kept->bytes == bytes)
			return kept->memory;
		if (kept->memory == NULL)
			free_one = kept;
	}
	assert(free_one != NULL);
	*free_one = (struct harness_kept){ aligned_zeroed(bytes), name, bytes };
	return free_one->memory;
}

uint32_t harness_memory_count(const struct harness *harness)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < HARNESS_LOGS_MAX; i++)
		count += harness->memories[i] != NULL;
	return count;
}

uint32_t harness_ask_request(struct harness *harness, const struct request *request)
{
	struct request numbered = *request;
	struct input input = { .type = INPUT_REQUEST };
	uint64_t name;
	size_t bytes;

	numbered.seq = ++harness->seq;
	numbered.version = REQUEST_VERSION_MAX;
	if (numbered.uuid[0] == '\0')
		strcpy(numbered.uuid, harness->uuid);
	harness->asked[numbered.seq % HARNESS_ASKED_MAX] =
		(struct harness_asked){ .request = numbered };
	bytes = core_ctr_memory_bytes(harness->core, &numbered);
	input.request.request = &numbered;
	if (bytes > 0) {
		input.request.memory = aligned_zeroed(bytes);
		remember_memory(harness, input.request.memory);
	}
	bytes = core_ctr_kept_bytes(harness->core, &numbered, &name);
	if (bytes > 0)
		input.request.kept = kept_memory(harness, name, bytes);
	harness_input(harness, &input);
	return numbered.seq;
}

bool harness_resend_one(struct harness *harness)
{
	uint32_t seq = harness->seq < HARNESS_ASKED_MAX ? 1 : harness->seq - HARNESS_ASKED_MAX + 1;

	if (harness->resend_count == 0)
		return false;
	for (; seq <= harness->seq; seq++) {
		struct harness_asked *asked = &harness->asked[seq % HARNESS_ASKED_MAX];
		struct request request = asked->request;

		if (!asked->again || asked->next_seq != 0)
			continue;
		harness->resend_count--;
		asked->next_seq = harness->seq + 1;
		(void)harness_ask_request(harness, &request);
		return true;
	}
	assert(0); /* so many requests since that it is forgotten */
	return false;
}

uint32_t harness_ctr(struct harness *harness, uint64_t luid, const char *constructor)
{
	struct request request = { .type = REQUEST_CTR, .luid = luid };

	strcpy(request.constructor, constructor);
	return harness_ask_request(harness, &request);
}

uint32_t harness_ask(struct harness *harness, enum request_type type, uint64_t luid)
{
	struct request request = { .type = type, .luid = luid };

	return harness_ask_request(harness, &request);
}

uint32_t harness_ask_region(struct harness *harness, enum request_type type, uint64_t luid,
			    uint64_t region)
{
	struct request request = {
		.type = type, .luid = luid, .region_count = 1, .regions = { region }
	};

	return harness_ask_request(harness, &request);
}

const struct answer *harness_answer(const struct harness *harness, uint32_t seq)
{
	const struct harness_asked *asked = &harness->asked[seq % HARNESS_ASKED_MAX];
	const struct answer *found = NULL;

	if (asked->request.seq == seq && asked->again)
		return asked->next_seq == 0 ? NULL : harness_answer(harness, asked->next_seq);
	for (uint32_t i = 0; i < harness->answer_count; i++) {
		if (harness->answers[i].seq != seq)
			continue;
		assert(found == NULL); /* each request is answered once */
		found = &harness->answers[i];
	}
	return found;
}

bool harness_answered(const struct harness *harness, uint32_t seq, int error)
{
	const struct answer *answer = harness_answer(harness, seq);

	return answer != NULL && answer->error == error;
}

uint64_t harness_number(const struct harness *harness, uint32_t seq)
{
	const struct answer *answer = harness_answer(harness, seq);
	uint64_t number;

	assert(answer != NULL && answer->error == 0 && answer->payload_bytes >= sizeof(number));
	memcpy(&number, answer->payload, sizeof(number));
	return number;
}

void harness_open(struct harness *harness, uint64_t luid)
{
	(void)harness_ctr(harness, luid, HARNESS_DISK);
	(void)harness_ask(harness, REQUEST_RESUME, luid);
}

void harness_suspend(struct harness *harness, uint64_t luid)
{
	(void)harness_ask(harness, REQUEST_PRESUSPEND, luid);
	(void)harness_ask(harness, REQUEST_POSTSUSPEND, luid);
}

void harness_destroy(struct harness *harness, uint64_t luid)
{
	harness_suspend(harness, luid);
	(void)harness_ask(harness, REQUEST_DTR, luid);
}

uint32_t harness_write(struct harness *harness, uint64_t luid, uint64_t region)
{
	(void)harness_ask_region(harness, REQUEST_MARK, luid, region);
	return harness_ask(harness, REQUEST_FLUSH, luid);
}

struct core_log_status harness_status(const struct harness *harness)
{
	struct core_log_status status = { 0 };
	int r = core_log_status(harness->core, 0, &status);

	assert(r == 0);
	return status;
}
