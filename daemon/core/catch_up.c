/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is delivered behind the point of a snapshot, kept until the snapshot has been read, and applied then.
 *
 * Bounded: when it does not fit, `overflow` says so, and who fetches begins anew.  A record is u32 length of the message,
 * u32 kind (0: a message; else 1 + enum member_news), u64 what the directory knew of it at its place in the order, then the
 * message as it goes over the wire.
 */
#include <assert.h>

#include "bytes.h"
#include "core_private.h"
#include "plant.h"

#define RECORD_HEADER_BYTES 16

static void keep(struct catch_up *catch_up, uint32_t kind, uint64_t extra,
		 const struct group_message *message)
{
	struct writer writer = { .bytes = catch_up->bytes,
				 .size = catch_up->size_bytes,
				 .used = catch_up->used_bytes };
	int length = 0;

	if (catch_up->overflow || writer.size - writer.used < RECORD_HEADER_BYTES) {
		catch_up->overflow = true;
		return;
	}
	if (message != NULL)
		length = group_message_encode(message,
					      writer.bytes + writer.used + RECORD_HEADER_BYTES,
					      writer.size - writer.used - RECORD_HEADER_BYTES);
	if (length < 0) {
		catch_up->overflow = true;
		return;
	}
	put_number(&writer, (uint32_t)length, 4);
	put_number(&writer, kind, 4);
	put_number(&writer, extra, 8);
	catch_up->used_bytes = writer.used + (uint32_t)length;
}

void catch_up_begin(struct catch_up *catch_up)
{
	catch_up->used_bytes = 0;
	catch_up->overflow = false;
}

void catch_up_keep(struct catch_up *catch_up, const struct group_message *message, uint64_t members)
{
	if (!PLANTED(PLANT_CATCH_UP_DROPPED))
		keep(catch_up, 0, members, message);
}

void catch_up_keep_news(struct catch_up *catch_up, enum member_news news, uint32_t member,
			uint32_t node_id)
{
	keep(catch_up, 1 + (uint32_t)news, (uint64_t)node_id << 32 | member, NULL);
}

/* The next record; its message is empty when it is news of a member. */
static bool next(struct reader *reader, uint32_t *ret_kind, uint64_t *ret_extra,
		 struct group_message *ret_message)
{
	uint32_t length;
	int r;

	if (reader->used == reader->size)
		return false;
	length = (uint32_t)get_number(reader, 4);
	*ret_kind = (uint32_t)get_number(reader, 4);
	*ret_extra = get_number(reader, 8);
	if (*ret_kind == 0) {
		r = group_message_decode(reader->bytes + reader->used, length, ret_message);
		assert(r == (int)length); /* we have written it ourselves */
	}
	reader->used += length;
	return true;
}

void catch_up_group(struct core *core)
{
	const struct catch_up *catch_up = &core->local.catch_up;
	struct reader reader = { .bytes = catch_up->bytes, .size = catch_up->used_bytes };
	struct group_message message;
	uint64_t extra;
	uint32_t kind;

	while (next(&reader, &kind, &extra, &message))
		group_apply(core, &message);
}

void catch_up_log(struct core *core, struct log *log)
{
	struct reader reader = { .bytes = log->catch_up.bytes, .size = log->catch_up.used_bytes };
	struct group_message message;
	uint64_t extra;
	uint32_t kind;

	while (next(&reader, &kind, &extra, &message)) {
		if (kind == 0)
			state_apply(core, log, &message, extra);
		else
			state_member_apply(core, log, (enum member_news)(kind - 1), (uint32_t)extra,
					   (uint32_t)(extra >> 32));
	}
	catch_up_begin(&log->catch_up);
}
