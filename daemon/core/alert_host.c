/*
 * The daemon and what it stands on: replies that nobody took, room on the disk, memory that may be swapped.
 */
#include "alert_look.h"

#include "archives.h"
#include "space.h"

enum {
	DAY_MS = 86400000,
	SPACE_LOW_PERCENT = 10,
	SPACE_OUT_PERCENT = 5,
	AUDIT_OVER_PERCENT = 110,
	PERCENT = 100,
	MIB = 1048576,
};

static void check_undelivered(struct alerts *alerts)
{
	const struct core *core = alerts->core;
	struct alert alert = alert_of(ALERT_UNDELIVERED, SEVERITY_NOTICE, core->undelivered_ms);

	if (core->undelivered == 0 || alerts->now_ms - core->undelivered_ms >= DAY_MS)
		return;
	alert_say(&alert,
		"%llu repl%s with secrets reached nobody since the daemon began: the process had ended "
		"before",
		(unsigned long long)core->undelivered, core->undelivered == 1 ? "y" : "ies");
	alert_advise(&alert, "coffer audit list --outcome undelivered");
	alerts_add(alerts, &alert);
}

static void check_space(struct alerts *alerts)
{
	const char *dir = alerts->core->state_dir;
	unsigned percent = 0;

	if (dir == NULL || space_free_percent(dir, &percent) != OK || percent >= SPACE_LOW_PERCENT)
		return;

	struct alert alert = alert_of(
		ALERT_STORE_SPACE, percent < SPACE_OUT_PERCENT ? SEVERITY_CRITICAL : SEVERITY_WARNING, 0);

	alert_say(&alert,
		"%u %% of the filesystem of the store are free; when it is full nothing can be recorded",
		percent);
	alert_advise(&alert, "df -h %.256s", dir);
	alerts_add(alerts, &alert);
}

/* Near its limit the log always is: at the limit a tenth of it is archived.  Over it, something keeps that from happening. */
static void check_audit(struct alerts *alerts)
{
	struct archives_state state = {0};
	struct alert alert = alert_of(ALERT_AUDIT_SPACE, SEVERITY_WARNING, 0);

	archives_look(alerts->core, &state);
	if (state.trouble != NULL)
		alert_say(&alert, "audit records could not be archived: %s", state.trouble);
	else if (state.limit_bytes > 0 && state.bytes >= state.limit_bytes / PERCENT * AUDIT_OVER_PERCENT)
		alert_say(&alert,
			"the audit log has %llu MiB, more than the %llu that [audit] max_mib allows",
			(unsigned long long)state.bytes / MIB, (unsigned long long)state.limit_bytes / MIB);
	else
		return;
	alert_advise(&alert, "coffer audit archive");
	alerts_add(alerts, &alert);
}

static void check_memory(struct alerts *alerts)
{
	struct alert alert = alert_of(ALERT_MEMORY_UNLOCKED, SEVERITY_WARNING, alerts->core->started_ms);

	if (!locked_is_swappable())
		return;
	alert_say(&alert, "memory could not be locked and [vault] allow_swap goes on without: values may "
			  "reach the swap");
	alert_advise(&alert, "systemctl edit cofferd.service   # [Service] LimitMEMLOCK=infinity");
	alerts_add(alerts, &alert);
}

enum err alerts_of_host(struct alerts *alerts)
{
	check_undelivered(alerts);
	check_space(alerts);
	check_audit(alerts);
	check_memory(alerts);
	return OK;
}
