/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an earlier daemon left: see predecessor.h. */
#include "predecessor.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "fd_store.h"
#include "machine.h"
#include "report.h"
#include "single.h"

static int connect_kernel(int kept, struct connector **ret_connector)
{
	int r;

	if (kept >= 0) {
		r = connector_adopt(ret_connector, kept);
		if (r == 0)
			return 0;
		report(LOG_WARNING, NULL, 0,
		       "the socket that was kept cannot be used (%s): opening another one",
		       strerror(-r));
		(void)close(kept);
		fd_store_drop();
	}
	r = connector_open(ret_connector);
	if (r < 0)
		report_news(
			NEWS_CANNOT_SERVE,
			"the kernel's netlink connector cannot be opened (%s): dmclogd needs root and the "
			"module dm-log-userspace (modprobe dm-log-userspace)",
			strerror(-r));
	return r;
}

int predecessor_connector(int kept, struct connector **ret_connector)
{
	int r = connect_kernel(kept, ret_connector);
	uint32_t buffer_bytes;
	int64_t other;

	if (r < 0)
		return r;
	other = single_other_listener(connector_port(*ret_connector));
	if (other > 0) {
		report_news(
			NEWS_CANNOT_SERVE,
			"process %lld answers dm-log-userspace requests already (cmirrord?): stop it first",
			(long long)other);
		connector_close(*ret_connector);
		*ret_connector = NULL;
		return -EBUSY;
	}
	buffer_bytes = connector_receive_buffer_bytes(*ret_connector);
	if (buffer_bytes < CONNECTOR_RECEIVE_BUFFER_BYTES)
		report(LOG_WARNING, NULL, 0, "the netlink receive buffer is only %u bytes",
		       buffer_bytes);
	return 0;
}

struct tables_file *predecessor_file(const char *directory, const uint8_t boot_id[16])
{
	struct tables_file *file = NULL;
	int r = tables_file_open(&file, directory, boot_id);

	if (r == 1)
		report(LOG_NOTICE, NULL, 0,
		       "%s/tables is of another version or boot: live mirrors go on when the kernel has told them, "
		       "and what was marked in them is not known",
		       directory);
	if (r < 0)
		report(LOG_WARNING, NULL, 0,
		       "%s/tables cannot be used (%s): a restart will take two seconds longer",
		       directory, strerror(-r));
	return file;
}

/* ---- tables ---- */

struct tables {
	struct tables_file *file;
	const struct predecessor_port *port;
	char built[CORE_TABLES_MAX]; /* by place in the file */
};

/* The kernel drops an answer to a seq that nobody waits for (cn_ulog_callback), and seq 0 was long ago. */
static void build_again(const struct predecessor_port *port, const struct table_before *table)
{
	struct request request = { .luid = table->luid,
				   .type = REQUEST_CTR,
				   .version = REQUEST_VERSION_MAX,
				   .constructor_terminated = true };

	memcpy(request.uuid, table->uuid, sizeof(request.uuid));
	memcpy(request.constructor, table->constructor, sizeof(request.constructor));
	port->request(port->context, &request);
	if (!table->resumed)
		return;
	memset(request.constructor, 0, sizeof(request.constructor));
	request.type = REQUEST_RESUME;
	request.constructor_terminated = false;
	port->request(port->context, &request);
}

static void found(void *context, const char *uuid)
{
	struct tables *tables = context;
	struct table_before table;
	uint32_t cursor = 0;

	report(LOG_NOTICE, uuid, 0, "is live: an earlier daemon served it");
	tables->port->live(tables->port->context, uuid);
	while (tables_file_next(tables->file, &cursor, &table)) {
		if (tables->built[cursor - 1] != 0 || strcmp(table.uuid, uuid) != 0)
			continue;
		tables->built[cursor - 1] = 1;
		build_again(tables->port, &table);
	}
}

int predecessor_tables(struct tables_file *file, const struct predecessor_port *port)
{
	struct tables tables = { .file = file, .port = port };
	struct table_before table;
	uint32_t cursor = 0;
	int r = machine_live_mirrors(found, &tables);

	if (r < 0 && r != -ENODEV)
		report(LOG_WARNING, NULL, 0, "live mirrors cannot be listed: %s", strerror(-r));
	while (r == 0 && tables_file_next(file, &cursor, &table))
		if (tables.built[cursor - 1] == 0)
			tables_file_forget(file, table.luid);
	return r == -ENODEV ? 0 : r;
}
