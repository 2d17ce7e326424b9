#include "roles.h"

#include <stdlib.h>

#include "log.h"
#include "users.h"

static void add_member(struct role_members *members, const char *role, const char *name)
{
	bool is_group = name[0] == '%';
	enum err err = is_group ? users_gid(name + 1, &members->gids[members->gid_count])
				: users_uid(name, &members->uids[members->uid_count]);

	if (err != OK)
		log_warning("[roles] %s: there is no %s %s on this host", role, is_group ? "group" : "user",
			is_group ? name + 1 : name);
	else if (is_group)
		members->gid_count++;
	else
		members->uid_count++;
}

static enum err resolve(const struct config_names *names, const char *role, struct role_members *out)
{
	out->uids = calloc(names->count + 1, sizeof(*out->uids));
	out->gids = calloc(names->count + 1, sizeof(*out->gids));
	if (out->uids == NULL || out->gids == NULL)
		return ERR_INTERNAL;
	for (size_t i = 0; i < names->count; i++)
		add_member(out, role, names->names[i]);
	return OK;
}

static void clear_members(struct role_members *members)
{
	free(members->uids);
	free(members->gids);
	*members = (struct role_members){0};
}

enum err roles_resolve(const struct config *config, struct roles *out)
{
	struct roles roles = {0};
	enum err err = resolve(&config->admin, "admin", &roles.admin);

	if (err == OK)
		err = resolve(&config->operator, "operator", &roles.operator);
	if (err == OK)
		err = resolve(&config->auditor, "auditor", &roles.auditor);
	if (err != OK)
		roles_clear(&roles);
	else
		*out = roles;
	return err;
}

void roles_clear(struct roles *roles)
{
	clear_members(&roles->admin);
	clear_members(&roles->operator);
	clear_members(&roles->auditor);
}
