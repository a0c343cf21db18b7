/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a dm-log-userspace request and of its answer.
 *
 * Invariant: no byte is read before a length that was checked says that it is there, and none is
 * read through a cast pointer.  Pure: no state, no owner.  Limits: one message a datagram, as the
 * connector sends it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <linux/connector.h>
#include <linux/dm-log-userspace.h>
#include <linux/netlink.h>

#include "request.h"

#define CN_OFFSET_BYTES NLMSG_HDRLEN
#define ULOG_OFFSET_BYTES (CN_OFFSET_BYTES + sizeof(struct cn_msg))
#define PAYLOAD_OFFSET_BYTES (ULOG_OFFSET_BYTES + sizeof(struct dm_ulog_request))

#define REGION_BYTES sizeof(uint64_t)
#define REGION_SYNC_BYTES (sizeof(uint64_t) + sizeof(int64_t))

static_assert(sizeof(struct nlmsghdr) == NLMSG_HDRLEN, "netlink header");
static_assert(sizeof(struct cn_msg) == 20, "connector header");
static_assert(sizeof(struct dm_ulog_request) == 160, "request header");
static_assert(sizeof(((struct dm_ulog_request *)NULL)->uuid) == REQUEST_UUID_SIZE, "uuid");
static_assert(PAYLOAD_OFFSET_BYTES + REQUEST_PAYLOAD_MAX_BYTES == REQUEST_DATAGRAM_MAX_BYTES,
	      "longest datagram");
static_assert(REQUEST_REGIONS_MAX * sizeof(uint64_t) <= REQUEST_PAYLOAD_MAX_BYTES, "regions fit");
static_assert((int)REQUEST_VERSION_MAX <= DM_ULOG_REQUEST_VERSION, "versions known to the header");

static_assert((int)REQUEST_CTR == DM_ULOG_CTR, "numbers");
static_assert((int)REQUEST_DTR == DM_ULOG_DTR, "numbers");
static_assert((int)REQUEST_PRESUSPEND == DM_ULOG_PRESUSPEND, "numbers");
static_assert((int)REQUEST_POSTSUSPEND == DM_ULOG_POSTSUSPEND, "numbers");
static_assert((int)REQUEST_RESUME == DM_ULOG_RESUME, "numbers");
static_assert((int)REQUEST_GET_REGION_SIZE == DM_ULOG_GET_REGION_SIZE, "numbers");
static_assert((int)REQUEST_IS_CLEAN == DM_ULOG_IS_CLEAN, "numbers");
static_assert((int)REQUEST_IN_SYNC == DM_ULOG_IN_SYNC, "numbers");
static_assert((int)REQUEST_FLUSH == DM_ULOG_FLUSH, "numbers");
static_assert((int)REQUEST_MARK == DM_ULOG_MARK_REGION, "numbers");
static_assert((int)REQUEST_CLEAR == DM_ULOG_CLEAR_REGION, "numbers");
static_assert((int)REQUEST_GET_RESYNC_WORK == DM_ULOG_GET_RESYNC_WORK, "numbers");
static_assert((int)REQUEST_SET_REGION_SYNC == DM_ULOG_SET_REGION_SYNC, "numbers");
static_assert((int)REQUEST_GET_SYNC_COUNT == DM_ULOG_GET_SYNC_COUNT, "numbers");
static_assert((int)REQUEST_STATUS_INFO == DM_ULOG_STATUS_INFO, "numbers");
static_assert((int)REQUEST_STATUS_TABLE == DM_ULOG_STATUS_TABLE, "numbers");
static_assert((int)REQUEST_IS_REMOTE_RECOVERING == DM_ULOG_IS_REMOTE_RECOVERING, "numbers");

static size_t netlink_align(size_t length_bytes)
{
	return (length_bytes + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

/* Does a payload of that length belong to that request?  base.c of the kernel's module shows each
 * call of userspace_do_request. */
static bool payload_fits(enum request_type type, uint32_t version, size_t payload_bytes)
{
	bool regions = payload_bytes % REGION_BYTES == 0 &&
		       payload_bytes <= REQUEST_REGIONS_MAX * REGION_BYTES;

	switch (type) {
	case REQUEST_CTR:
		return payload_bytes >= 1 && payload_bytes <= REQUEST_PAYLOAD_MAX_BYTES;
	case REQUEST_MARK:
	case REQUEST_CLEAR:
		return regions && payload_bytes > 0;
	case REQUEST_FLUSH:
		return payload_bytes == 0 || (version >= 3 && regions);
	case REQUEST_IS_CLEAN:
	case REQUEST_IN_SYNC:
	case REQUEST_IS_REMOTE_RECOVERING:
		return payload_bytes == REGION_BYTES;
	case REQUEST_SET_REGION_SYNC:
		return payload_bytes == REGION_SYNC_BYTES;
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
	case REQUEST_GET_REGION_SIZE:
	case REQUEST_GET_RESYNC_WORK:
	case REQUEST_GET_SYNC_COUNT:
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
		return payload_bytes == 0;
	}
	return false;
}

/* Does the type carry region numbers, and nothing else, in its payload? */
static bool type_has_regions(enum request_type type)
{
	switch (type) {
	case REQUEST_MARK:
	case REQUEST_CLEAR:
	case REQUEST_FLUSH:
	case REQUEST_IS_CLEAN:
	case REQUEST_IN_SYNC:
	case REQUEST_IS_REMOTE_RECOVERING:
		return true;
	case REQUEST_CTR:
	case REQUEST_DTR:
	case REQUEST_PRESUSPEND:
	case REQUEST_POSTSUSPEND:
	case REQUEST_RESUME:
	case REQUEST_GET_REGION_SIZE:
	case REQUEST_GET_RESYNC_WORK:
	case REQUEST_SET_REGION_SYNC:
	case REQUEST_GET_SYNC_COUNT:
	case REQUEST_STATUS_INFO:
	case REQUEST_STATUS_TABLE:
		return false;
	}
	return false;
}

/*
 * Takes the datagram apart as far as the request's header: checks everything outside of it.
 * Returns 0, -ENOMSG, -EMSGSIZE.  On success *ret_cn and *ret_ulog are copies, and cn.len bytes
 * from ULOG_OFFSET_BYTES on, at least the header, are in the datagram.
 */
static int envelope_decode(const uint8_t *bytes, size_t length_bytes, struct cn_msg *ret_cn,
			   struct dm_ulog_request *ret_ulog)
{
	struct nlmsghdr nl;
	struct cn_msg cn;

	if (length_bytes < sizeof(nl))
		return -EMSGSIZE;
	memcpy(&nl, bytes, sizeof(nl));
	if (nl.nlmsg_len < NLMSG_HDRLEN || nl.nlmsg_len > length_bytes)
		return -EMSGSIZE;
	if (nl.nlmsg_type != NLMSG_DONE)
		return -ENOMSG;
	if (nl.nlmsg_len < ULOG_OFFSET_BYTES)
		return -EMSGSIZE;

	memcpy(&cn, bytes + CN_OFFSET_BYTES, sizeof(cn));
	if (cn.id.idx != CN_IDX_DM || cn.id.val != CN_VAL_DM_USERSPACE_LOG)
		return -ENOMSG;
	/* Older kernels count the padding in nlmsg_len, newer ones do not. */
	if (nl.nlmsg_len < ULOG_OFFSET_BYTES + cn.len ||
	    nl.nlmsg_len > netlink_align(ULOG_OFFSET_BYTES + cn.len) ||
	    length_bytes > netlink_align(nl.nlmsg_len))
		return -EMSGSIZE;
	if (cn.len < sizeof(*ret_ulog))
		return -EMSGSIZE;

	*ret_cn = cn;
	memcpy(ret_ulog, bytes + ULOG_OFFSET_BYTES, sizeof(*ret_ulog));
	return 0;
}

static void payload_decode(const uint8_t *payload, size_t payload_bytes, struct request *request)
{
	if (request->type == REQUEST_CTR) {
		request->constructor_terminated = payload[payload_bytes - 1] == '\0';
		memcpy(request->constructor, payload, payload_bytes);
	} else if (request->type == REQUEST_SET_REGION_SYNC) {
		int64_t in_sync;

		memcpy(&request->regions[0], payload, sizeof(uint64_t));
		memcpy(&in_sync, payload + sizeof(uint64_t), sizeof(in_sync));
		request->region_count = 1;
		request->in_sync = in_sync != 0;
	} else if (type_has_regions(request->type)) {
		request->region_count = (uint32_t)(payload_bytes / REGION_BYTES);
		memcpy(request->regions, payload, payload_bytes);
	}
}

/* The kernel's strings end once: the NUL of a constructor is its last byte, or left out. */
static bool constructor_ends_once(const uint8_t *payload, size_t payload_bytes)
{
	const uint8_t *nul = memchr(payload, '\0', payload_bytes);

	return nul != payload && (!nul || nul == payload + payload_bytes - 1);
}

int request_decode(const void *bytes, size_t length_bytes, struct request *ret_request)
{
	const uint8_t *payload;
	struct dm_ulog_request ulog;
	struct cn_msg cn;
	enum request_type type;
	size_t uuid_bytes;
	int r;

	r = envelope_decode(bytes, length_bytes, &cn, &ulog);
	if (r < 0)
		return r;
	if (ulog.seq != cn.seq)
		return -EBADMSG;

	type = (enum request_type)DM_ULOG_REQUEST_TYPE(ulog.request_type);
	if (ulog.version == 0 || ulog.version > REQUEST_VERSION_MAX)
		r = -EPROTONOSUPPORT;
	else if (type == 0 || type >= REQUEST_TYPES)
		r = -ENOTSUP;
	if (r < 0) {
		memset(ret_request, 0, sizeof(*ret_request));
		ret_request->seq = ulog.seq;
		ret_request->luid = ulog.luid;
		return r;
	}

	payload = (const uint8_t *)bytes + PAYLOAD_OFFSET_BYTES;
	if (ulog.data_size != cn.len - sizeof(ulog) ||
	    !payload_fits(type, ulog.version, ulog.data_size))
		return -EMSGSIZE;
	uuid_bytes = strnlen(ulog.uuid, sizeof(ulog.uuid));
	if (uuid_bytes == 0 || uuid_bytes == sizeof(ulog.uuid))
		return -EBADMSG;
	if (type == REQUEST_CTR && !constructor_ends_once(payload, ulog.data_size))
		return -EBADMSG;

	memset(ret_request, 0, sizeof(*ret_request));
	ret_request->seq = ulog.seq;
	ret_request->luid = ulog.luid;
	memcpy(ret_request->uuid, ulog.uuid, uuid_bytes);
	ret_request->type = type;
	ret_request->version = ulog.version;
	payload_decode(payload, ulog.data_size, ret_request);
	return 0;
}

/*
 * Writes the headers and the payload; `ulog` may be NULL for an acknowledgement.
 * Returns the length without padding; size_bytes has been checked by the caller.
 */
static size_t datagram_encode(uint32_t seq, uint32_t ack, const struct dm_ulog_request *ulog,
			      const void *payload, uint8_t *bytes)
{
	size_t data_bytes = ulog ? sizeof(*ulog) + ulog->data_size : 0;
	struct nlmsghdr nl = {
		.nlmsg_len = (uint32_t)(ULOG_OFFSET_BYTES + data_bytes),
		.nlmsg_type = NLMSG_DONE,
		.nlmsg_seq = seq,
	};
	struct cn_msg cn = {
		.id = { .idx = CN_IDX_DM, .val = CN_VAL_DM_USERSPACE_LOG },
		.seq = seq,
		.ack = ack,
		.len = (uint16_t)data_bytes,
	};

	memcpy(bytes, &nl, sizeof(nl));
	memcpy(bytes + CN_OFFSET_BYTES, &cn, sizeof(cn));
	if (ulog) {
		memcpy(bytes + ULOG_OFFSET_BYTES, ulog, sizeof(*ulog));
		memcpy(bytes + PAYLOAD_OFFSET_BYTES, payload, ulog->data_size);
	}
	return nl.nlmsg_len;
}

int answer_encode(const struct answer *answer, void *bytes, size_t size_bytes)
{
	struct dm_ulog_request ulog;

	assert(answer->error <= 0);
	assert(answer->payload_bytes <= REQUEST_PAYLOAD_MAX_BYTES);

	/* fill_pkg: an acknowledgement's ack is a positive errno. */
	if (answer->error == -EAGAIN) {
		if (size_bytes < ULOG_OFFSET_BYTES)
			return -ENOSPC;
		return (int)datagram_encode(answer->seq, EAGAIN, NULL, NULL, bytes);
	}

	if (size_bytes < PAYLOAD_OFFSET_BYTES + answer->payload_bytes)
		return -ENOSPC;
	memset(&ulog, 0, sizeof(ulog));
	ulog.luid = answer->luid;
	ulog.version = answer->version;
	ulog.error = answer->error;
	ulog.seq = answer->seq;
	ulog.request_type = answer->type;
	ulog.data_size = answer->payload_bytes;
	return (int)datagram_encode(answer->seq, 0, &ulog, answer->payload, bytes);
}

/*
 * Lays the payload of `request` out in `payload` (REQUEST_PAYLOAD_MAX_BYTES of room).
 * Returns its length, or -EINVAL when there is no such payload.
 */
static int payload_encode(const struct request *request, uint8_t *payload)
{
	size_t payload_bytes = 0;

	if (request->type == REQUEST_CTR) {
		payload_bytes = strnlen(request->constructor, sizeof(request->constructor));
		if (payload_bytes == 0)
			return -EINVAL;
		payload_bytes += request->constructor_terminated;
		if (payload_bytes > REQUEST_PAYLOAD_MAX_BYTES)
			return -EINVAL;
		memcpy(payload, request->constructor, payload_bytes);
	} else if (request->type == REQUEST_SET_REGION_SYNC) {
		if (request->region_count != 1 || (request->in_sync & ~INT64_C(1)))
			return -EINVAL;
		payload_bytes = REGION_SYNC_BYTES;
		memcpy(payload, &request->regions[0], sizeof(uint64_t));
		memcpy(payload + sizeof(uint64_t), &request->in_sync, sizeof(int64_t));
	} else if (type_has_regions(request->type)) {
		if (request->region_count > REQUEST_REGIONS_MAX)
			return -EINVAL;
		payload_bytes = request->region_count * REGION_BYTES;
		memcpy(payload, request->regions, payload_bytes);
	}
	if (!payload_fits(request->type, request->version, payload_bytes))
		return -EINVAL;
	return (int)payload_bytes;
}

int request_encode(const struct request *request, void *bytes, size_t size_bytes)
{
	uint8_t payload[REQUEST_PAYLOAD_MAX_BYTES];
	size_t uuid_bytes = strnlen(request->uuid, sizeof(request->uuid));
	struct dm_ulog_request ulog;
	size_t length_bytes, padded_bytes;
	int r;

	if (request->version == 0 || request->version > REQUEST_VERSION_MAX || uuid_bytes == 0 ||
	    uuid_bytes == sizeof(request->uuid))
		return -EINVAL;
	r = payload_encode(request, payload);
	if (r < 0)
		return r;

	memset(&ulog, 0, sizeof(ulog));
	ulog.luid = request->luid;
	memcpy(ulog.uuid, request->uuid, uuid_bytes);
	ulog.version = request->version;
	ulog.seq = request->seq;
	ulog.request_type = request->type;
	ulog.data_size = (uint32_t)r;

	padded_bytes = netlink_align(PAYLOAD_OFFSET_BYTES + ulog.data_size);
	if (size_bytes < padded_bytes)
		return -ENOSPC;
	length_bytes = datagram_encode(request->seq, 0, &ulog, payload, bytes);
	memset((uint8_t *)bytes + length_bytes, 0, padded_bytes - length_bytes);
	return (int)padded_bytes;
}

const char *request_type_name(uint32_t type)
{
	static const char *const names[REQUEST_TYPES] = {
		[REQUEST_CTR] = "CTR",
		[REQUEST_DTR] = "DTR",
		[REQUEST_PRESUSPEND] = "PRESUSPEND",
		[REQUEST_POSTSUSPEND] = "POSTSUSPEND",
		[REQUEST_RESUME] = "RESUME",
		[REQUEST_GET_REGION_SIZE] = "GET_REGION_SIZE",
		[REQUEST_IS_CLEAN] = "IS_CLEAN",
		[REQUEST_IN_SYNC] = "IN_SYNC",
		[REQUEST_FLUSH] = "FLUSH",
		[REQUEST_MARK] = "MARK_REGION",
		[REQUEST_CLEAR] = "CLEAR_REGION",
		[REQUEST_GET_RESYNC_WORK] = "GET_RESYNC_WORK",
		[REQUEST_SET_REGION_SYNC] = "SET_REGION_SYNC",
		[REQUEST_GET_SYNC_COUNT] = "GET_SYNC_COUNT",
		[REQUEST_STATUS_INFO] = "STATUS_INFO",
		[REQUEST_STATUS_TABLE] = "STATUS_TABLE",
		[REQUEST_IS_REMOTE_RECOVERING] = "IS_REMOTE_RECOVERING",
	};

	return type < REQUEST_TYPES && names[type] ? names[type] : "unknown";
}
