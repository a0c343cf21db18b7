/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a long call waits for: see patience.h.  A thread, since the call stands still within the kernel. */
#include "tools/patience.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define SECONDS 3

static void *wait_and_say(void *context)
{
	struct patience *patience = context;
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SECONDS;
	(void)pthread_mutex_lock(&patience->lock);
	while (!patience->done && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&patience->over, &patience->lock, &until);
	if (!patience->done)
		(void)fprintf(stderr, "dmclog: %s\n", patience->text);
	(void)pthread_mutex_unlock(&patience->lock);
	return NULL;
}

void patience_begin(struct patience *patience, const char *text)
{
	patience->text = text;
	patience->done = false;
	(void)pthread_mutex_init(&patience->lock, NULL);
	(void)pthread_cond_init(&patience->over, NULL);
	patience->running = pthread_create(&patience->thread, NULL, wait_and_say, patience) == 0;
}

void patience_end(struct patience *patience)
{
	(void)pthread_mutex_lock(&patience->lock);
	patience->done = true;
	(void)pthread_cond_signal(&patience->over);
	(void)pthread_mutex_unlock(&patience->lock);
	if (patience->running)
		(void)pthread_join(patience->thread, NULL);
	(void)pthread_cond_destroy(&patience->over);
	(void)pthread_mutex_destroy(&patience->lock);
}
