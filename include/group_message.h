/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages by which the members of the group change what they have in common, in one order for all.
 *
 * The core fills in and reads this struct; group_message_encode() and group_message_decode() are its form on the
 * wire.  A port that delivers to itself (--cluster=none) passes the struct through as it is.
 */
#ifndef DMCLOGD_GROUP_MESSAGE_H
#define DMCLOGD_GROUP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request.h"

/* A window has at most as many regions as a mask has bits. */
#define WINDOW_REGIONS_MAX 64
/* Bytes of `data` in one message. */
#define MESSAGE_DATA_MAX_BYTES 16384
/* What this program speaks.  A group uses the highest version that all its members speak. */
#define MESSAGE_VERSION_LOWEST 1
#define MESSAGE_VERSION_HIGHEST 1
#define MESSAGE_ID_BYTES 16

enum group_message_type {
	/* about the group */
	MESSAGE_HELLO =
		1, /* answers a call: who the sender is, which past it has; or asks for the group's state */
	MESSAGE_EPOCH,     /* the sender's side has quorum in this view: epoch `number` begins */
	MESSAGE_DIRECTORY, /* a piece of the group's state, for those who lack it */
	MESSAGE_STOPPED,   /* node `node` with boot id `boot_id` is proven to be stopped */
	/* about who uses a log */
	MESSAGE_JOIN,     /* a luid resumed: the sender follows the log from here on */
	MESSAGE_OPENED,   /* the log device has been read and set in use by the member that opens */
	MESSAGE_LEAVING,  /* a luid is being suspended: whoever says this last closes the log */
	MESSAGE_LEAVE,    /* it was suspended, its I/O has drained; `slot_freed`, `closed` */
	MESSAGE_UNFOLLOW, /* the sender's last luid of this log is gone */
	MESSAGE_GONE,     /* no table of this log is left on the sender, which had departed */
	MESSAGE_MERGED, /* the slot of node `node`, proven stopped, has been taken over and freed */
	MESSAGE_SNAPSHOT, /* a piece of the log's state, for those who lack it */
	/* about its regions */
	MESSAGE_LOST,         /* `regions`, or what `data` covers, are out of sync */
	MESSAGE_DURABLE,      /* the base on the device shows the first `number` losses */
	MESSAGE_CLAIM,        /* the sender wants to copy `regions` */
	MESSAGE_CLAIM_ANSWER, /* bit i of `mask`: the sender refuses region i of window `window` */
	MESSAGE_SYNCED,       /* bit i of `mask`: region i of the window has been copied */
	MESSAGE_RETURN,       /* bit i of `mask`: region i leaves the window as it is */
	MESSAGE_VOID,   /* bit i of `mask`: may be written again, but a copy is still under way */
	MESSAGE_HEALTH, /* `legs_failed` at the sender */
	MESSAGE_HOLD, /* core log: the sender wants to hold `regions`; `number` counts its wishes */
	MESSAGE_CONFIRM, /* core log: the sender knows of wish `number` of node `node` */
	MESSAGE_RELEASE, /* core log: the sender no longer holds `regions` */
	MESSAGE_CONTROL, /* resync of the log: `paused`, `number` as input_control.bytes_per_second */
	MESSAGE_CALL,    /* all are to say hello, naming this call: `mask` */
	MESSAGE_ENTER, /* the sender is about to use a log, or to open its device, when all have heard of it */
	MESSAGE_HEARD, /* the sender knows of ENTER `number` of node `node`, and of all that came before it */
	MESSAGE_TYPES,
};

/* Names a log in the group: what two tables must have in common to share one. */
struct log_name {
	char uuid[REQUEST_UUID_SIZE];
	uint32_t log_type; /* enum log_type */
	uint32_t region_sectors;
	uint64_t device_sectors;
	uint32_t log_major;
	uint32_t log_minor;
};

/* Fields and flags that are not for a type are not on the wire: ignored by encoding, 0 after decoding. */
struct group_message {
	enum group_message_type type;
	uint32_t sender;     /* node id; filled in by the core, checked by the port */
	struct log_name log; /* JOIN to CONTROL */
	uint64_t luid; /* JOIN, LEAVING, LEAVE, HEALTH; LOST by a kernel's report: of the reporting table */
	uint64_t number; /* see the types; HELLO (UINT64_MAX: asks for one), DIRECTORY, SNAPSHOT: of the transfer; OPENED: generation of the
			  * superblock; MERGED: the slot; JOIN: renewals of the log that the sender knows of */
	uint32_t node;   /* STOPPED, MERGED, CONFIRM, HEARD */
	uint32_t window; /* number of a window, counted by its claimer */
	uint32_t claimer; /* CLAIM_ANSWER: node id of the window's owner */
	uint64_t mask;    /* CLAIM_ANSWER, SYNCED, RETURN, VOID; CALL, HELLO: which call */
	/* flags, one bit each on the wire */
	bool reported;    /* LOST: by the sender's kernel (SET_REGION_SYNC 0) */
	bool legs_failed; /* HEALTH */
	bool device_failed; /* HEALTH: the sender cannot write its slot of the log device, or has none */
	bool flush_failed; /* HEALTH: a leg has lost what its cache held, whoever wrote it */
	bool slot_freed;   /* LEAVE: nothing of the sender is left on the device */
	bool closed; /* LEAVE: the device is a valid log of the kernel; JOIN: it was found so, must be opened */
	bool paused; /* CONTROL */
	bool last;   /* DIRECTORY, SNAPSHOT: nothing follows */
	bool fresh; /* HELLO: the sender has no state of a group; JOIN: first resume of this luid */
	bool stateless; /* JOIN: the sender, which uses the log, lacks its state */
	bool everything; /* JOIN: nobody knows what the sender's kernel has marked: all counts as held */
	/* HELLO: who; STOPPED: boot_id */
	uint32_t version_lowest, version_highest;
	uint64_t incarnation;
	uint64_t epoch; /* HELLO, EPOCH: of the state that the sender has; fresh: the highest it has heard of */
	uint32_t leader; /* HELLO, EPOCH: of sides with the same epoch the one with the lowest leader counts */
	uint64_t views; /* HELLO, EPOCH: the views behind that state, as a number: who has the same, has the same state */
	uint8_t boot_id[MESSAGE_ID_BYTES];
	uint8_t machine_id[MESSAGE_ID_BYTES];
	/* LOST, CLAIM, HOLD, RELEASE */
	uint32_t region_count;
	uint64_t regions[WINDOW_REGIONS_MAX];
	/* DIRECTORY, SNAPSHOT, LOST, OPENED; borrowed: valid during the step or the effect function */
	const uint8_t *data;
	uint32_t data_bytes; /* at most MESSAGE_DATA_MAX_BYTES */
};

/* ---- on the wire: cluster/message_codec.c, pure ---- */

/*
 * All integers are little-endian, nothing is aligned, nothing is padded.  A message is a header
 *
 *   offset  size
 *        0     4  length of the message, this header included; at most MESSAGE_BYTES_MAX
 *        4     2  version
 *        6     2  type
 *        8     4  sender
 *       12     4  flags: bit 0 reported, 1 legs_failed, 2 slot_freed, 3 closed, 4 paused, 5 last, 6 fresh,
 *                  7 stateless, 8 flush_failed, 9 device_failed, 10 everything
 *       16
 *
 * and behind it those fields that its type has, always in this order:
 *
 *     size  field
 *   25 + n  log       4 log_type, 4 region_sectors, 8 device_sectors, 4 log_major, 4 log_minor, then the uuid:
 *                     1 its length n (1 to 128), n bytes, none of them NUL
 *        8  luid
 *        8  number
 *        4  node
 *        4  window
 *        4  claimer
 *        8  mask
 *       16  speaker   4 version_lowest, 4 version_highest, 8 incarnation
 *       20  past      8 epoch, 4 leader, 8 views
 *       16  boot_id
 *       16  machine_id
 *   1 + 8n  regions   1 their count n (0 to 64), n times 8
 *    4 + n  data      4 its length n (0 to MESSAGE_DATA_MAX_BYTES), n bytes
 *
 * Version 1 has these types; L is 25 + n of the log's name, offsets begin at the message's first byte:
 *
 *    1 HELLO         16 number, 24 mask, 32 speaker, 48 past, 68 boot_id, 84 machine_id  flags: fresh
 *    2 EPOCH         16 number, 24 past
 *    3 DIRECTORY     16 number, 24 data                                                  flags: last
 *    4 STOPPED       16 node, 20 boot_id
 *    5 JOIN          16 log, 16+L luid                                                   flags: fresh, closed, stateless, everything
 *    6 OPENED        16 log, 16+L number, 24+L data
 *    7 LEAVING       16 log, 16+L luid
 *    8 LEAVE         16 log, 16+L luid                                                   flags: slot_freed, closed
 *    9 UNFOLLOW      16 log
 *   10 GONE          16 log
 *   11 MERGED        16 log, 16+L number, 24+L node
 *   12 SNAPSHOT      16 log, 16+L number, 24+L data                                      flags: last
 *   13 LOST          16 log, 16+L luid, 24+L regions, 25+L+8n data                       flags: reported
 *   14 DURABLE       16 log, 16+L number
 *   15 CLAIM         16 log, 16+L window, 20+L regions
 *   16 CLAIM_ANSWER  16 log, 16+L window, 20+L claimer, 24+L mask
 *   17 SYNCED        16 log, 16+L window, 20+L mask
 *   18 RETURN        16 log, 16+L window, 20+L mask
 *   19 VOID          16 log, 16+L window, 20+L mask
 *   20 HEALTH        16 log, 16+L luid                                                   flags: legs_failed, flush_failed, device_failed
 *   21 HOLD          16 log, 16+L number, 24+L regions
 *   22 CONFIRM       16 log, 16+L number, 24+L node
 *   23 RELEASE       16 log, 16+L regions
 *   24 CONTROL       16 log, 16+L number                                                 flags: paused
 *   25 CALL          16 mask
 *   26 ENTER         16 number
 *   27 HEARD         16 number, 24 node
 *
 * A change to any of this is another version.
 */

/* No message is longer. */
#define MESSAGE_BYTES_MAX (MESSAGE_DATA_MAX_BYTES + 1024)

/*
 * Writes `message` to `bytes`, as far as its type goes, in version MESSAGE_VERSION_HIGHEST.
 * Preconditions (asserted) on the type and on fields that are for it: the type is known, counts are in their ranges, the uuid
 * is not empty and NUL-terminated, log_type is one of enum log_type, data is not NULL unless data_bytes is 0.
 * Returns the length, at most MESSAGE_BYTES_MAX, or -ENOSPC when `size_bytes` is too small (then nothing is written).
 */
int group_message_encode(const struct group_message *message, uint8_t *bytes, size_t size_bytes);

/*
 * Reads one message from the beginning of `bytes`, any bytes at all.  Returns its length, so that several can stand one
 * after the other; or, with *ret_message untouched:
 *   -EBADMSG          truncated, a length or number out of its range, a flag that is not for the type, something behind the
 *                     last field
 *   -EPROTONOSUPPORT  another version; its length cannot be known
 *   -ENOTSUP          a type that this version does not know
 * ret_message->data points into `bytes`; NULL when data_bytes is 0.  All of *ret_message is set, so that equal messages have
 * equal bytes (but for `data`).  What the values mean is for the core to judge: sender, window, region numbers, data.
 */
int group_message_decode(const uint8_t *bytes, size_t length_bytes,
			 struct group_message *ret_message);

#endif
