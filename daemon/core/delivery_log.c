/*
 * What the journal says of credentials that were refused: the unit's own log only tells that it could not be started.  A unit
 * that is restarted all the time says it once a minute, and at once when the reason is another.
 */
#include "handler.h"

#include <string.h>

#include "clock.h"
#include "log.h"

enum { QUIET_MS = 60 * 1000 };

static uint64_t add_text(uint64_t hash, const char *text)
{
	/* FNV-1a, the NUL included: two texts are not one. */
	for (const char *c = text;; c++) {
		hash = (hash ^ (unsigned char)*c) * 1099511628211U;
		if (*c == '\0')
			return hash;
	}
}

static uint64_t hash_of(const struct delivery *delivery, const char *reason)
{
	return add_text(add_text(add_text(14695981039346656037U, delivery->unit), delivery->name), reason);
}

/* The place of this refusal, or the one that was quiet longest. */
static struct told *find(struct core *core, uint64_t hash)
{
	struct told *oldest = &core->told[0];

	for (size_t i = 0; i < TOLD_MAX; i++) {
		struct told *told = &core->told[i];

		if (told->hash == hash)
			return told;
		if (told->last_ms < oldest->last_ms)
			oldest = told;
	}
	*oldest = (struct told){.hash = hash};
	return oldest;
}

void deliveries_log_refusal(
	struct core *core, const struct exchange *exchange, const char *integration, const char *why)
{
	const struct delivery *delivery = exchange->delivery;
	struct told *told = find(core, hash_of(delivery, why));
	int64_t now_ms = clock_monotonic_ms();

	if (told->last_ms != 0 && now_ms - told->last_ms < QUIET_MS) {
		told->unsaid++;
		return;
	}
	log_warning("%s: credential %s%s%s refused: %s", delivery->unit, delivery->name,
		integration[0] != '\0' ? " of " : "", integration, why);
	if (told->unsaid > 0)
		log_warning("%s: credential %s refused %u times more since it was said last", delivery->unit,
			delivery->name, told->unsaid);
	*told = (struct told){.hash = told->hash, .last_ms = now_ms};
}
