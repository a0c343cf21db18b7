/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes from outside and is not as it should be (--foreign): spoiled log devices, requests that no kernel sends,
 * messages of strangers, of yesterday, about nothing, or spoiled.
 *
 * All of it must be refused, and nothing lost.  Drawn from a generator of its own; without --foreign nothing of it happens,
 * so that seeds are what they are without.
 */
#include "sim.h"

#define EVENTS_BETWEEN 40

void foreign_init(struct sim *sim)
{
	rng_seed(&sim->foreign.rng, sim->options->seed ^ UINT64_C(0x5eed0f0f0e161e57));
	sim->foreign.next_event = 1 + rng_below(&sim->foreign.rng, EVENTS_BETWEEN);
}

void foreign_next(struct sim *sim)
{
	static void (*const kinds[])(struct sim * sim) = {
		foreign_disk_spoil, foreign_request, foreign_stranger,
		foreign_member,     foreign_replay,
	};
	struct rng *rng = &sim->foreign.rng;

	if (!sim->options->foreign || sim->phase != PHASE_RUN ||
	    sim->event < sim->foreign.next_event)
		return;
	sim->foreign.next_event = sim->event + 1 + rng_below(rng, 2 * EVENTS_BETWEEN);
	sim->counts.foreign++;
	kinds[rng_below(rng, sizeof(kinds) / sizeof(kinds[0]))](sim);
}
