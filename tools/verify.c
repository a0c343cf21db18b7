/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing the legs of a mirror in use: see verify.h. */
#include "tools/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512
#define ALIGN_BYTES 4096
/* Looked at again together. */
#define SUSPECTS_MAX 256

struct suspect {
	uint64_t region;
	uint64_t sum; /* of all bytes of all legs at the first look */
	bool busy;
};

struct verifier {
	const struct verify_port *port;
	uint64_t mirror_bytes, region_bytes;
	uint32_t leg_count;
	uint8_t *first, *other; /* a piece each */
	uint32_t suspect_count;
	struct suspect suspects[SUSPECTS_MAX];
	struct verify_result result;
};

/* What a look at a region finds. */
struct look {
	bool equal;
	uint32_t leg; /* the first that differs */
	uint64_t offset_bytes;
	uint64_t sum;
};

/* FNV-1a, eight bytes at a time: it tells changes, not forgeries. */
static uint64_t sum_of(uint64_t sum, const uint8_t *bytes, uint64_t length_bytes)
{
	for (uint64_t i = 0; i + 8 <= length_bytes; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x100000001b3);
		sum ^= sum >> 29;
	}
	return sum;
}

static uint64_t first_difference(const uint8_t *one, const uint8_t *other)
{
	uint64_t i = 0;

	while (one[i] == other[i])
		i++;
	return i;
}

static int look_at_piece(struct verifier *verifier, uint64_t offset_bytes, uint64_t length_bytes,
			 struct look *look)
{
	const struct verify_port *port = verifier->port;
	int r = port->read_leg(port->context, 0, offset_bytes, verifier->first, length_bytes);

	if (r < 0)
		return r;
	look->sum = sum_of(look->sum, verifier->first, length_bytes);
	for (uint32_t leg = 1; leg < verifier->leg_count; leg++) {
		r = port->read_leg(port->context, leg, offset_bytes, verifier->other, length_bytes);
		if (r < 0)
			return r;
		look->sum = sum_of(look->sum, verifier->other, length_bytes);
		if (!look->equal || memcmp(verifier->first, verifier->other, length_bytes) == 0)
			continue;
		look->equal = false;
		look->leg = leg;
		look->offset_bytes =
			offset_bytes + first_difference(verifier->first, verifier->other);
	}
	return 0;
}

static int look_at(struct verifier *verifier, uint64_t region, struct look *ret_look)
{
	uint64_t at = region * verifier->region_bytes, end = at + verifier->region_bytes;
	struct look look = { .equal = true };
	int r = 0;

	if (end > verifier->mirror_bytes)
		end = verifier->mirror_bytes;
	for (; at < end && r == 0; at += VERIFY_PIECE_BYTES)
		r = look_at_piece(verifier, at,
				  end - at < VERIFY_PIECE_BYTES ? end - at : VERIFY_PIECE_BYTES,
				  &look);
	*ret_look = look;
	return r;
}

/* ---- suspects ---- */

/* What the log does not call clean now was written or copied, and may be again. */
static int mark_busy(struct verifier *verifier)
{
	const struct verify_port *port = verifier->port;
	struct log_image image;
	int r = port->read_log(port->context, &image);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < verifier->suspect_count; i++) {
		struct suspect *suspect = &verifier->suspects[i];

		suspect->busy = suspect->busy || image.moving ||
				suspect->region >= image.region_count ||
				log_image_region(&image, suspect->region) != REGION_CLEAN;
	}
	log_image_free(&image);
	return 0;
}

/* A look at all suspects, between two readings of the log. */
static int look_again(struct verifier *verifier, struct look looks[SUSPECTS_MAX])
{
	int r = mark_busy(verifier);

	for (uint32_t i = 0; i < verifier->suspect_count && r == 0; i++)
		if (!verifier->suspects[i].busy)
			r = look_at(verifier, verifier->suspects[i].region, &looks[i]);
	return r == 0 ? mark_busy(verifier) : r;
}

static void judge(struct verifier *verifier, const struct suspect *suspect, const struct look *look)
{
	const struct verify_port *port = verifier->port;

	if (suspect->busy || (!look->equal && look->sum != suspect->sum)) {
		verifier->result.busy++;
	} else if (!look->equal) {
		verifier->result.differing++;
		port->differs(port->context, suspect->region, look->leg, look->offset_bytes);
	}
}

static int judge_suspects(struct verifier *verifier)
{
	static struct look looks[SUSPECTS_MAX];
	int r;

	if (verifier->suspect_count == 0)
		return 0;
	r = look_again(verifier, looks);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < verifier->suspect_count; i++)
		verifier->suspects[i].sum = looks[i].sum;
	verifier->port->pause(verifier->port->context, VERIFY_PAUSE_MS);
	r = look_again(verifier, looks);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < verifier->suspect_count; i++)
		judge(verifier, &verifier->suspects[i], &looks[i]);
	verifier->suspect_count = 0;
	return 0;
}

/* ---- all regions ---- */

static int verify_regions(struct verifier *verifier)
{
	const struct verify_port *port = verifier->port;
	struct look look;
	int r = 0;

	for (uint64_t region = 0; region < verifier->result.regions && r == 0; region++) {
		r = port->progress(port->context, region);
		if (r == 0)
			r = look_at(verifier, region, &look);
		if (r < 0 || look.equal)
			continue;
		verifier->suspects[verifier->suspect_count++] =
			(struct suspect){ .region = region };
		if (verifier->suspect_count == SUSPECTS_MAX)
			r = judge_suspects(verifier);
	}
	return r == 0 ? judge_suspects(verifier) : r;
}

int verify(const struct verify_port *port, uint64_t sectors, uint64_t region_sectors,
	   uint32_t leg_count, struct verify_result *ret_result)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	int r = -ENOMEM;

	if (verifier == NULL)
		return r;
	verifier->port = port;
	verifier->mirror_bytes = sectors * SECTOR_BYTES;
	verifier->region_bytes = region_sectors * SECTOR_BYTES;
	verifier->leg_count = leg_count;
	verifier->result.regions = (sectors - 1) / region_sectors + 1;
	verifier->first = aligned_alloc(ALIGN_BYTES, VERIFY_PIECE_BYTES);
	verifier->other = aligned_alloc(ALIGN_BYTES, VERIFY_PIECE_BYTES);
	if (verifier->first != NULL && verifier->other != NULL)
		r = verify_regions(verifier);
	*ret_result = verifier->result;
	free(verifier->first);
	free(verifier->other);
	free(verifier);
	return r;
}
