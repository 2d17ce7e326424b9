/*
 * Root starts the test of an integration as that integration's user, who need not be trusted: groups first, then the
 * group, then the user, all three of each, and then a look at whether it holds.
 */
#include "account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The users whom grants name. */
struct users {
	struct buf names; /* "etl, batch" */
	int64_t uid; /* of one of them */
	size_t count;
};

static void clear_users(struct users *users)
{
	buf_clear(&users->names);
}

#define USERS_AUTO __attribute__((cleanup(clear_users))) struct users

static enum err fill(
	const struct cli *cli, const struct passwd *entry, const char *wanted, struct account *out)
{
	if (entry == NULL)
		return cli_fail(cli, ERR_NOT_FOUND, "this host has no user %s", wanted);
	if (strlen(entry->pw_name) >= sizeof(out->name) || strlen(entry->pw_dir) >= sizeof(out->home) ||
		strlen(entry->pw_shell) >= sizeof(out->shell))
		return cli_fail(cli, ERR_TOO_LARGE, "the entry of the user %s is too long", wanted);
	*out = (struct account){.uid = entry->pw_uid, .gid = entry->pw_gid};
	(void)snprintf(out->name, sizeof(out->name), "%s", entry->pw_name);
	(void)snprintf(out->home, sizeof(out->home), "%s", entry->pw_dir);
	(void)snprintf(out->shell, sizeof(out->shell), "%s", entry->pw_shell);
	return OK;
}

static enum err fill_by_uid(const struct cli *cli, int64_t uid, struct account *out)
{
	char text[32] = "";
	bool is_uid = uid >= 0 && uid < UINT32_MAX;

	(void)snprintf(text, sizeof(text), "%lld", (long long)uid);
	return fill(cli, is_uid ? getpwuid((uid_t)uid) : NULL, text, out);
}

static enum err fill_by_name(const struct cli *cli, const char *name, struct account *out)
{
	const struct passwd *entry = getpwnam(name);
	char *end = NULL;

	if (entry != NULL || *name < '0' || *name > '9')
		return fill(cli, entry, name, out);
	errno = 0;

	int64_t uid = strtoll(name, &end, 10);

	return errno == 0 && *end == '\0' ? fill_by_uid(cli, uid, out) : fill(cli, NULL, name, out);
}

/* Whom a grant names as the user that the integration runs as: not testers, and not whole groups. */
static bool has_user(const struct reply *reply, const struct json_token *grant)
{
	const struct json_token *uid = reply_at(reply, grant, "rule.uid");

	return uid != NULL && uid->type == JSON_INTEGER && !reply_flag(reply, grant, "staged_only");
}

/* True when an earlier grant of the list names the same user. */
static bool is_repeated(
	const struct reply *reply, const struct json_token *grants, const struct json_token *grant)
{
	int64_t uid = reply_integer(reply, grant, "rule.uid");

	for (const struct json_token *t = json_first(&reply->doc, grants); t != NULL && t != grant;
		t = json_next(&reply->doc, grants, t)) {
		if (has_user(reply, t) && reply_integer(reply, t, "rule.uid") == uid)
			return true;
	}
	return false;
}

/* The kernel's number counts; the name is for people. */
static void read_grants(const struct reply *reply, struct users *users)
{
	const struct json_token *grants = reply_array(reply, NULL, "grants");

	for (const struct json_token *t = json_first(&reply->doc, grants); t != NULL;
		t = json_next(&reply->doc, grants, t)) {
		if (!has_user(reply, t) || is_repeated(reply, grants, t))
			continue;
		buf_append_string(&users->names, users->count == 0 ? "" : ", ");
		reply_show(&users->names, reply, reply_at(reply, t, "rule.user"), SHOW_TEXT);
		users->uid = reply_integer(reply, t, "rule.uid");
		users->count++;
	}
	buf_append_byte(&users->names, '\0');
}

static enum err find_granted(struct cli *cli, struct account *out)
{
	REPLY_AUTO reply = {0};
	USERS_AUTO users = {0};
	enum err err = cli_ask(cli, REQUEST_GRANT_LIST, &reply);

	if (err != OK)
		return err;
	read_grants(&reply, &users);
	if (buf_failed(&users.names))
		return cli_fail(cli, ERR_INTERNAL, "no memory");
	if (users.count == 1)
		return fill_by_uid(cli, users.uid, out);
	if (users.count == 0)
		return cli_fail(cli, ERR_CONFLICT,
			"no grant says by user= whom the integration runs as: name the user with --as, or "
			"let "
			"one have what is staged: coffer grant add INTEGRATION user=USER --staged-only");
	return cli_fail(
		cli, ERR_CONFLICT, "grants name several users: choose one with --as: %s", users.names.bytes);
}

enum err account_find(struct cli *cli, struct account *out)
{
	const char *name = args_text(&cli->args, SLOT_AS);

	return name != NULL ? fill_by_name(cli, name, out) : find_granted(cli, out);
}

/* What root has in its environment may be root's alone: of it, only how to find programs and speak to people goes along. */
static bool is_shared(const char *string)
{
	static const char *const names[] = {"PATH=", "TERM=", "COLORTERM=", "NO_COLOR=", "LANG=", "LANGUAGE=",
		"LC_", "TZ=", "COFFER_SOCKET="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(string, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void reduce_environment(void)
{
	char **to = environ;

	for (char **from = environ; *from != NULL; from++) {
		if (is_shared(*from))
			*to++ = *from;
	}
	*to = NULL;
}

static bool set_environment(const struct account *account)
{
	reduce_environment();
	return setenv("HOME", account->home, 1) == 0 && setenv("USER", account->name, 1) == 0 &&
	       setenv("LOGNAME", account->name, 1) == 0 && setenv("SHELL", account->shell, 1) == 0;
}

/* All ids are the user's, and root's cannot be had again. */
static bool is_for_good(const struct account *account)
{
	uid_t uids[3] = {0};
	gid_t gids[3] = {0};

	if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (uids[i] != account->uid || gids[i] != account->gid)
			return false;
	}
	return account->uid == 0 || (setuid(0) != 0 && seteuid(0) != 0);
}

enum err account_become(const struct cli *cli, const struct account *account)
{
	if (initgroups(account->name, account->gid) != 0 ||
		setresgid(account->gid, account->gid, account->gid) != 0 ||
		setresuid(account->uid, account->uid, account->uid) != 0)
		return cli_fail(
			cli, ERR_INTERNAL, "cannot become the user %s: %s", account->name, strerror(errno));
	if (!is_for_good(account))
		return cli_fail(cli, ERR_INTERNAL, "the user %s was not become for good", account->name);
	return set_environment(account) ? OK : cli_fail(cli, ERR_INTERNAL, "no memory");
}
