/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm-raid1.c without its worker: failing legs, dispatching I/O, holding it, ending it.
 */
#include <errno.h>
#include <inttypes.h>

#include "sim.h"

void bio_list_add(struct bio_list *list, struct bio *bio)
{
	bio->next = NULL;
	if (list->tail != NULL)
		list->tail->next = bio;
	else
		list->head = bio;
	list->tail = bio;
}

struct bio *bio_list_pop(struct bio_list *list)
{
	struct bio *bio = list->head;

	if (bio == NULL)
		return NULL;
	list->head = bio->next;
	if (list->head == NULL)
		list->tail = NULL;
	bio->next = NULL;
	return bio;
}

void bio_list_merge(struct bio_list *to, struct bio_list *from)
{
	struct bio *bio;

	while ((bio = bio_list_pop(from)) != NULL)
		bio_list_add(to, bio);
}

/* queue_bio() */
void raid1_queue(struct sim *sim, struct table *table, struct bio *bio)
{
	bio_list_add(bio->op == BIO_READ ? &table->reads : &table->writes, bio);
	worker_wake(sim, table);
}

/* mirror_map(): the userspace log may not block, so reads are queued as writes are. */
void raid1_map(struct sim *sim, struct bio *bio)
{
	struct table *table = bio->dev->active;

	bio->table = table;
	bio->error_bits = 0;
	bio->region = region_of_cell(&table->geometry, bio->first_cell);
	bio->dev->inflight++;
	raid1_queue(sim, table, bio);
}

/* dm_table_event(): somebody who polls hears of it, later. */
void raid1_event(struct sim *sim, struct dmdev *dev)
{
	if (dev->event_pending || !dev->node->daemon.alive)
		return;
	dev->event_pending = true;
	schedule_io(sim, ITEM_DM_EVENT, dev->node, dev);
}

bool raid1_any_leg(const struct table *table)
{
	for (uint32_t i = 0; i < table->mirror->leg_count; i++)
		if (table->leg_errors[i] == 0)
			return true;
	return false;
}

/* fail_mirror() */
void raid1_fail_leg(struct sim *sim, struct table *table, uint32_t leg, enum leg_error error)
{
	uint8_t bit = (uint8_t)(1u << error);

	table->leg_failure = true;
	table->primary_failed |= leg == 0;
	table->leg_errors[leg]++;
	if ((table->leg_error_types[leg] & bit) != 0)
		return;
	table->leg_error_types[leg] |= bit;
	NOTE(sim, "leg failed", leg, error, "node %u: leg %u fails (%c), mirror %s in sync",
	     table->node->index, leg, raid1_letter(table, leg), table->in_sync ? "is" : "not");
	if (!table->handle_errors)
		return;
	if (leg == table->default_leg && table->in_sync) {
		for (uint32_t i = 0; i < table->mirror->leg_count; i++) {
			if (table->leg_errors[i] > 0)
				continue;
			table->default_leg = i;
			break;
		}
	}
	raid1_event(sim, table->dev);
}

/* device_status_char() */
char raid1_letter(const struct table *table, uint32_t leg)
{
	uint8_t types = table->leg_error_types[leg];

	if (table->leg_errors[leg] == 0)
		return 'A';
	return types & 1u << LEG_FLUSH_ERROR ? 'F' :
	       types & 1u << LEG_WRITE_ERROR ? 'D' :
	       types & 1u << LEG_SYNC_ERROR  ? 'S' :
	       types & 1u << LEG_READ_ERROR  ? 'R' :
					       'U';
}

/* reset_ms_flags(): a mirror that has been in sync calls it soon after an empty flush has failed, since the log is
 * not told of that and still says that all is in sync.  If nobody has read the letters before, nobody can know that a
 * leg has lost what its cache held: what differs then is the kernel's doing. */
void raid1_reset_flags(struct sim *sim, struct table *table)
{
	for (uint32_t i = 0; i < table->mirror->leg_count; i++) {
		if (table->leg_errors[i] == 0 || !table->mirror->legs[i].suspect ||
		    table->letters_told)
			continue;
		table->mirror->swallowed = true;
		sim->counts.swallowed++;
	}
	table->leg_failure = false;
	for (uint32_t i = 0; i < SIM_LEGS_MAX; i++) {
		table->leg_errors[i] = 0;
		table->leg_error_types[i] = 0;
	}
}

/* choose_mirror() */
int raid1_choose_leg(const struct table *table)
{
	uint32_t leg = table->default_leg;

	do {
		if (table->leg_errors[leg] == 0)
			return (int)leg;
		leg = leg == 0 ? table->mirror->leg_count - 1 : leg - 1;
	} while (leg != table->default_leg);
	return -1;
}

/* do_write(), for writes and for empty flushes */
void raid1_write(struct sim *sim, struct table *table, struct bio *bio)
{
	uint32_t legs = table->mirror->leg_count;

	bio->single = bio->unpromised = false;
	bio->error_bits = 0;
	bio->legs_left = legs;
	if (bio->op == BIO_WRITE)
		copy_check_write(sim, bio);
	for (uint32_t leg = 0; leg < legs; leg++) {
		if (bio->op == BIO_FLUSH)
			legs_flush_for_kernel(sim, bio, leg);
		else
			legs_write(sim, bio, leg);
	}
}

/*
 * A write to a NOSYNC region: the default leg alone, nothing recorded.  After a failed empty flush dm_rh_dec() makes such
 * entries without a word to the log (rh->flush_failure), and as soon as the log, asked for its count, says that all is in
 * sync (reset_ms_flags()) it no longer holds what is written there: nobody promises that others read it.
 */
void raid1_write_single(struct sim *sim, struct table *table, struct bio *bio)
{
	bio->single = true;
	bio->unpromised = table->flush_failure;
	bio->error_bits = 0;
	bio->legs_left = 1;
	copy_check_write(sim, bio);
	legs_write(sim, bio, table->default_leg);
}

/* write_callback(), or the end of a write that went to one leg only */
void raid1_write_done(struct sim *sim, struct bio *bio)
{
	struct table *table = bio->table;

	if (bio->error_bits == 0 || bio->single) {
		raid1_end(sim, bio, bio->error_bits == 0 ? 0 : -EIO);
		return;
	}
	for (uint32_t leg = 0; leg < table->mirror->leg_count; leg++)
		if ((bio->error_bits >> leg & 1) != 0)
			raid1_fail_leg(sim, table, leg, LEG_WRITE_ERROR);
	bio_list_add(&table->failures, bio);
	worker_wake(sim, table);
}

/* read_async_bio() */
void raid1_read(struct sim *sim, struct table *table, struct bio *bio, int leg)
{
	(void)table;
	if (leg < 0) {
		raid1_end(sim, bio, -EIO);
		return;
	}
	bio->leg = (uint32_t)leg;
	legs_read(sim, bio, bio->leg);
}

/* read_callback(); mirror_available() is true for a userspace log, which answers -EWOULDBLOCK. */
void raid1_read_done(struct sim *sim, struct bio *bio, bool failed, const uint32_t *versions)
{
	struct table *table = bio->table;

	if (!failed) {
		read_check(sim, bio, versions);
		raid1_end(sim, bio, 0);
		return;
	}
	raid1_fail_leg(sim, table, bio->leg, LEG_READ_ERROR);
	if (table->leg_errors[table->default_leg] == 0 || raid1_choose_leg(table) >= 0)
		raid1_queue(sim, table, bio);
	else
		raid1_end(sim, bio, -EIO);
}

/* hold_bio() */
void raid1_hold(struct sim *sim, struct table *table, struct bio *bio)
{
	if (table->suspend)
		raid1_end(sim, bio, table->dev->noflush ? -EAGAIN : -EIO);
	else
		bio_list_add(&table->holds, bio);
}

/* mirror_end_io() and what dm does behind it; -EAGAIN: DM_ENDIO_REQUEUE */
void raid1_end(struct sim *sim, struct bio *bio, int error)
{
	struct dmdev *dev = bio->dev;
	struct table *table = bio->table;

	if (bio->op == BIO_WRITE)
		region_dec(sim, table, bio->region);
	dev->inflight--;
	bio->table = NULL;
	if (error == -EAGAIN)
		bio_list_add(&dev->deferred, bio);
	else
		application_done(sim, bio, error);
	if (dev->inflight == 0)
		dm_poke(sim, dev);
}
