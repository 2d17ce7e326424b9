/*
 * Who manages what.  A manager works on the integration it is named for and sees it; grants, states, and who else
 * manages it are never its business (P2), and neither is what others run as themselves.
 */
#include "managers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "users.h"

/* ---- asking ---- */

struct asking {
	const struct principal *who;
	bool is_manager;
};

static enum err on_manager(void *arg, const struct store_manager *row)
{
	struct asking *asking = arg;
	uid_t uid = row->id;
	gid_t gid = row->id;
	struct role_members one = {
		.uids = &uid, .uid_count = !row->is_group, .gids = &gid, .gid_count = row->is_group};

	asking->is_manager = asking->is_manager || policy_is_member(&one, asking->who);
	return OK; /* all rows are read: how long it takes does not tell which one it was */
}

static enum err on_any(void *arg, const char *integration)
{
	(void)integration;
	*(bool *)arg = true;
	return ERR_CONFLICT; /* any error ends the search */
}

/* Each number of the principal, its user first, as a manager would be written. */
typedef enum err number_fn(void *arg, const struct store_manager *number);

static enum err each_number(const struct principal *who, number_fn *fn, void *arg)
{
	enum err err = fn(arg, &(struct store_manager){.id = who->uid});

	if (err == OK)
		err = fn(arg, &(struct store_manager){.is_group = true, .id = who->gid});
	for (size_t i = 0; err == OK && i < who->group_count; i++)
		if (who->groups[i] != who->gid)
			err = fn(arg, &(struct store_manager){.is_group = true, .id = who->groups[i]});
	return err;
}

struct searching {
	struct store *store;
	const struct principal *who;
	bool is_found;
};

static bool counts(const struct principal *who, const struct store_manager *number)
{
	struct asking asking = {.who = who};

	return on_manager(&asking, number) == OK && asking.is_manager;
}

static enum err on_number(void *arg, const struct store_manager *number)
{
	struct searching *searching = arg;

	if (!counts(searching->who, number))
		return OK;

	enum err err = store_manager_managed(searching->store, number, on_any, &searching->is_found);

	return searching->is_found ? ERR_CONFLICT : err;
}

bool managers_manages_any(struct core *core, const struct principal *principal)
{
	struct searching searching = {.store = core->store, .who = principal};

	if (core->store != NULL)
		(void)each_number(principal, on_number, &searching);
	return searching.is_found;
}

bool managers_may_see(const struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	struct asking asking = {.who = call->who};

	if (policy_allows(call->info->right, call->roles))
		return true;
	return store_manager_of(call->core->store, integration_id, on_manager, &asking) == OK &&
	       asking.is_manager;
}

bool managers_may_see_name(const struct call *call, const char *integration)
{
	struct asking asking = {.who = call->who};

	if (policy_allows(call->info->right, call->roles))
		return true;
	return store_manager_of_name(call->core->store, integration, on_manager, &asking) == OK &&
	       asking.is_manager;
}

/* ---- the right ---- */

/*
 * Who manages it and what needs approval are not the managed ones' business; its test command is run by others as
 * themselves, with values (P3); and what a user has touched is asked by those who see all of it.
 */
static bool is_reserved(const struct call *call)
{
	static const enum field changed[] = {FIELD_MANAGED_BY, FIELD_ENVIRONMENT, FIELD_TEST};

	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		if (call->info->duty == DUTY_CHANGE && request_has(call->request, changed[i]))
			return true;
	return request_has(call->request, FIELD_TOUCHED_BY);
}

static enum err deny(struct call *call)
{
	return call_refuse(call, ERR_DENIED, "no role gives this right", NULL); /* P2 */
}

enum err managers_check(struct call *call, enum err parsed)
{
	const struct request *request = call->request;
	char name[INTEGRATION_NAME_BYTES_MAX + 1] = "";
	bool is_named = request_text(request, FIELD_NAME, name, sizeof(name)) ||
			request_text(request, FIELD_INTEGRATION, name, sizeof(name));

	if (!policy_allows_manager(call->info->right))
		return deny(call);
	if (is_named && !managers_may_see_name(call, name))
		return deny(call);
	/* Without a name it is a list of the manager's own, or not a request at all, of which it may learn. */
	if (!is_named && parsed == OK && call->info->right != RIGHT_VIEWER)
		return deny(call);
	if (!is_named && !managers_manages_any(call->core, call->who))
		return deny(call);
	if (is_reserved(call))
		return call_refuse(call, ERR_DENIED, "a manager used a field that is not a manager's",
			"managed_by, environment, test and touched_by are not for managers; ask an "
			"administrator");
	return OK;
}

/* ---- writing ---- */

static enum err refuse_name(struct call *call, const char *reason, const char *detail)
{
	return call_refuse(call, ERR_BAD_VALUE, reason, detail);
}

/* "user" or "%group", by name or number. */
static enum err resolve(struct call *call, const char *name, struct store_manager *out)
{
	out->is_group = name[0] == '%';

	enum err err = out->is_group ? users_gid(name + 1, &out->id) : users_uid(name, &out->id);

	if (err == ERR_NOT_FOUND)
		return refuse_name(call, "managed_by: no such user or group",
			"managed_by names somebody who is no user, or with % no group, of this host");
	if (err == OK && (out->id == PEER_OVERFLOW_ID || out->id == (uint32_t)-1))
		return refuse_name(call, "managed_by: the overflow user or group",
			"managed_by names a user or group that stands for nobody in particular");
	return err;
}

enum { NUMBERS_BYTES = 256 };

/* "70004,%71000" */
static enum err on_row(void *arg, const struct store_manager *manager)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, NUMBERS_BYTES - len, "%s%s%u", len > 0 ? "," : "", manager->is_group ? "%" : "",
		manager->id);
	return OK;
}

static enum err write_rows(struct call *call, const struct store_integration *integration)
{
	const char *line = integration->text[FIELD_MANAGED_BY - INTEGRATION_TEXT_FIRST];
	enum err err = store_manager_clear(call->core->store, integration->id);

	while (err == OK && line != NULL && *line != '\0') {
		const char *end = strchrnul(line, '\n');
		struct store_manager manager = {0};
		char name[FIELD_ENTRY_BYTES_MAX + 1] = "";

		snprintf(name, sizeof(name), "%.*s", (int)(end - line), line);
		err = resolve(call, name, &manager);
		if (err == OK)
			err = store_manager_put(call->core->store, integration->id, &manager);
		line = *end == '\n' ? end + 1 : end;
	}
	return err;
}

/* The numbers have a history of their own: the same name may stand for another one than before. */
enum err managers_write(struct call *call, const struct store_integration *integration)
{
	char before[NUMBERS_BYTES] = "";
	char after[NUMBERS_BYTES] = "";
	enum err err = store_manager_of(call->core->store, integration->id, on_row, before);

	if (err == OK)
		err = write_rows(call, integration);
	if (err == OK)
		err = store_manager_of(call->core->store, integration->id, on_row, after);
	if (err != OK || strcmp(before, after) == 0)
		return err;
	call->has_new_managers = true;
	call_subject(call, "managers=%s", after[0] == '\0' ? "none" : after);
	return changes_note(call, &(struct store_change){.integration_id = integration->id,
					  .field = "managers",
					  .old = before[0] == '\0' ? NULL : before,
					  .new = after[0] == '\0' ? NULL : after});
}

/* ---- integration.show ---- */

static enum err on_shown(void *arg, const struct store_manager *manager)
{
	struct json_writer *w = arg;
	char name[USER_NAME_BYTES] = "";

	if (manager->is_group)
		users_group_name(manager->id, name);
	else
		users_name(manager->id, name);
	json_begin_object(w);
	json_put_string(w, manager->is_group ? "group" : "user", name);
	json_put_integer(w, manager->is_group ? "gid" : "uid", manager->id);
	json_end_object(w);
	return OK;
}

enum err managers_list(struct call *call, const unsigned char integration_id[STORE_ID_BYTES])
{
	json_key(&call->w, "managers");
	json_begin_array(&call->w);

	enum err err = store_manager_of(call->core->store, integration_id, on_shown, &call->w);

	json_end_array(&call->w);
	return err;
}

/* ---- whoami ---- */

struct names {
	const struct call *call;
	char **list;
	size_t count;
	size_t cap;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static enum err on_managed(void *arg, const char *integration)
{
	struct names *names = arg;

	if (names->count == names->cap) {
		size_t cap = names->cap == 0 ? 16 : 2 * names->cap;
		char **list = reallocarray(names->list, cap, sizeof(*list));

		if (list == NULL)
			return ERR_INTERNAL;
		names->list = list;
		names->cap = cap;
	}
	names->list[names->count] = strdup(integration);
	return names->list[names->count] != NULL ? (void)names->count++, OK : ERR_INTERNAL;
}

static enum err on_own_number(void *arg, const struct store_manager *number)
{
	struct names *names = arg;

	return counts(names->call->who, number)
		       ? store_manager_managed(names->call->core->store, number, on_managed, names)
		       : OK;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err managers_tell(struct call *call)
{
	__attribute__((cleanup(free_names))) struct names names = {.call = call};
	enum err err = call->core->store != NULL ? each_number(call->who, on_own_number, &names) : OK;

	if (names.count > 0)
		qsort(names.list, names.count, sizeof(*names.list), compare);
	json_key(&call->w, "manages");
	json_begin_array(&call->w);
	for (size_t i = 0; i < names.count; i++)
		if (i == 0 || strcmp(names.list[i - 1], names.list[i]) != 0)
			json_write_string(&call->w, names.list[i]);
	json_end_array(&call->w);
	return err;
}
