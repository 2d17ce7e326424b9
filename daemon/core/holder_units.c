/*
 * Units in which children of a holder that has ended may live: at most one row per version and invocation of a unit.  It goes
 * when the invocation's cgroup is empty, or when no process in it can be such a child (auth/descent.c).
 */
#include "holders.h"

#include <stdlib.h>
#include <string.h>

#include "descent.h"
#include "log.h"

enum { CHECKS_PER_TICK = 64 };

void holder_unit_free(struct unit_holding *unit)
{
	free(unit->boot);
	free(unit->unit);
	free(unit->invocation);
	free(unit->cgroup);
	free(unit);
}

bool holder_units_check(struct unit_holding *unit)
{
	struct descent descent = {.cgroup = unit->cgroup,
		.cgroup_id = unit->cgroup_id,
		.given_ticks = unit->given_ticks,
		.is_any_parent = unit->is_any_parent};

	if (unit->state != UNIT_GONE && !descent_may_hold(&descent))
		unit->state = UNIT_GONE;
	return unit->state != UNIT_GONE;
}

static struct unit_holding *find(
	const struct core *core, const struct holding *holding, const struct held_version *version)
{
	struct unit_holding *unit = NULL;

	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		if (unit->state != UNIT_GONE && unit->cgroup_id == holding->holder->cgroup_id &&
			unit->version.version == version->version &&
			strcmp(unit->version.key, version->key) == 0 &&
			memcmp(unit->integration_id, holding->integration_id, STORE_ID_BYTES) == 0)
			return unit;
	}
	return NULL;
}

static struct unit_holding *make(
	struct core *core, const struct holding *holding, const struct held_version *version)
{
	const struct holder *holder = holding->holder;
	struct unit_holding *unit = calloc(1, sizeof(*unit));

	if (unit == NULL)
		return NULL;
	memcpy(unit->integration_id, holding->integration_id, sizeof(unit->integration_id));
	memcpy(unit->integration, holding->integration, sizeof(unit->integration));
	unit->version = *version;
	unit->boot = strdup(process_boot());
	unit->unit = strdup(holder->unit);
	unit->invocation = strdup(holder->invocation);
	unit->cgroup = strdup(holder->cgroup);
	unit->cgroup_id = holder->cgroup_id;
	unit->given_ms = holding->given_ms;
	unit->given_ticks = holding->given_ticks;
	if (unit->boot == NULL || unit->unit == NULL || unit->invocation == NULL || unit->cgroup == NULL) {
		holder_unit_free(unit);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&core->holders->units, unit, all);
	return unit;
}

/* An earlier delivery stays the one that counts: its children are older. */
static void add(struct core *core, const struct holding *holding, const struct held_version *version,
	bool is_any_parent)
{
	struct unit_holding *unit = find(core, holding, version);

	if (unit == NULL)
		unit = make(core, holding, version);
	if (unit == NULL) {
		log_error("out of memory: children in %s may hold a version and are not remembered",
			holding->holder->unit);
		return;
	}
	if (holding->given_ticks < unit->given_ticks) {
		unit->given_ticks = holding->given_ticks;
		unit->given_ms = holding->given_ms;
		unit->state = UNIT_NEW;
	}
	if (is_any_parent && !unit->is_any_parent) {
		unit->is_any_parent = true;
		unit->state = UNIT_NEW;
	}
}

/* The unit is looked after already, from an earlier delivery on: no need to look again. */
static bool is_known(const struct core *core, const struct holding *holding)
{
	for (size_t i = 0; i < holding->version_count; i++) {
		const struct unit_holding *unit = find(core, holding, &holding->versions[i]);

		if (unit == NULL || unit->given_ticks > holding->given_ticks)
			return false;
	}
	return true;
}

void holder_units_leave(struct core *core, const struct holding *holding, bool is_alive)
{
	const struct holder *holder = holding->holder;
	struct descent descent = {.cgroup = holder->cgroup,
		.cgroup_id = holder->cgroup_id,
		.given_ticks = holding->given_ticks,
		.but_pid = is_alive ? holder->pid : 0};

	if (holder->cgroup[0] == '\0' || (!is_alive && is_known(core, holding)))
		return;

	/* Children of one that lives have an old parent in the unit, its orphans do not. */
	bool has_children = is_alive && descent_has_children(&descent, holder->pid);

	if (!has_children && !descent_may_hold(&descent))
		return;
	for (size_t i = 0; i < holding->version_count; i++)
		add(core, holding, &holding->versions[i], has_children);
}

/* In turn, so that a tick does not grow with the number of units. */
void holder_units_tick(struct core *core)
{
	struct unit_list *units = &core->holders->units;

	for (int i = 0; i < CHECKS_PER_TICK && !TAILQ_EMPTY(units); i++) {
		struct unit_holding *unit = TAILQ_FIRST(units);

		(void)holder_units_check(unit);
		TAILQ_REMOVE(units, unit, all);
		TAILQ_INSERT_TAIL(units, unit, all);
	}
}
