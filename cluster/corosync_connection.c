/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only file that knows the libraries of corosync: see corosync_connection.h. */
#include "cluster/corosync_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>

static const struct cpg_name group_name = { .length = 7, .value = "dmclogd" };

/* libcfg keeps no context for its callback. */
static struct corosync_connection *dispatched;

static int errno_of_corosync(cs_error_t error)
{
	switch (error) {
	case CS_OK:
		return 0;
	case CS_ERR_TRY_AGAIN:
	case CS_ERR_QUEUE_FULL:
		return -EAGAIN;
	case CS_ERR_ACCESS:
	case CS_ERR_SECURITY:
		return -EACCES;
	case CS_ERR_NO_MEMORY:
		return -ENOMEM;
	case CS_ERR_NOT_EXIST:
	case CS_ERR_NAME_NOT_FOUND:
		return -ENOENT;
	case CS_ERR_TOO_BIG:
		return -EMSGSIZE;
	case CS_ERR_TIMEOUT:
		return -ETIMEDOUT;
	case CS_ERR_LIBRARY:
	case CS_ERR_BAD_HANDLE:
		return -ENOTCONN;
	default:
		return -EIO;
	}
}

/* ---- what corosync says ---- */

static void fill_processes(struct group_process *processes, const struct cpg_address *list,
			   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		processes[i].node_id = list[i].nodeid;
		processes[i].pid = list[i].pid;
		processes[i].reason = list[i].reason == CPG_REASON_LEAVE    ? VIEW_LEAVE :
				      list[i].reason == CPG_REASON_NODEDOWN ? VIEW_NODE_DOWN :
									      VIEW_PROC_DOWN;
	}
}

static uint32_t at_most(size_t count)
{
	return count < GROUP_PROCESSES_MAX ? (uint32_t)count : GROUP_PROCESSES_MAX;
}

static struct corosync_connection *cpg_context(cpg_handle_t handle)
{
	void *context = NULL;

	(void)cpg_context_get(handle, &context);
	return context;
}

static void on_change(cpg_handle_t handle, const struct cpg_name *name,
		      const struct cpg_address *members, size_t member_count,
		      const struct cpg_address *left, size_t left_count,
		      const struct cpg_address *joined, size_t joined_count)
{
	struct corosync_connection *connection = cpg_context(handle);
	struct group_process processes[3][GROUP_PROCESSES_MAX];
	struct group_change change = {
		.members = { processes[0], at_most(member_count) },
		.left = { processes[1], at_most(left_count) },
		.joined = { processes[2], at_most(joined_count) },
	};

	(void)name;
	fill_processes(processes[0], members, change.members.count);
	fill_processes(processes[1], left, change.left.count);
	fill_processes(processes[2], joined, change.joined.count);
	connection->events->change(connection->context, &change);
}

static void on_message(cpg_handle_t handle, const struct cpg_name *name, uint32_t node_id,
		       uint32_t pid, void *bytes, size_t length_bytes)
{
	struct corosync_connection *connection = cpg_context(handle);

	(void)name;
	connection->events->message(connection->context, node_id, pid, bytes, length_bytes);
}

static void on_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t node_count,
		    const uint32_t *nodes)
{
	struct corosync_connection *connection = cpg_context(handle);

	(void)ring;
	connection->events->ring(connection->context, nodes, node_count);
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
		      uint32_t node_count, const uint32_t *nodes)
{
	const void *context = NULL;
	const struct corosync_connection *connection;

	(void)ring;
	(void)quorum_context_get(handle, &context);
	connection = context;
	connection->events->quorum(connection->context, quorate != 0, nodes, node_count);
}

static void on_node_list(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t member_count,
			 const uint32_t *members, uint32_t joined_count, const uint32_t *joined,
			 uint32_t left_count, const uint32_t *left)
{
	/* Comes before the quorum of the new ring is known; its list comes again with that. */
	(void)handle, (void)ring, (void)member_count, (void)members, (void)joined_count;
	(void)joined, (void)left_count, (void)left;
}

static void on_shutdown(corosync_cfg_handle_t handle, corosync_cfg_shutdown_flags_t flags)
{
	bool agreed = dispatched->events->shutdown(dispatched->context);

	(void)flags;
	(void)corosync_cfg_replyto_shutdown(handle, agreed ? COROSYNC_CFG_SHUTDOWN_FLAG_YES :
							     COROSYNC_CFG_SHUTDOWN_FLAG_NO);
}

int corosync_connection_dispatch(struct corosync_connection *connection,
				 enum corosync_service service)
{
	cs_error_t error = CS_ERR_BAD_HANDLE;
	int r;

	dispatched = connection;
	switch (service) {
	case COROSYNC_CPG:
		error = cpg_dispatch(connection->handle[service], CS_DISPATCH_ONE_NONBLOCKING);
		break;
	case COROSYNC_QUORUM:
		error = quorum_dispatch(connection->handle[service], CS_DISPATCH_ONE_NONBLOCKING);
		break;
	case COROSYNC_CFG:
		error = corosync_cfg_dispatch(connection->handle[service],
					      CS_DISPATCH_ONE_NONBLOCKING);
		break;
	case COROSYNC_SERVICES:
		break;
	}
	r = errno_of_corosync(error);
	return r == 0 ? 1 : r == -EAGAIN ? 0 : r;
}

/* ---- what corosync is told ---- */

int corosync_connection_join(struct corosync_connection *connection)
{
	return errno_of_corosync(cpg_join(connection->handle[COROSYNC_CPG], &group_name));
}

int corosync_connection_multicast(struct corosync_connection *connection, const uint8_t *bytes,
				  size_t length_bytes)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length_bytes };

	return errno_of_corosync(
		cpg_mcast_joined(connection->handle[COROSYNC_CPG], CPG_TYPE_AGREED, &part, 1));
}

/* ---- opening and closing ---- */

static int not_running(cs_error_t error, char reason[GROUP_REASON_BYTES])
{
	int r = errno_of_corosync(error);

	if (r == -EACCES)
		(void)snprintf(reason, GROUP_REASON_BYTES,
			       "corosync does not let this process in: dmclogd must run as root");
	else
		(void)snprintf(
			reason, GROUP_REASON_BYTES,
			"corosync does not run on this node, or is not ready (error %d): start it "
			"(systemctl start corosync)",
			(int)error);
	return r;
}

static int open_cpg(struct corosync_connection *connection, char reason[GROUP_REASON_BYTES])
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_message,
		.cpg_confchg_fn = on_change,
		.cpg_totem_confchg_fn = on_ring,
	};
	uint32_t bytes_max = 0;
	cs_error_t error;

	error = cpg_model_initialize(&connection->handle[COROSYNC_CPG], CPG_MODEL_V1,
				     (cpg_model_data_t *)&model, connection);
	if (error != CS_OK)
		return not_running(error, reason);
	connection->open[COROSYNC_CPG] = true;
	error = cpg_fd_get(connection->handle[COROSYNC_CPG], &connection->fd[COROSYNC_CPG]);
	if (error == CS_OK)
		error = cpg_max_atomic_msgsize_get(connection->handle[COROSYNC_CPG], &bytes_max);
	if (error != CS_OK)
		return not_running(error, reason);
	connection->message_bytes_max = bytes_max;
	if (bytes_max >= MESSAGE_BYTES_MAX)
		return 0;
	(void)snprintf(reason, GROUP_REASON_BYTES,
		       "corosync takes messages of %u bytes, %u are needed", bytes_max,
		       (unsigned int)MESSAGE_BYTES_MAX);
	return -EMSGSIZE;
}

static int open_quorum(struct corosync_connection *connection, char reason[GROUP_REASON_BYTES])
{
	quorum_model_v1_data_t model = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = on_quorum,
		.nodelist_notify_fn = on_node_list,
	};
	quorum_handle_t *handle = &connection->handle[COROSYNC_QUORUM];
	uint32_t type = QUORUM_FREE;
	cs_error_t error;

	error = quorum_model_initialize(handle, QUORUM_MODEL_V1, (quorum_model_data_t *)&model,
					&type, connection);
	if (error != CS_OK)
		return not_running(error, reason);
	connection->open[COROSYNC_QUORUM] = true;
	if (type != QUORUM_SET) {
		(void)snprintf(
			reason, GROUP_REASON_BYTES,
			"corosync has no quorum: set 'quorum { provider: corosync_votequorum }' "
			"in corosync.conf on all nodes");
		return -ENOENT;
	}
	error = quorum_fd_get(*handle, &connection->fd[COROSYNC_QUORUM]);
	if (error == CS_OK)
		error = quorum_trackstart(*handle, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
	return error == CS_OK ? 0 : not_running(error, reason);
}

static int open_cfg(struct corosync_connection *connection, char reason[GROUP_REASON_BYTES])
{
	static const corosync_cfg_callbacks_t callbacks = {
		.corosync_cfg_shutdown_callback = on_shutdown,
	};
	corosync_cfg_handle_t *handle = &connection->handle[COROSYNC_CFG];
	cs_error_t error = corosync_cfg_initialize(handle, &callbacks);

	if (error != CS_OK)
		return not_running(error, reason);
	connection->open[COROSYNC_CFG] = true;
	error = corosync_cfg_fd_get(*handle, &connection->fd[COROSYNC_CFG]);
	if (error == CS_OK)
		error = corosync_cfg_trackstart(*handle, 0);
	return error == CS_OK ? 0 : not_running(error, reason);
}

int corosync_connection_open(struct corosync_connection *connection,
			     const struct corosync_events *events, void *context,
			     char reason[GROUP_REASON_BYTES])
{
	int r;

	*connection = (struct corosync_connection){ .events = events, .context = context };
	r = open_cpg(connection, reason);
	if (r == 0)
		r = open_quorum(connection, reason);
	if (r == 0)
		r = open_cfg(connection, reason);
	if (r < 0)
		corosync_connection_close(connection);
	return r;
}

void corosync_connection_close(struct corosync_connection *connection)
{
	if (connection->open[COROSYNC_CFG])
		(void)corosync_cfg_finalize(connection->handle[COROSYNC_CFG]);
	if (connection->open[COROSYNC_QUORUM])
		(void)quorum_finalize(connection->handle[COROSYNC_QUORUM]);
	if (connection->open[COROSYNC_CPG]) {
		/* Not joined, or not connected: then it does nothing. */
		(void)cpg_leave(connection->handle[COROSYNC_CPG], &group_name);
		(void)cpg_finalize(connection->handle[COROSYNC_CPG]);
	}
	memset(connection->open, 0, sizeof(connection->open));
}

/* ---- who this node is ---- */

static int take_cluster_name(const char *name, struct corosync_identity *identity,
			     char reason[GROUP_REASON_BYTES])
{
	if (name[0] == '\0' || strlen(name) >= DISK_CLUSTER_NAME_SIZE ||
	    strcmp(name, "none") == 0) {
		(void)snprintf(
			reason, GROUP_REASON_BYTES,
			"totem.cluster_name of corosync.conf is \"%.80s\": it must have 1 to %d "
			"characters and not be \"none\"",
			name, DISK_CLUSTER_NAME_SIZE - 1);
		return -EINVAL;
	}
	(void)snprintf(identity->cluster_name, sizeof(identity->cluster_name), "%s", name);
	return 0;
}

static int ask_cluster_name(struct corosync_identity *identity, char reason[GROUP_REASON_BYTES])
{
	cmap_handle_t handle;
	char *name = NULL;
	cs_error_t error = cmap_initialize(&handle);
	int r;

	if (error != CS_OK)
		return not_running(error, reason);
	error = cmap_get_string(handle, "totem.cluster_name", &name);
	(void)cmap_finalize(handle);
	if (error == CS_ERR_NOT_EXIST) {
		(void)snprintf(reason, GROUP_REASON_BYTES,
			       "the cluster has no name: set 'totem { cluster_name: ... }' in "
			       "corosync.conf on all nodes");
		return -ENOENT;
	}
	if (error != CS_OK)
		return not_running(error, reason);
	r = take_cluster_name(name, identity, reason);
	free(name);
	return r;
}

int corosync_identity_get(struct corosync_identity *ret_identity, char reason[GROUP_REASON_BYTES])
{
	struct corosync_identity identity = { 0 };
	cpg_model_v1_data_t model = { .model = CPG_MODEL_V1,
				      .cpg_deliver_fn = on_message,
				      .cpg_confchg_fn = on_change };
	cpg_handle_t handle;
	unsigned int node_id = 0;
	cs_error_t error;
	int r;

	error = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);
	if (error != CS_OK)
		return not_running(error, reason);
	error = cpg_local_get(handle, &node_id);
	(void)cpg_finalize(handle);
	if (error != CS_OK)
		return not_running(error, reason);
	identity.node_id = node_id;
	r = ask_cluster_name(&identity, reason);
	if (r < 0)
		return r;
	*ret_identity = identity;
	return 0;
}
