/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the machine port share: the event loop, the way back to the core, and the few calls that
 * tests replace.  Private to machine.c, log_device.c, legs.c and their tests.
 */
#ifndef DMCLOGD_MACHINE_PORT_H
#define DMCLOGD_MACHINE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "core.h"
#include "daemon/table_parse.h"
#include "daemon/worker.h"

/* An open block device, or what stands in for one. */
struct block_device {
	int fd; /* O_RDWR | O_DIRECT | O_CLOEXEC */
	uint64_t device_bytes;
	uint32_t block_bytes; /* logical block size */
};

/* Where a live mirror was found. */
struct live_table {
	uint32_t major; /* the dm device */
	uint32_t minor;
	uint64_t start_sectors; /* the target within the dm device */
	uint64_t length_sectors;
	struct table_mirror mirror;
};

/* The calls that may block: made on helper threads only.  Each returns 0 or negative errno. */
struct machine_backend {
	/* See block_device_open(). */
	int (*open_device)(uint32_t major, uint32_t minor, struct block_device *ret_device);
	/* See live_table_find(). */
	int (*find_table)(const char *uuid, struct live_table *ret_table);
	/* See live_table_health(). */
	int (*read_health)(const char *uuid, const struct live_table *expected, char *ret_letters,
			   bool *ret_suspended);
};

struct machine_port {
	sd_event *event;
	struct completions *completions;
	const struct machine_backend *backend;
	bool use_nowait;
	uint64_t turn_ms; /* see machine_run() */
	bool closing;     /* no input is given any more */
	uint64_t pending; /* effects not yet answered */
	void (*input)(void *context, const struct input *input);
	void *context;
};

/* Event loop's thread: answers one effect.  Fills in input->now_ms. */
void machine_port_answer(struct machine_port *port, struct input *input);

#endif
