/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service: see service.h. */
#include "service.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connector.h"
#include "fd_store.h"
#include "group_port.h"
#include "log_memory.h"
#include "machine.h"
#include "predecessor.h"
#include "report.h"
#include "seq_gap.h"
#include "tables_file.h"
#include "wakers.h"

/* How old the time may be that a request is given. */
#define TICK_MS 50
/* Requests taken before other sources get their turn. */
#define RECEIVE_BURST 64
/* One lone request in so many is looked behind. */
#define LOOK_AGAIN 32

struct service {
	sd_event *event;
	struct wakers wakers;
	struct connector *connector;
	struct group_port *group;
	struct machine *machine;
	void *core_memory;
	struct core *core;
	bool stepping;
	bool ticking;   /* the tick is set */
	bool ending;    /* the event loop is to end */
	bool more_came; /* a request followed another one at once */
	uint32_t lone;  /* requests that nobody looked behind */
	uint32_t requests_since_tick;
	uint64_t now_ms; /* at most TICK_MS old */
	struct seq_gap seq;
	uint64_t malformed_told;
	struct tables_file *tables;
	struct log_memory *memory;
	bool kept; /* the connector's socket, for a successor */
};

static uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- steps ---- */

static void step(struct service *service, const struct input *input)
{
	assert(!service->stepping);
	service->stepping = true;
	core_step(service->core, input);
	service->stepping = false;
}

static void machine_input(void *context, const struct input *input)
{
	struct service *service = context;

	service->now_ms = input->now_ms;
	step(service, input);
}

static void group_input(void *context, struct input *input)
{
	struct service *service = context;

	if (!service->ticking)
		service->now_ms = clock_ms();
	input->now_ms = service->now_ms;
	step(service, input);
}

static void on_timer(struct service *service)
{
	struct input input = { .type = INPUT_TIME };

	service->now_ms = clock_ms();
	input.now_ms = service->now_ms;
	step(service, &input);
}

/* ---- effects ---- */

static void send_answer(struct service *service, const struct answer *answer)
{
	int r;

	tables_file_answer(service->tables, answer->luid, answer->type, answer->error);
	r = connector_send(service->connector, answer);
	if (r == -EAGAIN || r == -ENOBUFS)
		r = connector_send(service->connector, answer);
	if (report_debug())
		report(LOG_DEBUG, NULL, answer->luid, "answer %u %s: %d, %u bytes", answer->seq,
		       request_type_name(answer->type), answer->error, answer->payload_bytes);
	if (r < 0)
		report(LOG_WARNING, NULL, answer->luid,
		       "answer to %s (seq %u) could not be sent (%s): the kernel asks again in 15 s",
		       request_type_name(answer->type), answer->seq, strerror(-r));
}

static void carry_out(void *context, const struct effect *effect)
{
	struct service *service = context;

	switch (effect->type) {
	case EFFECT_ANSWER:
		send_answer(service, &effect->answer);
		break;
	case EFFECT_MULTICAST:
		if (group_port_multicast(service->group, &effect->message) < 0)
			abort(); /* a message that is lost here would leave a request without an answer */
		break;
	case EFFECT_SET_TIMER:
		wakers_set(&service->wakers, WAKER_TIMER, effect->deadline_ms);
		break;
	case EFFECT_RELEASE_MEMORY:
		log_memory_release(service->memory, &effect->release);
		break;
	case EFFECT_EVENT:
		report_event(&effect->event);
		break;
	case EFFECT_PROVOKE:
		/* Without it the RESUME waits for somebody else's request. */
		(void)machine_do(service->machine, effect);
		break;
	case EFFECT_OPEN_DEVICE:
	case EFFECT_CLOSE_DEVICE:
	case EFFECT_READ:
	case EFFECT_WRITE:
	case EFFECT_OPEN_LEGS:
	case EFFECT_CLOSE_LEGS:
	case EFFECT_FLUSH_LEGS:
	case EFFECT_READ_HEALTH:
	case EFFECT_COPY:
		if (machine_do(service->machine, effect) < 0)
			abort(); /* the core would wait for ever */
		break;
	}
}

/* ---- requests ---- */

static void answer_error(struct service *service, const struct request *request, int error)
{
	struct answer answer = { .seq = request->seq, .luid = request->luid, .error = error };

	answer.type = request->type;
	answer.version = REQUEST_VERSION_MAX;
	send_answer(service, &answer);
}

/* Those that never came: the kernel sends them again at once, instead of after 15 s. */
static void check_seq(struct service *service, uint32_t seq)
{
	uint64_t lost = service->seq.lost;
	struct request missing = { 0 };
	uint32_t count = seq_gap_next(&service->seq, seq, &missing.seq);

	if (service->seq.lost > lost)
		report_news(NEWS_REQUESTS_LOST,
			    "%u requests of the kernel were lost: asked for again", count);
	for (; count > 0; count--, missing.seq++)
		answer_error(service, &missing, -EAGAIN);
}

static void take_request(struct service *service, const struct request *request)
{
	struct input input = { .type = INPUT_REQUEST, .now_ms = service->now_ms };

	if (report_debug())
		report(LOG_DEBUG, request->uuid, request->luid,
		       "request %u %s, %u regions, first %llu", request->seq,
		       request_type_name(request->type), request->region_count,
		       (unsigned long long)request->regions[0]);
	tables_file_request(service->tables, request);
	input.request.request = request;
	log_memory_give(service->memory, service->core, &input.request);
	step(service, &input);
}

static void tell_malformed(struct service *service)
{
	const struct connector_counters *counters = connector_counters(service->connector);
	uint64_t sum = counters->foreign + counters->malformed + counters->unsupported;

	/* Once for each power of two: a flood must not fill the journal. */
	if (sum < service->malformed_told * 2 || sum == service->malformed_told)
		return;
	service->malformed_told = sum;
	report(LOG_WARNING, NULL, 0,
	       "dropped so far: %llu messages from other senders than the kernel, %llu malformed, %llu of an "
	       "unknown version or type",
	       (unsigned long long)counters->foreign, (unsigned long long)counters->malformed,
	       (unsigned long long)counters->unsupported);
}

/* Takes one datagram; false when there is none, or the loop is to end. */
static bool receive(struct service *service)
{
	struct request request;
	int r = connector_receive(service->connector, &request);

	switch (r) {
	case 1:
		service->requests_since_tick++;
		check_seq(service, request.seq);
		take_request(service, &request);
		return true;
	case 0:
		return false;
	case -ENOBUFS: /* the gap in seq says which */
		return true;
	case -EPROTONOSUPPORT:
	case -ENOTSUP:
		answer_error(service, &request, r == -ENOTSUP ? -ENOSYS : r);
		tell_malformed(service);
		return true;
	case -EPERM:
	case -ENOMSG:
	case -EMSGSIZE:
	case -EBADMSG:
		tell_malformed(service);
		return true;
	default:
		report_news(NEWS_CANNOT_SERVE, "netlink socket: %s", strerror(-r));
		(void)sd_event_exit(service->event, 1);
		service->ending = true;
		return false;
	}
}

/* The poll found one.  Whether another one follows at once is worth a system call only when that happened lately. */
static void receive_some(struct service *service)
{
	if (!receive(service))
		return;
	if (!service->more_came && ++service->lone % LOOK_AGAIN != 0)
		return;
	service->more_came = false;
	for (int i = 1; i < RECEIVE_BURST && receive(service); i++)
		service->more_came = true;
}

/* ---- the loop ---- */

static void on_tick(struct service *service)
{
	service->now_ms = clock_ms();
	service->ticking = service->requests_since_tick > 0;
	service->requests_since_tick = 0;
	if (service->ticking)
		wakers_set(&service->wakers, WAKER_TICK, service->now_ms + TICK_MS);
}

/* The first request after a rest: from here on time is looked at every TICK_MS only. */
static void begin_ticking(struct service *service)
{
	service->now_ms = clock_ms();
	service->ticking = true;
	wakers_set(&service->wakers, WAKER_TICK, service->now_ms + TICK_MS);
}

static void wake_up(struct service *service, int wakers)
{
	if ((wakers & WAKER_MACHINE) != 0)
		machine_run(service->machine, service->ticking ? service->now_ms : 0);
	if ((wakers & WAKER_TICK) != 0)
		on_tick(service);
	if ((wakers & WAKER_TIMER) != 0)
		on_timer(service);
	if ((wakers & WAKER_REQUEST) != 0) {
		if (!service->ticking)
			begin_ticking(service);
		receive_some(service);
	}
}

/*
 * Serves requests until the event loop has something else to do.  A request costs three system calls (wait, receive,
 * send), or two when the next one is there already: IN_SYNC comes for every read.  One that waits for the log device
 * costs two more (submit, wait).
 */
static int serve_requests(struct service *service)
{
	while (!service->ending) {
		int wakers = wakers_wait(&service->wakers);

		if (wakers < 0)
			return wakers;
		wake_up(service, wakers);
		group_port_turn(service->group);
		if ((wakers & WAKER_LOOP) != 0)
			return 0;
	}
	return 0;
}

int service_run(struct service *service)
{
	sd_event *event = service->event;
	int code = 0;
	int r;

	while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
		r = sd_event_prepare(event);
		if (r == 0) {
			r = serve_requests(service);
			if (r < 0)
				return r;
			r = sd_event_wait(event, 0);
		}
		if (r > 0)
			r = sd_event_dispatch(event);
		if (r < 0)
			return r;
		group_port_turn(service->group);
	}
	r = sd_event_get_exit_code(event, &code);
	return r < 0 ? r : code;
}

/* ---- opening ---- */

static void group_tell(void *context, enum news news, const char *text)
{
	(void)context;
	report_news(news, "%s", text);
}

/* Corosync must not end while a mirror may write. */
static bool group_busy(void *context)
{
	const struct service *service = context;
	struct core_log_status log;

	for (uint32_t i = 0; i < CORE_LOGS_MAX; i++)
		if (core_log_status(service->core, i, &log) == 0 && log.resumed_count > 0)
			return true;
	return false;
}

static int join_group(struct service *service, const struct corosync_identity *cluster)
{
	struct group_owner owner = {
		.input = group_input, .tell = group_tell, .busy = group_busy, .context = service
	};
	int r;

	if (cluster == NULL)
		r = local_port_open(&service->group, &owner, 1);
	else
		r = corosync_port_open(&service->group, &owner, service->event, cluster);
	if (r < 0)
		report_news(NEWS_CANNOT_SERVE, "the group cannot be served: %s", strerror(-r));
	return r;
}

static void predecessor_live(void *context, const char *uuid)
{
	struct service *service = context;
	struct input input = { .type = INPUT_PREDECESSOR,
			       .now_ms = service->now_ms,
			       .predecessor = uuid };

	step(service, &input);
}

static void predecessor_request(void *context, const struct request *request)
{
	take_request(context, request);
}

static int open_connector(struct service *service, int kept)
{
	const struct predecessor_port port = { .live = predecessor_live,
					       .request = predecessor_request,
					       .context = service };
	int r = predecessor_connector(kept, &service->connector);

	if (r < 0)
		return r;
	service->kept = fd_store_keep(connector_fd(service->connector)) == 1;
	if (predecessor_tables(service->tables, &port) == 0)
		log_memory_sweep(service->memory);
	return 0;
}

static int make_core(struct service *service, const struct core_config *config)
{
	service->core_memory = memory_zeroed(core_bytes());
	if (service->core_memory == NULL)
		return -ENOMEM;
	service->core =
		core_init(service->core_memory, config, carry_out, service, service->now_ms);
	return 0;
}

int service_open(struct service **ret_service, sd_event *event, const struct core_config *config,
		 const struct corosync_identity *cluster, const struct service_past *past)
{
	struct service *service = calloc(1, sizeof(*service));
	struct machine_config machine_config = { .use_nowait = true, .caller_watches = true };
	int r;

	if (service == NULL)
		return -ENOMEM;
	service->event = sd_event_ref(event);
	service->now_ms = clock_ms();
	r = wakers_open(&service->wakers);
	if (r < 0)
		goto fail;
	service->tables = predecessor_file(past->state_directory, config->boot_id);
	r = log_memory_open(&service->memory, past->state_directory,
			    tables_file_found(service->tables));
	if (r == 0)
		r = make_core(service, config);
	if (r < 0)
		goto fail;
	r = join_group(service, cluster);
	if (r < 0)
		goto fail;
	r = machine_open(&service->machine, event, &machine_config, machine_input, service);
	if (r < 0) {
		report_news(NEWS_CANNOT_SERVE, "devices cannot be served: %s", strerror(-r));
		goto fail;
	}
	group_port_turn(service->group); /* a group of one is joined here */
	r = wakers_watch(&service->wakers, machine_fd(service->machine), WAKER_MACHINE);
	if (r == 0)
		r = wakers_watch(&service->wakers, sd_event_get_fd(event), WAKER_LOOP);
	if (r < 0)
		goto fail;
	r = open_connector(service, past->connector_fd);
	if (r < 0)
		goto fail;
	r = wakers_watch(&service->wakers, connector_fd(service->connector), WAKER_REQUEST);
	if (r < 0)
		goto fail;
	*ret_service = service;
	return 0;
fail:
	service_close(service);
	return r;
}

void service_close(struct service *service)
{
	if (service == NULL)
		return;
	connector_close(service->connector);
	if (service->machine != NULL)
		machine_close(service->machine);
	wakers_close(&service->wakers);
	tables_file_close(service->tables);
	log_memory_close(service->memory);
	group_port_close(service->group);
	free(service->core_memory);
	sd_event_unref(service->event);
	free(service);
}

bool service_kept(const struct service *service)
{
	return service->kept;
}

void service_operator(struct service *service, struct input *input)
{
	service->now_ms = clock_ms();
	input->now_ms = service->now_ms;
	step(service, input);
}

const struct core *service_core(const struct service *service)
{
	return service->core;
}

void service_counters(const struct service *service, struct service_counters *ret_counters)
{
	ret_counters->lost_requests = service->seq.lost;
	ret_counters->group = service->group->counters;
}
