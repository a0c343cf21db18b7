/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request of the kernel's dm-log-userspace, and its answer, decoded.
 *
 * The codec is pure: bytes in, struct out, and the other way round.  Nothing of the kernel's bytes
 * is believed before it has been checked, and no pointer into them is kept.
 * Obeys: linux/dm-log-userspace.h and drivers/md/dm-log-userspace-{base,transfer}.c.
 */
#ifndef DMCLOGD_REQUEST_H
#define DMCLOGD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DM_UUID_LEN of the kernel: 128 characters and a NUL. */
#define REQUEST_UUID_SIZE 129
/* The kernel builds cn_msg (20), dm_ulog_request (160) and payload in 512 bytes
 * (DM_ULOG_PREALLOCED_SIZE): 332 of them are payload.  We keep answers to the same size. */
#define REQUEST_PAYLOAD_MAX_BYTES 332
/* With the netlink header (16) in front: no request or answer is longer. */
#define REQUEST_DATAGRAM_MAX_BYTES 528
/* MAX_FLUSH_GROUP_COUNT of the kernel: MARK, CLEAR and FLUSH carry at most 32 regions. */
#define REQUEST_REGIONS_MAX 32
/* Newest request version that we know (3: FLUSH may carry marks). */
#define REQUEST_VERSION_MAX 3
/* An encoded answer, netlink header included, never needs more. */
#define REQUEST_ANSWER_MAX_BYTES REQUEST_DATAGRAM_MAX_BYTES

/* The numbers are the kernel's (DM_ULOG_*). */
enum request_type {
	REQUEST_CTR = 1,
	REQUEST_DTR = 2,
	REQUEST_PRESUSPEND = 3,
	REQUEST_POSTSUSPEND = 4,
	REQUEST_RESUME = 5,
	REQUEST_GET_REGION_SIZE = 6,
	REQUEST_IS_CLEAN = 7,
	REQUEST_IN_SYNC = 8,
	REQUEST_FLUSH = 9,
	REQUEST_MARK = 10,
	REQUEST_CLEAR = 11,
	REQUEST_GET_RESYNC_WORK = 12,
	REQUEST_SET_REGION_SYNC = 13,
	REQUEST_GET_SYNC_COUNT = 14,
	REQUEST_STATUS_INFO = 15,
	REQUEST_STATUS_TABLE = 16,
	REQUEST_IS_REMOTE_RECOVERING = 17,
};

/* One more than the largest request_type: the size of a table indexed by it. */
#define REQUEST_TYPES 18

/* One decoded request.  Region numbers are as the kernel sent them: the log checks them against its
 * region count. */
struct request {
	uint32_t seq;  /* the kernel's counter: +1 for each request of this kernel */
	uint64_t luid; /* the table's name for its log: a kernel pointer, reused after DTR */
	char uuid[REQUEST_UUID_SIZE]; /* NUL-terminated, the same on all nodes */
	enum request_type type;
	uint32_t version;
	/* MARK, CLEAR, FLUSH: region_count regions; IS_CLEAN, IN_SYNC, SET_REGION_SYNC,
	 * IS_REMOTE_RECOVERING: one; else none. */
	uint32_t region_count;
	uint64_t regions[REQUEST_REGIONS_MAX];
	int64_t in_sync; /* SET_REGION_SYNC only: 0 or 1 (any other value was normalised to 1) */
	char constructor[REQUEST_PAYLOAD_MAX_BYTES + 1]; /* CTR only: NUL-terminated */
	/* CTR only: the NUL was part of the payload.  userspace_ctr (a table load) sends the string
	 * without its NUL, the loop of userspace_do_request (a reconnect) with it. */
	bool constructor_terminated;
};

/* One answer.  `error` is 0 or a negative errno, given to the kernel as it is.  With -EAGAIN the
 * answer becomes a bare acknowledgement, and the kernel sends the request again at once. */
struct answer {
	uint32_t seq;
	uint64_t luid;
	enum request_type type;
	uint32_t version; /* echoed from the request */
	int error;
	uint32_t payload_bytes;
	uint8_t payload[REQUEST_PAYLOAD_MAX_BYTES];
};

/*
 * Decodes one netlink datagram (nlmsghdr, cn_msg, dm_ulog_request, payload) of `length_bytes` at
 * `bytes` (any alignment) into *ret_request.  Host byte order, as netlink has it.
 *
 * Accepted are versions 1 to 3 and every request type of the kernel, of whose 32 bits the upper 24
 * are reserved and ignored (DM_ULOG_REQUEST_TYPE).  Lengths must agree exactly: cn_msg.len is the
 * request's header and data_size, nlmsg_len covers that with at most the padding to 4 bytes, and
 * the datagram is nlmsg_len with at most the same padding.  Payloads must have the kernel's form:
 * CTR 1 to 332 bytes; MARK and CLEAR 1 to 32 regions; FLUSH none, from version 3 on up to 32; one
 * region, a region and an int64, or nothing for the others.
 *
 * On success every byte of *ret_request is set, what the type does not use (and what follows a NUL)
 * to zero, so that equal requests have equal bytes, and request_encode gives back the datagram.
 * nlmsg_pid is not looked at: whoever receives must check the sender, see connector.h.
 *
 * Returns 0, or, with *ret_request untouched unless said otherwise:
 *   -ENOMSG    not for us: another connector id, or not a connector message at all; drop silently
 *   -EMSGSIZE  truncated, or a length field that does not fit the datagram or the type
 *   -EBADMSG   inner fields are wrong: uuid not terminated or empty, constructor empty or with a
 *              NUL before its end, the two seq differ
 *   -EPROTONOSUPPORT  version 0 or newer than REQUEST_VERSION_MAX; *ret_request holds seq and luid
 *              only (the rest is zero), so that the caller can answer the error
 *   -ENOTSUP   unknown request type; *ret_request holds seq and luid only, as above
 */
int request_decode(const void *bytes, size_t length_bytes, struct request *ret_request);

/*
 * Encodes `answer` as one netlink datagram into `bytes` (any alignment, `size_bytes` of room;
 * REQUEST_ANSWER_MAX_BYTES is always enough).  nlmsg_type is NLMSG_DONE, nlmsg_pid 0, and nothing
 * is left for the transport to fill in.  cn_ulog_callback finds the waiting caller by
 * dm_ulog_request.seq, or by cn_msg.seq in an acknowledgement: both are set.  An error of -EAGAIN
 * becomes a bare acknowledgement (cn_msg.len 0, ack EAGAIN) without the payload; all others carry a
 * dm_ulog_request.  Unused bytes (padding, uuid) are zero; nothing is padded at the end.
 * Precondition: error <= 0 and payload_bytes <= REQUEST_PAYLOAD_MAX_BYTES.  type and version go
 * out as they are (the kernel ignores them), so that a request we cannot name can be answered.
 * Returns the length in bytes, or -ENOSPC when size_bytes is too small (then nothing is written).
 */
int answer_encode(const struct answer *answer, void *bytes, size_t size_bytes);

/*
 * Encodes `request` as the kernel would send it: for the simulator, fuzzers and tests, and the
 * other way round of request_decode.  The datagram is padded to 4 bytes, which nlmsg_len does not
 * count (__nlmsg_put).  Fields that the type does not use are ignored.
 * Returns the length in bytes, or -ENOSPC, or -EINVAL for a request that request_decode would
 * refuse; then nothing is written.
 */
int request_encode(const struct request *request, void *bytes, size_t size_bytes);

/* The kernel's name of a request type, as "MARK_REGION"; "unknown" for any other number.  The
 * string is static. */
const char *request_type_name(uint32_t type);

#endif
