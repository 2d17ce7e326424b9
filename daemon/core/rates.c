/*
 * Fixed windows of a minute per integration.  The table never grows: an integration that finds no slot
 * takes over the one whose window is oldest, so a full table forgives and never refuses wrongly.
 */
#include "rates.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW_MS = 60000, PROBES_MAX = 8, NEAR_PERCENT = 80, NEAR_KEPT_MS = 3600000 };

struct slot {
	unsigned char id[16];
	int64_t since_ms;
	int64_t count;
	struct rates_near near; /* last_ms 0: it never was */
};

struct rates {
	size_t mask;
	struct slot slots[];
};

enum err rates_new(size_t count, struct rates **out)
{
	size_t slots = 64;

	while (slots < count * 2)
		slots *= 2;

	struct rates *rates = calloc(1, sizeof(*rates) + slots * sizeof(rates->slots[0]));

	if (rates == NULL)
		return ERR_INTERNAL;
	rates->mask = slots - 1;
	*out = rates;
	return OK;
}

void rates_free(struct rates *rates)
{
	free(rates);
}

/* An hour without one, and it begins anew. */
static void note_near(struct slot *slot, int64_t per_minute, int64_t now_ms)
{
	struct rates_near *near = &slot->near;

	if (slot->count * 100 < per_minute * NEAR_PERCENT)
		return;
	if (near->last_ms == 0 || now_ms - near->last_ms > NEAR_KEPT_MS || now_ms < near->since_ms)
		*near = (struct rates_near){.since_ms = now_ms};
	near->last_ms = now_ms;
	near->per_minute = per_minute;
	if (slot->count > near->peak)
		near->peak = slot->count;
}

bool rates_near(const struct rates *rates, const unsigned char id[16], int64_t now_ms, struct rates_near *out)
{
	uint64_t hash = 0;

	memcpy(&hash, id, sizeof(hash));
	for (size_t i = 0; i < PROBES_MAX; i++) {
		const struct slot *slot = &rates->slots[(hash + i) & rates->mask];

		if (memcmp(slot->id, id, sizeof(slot->id)) != 0)
			continue;
		*out = slot->near;
		return slot->near.last_ms != 0 && now_ms - slot->near.last_ms <= NEAR_KEPT_MS;
	}
	return false;
}

/* The slot of id, or the stalest one on its way. */
static struct slot *find_slot(struct rates *rates, const unsigned char id[16])
{
	uint64_t hash = 0;
	struct slot *stalest = NULL;

	memcpy(&hash, id, sizeof(hash));
	for (size_t i = 0; i < PROBES_MAX; i++) {
		struct slot *slot = &rates->slots[(hash + i) & rates->mask];

		if (memcmp(slot->id, id, sizeof(slot->id)) == 0)
			return slot;
		if (stalest == NULL || slot->since_ms < stalest->since_ms)
			stalest = slot;
	}
	*stalest = (struct slot){0};
	memcpy(stalest->id, id, sizeof(stalest->id));
	return stalest;
}

bool rates_count(struct rates *rates, const unsigned char id[16], int64_t per_minute, int64_t now_ms,
	int64_t *retry_ms_out)
{
	struct slot *slot = find_slot(rates, id);
	int64_t age_ms = now_ms - slot->since_ms;

	if (slot->count == 0 || age_ms < 0 || age_ms >= WINDOW_MS) {
		slot->since_ms = now_ms;
		slot->count = 0;
		age_ms = 0;
	}
	if (slot->count >= per_minute) {
		*retry_ms_out = WINDOW_MS - age_ms;
		return false;
	}
	slot->count++;
	note_near(slot, per_minute, now_ms);
	return true;
}
