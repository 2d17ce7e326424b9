/*
 * Units in which children of a holder that has ended may live: at most one row per version and invocation of a unit.  It goes
 * when the invocation's cgroup is empty, or when no process in it can be such a child (auth/descent.c).
 */
#include "holders.h"

#include <stdio.h>
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

/*
 * The service manager keeps what it was given for a unit until the invocation ends, also while no process is in it: between
 * two commands, or where it remains after exit.  Processes that it leaves behind keep it longer.
 */
static bool is_kept(const struct unit_holding *unit)
{
	char invocation[PROCESS_INVOCATION_BYTES] = "";

	if (unit->given_ticks != 0 || unit->invocation[0] == '\0')
		return false;
	process_invocation(unit->unit, invocation);
	return strcmp(unit->invocation, invocation) == 0;
}

bool holder_units_check(struct unit_holding *unit)
{
	struct descent descent = {.cgroup = unit->cgroup,
		.cgroup_id = unit->cgroup_id,
		.given_ticks = unit->given_ticks,
		.is_any_parent = unit->is_any_parent};

	if (unit->state != UNIT_GONE && !is_kept(unit) && !descent_may_hold(&descent))
		unit->state = UNIT_GONE;
	return unit->state != UNIT_GONE;
}

struct unit_holding *holder_units_find(const struct core *core,
	const unsigned char integration_id[STORE_ID_BYTES], const struct held_version *version,
	uint64_t cgroup_id)
{
	struct unit_holding *unit = NULL;

	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		if (unit->cgroup_id == cgroup_id && unit->version.version == version->version &&
			strcmp(unit->version.key, version->key) == 0 &&
			memcmp(unit->integration_id, integration_id, STORE_ID_BYTES) == 0 &&
			strcmp(unit->boot, process_boot()) == 0)
			return unit;
	}
	return NULL;
}

struct unit_holding *holder_units_make(struct core *core, const unsigned char integration_id[STORE_ID_BYTES],
	const char *integration, const struct held_version *version, const struct holder_place *place)
{
	struct unit_holding *unit = calloc(1, sizeof(*unit));

	if (unit == NULL)
		return NULL;
	memcpy(unit->integration_id, integration_id, sizeof(unit->integration_id));
	snprintf(unit->integration, sizeof(unit->integration), "%s", integration);
	unit->version = *version;
	unit->boot = strdup(process_boot());
	unit->unit = strdup(place->unit);
	unit->invocation = strdup(place->invocation);
	unit->cgroup = strdup(place->cgroup);
	unit->cgroup_id = place->cgroup_id;
	if (unit->boot == NULL || unit->unit == NULL || unit->invocation == NULL || unit->cgroup == NULL) {
		holder_unit_free(unit);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&core->holders->units, unit, all);
	return unit;
}

static struct unit_holding *find(
	const struct core *core, const struct holding *holding, const struct held_version *version)
{
	return holder_units_find(core, holding->integration_id, version, holding->holder->cgroup_id);
}

static struct unit_holding *make(
	struct core *core, const struct holding *holding, const struct held_version *version)
{
	const struct holder *holder = holding->holder;
	const struct holder_place place = {
		holder->unit, holder->invocation, holder->cgroup, holder->cgroup_id};
	struct unit_holding *unit =
		holder_units_make(core, holding->integration_id, holding->integration, version, &place);

	if (unit == NULL)
		return NULL;
	unit->given_ms = holding->given_ms;
	unit->given_ticks = holding->given_ticks;
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
	if (holding->given_ticks < unit->given_ticks || unit->state == UNIT_GONE) {
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

		if (unit == NULL || unit->state == UNIT_GONE || unit->given_ticks > holding->given_ticks)
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
