/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams written by hand, little-endian: requests as the kernel sends them. */
#ifndef DMCLOGD_TESTS_REQUEST_BYTES_H
#define DMCLOGD_TESTS_REQUEST_BYTES_H

#include <stdint.h>

/* MARK of regions 5 and 0x0807060504030201; nothing is to be padded. */
static const uint8_t mark_bytes[212] = {
	[0] = 212,   [4] = 3,      [8] = 0x44,   [9] = 0x33,   [10] = 0x22,
	[11] = 0x11, /* nlmsghdr */
	[16] = 7,    [20] = 1,     [24] = 0x44,  [25] = 0x33,  [26] = 0x22,
	[27] = 0x11, /* cn_msg */
	[32] = 176,  [36] = 0x88,  [37] = 0x77,  [38] = 0x66,  [39] = 0x55,
	[40] = 0x44, /* luid */
	[41] = 0x33, [42] = 0x22,  [43] = 0x11,  [44] = 'L',   [45] = 'V',
	[46] = 'M',                                                          /* uuid */
	[176] = 3,   [184] = 0x44, [185] = 0x33, [186] = 0x22, [187] = 0x11, /* version, seq */
	[188] = 10,  [192] = 16,                                             /* type, data_size */
	[196] = 5,   [204] = 1,    [205] = 2,    [206] = 3,    [207] = 4,
	[208] = 5, /* regions */
	[209] = 6,   [210] = 7,    [211] = 8,
};

/* SET_REGION_SYNC of region 9 to 1. */
static const uint8_t set_sync_bytes[212] = {
	[0] = 212,  [4] = 3,   [8] = 1,   [16] = 7,   [20] = 1,   [24] = 1,  [32] = 176, [36] = 2,
	[44] = 'u', [176] = 3, [184] = 1, [188] = 13, [192] = 16, [196] = 9, [204] = 1,
};

/* CTR "8 clustered-core 8" without its NUL: 18 bytes, two of padding that nlmsg_len leaves out. */
static const uint8_t ctr_bytes[216] = {
	[0] = 214,  [4] = 3,   [8] = 1,   [16] = 7,  [20] = 1,   [24] = 1,    [32] = 178, [36] = 2,
	[44] = 'u', [176] = 3, [184] = 1, [188] = 1, [192] = 18, [196] = '8', ' ',        'c',
	'l',        'u',       's',       't',       'e',        'r',         'e',        'd',
	'-',        'c',       'o',       'r',       'e',        ' ',         '8',
};

/* Try again: EAGAIN (11) in cn_msg.ack, and no dm_ulog_request. */
static const uint8_t again_bytes[36] = {
	[0] = 36, [4] = 3, [8] = 7, [16] = 7, [20] = 1, [24] = 7, [28] = 11,
};

#endif
