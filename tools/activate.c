/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bringing mirrors up: see activate.h. */
#include "tools/activate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tools/answer.h"
#include "tools/patience.h"

static bool same_legs(const struct tab_entry *entry, const struct table_mirror *mirror)
{
	struct stat st;

	if (entry->leg_count != mirror->leg_count)
		return false;
	for (uint32_t i = 0; i < entry->leg_count; i++)
		if (stat(entry->legs[i], &st) < 0 || !S_ISBLK(st.st_mode) ||
		    st.st_rdev != makedev(mirror->legs[i].major, mirror->legs[i].minor))
			return false;
	return true;
}

enum activity activity_of(const struct tab_entry *entry, struct mirror_state *ret_state)
{
	int r = mirror_dm_look(entry->name, ret_state);

	if (r < 0)
		return r == -ENODEV ? ACTIVITY_NONE : ACTIVITY_UNKNOWN;
	if (!ret_state->mirror || !same_legs(entry, &ret_state->plan.mirror) ||
	    (entry->sectors != 0 && entry->sectors != ret_state->sectors))
		return ACTIVITY_OTHER;
	if (ret_state->plan.log == PLAN_KERNEL_DISK)
		return ACTIVITY_DETACHED;
	return strcmp(ret_state->plan.mirror.uuid, entry->uuid) == 0 ? ACTIVITY_ACTIVE :
								       ACTIVITY_OTHER;
}

/* ---- the daemon ---- */

struct group {
	char cluster[64];
	bool active;
};

static int ask_group(struct invocation *invocation, struct group *ret_group)
{
	const struct json_object *group;
	struct json_object *answer;
	int r = client_ask(&invocation->client, client_request("status"), &answer);

	if (r != EXIT_OK)
		return r;
	r = client_verdict(answer);
	group = answer_get(answer, "group");
	(void)snprintf(ret_group->cluster, sizeof(ret_group->cluster), "%s",
		       answer_text(group, "cluster"));
	ret_group->active = answer_flag(group, "active");
	json_object_put(answer);
	return r;
}

static int create(const struct tab_entry *entry, const struct mirror_plan *plan,
		  const struct group *group)
{
	struct patience patience;
	char text[400];
	int r;

	(void)snprintf(text, sizeof(text), "%s waits%s: dmclog status %s tells for whom",
		       entry->name, group->active ? "" : " for the group (quorum?)", entry->uuid);
	patience_begin(&patience, text);
	r = mirror_dm_create(entry->name, plan);
	patience_end(&patience);
	if (r == 0)
		return EXIT_OK;
	(void)fprintf(stderr,
		      "dmclog: %s cannot be made: %s; journalctl -u dmclogd and dmesg tell more\n",
		      entry->name,
		      r == -EBUSY ?
			      "a device of this name, or its devices, are in use" :
		      r == -ENODEV || r == -EINVAL ?
			      "the kernel refuses its table (is dm-log-userspace there? modprobe "
			      "dm-log-userspace)" :
			      strerror(-r));
	return EXIT_ERROR;
}

int activate(struct invocation *invocation, const struct tab_entry *entry, bool first_time)
{
	struct mirror_state state;
	struct mirror_plan plan;
	struct group group;
	int r;

	switch (activity_of(entry, &state)) {
	case ACTIVITY_ACTIVE:
		return EXIT_OK;
	case ACTIVITY_DETACHED:
		(void)fprintf(stderr,
			      "dmclog: %s is active with the kernel's log: dmclog attach %s\n",
			      entry->name, entry->name);
		return EXIT_ERROR;
	case ACTIVITY_OTHER:
		(void)fprintf(
			stderr,
			"dmclog: %s is another device than this entry says: dmsetup table %s\n",
			entry->name, entry->name);
		return EXIT_ERROR;
	case ACTIVITY_UNKNOWN:
		(void)fprintf(stderr,
			      "dmclog: device-mapper does not answer: run dmclog as root, modprobe "
			      "dm-mod\n");
		return EXIT_ERROR;
	case ACTIVITY_NONE:
		break;
	}
	r = ask_group(invocation, &group);
	if (r != EXIT_OK)
		return r;
	if (plan_make(entry, first_time && !invocation->force ? group.cluster : NULL, &plan) < 0)
		return EXIT_ERROR;
	return create(entry, &plan, &group);
}

int activate_find(const struct invocation *invocation, const char *name,
		  struct tab_entry *ret_entry)
{
	const struct tab_entry *entry;
	struct tab tab;
	int r = tab_read(invocation->tab, &tab);

	entry = tab_find(&tab, name);
	if (entry != NULL)
		*ret_entry = *entry;
	else if (r == 0)
		(void)fprintf(stderr, "dmclog: %s has no entry %s: dmclog list, dmclog create\n",
			      invocation->tab, name);
	tab_free(&tab);
	return entry != NULL ? EXIT_OK : EXIT_ERROR;
}
