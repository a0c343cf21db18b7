/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that say what they are, and the history of a mirror that is made of them: no write that was completed is ever
 * lost, and no read goes back in time.
 *
 *   history make LEG BLOCKS                    each block as nobody has written it yet, other bytes each time
 *   history write MIRROR HISTORY BLOCKS NODE NODES SESSION SEED
 *                                              on a node: writes its own blocks, reads all, until SIGTERM
 *   history check HISTORY BLOCKS LEG...        on the host: what the legs must have; any number of nodes may be dead
 *   history count HISTORY BLOCKS               "node K writes N reads N" each; what a node found wrong
 *
 * HISTORY is a device that all nodes share and that loses nothing when they die: per block the newest sequence that was
 * completed (told by the node that owns the block, after its write has ended) and those that were seen (told by each
 * node that has read one).  Both are floors: who begins to read a block later gets it or a newer one.  A write that was
 * completed is on all legs, one that was only seen on the first, where the kernel reads.  Sequences of a later SESSION
 * are newer.  Invariant: a block has one writer, thread T of node K.  Limits: NODES_MAX nodes, blocks of 4096 bytes; a
 * leg's fault is not expected: any I/O error is a finding.  Exit status: 1 a finding, 2 it could not be done.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define BLOCK_WORDS (BLOCK_BYTES / 8)
#define SECTOR_BYTES 512
#define NODES_MAX 7 /* an entry of the history has a sector for each, and one for the completed */
#define THREADS 4
#define SESSION_SHIFT 40
#define HOT_SPANS 12
#define SPAN_BLOCKS 32
#define HOT_SECONDS 3
#define READS_TORN_MAX 1000
#define LISTED_MAX 16
#define COUNTED_EACH 8 /* operations of a thread between two notes of how many there were */

static const uint64_t block_magic = UINT64_C(0x6b636f6c62676f6c);

struct block {
	uint64_t magic;
	uint64_t number;
	uint64_t sequence; /* 0: never written */
	uint64_t node;
	uint64_t filler[BLOCK_WORDS - 5];
	uint64_t checksum; /* of all before it */
};

/* In a sector of the history. */
struct note {
	union {
		struct {
			uint64_t sequence;
		};
		struct {
			uint64_t writes, reads;
		};
		char wrong[SECTOR_BYTES];
	};
};

struct entry {
	struct note note[BLOCK_BYTES / SECTOR_BYTES]; /* 0: completed; K: seen by node K */
};

_Static_assert(sizeof(struct block) == BLOCK_BYTES && sizeof(struct entry) == BLOCK_BYTES, "");

static struct {
	int mirror, history;
	uint64_t blocks, session, seed;
	unsigned node, nodes;
	atomic_bool end, wrong;
	pthread_mutex_t wrong_lock;
} run = { .wrong_lock = PTHREAD_MUTEX_INITIALIZER };

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t random, count;
	struct block *block;
	struct entry *entry;
	struct note *note, *counts;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fprintf(stderr, "history: ");
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, "\n");
	va_end(args);
	exit(2);
}

static int device_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void *aligned_get(void)
{
	void *bytes = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);

	if (bytes == NULL)
		die("no memory");
	memset(bytes, 0, BLOCK_BYTES);
	return bytes;
}

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- blocks ---- */

static uint64_t block_checksum(const struct block *block)
{
	const uint64_t *word = (const uint64_t *)block;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < BLOCK_WORDS - 1; i++)
		sum = (sum ^ word[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void block_make(struct block *block, uint64_t number, uint64_t node, uint64_t sequence,
		       uint64_t salt)
{
	uint64_t state = sequence ^ salt;

	*block = (struct block){
		.magic = block_magic, .number = number, .sequence = sequence, .node = node
	};
	for (unsigned i = 0; i < BLOCK_WORDS - 5; i++)
		block->filler[i] = random_next(&state);
	block->checksum = block_checksum(block);
}

static bool block_valid(const struct block *block)
{
	return block->magic == block_magic && block->checksum == block_checksum(block);
}

static unsigned owner_slot(uint64_t number, unsigned nodes)
{
	return (unsigned)(number % (nodes * THREADS));
}

static uint64_t entry_offset(uint64_t number)
{
	return number * BLOCK_BYTES;
}

/* Behind the entries: for each node a sector for each thread's counts, and one for what was wrong. */
static uint64_t tail_offset(uint64_t blocks, unsigned node, unsigned sector)
{
	return (blocks + node) * BLOCK_BYTES + sector * SECTOR_BYTES;
}
#define WRONG_SECTOR (BLOCK_BYTES / SECTOR_BYTES - 1)

static uint64_t entry_seen(const struct entry *entry)
{
	uint64_t floor = 0;

	for (unsigned i = 0; i <= NODES_MAX; i++)
		if (entry->note[i].sequence > floor)
			floor = entry->note[i].sequence;
	return floor;
}

/* ---- on a node ---- */

/* The first one is told, to people and to the history, where it outlives the node. */
__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	struct note *note = aligned_get();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(note->wrong, sizeof(note->wrong), format, args);
	va_end(args);
	(void)pthread_mutex_lock(&run.wrong_lock);
	if (!atomic_exchange(&run.wrong, true)) {
		(void)printf("%s\n", note->wrong);
		if (pwrite(run.history, note, SECTOR_BYTES,
			   (off_t)tail_offset(run.blocks, run.node, WRONG_SECTOR)) < 0)
			perror("history"); /* what was printed says it as well */
	}
	(void)pthread_mutex_unlock(&run.wrong_lock);
	atomic_store(&run.end, true);
	free(note);
}

static bool transferred(ssize_t r, size_t wanted, const char *what, uint64_t number)
{
	if (r == (ssize_t)wanted)
		return true;
	wrong("block %" PRIu64 ": %s: %s", number, what, r < 0 ? strerror(errno) : "short");
	return false;
}

static bool history_note(const struct note *note, uint64_t offset)
{
	return transferred(pwrite(run.history, note, SECTOR_BYTES, (off_t)offset), SECTOR_BYTES,
			   "write to the history", offset / BLOCK_BYTES);
}

static void block_write(struct worker *worker, uint64_t number)
{
	uint64_t sequence = run.session << SESSION_SHIFT | ++worker->count;

	block_make(worker->block, number, run.node, sequence, 0);
	if (!transferred(pwrite(run.mirror, worker->block, BLOCK_BYTES,
				(off_t)(number * BLOCK_BYTES)),
			 BLOCK_BYTES, "write", number))
		return;
	worker->note->sequence = sequence;
	if (history_note(worker->note, entry_offset(number)))
		worker->counts->writes++;
}

/* A read may meet a write of the block and get a part of each: only if that goes on is it wrong. */
static bool block_read(struct worker *worker, uint64_t number)
{
	for (unsigned i = 0; i < READS_TORN_MAX; i++) {
		if (!transferred(pread(run.mirror, worker->block, BLOCK_BYTES,
				       (off_t)(number * BLOCK_BYTES)),
				 BLOCK_BYTES, "read", number))
			return false;
		if (block_valid(worker->block))
			return true;
	}
	wrong("block %" PRIu64 ": no sound block is read", number);
	return false;
}

static void block_verify(struct worker *worker, uint64_t number)
{
	const struct block *block = worker->block;
	unsigned owner = owner_slot(number, run.nodes) / THREADS + 1;
	uint64_t floor;

	if (!transferred(pread(run.history, worker->entry, BLOCK_BYTES,
			       (off_t)entry_offset(number)),
			 BLOCK_BYTES, "read of the history", number))
		return;
	floor = entry_seen(worker->entry);
	if (!block_read(worker, number))
		return;
	worker->counts->reads++;
	if (block->number != number || (block->sequence != 0 && block->node != owner))
		wrong("block %" PRIu64 ": is block %" PRIu64 " of node %" PRIu64, number,
		      block->number, block->node);
	else if (block->sequence < floor)
		wrong("block %" PRIu64 ": sequence %" PRIx64 " is read, and %" PRIx64
		      " was %s before",
		      number, block->sequence, floor,
		      worker->entry->note[0].sequence == floor ? "completed" : "seen");
	if (block->sequence <= floor)
		return;
	worker->note->sequence = block->sequence;
	(void)history_note(worker->note, entry_offset(number) + run.node * SECTOR_BYTES);
}

/* Most are in a few spans, the same for all nodes, and other ones every few seconds. */
static uint64_t block_choose(struct worker *worker)
{
	uint64_t choice = random_next(&worker->random);
	uint64_t spans = run.blocks / SPAN_BLOCKS, hot;

	if (choice % 4 == 0 || spans == 0)
		return (choice >> 8) % run.blocks;
	hot = run.seed + (uint64_t)time(NULL) / HOT_SECONDS * HOT_SPANS + (choice >> 8) % HOT_SPANS;
	return random_next(&hot) % spans * SPAN_BLOCKS + (choice >> 32) % SPAN_BLOCKS;
}

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	unsigned slots = run.nodes * THREADS;
	unsigned mine = (run.node - 1) * THREADS + worker->number;

	for (uint64_t i = 1; !atomic_load(&run.end); i++) {
		uint64_t number = block_choose(worker);
		uint64_t own = number - number % slots + mine;

		if (random_next(&worker->random) % 2 == 0 && own < run.blocks)
			block_write(worker, own);
		else
			block_verify(worker, number);
		if (i % COUNTED_EACH == 0)
			(void)history_note(worker->counts,
					   tail_offset(run.blocks, run.node, worker->number));
	}
	return NULL;
}

/* Counts go on where those of the session before ended. */
static void worker_begin(struct worker *worker, unsigned number)
{
	uint64_t mine = run.node * 16 + number;

	worker->number = number;
	worker->random = (run.seed << 16) + (run.session << 8) + mine;
	worker->count = (uint64_t)number << (SESSION_SHIFT - 4);
	worker->block = aligned_get();
	worker->entry = aligned_get();
	worker->note = aligned_get();
	worker->counts = aligned_get();
	if (pread(run.history, worker->counts, SECTOR_BYTES,
		  (off_t)tail_offset(run.blocks, run.node, number)) < 0)
		die("history: %s", strerror(errno));
	if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
		die("no thread");
}

static int history_write(char **argv)
{
	static struct worker workers[THREADS];
	struct timespec look = { .tv_nsec = 200000000 };
	sigset_t end;

	(void)sigemptyset(&end);
	(void)sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &end, NULL);
	run.mirror = device_open(argv[0], O_RDWR | O_DIRECT);
	run.history = device_open(argv[1], O_RDWR | O_DIRECT);
	for (unsigned i = 0; i < THREADS; i++)
		worker_begin(&workers[i], i);
	while (!atomic_load(&run.end))
		if (sigtimedwait(&end, NULL, &look) == SIGTERM)
			atomic_store(&run.end, true);
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(workers[i].thread, NULL);
	return atomic_load(&run.wrong) ? 1 : 0;
}

/* ---- on the host ---- */

static void image_read(int fd, void *bytes, uint64_t offset)
{
	memset(bytes, 0, BLOCK_BYTES);
	if (pread(fd, bytes, BLOCK_BYTES, (off_t)offset) < 0)
		die("read: %s", strerror(errno));
}

static int history_make(const char *path)
{
	struct timespec now;
	struct block block;
	int fd = device_open(path, O_WRONLY);

	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (uint64_t b = 0; b < run.blocks; b++) {
		block_make(&block, b, 0, 0, (uint64_t)now.tv_nsec << 32 | b);
		if (pwrite(fd, &block, BLOCK_BYTES, (off_t)(b * BLOCK_BYTES)) != BLOCK_BYTES)
			die("%s: %s", path, strerror(errno));
	}
	return 0;
}

/* What was only seen has been read from the first leg. */
static uint64_t leg_check(const char *path, int history, bool first, uint64_t findings)
{
	int fd = device_open(path, O_RDONLY);
	struct block block;
	struct entry entry;

	for (uint64_t b = 0; b < run.blocks; b++) {
		uint64_t floor;

		image_read(history, &entry, entry_offset(b));
		image_read(fd, &block, b * BLOCK_BYTES);
		floor = first ? entry_seen(&entry) : entry.note[0].sequence;
		if (block_valid(&block) && block.number == b && block.sequence >= floor)
			continue;
		if (findings++ < LISTED_MAX)
			printf("leg %s block %" PRIu64 ": %s, sequence %" PRIx64
			       ", completed was %" PRIx64 ", seen %" PRIx64 "\n",
			       path, b, block_valid(&block) ? "sound" : "not sound", block.sequence,
			       entry.note[0].sequence, entry_seen(&entry));
	}
	(void)close(fd);
	return findings;
}

static int history_check(const char *path, char **legs)
{
	int history = device_open(path, O_RDONLY);
	uint64_t findings = 0, completed = 0;
	struct entry entry;

	for (unsigned i = 0; legs[i] != NULL; i++)
		findings = leg_check(legs[i], history, i == 0, findings);
	for (uint64_t b = 0; b < run.blocks; b++) {
		image_read(history, &entry, entry_offset(b));
		completed += entry.note[0].sequence != 0;
	}
	printf("blocks %" PRIu64 " completed %" PRIu64 " findings %" PRIu64 "\n", run.blocks,
	       completed, findings);
	return findings > 0 ? 1 : 0;
}

static int history_count(const char *path)
{
	int history = device_open(path, O_RDONLY);
	struct entry tail;
	int status = 0;

	for (unsigned node = 1; node <= NODES_MAX; node++) {
		uint64_t writes = 0, reads = 0;

		image_read(history, &tail, tail_offset(run.blocks, node, 0));
		for (unsigned i = 0; i < THREADS; i++) {
			writes += tail.note[i].writes;
			reads += tail.note[i].reads;
		}
		if (writes + reads > 0)
			printf("node %u writes %" PRIu64 " reads %" PRIu64 "\n", node, writes,
			       reads);
		if (tail.note[WRONG_SECTOR].wrong[0] == '\0')
			continue;
		printf("node %u found: %.400s\n", node, tail.note[WRONG_SECTOR].wrong);
		status = 1;
	}
	return status;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end != '\0' || end == text)
		die("'%s' is no number", text);
	return value;
}

int main(int argc, char **argv)
{
	const char *command = argc > 3 ? argv[1] : "";

	if (strcmp(command, "write") == 0 && argc == 9) {
		run.blocks = number(argv[4]);
		run.node = (unsigned)number(argv[5]);
		run.nodes = (unsigned)number(argv[6]);
		run.session = number(argv[7]);
		run.seed = number(argv[8]);
		if (run.node < 1 || run.node > run.nodes || run.nodes > NODES_MAX)
			die("node %u of %u", run.node, run.nodes);
		return history_write(argv + 2);
	}
	if (argc > 3)
		run.blocks = number(argv[3]);
	if (strcmp(command, "make") == 0 && argc == 4)
		return history_make(argv[2]);
	if (strcmp(command, "check") == 0 && argc > 4)
		return history_check(argv[2], argv + 4);
	if (strcmp(command, "count") == 0 && argc == 4)
		return history_count(argv[2]);
	die("usage: see the head of tests/uml/history.c");
}
