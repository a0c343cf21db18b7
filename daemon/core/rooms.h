/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rooms of daemon/core call of each other.  Included by core_private.h, after its structs.
 */
#ifndef DMCLOGD_ROOMS_H
#define DMCLOGD_ROOMS_H

#include "core_private.h"

/* ---- registry.c ---- */

struct table *table_find(struct core *core, const char *uuid, uint64_t luid);
struct log *table_log(struct core *core, const struct table *table);
uint32_t table_index(const struct core *core, const struct table *table);
struct log *log_find(const struct core *core, const struct log_name *name);
bool log_name_same(const struct log_name *a, const struct log_name *b);
void log_name_of(const char *uuid, const struct constructor *constructor,
		 struct log_name *ret_name);
size_t log_memory_bytes(const struct core_config *config, const struct constructor *constructor);
struct log *log_build(struct core *core, uint32_t index, const struct log_name *name,
		      const struct constructor *constructor, void *memory, void *kept);
void log_free(struct core *core, struct log *log);

/* ---- core.c ---- */

void emit(struct core *core, const struct effect *effect);
void emit_event(struct core *core, const struct log *log, const struct effect_event *event);
/* Makes the core's timer go off no later than that. */
void core_wake_at(struct core *core, uint64_t when_ms);
bool predecessor_known(const struct core *core, const char *uuid);
void emit_table(struct core *core, enum effect_type type, const struct table *table);
void multicast(struct core *core, const struct log *log, struct group_message *message);
void multicast_named(struct core *core, const struct log_name *name, struct group_message *message);
void multicast_group(struct core *core, struct group_message *message);
/* Notes that a request waits.  It goes on with the old one's time when it is a repetition. */
void waiting_note(struct core *core, struct table *table, const struct request *request);
/* Answers a waiting request, if it is still there. */
void answer_waiting(struct core *core, struct table *table, enum request_type type, int error,
		    const void *payload, uint32_t payload_bytes);
void answer_waiting_flag(struct core *core, struct table *table, enum request_type type,
			 int64_t flag);
/* Makes the log's timer go off no later than that. */
void log_wake_at(struct log *log, uint64_t when_ms);
/* Does what has become possible. */
void log_pump(struct core *core, struct log *log);

/* ---- lifecycle.c: CTR, DTR, PRESUSPEND, POSTSUSPEND, RESUME ---- */

void lifecycle_ctr(struct core *core, const struct input_request *input);
void lifecycle_request(struct core *core, struct table *table, const struct request *request);
void lifecycle_device_opened(struct core *core, const struct input_device_opened *device);
void lifecycle_device_closed(struct core *core, uint32_t log);
void lifecycle_pump(struct core *core, struct log *log);
/* The log is usable: the table that waits in RESUME goes on. */
void table_live(struct core *core, struct table *table);

/* ---- joining.c: which of a node's tables has the log ---- */
/* The table that stands in the way of a RESUME: same uuid or same log device, and not suspended. */
struct table *table_rival(struct core *core, const struct table *table);
void table_leave(struct core *core, struct table *table);
void table_join(struct core *core, struct table *table); /* its RESUME waits */
/* A table in conflict has the log now: the other one was ended while there was no daemon. */
bool table_outlived(struct core *core, struct table *table);
/* ---- unknown.c ---- */
void unknown_ask(struct core *core, const struct request *request);
/* A request that comes before its table is live: it is told to come again when that is so. */
void unknown_hold(struct core *core, const struct request *request);
/* Makes the kernel ask something of the live table with this uuid. */
void unknown_provoke(struct core *core, const char *uuid, uint64_t luid);
/* The table is live: what waited for that comes again. */
void unknown_live(struct core *core, struct table *table);
/* The table answers now, or is gone: what waited for it comes again. */
void unknown_again(struct core *core, const struct table *table);
void unknown_provoked(struct core *core, const struct input_provoked *provoked);
/* The table has been constructed: what waited for that waits for its RESUME now. */
void unknown_adopt(struct core *core, struct table *table);

/* ---- requests.c: everything else the kernel asks ---- */

void request_answer(struct core *core, struct table *table, const struct request *request);
void report_pump(struct core *core, struct log *log);
/* Can a request of this type have made something possible, when it has been answered? */
bool request_changes(enum request_type type);

/* ---- hold.c ---- */

void hold_mark(struct log *log, uint64_t region);
void hold_clear(struct core *core, struct log *log, uint64_t region);
/* Refused by this node in a window: the kernel has it marked, or writes it unmarked. */
bool hold_refuses(const struct log *log, uint64_t region);
/* The hold of a region that has left the idle list ends: later, behind a flush of the legs (disk log), or with the next
 * RELEASE (core log). */
void hold_idle_ends(struct log *log, uint64_t region);
/* An idle hold is let go for a window: in memory at once, on the device later. */
void hold_let_go(struct log *log, uint64_t region);
/* All that is held is to be wished for again. */
void hold_all_again(struct log *log);
/* Grants what can be granted and answers a FLUSH that has nothing to wait for any more. */
void hold_pump(struct core *core, struct log *log);
bool hold_flush_may_go(struct core *core, const struct log *log);

/* ---- release.c ---- */

/* Starts and carries on the flush of the legs behind which slot bits go and base bits come. */
void release_pump(struct core *core, struct log *log);
/* Closing: all holds end and all gains go to the base, behind one flush of the legs. */
void release_all(struct core *core, struct log *log, struct table *table);
void release_flushed(struct core *core, struct log *log, int status);
/* The node's I/O has drained: nothing is marked or held any more. */
void hold_forget_marks(struct log *log);
/* Multicasts as lost what is held, or gained and not yet on the base: a leg did not keep it. */
void hold_lose_all(struct core *core, struct log *log, int status);
void hold_lose_pump(struct core *core, struct log *log);

/* ---- device_io.c: the images and the log device ---- */

void device_pump(struct core *core, struct log *log);
/* Opens and closes the log device as the tables need it. */
void device_lifecycle(struct core *core, struct log *log, bool wanted);
void device_written(struct core *core, const struct input_io *io);
/* One read of a log is under way at a time. */
void device_read(struct core *core, struct log *log, enum read_purpose purpose,
		 uint64_t offset_bytes, uint64_t length_bytes);
void device_was_read(struct core *core, const struct input_io *io);
void device_put_header(struct log *log, uint64_t nr_regions);
void device_put_superblock(struct log *log);
void device_put_slot_header(struct core *core, struct log *log, enum disk_slot_state state);

/* ---- opening.c, opening_proof.c, opening_read.c, closing.c ---- */

void opening_begin(struct core *core, struct log *log);
/* OPENED of our own has been delivered: the log can be used. */
void opening_delivered(struct core *core, struct log *log);
/* OPENED: slots are allotted anew; the founder has the one it says.  Returns 0 or -EBADMSG. */
int opened_take(struct core *core, struct entry *entry, const struct group_message *message);
bool layout_fits(const struct log *log, const struct disk_layout *layout);
/* Lays the own slot out, with a bit for all that is held. */
void slot_place(struct log *log, uint32_t slot);
/* Sets the bits of all that is held, or to be let go; true when all of the slot is on the device. */
bool slot_covers_holds(struct log *log);
void opening_pump(struct core *core, struct log *log);
void opening_read(struct core *core, struct log *log, const struct input_io *io);
void opening_fail(struct core *core, struct log *log, int status, const char *what);
/* The owner of a slot in use is proven stopped, or has said that it writes there no more. */
bool slot_owner_proven(struct core *core, struct log *log, const struct disk_slot_header *slot);
/* A daemon of before served the uuid's live table; asked once. */
bool predecessor_take(struct core *core, const struct log *log);
void opening_next(struct log *log, enum opening_step step);
/* Nobody may begin to use the log without this side's knowing; says once for whom it waits. */
bool opening_side_known(struct core *core, struct log *log);
/* The device calls it in sync, and it is not: its base bit goes. */
void opening_loses(struct log *log, uint64_t region);
uint32_t opening_leaver(const struct core *core,
			const struct log *log); /* who is being suspended, or 0 */
bool opening_members_proven(struct core *core, struct log *log);
bool opening_all_asked(struct core *core, struct log *log);
/* The slots are read again when an owner was not proven at once. */
bool opening_owners_proven(struct core *core, struct log *log);
/* opening_read.c: true when this step has nothing more to read. */
bool opening_read_more(struct core *core, struct log *log);
void closing_begin(struct log *log, uint32_t table);
void closing_pump(struct core *core, struct log *log);
void closing_left(struct core *core, struct log *log, const struct group_message *message);
void closing_write_failed(struct core *core, struct log *log, int status);
/* The group, or its state of this log, is lost: the slot stays in use. */
void closing_lost(struct log *log);

/* ---- health.c: live tables and their legs ---- */

void legs_input(struct core *core, const struct input *input);
/* A leg has lost what its cache held, as some node found out: what this one holds may be among it. */
void health_flush_failed(struct core *core, struct log *log);
void health_delivered(struct core *core, const struct group_message *message);
void table_open_legs(struct core *core, struct table *table);
void table_close_legs(struct core *core, struct table *table);
void legs_pump(struct core *core, struct table *table);
/* Asks for a reading of the letters that begins after this call; it is there when
 * table->health_done >= the ticket returned. */
uint64_t health_ask(struct table *table);
bool health_failed(const struct table *table);
bool health_primary_failed(const struct table *table);
/* A leg failed: it counts as failed as long as the table lives. */
void health_leg_failed(struct log *log, struct table *table, bool flush);

/* ---- own_slot.c ---- */

void slot_place_first(struct log *log);
void superblock_renew(struct core *core, struct log *log);

/* ---- claiming.c, copying.c, touch.c ---- */

struct own_window *own_window_find(struct log *log, uint32_t number);
struct window *own_window_shared(struct core *core, struct log *log, const struct own_window *own);
/* The kernel is at work: background copying steps back. */
bool kernel_busy(struct core *core, const struct log *log);
void claim_background(struct core *core, struct log *log);
void claim_touched(struct core *core, struct log *log);

void copying_pump(struct core *core, struct log *log);
void copying_copied(struct core *core, const struct input_copied *copied);
/* No copy is under way and no window of ours is left. */
bool copying_idle(const struct log *log);
/* A claim of some member was delivered; `taken` when it has become a window. */
void copying_claimed(struct core *core, struct log *log, const struct group_message *message,
		     bool taken);
/* Windows of ours were ended by a view, or with the group. */
void copying_given_back(struct core *core, struct log *log, const struct window *window);
void copying_lost(struct log *log);
/* The operator has changed the pace. */
void copying_control(struct log *log);
/* A member that did not answer claims has gone, perhaps: nobody rests for its sake. */
void copying_without_member(struct log *log);
/* Bytes a second of this member's background copying; 0: no limit. */
uint64_t copying_rate(const struct core *core, const struct log *log);
bool copying_flies(const struct log *log, uint64_t region);
/* All members have answered; window->refused is about to leave the window. */
void copying_granted(struct core *core, struct log *log, const struct window *window);
/* May this node copy now?  Not while suspending, with a failed leg, or a table whose past is unknown. */
bool copying_allowed(struct core *core, struct log *log);
/* The state is here, and in it the region was in sync once: IN_SYNC is 1. */
bool touch_needless(const struct log *log, uint64_t region);
void touch_ask(struct core *core, struct table *table, const struct request *request);
void touch_pump(struct core *core, struct log *log);
/* A region that somebody refused is not asked for again within a second. */
void refusal_remember(struct core *core, struct log *log, uint64_t region);
bool refused_lately(const struct core *core, const struct log *log, uint64_t region);
void touch_refused(struct core *core, struct log *log, uint64_t region);

/* ---- proof.c ---- */

/* Has this side quorum, as far as this node knows? */
bool proof_quorate(const struct core *core);
struct gone_node *proof_node(struct core *core, uint32_t node_id);
/* A node that has left, is not proven stopped and may have quorum as well, or 0: it may begin to use any log. */
uint32_t proof_other_side(const struct core *core);
void proof_delivered(struct core *core, const struct group_message *message);
void proof_pump(struct core *core);

/* ---- views.c, group.c ---- */

/* All are to say hello; the lowest node calls for it. */
void group_greet(struct core *core);
/* For a CALL or an ENTER: no other one of any node, boot or daemon has it.  Never 0. */
uint64_t group_number(struct core *core);
/* This node's past does not count: it is given up, and the group's state fetched from this point on. */
void group_fetch(struct core *core);
bool group_anybody_lacks(const struct core *core);
/* One that may take part, and has not got the group's state yet, or 0. */
uint32_t group_lacking(const struct core *core);
/* To all who lack it, by the lowest node that has it. */
void group_send_directory(struct core *core);
uint32_t group_lowest_current(const struct group *group);

struct group_node *group_node_find(struct core *core, uint32_t node_id);
bool proof_is_stopped(const struct core *core, uint32_t node_id, const uint8_t *boot_id);
/* Not in the cluster's membership for so long, as far as this node knows. */
bool proof_out_of_cluster(struct core *core, uint32_t node_id, uint64_t for_ms);
void group_view(struct core *core, const struct input_view *view);
void group_lost(struct core *core);
void proof_quorum(struct core *core, const struct input_quorum *quorum);
void proof_fenced(struct core *core, uint32_t node_id);
void group_delivered(struct core *core, const struct group_message *message);
/* One message in its place in the order, at once or when the directory has been read. */
void group_apply(struct core *core, const struct group_message *message);
/* After every input that is about the group: what has become possible. */
void group_pump(struct core *core);

/* ---- sides.c ---- */

/* All of the view have said hello; `founded`: none of them had a past. */
void sides_settled(struct core *core, bool founded);
/* Those who lacked the group's state have it. */
void sides_current(struct core *core);
/* An epoch begins: how much this side's past can be trusted. */
void sides_epoch(struct core *core);
/* This boot of it has ended. */
void sides_stopped(const struct core *core, struct group_node *node);
/* Some who were astray are no more. */
void sides_found_again(struct core *core);
/* It left, is not proven to be stopped, and may be of a side that has gone on. */
bool sides_astray(const struct core *core, const struct group_node *node);
bool sides_any_astray(const struct core *core);
/* Behind each message: outdated logs that can be, are renewed. */
void sides_pump(struct core *core);

/* ---- members.c, directory.c, directory_codec.c ---- */

struct entry *entry_make(struct core *core, const struct log_name *name);
/* What follows from a change of the members, for all alike; `state_wanted`: who lacks the state gets it.  May end the entry. */
void entry_settle(struct core *core, struct entry *entry, bool state_wanted);
/* A disk log that nobody could open works without its device: FLUSH fails. */
bool entry_opening_failed(const struct entry *entry);
struct member *entry_next_founder(struct entry *entry);
void entry_add_absent(struct entry *entry, uint32_t node_id);
struct member *member_make(struct core *core, struct entry *entry, uint32_t node_id);
void member_remove(struct core *core, struct entry *entry, struct member *member);

const struct entry *entry_look(const struct core *core, const struct log_name *name);
struct entry *entry_find(struct core *core, const struct log_name *name);
/* A member departed and is not proven to be stopped. */
bool entry_departed(const struct entry *entry);
/* ... or the log is outdated: nothing is copied, and nothing written but own slots. */
bool entry_unproven(const struct entry *entry);
/* Does who has no slot get one that is free?  Not while another side may have given it to somebody (sides.c). */
bool entry_slots_allotted(const struct core *core, const struct entry *entry);
/* Some member's kernel may have been let write before this Opening. */
bool entry_lived(const struct entry *entry);
/* Another log with this uuid must end first (F22). */
bool entry_in_the_way(struct core *core, const struct log_name *name);
bool entry_replaced(struct core *core, const struct log_name *name);
/* The member with the disk role, or NULL. */
struct member *entry_disk_role(struct entry *entry);
bool entry_absent(const struct entry *entry, uint32_t node_id);
struct member *member_find(struct entry *entry, uint32_t node_id);
struct member *member_departed(struct entry *entry, uint32_t node_id, const uint8_t *boot_id);
struct member *member_own(struct core *core, struct log *log);
bool member_uses(const struct member *member);
bool member_unproven(const struct member *member);
void directory_deliver(struct core *core, const struct group_message *message);
/* Those who departed cannot have gone on without this side, but for the astray. */
void directory_watched(struct core *core);
void directory_left(struct core *core, uint32_t node_id);
/* The member counts as departed, or is none any more; entry_settle() is the caller's. */
void entry_left(struct core *core, struct entry *entry, struct member *member);
/* `alive`: that boot is here, so all others of the node have ended; else that boot has ended. */
void directory_proven(struct core *core, uint32_t node_id, const uint8_t *boot_id, bool alive);
void directory_send(struct core *core);
/* Returns 0 or -EBADMSG. */
int directory_take(struct core *core, const struct group_message *message);
void directory_found(struct core *core);
void directory_give_up(struct core *core);

/* ---- replicated.c, snapshot.c, catch_up.c ---- */

enum member_news {
	MEMBER_DEPARTED,   /* it left the group */
	MEMBER_STOPPED,    /* proven: what it held may differ */
	MEMBER_LEFT,       /* it has suspended its luid and holds nothing */
	MEMBER_GONE,       /* it does not follow the log any more */
	MEMBER_UNKNOWN,    /* nobody knows what its kernel has marked: it holds everything */
	MEMBER_MOVED,      /* its record left a slot behind: what it reported goes with it */
	MEMBER_COPIES_NOT, /* nothing that it claimed is being copied */
	MEMBER_NEW_LUID,   /* what an old luid of it reported is forgotten */
};

void state_deliver(struct core *core, const struct group_message *message);
/* `members`: what the directory knew when the message was delivered; see members_of(). */
void state_apply(struct core *core, struct log *log, const struct group_message *message,
		 uint64_t members);
void state_member_apply(struct core *core, struct log *log, enum member_news news, uint32_t member,
			uint32_t node_id);
void state_departed(struct core *core, struct entry *entry, uint32_t member);
void state_member_unknown(struct core *core, struct entry *entry, uint32_t member);
void state_copies_not(struct core *core, struct entry *entry, uint32_t member);
void state_member_stopped(struct core *core, struct entry *entry, uint32_t member);
void state_member_moved(struct core *core, struct entry *entry, uint32_t from, uint32_t to);
void state_member_gone(struct core *core, struct entry *entry, uint32_t member);
void state_joined(struct core *core, struct entry *entry, struct member *member,
		  const struct group_message *message);
void state_left(struct core *core, struct entry *entry, struct member *member,
		const struct group_message *message);
void state_opened(struct core *core, struct entry *entry, const struct group_message *message);
void state_opening_failed(struct core *core, struct entry *entry, uint32_t founder);
void state_lose(struct log *log, uint64_t region);
void state_clear(struct log *log);
struct window *window_find(struct log *log, uint32_t claimer, uint32_t number);
bool replicated_legs_failed(const struct core *core, const struct log *log);
void snapshot_begin(struct core *core, struct entry *entry, uint32_t sender);
void snapshot_take(struct core *core, struct entry *entry, const struct group_message *message);
void snapshot_taken(struct core *core, struct entry *entry);
void catch_up_begin(struct catch_up *catch_up);
void catch_up_keep(struct catch_up *catch_up, const struct group_message *message,
		   uint64_t members);
void catch_up_keep_news(struct catch_up *catch_up, enum member_news news, uint32_t member,
			uint32_t node_id);
void catch_up_group(struct core *core);
void catch_up_log(struct core *core, struct log *log);

/* ---- windows.c ---- */

/* Bit i: member i must answer a claim that is delivered now; 0: it is not taken. */
uint64_t window_answerers(struct core *core, const struct group_message *claim);
void window_claimed(struct core *core, struct log *log, const struct group_message *message,
		    uint64_t unanswered);
void window_answer(struct core *core, struct log *log, const struct group_message *message,
		   uint64_t unanswered);
void window_answered(struct core *core, struct log *log, const struct group_message *message,
		     uint64_t answerer);
void window_synced(struct log *log, const struct group_message *message);
void window_returned(struct log *log, const struct group_message *message);
void window_voided(struct log *log, const struct group_message *message);
/* A copy of the region that is under way does not count. */
void windows_spoil(struct log *log, uint64_t region);
void windows_of_departed(struct core *core, struct log *log, uint32_t member, uint32_t node_id);
void windows_need_not(struct core *core, struct log *log, uint32_t member);
/* Makes `windowed` of the windows in the state. */
void windows_lock(struct log *log);
/* It copies nothing any more, and may have had no group to give its windows back to. */
void windows_of_claimer(struct log *log, uint32_t node_id);

/* ---- heard.c ---- */

/* Asks for it at the first call.  False while a node is missing, or the group cannot be spoken to. */
bool heard_by_all(struct core *core, struct log *log);
/* A node that has not answered, or cannot yet, or 0. */
uint32_t heard_missing(const struct core *core, const struct log *log);
void heard_forget(struct log *log); /* what comes next is asked for anew */
void heard_enter_delivered(struct core *core, const struct group_message *message);
void heard_delivered(struct core *core, const struct group_message *message);
void heard_newcomers(struct core *core); /* they have got the group's state, and are asked, too */
/* It has left, or must fetch the group's state. */
void heard_no_state(struct core *core, uint32_t node_id);

/* ---- membership.c, entering.c ---- */

/* The table of this node whose JOIN is under way, or NULL. */
struct table *table_joining(struct core *core, const struct log *log);
void enter_begin(struct core *core, struct log *log);
void enter_again(struct core *core, struct log *log, const struct member *me);
void enter_open_again(struct core *core, struct log *log, struct entry *entry);
void enter_pump(struct core *core, struct log *log, const struct member *me);

/* Active in the group, with the state, and a slot of its own. */
bool log_usable(struct core *core, const struct log *log);
/* Regions in sync; none as long as the state comes from another member, and nothing is known. */
uint64_t log_sync_count(const struct log *log);
void membership_pump(struct core *core, struct log *log);
/* A use of the log has ended here, and the group does not know: what it left in its slot is to be merged first, under the
 * name of who was there then. */
bool membership_left_behind(struct core *core, const struct log *log);
void membership_gone_delivered(struct core *core, const struct log_name *name);
void membership_say_absent(struct core *core);
/* Sends a JOIN: its type and number are filled in here. */
void membership_join(struct core *core, const struct log *log, struct group_message *message);
void membership_joined(struct core *core, const struct group_message *message);
void membership_join_refused(struct core *core, const struct group_message *message);
void membership_imported(struct core *core, struct log *log);
void membership_lost(struct core *core, struct log *log);
void membership_gave_up(struct core *core, struct log *log);
void membership_forget_sent(struct core *core);
void membership_activity(struct core *core);
void enter_read(struct core *core, struct log *log, const struct input_io *io);
/* Is what the device has at its beginning the log that the others have open?  Its superblock and layout are ours then. */
bool superblock_taken(struct log *log, const uint8_t *head);
void enter_write_failed(struct core *core, struct log *log, int status);

/* ---- operator.c ---- */

void operator_control(struct core *core, const struct input_control *control);
void operator_fail(struct core *core, const char *uuid);

/* ---- disk_role.c ---- */

bool base_is_ours(const struct log *log);
void base_read(struct core *core, struct log *log, const struct input_io *io);
void lose_merging(struct core *core, struct log *log);
void takeover_read(struct log *log, const struct input_io *io);
void takeover_written(struct log *log, int status);
void disk_role_pump(struct core *core, struct log *log);
/* A LOST of our own has been delivered; `news`: a region that no kernel had reported. */
void loss_delivered(struct core *core, struct log *log, const struct group_message *message,
		    bool news);

/* ---- proxy.c ---- */

/* Who holds for a member that cannot write, or NULL. */
const struct member *entry_proxy(const struct entry *entry, uint32_t node_id);
/* Nobody holds for this node, nor will it have a slot soon. */
bool proxy_hopeless(struct core *core, struct log *log);
bool proxy_there(struct core *core, const struct log *log);
/* A write to the own slot, or the entering, has failed. */
void proxy_needed(struct core *core, struct log *log);
void proxy_asked(struct core *core, struct log *log, const struct group_message *message,
		 uint64_t members);
/* The own slot holds some of these regions for another member. */
bool proxy_holds(struct core *core, const struct log *log, uint64_t first, uint64_t count);
/* Another member no longer holds what its bit `bit` covers. */
void proxy_let_go(struct log *log, uint64_t bit);
void proxy_give_up(struct core *core, struct log *log);
void proxy_pump(struct core *core, struct log *log);

/* ---- core_hold.c ---- */

/* Holds go by messages: a core log, or a node that cannot write its slot. */
bool holds_by_message(const struct log *log);

void core_hold_deliver(struct log *log, const struct group_message *message, uint64_t members);
void core_hold_release(struct log *log, const struct group_message *message, uint64_t members);
void core_hold_forget(struct log *log, uint32_t member);
void core_hold_lose(struct log *log, uint32_t member);
void core_hold_confirm(struct core *core, struct log *log, const struct group_message *message);
void core_hold_confirmed(struct core *core, struct log *log, const struct group_message *message,
			 uint64_t members);
void core_hold_need_not(struct log *log, uint32_t member);
void core_hold_pump(struct core *core, struct log *log);
void core_hold_let_go(struct core *core, struct log *log);
/* What was released is told to the proxy. */
void core_hold_released(struct core *core, struct log *log);

#endif
