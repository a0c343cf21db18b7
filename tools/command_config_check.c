/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmclog config-check: what a mirror with a clustered log needs on this node, and what of it is missing.
 *
 * A finding is a line: ok; warn, it works and something may be missed; FAIL, it does not work; below the last two what is to be done.
 */
#include "tools/invocation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "core.h"
#include "tools/activate.h"
#include "tools/answer.h"
#include "tools/corosync_conf.h"
#include "tools/terminal.h"

#define PATH_BYTES 512

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

struct config {
	const char *root;   /* before all paths: "" is this node */
	char options[1024]; /* of dmclogd */
	bool single;
	unsigned int failures;
};

/* `advice` is NULL for what is well. */
__attribute__((format(printf, 4, 5))) static void find(struct config *config, enum level level,
						       const char *advice, const char *format, ...)
{
	static const char *const words[] = { "ok  ", "warn", "FAIL" };
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
	bool coloured = terminal_has_colours();
	va_list arguments;

	config->failures += level == LEVEL_FAIL;
	printf("%s%s%s  ", coloured ? colours[level] : "", words[level], coloured ? "\033[0m" : "");
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	if (advice != NULL)
		printf("        %s\n", advice);
}

/* ---- files below the root ---- */

static const char *path_of(const struct config *config, const char *path)
{
	static char whole[PATH_BYTES];

	(void)snprintf(whole, sizeof(whole), "%s%s", config->root, path);
	return whole;
}

static bool is_there(const struct config *config, const char *path)
{
	struct stat st;

	return stat(path_of(config, path), &st) == 0;
}

/* Does a line of the file have this text?  The first one goes to ret_line, if that is not NULL, without its newline. */
static bool file_has(const struct config *config, const char *path, const char *text,
		     char *ret_line, size_t line_bytes)
{
	FILE *file = fopen(path_of(config, path), "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && getline(&line, &room, file) >= 0) {
		found = strstr(line, text) != NULL && line[strspn(line, " \t")] != '#';
		if (found && ret_line != NULL)
			(void)snprintf(ret_line, line_bytes, "%.*s", (int)strcspn(line, "\n"),
				       line);
	}
	free(line);
	(void)fclose(file);
	return found;
}

/* ---- what is looked at ---- */

/* Loaded, built in, or to be loaded. */
static void check_module(struct config *config, const char *name, const char *file)
{
	char release[128] = "", path[PATH_BYTES], text[64];

	(void)snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (is_there(config, path)) {
		find(config, LEVEL_OK, NULL, "kernel: %s is loaded", file);
		return;
	}
	(void)file_has(config, "/proc/sys/kernel/osrelease", "", release, sizeof(release));
	(void)snprintf(text, sizeof(text), "/%s.ko", file);
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	if (file_has(config, path, text, NULL, 0)) {
		find(config, LEVEL_OK, NULL, "kernel: %s is there", file);
		return;
	}
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", release);
	if (file_has(config, path, text, NULL, 0))
		find(config, LEVEL_OK, NULL, "kernel: %s is built in", file);
	else
		find(config, LEVEL_FAIL,
		     "install the modules that the distribution keeps apart (linux-modules-extra, "
		     "kernel-modules-extra), or its full kernel",
		     "kernel %s: no module %s", release, file);
}

static void check_machine(struct config *config)
{
	char line[64] = "";

	(void)file_has(config, "/etc/machine-id", "", line, sizeof(line));
	if (strlen(line) == 32 && strspn(line, "0123456789abcdef") == 32)
		find(config, LEVEL_OK, NULL, "machine: it has an id");
	else
		find(config, LEVEL_FAIL,
		     "systemd-machine-id-setup makes one; each node needs its own",
		     "machine: /etc/machine-id has no id");
	if (is_there(config, "/run/cmirrord.pid"))
		find(config, LEVEL_FAIL, "systemctl disable --now lvm2-cmirrord",
		     "machine: cmirrord runs, and would answer the kernel too");
}

static void check_nodes(struct config *config, const struct corosync_conf *conf)
{
	if (conf->nodes == 0 || conf->nodes_without_id > 0)
		find(config, LEVEL_FAIL,
		     "each node { } of the nodelist { } needs a nodeid: of its own",
		     "corosync: %u nodes, %u of them without an id", conf->nodes,
		     conf->nodes_without_id);
	else if (conf->nodes > CORE_NODES_MAX)
		find(config, LEVEL_FAIL, "fewer nodes",
		     "corosync: %u nodes; dmclogd knows %d at most", conf->nodes, CORE_NODES_MAX);
	else
		find(config, LEVEL_OK, NULL, "corosync: %u nodes", conf->nodes);
	if (conf->two_node)
		find(config, LEVEL_WARN,
		     "fencing must decide such a split, before the halves meet again",
		     "corosync: two_node: after a split each half goes on by itself");
}

static void check_corosync(struct config *config)
{
	struct corosync_conf conf;

	if (corosync_conf_read(path_of(config, COROSYNC_CONF), &conf) < 0) {
		if (!config->single)
			find(config, LEVEL_FAIL,
			     "write one, corosync.conf(5); a node that shares its disks with no "
			     "other needs DMCLOGD_OPTIONS=\"--cluster=none\" in "
			     "/etc/default/dmclogd",
			     "corosync: no " COROSYNC_CONF);
		return;
	}
	if (config->single) {
		find(config, LEVEL_WARN,
		     "take --cluster=none out of /etc/default/dmclogd, if this is a node of that "
		     "cluster: two such nodes on one log device spoil its mirrors",
		     "corosync: there is a " COROSYNC_CONF ", and --cluster=none");
		return;
	}
	if (conf.cluster_name[0] != '\0')
		find(config, LEVEL_OK, NULL, "corosync: cluster %s", conf.cluster_name);
	else
		find(config, LEVEL_FAIL, "totem { cluster_name: NAME }, the same on all nodes",
		     "corosync: the cluster has no name, or one with more than %d characters",
		     DISK_CLUSTER_NAME_SIZE - 1);
	if (conf.votequorum)
		find(config, LEVEL_OK, NULL, "corosync: quorum by votes");
	else
		find(config, LEVEL_FAIL, "quorum { provider: corosync_votequorum }",
		     "corosync: no quorum");
	check_nodes(config, &conf);
}

/* Who tells dmclogd that a node is off? */
static void check_fencing(struct config *config)
{
	static const char cib[] = "/var/lib/pacemaker/cib/cib.xml";

	if (config->single)
		return;
	if (file_has(config, cib, "name=\"stonith-enabled\" value=\"false\"", NULL, 0))
		find(config, LEVEL_FAIL,
		     "pcs property set stonith-enabled=true, and devices for it",
		     "fencing: Pacemaker's is off");
	if (file_has(config, cib, "dmclog-fence-alert", NULL, 0))
		find(config, LEVEL_OK, NULL, "fencing: Pacemaker's alert tells dmclogd");
	else if (strstr(config->options, "--takeover-delay=") != NULL)
		find(config, LEVEL_WARN,
		     "right only where each node stops itself sooner, by a watchdog of the machine",
		     "fencing: by time alone (--takeover-delay)");
	else
		find(config, LEVEL_WARN,
		     "install the alert of dmclog(8), FENCING, or say 'dmclog fenced NODE' by hand each "
		     "time",
		     "fencing: nobody tells dmclogd which nodes are off, and what those held waits");
}

static void check_tab(struct config *config, const char *path)
{
	struct mirror_state state;
	struct stat st;
	struct tab tab;

	(void)fflush(stdout);
	if (tab_read(path_of(config, path), &tab) < 0)
		find(config, LEVEL_FAIL, "see dmclogtab(5); the lines are told above",
		     "mirrors: %s has wrong lines", path);
	else
		find(config, LEVEL_OK, NULL, "mirrors: %zu in %s", tab.count, path);
	for (size_t i = 0; i < tab.count && config->root[0] == '\0'; i++) {
		const struct tab_entry *entry = &tab.entries[i];

		if (activity_of(entry, &state) == ACTIVITY_OTHER)
			find(config, LEVEL_FAIL, "dmsetup table shows what it is",
			     "mirrors: %s is another device", entry->name);
		for (uint32_t leg = 0; leg <= entry->leg_count; leg++) {
			const char *device = leg == 0 ? entry->log : entry->legs[leg - 1];

			if (device[0] != '\0' && (stat(device, &st) < 0 || !S_ISBLK(st.st_mode)))
				find(config, LEVEL_FAIL, "is the storage connected?",
				     "mirrors: %s: %s is no block device", entry->name, device);
		}
	}
	tab_free(&tab);
}

static void check_daemon(struct config *config, struct invocation *invocation)
{
	struct json_object *answer = NULL;
	const struct json_object *group;
	const char *version;

	if (client_reopen(&invocation->client, invocation->control_socket) != EXIT_OK ||
	    client_ask(&invocation->client, client_request("status"), &answer) != EXIT_OK) {
		find(config, LEVEL_FAIL, "systemctl enable --now dmclogd; run dmclog as root",
		     "dmclogd: it is not reached");
		return;
	}
	version = answer_text(answer_get(answer, "daemon"), "version");
	group = answer_get(answer, "group");
	if (strcmp(version, PACKAGE_VERSION) != 0)
		find(config, LEVEL_WARN, "systemctl restart dmclogd, also under mirrors in use",
		     "dmclogd: version %s runs, " PACKAGE_VERSION " is installed", version);
	if (answer_flag(group, "active"))
		find(config, LEVEL_OK, NULL, "dmclogd: it serves, cluster %s",
		     answer_text(group, "cluster"));
	else
		find(config, LEVEL_FAIL, "dmclog status and corosync-quorumtool tell more",
		     "dmclogd: it runs, and its mirrors wait for the group or for quorum");
	json_object_put(answer);
}

int run_config_check(struct invocation *invocation)
{
	struct config config = { .root = invocation->root != NULL ? invocation->root : "" };

	(void)file_has(&config, "/etc/default/dmclogd", "DMCLOGD_OPTIONS", config.options,
		       sizeof(config.options));
	config.single = strstr(config.options, "--cluster=none") != NULL;
	check_module(&config, "dm_mirror", "dm-mirror");
	check_module(&config, "dm_log_userspace", "dm-log-userspace");
	check_machine(&config);
	check_corosync(&config);
	check_fencing(&config);
	check_tab(&config, invocation->tab);
	if (invocation->root == NULL)
		check_daemon(&config, invocation);
	if (fflush(stdout) != 0 || config.failures > 0)
		return EXIT_ERROR;
	return EXIT_OK;
}
