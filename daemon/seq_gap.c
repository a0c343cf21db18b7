/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts seqs: see seq_gap.h. */
#include "daemon/seq_gap.h"

/* A larger gap is no gap but another kernel's counter. */
#define GAP_MAX 4096
#define FIRST_GAP 64

uint32_t seq_gap_next(struct seq_gap *gap, uint32_t seq, uint32_t *ret_first)
{
	uint32_t count = seq - gap->next;

	if (!gap->known)
		count = FIRST_GAP;
	else if (count > GAP_MAX)
		count = 0;
	else
		gap->lost += count;
	gap->known = true;
	gap->next = seq + 1;
	*ret_first = seq - count;
	return count;
}
