/*
 * Answers of the name service in a table with one place for each hash: a newer answer takes the place of an older one.
 */
#include "people.h"

#include <stdlib.h>

#include "clock.h"

enum { PLACES = 4096, KEPT_MS = 60000, MEMBERS_MAX = 1024 };

enum question { ASK_NOTHING, ASK_ACCOUNT, ASK_USER, ASK_GROUP, ASK_NAME };

static const unsigned NOBODY = UINT32_MAX; /* no user has this number */

struct place {
	enum question question;
	uint64_t id; /* a number, or the hash of a name */
	int64_t until_ms;
	unsigned answer;
};

struct people {
	struct place places[PLACES];
};

enum err people_new(struct people **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? ERR_INTERNAL : OK;
}

void people_free(struct people *people)
{
	free(people);
}

void people_forget(struct people *people)
{
	*people = (struct people){0};
}

/* The place for this question; true when it holds the answer. */
static bool find(struct people *people, enum question question, uint64_t id, struct place **out)
{
	struct place *place =
		&people->places[((uint32_t)(id ^ id >> 32) * 2654435761U + (unsigned)question) % PLACES];
	int64_t now_ms = clock_monotonic_ms();
	bool is_known = place->question == question && place->id == id && place->until_ms > now_ms;

	if (!is_known)
		*place = (struct place){.question = question, .id = id, .until_ms = now_ms + KEPT_MS};
	*out = place;
	return is_known;
}

enum account people_account(struct people *people, uint32_t uid)
{
	struct place *place = NULL;

	if (!find(people, ASK_ACCOUNT, uid, &place))
		place->answer = users_account(uid);
	return (enum account)place->answer;
}

/* FNV-1a: whoever makes two names that are alike to it has one alert wrong, and nothing else. */
static uint64_t hash_of(const char *name)
{
	uint64_t hash = 14695981039346656037U;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211U;
	return hash;
}

bool people_named(struct people *people, const char *name, uint32_t *uid_out)
{
	struct place *place = NULL;

	if (!find(people, ASK_NAME, hash_of(name), &place) && users_uid(name, &place->answer) != OK)
		place->answer = NOBODY;
	*uid_out = place->answer;
	return place->answer != NOBODY;
}

static unsigned roles_of(const struct roles *roles, uint32_t uid)
{
	gid_t *groups = NULL;
	size_t count = 0;
	unsigned found = 0;

	(void)users_groups(uid, &groups, &count); /* without groups it is the user alone */
	found = policy_roles_of(roles, uid, groups, count);
	free(groups);
	return found;
}

unsigned people_roles_of_user(struct people *people, const struct roles *roles, uint32_t uid)
{
	struct place *place = NULL;

	if (!find(people, ASK_USER, uid, &place))
		place->answer = roles_of(roles, uid);
	return place->answer;
}

static bool is_in_group(uint32_t uid, uint32_t gid)
{
	gid_t *groups = NULL;
	size_t count = 0;
	bool is_in = false;

	(void)users_groups(uid, &groups, &count);
	for (size_t i = 0; i < count; i++)
		is_in = is_in || groups[i] == gid;
	free(groups);
	return is_in;
}

/* Those whose primary group it is are not in its entry: of them only the ones that the configuration names are known. */
static unsigned roles_of_named(const struct roles *roles, uint32_t gid)
{
	const struct role_members *members[] = {&roles->admin, &roles->operator, & roles->auditor };
	unsigned found = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		for (size_t j = 0; j < members[i]->uid_count; j++) {
			if (is_in_group(members[i]->uids[j], gid))
				found |= roles_of(roles, members[i]->uids[j]);
		}
	}
	return found;
}

static unsigned roles_of_members(const struct roles *roles, uint32_t gid)
{
	uid_t members[MEMBERS_MAX] = {0};
	unsigned found = policy_roles_of_group(roles, gid);
	size_t count = 0;

	if (users_members(gid, members, MEMBERS_MAX, &count) != OK)
		count = 0;
	for (size_t i = 0; i < count; i++)
		found |= roles_of(roles, members[i]);
	return found;
}

unsigned people_roles_of_group(struct people *people, const struct roles *roles, uint32_t gid)
{
	struct place *place = NULL;

	if (!find(people, ASK_GROUP, gid, &place))
		place->answer = roles_of_members(roles, gid) | roles_of_named(roles, gid);
	return place->answer;
}
