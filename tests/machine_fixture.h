/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine port's test bench: files of the build's file system stand in for block devices, libaio's calls are
 * replaced by ones that can fail, cut short or wait, and inputs are collected from a real event loop.
 *
 * Every file is unlinked before it is used: nothing is left behind, whatever happens.  One bench per process.
 */
#ifndef DMCLOGD_MACHINE_FIXTURE_H
#define DMCLOGD_MACHINE_FIXTURE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/machine.h"
#include "daemon/machine_port.h"

#define KIB 1024u
#define MIB (1024u * 1024u)
#define FILES 6
#define INPUTS_MAX 64

/* ---- libaio: what was seen, and faults ---- */

extern atomic_int loop_submits, thread_submits; /* on the loop's thread, on others */
extern atomic_int nowait_submits, dsync_submits, flush_submits;

extern int nowait_submit_error; /* io_submit() refuses RWF_NOWAIT with this */
extern int nowait_result;       /* or it completes with this */
extern int flush_submit_error;  /* io_submit() refuses a flush with this */
extern atomic_int cut_submits;  /* so many submissions are cut to 4096 bytes */
extern atomic_int last_submit_bytes;
extern atomic_int failing_results; /* so many results become failing_with */
extern int failing_with;
extern int failing_opcode; /* only those of this opcode; -1: any */
/* Submissions to the file of this number, but for the loop's, post wait_entered and wait for wait_gate. */
extern atomic_int wait_file;
extern sem_t wait_gate, wait_entered;
/* The next result of the file of this number is held back, and `held` posted, until hold_end(). */
extern atomic_int hold_file;
extern sem_t held;
void hold_end(void);

/* ---- files as devices: major 7, minor the file's number ---- */

extern int file_fds[FILES];
extern uint32_t block_bytes;
extern struct live_table fake_table;
extern int fake_find_status, fake_health_status;
extern bool fake_suspended;
extern char fake_letters[CORE_LEGS_MAX];
extern bool health_waits; /* health readings post health_entered and wait for health_gate */
extern sem_t health_gate, health_entered;

void file_make(int number, uint64_t size_bytes);
/* Byte i of a pattern: never the same in two neighbouring blocks, nor for two seeds. */
uint8_t pattern(uint32_t seed, uint64_t i);
void file_fill(int number, uint32_t seed, uint64_t from, uint64_t length);
/* The file's bytes from `from` on are those of the pattern from `pattern_from` on. */
void file_expect(int number, uint64_t from, uint32_t seed, uint64_t pattern_from, uint64_t length);
void file_expect_zero(int number, uint64_t from, uint64_t length);
int open_descriptors(void);

/* ---- the loop ---- */

extern sd_event *event;
extern struct machine *machine;
extern struct input inputs[INPUTS_MAX];
extern uint8_t *inputs_data[INPUTS_MAX]; /* a copy of what a read brought */
extern uint32_t input_count;
/* Called with the next input, from inside it, once. */
extern void (*on_next_input)(const struct input *input);

void machine_start(bool use_nowait);
void fixture_setup(void);
void fixture_teardown(void);
void forget_inputs(void);
/* machine_do(), from which no input may come. */
void act(const struct effect *effect);
/* Runs the loop until `count` inputs are there, and makes sure that no other follows at once. */
void await(uint32_t count);
/* Runs the loop a few turns while nothing must come. */
void expect_silence(void);

void device_act(enum effect_type type, uint32_t log, uint32_t minor);
/* Opens and forgets the input. */
void device_open(uint32_t log, uint32_t minor);
void io_act(enum effect_type type, uint32_t log, uint64_t offset, uint32_t length, uint32_t seed);

#endif
