#include "opening.h"

#include <stdio.h>
#include <string.h>

#include "handover.h"
#include "log.h"
#include "service.h"

/* Texts of log_about are gone with the next one. */
static void keep(struct opening *opening, const char *reason)
{
	char copy[OPENING_REASON_BYTES] = "";

	snprintf(copy, sizeof(copy), "%s", reason);
	memcpy(opening->reason, copy, sizeof(copy));
}

void opening_clear(struct opening *opening)
{
	keys_free(opening->keys);
	store_close(opening->store);
	opening->keys = NULL;
	opening->store = NULL;
}

/*
 * What another try may mend is left to the manager, which starts us again: another process that still has the vault, memory.
 * Whoever starts the daemon by hand is told by its end.
 */
static bool is_sealing(const struct opening *opening, enum err err)
{
	return opening->may_seal && err != ERR_BUSY && err != ERR_INTERNAL;
}

static void set_seal(struct opening *opening, const char *mend)
{
	opening->seal = (struct core_seal){.mend = mend, .reason = opening->reason};
	log_error("sealed: %s", opening->reason);
}

static enum err open_vault(struct opening *opening, const char **mend_out)
{
	struct setup_refusal refusal = {0};
	enum err err = setup_open(opening->config, &opening->store, &opening->keys, &refusal);

	if (err != OK)
		keep(opening, refusal.reason);
	*mend_out = refusal.mend;
	return err;
}

enum err opening_begin(struct opening *opening, const struct config *config)
{
	const char *mend = NULL;

	*opening =
		(struct opening){.config = config, .may_seal = service_is_managed() || handover_count() > 0};

	enum err err = open_vault(opening, &mend);

	if (!is_sealing(opening, err) || err == OK)
		return err;
	set_seal(opening, mend);
	return OK;
}

static const char unloadable[] = "it cannot be loaded; the journal says why: journalctl -u cofferd";
static const char unrecordable[] = "its start cannot be recorded; see to the disk that its store is on";

static enum err load(
	struct opening *opening, struct core_options *options, struct core **core_out, const char **mend_out)
{
	const char *state_dir = opening->config->state_dir;
	enum err err = OK;

	options->store = opening->store;
	options->keys = opening->keys;
	*mend_out = unloadable;
	err = core_new(options, core_out);
	if (err != OK) {
		keep(opening, log_about("state_dir", state_dir, "the vault cannot be loaded"));
		opening_clear(opening);
		return err;
	}
	opening->store = NULL; /* the core's */
	opening->keys = NULL;
	*mend_out = unrecordable;
	err = core_record_daemon(*core_out, "daemon.start");
	if (err == OK)
		return OK;
	keep(opening, log_about("state_dir", state_dir, "the start cannot be recorded in the audit log"));
	core_free(*core_out);
	*core_out = NULL;
	return err;
}

enum err opening_finish(struct opening *opening, struct core_options *options, struct core **core_out)
{
	if (opening->store != NULL) {
		const char *mend = NULL;
		enum err err = load(opening, options, core_out, &mend);

		if (!is_sealing(opening, err) || err == OK)
			return err;
		set_seal(opening, mend);
	}
	options->store = NULL;
	options->keys = NULL;
	options->seal = opening->seal;
	return core_new(options, core_out);
}
