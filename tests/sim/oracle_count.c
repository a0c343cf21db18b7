/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracle 6: sync_count is the number of regions in sync, and the log device never calls clean what the state
 * calls out of sync.
 *
 * Compared after every step of a core; with very many regions only now and then.
 */
#include <inttypes.h>

#include "sim.h"

/* After a failed write of the log device a loss may come before base shows it, for so long without another failure.  The
 * same where a member that could not write asked for holds, and has stopped before anybody had them: they are lost, too. */
#define CLEANER_LIMIT_MS 30000
#define WORDS_EACH_STEP 8
#define MANY_WORDS_ONE_IN 64

bool state_is_newest(const struct sim *sim, const struct node *node)
{
	const struct membership *member = &node->group;

	if (sim->node_count == 1)
		return true;
	if (member->path_count != 1 || node->ring == NULL || node->ring->broken ||
	    !cluster_quorate(sim, node) || member->path[0].at < member->path[0].ring->delivered)
		return false;
	for (uint32_t i = 0; i < sim->node_count; i++) {
		const struct membership *other = &sim->nodes[i].group;

		if (sim->nodes[i].daemon.alive &&
		    (sim->nodes[i].ring != node->ring || other->path_count > 1 ||
		     (other->path_count == 1 && other->path[0].at > member->path[0].at)))
			return false;
	}
	return true;
}

bool view_of_mirror(const struct node *node, const struct mirror *mirror,
		    struct core_view *ret_view)
{
	const struct table *table = node->devs[mirror->index].active;

	if (!node->up || !node->daemon.alive || table == NULL || !table->known)
		return false;
	return core_view(node->daemon.core, mirror->uuid, table->log_type,
			 table->geometry.device_sectors, table->geometry.region_sectors,
			 table->disk->minor, ret_view);
}

/* bad: regions of a word that the device may call clean and the core calls out of sync. */
static void check_cleaner(struct sim *sim, struct mirror *mirror, uint64_t word, uint64_t bad)
{
	const struct disk *disk = mirror->disk;
	bool failed = disk->last_error_ms != UINT64_MAX;

	for (uint64_t rest = bad; rest != 0; rest &= rest - 1) {
		uint64_t bit = (uint64_t)__builtin_ctzll(rest);

		if (region_is_let_go_unheld(sim, mirror, word * 64 + bit))
			bad &= ~(UINT64_C(1) << bit);
	}
	if (bad == 0)
		return;
	if (failed || mirror->was_held_for) {
		if (mirror->cleaner_ms == 0 || (failed && mirror->cleaner_ms < disk->last_error_ms))
			mirror->cleaner_ms = sim->now_ms;
		if (disk->broken || disk->read_only ||
		    sim->now_ms - mirror->cleaner_ms < CLEANER_LIMIT_MS)
			return;
	}
	violate(sim, "6",
		"the log device may call region %" PRIu64 " clean, the core says it is out of sync",
		word * 64 + (uint64_t)__builtin_ctzll(bad));
}

static void count_check_mirror(struct sim *sim, const struct node *node, struct mirror *mirror)
{
	const struct clean_oracle *clean = &mirror->clean;
	struct core_log_status status;
	struct core_view view;
	uint64_t out = 0, words, bad;
	bool compare, cleaner = false;

	if (!view_of_mirror(node, mirror, &view) || !view.open || view.failed || !view.resumed)
		return;
	words = (view.region_count + 63) / 64;
	if (words > WORDS_EACH_STEP && sim->event % MANY_WORDS_ONE_IN != 0)
		return;
	compare = mirror->truth == TRUTH_DISK && view.base_settled && state_is_newest(sim, node) &&
		  clean->geometry.region_count == view.region_count &&
		  clean->geometry.region_sectors == mirror->geometry.region_sectors;
	for (uint64_t word = 0; word < words; word++) {
		out += (uint64_t)__builtin_popcountll(view.out[word]);
		if (!compare)
			continue;
		bad = mirror->was_reclaimed && view.undurable ?
			      0 :
			      clean->possible[word] & view.out[word];
		cleaner |= bad != 0;
		if (bad != 0)
			check_cleaner(sim, mirror, word, bad);
	}
	if (!view.closing)
		mirror->last_could_write = view.can_write;
	mirror->was_held_for |= view.somebody_by_proxy;
	if (compare && !cleaner)
		mirror->cleaner_ms = 0;
	if (core_log_status(node->daemon.core, view.index, &status) < 0 ||
	    status.sync_count != view.region_count - out || out != view.out_count)
		violate(sim, "6", "sync_count is %" PRIu64 ", %" PRIu64 " regions are in sync",
			status.sync_count, view.region_count - out);
}

void count_check(struct sim *sim, struct node *node)
{
	for (uint32_t i = 0; i < sim->mirror_count; i++)
		count_check_mirror(sim, node, &sim->mirrors[i]);
}
