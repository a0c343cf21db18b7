/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what a call waits for, when it takes longer than a few seconds. */
#ifndef DMCLOG_PATIENCE_H
#define DMCLOG_PATIENCE_H

#include <pthread.h>
#include <stdbool.h>

struct patience {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool running, done;
	const char *text;
};

/* After three seconds `text`, which must live as long, is said on stderr; unless patience_end() comes before. */
void patience_begin(struct patience *patience, const char *text);
void patience_end(struct patience *patience);

#endif
