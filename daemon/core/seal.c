/*
 * A vault that serves nothing: everybody is told the way out, those with a role also why.  There is no audit log then, so
 * refusals go to the journal, and no caller can flood it: a few a window, the others as a number.
 */
#include "handler.h"

#include <inttypes.h>

#include "clock.h"
#include "log.h"

enum { SHOWN_MAX = 10, WINDOW_MS = 60 * 1000 };

enum err seal_refuse(struct call *call)
{
	return call_refuse(call, ERR_SEALED, "the vault is sealed", call->core->seal.mend);
}

void seal_log_refusal(struct call *call, enum err refused)
{
	struct core *core = call->core;
	int64_t now_ms = clock_monotonic_ms();

	if (call->exchange->delivery != NULL)
		return; /* the delivery log says it, by unit */
	if (core->seal_log.since_ms == 0)
		core->seal_log.since_ms = now_ms;
	if (core->seal_log.shown == SHOWN_MAX) {
		core->seal_log.hidden++;
		return;
	}
	core->seal_log.shown++;
	log_notice("refused uid %u: %s: %s", call->who->uid, call->record.kind, err_word(refused));
}

void seal_tick(struct core *core, bool shutting_down)
{
	int64_t now_ms = clock_monotonic_ms();

	if (core->seal_log.since_ms == 0 || (!shutting_down && now_ms - core->seal_log.since_ms < WINDOW_MS))
		return;
	if (core->seal_log.hidden > 0)
		log_notice("refused %" PRIu64 " requests more within a minute", core->seal_log.hidden);
	core->seal_log.since_ms = 0;
	core->seal_log.shown = 0;
	core->seal_log.hidden = 0;
}
