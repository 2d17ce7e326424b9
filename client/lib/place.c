/*
 * Finds the daemon's socket and refuses one that somebody else could have put there: whoever answers in the
 * daemon's place would be sent values by `secret put` and could choose the environment of what `run` starts.
 * Environment variables count only where the kernel did not raise this program's rights (P9).
 * Connecting is channel.c's.
 */
#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char system_config[] = "/etc/coffer/cofferd.conf";
static const char system_socket[] = "/run/coffer/coffer.sock";

/* Only certainty counts: a path that cannot be looked at may exist. */
static bool is_absent(const char *path)
{
	struct stat st = {0};

	return lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static enum err fits(int len, size_t size)
{
	return len >= 0 && (size_t)len < size ? OK : ERR_TOO_LARGE;
}

static enum err user_socket(char *out, size_t size)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

	if (runtime != NULL && runtime[0] == '/')
		return fits(snprintf(out, size, "%s/coffer/coffer.sock", runtime), size);
	return fits(snprintf(out, size, "/run/user/%u/coffer/coffer.sock", geteuid()), size);
}

enum err place_default(bool wants_user, char *out, size_t size)
{
	const char *chosen = wants_user ? NULL : secure_getenv("COFFER_SOCKET");

	if (chosen != NULL && chosen[0] != '\0')
		return fits(snprintf(out, size, "%s", chosen), size);
	/* A system vault that is merely down must not send anybody to another one. */
	if (wants_user || (is_absent(system_config) && is_absent(system_socket)))
		return user_socket(out, size);
	return fits(snprintf(out, size, "%s", system_socket), size);
}

static bool is_trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool is_writable_by_others(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static enum err refuse(const char *why, const char **why_out)
{
	*why_out = why;
	return ERR_UNSAFE_SOCKET;
}

static enum err absent(const char **why_out)
{
	*why_out = strerrordesc_np(errno);
	return errno == EACCES ? ERR_DENIED : ERR_UNREACHABLE;
}

/*
 * Above the socket's own directory a sticky one such as /tmp is good enough: what is ours in it stays ours.
 * directory is absolute and without symlinks; it is cut down to "/" on the way.
 */
static enum err check_ancestors(char *directory, const char **why_out)
{
	while (directory[1] != '\0') {
		struct stat st = {0};
		char *slash = strrchr(directory, '/');

		slash[slash == directory] = '\0';
		if (lstat(directory, &st) != 0)
			return absent(why_out);
		if (!is_trusted_owner(&st))
			return refuse("a directory above the socket belongs to somebody else", why_out);
		if (is_writable_by_others(&st) && (st.st_mode & S_ISVTX) == 0)
			return refuse("others may write to a directory above the socket", why_out);
	}
	return OK;
}

static enum err check_directory(char *directory, const char **why_out)
{
	struct stat st = {0};

	if (lstat(directory, &st) != 0)
		return absent(why_out);
	if (!is_trusted_owner(&st))
		return refuse("the socket's directory belongs neither to root nor to this user", why_out);
	if (is_writable_by_others(&st))
		return refuse("others may write to the socket's directory", why_out);
	return check_ancestors(directory, why_out);
}

static enum err check_socket(const char *path, const char **why_out)
{
	struct stat st = {0};

	if (lstat(path, &st) != 0)
		return absent(why_out);
	if (!S_ISSOCK(st.st_mode))
		return refuse("it is not a socket, and symbolic links are not followed", why_out);
	if (!is_trusted_owner(&st))
		return refuse("it belongs neither to root nor to this user", why_out);
	return OK;
}

/* The directory of path, its symlinks resolved, so that the checks and connect(2) mean the same place. */
static enum err resolve_directory(
	const char *path, const char *base, char out[PATH_MAX], const char **why_out)
{
	char directory[PATH_MAX] = ".";
	size_t len = (size_t)(base - path);

	if (len >= sizeof(directory))
		return refuse("its path is too long", why_out);
	if (len > 0) {
		memcpy(directory, path, len);
		directory[len] = '\0';
	}
	return realpath(directory, out) != NULL ? OK : absent(why_out);
}

enum err place_check(const char *path, struct sockaddr_un *out, const char **why_out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	char directory[PATH_MAX] = "";
	enum err err = resolve_directory(path, base, directory, why_out);

	if (err != OK)
		return err;

	const char *separator = directory[1] == '\0' ? "" : "/";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s%s", directory, separator, base);

	if (fits(len, sizeof(address.sun_path)) != OK)
		return refuse("its path is longer than 107 bytes", why_out);
	err = check_directory(directory, why_out);
	if (err == OK)
		err = check_socket(address.sun_path, why_out);
	if (err == OK)
		*out = address;
	return err;
}
