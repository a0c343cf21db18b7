/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service: joins the core to its three outside worlds (kernel, group, machine) in one event loop.
 *
 * One thread decides.  Every input becomes one step; what the steps of a turn of the loop multicast goes to the group
 * at its end.  The kernel's requests are polled for beside the event loop, not through it: on the way of a read every
 * system call counts.
 */
#ifndef DMCLOGD_SERVICE_H
#define DMCLOGD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "core.h"
#include "group_port.h"

struct service;

struct service_past {
	const char *state_directory;
	int connector_fd; /* of a predecessor, see fd_store.h; the service's from now on; or negative */
};

/*
 * Opens connector, group and machine and makes the core.  `cluster` is NULL for a group of one.  The tables of a predecessor are
 * built again.  Returns 0 and *ret_service, which service_close() frees, or
 * negative errno after saying what went wrong.
 */
int service_open(struct service **ret_service, sd_event *event, const struct core_config *config,
		 const struct corosync_identity *cluster, const struct service_past *past);
void service_close(struct service *service);

/* Serves until sd_event_exit() is called.  Returns its code, or negative errno. */
int service_run(struct service *service);

/* Will a successor find the connector's socket?  Then this daemon may end while tables use it. */
bool service_kept(const struct service *service);

/* One step of the core with what the operator says; fills in its time.  From the event loop only. */
void service_operator(struct service *service, struct input *input);

/* The core, for looking in. */
const struct core *service_core(const struct service *service);

struct service_counters {
	uint64_t lost_requests; /* that the kernel says it sent and that never came */
	struct group_counters group;
};

void service_counters(const struct service *service, struct service_counters *ret_counters);

#endif
