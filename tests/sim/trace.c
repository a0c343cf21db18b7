/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace: a hash over everything that happens, and with --trace a readable line for each.
 * The same seed gives the same hash and the same lines.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "sim.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return ((hash ^ value) * UINT64_C(0x9e3779b97f4a7c15)) ^ (hash >> 29);
}

void note(struct sim *sim, const char *what, uint64_t a, uint64_t b)
{
	uint64_t hash = sim->hash;

	for (const char *c = what; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	hash = mix(hash, a);
	hash = mix(hash, b);
	sim->hash = mix(hash, sim->now_ms);
}

void note_text(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	printf("%7" PRIu64 " %9" PRIu64 " ms  ", sim->event, sim->now_ms);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void violate(struct sim *sim, const char *oracle, const char *format, ...)
{
	va_list arguments;

	if (sim->failed)
		return;
	sim->failed = true;
	sim->oracle = oracle;
	va_start(arguments, format);
	vsnprintf(sim->message, sizeof(sim->message), format, arguments);
	va_end(arguments);
	NOTE(sim, "violation", 0, 0, "VIOLATION of oracle %s: %s", oracle, sim->message);
}
