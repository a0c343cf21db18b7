/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracles see of the inside of a core.
 */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include "core.h"

struct core_view {
	uint32_t index; /* of the log */
	uint64_t region_count;
	bool open, everything_held, resumed;
	bool failed; /* works without its log device */
	bool unwatched; /* a member left, and its side may have gone on: all is lost when it is proven stopped */
	bool unmerged;     /* the slot of a member that left is still to be taken over */
	bool base_settled; /* the base has been compared with the state since the disk role moved */
	bool base_ours;    /* it writes the base */
	bool undurable;    /* a loss is not known to stand in the base yet */
	bool by_proxy;     /* another node holds for it */
	bool somebody_by_proxy; /* some member holds by another one's slot, as this node knows */
	bool can_write; /* it has a slot, on a device that has not failed, and uses the log */
	bool active;    /* in a group that has settled, with quorum and with the state */
	bool closing;   /* its last table is being suspended */
	bool refused;   /* the others take this boot for stopped */
	/* words of 64 regions, valid until the next step */
	const uint64_t *out, *lost, *held, *marked, *pending;
	uint64_t out_count;
};

/* Finds the log; false when the core has none of that name. */
bool core_view(const struct core *core, const char *uuid, enum log_type type,
	       uint64_t device_sectors, uint32_t region_sectors, uint32_t log_minor,
	       struct core_view *ret_view);

/* The regions of this word that some member of a core log holds, as this node knows. */
uint64_t core_view_holds(const struct core *core, uint32_t index, uint64_t word);

/* Some member of a disk log has another one hold this region, as this node knows. */
bool core_view_held_for(const struct core *core, uint32_t index, uint64_t region);

/* Marked and cleared before any FLUSH was answered, and not let go of yet. */
bool core_view_let_go_unheld(const struct core *core, uint32_t index, uint64_t region);

#endif
