/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine port's test bench: files for devices, libaio with faults, an event loop.
 *
 * Its io_submit() takes the place of libaio's, and its aio_harvest() that of ours, in every test that uses it.
 */
#define _GNU_SOURCE 1
#include "machine_fixture.h"

#include "daemon/aio_ring.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- libaio, with faults ---- */

atomic_int loop_submits, thread_submits, nowait_submits, dsync_submits, flush_submits;
int nowait_submit_error, nowait_result, flush_submit_error;
atomic_int cut_submits, failing_results, last_submit_bytes;
int failing_with, failing_opcode = -1;
atomic_int wait_file = -1, hold_file = -1;
sem_t wait_gate, wait_entered, held;
static pthread_t loop_thread;
int file_fds[FILES];

static int number_of(int fd);

static int submit_one(io_context_t context, struct iocb *iocb)
{
	bool on_loop = pthread_equal(pthread_self(), loop_thread);
	long r;

	atomic_fetch_add(on_loop ? &loop_submits : &thread_submits, 1);
	if (iocb->aio_lio_opcode == IO_CMD_FDSYNC) {
		atomic_fetch_add(&flush_submits, 1);
		if (flush_submit_error != 0)
			return flush_submit_error;
	} else if (!on_loop && wait_file >= 0 && number_of(iocb->aio_fildes) == wait_file) {
		sem_post(&wait_entered);
		sem_wait(&wait_gate);
	}
	if (iocb->aio_lio_opcode == IO_CMD_PWRITE && (iocb->aio_rw_flags & RWF_DSYNC) != 0)
		atomic_fetch_add(&dsync_submits, 1);
	if ((iocb->aio_rw_flags & RWF_NOWAIT) != 0) {
		atomic_fetch_add(&nowait_submits, 1);
		if (nowait_submit_error != 0)
			return nowait_submit_error;
	}
	/* Not put back: what is submitted again is prepared again. */
	if (cut_submits > 0 && iocb->u.c.nbytes > 4096) {
		atomic_fetch_sub(&cut_submits, 1);
		iocb->u.c.nbytes = 4096;
	}
	last_submit_bytes = (int)iocb->u.c.nbytes;
	r = syscall(SYS_io_submit, context, 1, &iocb);
	return r < 0 ? -errno : (int)r;
}

int io_submit(io_context_t context, long count, struct iocb *iocbs[])
{
	ck_assert_int_ge(count, 1);
	for (long i = 0; i < count; i++) {
		int r = submit_one(context, iocbs[i]);

		if (r < 1)
			return i > 0 ? (int)i : r;
	}
	return (int)count;
}

/* One result that is held back: of hold_file. */
static struct io_event held_event;
static io_context_t held_context;
static atomic_int held_eventfd = -1;

/* Takes a held result out of events[0..*count), or puts it back once it may go. */
static void hold_results(io_context_t context, struct io_event *events, long *count)
{
	if (hold_file < 0 && held_context == context && held_eventfd >= 0) {
		events[(*count)++] = held_event;
		held_eventfd = -1;
	}
	for (long i = 0; hold_file >= 0 && i < *count; i++) {
		if (number_of(((struct iocb *)events[i].obj)->aio_fildes) != hold_file)
			continue;
		held_event = events[i];
		held_context = context;
		held_eventfd = (int)((struct iocb *)events[i].obj)->u.c.resfd;
		events[i] = events[--*count];
		sem_post(&held);
		return;
	}
}

void hold_end(void)
{
	uint64_t one = 1;
	int fd = held_eventfd;

	hold_file = -1;
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

int aio_harvest(io_context_t context, struct io_event *events, unsigned most)
{
	struct timespec no_wait = { 0 };
	long r = syscall(SYS_io_getevents, context, 0, (long)most - 1, events, &no_wait);

	if (r < 0)
		return -errno;
	hold_results(context, events, &r);
	for (long i = 0; i < r; i++) {
		struct iocb *iocb = events[i].obj;

		if (nowait_result != 0 && (iocb->aio_rw_flags & RWF_NOWAIT) != 0) {
			events[i].res = (unsigned long)(long)nowait_result;
		} else if (failing_results > 0 &&
			   (failing_opcode < 0 || failing_opcode == iocb->aio_lio_opcode)) {
			atomic_fetch_sub(&failing_results, 1);
			events[i].res = (unsigned long)(long)failing_with;
		}
	}
	return (int)r;
}

/* ---- files as devices ---- */

uint32_t block_bytes = 512;
struct live_table fake_table;
int fake_find_status, fake_health_status;
bool fake_suspended;
char fake_letters[CORE_LEGS_MAX];
bool health_waits;
sem_t health_gate, health_entered;

/* Which file a descriptor, opened again, belongs to. */
static int number_of(int fd)
{
	struct stat a, b;

	if (fstat(fd, &a) < 0)
		return -1;
	for (int i = 0; i < FILES; i++)
		if (fstat(file_fds[i], &b) == 0 && a.st_ino == b.st_ino)
			return i;
	return -1;
}

void file_make(int number, uint64_t size_bytes)
{
	const char *build = getenv("BUILD");
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/check_machine.XXXXXX", build != NULL ? build : ".");
	file_fds[number] = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(file_fds[number], 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(ftruncate(file_fds[number], (off_t)size_bytes), 0);
}

/* Byte i of the pattern: never the same in two neighbouring blocks, nor for two seeds. */
uint8_t pattern(uint32_t seed, uint64_t i)
{
	return (uint8_t)(seed * 37 + i + i / 512 * 11 + i / (256 * KIB) * 101 + 1);
}

void file_fill(int number, uint32_t seed, uint64_t from, uint64_t length)
{
	uint8_t *bytes = malloc(length);

	for (uint64_t i = 0; i < length; i++)
		bytes[i] = pattern(seed, from + i);
	ck_assert_int_eq(pwrite(file_fds[number], bytes, length, (off_t)from), (ssize_t)length);
	ck_assert_int_eq(fsync(file_fds[number]), 0);
	free(bytes);
}

/* The file's bytes from `from` on are those of the pattern from `pattern_from` on. */
void file_expect(int number, uint64_t from, uint32_t seed, uint64_t pattern_from, uint64_t length)
{
	uint8_t *bytes = malloc(length);

	ck_assert_int_eq(pread(file_fds[number], bytes, length, (off_t)from), (ssize_t)length);
	for (uint64_t i = 0; i < length; i++)
		if (bytes[i] != pattern(seed, pattern_from + i))
			ck_abort_msg("file %d differs at %llu", number,
				     (unsigned long long)(from + i));
	free(bytes);
}

void file_expect_zero(int number, uint64_t from, uint64_t length)
{
	uint8_t *bytes = malloc(length);

	ck_assert_int_eq(pread(file_fds[number], bytes, length, (off_t)from), (ssize_t)length);
	for (uint64_t i = 0; i < length; i++)
		if (bytes[i] != 0)
			ck_abort_msg("file %d is not zero at %llu", number,
				     (unsigned long long)(from + i));
	free(bytes);
}

/* Major 7, minor: the file's number. */
static int fake_open_device(uint32_t major, uint32_t minor, struct block_device *ret_device)
{
	char path[64];
	struct stat st;
	int fd;

	if (major != 7 || minor >= FILES || file_fds[minor] < 0)
		return -ENODEV;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fds[minor]);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_device = (struct block_device){ .fd = fd,
					     .device_bytes = (uint64_t)st.st_size,
					     .block_bytes = block_bytes };
	return 0;
}

static int fake_find_table(const char *uuid, struct live_table *ret_table)
{
	if (fake_find_status < 0)
		return fake_find_status;
	if (strcmp(uuid, fake_table.mirror.uuid) != 0)
		return -ENODEV;
	*ret_table = fake_table;
	return 0;
}

static int fake_read_health(const char *uuid, const struct live_table *expected, char *ret_letters,
			    bool *ret_suspended)
{
	if (health_waits) {
		sem_post(&health_entered);
		sem_wait(&health_gate);
	}
	if (strcmp(uuid, fake_table.mirror.uuid) != 0)
		return -ENODEV;
	if (fake_health_status == 0) {
		memcpy(ret_letters, fake_letters, expected->mirror.leg_count);
		*ret_suspended = fake_suspended;
	}
	return fake_health_status;
}

static const struct machine_backend fake_backend = {
	.open_device = fake_open_device,
	.find_table = fake_find_table,
	.read_health = fake_read_health,
};

/* ---- the loop ---- */

sd_event *event;
struct machine *machine;
struct input inputs[INPUTS_MAX];
uint8_t *inputs_data[INPUTS_MAX];
uint32_t input_count;
static bool inside_do;
static uint64_t last_now_ms;
void (*on_next_input)(const struct input *input);

static void take_input(void *context, const struct input *input)
{
	ck_assert_ptr_eq(context, &inputs);
	ck_assert(!inside_do);
	ck_assert_uint_ge(input->now_ms, last_now_ms);
	ck_assert_uint_gt(input->now_ms, 0);
	last_now_ms = input->now_ms;
	if (input->type == INPUT_DM_EVENT)
		return; /* the machine the test runs on */
	ck_assert_uint_lt(input_count, INPUTS_MAX);
	inputs[input_count] = *input;
	if (input->type == INPUT_READ && input->io.data != NULL) {
		inputs_data[input_count] = malloc(input->io.length_bytes);
		memcpy(inputs_data[input_count], input->io.data, input->io.length_bytes);
	}
	input_count++;
	if (on_next_input != NULL) {
		void (*function)(const struct input *) = on_next_input;

		on_next_input = NULL;
		function(input);
	}
}

void forget_inputs(void)
{
	for (uint32_t i = 0; i < input_count; i++) {
		free(inputs_data[i]);
		inputs_data[i] = NULL;
	}
	input_count = 0;
}

void machine_start(bool use_nowait)
{
	struct machine_config config = { .use_nowait = use_nowait, .backend = &fake_backend };

	loop_thread = pthread_self();
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(machine_open(&machine, event, &config, take_input, &inputs), 0);
}

void fixture_setup(void)
{
	for (int i = 0; i < FILES; i++)
		file_fds[i] = -1;
	sem_init(&wait_gate, 0, 0);
	sem_init(&wait_entered, 0, 0);
	sem_init(&held, 0, 0);
	sem_init(&health_gate, 0, 0);
	sem_init(&health_entered, 0, 0);
	machine_start(true);
}

void fixture_teardown(void)
{
	machine_close(machine);
	sd_event_unref(event);
	forget_inputs();
	for (int i = 0; i < FILES; i++)
		if (file_fds[i] >= 0)
			close(file_fds[i]);
}

void act(const struct effect *effect)
{
	inside_do = true;
	ck_assert_int_eq(machine_do(machine, effect), 0);
	inside_do = false;
}

/* Runs the loop until `count` inputs are there, and makes sure that no other follows at once. */
void await(uint32_t count)
{
	while (input_count < count)
		ck_assert_msg(sd_event_run(event, 10 * 1000 * 1000) > 0, "%u of %u inputs came",
			      input_count, count);
	(void)sd_event_run(event, 0);
	ck_assert_uint_eq(input_count, count);
}

/* Runs the loop a few turns while nothing must come. */
void expect_silence(void)
{
	uint32_t before = input_count;

	for (int i = 0; i < 10; i++)
		(void)sd_event_run(event, 5000);
	ck_assert_uint_eq(input_count, before);
}

void device_act(enum effect_type type, uint32_t log, uint32_t minor)
{
	act(&(struct effect){ .type = type, .device = { .log = log, .major = 7, .minor = minor } });
}

void device_open(uint32_t log, uint32_t minor)
{
	device_act(EFFECT_OPEN_DEVICE, log, minor);
	await(input_count + 1);
	ck_assert_int_eq(inputs[input_count - 1].type, INPUT_DEVICE_OPENED);
	ck_assert_int_eq(inputs[input_count - 1].device.status, 0);
	forget_inputs();
}

void io_act(enum effect_type type, uint32_t log, uint64_t offset, uint32_t length, uint32_t seed)
{
	static uint8_t bytes[CORE_IO_BYTES_MAX];

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = pattern(seed, i);
	act(&(struct effect){ .type = type,
			      .io = { .log = log,
				      .offset_bytes = offset,
				      .length_bytes = length,
				      .data = type == EFFECT_WRITE ? bytes : NULL } });
	memset(bytes, 0xee, sizeof(bytes));
}

int open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}
