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
#define PLANT_LIST(X)                                                                            \
	/* FLUSH is answered before the slot write is durable */                                 \
	X(FLUSH_EARLY)                                                                           \
	/* slot bits are cleared without a flush of the legs */                                  \
	X(SLOT_NO_LEG_FLUSH)                                                                     \
	/* slot bits are cleared behind a flush that began before the CLEAR */                   \
	X(SLOT_OLD_FLUSH)                                                                        \
	/* CLEAR takes the slot bit away at once */                                              \
	X(CLEAR_RELEASES)                                                                        \
	/* base bits are set without a flush of the legs after the copy */                       \
	X(BASE_NO_LEG_FLUSH)                                                                     \
	/* a slot bit of a lost region goes before its base bit has gone */                      \
	X(SLOT_BEFORE_BASE)                                                                      \
	/* closing: nr_regions is set before the legs are flushed */                             \
	X(HEADER_EARLY)                                                                          \
	/* opening: RESUME is answered while the header still says closed */                     \
	X(OPEN_HEADER_LATE)                                                                      \
	/* opening: what a dead slot covers stays in sync */                                     \
	X(MERGE_SKIP)                                                                            \
	/* opening: the dead slot is freed before base shows what it covered */                  \
	X(MERGE_FREE_EARLY)                                                                      \
	/* a hold is granted in a region that is being copied */                                 \
	X(HOLD_IN_WINDOW)                                                                        \
	/* marked regions are not refused to the copier */                                       \
	X(COPY_MARKED)                                                                           \
	/* POSTSUSPEND is answered while a copy is under way */                                  \
	X(COPY_AFTER_SUSPEND)                                                                    \
	/* a never-synced region is said to be in sync, and written without a mark that lasts */ \
	X(NEVER_TOLD_IN_SYNC)                                                                    \
	/* IN_SYNC is answered with an error when it has waited long */                          \
	X(IN_SYNC_ERROR)                                                                         \
	/* GET_SYNC_COUNT is one too high */                                                     \
	X(SYNC_COUNT_OFF)                                                                        \
	/* GET_SYNC_COUNT of a luid before its first RESUME tells the old luid's count */        \
	X(COUNT_BEFORE_RESUME)                                                                   \
	/* FLUSH waits until no other region is marked */                                        \
	X(FLUSH_WAITS_CLEAR)                                                                     \
	/* a flush of the legs that failed counts as a good one */                               \
	X(LEG_FLUSH_ERROR)                                                                       \
	/* a good flush behind which a leg's letter is not A counts as a good one */             \
	X(LETTERS_IGNORED)

#define PLANT_ENUM(name) PLANT_##name,
enum plant { PLANT_NONE, PLANT_LIST(PLANT_ENUM) PLANT_COUNT };

#ifdef DMCLOGD_PLANT
extern int dmclogd_plant;
#define PLANTED(plant) (dmclogd_plant == (plant))
#else
#define PLANTED(plant) 0
#endif

#endif
