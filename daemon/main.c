/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclogd: starts, serves until it is told to end, and ends in the reverse order. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "command.h"
#include "config.h"
#include "control.h"
#include "fd_store.h"
#include "group_port.h"
#include "live_table.h"
#include "options.h"
#include "report.h"
#include "service.h"
#include "single.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2
/* Between two looks for a corosync that does not run. */
#define CLUSTER_AGAIN_USEC 1000000

/* The write-back path of the machine leads through this process: it must not be paged out or killed for memory. */
static void protect(void)
{
	int fd;

	/* One heap for all threads: each further one would be 64 MiB of locked address space. */
	(void)mallopt(M_ARENA_MAX, 1);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "-1000\n", 6) != 6)
		report(LOG_WARNING, NULL, 0, "cannot be exempted from the OOM killer: %s, ignoring",
		       strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		report(LOG_WARNING, NULL, 0, "memory cannot be locked: %s, ignoring",
		       strerror(errno));
}

static int fill_config(const struct options *options, const struct corosync_identity *cluster,
		       struct core_config *config)
{
	sd_id128_t machine, boot;
	struct timespec now;
	int r;

	r = sd_id128_get_machine(&machine);
	if (r < 0) {
		report_news(
			NEWS_CANNOT_SERVE,
			"/etc/machine-id cannot be read (%s): systemd-machine-id-setup makes one",
			strerror(-r));
		return r;
	}
	r = sd_id128_get_boot(&boot);
	if (r < 0) {
		report_news(NEWS_CANNOT_SERVE, "the kernel's boot id cannot be read: %s",
			    strerror(-r));
		return r;
	}
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	*config = (struct core_config){
		.node_id = cluster->node_id,
		.incarnation = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
		.hot_regions = options->hot_regions,
		.idle_ms = options->idle_release_s * 1000,
		.slot_count = options->slots,
		.copies_in_flight = options->copies,
		.resync_bytes_per_second = options->resync_bytes_per_second,
		.takeover_delay_ms = options->takeover_delay_s * 1000,
	};
	memcpy(config->cluster_name, cluster->cluster_name, sizeof(config->cluster_name));
	memcpy(config->machine_id, machine.bytes, sizeof(config->machine_id));
	memcpy(config->boot_id, boot.bytes, sizeof(config->boot_id));
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct service *service = *(struct service **)context;
	uint32_t tables = service != NULL ? core_table_count(service_core(service)) : 0;

	if (tables > 0 && service_kept(service)) {
		report(LOG_NOTICE, NULL, 0,
		       "told to end by signal %u: %u tables wait for the next dmclogd, their requests are kept",
		       info->ssi_signo, tables);
		tables = 0;
	}
	if (tables == 0)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	report_news(
		NEWS_NOT_ENDING,
		"told to end by signal %u, but %u tables use this daemon: deactivate the mirrors first "
		"(dmsetup remove), their I/O would wait for ever",
		info->ssi_signo, tables);
	(void)sd_notifyf(0, "STATUS=%u tables in use: not ending", tables);
	return 0;
}

static int on_state(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	const struct service *service = *(struct service **)context;
	struct service_counters counters;

	(void)source;
	(void)info;
	if (service != NULL) {
		service_counters(service, &counters);
		report_state(service_core(service), &counters);
	}
	return 0;
}

static int on_recent(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)source;
	(void)info;
	(void)context;
	report_recent();
	return 0;
}

/* *service is NULL as long as there is none. */
static int add_signals(sd_event *event, struct service **service)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {
		{ SIGTERM, on_end },
		{ SIGINT, on_end },
		{ SIGUSR1, on_state },
		{ SIGUSR2, on_recent },
	};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int r = sd_event_add_signal(event, NULL, signals[i].number, signals[i].handler,
					    service);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Every thread inherits this mask: signals reach the event loop only. */
static void block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
}

/*
 * Who this node is in the cluster is known when its corosync runs: until then nothing is served.  Returns 1; 0 when told
 * to end; negative errno.
 */
static int await_cluster(sd_event *event, struct corosync_identity *identity)
{
	char reason[GROUP_REASON_BYTES], told[GROUP_REASON_BYTES] = "";

	while (corosync_identity_get(identity, reason) < 0) {
		int r;

		if (strcmp(reason, told) != 0) {
			memcpy(told, reason, sizeof(told));
			report_news(NEWS_APART, "%s; nothing is served until then", reason);
		}
		(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%u\nSTATUS=waiting: %s",
				 10 * CLUSTER_AGAIN_USEC, reason);
		r = sd_event_run(event, CLUSTER_AGAIN_USEC);
		if (r < 0)
			return r;
		if (sd_event_get_state(event) == SD_EVENT_EXITING ||
		    sd_event_get_state(event) == SD_EVENT_FINISHED)
			return 0;
	}
	return 1;
}

/* ---- the control socket ---- */

static const struct core *operator_core(void *context)
{
	return service_core(context);
}

static void operator_step(void *context, struct input *input)
{
	service_operator(context, input);
}

static void operator_counters(void *context, struct service_counters *ret_counters)
{
	service_counters(context, ret_counters);
}

struct control_context {
	struct service *service;
	struct resync_speed *speed; /* or NULL */
};

static char *control_answer(void *context, const char *line, size_t length)
{
	const struct control_context *shown = context;
	const struct command_port port = { .core = operator_core,
					   .step = operator_step,
					   .counters = operator_counters,
					   .context = shown->service,
					   .speed = shown->speed };

	return command_answer(&port, line, length);
}

static char *control_refuse(void *context, enum control_refusal refusal)
{
	(void)context;
	switch (refusal) {
	case CONTROL_TOO_LONG:
		return command_refusal("too-long", "a line has at most 4096 bytes");
	case CONTROL_DENIED:
		return command_refusal("denied", "only root and the daemon's own user are served");
	}
	return NULL;
}

/* Without it the daemon serves its mirrors all the same. */
static struct control *listen_for_operator(sd_event *event, const struct options *options,
					   struct control_context *shown)
{
	const struct control_handler handler = { .answer = control_answer,
						 .refuse = control_refuse,
						 .context = shown };
	struct control *control = NULL;
	const char *path = options->control_socket;
	char own[PATH_MAX];
	int r = 0;

	if (path == NULL) {
		r = snprintf(own, sizeof(own), "%s/control", options->state_directory);
		r = r < 0 || (size_t)r >= sizeof(own) ? -ENAMETOOLONG : 0;
		path = own;
	}
	if (r == 0)
		r = control_open(&control, event, path, &handler);
	if (r < 0)
		report_news(
			NEWS_NO_CONTROL,
			"control socket %s cannot be used (%s): dmclog does not reach this daemon",
			path, strerror(-r));
	return control;
}

static int serve_as(sd_event *event, const struct options *options,
		    const struct corosync_identity *cluster, int connector_fd,
		    struct service **service)
{
	const struct service_past past = { .state_directory = options->state_directory,
					   .connector_fd = connector_fd };
	struct control_context shown = { 0 };
	struct control *control;
	struct core_config config;
	int r;

	r = fill_config(options, cluster, &config);
	if (r < 0)
		return r;
	protect();
	r = service_open(service, event, &config, options->cluster_none ? NULL : cluster, &past);
	if (r < 0)
		return r;
	shown.service = *service;
	/* Without it a status does not tell the speed. */
	(void)resync_speed_open(&shown.speed, event, service_core(*service));
	control = listen_for_operator(event, options, &shown);
	(void)sd_notify(0, "READY=1\nSTATUS=serving");
	report(LOG_NOTICE, NULL, 0, "version %s serves, cluster %s, node %u", PACKAGE_VERSION,
	       config.cluster_name, config.node_id);
	r = service_run(*service);
	(void)sd_notify(0, "STOPPING=1");
	report(LOG_NOTICE, NULL, 0, "ended");
	control_close(control);
	resync_speed_close(shown.speed);
	service_close(*service);
	return r;
}

static int serve(sd_event *event, const struct options *options, int connector_fd)
{
	struct corosync_identity cluster = { .node_id = 1, .cluster_name = "none" };
	struct service *service = NULL;
	int r;

	r = add_signals(event, &service);
	if (r < 0)
		return r;
	(void)sd_event_set_watchdog(event, 1);
	if (!options->cluster_none) {
		r = await_cluster(event, &cluster);
		if (r <= 0)
			return r;
	}
	return serve_as(event, options, &cluster, connector_fd, &service);
}

static int run(const struct options *options, char *name)
{
	sd_event *event = NULL;
	int connector_fd = fd_store_take();
	int pid = 0;
	int lock;
	int r;

	lock = single_lock(options->state_directory, &pid);
	if (lock == -EBUSY) {
		report_news(NEWS_CANNOT_SERVE, "dmclogd runs already on this node (process %d)",
			    pid);
		return lock;
	}
	if (lock < 0) {
		report_news(NEWS_CANNOT_SERVE,
			    "%s cannot be used (%s): --state-directory names another",
			    options->state_directory, strerror(-lock));
		return lock;
	}
	r = live_table_aside(name);
	if (r < 0)
		report(LOG_WARNING, NULL, 0,
		       "health is read in this process (%s): killed, it may not end, ignoring",
		       strerror(-r));
	r = sd_event_default(&event);
	if (r >= 0) {
		r = serve(event, options, connector_fd);
		(void)sd_event_unref(event);
	}
	(void)close(lock);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	int r;

	r = options_parse(argc, argv, &options);
	if (r <= 0)
		return r < 0 ? EXIT_USAGE : 0;
	report_init(options.debug);
	block_signals();
	r = run(&options, argv[0]);
	return r < 0 ? EXIT_RUNTIME : r;
}
