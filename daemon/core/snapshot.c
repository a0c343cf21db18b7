/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a log's regions on its way to those who lack it.
 *
 * Its point in the order is the message that made it necessary (a JOIN, OPENED, a departure): there the oldest member
 * that has the state multicasts all of it, and those who lack it forget what they had.  Pieces carry the number of the
 * transfer; when another one begins, what is left of the old one is dropped by all.  Memory: none here; a random bitmap of
 * 16 Mi regions is 2 MiB in 129 messages, one in sync a few bytes.  All pieces are multicast in one go.
 *
 * A piece is u8 section, then:
 *   HEAD     u64 losses, u64 durable, u8[16] id and u64 generation of the superblock, u64 slot offset, u64 slot bytes,
 *            u32 slot count, u32 granularity, 32 u64 reporters
 *   WINDOW   u32 claimer, u32 number, u32 region count, u8 granted, u64 unanswered, inside, locked, refused, spoiled; regions
 *   OUT, LOST, REPORTED  words (words_codec.h)
 *   HOLDS    u8 member, words of what it holds by messages
 */
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "core_private.h"
#include "plant.h"
#include "words_codec.h"

enum section {
	SECTION_HEAD = 1,
	SECTION_WINDOW,
	SECTION_OUT,
	SECTION_LOST,
	SECTION_REPORTED,
	SECTION_HOLDS
};

static uint64_t words_of(const struct bitmap *bitmap)
{
	return (bitmap->bits + 63) / 64;
}

/* ---- sending ---- */

static void send(struct core *core, struct log *log, uint64_t transfer, const struct writer *writer,
		 bool last)
{
	struct group_message message = { .type = MESSAGE_SNAPSHOT,
					 .number = transfer,
					 .last = last,
					 .data = writer->bytes,
					 .data_bytes = writer->used };

	multicast(core, log, &message);
}

static void send_head(struct core *core, struct log *log, uint64_t transfer, uint8_t *bytes)
{
	struct writer writer = { .bytes = bytes, .size = MESSAGE_DATA_MAX_BYTES };
	const struct replicated *state = &log->replicated;

	put_number(&writer, SECTION_HEAD, 1);
	put_number(&writer, state->losses, 8);
	put_number(&writer, state->durable, 8);
	put_field(&writer, state->id, DISK_ID_BYTES);
	put_number(&writer, state->generation, 8);
	put_number(&writer, state->layout.slot_offset_bytes, 8);
	put_number(&writer, state->layout.slot_bytes, 8);
	put_number(&writer, state->layout.slot_count, 4);
	put_number(&writer, state->layout.granularity, 4);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		put_number(&writer, state->reporter[i], 8);
	send(core, log, transfer, &writer, false);
}

static void send_windows(struct core *core, struct log *log, uint64_t transfer, uint8_t *bytes)
{
	for (uint32_t w = 0; w < WINDOWS_MAX; w++) {
		const struct window *window = &log->replicated.windows[w];
		struct writer writer = { .bytes = bytes, .size = MESSAGE_DATA_MAX_BYTES };

		if (!window->used || PLANTED(PLANT_SNAPSHOT_NO_WINDOWS))
			continue;
		put_number(&writer, SECTION_WINDOW, 1);
		put_number(&writer, window->claimer, 4);
		put_number(&writer, window->number, 4);
		put_number(&writer, window->region_count, 4);
		put_number(&writer, window->granted, 1);
		put_number(&writer, window->unanswered, 8);
		put_number(&writer, window->inside, 8);
		put_number(&writer, window->locked, 8);
		put_number(&writer, window->refused, 8);
		put_number(&writer, window->spoiled, 8);
		for (uint32_t i = 0; i < window->region_count; i++)
			put_number(&writer, window->regions[i], 8);
		send(core, log, transfer, &writer, false);
	}
}

/* Who receives it begins with all zeroes. */
static void send_bitmap(struct core *core, struct log *log, uint64_t transfer, uint8_t *bytes,
			enum section section, uint32_t member, const struct bitmap *bitmap)
{
	uint64_t cursor = 0;

	while (cursor < words_of(bitmap) && bitmap->count > 0) {
		struct writer writer = { .bytes = bytes, .size = MESSAGE_DATA_MAX_BYTES };

		put_number(&writer, section, 1);
		if (section == SECTION_HOLDS)
			put_number(&writer, member, 1);
		writer.used += (uint32_t)words_encode_set(bitmap->words, words_of(bitmap), &cursor,
							  bytes + writer.used,
							  writer.size - writer.used);
		send(core, log, transfer, &writer, false);
	}
}

static void snapshot_send(struct core *core, struct log *log, uint64_t transfer)
{
	uint8_t bytes[MESSAGE_DATA_MAX_BYTES];
	struct writer nothing = { .bytes = bytes };

	send_head(core, log, transfer, bytes);
	send_windows(core, log, transfer, bytes);
	send_bitmap(core, log, transfer, bytes, SECTION_OUT, 0, &log->replicated.out);
	send_bitmap(core, log, transfer, bytes, SECTION_LOST, 0, &log->replicated.lost);
	send_bitmap(core, log, transfer, bytes, SECTION_REPORTED, 0, &log->replicated.reported);
	for (uint32_t i = 0; i < CORE_NODES_MAX && !PLANTED(PLANT_SNAPSHOT_NO_HOLDS); i++)
		send_bitmap(core, log, transfer, bytes, SECTION_HOLDS, i,
			    &log->replicated.holds[i]);
	send(core, log, transfer, &nothing, true);
}

void snapshot_begin(struct core *core, struct entry *entry, uint32_t sender)
{
	struct log *log = log_find(core, &entry->name);
	const struct member *me = member_find(entry, core->config.node_id);

	if (log == NULL || me == NULL)
		return;
	if (sender == core->config.node_id) {
		if (log->has_state)
			snapshot_send(core, log, entry->transfer);
		return;
	}
	if (me->has_state)
		return;
	membership_lost(core, log);
	log->importing = true;
	log->import_failed = false;
	catch_up_begin(&log->catch_up);
	state_clear(log);
}

/* ---- receiving ---- */

static bool take_head(struct log *log, struct reader *reader)
{
	struct replicated *state = &log->replicated;

	state->losses = get_number(reader, 8);
	state->durable = get_number(reader, 8);
	if (state->losses > state->durable)
		bitmap_set_all(&log->undurable); /* which, the snapshot does not tell */
	get_field(reader, state->id, DISK_ID_BYTES);
	state->generation = get_number(reader, 8);
	state->layout.slot_offset_bytes = get_number(reader, 8);
	state->layout.slot_bytes = get_number(reader, 8);
	state->layout.slot_count = (uint32_t)get_number(reader, 4);
	state->layout.granularity = (uint32_t)get_number(reader, 4);
	for (uint32_t i = 0; i < CORE_NODES_MAX; i++)
		state->reporter[i] = get_number(reader, 8);
	return log->type == LOG_TYPE_CORE || layout_fits(log, &state->layout);
}

static bool take_window(struct log *log, struct reader *reader)
{
	struct replicated *state = &log->replicated;
	struct window *window = &state->windows[state->windows_used];

	if (state->windows_used == WINDOWS_MAX)
		return false;
	*window = (struct window){ .used = true };
	window->claimer = (uint32_t)get_number(reader, 4);
	window->number = (uint32_t)get_number(reader, 4);
	window->region_count = (uint32_t)get_number(reader, 4);
	window->granted = get_number(reader, 1) != 0;
	window->unanswered = get_number(reader, 8);
	window->inside = get_number(reader, 8);
	window->locked = get_number(reader, 8);
	window->refused = get_number(reader, 8);
	window->spoiled = get_number(reader, 8);
	if (window->region_count > WINDOW_REGIONS_MAX) {
		window->used = false;
		return false;
	}
	for (uint32_t i = 0; i < window->region_count; i++) {
		uint64_t region = get_number(reader, 8);

		window->regions[i] = region;
		if (region >= log->region_count)
			return false;
		if ((window->inside >> i) & 1)
			(void)bitmap_set(&state->claimed, region);
		if ((window->locked >> i) & 1)
			(void)bitmap_set(&log->windowed, region);
	}
	state->windows_used++;
	return true;
}

static void take_words(void *context, uint64_t first_word, uint64_t count, uint64_t word)
{
	struct bitmap *bitmap = context;

	for (uint64_t w = first_word; word != 0 && w < first_word + count; w++)
		bitmap_put_word(bitmap, w, word);
}

static bool take_bitmap(struct bitmap *bitmap, const struct reader *reader)
{
	return words_decode(reader->bytes + reader->used, reader->size - reader->used,
			    words_of(bitmap), take_words, bitmap) == 0;
}

static bool take_piece(struct log *log, struct reader *reader)
{
	uint64_t section = get_number(reader, 1);
	uint64_t member;

	switch (section) {
	case SECTION_HEAD:
		return take_head(log, reader);
	case SECTION_WINDOW:
		return take_window(log, reader);
	case SECTION_OUT:
		return take_bitmap(&log->replicated.out, reader);
	case SECTION_LOST:
		return take_bitmap(&log->replicated.lost, reader);
	case SECTION_REPORTED:
		return take_bitmap(&log->replicated.reported, reader);
	case SECTION_HOLDS:
		member = get_number(reader, 1);
		return member < CORE_NODES_MAX &&
		       take_bitmap(&log->replicated.holds[member], reader);
	default:
		return false;
	}
}

void snapshot_take(struct core *core, struct entry *entry, const struct group_message *message)
{
	struct log *log = log_find(core, &entry->name);
	struct reader reader = { .bytes = message->data, .size = message->data_bytes };

	if (log == NULL || !log->importing || message->last)
		return;
	/* Bytes of a peer: what does not fit makes this node fetch again. */
	if (!take_piece(log, &reader) || reader.short_of)
		log->import_failed = true;
}

void snapshot_taken(struct core *core, struct entry *entry)
{
	struct log *log = log_find(core, &entry->name);

	if (log == NULL || !log->importing)
		return;
	log->importing = false;
	if (log->catch_up.overflow || log->import_failed) {
		log->rejoin_wanted = true; /* its JOIN makes the others send it again */
		return;
	}
	log->has_state = true;
	catch_up_log(core, log);
	membership_imported(core, log);
}
