/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bugs planted on purpose, so that the simulator can be seen to catch them.
 *
 * A build without DMCLOGD_PLANT has none: PLANTED() is then the constant 0 and the compiler drops
 * what hangs on it.  With DMCLOGD_PLANT (the simulator) dmclogd_plant chooses one at run time; it is
 * defined in tests/sim.  The simulator's suite demands that every one of the list is found.
 */
#ifndef DMCLOGD_PLANT_H
#define DMCLOGD_PLANT_H

/* On the command line FLUSH_EARLY is flush-early, and so on. */
#define PLANT_LIST(X)                                                                                \
	/* FLUSH is answered before the slot write is durable */                                     \
	X(FLUSH_EARLY)                                                                               \
	/* slot bits are cleared without a flush of the legs */                                      \
	X(SLOT_NO_LEG_FLUSH)                                                                         \
	/* slot bits are cleared behind a flush that began before the CLEAR */                       \
	X(SLOT_OLD_FLUSH)                                                                            \
	/* CLEAR takes the slot bit away at once */                                                  \
	X(CLEAR_RELEASES)                                                                            \
	/* base bits are set without a flush of the legs after the copy */                           \
	X(BASE_NO_LEG_FLUSH)                                                                         \
	/* a slot bit of a lost region goes before its base bit has gone */                          \
	X(SLOT_BEFORE_BASE)                                                                          \
	/* closing: nr_regions is set before the legs are flushed */                                 \
	X(HEADER_EARLY)                                                                              \
	/* opening: RESUME is answered while the header still says closed */                         \
	X(OPEN_HEADER_LATE)                                                                          \
	/* opening: what a dead slot covers stays in sync */                                         \
	X(MERGE_SKIP)                                                                                \
	/* opening: the dead slot is freed before base shows what it covered */                      \
	X(MERGE_FREE_EARLY)                                                                          \
	/* a hold is granted in a region that is being copied */                                     \
	X(HOLD_IN_WINDOW)                                                                            \
	/* marked regions are not refused to the copier */                                           \
	X(COPY_MARKED)                                                                               \
	/* POSTSUSPEND is answered while a copy is under way */                                      \
	X(COPY_AFTER_SUSPEND)                                                                        \
	/* a never-synced region is said to be in sync, and written without a mark that lasts */     \
	X(NEVER_TOLD_IN_SYNC)                                                                        \
	/* IN_SYNC is answered with an error when it has waited long */                              \
	X(IN_SYNC_ERROR)                                                                             \
	/* GET_SYNC_COUNT is one too high */                                                         \
	X(SYNC_COUNT_OFF)                                                                            \
	/* GET_SYNC_COUNT of a luid before its first RESUME tells the old luid's count */            \
	X(COUNT_BEFORE_RESUME)                                                                       \
	/* FLUSH waits until no other region is marked */                                            \
	X(FLUSH_WAITS_CLEAR)                                                                         \
	/* a flush of the legs that failed counts as a good one */                                   \
	X(LEG_FLUSH_ERROR)                                                                           \
	/* a good flush behind which a leg's letter is not A counts as a good one */                 \
	X(LETTERS_IGNORED)                                                                           \
	/* IS_REMOTE_RECOVERING tells a hint below the number of regions */                          \
	X(HINT_SHORT)                                                                                \
	/* a region that was in sync once is told "not in sync" when it is lost */                   \
	X(LOST_TOLD_OUT)                                                                             \
	/* SET_REGION_SYNC 0 is answered and no loss is multicast */                                 \
	X(REPORT_FORGOTTEN)                                                                          \
	/* a region marked while its release is under way is released all the same */                \
	X(RELEASED_BUSY)                                                                             \
	/* a slot bit of several regions goes when one of them is released */                        \
	X(COLLATERAL_CLEARED)                                                                        \
	/* a loss does not withdraw a base bit that is on its way */                                 \
	X(GAIN_KEPT)                                                                                 \
	/* a copy counts although its region was lost after the claim, or a member left */           \
	X(SPOILED_COUNTS)                                                                            \
	/* a region whose copy lasts too long is claimed while that is under way, and not refused */ \
	X(VOID_ENDS)                                                                                 \
	/* a copy that failed keeps its region locked */                                             \
	X(COPY_FAILED_KEPT)                                                                          \
	/* the last region is copied as if it were not shorter */                                    \
	X(LAST_REGION_LONG)                                                                          \
	/* IN_SYNC waits for its copy whatever happens */                                            \
	X(TOUCH_UNLIMITED)                                                                           \
	/* sync and nosync apply at every opening, over slots in use too */                          \
	X(NOSYNC_ALWAYS)                                                                             \
	/* an opening leaves the slots of before valid */                                            \
	X(GENERATION_KEPT)                                                                           \
	/* slots count on a device that the kernel has had since */                                  \
	X(TAKEN_OVER_SLOTS)                                                                          \
	/* what was in sync before a close is so after the next opening, whatever the device says */ \
	X(REOPEN_MEMORY)                                                                             \
	/* a dead slot that cannot be read counts as empty */                                        \
	X(UNREADABLE_EMPTY)                                                                          \
	/* an opening does not begin to count anew which losses stand on the device */               \
	X(DURABLE_STALE)                                                                             \
	/* after a restart nothing counts as held */                                                 \
	X(UNKNOWN_PAST_IGNORED)                                                                      \
	/* MARK is answered before the mark stands where the next daemon finds it */                 \
	X(MARK_KEPT_LATE)                                                                            \
	PLANT_LIST_CLUSTER(X)

/* Those that need more than one node. */
#define PLANT_LIST_CLUSTER(X)                                                              \
	/* FLUSH is answered without group or quorum */                                    \
	X(FLUSH_ALONE)                                                                     \
	/* regions are copied while a departed member is unproven */                       \
	X(COPY_UNPROVEN)                                                                   \
	/* the base is written while a departed member is unproven */                      \
	X(BASE_UNPROVEN)                                                                   \
	/* what a dead node's slot covers stays in sync */                                 \
	X(TAKEOVER_SKIP)                                                                   \
	/* a dead node's slot is freed before the base shows what it covered */            \
	X(TAKEOVER_EARLY)                                                                  \
	/* core log: what a dead member held stays in sync */                              \
	X(CORE_HOLDS_KEPT)                                                                 \
	/* core log: a hold counts before the others have confirmed it */                  \
	X(CORE_UNCONFIRMED)                                                                \
	/* the proxy confirms before its slot is on the device */                          \
	X(PROXY_EARLY)                                                                     \
	/* a proxy that leaves forgets what it holds for others */                         \
	X(PROXY_FORGETS)                                                                   \
	/* a hello counts whichever call it answers */                                     \
	X(HELLO_STALE)                                                                     \
	/* at a merge the lowest leader's side counts, not the newest */                   \
	X(EPOCH_IGNORED)                                                                   \
	/* of several who leave at once only the first is seen */                          \
	X(VIEW_FIRST)                                                                      \
	/* takeover-delay counts while the node is in the cluster: its daemon is gone */   \
	X(DELAY_PROC_DOWN)                                                                 \
	/* a node out of the cluster counts as stopped before takeover-delay has passed */ \
	X(DELAY_SKIPPED)                                                                   \
	/* who leaves the view counts as stopped */                                        \
	X(DEPARTURE_PROVES)                                                                \
	/* an opening does not wait for members that departed */                           \
	X(OPEN_UNPROVEN)                                                                   \
	/* an opening takes the owner of any slot for stopped */                           \
	X(SLOT_UNPROVEN)                                                                   \
	/* what a boot held is forgotten when the next one of its node says hello */       \
	X(REBOOT_FORGETS)                                                                  \
	/* the disk role is the lowest node's, so that a join moves it */                  \
	X(ROLE_MOVES)                                                                      \
	/* the disk role may be a suspended member's */                                    \
	X(ROLE_SUSPENDED)                                                                  \
	/* a slot is allotted to several members */                                        \
	X(SLOT_SHARED)                                                                     \
	/* a slot that could not be freed is not taken over */                             \
	X(OWN_SLOT_CLEARED)                                                                \
	/* who joins while the last one closes opens at once */                            \
	X(FOUND_WHILE_CLOSING)                                                             \
	/* POSTSUSPEND does not wait for writes to the log device under way */             \
	X(CLOSE_UNDRAINED)                                                                 \
	/* another geometry is opened while the old one is in use */                       \
	X(GEOMETRY_MIXED)                                                                  \
	/* who is not asked by a claim does not respect its window after a resume */       \
	X(WINDOW_FORGOTTEN)                                                                \
	/* who has no state yet agrees to every claim */                                   \
	X(JOINER_AGREES)                                                                   \
	/* windows of a departed member stay */                                            \
	X(CLAIMER_KEPT)                                                                    \
	/* core log: a hold waits for a member that has left */                            \
	X(CONFIRM_GONE)                                                                    \
	/* core log: others do not hear that a member of unknown past holds everything */  \
	X(EVERYTHING_UNSAID)                                                               \
	/* pieces of older snapshots are read, too */                                      \
	X(SNAPSHOT_ANY)                                                                    \
	/* a snapshot lacks the windows */                                                 \
	X(SNAPSHOT_NO_WINDOWS)                                                             \
	/* a snapshot lacks what members hold */                                           \
	X(SNAPSHOT_NO_HOLDS)                                                               \
	/* what is delivered behind a snapshot's point is dropped */                       \
	X(CATCH_UP_DROPPED)                                                                \
	/* who fetches the state again forgets what its kernel has marked */               \
	X(MARKS_DROPPED)                                                                   \
	/* a node does not say that it has no table of a log */                            \
	X(GHOST_SILENT)                                                                    \
	/* a JOIN lost with the group is not sent again */                                 \
	X(JOIN_SENT_KEPT)                                                                  \
	/* without the group POSTSUSPEND waits for it */                                   \
	X(ALONE_WAITS)                                                                     \
	/* it is copied before the new holder of the disk role has read the base */        \
	X(COPY_BASE_SET)                                                                   \
	/* half of the nodes opens and joins logs while the other half may do so, too */   \
	X(HALF_OPENS)                                                                      \
	/* a node without a past counts as one that was there */                           \
	X(FRESH_COUNTS)                                                                    \
	/* a log is used before the other nodes know of it */                              \
	X(ENTERS_UNHEARD)                                                                  \
	/* who has no slot has nobody who holds for it */                                  \
	X(NO_PROXY)                                                                        \
	/* a log that nobody could open is copied */                                       \
	X(COPY_UNOPENED)                                                                   \
	/* who had no slot does not take one that becomes free */                          \
	X(PROXY_STAYS)                                                                     \
	/* who closes leaves the header as it is */                                        \
	X(CLOSED_UNSAID)                                                                   \
	/* who gets the disk role leaves base bits of regions out of sync */               \
	X(ROLE_KEEPS_BASE)                                                                 \
	/* after a restart nothing is held that is not marked */                           \
	X(IDLE_UNKEPT)                                                                     \
	/* ... nor that was to be let go behind a flush under way */                       \
	X(RELEASING_UNKEPT)                                                                \
	/* no status tells of what came before its table is resumed */                     \
	X(EARLY_UNSAID)                                                                    \
	PLANT_LIST_FOREIGN(X)

/* Those that need what comes from outside (--foreign). */
#define PLANT_LIST_FOREIGN(X)                                                           \
	/* region numbers of a request are believed */                                  \
	X(REGION_UNCHECKED)                                                             \
	/* IN_SYNC of a region that is not there is 0 */                                \
	X(IN_SYNC_WILD)                                                                 \
	/* who is in no view may say that a node is stopped */                          \
	X(STRANGER_HEARD)                                                               \
	/* what is kept while the state is fetched goes on when it is sent once more */ \
	X(CATCH_UP_STALE)                                                               \
	/* core log: who has to fetch the state once more does not confirm a hold */    \
	X(LACKING_SILENT)                                                               \
	/* a piece of the state that breaks off takes the list of nodes with it */      \
	X(PIECE_WIPES)                                                                  \
	/* slots that do not fit on the device count as empty */                        \
	X(SLOTS_UNFIT)                                                                  \
	/* a log in use whose superblock cannot be read counts as one without slots */  \
	X(SUPERBLOCK_GUESSED)                                                           \
	/* slots are where the superblock of before says, whatever the device's size */ \
	X(LAYOUT_TRUSTED)

#define PLANT_ENUM(name) PLANT_##name,
enum plant { PLANT_NONE, PLANT_LIST(PLANT_ENUM) PLANT_COUNT };

#ifdef DMCLOGD_PLANT
extern int dmclogd_plant;
#define PLANTED(plant) (dmclogd_plant == (plant))
#else
#define PLANTED(plant) 0
#endif

#endif
