/*
 * Who wants to hear of changes of an integration, and what they have not been told yet.  Events carry names, numbers and
 * states; never a value.
 */
#ifndef COFFER_CORE_WATCHES_H
#define COFFER_CORE_WATCHES_H

#include "handler.h"

struct watches;

enum err watches_new(struct watches **out);
void watches_free(struct watches *watches); /* NULL is fine; the subscribers must be gone */

/* The key of record.key has this version in this state now: told when the turn is durable. */
enum err watches_note(
	struct call *call, const struct integration *integration, uint64_t version, enum version_state state);

/* Who may hear of this integration has changed: watchers without the right end when the turn is durable. */
enum err watches_recheck(struct call *call, const unsigned char integration_id[STORE_ID_BYTES]);

size_t watches_mark(const struct core *core);
void watches_take_back(struct core *core, size_t mark); /* what was noted after the mark never was */
void watches_settle(struct core *core, bool is_durable); /* wakes who has something to hear */

#endif
