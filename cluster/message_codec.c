/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a message of the group.
 *
 * Invariant: one table says which fields a type has, and both directions walk it, so that what decodes encodes to the
 * same bytes; no byte is read before a length that was checked says that it is there.  Pure: no state, no owner.
 *
 * include/group_message.h has the layout, byte by byte.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "constructor.h"
#include "group_message.h"

#define HEADER_BYTES 16
/* The two at the front, without which nothing can be said about a message. */
#define LENGTH_VERSION_BYTES 6
#define UUID_MAX_BYTES (REQUEST_UUID_SIZE - 1)

/* Who raises one of them must teach both directions to speak each version. */
static_assert(MESSAGE_VERSION_LOWEST == 1 && MESSAGE_VERSION_HIGHEST == 1, "one version");
static_assert(MESSAGE_TYPES == 28, "a new type needs a line in types[], and another version");
static_assert(UUID_MAX_BYTES <= UINT8_MAX && WINDOW_REGIONS_MAX <= UINT8_MAX, "one byte each");
/* The whole of all fields, if one type had them. */
static_assert(HEADER_BYTES + 25 + UUID_MAX_BYTES + 8 + 8 + 4 + 4 + 4 + 8 + 16 + 20 +
			      2 * MESSAGE_ID_BYTES + 1 + 8 * WINDOW_REGIONS_MAX + 4 +
			      MESSAGE_DATA_MAX_BYTES <=
		      MESSAGE_BYTES_MAX,
	      "no message is longer");

/* ---- what is in a message ---- */

enum {
	HAS_LOG = 1 << 0,
	HAS_LUID = 1 << 1,
	HAS_NUMBER = 1 << 2,
	HAS_NODE = 1 << 3,
	HAS_WINDOW = 1 << 4,
	HAS_CLAIMER = 1 << 5,
	HAS_MASK = 1 << 6,
	HAS_SPEAKER = 1 << 7,
	HAS_PAST = 1 << 8,
	HAS_BOOT_ID = 1 << 9,
	HAS_MACHINE_ID = 1 << 10,
	HAS_REGIONS = 1 << 11,
	HAS_DATA = 1 << 12,
};

enum {
	FLAG_REPORTED = 1 << 0,
	FLAG_LEGS_FAILED = 1 << 1,
	FLAG_SLOT_FREED = 1 << 2,
	FLAG_CLOSED = 1 << 3,
	FLAG_PAUSED = 1 << 4,
	FLAG_LAST = 1 << 5,
	FLAG_FRESH = 1 << 6,
	FLAG_STATELESS = 1 << 7,
	FLAG_FLUSH_FAILED = 1 << 8,
	FLAG_DEVICE_FAILED = 1 << 9,
	FLAG_EVERYTHING = 1 << 10,
};

struct type {
	uint32_t fields;
	uint32_t flags;
};

static const struct type types[MESSAGE_TYPES] = {
	[MESSAGE_HELLO] = { HAS_NUMBER | HAS_MASK | HAS_SPEAKER | HAS_PAST | HAS_BOOT_ID |
				    HAS_MACHINE_ID,
			    FLAG_FRESH },
	[MESSAGE_EPOCH] = { HAS_NUMBER | HAS_PAST, 0 },
	[MESSAGE_DIRECTORY] = { HAS_NUMBER | HAS_DATA, FLAG_LAST },
	[MESSAGE_STOPPED] = { HAS_NODE | HAS_BOOT_ID, 0 },
	[MESSAGE_JOIN] = { HAS_LOG | HAS_LUID | HAS_NUMBER,
			   FLAG_FRESH | FLAG_CLOSED | FLAG_STATELESS | FLAG_EVERYTHING },
	[MESSAGE_OPENED] = { HAS_LOG | HAS_NUMBER | HAS_DATA, 0 },
	[MESSAGE_LEAVING] = { HAS_LOG | HAS_LUID, 0 },
	[MESSAGE_LEAVE] = { HAS_LOG | HAS_LUID, FLAG_SLOT_FREED | FLAG_CLOSED },
	[MESSAGE_UNFOLLOW] = { HAS_LOG, 0 },
	[MESSAGE_GONE] = { HAS_LOG, 0 },
	[MESSAGE_MERGED] = { HAS_LOG | HAS_NUMBER | HAS_NODE, 0 },
	[MESSAGE_SNAPSHOT] = { HAS_LOG | HAS_NUMBER | HAS_DATA, FLAG_LAST },
	[MESSAGE_LOST] = { HAS_LOG | HAS_LUID | HAS_REGIONS | HAS_DATA, FLAG_REPORTED },
	[MESSAGE_DURABLE] = { HAS_LOG | HAS_NUMBER, 0 },
	[MESSAGE_CLAIM] = { HAS_LOG | HAS_WINDOW | HAS_REGIONS, 0 },
	[MESSAGE_CLAIM_ANSWER] = { HAS_LOG | HAS_WINDOW | HAS_CLAIMER | HAS_MASK, 0 },
	[MESSAGE_SYNCED] = { HAS_LOG | HAS_WINDOW | HAS_MASK, 0 },
	[MESSAGE_RETURN] = { HAS_LOG | HAS_WINDOW | HAS_MASK, 0 },
	[MESSAGE_VOID] = { HAS_LOG | HAS_WINDOW | HAS_MASK, 0 },
	[MESSAGE_HEALTH] = { HAS_LOG | HAS_LUID,
			     FLAG_LEGS_FAILED | FLAG_FLUSH_FAILED | FLAG_DEVICE_FAILED },
	[MESSAGE_HOLD] = { HAS_LOG | HAS_NUMBER | HAS_REGIONS, 0 },
	[MESSAGE_CONFIRM] = { HAS_LOG | HAS_NUMBER | HAS_NODE, 0 },
	[MESSAGE_RELEASE] = { HAS_LOG | HAS_REGIONS, 0 },
	[MESSAGE_CONTROL] = { HAS_LOG | HAS_NUMBER, FLAG_PAUSED },
	[MESSAGE_CALL] = { HAS_MASK, 0 },
	[MESSAGE_ENTER] = { HAS_NUMBER, 0 },
	[MESSAGE_HEARD] = { HAS_NUMBER | HAS_NODE, 0 },
};

enum field_kind {
	FIELD_INTEGER,
	FIELD_ID,
	FIELD_UUID,
	FIELD_REGIONS,
	FIELD_DATA,
};

/* Where a field is in the struct; the order is that of the wire. */
struct field {
	uint32_t has;
	enum field_kind kind;
	size_t offset; /* FIELD_INTEGER, FIELD_ID */
	size_t size_bytes;
};

#define PLACE(member) \
	offsetof(struct group_message, member), sizeof(((struct group_message *)NULL)->member)

static const struct field fields[] = {
	{ HAS_LOG, FIELD_INTEGER, PLACE(log.log_type) },
	{ HAS_LOG, FIELD_INTEGER, PLACE(log.region_sectors) },
	{ HAS_LOG, FIELD_INTEGER, PLACE(log.device_sectors) },
	{ HAS_LOG, FIELD_INTEGER, PLACE(log.log_major) },
	{ HAS_LOG, FIELD_INTEGER, PLACE(log.log_minor) },
	{ HAS_LOG, FIELD_UUID, PLACE(log.uuid) },
	{ HAS_LUID, FIELD_INTEGER, PLACE(luid) },
	{ HAS_NUMBER, FIELD_INTEGER, PLACE(number) },
	{ HAS_NODE, FIELD_INTEGER, PLACE(node) },
	{ HAS_WINDOW, FIELD_INTEGER, PLACE(window) },
	{ HAS_CLAIMER, FIELD_INTEGER, PLACE(claimer) },
	{ HAS_MASK, FIELD_INTEGER, PLACE(mask) },
	{ HAS_SPEAKER, FIELD_INTEGER, PLACE(version_lowest) },
	{ HAS_SPEAKER, FIELD_INTEGER, PLACE(version_highest) },
	{ HAS_SPEAKER, FIELD_INTEGER, PLACE(incarnation) },
	{ HAS_PAST, FIELD_INTEGER, PLACE(epoch) },
	{ HAS_PAST, FIELD_INTEGER, PLACE(leader) },
	{ HAS_PAST, FIELD_INTEGER, PLACE(views) },
	{ HAS_BOOT_ID, FIELD_ID, PLACE(boot_id) },
	{ HAS_MACHINE_ID, FIELD_ID, PLACE(machine_id) },
	{ HAS_REGIONS, FIELD_REGIONS, PLACE(regions) },
	{ HAS_DATA, FIELD_DATA, PLACE(data) },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

struct flag {
	uint32_t bit;
	size_t offset; /* of a bool in the struct */
};

static const struct flag flags[] = {
	{ FLAG_REPORTED, offsetof(struct group_message, reported) },
	{ FLAG_LEGS_FAILED, offsetof(struct group_message, legs_failed) },
	{ FLAG_SLOT_FREED, offsetof(struct group_message, slot_freed) },
	{ FLAG_CLOSED, offsetof(struct group_message, closed) },
	{ FLAG_PAUSED, offsetof(struct group_message, paused) },
	{ FLAG_LAST, offsetof(struct group_message, last) },
	{ FLAG_FRESH, offsetof(struct group_message, fresh) },
	{ FLAG_STATELESS, offsetof(struct group_message, stateless) },
	{ FLAG_EVERYTHING, offsetof(struct group_message, everything) },
	{ FLAG_DEVICE_FAILED, offsetof(struct group_message, device_failed) },
	{ FLAG_FLUSH_FAILED, offsetof(struct group_message, flush_failed) },
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static bool log_type_is_known(uint32_t log_type)
{
	return log_type == LOG_TYPE_CORE || log_type == LOG_TYPE_DISK;
}

/* ---- struct to bytes ---- */

struct writer {
	uint8_t *at;
};

static void put_le(struct writer *writer, uint64_t value, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		*writer->at++ = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length_bytes)
{
	if (length_bytes > 0) /* bytes may be NULL */
		memcpy(writer->at, bytes, length_bytes);
	writer->at += length_bytes;
}

/* The integer of 4 or 8 bytes at that place of the struct. */
static uint64_t integer_load(const uint8_t *place, size_t size_bytes)
{
	uint64_t u64;
	uint32_t u32;

	if (size_bytes == sizeof(u64)) {
		memcpy(&u64, place, sizeof(u64));
		return u64;
	}
	assert(size_bytes == sizeof(u32));
	memcpy(&u32, place, sizeof(u32));
	return u32;
}

static uint32_t flags_load(const struct group_message *message, uint32_t known)
{
	uint32_t bits = 0;
	bool value;

	for (size_t i = 0; i < FLAG_COUNT; i++) {
		memcpy(&value, (const uint8_t *)message + flags[i].offset, sizeof(value));
		if (value)
			bits |= flags[i].bit & known;
	}
	return bits;
}

/* Asserts what must be true of a field that is sent, and tells how long it will be. */
static size_t field_measure(const struct field *field, const struct group_message *message)
{
	size_t uuid_bytes;

	switch (field->kind) {
	case FIELD_INTEGER:
	case FIELD_ID:
		return field->size_bytes;
	case FIELD_UUID:
		uuid_bytes = strnlen(message->log.uuid, REQUEST_UUID_SIZE);
		assert(uuid_bytes > 0 && uuid_bytes <= UUID_MAX_BYTES);
		assert(log_type_is_known(message->log.log_type));
		return 1 + uuid_bytes;
	case FIELD_REGIONS:
		assert(message->region_count <= WINDOW_REGIONS_MAX);
		return 1 + sizeof(uint64_t) * message->region_count;
	case FIELD_DATA:
		assert(message->data_bytes <= MESSAGE_DATA_MAX_BYTES);
		assert(message->data != NULL || message->data_bytes == 0);
		return 4 + message->data_bytes;
	}
	return 0;
}

static void field_put(struct writer *writer, const struct field *field,
		      const struct group_message *message)
{
	const uint8_t *place = (const uint8_t *)message + field->offset;
	size_t uuid_bytes;

	switch (field->kind) {
	case FIELD_INTEGER:
		put_le(writer, integer_load(place, field->size_bytes), field->size_bytes);
		break;
	case FIELD_ID:
		put_bytes(writer, place, field->size_bytes);
		break;
	case FIELD_UUID:
		uuid_bytes = strnlen(message->log.uuid, REQUEST_UUID_SIZE);
		put_le(writer, uuid_bytes, 1);
		put_bytes(writer, message->log.uuid, uuid_bytes);
		break;
	case FIELD_REGIONS:
		put_le(writer, message->region_count, 1);
		for (uint32_t i = 0; i < message->region_count; i++)
			put_le(writer, message->regions[i], sizeof(uint64_t));
		break;
	case FIELD_DATA:
		put_le(writer, message->data_bytes, 4);
		put_bytes(writer, message->data, message->data_bytes);
		break;
	}
}

int group_message_encode(const struct group_message *message, uint8_t *bytes, size_t size_bytes)
{
	struct writer writer = { .at = bytes };
	size_t length_bytes = HEADER_BYTES;
	const struct type *type;

	assert(message->type >= MESSAGE_HELLO && message->type < MESSAGE_TYPES);
	type = &types[message->type];

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (type->fields & fields[i].has)
			length_bytes += field_measure(&fields[i], message);
	assert(length_bytes <= MESSAGE_BYTES_MAX);
	if (length_bytes > size_bytes)
		return -ENOSPC;

	put_le(&writer, length_bytes, 4);
	put_le(&writer, MESSAGE_VERSION_HIGHEST, 2);
	put_le(&writer, message->type, 2);
	put_le(&writer, message->sender, 4);
	put_le(&writer, flags_load(message, type->flags), 4);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (type->fields & fields[i].has)
			field_put(&writer, &fields[i], message);
	assert(writer.at == bytes + length_bytes);
	return (int)length_bytes;
}

/* ---- bytes to struct ---- */

struct reader {
	const uint8_t *at;
	size_t left_bytes;
};

/* The next length_bytes, or NULL if so many are not there. */
static const uint8_t *get_bytes(struct reader *reader, size_t length_bytes)
{
	const uint8_t *at = reader->at;

	if (length_bytes > reader->left_bytes)
		return NULL;
	reader->at += length_bytes;
	reader->left_bytes -= length_bytes;
	return at;
}

static int get_le(struct reader *reader, size_t size_bytes, uint64_t *ret_value)
{
	const uint8_t *at = get_bytes(reader, size_bytes);
	uint64_t value = 0;

	if (at == NULL)
		return -EBADMSG;
	for (size_t i = 0; i < size_bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	*ret_value = value;
	return 0;
}

/* A count or length of size_bytes that must be in that range. */
static int get_count(struct reader *reader, size_t size_bytes, uint32_t lowest, uint32_t highest,
		     uint32_t *ret_count)
{
	uint64_t count;
	int r = get_le(reader, size_bytes, &count);

	if (r < 0)
		return r;
	if (count < lowest || count > highest)
		return -EBADMSG;
	*ret_count = (uint32_t)count;
	return 0;
}

static int get_integer(struct reader *reader, uint8_t *place, size_t size_bytes)
{
	uint64_t u64;
	uint32_t u32;
	int r = get_le(reader, size_bytes, &u64);

	if (r < 0)
		return r;
	if (size_bytes == sizeof(u64)) {
		memcpy(place, &u64, sizeof(u64));
		return 0;
	}
	assert(size_bytes == sizeof(u32));
	u32 = (uint32_t)u64;
	memcpy(place, &u32, sizeof(u32));
	return 0;
}

static int get_id(struct reader *reader, uint8_t *place, size_t size_bytes)
{
	const uint8_t *at = get_bytes(reader, size_bytes);

	if (at == NULL)
		return -EBADMSG;
	memcpy(place, at, size_bytes);
	return 0;
}

/* The end of the log's name, whose type has been read before. */
static int get_uuid(struct reader *reader, struct log_name *log)
{
	uint32_t uuid_bytes;
	const uint8_t *at;
	int r = get_count(reader, 1, 1, UUID_MAX_BYTES, &uuid_bytes);

	if (r < 0)
		return r;
	at = get_bytes(reader, uuid_bytes);
	if (at == NULL || memchr(at, '\0', uuid_bytes) != NULL || !log_type_is_known(log->log_type))
		return -EBADMSG;
	memcpy(log->uuid, at, uuid_bytes);
	return 0;
}

static int get_regions(struct reader *reader, struct group_message *message)
{
	int r = get_count(reader, 1, 0, WINDOW_REGIONS_MAX, &message->region_count);

	for (uint32_t i = 0; r == 0 && i < message->region_count; i++)
		r = get_le(reader, sizeof(uint64_t), &message->regions[i]);
	return r;
}

static int get_data(struct reader *reader, struct group_message *message)
{
	int r = get_count(reader, 4, 0, MESSAGE_DATA_MAX_BYTES, &message->data_bytes);

	if (r < 0 || message->data_bytes == 0)
		return r;
	message->data = get_bytes(reader, message->data_bytes);
	return message->data == NULL ? -EBADMSG : 0;
}

static int get_field(struct reader *reader, const struct field *field,
		     struct group_message *message)
{
	uint8_t *place = (uint8_t *)message + field->offset;

	switch (field->kind) {
	case FIELD_INTEGER:
		return get_integer(reader, place, field->size_bytes);
	case FIELD_ID:
		return get_id(reader, place, field->size_bytes);
	case FIELD_UUID:
		return get_uuid(reader, &message->log);
	case FIELD_REGIONS:
		return get_regions(reader, message);
	case FIELD_DATA:
		return get_data(reader, message);
	}
	return -EBADMSG;
}

static int get_flags(struct reader *reader, uint32_t known, struct group_message *message)
{
	uint64_t bits;
	bool value;
	int r = get_le(reader, 4, &bits);

	if (r < 0)
		return r;
	if (bits & ~(uint64_t)known)
		return -EBADMSG;
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		value = (bits & flags[i].bit) != 0;
		memcpy((uint8_t *)message + flags[i].offset, &value, sizeof(value));
	}
	return 0;
}

/* What follows the type, to the very end of the message. */
static int get_rest(struct reader *reader, struct group_message *message)
{
	const struct type *type = &types[message->type];
	int r = get_integer(reader, (uint8_t *)&message->sender, sizeof(message->sender));

	if (r == 0)
		r = get_flags(reader, type->flags, message);
	for (size_t i = 0; r == 0 && i < FIELD_COUNT; i++)
		if (type->fields & fields[i].has)
			r = get_field(reader, &fields[i], message);
	if (r < 0)
		return r;
	return reader->left_bytes == 0 ? 0 : -EBADMSG;
}

int group_message_decode(const uint8_t *bytes, size_t length_bytes,
			 struct group_message *ret_message)
{
	struct reader reader = { .at = bytes, .left_bytes = length_bytes };
	struct group_message message;
	uint64_t message_bytes, version, type;
	int r;

	if (get_le(&reader, 4, &message_bytes) < 0 || get_le(&reader, 2, &version) < 0)
		return -EBADMSG;
	/* Before the length, which may stand elsewhere in another version. */
	if (version < MESSAGE_VERSION_LOWEST || version > MESSAGE_VERSION_HIGHEST)
		return -EPROTONOSUPPORT;
	if (message_bytes < HEADER_BYTES || message_bytes > length_bytes)
		return -EBADMSG;
	reader.left_bytes = (size_t)message_bytes - LENGTH_VERSION_BYTES;
	r = get_le(&reader, 2, &type);
	if (r < 0)
		return r;
	if (type < MESSAGE_HELLO || type >= MESSAGE_TYPES)
		return -ENOTSUP;

	memset(&message, 0, sizeof(message));
	message.type = (enum group_message_type)type;
	r = get_rest(&reader, &message);
	if (r < 0)
		return r;
	/* Padding and all: equal messages have equal bytes. */
	memcpy(ret_message, &message, sizeof(message));
	return (int)message_bytes;
}
