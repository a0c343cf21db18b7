/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmclog examine: a log device as it is.  Only reads, past the page cache, which other nodes do not know of. */
#include "tools/invocation.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "tools/corosync_conf.h"
#include "tools/examine.h"
#include "tools/log_source.h"
#include "tools/picture.h"
#include "tools/terminal.h"

#define ROWS_MAX 12
#define SVG_CELLS (128 * 96)

static int say_unreadable(const char *path, int error)
{
	const char *why = error == -ENOTBLK ? "is neither a block device nor a file" :
			  error == -EACCES || error == -EPERM ?
					      "cannot be read: run dmclog as root" :
					      NULL;

	if (why != NULL)
		(void)fprintf(stderr, "dmclog: %s %s\n", path, why);
	else
		(void)fprintf(stderr, "dmclog: %s cannot be read: %s\n", path, strerror(-error));
	return EXIT_ERROR;
}

/* ---- what this machine is ---- */

/* 32 hexadecimal digits, perhaps with dashes. */
static bool read_id(const char *path, uint8_t id[EXAMINE_ID_BYTES])
{
	FILE *file = fopen(path, "re");
	size_t digits = 0;
	int c;

	if (file == NULL)
		return false;
	while (digits < 32 && (c = fgetc(file)) != EOF) {
		const char *hex = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(hex, c);

		if (c == '-')
			continue;
		if (at == NULL)
			break;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | (at - hex));
		digits++;
	}
	(void)fclose(file);
	return digits == 32;
}

/* ---- what is told ---- */

static int draw(const struct examination *examination)
{
	const struct log_image *image = examination->image;
	struct picture_style style = {
		.width = terminal_width(),
		.unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.colours = terminal_has_colours(),
	};
	struct picture picture;

	if (image->region_count == 0)
		return 0;
	if (picture_make(image,
			 (uint64_t)ROWS_MAX * picture_row_cells(image->region_count, style.width),
			 &picture) < 0)
		return -ENOMEM;
	picture_print(&picture, &style, stdout);
	picture_free(&picture);
	return 0;
}

static int write_svg(const struct examination *examination, const char *path)
{
	const struct log_image *image = examination->image;
	struct picture picture;
	char heading[512];
	FILE *out;
	bool failed;

	if (picture_make(image, SVG_CELLS, &picture) < 0)
		return -ENOMEM;
	(void)snprintf(heading, sizeof(heading),
		       "%s: %s, %llu of %llu regions in sync, %llu held, %llu to be copied",
		       examination->path, image->origin, (unsigned long long)image->base_count,
		       (unsigned long long)image->region_count,
		       (unsigned long long)image->held_count,
		       (unsigned long long)image->copy_count);
	out = fopen(path, "we");
	if (out == NULL) {
		failed = true;
	} else {
		picture_svg(&picture, heading, out);
		failed = ferror(out) != 0;
		failed = fclose(out) != 0 || failed;
	}
	if (failed)
		(void)fprintf(stderr, "dmclog: %s cannot be written: %s\n", path, strerror(errno));
	picture_free(&picture);
	return failed ? -EIO : 0;
}

static int tell(const struct invocation *invocation, const struct examination *examination)
{
	struct json_object *answer;
	int r = 0;

	if (invocation->svg != NULL && write_svg(examination, invocation->svg) < 0)
		return -EIO;
	if (!invocation->json) {
		r = examine_show(examination);
		return r == 0 ? draw(examination) : r;
	}
	answer = examine_json(examination);
	if (answer == NULL)
		return -ENOMEM;
	(void)puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(answer);
	return 0;
}

static int exit_code_of(const struct examination *examination)
{
	switch (examination->image->verdict) {
	case IMAGE_OURS:
		return examine_is_foreign(examination) ? EXIT_FOREIGN : EXIT_OK;
	case IMAGE_KERNEL:
		return EXIT_KERNEL_LOG;
	case IMAGE_NONE:
		return EXIT_NO_LOG;
	case IMAGE_TRUNCATED:
	case IMAGE_DAMAGED:
		break;
	}
	return EXIT_DAMAGED;
}

int run_examine(struct invocation *invocation)
{
	const char *path = invocation->arguments[0];
	struct examination examination = { .path = path, .cluster = invocation->cluster };
	struct log_source source;
	struct corosync_conf conf;
	struct log_image image;
	int r = log_source_open(path, &source);

	if (r == 0)
		r = log_image_read(&source.source, &image);
	log_source_close(&source);
	if (r < 0)
		return say_unreadable(path, r);
	examination.image = &image;
	if (examination.cluster == NULL && corosync_conf_read(COROSYNC_CONF, &conf) == 0 &&
	    conf.cluster_name[0] != '\0')
		examination.cluster = conf.cluster_name;
	examination.this_machine_known =
		read_id("/etc/machine-id", examination.machine_id) &&
		read_id("/proc/sys/kernel/random/boot_id", examination.boot_id);
	r = tell(invocation, &examination);
	if (r == -ENOMEM)
		(void)fprintf(stderr, "dmclog: out of memory\n");
	r = r < 0 || fflush(stdout) != 0 ? EXIT_ERROR : exit_code_of(&examination);
	log_image_free(&image);
	return r;
}
