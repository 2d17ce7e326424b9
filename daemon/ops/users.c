/*
 * Names and numbers of users and groups, through the C library's name service.
 *
 * The answers decide which number a configured name means, and how a number is shown; who a caller is,
 * the kernel says (P9).  Names are a trust boundary of their own: what is not a short printable
 * word is shown as its number.
 */
#include "users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

enum {
	LOGIN_BYTES = 256, /* longer ones are nobody's */
	GROUPS_FIRST = 64,
	GROUPS_MAX = 65537, /* what the kernel takes, and the primary one */
	RECORD_BYTES_FIRST = 1024,
	RECORD_BYTES_MAX = 1048576, /* a group with tens of thousands of members */
	REMEMBERED = 32,
	REMEMBERED_MS = 60000,
};

/* A question to the name service: one of its four functions. */
struct lookup {
	const char *name; /* by name, or by id when NULL */
	uint32_t id;
	char found_name[USER_NAME_BYTES]; /* "" when it is not fit to be shown */
	uint32_t found_id;
	char login[LOGIN_BYTES]; /* of a user, as the name service has it; "" when it is too long */
	gid_t gid; /* of a user: its primary group */
};

static void keep_name(struct lookup *lookup, const char *name)
{
	size_t len = strlen(name);

	lookup->found_name[0] = '\0';
	if (len < USER_NAME_BYTES && text_is_line(name, len))
		memcpy(lookup->found_name, name, len + 1);
}

/* Both return an errno, ERANGE when the buffer is too small, and ENOENT when there is nobody. */
static int ask_user(struct lookup *lookup, char *buffer, size_t len)
{
	struct passwd entry = {0};
	struct passwd *found = NULL;
	int error = lookup->name != NULL ? getpwnam_r(lookup->name, &entry, buffer, len, &found)
					 : getpwuid_r(lookup->id, &entry, buffer, len, &found);

	if (error != 0 || found == NULL)
		return error == 0 ? ENOENT : error;
	keep_name(lookup, entry.pw_name);
	lookup->found_id = entry.pw_uid;
	lookup->gid = entry.pw_gid;
	if (strlen(entry.pw_name) < LOGIN_BYTES)
		memcpy(lookup->login, entry.pw_name, strlen(entry.pw_name) + 1);
	return 0;
}

static int ask_group(struct lookup *lookup, char *buffer, size_t len)
{
	struct group entry = {0};
	struct group *found = NULL;
	int error = lookup->name != NULL ? getgrnam_r(lookup->name, &entry, buffer, len, &found)
					 : getgrgid_r(lookup->id, &entry, buffer, len, &found);

	if (error != 0 || found == NULL)
		return error == 0 ? ENOENT : error;
	keep_name(lookup, entry.gr_name);
	lookup->found_id = entry.gr_gid;
	return 0;
}

typedef int ask_fn(struct lookup *lookup, char *buffer, size_t len);

/* A name service that fails has not said that the name does not exist, but there is no id to use either. */
static enum err ask(ask_fn *function, struct lookup *lookup)
{
	for (size_t len = RECORD_BYTES_FIRST; len <= RECORD_BYTES_MAX; len *= 2) {
		char *buffer = malloc(len);

		if (buffer == NULL)
			return ERR_INTERNAL;

		int error = function(lookup, buffer, len);

		free(buffer);
		if (error != ERANGE)
			return error == 0 ? OK : ERR_NOT_FOUND;
	}
	return ERR_NOT_FOUND;
}

/* Canonical decimal; the largest number means "none" to the kernel. */
static bool read_id(const char *text, uint32_t *out)
{
	uint64_t value = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 10 || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value >= UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

static enum err find_id(ask_fn *function, const char *name, uint32_t *out)
{
	struct lookup lookup = {.name = name};

	if (read_id(name, out))
		return OK;
	if (name[0] == '\0')
		return ERR_NOT_FOUND;

	enum err err = ask(function, &lookup);

	if (err == OK)
		*out = lookup.found_id;
	return err;
}

enum err users_uid(const char *name, uid_t *out)
{
	return find_id(ask_user, name, out);
}

enum err users_gid(const char *name, gid_t *out)
{
	return find_id(ask_group, name, out);
}

/* *count holds how many there is room for, then how many there are: true when they all had room. */
static bool list_groups(const struct lookup *user, gid_t *groups, int *count)
{
	return getgrouplist(user->login, user->gid, groups, count) >= 0;
}

enum err users_groups(uid_t uid, gid_t **groups_out, size_t *count_out)
{
	struct lookup lookup = {.id = uid};
	int count = GROUPS_FIRST;

	if (ask(ask_user, &lookup) != OK || lookup.login[0] == '\0')
		return ERR_NOT_FOUND;
	for (int room = 0; count > room && count <= GROUPS_MAX;) {
		gid_t *groups = calloc((size_t)count, sizeof(*groups));

		room = count;
		if (groups == NULL)
			return ERR_INTERNAL;
		if (list_groups(&lookup, groups, &count)) {
			*groups_out = groups;
			*count_out = (size_t)count;
			return OK;
		}
		free(groups);
	}
	return ERR_NOT_FOUND;
}

struct answer {
	ask_fn *function; /* NULL: free */
	uint32_t id;
	int64_t until_ms;
	char name[USER_NAME_BYTES];
};

/* For display only, so an answer may be a minute old. */
static void find_name(ask_fn *function, uint32_t id, char out[USER_NAME_BYTES])
{
	static struct answer answers[REMEMBERED];
	static size_t next;
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < REMEMBERED; i++) {
		if (answers[i].function == function && answers[i].id == id && answers[i].until_ms > now_ms) {
			memcpy(out, answers[i].name, USER_NAME_BYTES);
			return;
		}
	}

	struct lookup lookup = {.id = id};

	if (ask(function, &lookup) != OK || lookup.found_name[0] == '\0')
		snprintf(lookup.found_name, sizeof(lookup.found_name), "%lu", (unsigned long)id);
	answers[next] = (struct answer){.function = function, .id = id, .until_ms = now_ms + REMEMBERED_MS};
	memcpy(answers[next].name, lookup.found_name, USER_NAME_BYTES);
	next = (next + 1) % REMEMBERED;
	memcpy(out, lookup.found_name, USER_NAME_BYTES);
}

void users_name(uid_t uid, char out[USER_NAME_BYTES])
{
	find_name(ask_user, uid, out);
}

void users_group_name(gid_t gid, char out[USER_NAME_BYTES])
{
	find_name(ask_group, gid, out);
}

void users_load_modules(void)
{
	static const char nobody[] = "coffer-nobody-has-this-name";
	char buffer[RECORD_BYTES_FIRST] = "";
	struct spwd entry = {0};
	struct spwd *found = NULL;
	gid_t groups[1] = {0};
	int count = 1;
	uid_t uid = 0;
	gid_t gid = 0;

	/* Users that exist while their unit runs are shown by number: to ask for them takes system calls of its own. */
	(void)setenv("SYSTEMD_NSS_DYNAMIC_BYPASS", "1", 1);
	(void)users_uid(nobody, &uid);
	(void)users_gid(nobody, &gid);
	(void)getgrouplist(nobody, gid, groups, &count);
	(void)getspnam_r(nobody, &entry, buffer, sizeof(buffer), &found);
}
