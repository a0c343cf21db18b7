/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the simulator call of each other; included by sim.h.
 */
#ifndef SIM_PARTS_H
#define SIM_PARTS_H

#include "core_status.h"
#include "sim.h"
#include "sim_view.h"

/* ---- fake_disk.c ---- */

/* What a log device holds that has never been used by dmclogd. */
enum fresh { FRESH_ZERO, FRESH_LVM, FRESH_LVM_NOSYNC, FRESH_GARBAGE };

struct disk *disk_new(struct sim *sim, uint32_t minor, uint64_t device_bytes, uint32_t block_bytes);
void disk_make_fresh(struct sim *sim, struct disk *disk, enum fresh fresh);
void disk_read(struct sim *sim, struct node *node, const struct effect_io *io);
void disk_write(struct sim *sim, struct node *node, const struct effect_io *io);
void disk_complete(struct sim *sim, struct node *node, struct disk_io *io);
/* The process or node that asked is gone: each block (or all, when `whole`) is kept or dropped. */
void disk_abandon(struct sim *sim, struct disk_io *io, bool whole);

/* ---- fake_legs.c: contents and caches; fake_legs_io.c: I/O ---- */

enum leg_io_kind { LEG_WRITE, LEG_READ, LEG_FLUSH, LEG_COPY_READ, LEG_COPY_WRITE };

struct leg_flush { /* of the daemon */
	uint32_t table, left;
	int status;
};

struct copy {
	struct node *node;
	struct mirror *mirror;
	struct table *live;
	uint32_t table;
	uint64_t region;
	uint32_t first_cell, cell_count;
	uint32_t versions[64];
	uint32_t left;
	int status;
	bool voided;
};

struct leg_io {
	enum leg_io_kind kind;
	struct mirror *mirror;
	uint32_t leg;
	struct bio *bio;
	struct leg_flush *flush;
	struct copy *copy;
	uint32_t first_cell, cell_count;
	uint32_t started_at;
};

uint32_t cell_current(const struct cell *cell);
void cell_begin(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t cell,
		uint32_t version);
/* The write has ended: it has reached the cache, or (landed false) it has not. */
void cell_end(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t cell, uint32_t version,
	      bool landed);
/* What had been completed when the leg's count was `started_at` becomes durable. */
void leg_flushed(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t started_at);
/* The cache is gone: cells keep what was durable or any version cached. */
void leg_cache_lost(struct sim *sim, struct mirror *mirror, uint32_t leg);
/* New contents that have nothing to do with the old. */
void leg_scramble(struct sim *sim, struct mirror *mirror, uint32_t leg, uint32_t from_cell);
void legs_make_equal(struct sim *sim, struct mirror *mirror);
/* True when cell has the same contents on all legs now; in_all_outcomes: whatever a power cut keeps. */
bool cell_equal(const struct mirror *mirror, uint32_t cell, bool in_all_outcomes);

void legs_write(struct sim *sim, struct bio *bio, uint32_t leg);
void legs_read(struct sim *sim, struct bio *bio, uint32_t leg);
void legs_flush_for_kernel(struct sim *sim, struct bio *bio, uint32_t leg);
void legs_flush_for_daemon(struct sim *sim, struct node *node, struct mirror *mirror,
			   uint32_t table);
void legs_copy(struct sim *sim, struct node *node, const struct effect_copy *effect);
void leg_io_step(struct sim *sim, struct node *node, struct leg_io *io);
/* The one who asked is gone: what is in flight lands or does not. */
void leg_io_abandon(struct sim *sim, struct leg_io *io);
void copy_void(struct sim *sim, struct mirror *mirror, const struct node *node, uint64_t region);
void copy_void_one(struct sim *sim, struct copy *copy);

/* ---- fake_group.c ---- */

void group_multicast(struct sim *sim, struct node *node, const struct group_message *message);
void group_send(struct sim *sim, struct node *node);
void group_deliver(struct sim *sim, struct node *node);
/* The daemon wants to be a member; it is none any more. */
void group_join(struct sim *sim, struct node *node);
void group_leave(struct sim *sim, struct node *node);
/* There may be something to deliver; to send. */
void member_wake(struct sim *sim, struct node *node);
bool member_has_news(const struct membership *member);
void member_kick(struct sim *sim, struct node *node);

/* ---- fake_parcel.c ---- */

struct parcel *parcel_pack(struct sim *sim, const struct node *node,
			   const struct group_message *message);
void parcel_unpack(struct sim *sim, const struct parcel *parcel, struct group_message *ret_message);
void parcel_put(struct sim *sim, struct parcel *parcel);

/* ---- fake_ring.c ---- */

struct group_event *ring_event(struct ring *ring, uint64_t at);
void ring_put(struct sim *sim, struct ring *ring);
void ring_order(struct sim *sim, struct ring *ring, struct parcel *parcel);
/* The network or the set of corosyncs has changed: rings that do not fit stand still until they are formed anew. */
void rings_break(struct sim *sim);
void rings_reform(struct sim *sim);
void rings_members_changed(struct sim *sim);

/* ---- fake_cluster.c ---- */

bool cluster_quorate(const struct sim *sim, const struct node *node);
void cluster_tell_quorum(struct sim *sim, struct node *node);
void cluster_ring_formed(struct sim *sim, struct node *node, struct ring *ring);
void cluster_ring_repaired(struct sim *sim, const struct ring *ring);
void cluster_reformed(struct sim *sim);
void cluster_daemon_started(struct sim *sim, struct node *node);
void engine_start(struct sim *sim, struct node *node);
void engine_stop(struct sim *sim, struct node *node);
void cluster_fence(struct sim *sim, struct node *fencer, struct node *target);
void cluster_tell_fenced(struct sim *sim, struct node *node, const struct node *target);
/* Time has passed: watchdogs come before all else. */
void cluster_watchdogs(struct sim *sim);

/* ---- group_windows.c ---- */

const char *message_name(enum group_message_type type);
/* A node has handed it to the group. */
void windows_sent(struct sim *sim, const struct node *node, const struct group_message *message);
/* The first delivery of a message to anybody. */
void windows_understand(struct sim *sim, struct node *node, const struct group_message *message);
/* All members have delivered it. */
void windows_heard_by_all(struct sim *sim, const struct group_message *message);
/* These nodes (bit i: node i) have left somebody's view. */
void windows_departed(struct sim *sim, uint32_t gone);
/* A view with these nodes is delivered for the first time, perhaps to one that comes new. */
void windows_view(struct sim *sim, uint32_t members);
/* The newest window of this node with this region may be written by others. */
bool window_is_void(const struct sim *sim, const struct mirror *mirror, const struct node *node,
		    uint64_t region);

/* ---- fake_kept.c ---- */

/* Does anything outlive a daemon in this seed? */
void kept_choose(struct sim *sim);
void *kept_find(struct sim *sim, struct node *node, uint64_t name, size_t bytes);
void kept_release(struct sim *sim, struct node *node, const void *memory);
void kept_forget_all(struct node *node);
void kept_daemon_starts(struct sim *sim, struct node *node);
/* The daemon is to be killed: within a step, some effects from now (true), or at once. */
bool kept_kill(struct sim *sim, struct node *node);
/* False: it has been killed before, and does no more. */
bool kept_before_effect(struct node *node);
void kept_after_effect(struct node *node);
/* After the event in which it was killed. */
void kept_bury(struct sim *sim, struct node *node);

/* ---- fake_daemon.c, fake_effects.c ---- */

/* Aligned to 64. */
void *aligned_zeroed(size_t bytes);
void aligned_free(void *memory);
void daemon_start(struct sim *sim, struct node *node);
void daemon_crash(struct sim *sim, struct node *node);
/* A crash, perhaps not at once, and a start later; at once. */
void daemon_kill(struct sim *sim, struct node *node);
void daemon_end(struct sim *sim, struct node *node);
/* For a request: what a CTR that founds a log must bring. */
void daemon_allocate(struct sim *sim, struct node *node, struct input_request *input);
void daemon_release(struct sim *sim, struct node *node, void *memory);
void daemon_free(struct node *node);
void daemon_schedule_timer(struct sim *sim, struct node *node);
void daemon_step(struct sim *sim, struct node *node, struct input *input);
void daemon_take_request(struct sim *sim, struct node *node);
void daemon_timer(struct sim *sim, struct node *node);
void daemon_effect(void *context, const struct effect *effect);
void helper_done(struct sim *sim, struct node *node, struct helper *helper);

/* ---- fake_kernel.c: requests ---- */

void thread_wake(struct sim *sim, struct kthread *thread);
void thread_sleep(struct sim *sim, struct kthread *thread, uint64_t delay_ms);
/* Fills in what all requests have; regions and the like are the caller's. */
struct request *kernel_request(struct kthread *thread, struct table *table, enum request_type type);
/* Sends thread->request; the thread runs again when the answer is there.  loops: userspace_do_request, else
 * dm_consult_userspace. */
void kernel_call(struct sim *sim, struct kthread *thread, bool loops);
void kernel_answer(struct sim *sim, struct node *node, const struct answer *answer);
void kernel_tick(struct sim *sim, struct node *node);
void kernel_listener_gone(struct sim *sim, struct node *node);

/* ---- fake_region_hash.c: dm-region-hash.c ---- */

uint64_t region_of_cell(const struct geometry *geometry, uint32_t cell);
void region_update_states(struct sim *sim, struct table *table);
/* The region has been asked for: it comes into the hash. */
void region_insert(struct table *table, uint64_t region, bool in_sync);
void region_inc(struct table *table, uint64_t region);
void region_dec(struct sim *sim, struct table *table, uint64_t region);
void region_mark_nosync(struct table *table, uint64_t region);

/* ---- fake_table.c ---- */

struct table *table_new(struct sim *sim, struct dmdev *dev);

/* ---- fake_raid1.c: dm-raid1.c without its worker ---- */

void bio_list_add(struct bio_list *list, struct bio *bio);
struct bio *bio_list_pop(struct bio_list *list);
void bio_list_merge(struct bio_list *to, struct bio_list *from);
void raid1_map(struct sim *sim, struct bio *bio);
void raid1_queue(struct sim *sim, struct table *table, struct bio *bio);
void raid1_fail_leg(struct sim *sim, struct table *table, uint32_t leg, enum leg_error error);
/* The leg for a read, or -1. */
int raid1_choose_leg(const struct table *table);
bool raid1_any_leg(const struct table *table);
void raid1_write(struct sim *sim, struct table *table, struct bio *bio);
void raid1_write_single(struct sim *sim, struct table *table, struct bio *bio);
void raid1_write_done(struct sim *sim, struct bio *bio);
void raid1_read(struct sim *sim, struct table *table, struct bio *bio, int leg);
void raid1_read_done(struct sim *sim, struct bio *bio, bool failed, const uint32_t *versions);
void raid1_hold(struct sim *sim, struct table *table, struct bio *bio);
void raid1_reset_flags(struct sim *sim, struct table *table);
void raid1_end(struct sim *sim, struct bio *bio, int error);
char raid1_letter(const struct table *table, uint32_t leg);
void raid1_event(struct sim *sim, struct dmdev *dev);

/* ---- fake_kmirrord.c, fake_flush.c ---- */

void worker_wake(struct sim *sim, struct table *table);
void worker_run(struct sim *sim, struct kthread *thread);
/* userspace_flush(); true when it is done (table->flush_result), false while it waits. */
void log_flush_begin(struct table *table);
bool log_flush_run(struct sim *sim, struct table *table);
void flusher_wake(struct sim *sim, struct table *table);
void flusher_run(struct sim *sim, struct kthread *thread);

/* ---- fake_dm.c: ioctls; admin.c: what is done with them ---- */

enum dm_op { DM_END, DM_LOAD, DM_SUSPEND, DM_RESUME, DM_REMOVE, DM_CLEAR, DM_WAIT };

void dm_run(struct sim *sim, struct kthread *thread);
void dm_begin(struct sim *sim, struct dmdev *dev, const uint8_t *plan);
bool dm_idle(const struct dmdev *dev);
/* A condition that the admin thread may wait for has changed. */
void dm_poke(struct sim *sim, struct dmdev *dev);
void dm_submit(struct sim *sim, struct dmdev *dev, struct bio *bio);
void status_run(struct sim *sim, struct kthread *thread);
void admin_next(struct sim *sim, struct dmdev *dev);
void admin_status(struct sim *sim, struct dmdev *dev);
/* The table that DM_LOAD is to load. */
void admin_fill_table(struct sim *sim, struct dmdev *dev, struct table *table);
/* Another table has become the live one; the device is gone. */
void admin_table_swapped(struct sim *sim, struct dmdev *dev);
void admin_removed(struct sim *sim, struct dmdev *dev);
/* The table about to be resumed may copy every region. */
bool admin_all_may_be_copied(const struct dmdev *dev);
extern const uint8_t plan_nothing[];
/* What a table as the mirror is now would be. */
void admin_next_as_now(struct dmdev *dev);
void admin_next_geometry(struct sim *sim, const struct mirror *mirror, struct geometry *geometry);
bool admin_needs_new_leg(const struct mirror *mirror);
/* Does a daemon of some node have it open? */
bool admin_disk_open(const struct sim *sim, const struct disk *disk);

/* ---- admin_cluster.c: what is done to a mirror on all nodes together ---- */

bool change_begin(struct sim *sim, struct dmdev *dev);
/* The device's part in it. */
void change_next(struct sim *sim, struct dmdev *dev);
void change_node_gone(struct mirror *mirror, const struct node *node);
/* Nobody has a table of the mirror. */
bool mirror_unused(const struct sim *sim, const struct mirror *mirror);

/* ---- application.c ---- */

void application_next(struct sim *sim, struct dmdev *dev);
/* error: 0, or the bio failed */
void application_done(struct sim *sim, struct bio *bio, int error);
void application_crash(struct mirror *mirror, const struct node *node);
void application_power_cut(struct mirror *mirror);

/* ---- faults.c ---- */

/* One begins; the next one is due when sim->event has reached sim->fault_event. */
void fault_next(struct sim *sim);
/* object: what the fault was about */
void fault_ends(struct sim *sim, struct node *node, void *object);
void faults_stop(struct sim *sim);
void node_crash(struct sim *sim, struct node *node, bool power_cut);
void node_start(struct sim *sim, struct node *node);
void mirror_power_cut(struct sim *sim, struct mirror *mirror);

/* ---- faults_cluster.c ---- */

void network_cut(struct sim *sim);
void network_heal(struct sim *sim);
void node_pause_ends(struct sim *sim, struct node *node);
void fault_pause(struct sim *sim, struct node *node);
void fault_path(struct sim *sim, struct node *node);
void paths_heal(struct sim *sim, struct node *node);
void fault_control(struct sim *sim, struct node *node);
void fault_fail(struct sim *sim, struct node *node);
bool disk_fails(const struct node *node, const struct disk *disk);
void fault_engine(struct sim *sim, struct node *node);
void fault_all(struct sim *sim);
void fault_each(struct sim *sim);
/* The item belongs to what pauses. */
bool item_pauses(const struct sim *sim, const struct item *item, uint64_t *ret_until_ms);

/* ---- foreign*.c: what comes from outside and is not as it should be ---- */

void foreign_init(struct sim *sim);
/* Before each event. */
void foreign_next(struct sim *sim);
void foreign_disk_spoil(struct sim *sim);
/* The mirror is used by nobody, and about to be. */
void foreign_disk_unused(struct sim *sim, struct mirror *mirror);
void foreign_request(struct sim *sim);
void foreign_answered(struct sim *sim, const struct node *node, const struct answer *answer);
/* A member that can speak now, or NULL; the name of a log that may be used. */
struct node *foreign_speaker(struct sim *sim);
void foreign_name(struct sim *sim, struct log_name *name);
void foreign_stranger(struct sim *sim);
void foreign_member(struct sim *sim);
void foreign_replay(struct sim *sim);
/* A daemon multicasts this: it may come again, or spoiled before. */
void foreign_note_sent(struct sim *sim, struct node *node, const struct group_message *message);
/* All replicated state of a node, as a number. */
uint64_t foreign_state(const struct node *node);
/* The port would not let it through. */
bool foreign_dropped(struct sim *sim, struct node *node, const struct parcel *parcel);

/* ---- kernel_disk_log.c ---- */

/* The kernel's own disk log runs the mirror for a while, ended cleanly or by a power cut. */
void kernel_log_episode(struct sim *sim, struct mirror *mirror);

/* ---- main.c, minimise.c, features.c ---- */

void seed_run(const struct options *options, struct seed_result *ret_result);
/* True when the seed fails. */
bool minimise(const struct options *options);
uint32_t feature_count(void);
const char *feature_name(uint32_t feature);
uint32_t features_parse(const char *names);
void features_leave_out(struct profile *profile, uint32_t without);

/* ---- profile.c, world.c ---- */

void profile_choose(struct sim *sim);
/* moods.c */
void mood_choose(struct sim *sim, struct profile *profile);
/* NULL behind the last one. */
const char *mood_name(uint32_t mood);
void profile_mirror(struct sim *sim, struct mirror *mirror);

void world_run(struct sim *sim);
void geometry_set(struct geometry *geometry, uint64_t device_sectors, uint32_t region_sectors);
struct disk *world_disk(struct sim *sim, uint32_t minor);

/* ---- disk_truth.c ---- */

/* What a log device says if header and superblock turn out so. */
struct disk_outcome {
	bool nothing_clean;
	struct geometry geometry; /* of cells only region_cells is set */
	uint64_t *clean;          /* bit r: clean in some outcome of the other blocks */
};

void disk_truth_geometry(const struct mirror *mirror, struct geometry *ret_geometry);
void disk_truth_outcomes(struct sim *sim, struct mirror *mirror,
			 void (*add)(struct sim *, struct mirror *, const struct disk_outcome *));
/* The durable block at offset_bytes has changed. */
void disk_structure_changed(struct disk *disk, uint64_t offset_bytes);

/* ---- writers.c ---- */

/* Somebody can write this log device now, and this node must know it: none of its FLUSHes may fail. */
bool writer_known(const struct sim *sim, const struct node *node, const struct mirror *mirror);
/* Some node holds by another one's slot. */
bool somebody_is_held_for(const struct sim *sim, const struct mirror *mirror);
/* The state says so of this region: it is lost once more when that node has stopped. */
bool region_is_held_for(const struct sim *sim, const struct mirror *mirror, uint64_t region);
/* Some node marked it, and no FLUSH was answered before the CLEAR: nothing was written.  When a flush of the legs fails it is lost
 * all the same, with no slot bit that stands on the device. */
bool region_is_let_go_unheld(const struct sim *sim, const struct mirror *mirror, uint64_t region);

/* ---- oracles ---- */

/* 1 */
/* All members have delivered what this one has, or less, and none is missing. */
bool state_is_newest(const struct sim *sim, const struct node *node);
void clean_init(struct sim *sim, struct mirror *mirror);
void clean_cells_changed(struct sim *sim, struct mirror *mirror, uint32_t first_cell,
			 uint32_t count);
void clean_disk_changed(struct sim *sim, struct disk *disk);
void clean_check_core(struct sim *sim, struct node *node);
/* Everything anew: the geometry, the truth or many contents have changed. */
void clean_renew(struct sim *sim, struct mirror *mirror);
/* After a cut or before an opening: what is not clean may be copied from now on. */
/* What is not clean on the log device now may be copied, too. */
void clean_add_may_copy(struct mirror *mirror, bool everything);
void clean_note_may_copy(struct sim *sim, struct mirror *mirror, bool everything);
/* 2 */
void state_check(struct sim *sim, const struct node *node, struct ring *ring, uint64_t at);
/* 3 */
void copy_check_write(struct sim *sim, const struct bio *bio);
void copy_check_start(struct sim *sim, const struct copy *copy);
void copy_check_write_piece(struct sim *sim, const struct copy *copy);
void copy_note_synced(struct mirror *mirror, uint64_t region);
void copy_check_losing(struct sim *sim, const struct node *sender, const struct mirror *mirror,
		       const struct group_message *message);
void copy_note_lost(struct mirror *mirror, const struct group_message *message);
/* 4 */
void read_check(struct sim *sim, const struct bio *bio, const uint32_t *versions);
/* 5 */
/* Nobody waits for it any more, and the request comes once more: what has been answered counts as answered then. */
void answer_late(struct sim *sim, struct node *node, const struct answer *answer);
void answer_check(struct sim *sim, struct kthread *thread, struct table *table,
		  enum request_type type, const struct answer *answer);
void resend_check(struct sim *sim, const struct kthread *thread);
void liveness_check(struct sim *sim, struct node *node);
/* True when all is quiet, in sync and equal; violates when the legs are not. */
bool settle_check(struct sim *sim, char *reason, size_t reason_bytes);
void close_check(struct sim *sim, struct mirror *mirror);
/* After each event. */
void status_check(struct sim *sim);
/* 6 */
void count_check(struct sim *sim, struct node *node);

/* oracle_state.c: the view of the log that the mirror uses now, by the core of a node; false: none */
bool view_of_mirror(const struct node *node, const struct mirror *mirror,
		    struct core_view *ret_view);

/* ---- plants.c ---- */

extern const char *const plant_names[];
extern int dmclogd_plant;

#endif
