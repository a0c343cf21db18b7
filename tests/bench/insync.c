/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the kernel how far a mirror is in sync, and times a resync without disturbing it by processes.
 *
 * Prints "IN_SYNC TOTAL SECONDS". Owned by tests/bench/node.sh, runs in a node. Limits: a device of one mirror target.
 *
 * usage: insync NAME             once; SECONDS is 0
 *        insync --resume NAME    resumes NAME, which has a table loaded, then looks every POLL_MS until all is in sync
 *                                (at most LIMIT_SECONDS); SECONDS counts from just before the resume
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libdevmapper.h>

#define POLL_MS 10
#define LIMIT_SECONDS 60

static double now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int mirror_resume(const char *name)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_RESUME);
	int ok = task && dm_task_set_name(task, name) && dm_task_run(task);

	if (task)
		dm_task_destroy(task);
	return ok ? 0 : -1;
}

/* "2 98:16 98:32 47/128 1 AA ...": the only word with a slash. */
static int mirror_status(const char *name, unsigned long long *ret_done,
			 unsigned long long *ret_total)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
	uint64_t start, length;
	char *type, *params, *slash, *word;
	int r = -1;

	if (!task || !dm_task_set_name(task, name) || !dm_task_run(task))
		goto destroy;
	(void)dm_get_next_target(task, NULL, &start, &length, &type, &params);
	slash = params ? strchr(params, '/') : NULL;
	if (!slash)
		goto destroy;
	for (word = slash; word > params && word[-1] != ' ';)
		word--;
	if (sscanf(word, "%llu/%llu", ret_done, ret_total) == 2)
		r = 0;
destroy:
	if (task)
		dm_task_destroy(task);
	return r;
}

int main(int argc, char **argv)
{
	int resume = argc == 3 && strcmp(argv[1], "--resume") == 0;
	unsigned long long done, total;
	double start, seconds = 0;

	if (argc != 2 && !resume) {
		fprintf(stderr, "usage: %s [--resume] NAME\n", argv[0]);
		return 2;
	}
	start = now_seconds();
	if (resume && mirror_resume(argv[2]) < 0)
		return 1;
	for (;;) {
		if (mirror_status(argv[argc - 1], &done, &total) < 0)
			return 1;
		if (!resume)
			break;
		seconds = now_seconds() - start;
		if (done == total || seconds > LIMIT_SECONDS)
			break;
		(void)poll(NULL, 0, POLL_MS);
	}
	printf("%llu %llu %.3f\n", done, total, seconds);
	return 0;
}
