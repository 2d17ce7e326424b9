/*
 * Asking who may hold what: holdings and units that match, each once or all in order.
 */
#include "holders.h"

#include <stdlib.h>
#include <string.h>

static bool matches(const struct holder_filter *filter, const unsigned char *integration_id,
	const struct held_version *version)
{
	return (filter->integration_id == NULL ||
		       memcmp(filter->integration_id, integration_id, STORE_ID_BYTES) == 0) &&
	       (filter->key == NULL || strcmp(filter->key, version->key) == 0) &&
	       (filter->version == 0 || filter->version == version->version);
}

static enum err visit_holding(
	const struct holding *holding, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	enum err err = OK;

	for (size_t i = 0; err == OK && holding->runs != 0 && i < holding->version_count; i++) {
		struct holder_view view = {.integration = holding->integration,
			.version = &holding->versions[i],
			.holding = holding};

		if (matches(filter, holding->integration_id, view.version))
			err = fn(arg, &view);
	}
	return err;
}

/* Children of ended holders are no holders to everybody; a unit that was given it is. */
static bool is_asked(const struct holder_filter *filter, const struct unit_holding *unit)
{
	return !filter->is_processes_only || unit->given_ticks == 0;
}

static enum err visit_units(struct core *core, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	struct unit_holding *unit = NULL;
	enum err err = OK;

	TAILQ_FOREACH(unit, &core->holders->units, all)
	{
		struct holder_view view = {
			.integration = unit->integration, .version = &unit->version, .unit = unit};

		if (err == OK && unit->state != UNIT_GONE && is_asked(filter, unit) &&
			matches(filter, unit->integration_id, &unit->version) && holder_units_check(unit))
			err = fn(arg, &view);
	}
	return err;
}

enum err holders_each(struct core *core, const struct holder_filter *filter, holder_fn *fn, void *arg)
{
	struct holders *holders = core->holders;
	struct holder *holder = NULL;
	struct holding *holding = NULL;
	enum err err = OK;

	holders_poll(core);
	for (size_t i = 0; i < sizeof(holders->buckets) / sizeof(holders->buckets[0]); i++)
		LIST_FOREACH(holder, &holders->buckets[i], by_pid)
		{
			TAILQ_FOREACH(holding, &holder->holdings, of_holder)
			{
				if (err == OK)
					err = visit_holding(holding, filter, fn, arg);
			}
		}
	return err == OK ? visit_units(core, filter, fn, arg) : err;
}

struct counting {
	const struct holder *last; /* the holdings of a process come one after the other */
	size_t count;
};

static enum err on_counted(void *arg, const struct holder_view *view)
{
	struct counting *counting = arg;
	const struct holder *holder = view->holding != NULL ? view->holding->holder : NULL;

	if (holder == NULL || holder != counting->last)
		counting->count++;
	counting->last = holder;
	return OK;
}

size_t holders_count(struct core *core, const struct holder_filter *filter)
{
	struct counting counting = {0};

	(void)holders_each(core, filter, on_counted, &counting);
	return counting.count;
}

struct collecting {
	struct holder_view *views;
	size_t count;
	size_t cap;
};

static enum err on_collected(void *arg, const struct holder_view *view)
{
	struct collecting *collecting = arg;

	if (collecting->count == collecting->cap) {
		size_t cap = collecting->cap == 0 ? 64 : 2 * collecting->cap;
		struct holder_view *views = reallocarray(collecting->views, cap, sizeof(*views));

		if (views == NULL)
			return ERR_INTERNAL;
		collecting->views = views;
		collecting->cap = cap;
	}
	collecting->views[collecting->count++] = *view;
	return OK;
}

static int64_t since_of(const struct holder_view *view)
{
	return view->unit != NULL ? view->unit->given_ms : view->holding->given_ms;
}

static int compare(const void *a, const void *b)
{
	const struct holder_view *left = a;
	const struct holder_view *right = b;
	int order = strcmp(left->integration, right->integration);

	if (order == 0)
		order = strcmp(left->version->key, right->version->key);
	if (order == 0)
		order = (left->version->version > right->version->version) -
			(left->version->version < right->version->version);
	if (order == 0)
		order = (since_of(left) > since_of(right)) - (since_of(left) < since_of(right));
	if (order == 0 && left->holding != NULL && right->holding != NULL)
		order = (left->holding->run_no > right->holding->run_no) -
			(left->holding->run_no < right->holding->run_no);
	return order;
}

enum err holders_collect(struct core *core, const struct holder_filter *filter,
	struct holder_view **views_out, size_t *count_out)
{
	struct collecting collecting = {0};
	enum err err = holders_each(core, filter, on_collected, &collecting);

	if (err != OK) {
		free(collecting.views);
		return err;
	}
	if (collecting.count > 0)
		qsort(collecting.views, collecting.count, sizeof(*collecting.views), compare);
	*views_out = collecting.views;
	*count_out = collecting.count;
	return OK;
}

void holders_free_views(struct holder_view **views)
{
	free(*views);
}
