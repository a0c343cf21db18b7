/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lost requests: seq grows by one with each request of this kernel, so a gap names those that never came.
 *
 * The same holds at the start for the 64 seqs before the first one: a predecessor may have died with them in hand.
 */
#ifndef DMCLOGD_SEQ_GAP_H
#define DMCLOGD_SEQ_GAP_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing has come yet. */
struct seq_gap {
	bool known;
	uint32_t next;
	uint64_t lost; /* in all, without those of a predecessor */
};

/* A request has come.  Returns how many before it are to be asked for again, and the first of them in *ret_first. */
uint32_t seq_gap_next(struct seq_gap *gap, uint32_t seq, uint32_t *ret_first);

#endif
