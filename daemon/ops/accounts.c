/*
 * What has become of a user, and who belongs to whom: for alerts, never to decide who a caller is.
 */
#include "users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { BUFFER_BYTES_FIRST = 1024, BUFFER_BYTES_MAX = 1048576, DAY_MS = 86400000 };

/* A name service that is away has not said that nobody has the number. */
static bool says_nobody(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH;
}

static bool lets_nobody_in(const char *shell)
{
	const char *slash = strrchr(shell, '/');
	const char *name = slash == NULL ? shell : slash + 1;

	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

/* usermod -L puts the mark before a hash that stays; an account that never had a password is not locked. */
static bool is_shadow_locked(const char *name, int64_t today)
{
	char buffer[BUFFER_BYTES_FIRST] = "";
	struct spwd entry = {0};
	struct spwd *found = NULL;

	if (getspnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
		return false; /* the daemon may not see it */

	bool is_locked = found->sp_pwdp != NULL && found->sp_pwdp[0] == '!' && found->sp_pwdp[1] == '$';
	bool has_expired = found->sp_expire > 0 && found->sp_expire <= today;

	explicit_bzero(buffer, sizeof(buffer));
	return is_locked || has_expired;
}

static enum account account_of(const struct passwd *entry)
{
	bool is_locked =
		lets_nobody_in(entry->pw_shell) || is_shadow_locked(entry->pw_name, clock_wall_ms() / DAY_MS);

	return is_locked ? ACCOUNT_LOCKED : ACCOUNT_FINE;
}

/* What is known of the number goes to use; false: nobody has it.  *is_known_out: somebody could be asked. */
typedef void entry_fn(void *arg, const struct passwd *entry);

static bool with_entry(uid_t uid, entry_fn *use, void *arg, bool *is_known_out)
{
	*is_known_out = false;
	for (size_t len = BUFFER_BYTES_FIRST; len <= BUFFER_BYTES_MAX; len *= 4) {
		struct passwd entry = {0};
		struct passwd *found = NULL;
		char *buffer = malloc(len);
		int error = buffer == NULL ? ENOMEM : getpwuid_r(uid, &entry, buffer, len, &found);

		if (error == 0 && found != NULL)
			use(arg, found);
		free(buffer);
		*is_known_out = found != NULL || says_nobody(error);
		if (error != ERANGE)
			return error == 0 && found != NULL;
	}
	return false;
}

static void on_account(void *arg, const struct passwd *entry)
{
	*(enum account *)arg = account_of(entry);
}

enum account users_account(uid_t uid)
{
	enum account account = ACCOUNT_FINE;
	bool is_known = false;

	return with_entry(uid, on_account, &account, &is_known) || !is_known ? account : ACCOUNT_GONE;
}

static size_t find_members(const struct group *entry, uid_t *out, size_t cap)
{
	size_t count = 0;

	for (char **name = entry->gr_mem; *name != NULL && count < cap; name++)
		count += users_uid(*name, &out[count]) == OK;
	return count;
}

enum err users_members(gid_t gid, uid_t *out, size_t cap, size_t *count_out)
{
	for (size_t len = BUFFER_BYTES_FIRST; len <= BUFFER_BYTES_MAX; len *= 4) {
		struct group entry = {0};
		struct group *found = NULL;
		char *buffer = malloc(len);
		int error = buffer == NULL ? ENOMEM : getgrgid_r(gid, &entry, buffer, len, &found);

		if (error == 0 && found != NULL)
			*count_out = find_members(found, out, cap);
		free(buffer);
		if (error != ERANGE)
			return error == 0 && found != NULL ? OK : ERR_NOT_FOUND;
	}
	return ERR_NOT_FOUND;
}
