/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for whom, in words, with the command that ends it: the same in the status, the tool and the documentation. */
#ifndef DMCLOGD_WAIT_WORDS_H
#define DMCLOGD_WAIT_WORDS_H

#include <stdint.h>

#include "core_status.h"

/* Quoted, a byte may need four. */
#define WAIT_UUID_BYTES (4 * REQUEST_UUID_SIZE + 4)
#define WAIT_COMMAND_BYTES (WAIT_UUID_BYTES + 32)

struct wait_words {
	const char *what;   /* "resume", "flush", ..., "copying" */
	const char *reason; /* one word, for programs */
	char whom[256];
	char command[WAIT_COMMAND_BYTES]; /* ends it as it should end; "": it ends by itself */
	char give_up[WAIT_COMMAND_BYTES]; /* ends the kernel's wait, with errors; "": none waits */
};

void wait_word(const struct core_log_status *log, const struct core_wait *wait,
	       struct wait_words *ret_words);

/* 32 digits and a NUL. */
void id_text(const uint8_t id[16], char ret_text[33]);

#endif
